//! Bound listeners: which addresses a listener takes, and what is said when it cannot have them.

use crate::config::{self, Config, Listener};
use crate::error::{Error, Result};
use crate::handlers::Endpoint;
use rustix::net::sockopt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tracing::debug;

/// How many connections may wait to be accepted, if the system allows as many (`somaxconn`). When a
/// broker comes back, all of its clients connect at once, and those that the kernel turns away try
/// again only after a second. Kafka's 50 (`socket.listen.backlog.size`) are too few for that.
const BACKLOG: u32 = 4096;

/// A listener that is bound and does not accept connections yet.
#[derive(Debug)]
pub struct Bound {
    /// Its name, host and protocol as configured.
    pub listener: Listener,
    /// The half of the node that it belongs to.
    pub endpoint: Endpoint,
    pub(super) socket: TcpListener,
}

impl Bound {
    /// Binds the listener's address. The error names the listener and the address, and says what to
    /// do.
    pub async fn bind(listener: Listener, endpoint: Endpoint, config: &Config) -> Result<Bound> {
        let opened = match listener.host.as_str() {
            "" | "0.0.0.0" | "::" => open_all(&listener, config),
            _ => open_one(&listener, config).await,
        };
        match opened {
            Ok(socket) => Ok(Bound { listener, endpoint, socket }),
            Err(error) => {
                let hint = hint_of(&error);
                Err(Error::Config(format!("cannot listen on {listener}: {error}. {hint}")))
            }
        }
    }

    /// `name://host:port` with the address and port that were bound.
    pub fn address(&self) -> Listener {
        let bound = self.socket.local_addr();
        let host = bound.map_or(self.listener.host.clone(), |address| address.ip().to_string());
        Listener { host, port: self.port(), ..self.listener.clone() }
    }

    /// The port that was bound, also if port 0 was asked for.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(self.listener.port, |address| address.port())
    }
}

/// Binds all addresses of this machine, including those of IPv6 if the system has it, as Java does.
/// If another listener has the same port, each takes only its own address family.
fn open_all(listener: &Listener, config: &Config) -> io::Result<TcpListener> {
    let port = listener.port;
    let all = config.listeners().into_iter().chain(config.controller_listeners());
    let is_alone = all.filter(|other| port != 0 && other.port == port).count() <= 1;
    let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    if listener.host == "0.0.0.0" && !is_alone {
        return open(ipv4, false, config);
    }
    match open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), is_alone, config) {
        Err(error) if listener.host != "::" && is_without_ipv6(&error) => open(ipv4, false, config),
        opened => opened,
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let unsupported = Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    error.raw_os_error() == unsupported || error.kind() == ErrorKind::AddrNotAvailable
}

/// Binds the first address of the host that can be bound, as in Java one of IPv4 if there is one.
async fn open_one(listener: &Listener, config: &Config) -> io::Result<TcpListener> {
    let found = lookup_host((listener.host.as_str(), listener.port)).await?;
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = found.partition(SocketAddr::is_ipv4);
    let mut failed = None;
    for address in [ipv4, ipv6].concat() {
        match open(address, false, config) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| ErrorKind::NotFound.into()))
}

/// Listens on an address. `takes_ipv4` is for the IPv6 wildcard, which may include IPv4.
fn open(address: SocketAddr, takes_ipv4: bool, config: &Config) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !takes_ipv4)?;
    }
    if let Err(error) = tune(&socket, config) {
        debug!(%error, "the listener stays as it is");
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Sets the options that connections inherit. Nagle's algorithm is off, as answers are whole frames
/// and would only be delayed. A buffer of -1 bytes is left to the system, and so is a receive
/// buffer of Kafka's default size, which is also in Kafka's own server.properties: 100 KiB make
/// large batches a fifth more expensive.
fn tune(socket: &TcpSocket, config: &Config) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    let (send, receive) = (config.socket_send_buffer_bytes, config.socket_receive_buffer_bytes);
    if let Ok(size) = usize::try_from(send) {
        sockopt::set_socket_send_buffer_size(socket, size)?;
    }
    let kafkas = config::setting("socket.receive.buffer.bytes").and_then(|setting| setting.default);
    if let Ok(size) = usize::try_from(receive)
        && kafkas != Some(&*receive.to_string())
    {
        sockopt::set_socket_recv_buffer_size(socket, size)?;
    }
    Ok(())
}

