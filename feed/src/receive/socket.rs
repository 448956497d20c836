//! The sockets of the lines: bound, joined, stamped and counted.

#![allow(unsafe_code, reason = "three socket options and one look-up that no safe API offers")]

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{LineConfig, OpenError};

/// Opens the socket of one line.
pub(super) fn open(line: usize, config: &LineConfig, buffer: usize) -> Result<Socket, OpenError> {
    let address = config.address;
    let failed = |what| move |error| OpenError::Socket { line, what, address, error };
    if let Some(from) = config.source
        && from.is_ipv4() != address.is_ipv4()
    {
        return Err(OpenError::Family { line, from, address });
    }
    let interface = config.interface.as_deref().map(|name| interface_index(line, name));
    let interface = interface.transpose()?;

    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(failed("cannot open a socket"))?;
    let group = address.ip().is_multicast().then_some(address.ip());
    // Several receivers may listen to one group; a unicast port has one owner.
    socket.set_reuse_address(group.is_some()).map_err(failed("cannot set the socket up"))?;
    socket.set_nonblocking(true).map_err(failed("cannot set the socket up"))?;
    if address.is_ipv6() {
        socket.set_only_v6(true).map_err(failed("cannot set the socket up"))?;
    }
    for option in [libc::SO_TIMESTAMPNS, libc::SO_RXQ_OVFL] {
        set_option(&socket, option, 1).map_err(failed("cannot ask for stamps and drop counts"))?;
    }
    ask_for_buffer(&socket, buffer);
    bind(line, &socket, address, interface)?;
    if let Some(group) = group {
        join(&socket, group, interface).map_err(|error| OpenError::Join {
            line,
            group,
            interface: config.interface.clone(),
            error,
        })?;
    } else if let Some(index) = interface {
        let index = index.try_into().ok();
        let bound = match address {
            SocketAddr::V4(_) => socket.bind_device_by_index_v4(index),
            SocketAddr::V6(_) => socket.bind_device_by_index_v6(index),
        };
        bound.map_err(failed("cannot bind to the interface"))?;
    }
    Ok(socket)
}

/// To the group itself, not to all addresses: what is sent to the same port of another group or of
/// this machine is none of ours.
fn bind(
    line: usize,
    socket: &Socket,
    mut address: SocketAddr,
    interface: Option<u32>,
) -> Result<(), OpenError> {
    if let (SocketAddr::V6(address), Some(index)) = (&mut address, interface)
        && address.scope_id() == 0
    {
        address.set_scope_id(index);
    }
    socket.bind(&address.into()).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => OpenError::InUse { line, address },
        io::ErrorKind::AddrNotAvailable => OpenError::NotHere { line, address },
        _ => OpenError::Socket { line, what: "cannot bind", address, error },
    })
}

fn join(socket: &Socket, group: IpAddr, interface: Option<u32>) -> io::Result<()> {
    let index = interface.unwrap_or(0);
    match group {
        IpAddr::V4(group) => {
            // Only what this socket has joined, on this interface.
            socket.set_multicast_all_v4(false)?;
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))
        }
        IpAddr::V6(group) => {
            socket.set_multicast_all_v6(false)?;
            socket.join_multicast_v6(&group, index)
        }
    }
}

/// Asks for a receive buffer; beyond the system's limit only a privileged process gets it. What was
/// granted tells [`granted_buffer`]; less than asked is no error.
fn ask_for_buffer(socket: &Socket, bytes: usize) {
    let forced = i32::try_from(bytes / 2)
        .is_ok_and(|half| set_option(socket, libc::SO_RCVBUFFORCE, half).is_ok());
    if !forced {
        // The kernel doubles what it is told, for its own bookkeeping.
        let _ = socket.set_recv_buffer_size(bytes / 2);
    }
}

/// Bytes of the receive buffer as the kernel counts them, its bookkeeping included.
pub(super) fn granted_buffer(socket: &Socket) -> usize {
    socket.recv_buffer_size().unwrap_or(0)
}

fn interface_index(line: usize, name: &str) -> Result<u32, OpenError> {
    let unknown = || OpenError::NoInterface { line, name: name.escape_default().to_string() };
    let text = CString::new(name).map_err(|_| unknown())?;
    // SAFETY: `text` is a string that ends in NUL and lives over the call, which only reads it.
    match unsafe { libc::if_nametoindex(text.as_ptr()) } {
        0 => Err(unknown()),
        index => Ok(index),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the length of an integer")]
fn set_option(socket: &Socket, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `socket` lives; the pointer and the length describe
    // `value`, which the kernel only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Datagrams that the socket has dropped since it was opened, as of now. A system call.
#[allow(clippy::cast_possible_truncation, reason = "the length of nine integers")]
pub(super) fn dropped(socket: &Socket) -> io::Result<u32> {
    // From the kernel's `sock_diag.h`: nine counters, of which drops are the last.
    const SK_MEMINFO_DROPS: usize = 8;
    const SO_MEMINFO: i32 = 55;
    let mut counters = [0_u32; SK_MEMINFO_DROPS + 1];
    let mut length = size_of_val(&counters) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` lives; the pointer and the length describe
    // `counters`, and the kernel writes no more than that length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            counters.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(counters[SK_MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
}
