//! Checks settings that depend on each other (KafkaConfig.validateValues), and refuses those that
//! would be unsafe to ignore.

use super::definition::split_list;
use super::topic::TopicValues;
use super::{Config, SecurityProtocol, TOPIC_SETTINGS, absolute};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

impl Config {
    pub(super) fn validate(&self) -> Result<()> {
        self.check_roles()?;
        self.check_log()?;
        self.check_cordoned()?;
        self.check_sockets()?;
        self.check_groups()?;
        self.check_security()?;
        self.check_listeners()?;
        self.check_connections()?;
        self.check_topics()?;
        self.check_given()
    }

    fn check_log(&self) -> Result<()> {
        let roll = self.roll_ms();
        require(roll >= 1, || format!("log.roll.ms={roll} is below 1"))?;
        let jitter = self.roll_jitter_ms();
        require(jitter >= 0, || format!("log.roll.jitter.ms={jitter} is below 0"))?;
        require(self.retention_ms() != 0, || {
            "log.retention.ms=0 would keep nothing; write -1 to keep everything".to_owned()
        })?;
        let per_thread = self.log_cleaner_dedupe_buffer_size / i64::from(self.log_cleaner_threads);
        require(per_thread > 1 << 20, || {
            format!(
                "log.cleaner.dedupe.buffer.size={} is {per_thread} bytes for each of \
                 log.cleaner.threads; each needs more than 1 MiB",
                self.log_cleaner_dedupe_buffer_size
            )
        })?;
        let (wait, timeout) = (self.replica_fetch_wait_max_ms, self.replica_socket_timeout_ms);
        require(wait <= timeout, || {
            format!(
                "replica.fetch.wait.max.ms={wait} is more than \
                 replica.socket.timeout.ms={timeout}: a waiting fetch would time out"
            )
        })?;
        let lag = self.replica_lag_time_max_ms;
        require(i64::from(wait) <= lag, || {
            format!(
                "replica.fetch.wait.max.ms={wait} is more than replica.lag.time.max.ms={lag}: a \
                 waiting follower would leave the ISR"
            )
        })
    }

    /// Topics without their own settings take the broker's, which must be right for a topic.
    fn check_topics(&self) -> Result<()> {
        let none = BTreeMap::new();
        let values = TopicValues { config: self, overrides: &none };
        for setting in TOPIC_SETTINGS.iter().filter(|setting| setting.synonym.is_some()) {
            values.get(setting).map_or(Ok(()), |value| setting.validate(&value))?;
        }
        self.topic(&none).map(|_| ())
    }

    /// `cordoned.log.dirs` may name some of `log.dirs`, or be `*` alone.
    fn check_cordoned(&self) -> Result<()> {
        let cordoned = &self.cordoned_log_dirs;
        require(cordoned.len() < 2 || cordoned.iter().all(|one| one != "*"), || {
            "cordoned.log.dirs has * and other values; write * alone".to_owned()
        })?;
        let is_known =
            |one: &String| self.log_dirs.iter().any(|dir| absolute(dir) == absolute(one));
        match cordoned.iter().find(|one| *one != "*" && !is_known(one)) {
            None => Ok(()),
            Some(one) => Err(Error::Config(format!(
                "cordoned.log.dirs names {one}, which is not one of log.dirs or log.dir"
            ))),
        }
    }

    fn check_sockets(&self) -> Result<()> {
        let max = i64::from(self.socket_request_max_bytes);
        let queued = self.queued_max_request_bytes;
        require(queued <= 0 || queued >= max, || {
            format!(
                "queued.max.request.bytes={queued} is less than one request of \
                 socket.request.max.bytes={max}"
            )
        })?;
        let overrides = self.max_connections_per_ip_overrides()?;
        require(self.max_connections_per_ip > 0 || !overrides.is_empty(), || {
            "max.connections.per.ip=0 keeps everybody out; name who may connect in \
             max.connections.per.ip.overrides"
                .to_owned()
        })?;
        let (delay, idle) =
            (self.connection_failed_authentication_delay_ms, self.connections_max_idle_ms);
        require(idle < 0 || i64::from(delay) < idle, || {
            format!(
                "connection.failed.authentication.delay.ms={delay} must be below \
                 connections.max.idle.ms={idle}, or the connection closes before the answer"
            )
        })
    }

    /// Checks the settings that a listener may override (ListenerReconfigurableConfigs).
    fn check_connections(&self) -> Result<()> {
        for listener in self.all_listeners()? {
            for name in ["max.connections", "max.connection.creation.rate"] {
                let own = format!("listener.name.{}.{name}", listener.name.to_lowercase());
                let (Some(value), Some(setting)) = (self.values.get(&own), super::setting(name))
                else {
                    continue;
                };
                setting
                    .validate(value)
                    .map_err(|error| Error::Config(format!("{own}: {error}")))?;
            }
        }
        Ok(())
    }

    /// `max.connections.per.ip.overrides`: hosts with the number of connections they may have.
    pub fn max_connections_per_ip_overrides(&self) -> Result<Vec<(String, i32)>> {
        let entries = split_list(self.max_connections_per_ip_overrides.trim_end_matches(','));
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-%._:".contains(c);
        let parse = |entry: &str| {
            let (host, count) = entry.rsplit_once(':')?;
            let host = Some(host.trim()).filter(|host| host.chars().all(is_host))?;
            Some((host.to_owned(), count.trim().parse().ok()?))
        };
        let parsed = entries.into_iter().map(|entry| {
            parse(entry).ok_or_else(|| {
                Error::Config(format!(
                    "max.connections.per.ip.overrides: `{entry}` is not host:count"
                ))
            })
        });
        parsed.collect()
    }

