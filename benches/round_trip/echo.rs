//! The bare echo: it reads what came and writes as many bytes as the venue would, without looking at
//! them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// One connection that is echoed on.
pub(crate) struct Echo {
    listener: TcpListener,
    socket: Option<TcpStream>,
    input: Vec<u8>,
    /// What is written for the requests of a round trip, in turn.
    answers: [Vec<u8>; 2],
    next: usize,
}

impl Echo {
    /// Listens on a free port of loopback.
    pub(crate) fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self {
            listener,
            socket: None,
            input: vec![0; 64 * 1024],
            answers: [Vec::new(), Vec::new()],
            next: 0,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes the one connection.
    pub(crate) fn accept(&mut self) -> std::io::Result<()> {
        let (socket, _) = self.listener.accept()?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// What it writes from now on: answers as long as the venue's.
    pub(crate) fn answer_with(&mut self, answers: &[Vec<u8>; 2]) {
        self.answers.clone_from(answers);
        self.next = 0;
    }

    /// Reads once, and answers if something came.
    pub(crate) fn poll(&mut self) -> std::io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        match socket.read(&mut self.input) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                let answer = &self.answers[self.next];
                self.next = 1 - self.next;
                socket.write_all(answer)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}
