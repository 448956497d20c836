//! Why a receiver does not open, or stops.

use std::io;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::Path;

/// Why a receiver does not open. One line says what, where, and what would be right.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No line, or too many.
    #[error("{0} lines are configured; a feed has 1 or 2")]
    Lines(usize),
    /// A value outside its range.
    #[error("{name} is {value}; it must be between {least} and {most}")]
    Range {
        /// Which value.
        name: &'static str,
        /// What it is.
        value: u64,
        /// Its least.
        least: u64,
        /// Its most.
        most: u64,
    },
    /// IPv4 and IPv6 mixed.
    #[error(
        "line {line}: source {from} and address {address} are of different families; give both as \
         IPv4 or both as IPv6"
    )]
    Family {
        /// Which line, from 0.
        line: usize,
        /// The source.
        from: IpAddr,
        /// The address.
        address: SocketAddr,
    },
    /// The interface does not exist.
    #[error("line {line}: there is no interface '{name}' here; `ip link` lists those there are")]
    NoInterface {
        /// Which line, from 0.
        line: usize,
        /// The name.
        name: String,
    },
    /// Another socket has the port.
    #[error(
        "line {line}: {address} is in use by another socket; stop that one or take another port"
    )]
    InUse {
        /// Which line, from 0.
        line: usize,
        /// The address.
        address: SocketAddr,
    },
    /// The address is not one of this machine.
    #[error("line {line}: {address} is neither an address of this machine nor a multicast group")]
    NotHere {
        /// Which line, from 0.
        line: usize,
        /// The address.
        address: SocketAddr,
    },
    /// The group cannot be joined.
    #[error(
        "line {line}: group {group} cannot be joined on {}: {error}; name an interface that is up \
         and has an address", interface.as_deref().unwrap_or("the default interface")
    )]
    Join {
        /// Which line, from 0.
        line: usize,
        /// The group.
        group: IpAddr,
        /// The interface by name, where one was.
        interface: Option<String>,
        /// What the kernel said.
        error: io::Error,
    },
    /// Any other call that failed.
    #[error("line {line}: {what} for {address}: {error}")]
    Socket {
        /// Which line, from 0.
        line: usize,
        /// What was tried.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
    /// The one path that was asked for is refused.
    #[error("receive path {} is refused: {refusal}; path auto takes another", path.name())]
    Refused {
        /// The path.
        path: Path,
        /// Why.
        refusal: Refusal,
    },
}

/// Why the kernel gives no io_uring that is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The administrator switched it off.
    #[error("sysctl kernel.io_uring_disabled is {0}; 0 allows it")]
    Disabled(u8),
    /// Not permitted, for another reason than the sysctl: most likely a seccomp filter, as
    /// containers have them.
    #[error("io_uring_setup is not permitted, probably by a seccomp filter of the container")]
    NotPermitted,
    /// The kernel has no io_uring.
    #[error("this kernel has no io_uring; Linux 6.1 or later has all that is needed")]
    Absent,
    /// The kernel knows io_uring, but not all that is needed.
    #[error("this kernel's io_uring lacks {0}; Linux 6.1 or later has it")]
    Lacks(&'static str),
    /// Anything else.
    #[error("{what} failed with error {errno} of the operating system")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// The error's number.
        errno: i32,
    },
}

/// Why a receiver that was open has stopped: it receives nothing any more. Open another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The ring cannot be started, or built again after completions were dropped.
    #[error("the io_uring stopped: {0}")]
    Ring(#[from] Refusal),
    /// The ring is asked for completions by another thread than the one that polled it first.
    #[error("the io_uring is polled by another thread than at first; one thread must do it all")]
    Thread,
}
