//! Where the broker listens and what it tells clients to connect to (`listeners`,
//! `advertised.listeners`, `controller.listener.names`, `listener.security.protocol.map`).

use super::Config;
use super::definition::split_list;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// How a listener's connections are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's names of protocols")]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    /// Reads the name, in letters of any size.
    pub fn from_name(name: &str) -> Option<SecurityProtocol> {
        Some(match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => SecurityProtocol::Plaintext,
            "SSL" => SecurityProtocol::Ssl,
            "SASL_PLAINTEXT" => SecurityProtocol::SaslPlaintext,
            "SASL_SSL" => SecurityProtocol::SaslSsl,
            _ => return None,
        })
    }

    /// The number that stands for it in broker registrations.
    pub fn id(self) -> i16 {
        self as i16
    }
}

/// `name://host:port` of `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In capitals; clients never see it.
    pub name: String,
    /// Empty in `listeners` means all interfaces; never empty in advertised ones.
    pub host: String,
    /// 0 in `listeners` means any free one.
    pub port: u16,
    /// What the name maps to.
    pub protocol: SecurityProtocol,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listener { name, host, port, .. } = self;
        match host.contains(':') {
            true => write!(f, "{name}://[{host}]:{port}"),
            false => write!(f, "{name}://{host}:{port}"),
        }
    }
}

/// Why listeners can be read: who makes a Config validates it.
const VALIDATED: &str = "the listeners were validated";

impl Config {
    /// Where clients and brokers connect.
    pub fn listeners(&self) -> Vec<Listener> {
        let all = self.all_listeners().expect(VALIDATED);
        all.into_iter().filter(|one| !self.is_controller(one)).collect()
    }

    /// Where `kafka-metadata-quorum --bootstrap-controller` and, in a cluster, brokers reach the
    /// controller. Empty if `listeners` has none of the controller's names.
    pub fn controller_listeners(&self) -> Vec<Listener> {
        let all = self.all_listeners().expect(VALIDATED);
        all.into_iter().filter(|one| self.is_controller(one)).collect()
    }

    /// What clients are told to connect to. A listener on all interfaces is advertised by the name
    /// of this machine.
    pub fn advertised_listeners(&self) -> Vec<Listener> {
        self.parse_advertised().expect(VALIDATED)
    }

    pub(super) fn parse_advertised(&self) -> Result<Vec<Listener>> {
        let advertised = if self.advertised_listeners.is_empty() {
            self.all_listeners()?
        } else {
            self.parse_listeners(&self.advertised_listeners, false)?
        };
        let mut broker: Vec<_> =
            advertised.into_iter().filter(|one| !self.is_controller(one)).collect();
        for listener in &mut broker {
            if listener.host.is_empty() {
                listener.host = host_name();
            }
        }
        Ok(broker)
    }

    /// The listener that brokers use among themselves.
    pub fn inter_broker_listener(&self) -> String {
        let name = self.inter_broker_listener_name.as_ref();
        name.unwrap_or(&self.security_inter_broker_protocol).to_uppercase()
    }

    /// A number that `listener.name.<listener>.<setting>` sets.
    pub fn of_listener(&self, listener: &str, setting: &str) -> Option<i64> {
        let name = format!("listener.name.{}.{setting}", listener.to_lowercase());
        self.values.get(&name)?.trim().parse().ok()
    }

    pub(super) fn all_listeners(&self) -> Result<Vec<Listener>> {
        self.parse_listeners(&self.listeners, true)
    }

    fn is_controller(&self, listener: &Listener) -> bool {
        self.controller_listener_names.iter().any(|name| name.to_uppercase() == listener.name)
    }

    fn parse_listeners(&self, list: &[String], distinct_ports: bool) -> Result<Vec<Listener>> {
        let protocols = self.protocols()?;
        let parsed: Result<Vec<_>, String> =
            list.iter().map(|entry| parse_listener(entry, &protocols)).collect();
        parsed.and_then(|listeners| check_distinct(listeners, distinct_ports)).map_err(|what| {
            let list = list.join(", ");
            Error::Config(format!("Error creating broker listeners from '[{list}]': {what}"))
        })
    }

    /// What each listener's name stands for. Controller listeners that nobody maps are PLAINTEXT,
    /// as long as nothing is encrypted or authenticated (effectiveListenerSecurityProtocolMap).
    fn protocols(&self) -> Result<BTreeMap<String, SecurityProtocol>> {
        const NAME: &str = "listener.security.protocol.map";
        let mut protocols = BTreeMap::new();
        for entry in split_list(&self.listener_security_protocol_map) {
            let (name, protocol) = entry.split_once(':').ok_or_else(|| {
                Error::Config(format!(
                    "Error parsing configuration property '{NAME}': `{entry}` should be in the \
                     form `name:protocol`"
                ))
            })?;
            let protocol = SecurityProtocol::from_name(protocol.trim()).ok_or_else(|| {
                Error::Config(format!("Invalid security protocol `{protocol}` defined in {NAME}"))
            })?;
            protocols.insert(name.trim().to_uppercase(), protocol);
        }
        let is_plain = |listener: &String| {
            let name = listener.split(':').next().unwrap_or_default();
            matches!(SecurityProtocol::from_name(name), None | Some(SecurityProtocol::Plaintext))
        };
        let mut names = self.listeners.iter().chain(&self.controller_listener_names);
        if !self.is_set(NAME) && names.all(is_plain) {
            for name in &self.controller_listener_names {
                protocols.entry(name.to_uppercase()).or_insert(SecurityProtocol::Plaintext);
            }
        }
        Ok(protocols)
    }
}

fn parse_listener(
    entry: &str,
    protocols: &BTreeMap<String, SecurityProtocol>,
) -> Result<Listener, String> {
    let (name, host, port) =
        split_listener(entry).ok_or(format!("Unable to parse {entry} to a broker endpoint"))?;
    let name = name.to_uppercase();
    let protocol = protocols.get(&name).copied();
    let protocol = protocol.ok_or(format!("No security protocol defined for listener {name}"))?;
    let port = port.parse().map_err(|_| format!("`{port}` in {entry} is no port"))?;
    Ok(Listener { name, host: host.to_owned(), port, protocol })
}

/// Name, host and port of `name://host:port`; an IPv6 address stands in brackets.
fn split_listener(entry: &str) -> Option<(&str, &str, &str)> {
    let (name, address) = entry.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-%._:".contains(&b);
    let is_valid = !name.is_empty() && host.bytes().all(is_host);
    is_valid.then_some((name, host, port))
}

fn check_distinct(listeners: Vec<Listener>, distinct_ports: bool) -> Result<Vec<Listener>, String> {
    for (i, one) in listeners.iter().enumerate() {
        for other in &listeners[..i] {
            if one.name == other.name {
                return Err("Each listener must have a different name".to_owned());
            }
            let same_port = one.port != 0 && one.port == other.port;
            if distinct_ports && same_port && !are_both_families(&one.host, &other.host) {
                return Err(
                    "Each listener must have a different port unless exactly one listener has an \
                     IPv4 address and the other IPv6 address"
                        .to_owned(),
                );
            }
        }
    }
    Ok(listeners)
}

/// Whether one is an IPv4 address and the other one an IPv6 address.
fn are_both_families(one: &str, other: &str) -> bool {
    match (one.parse::<std::net::IpAddr>(), other.parse::<std::net::IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() != other.is_ipv4(),
        _ => false,
    }
}

/// The name of this machine, by which others can hopefully reach it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
