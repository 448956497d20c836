//! What carries a connection's bytes: a socket, TLS over one, or whatever else does not block.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::tls::Secure;

/// A stream that does not block: a read or write that would have to wait says
/// [`WouldBlock`](io::ErrorKind::WouldBlock).
pub trait Wire: Read + Write + Send {
    /// Closes the sending side. Closing it twice is the same.
    ///
    /// # Errors
    /// What the stream says.
    fn end(&mut self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn end(&mut self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }
}

/// What a connection is carried by. Plain sockets go the short way.
pub(crate) enum Carrier {
    Plain(TcpStream),
    Secure(Box<Secure>),
    Other(Box<dyn Wire>),
}

impl Carrier {
    #[inline]
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(space),
            Self::Secure(secure) => secure.read(space),
            Self::Other(wire) => wire.read(space),
        }
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secure(secure) => secure.write(bytes),
            Self::Other(wire) => wire.write(bytes),
        }
    }

    /// Sends what waits below, if anything can.
    #[inline]
    pub(crate) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Secure(secure) if secure.waits() => secure.push(),
            Self::Plain(_) | Self::Secure(_) | Self::Other(_) => Ok(()),
        }
    }

    /// Whether bytes that were written have not left yet.
    #[inline]
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Secure(secure) => secure.waits(),
            Self::Plain(_) | Self::Other(_) => false,
        }
    }

    /// Closes the sending side once all that was written has left.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Write),
            Self::Secure(secure) => secure.end(),
            Self::Other(wire) => wire.end(),
        }
    }
}
