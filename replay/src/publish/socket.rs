use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Where packets go, and through which interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// A multicast group or one receiver, with its port.
    pub address: SocketAddr,
    /// The local address of the interface to send through. `None` leaves it to the routes, except
    /// that an IPv4 group then goes through loopback, so that nothing leaves the machine unasked.
    pub interface: Option<IpAddr>,
}

/// Bytes asked of the kernel for packets that wait to be sent.
const SEND_BUFFER: usize = 4 << 20;

/// A socket that sends to a target without blocking. Groups get a time to live of 1 and are heard
/// on this machine too.
///
/// # Errors
/// Whatever the operating system refuses: above all an interface that is not there.
pub fn open(target: Target) -> io::Result<UdpSocket> {
    let address = target.address;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel may grant less; sending then waits more often.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    match (address.ip(), target.interface) {
        (IpAddr::V4(group), interface) if group.is_multicast() => {
            let interface = match interface {
                Some(IpAddr::V4(interface)) => interface,
                None => Ipv4Addr::LOCALHOST,
                Some(IpAddr::V6(_)) => return Err(mixed()),
            };
            socket.set_multicast_if_v4(&interface)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.set_multicast_loop_v4(true)?;
            socket.bind(&SocketAddr::from((interface, 0)).into())?;
        }
        (IpAddr::V6(group), interface) if group.is_multicast() => {
            // The interface of an IPv6 group is a number: the scope of the address, %lo or %1.
            if let SocketAddr::V6(address) = address
                && address.scope_id() != 0
            {
                socket.set_multicast_if_v6(address.scope_id())?;
            }
            socket.set_multicast_hops_v6(1)?;
            socket.set_multicast_loop_v6(true)?;
            bind(&socket, interface, IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        (IpAddr::V4(_), interface) => {
            bind(&socket, interface, IpAddr::V4(Ipv4Addr::UNSPECIFIED))?;
        }
        (IpAddr::V6(_), interface) => {
            bind(&socket, interface, IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind(socket: &Socket, interface: Option<IpAddr>, any: IpAddr) -> io::Result<()> {
    let local = interface.unwrap_or(any);
    if local.is_ipv4() != any.is_ipv4() {
        return Err(mixed());
    }
    socket.bind(&SocketAddr::from((local, 0)).into())
}

fn mixed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "target and interface must both be IPv4 or both be IPv6",
    )
}
