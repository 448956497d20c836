//! The client of the measurement: it writes bytes that were made before, and reads until the answer is
//! whole. It does the same at the venue and at the echo.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What an answer looks like on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// SoupBinTCP: a length, a type, a message. Heartbeats are no answers.
    Soup,
    /// FIX: everything up to the checksum field.
    Fix,
}

impl Wire {
    /// Bytes of the first message of `bytes`, and whether it is an answer; `None` while it is not
    /// whole.
    fn first(self, bytes: &[u8]) -> Option<(usize, bool)> {
        match self {
            Self::Soup => {
                let length = 2 + usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
                (bytes.len() >= length).then(|| (length, bytes.get(2) != Some(&b'H')))
            }
            Self::Fix => {
                let from = bytes.len().checked_sub(8)?;
                let tail = &bytes[from..];
                (tail.starts_with(b"\x0110=") && tail.ends_with(b"\x01"))
                    .then_some((bytes.len(), true))
            }
        }
    }
}

/// A client that never blocks, as those of the library.
pub(crate) struct Peer {
    socket: TcpStream,
    wire: Wire,
    input: Vec<u8>,
    filled: usize,
    answer: usize,
}

impl Peer {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr, wire: Wire) -> std::io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, wire, input: vec![0; 64 * 1024], filled: 0, answer: 0 })
    }

    /// Writes a request.
    pub(crate) fn send(&mut self, request: &[u8]) -> std::io::Result<()> {
        (self.filled, self.answer) = (0, 0);
        self.socket.write_all(request)
    }

    /// Reads once; whether the answer is there.
    pub(crate) fn poll(&mut self) -> std::io::Result<bool> {
        match self.socket.read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        while let Some((length, is_answer)) = self.wire.first(&self.input[..self.filled]) {
            if is_answer {
                self.answer = length;
                return Ok(true);
            }
            self.input.copy_within(length..self.filled, 0);
            self.filled -= length;
        }
        Ok(false)
    }

    /// The answer that came last.
    pub(crate) fn answer(&self) -> &[u8] {
        &self.input[..self.answer]
    }
}
