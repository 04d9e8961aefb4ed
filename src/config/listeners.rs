//! Where the broker listens and which addresses it advertises (`listeners`, `advertised.listeners`,
//! `controller.listener.names`, `listener.security.protocol.map`).

use super::Config;
use super::definition::split_list;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// How the connections of a listener are secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's names of protocols")]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    /// Reads a protocol's name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<SecurityProtocol> {
        Some(match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => SecurityProtocol::Plaintext,
            "SSL" => SecurityProtocol::Ssl,
            "SASL_PLAINTEXT" => SecurityProtocol::SaslPlaintext,
            "SASL_SSL" => SecurityProtocol::SaslSsl,
            _ => return None,
        })
    }

    /// The number of the protocol in broker registrations.
    pub fn id(self) -> i16 {
        self as i16
    }
}

/// `name://host:port` of `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name, in capitals. Clients never see it.
    pub name: String,
    /// The host. In `listeners` it may be empty, which means all interfaces.
    pub host: String,
    /// The port. In `listeners` 0 means any free port.
    pub port: u16,
    /// The protocol that the name is mapped to.
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

/// Why parsing cannot fail: every Config has been validated.
const VALIDATED: &str = "the listeners were validated";

impl Config {
    /// The listeners for clients and brokers.
    pub fn listeners(&self) -> Vec<Listener> {
        let all = self.all_listeners().expect(VALIDATED);
        all.into_iter().filter(|one| !self.is_controller(one)).collect()
    }

    /// The listeners on which `kafka-metadata-quorum --bootstrap-controller` and, in a cluster, the
    /// brokers reach the controller. Empty if `listeners` has none of `controller.listener.names`.
    pub fn controller_listeners(&self) -> Vec<Listener> {
        let all = self.all_listeners().expect(VALIDATED);
        all.into_iter().filter(|one| self.is_controller(one)).collect()
    }

    /// The addresses that clients are told. A listener on all interfaces is advertised with the
    /// name of this machine.
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

    /// The name of the listener that brokers use among themselves.
    pub fn inter_broker_listener(&self) -> String {
        let name = self.inter_broker_listener_name.as_ref();
        name.unwrap_or(&self.security_inter_broker_protocol).to_uppercase()
    }

    /// The number that `listener.name.<listener>.<setting>` is set to.
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
            Error::Config(format!("The listeners {list} cannot be used: {what}"))
        })
    }

    /// The protocol of each listener name. A controller's listener that is not in the map is
    /// PLAINTEXT if no listener is encrypted or authenticated
    /// (effectiveListenerSecurityProtocolMap).
    pub(super) fn protocols(&self) -> Result<BTreeMap<String, SecurityProtocol>> {
        const NAME: &str = "listener.security.protocol.map";
        let mut protocols = BTreeMap::new();
        for entry in split_list(&self.listener_security_protocol_map) {
            let (name, protocol) = entry.split_once(':').ok_or_else(|| {
                Error::Config(format!(
                    "{NAME}: {entry} is no listener with its protocol: write NAME:PROTOCOL"
                ))
            })?;
            let protocol = SecurityProtocol::from_name(protocol.trim()).ok_or_else(|| {
                Error::Config(format!("{NAME}: there is no security protocol {protocol}"))
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
        split_listener(entry).ok_or(format!("{entry} is no listener: write NAME://host:port"))?;
    let name = name.to_uppercase();
    let protocol = protocols.get(&name).copied();
    let protocol = protocol
        .ok_or(format!("listener.security.protocol.map has no protocol for the listener {name}"))?;
    let port = port.parse().map_err(|_| format!("`{port}` in {entry} is no port"))?;
    Ok(Listener { name, host: host.to_owned(), port, protocol })
}

/// The name, host and port of `name://host:port`; an IPv6 address is in brackets.
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
                return Err(format!("two listeners have the name {}", one.name));
            }
            let same_port = one.port != 0 && one.port == other.port;
            if distinct_ports && same_port && !are_both_families(&one.host, &other.host) {
                return Err(format!(
                    "{other} and {one} have the same port; only an IPv4 and an IPv6 address may \
                     share one"
                ));
            }
        }
    }
    Ok(listeners)
}

/// Whether one address is of IPv4 and the other of IPv6.
fn are_both_families(one: &str, other: &str) -> bool {
    match (one.parse::<std::net::IpAddr>(), other.parse::<std::net::IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() != other.is_ipv4(),
        _ => false,
    }
}

/// The name of this machine, by which others can probably reach it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