/// What an operator can do about the error.
fn hint_of(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "Is another broker running there? Stop it, or change the port in `listeners`."
        }
        ErrorKind::PermissionDenied => {
            "Ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE): give it to this \
             process, or use a higher port in `listeners`."
        }
        ErrorKind::AddrNotAvailable => {
            "This machine has no such address: leave the host in `listeners` empty to listen on \
             all that it has, and say in `advertised.listeners` where clients find it."
        }
        _ if error.raw_os_error().is_none() => {
            "The name does not lead to an address: mend it in `listeners` or in the name service, \
             or leave the host in `listeners` empty."
        }
        _ => "Change `listeners`.",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::IpAddr;
    use tokio::net::TcpStream;

    fn config(settings: &[(&str, &str)]) -> Config {
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Config::new(settings.collect()).unwrap()
    }

    async fn bind(host: &str, port: u16, config: &Config) -> Result<Bound> {
        let listener = Listener { host: host.to_owned(), port, ..config.listeners().remove(0) };
        Bound::bind(listener, Endpoint::Broker, config).await
    }

    /// A connection on the broker's side.
    async fn accepted(settings: &[(&str, &str)]) -> TcpStream {
        let bound = bind("127.0.0.1", 0, &config(settings)).await.unwrap();
        let client = TcpStream::connect(("127.0.0.1", bound.port())).await.unwrap();
        let (served, _) = bound.socket.accept().await.unwrap();
        drop(client);
        served
    }

    /// The sizes of a connection's send and receive buffers. Linux reports twice the size that was
    /// set.
    async fn buffers(settings: &[(&str, &str)]) -> (usize, usize) {
        let served = accepted(settings).await;
        let send = sockopt::socket_send_buffer_size(&served).unwrap();
        (send, sockopt::socket_recv_buffer_size(&served).unwrap())
    }

    #[tokio::test]
    async fn connections_have_the_buffers_of_the_settings() {
        const SEND: &str = "socket.send.buffer.bytes";
        const RECEIVE: &str = "socket.receive.buffer.bytes";
        let (send, receive) = buffers(&[(SEND, "-1"), (RECEIVE, "-1")]).await;
        assert_eq!(buffers(&[]).await, (204_800, receive), "Kafka's default, and the system's");
        assert_eq!(buffers(&[(SEND, "50000"), (RECEIVE, "70000")]).await, (100_000, 140_000));
        assert_eq!(buffers(&[(SEND, "-1"), (RECEIVE, "102400")]).await, (send, receive));
    }

    #[tokio::test]
    async fn connections_are_kept_alive_and_answers_go_at_once() {
        let served = accepted(&[]).await;
        assert!(sockopt::socket_keepalive(&served).unwrap(), "SO_KEEPALIVE");
        assert!(sockopt::tcp_nodelay(&served).unwrap(), "TCP_NODELAY");
    }

    #[tokio::test]
    async fn a_wildcard_takes_both_families() {
        let has_ipv6 = TcpListener::bind("[::1]:0").await.is_ok();
        for host in ["", "0.0.0.0", "::"] {
            let bound = bind(host, 0, &config(&[])).await.unwrap();
            let mut tried: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
            if has_ipv6 {
                tried.push(Ipv6Addr::LOCALHOST.into());
            }
            for address in tried {
                let reached = TcpStream::connect((address, bound.port())).await;
                assert!(reached.is_ok(), "{host}: {address}: {reached:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_name_with_addresses_of_both_families_is_bound_to_the_one_of_ipv4() {
        let bound = bind("localhost", 0, &config(&[])).await.unwrap();
        let mut found = lookup_host(("localhost", 0)).await.unwrap();
        let is_ipv4 = bound.socket.local_addr().unwrap().is_ipv4();
        assert_eq!(is_ipv4, found.any(|address| address.is_ipv4()));
    }

    #[tokio::test]
    async fn two_wildcards_on_one_port_keep_to_their_families() {
        if TcpListener::bind("[::1]:0").await.is_err() {
            return;
        }
        let free = TcpListener::bind("[::]:0").await.unwrap().local_addr().unwrap().port();
        let listeners = format!("PLAINTEXT://0.0.0.0:{free},OTHER://[::]:{free}");
        let config = config(&[
            ("listeners", &listeners),
            ("advertised.listeners", &format!("PLAINTEXT://127.0.0.1:{free}")),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT"),
        ]);
        let mut bound = Vec::new();
        for listener in config.listeners() {
            bound.push(Bound::bind(listener, Endpoint::Broker, &config).await.unwrap());
        }
        assert_eq!(bound.len(), 2);
    }

    #[tokio::test]
    async fn each_reason_has_its_own_hint() {
        let config = config(&[]);
        let taken = bind("127.0.0.1", 0, &config).await.unwrap();
        let rows = [
            ("127.0.0.1", taken.port(), "Is another broker running there?"),
            ("192.0.2.1", 0, "This machine has no such address"),
            ("no-such-host.invalid", 0, "The name does not lead to an address"),
        ];
        for (host, port, hint) in rows {
            let said = bind(host, port, &config).await.unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
            assert!(said.contains(&format!("PLAINTEXT://{host}:{port}")), "{said}");
            let others = rows.iter().filter(|row| row.2 != hint);
            assert!(others.into_iter().all(|row| !said.contains(row.2)), "{said}");
        }
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        assert!(hint_of(&denied).contains("CAP_NET_BIND_SERVICE"));
    }
}