    fn check_groups(&self) -> Result<()> {
        let protocols = &self.group_coordinator_rebalance_protocols;
        require(protocols.iter().any(|protocol| protocol == "classic"), || {
            "Disabling the 'classic' protocol is not supported.".to_owned()
        })?;
        // Kafka 4.4 has the setting for streams groups.
        let known: [(&str, &[&str]); 2] = [
            ("group.consumer.assignors", &["uniform", "range"]),
            ("group.streams.assignors", &["sticky"]),
        ];
        for (name, known) in known {
            let mut named = split_list(self.values.get(name).unwrap_or_default()).into_iter();
            let other = named.find(|one| !known.contains(one));
            require(other.is_none(), || {
                let (other, known) = (other.unwrap_or_default(), known.join(" and "));
                format!("{name} names {other}: klamm has {known}. Remove it")
            })?;
        }
        self.in_order("group.min.session.timeout.ms", "group.max.session.timeout.ms")?;
        for kind in ["consumer", "share", "streams"] {
            self.check_group_times(kind)?;
        }
        for name in
            ["delivery.count.limit", "record.lock.duration.ms", "partition.max.record.locks"]
        {
            self.in_bounds("share", name)?;
        }
        self.in_order("group.share.max.size", "group.share.max.share.sessions")?;
        self.in_order("group.streams.num.standby.replicas", "group.streams.max.standby.replicas")
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        let text = self.values.get(name).unwrap_or_default();
        text.trim().parse().expect("validated before")
    }

    fn in_order(&self, less: &str, more: &str) -> Result<()> {
        let (low, high) = (self.number(less), self.number(more));
        require(low <= high, || format!("{less}={low} is more than {more}={high}"))
    }

    /// `group.<kind>.<name>` must lie between its `min` and `max`.
    fn in_bounds(&self, kind: &str, name: &str) -> Result<()> {
        let own = format!("group.{kind}.{name}");
        let (min, max) = (format!("group.{kind}.min.{name}"), format!("group.{kind}.max.{name}"));
        self.in_order(&min, &max)?;
        self.in_order(&min, &own)?;
        self.in_order(&own, &max)
    }

    /// Each `group.<kind>.<time>` must lie between its `min` and `max`, and the session timeout
    /// must exceed the heartbeat interval.
    fn check_group_times(&self, kind: &str) -> Result<()> {
        for time in ["heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms"] {
            self.in_bounds(kind, time)?;
        }
        let heartbeat = format!("group.{kind}.heartbeat.interval.ms");
        let session = format!("group.{kind}.session.timeout.ms");
        require(self.number(&heartbeat) < self.number(&session), || {
            format!("{heartbeat} must be less than {session}")
        })
    }

    fn check_listeners(&self) -> Result<()> {
        let all = self.all_listeners()?;
        let broker = self.listeners();
        require(!broker.is_empty(), || {
            "controller.listener.names has all of listeners; clients need one of their own"
                .to_owned()
        })?;
        let has = |name: &String| all.iter().any(|one| one.name == name.to_uppercase());
        // If they are not set, the controller has no listener; it is in this process.
        let named = self.is_set("controller.listener.names") && !self.is_broker_only();
        require(!named || self.controller_listener_names.iter().all(has), || {
            let names = self.controller_listener_names.join(",");
            format!("controller.listener.names={names}: listeners lacks one of these")
        })?;
        if self.is_broker_only() {
            self.check_controllers_listeners()?;
        }
        let is_listener = |early: &String| {
            all.iter()
                .map(|one| &one.name)
                .chain(&self.controller_listener_names)
                .any(|n| n == early)
        };
        if let Some(early) = self.early_start_listeners.iter().find(|early| !is_listener(early)) {
            return Err(Error::Config(format!(
                "early.start.listeners names {early}, which is neither in listeners nor in \
                 controller.listener.names"
            )));
        }
        let advertised = self.parse_advertised()?;
        let names = |listeners: &[super::Listener]| {
            listeners.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(",")
        };
        require(advertised.iter().all(|one| has(&one.name)), || {
            format!(
                "advertised.listeners names {}; listeners has only {}",
                names(&advertised),
                names(&all)
            )
        })?;
        let inter_broker = self.inter_broker_listener();
        require(advertised.iter().any(|one| one.name == inter_broker), || {
            format!(
                "inter.broker.listener.name={inter_broker}: advertised.listeners has only {}",
                names(&advertised)
            )
        })?;
        require(advertised.iter().all(|one| one.host != "0.0.0.0"), || {
            "advertised.listeners has 0.0.0.0, to which nobody can connect; write an address that \
             clients reach"
                .to_owned()
        })
    }

    /// Refuses listeners that would need encryption or authentication: to ignore what is meant to
    /// keep somebody out would be unsafe.
    fn check_security(&self) -> Result<()> {
        for listener in self.all_listeners()? {
            require(listener.protocol == SecurityProtocol::Plaintext, || {
                format!(
                    "The listener {listener} is not PLAINTEXT: klamm does not serve TLS and SASL \
                     yet. Remove it from listeners, or map it to PLAINTEXT in \
                     listener.security.protocol.map"
                )
            })?;
        }
        Ok(())
    }
}

pub(super) fn require(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Config(message())) }
}
