//! The floor: the same sockets with nothing behind them. What is sent comes back as it is.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use spindle_types::Agent;

use crate::load::Peer;

/// Reads in one poll at most, as the client of OUCH has it.
const READS_MAX: usize = 4;

/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// Sends back what comes, over each of its connections, once read and once written a turn.
#[derive(Debug)]
pub struct EchoServer {
    listener: TcpListener,
    connections: Vec<Echo>,
}

#[derive(Debug)]
struct Echo {
    socket: TcpStream,
    bytes: Box<[u8]>,
    /// What was read and not yet written back.
    waiting: std::ops::Range<usize>,
    over: bool,
}

fn set_up(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)
}

impl EchoServer {
    /// On a free port of this machine.
    ///
    /// # Errors
    /// No port.
    pub fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, connections: Vec::new() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes connections that wait; afterwards none is looked for.
    ///
    /// # Errors
    /// A connection fails.
    pub fn accept(&mut self, count: usize) -> std::io::Result<()> {
        self.listener.set_nonblocking(false)?;
        for _ in 0..count {
            let (socket, _) = self.listener.accept()?;
            set_up(&socket)?;
            let bytes = vec![0; READ_BYTES].into();
            self.connections.push(Echo { socket, bytes, waiting: 0..0, over: false });
        }
        Ok(())
    }
}

impl Agent for EchoServer {
    fn name(&self) -> &str {
        "echo"
    }

    #[inline]
    fn poll(&mut self) -> usize {
        self.connections.iter_mut().map(Echo::poll).sum()
    }
}

impl Echo {
    #[inline]
    fn poll(&mut self) -> usize {
        if self.over {
            return 0;
        }
        if self.waiting.is_empty() {
            match self.socket.read(&mut self.bytes) {
                Ok(0) => self.over = true,
                Ok(count) => self.waiting = 0..count,
                Err(error) => self.over = !is_for_now(error.kind()),
            }
        }
        if self.waiting.is_empty() {
            return 0;
        }
        match self.socket.write(&self.bytes[self.waiting.clone()]) {
            Ok(count) => self.waiting.start += count,
            Err(error) => self.over = !is_for_now(error.kind()),
        }
        1
    }
}

fn is_for_now(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// The client's side of the floor: requests of fixed length that carry their number.
#[derive(Debug)]
pub struct EchoPeer {
    lines: Vec<Line>,
    request: Box<[u8]>,
    next: usize,
}

#[derive(Debug)]
struct Line {
    socket: TcpStream,
    input: Box<[u8]>,
    filled: usize,
    /// A part of a request that the socket did not take yet.
    rest: Vec<u8>,
    gone: Option<String>,
}

impl EchoPeer {
    /// So many connections to an echo, requests of so many bytes, at least 8.
    ///
    /// # Errors
    /// No connection.
    pub fn connect(address: SocketAddr, sessions: usize, bytes: usize) -> std::io::Result<Self> {
        let line = || {
            let socket = TcpStream::connect(address)?;
            set_up(&socket)?;
            let (input, rest) = (vec![0; READ_BYTES].into(), Vec::with_capacity(bytes));
            Ok(Line { socket, input, filled: 0, rest, gone: None })
        };
        let lines = (0..sessions).map(|_| line()).collect::<std::io::Result<_>>()?;
        Ok(Self { lines, request: vec![0; bytes.max(8)].into(), next: 0 })
    }
}

impl Peer for EchoPeer {
    #[inline]
    fn send(&mut self, request: usize) -> bool {
        let line = &mut self.lines[self.next];
        if !line.flush() {
            return false;
        }
        self.request[..8].copy_from_slice(&(request as u64).to_le_bytes());
        match line.socket.write(&self.request) {
            Ok(count) => line.rest.extend_from_slice(&self.request[count..]),
            Err(error) if is_for_now(error.kind()) => return false,
            Err(error) => line.gone = Some(error.to_string()),
        }
        self.next = (self.next + 1) % self.lines.len();
        true
    }

    #[inline]
    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        let length = self.request.len();
        for line in &mut self.lines {
            line.flush();
            for _ in 0..READS_MAX {
                match line.socket.read(&mut line.input[line.filled..]) {
                    Ok(0) => {
                        line.gone = Some("the echo closed the connection".to_owned());
                        break;
                    }
                    Ok(count) => line.filled += count,
                    Err(error) if is_for_now(error.kind()) => break,
                    Err(error) => {
                        line.gone = Some(error.to_string());
                        break;
                    }
                }
                let mut at = 0;
                while let Some(message) = line.input[at..line.filled].get(..length) {
                    if let Some(number) = message.first_chunk::<8>() {
                        answered(
                            usize::try_from(u64::from_le_bytes(*number)).unwrap_or(usize::MAX),
                        );
                    }
                    at += length;
                }
                line.input.copy_within(at..line.filled, 0);
                line.filled -= at;
            }
        }
    }

    fn gone(&self) -> Option<String> {
        self.lines.iter().find_map(|line| line.gone.clone())
    }
}

impl Line {
    /// Writes what is left of a request; whether nothing is.
    #[inline]
    fn flush(&mut self) -> bool {
        if !self.rest.is_empty()
            && let Ok(count) = self.socket.write(&self.rest)
        {
            self.rest.drain(..count);
        }
        self.rest.is_empty()
    }
}
