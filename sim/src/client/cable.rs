//! A client's end of its connection: what has come and was not taken yet, and what waits to leave.

use crate::net::{Arrival, Link};

/// Bytes that are taken from the network at once.
const PIECE: usize = 4_096;

/// A connection, if there is one, with its bytes on both ways. Times are those of the simulated clock, in nanoseconds.
#[derive(Debug, Default)]
pub struct Cable {
    link: Option<Link>,
    /// What has come and was not taken yet.
    pub input: Vec<u8>,
    /// What waits to leave.
    pub output: Vec<u8>,
    /// When something left last.
    pub sent: u64,
    /// When something came last.
    pub received: u64,
}

impl Cable {
    /// Goes on over this connection.
    pub fn plug_in(&mut self, link: Link, now: u64) {
        self.link = Some(link);
        (self.sent, self.received) = (now, now);
    }

    /// Closes the connection. What was on its way is void.
    pub fn hang_up(&mut self) {
        if let Some(link) = self.link.take() {
            link.close();
        }
        self.input.clear();
        self.output.clear();
    }

    /// Sends what the connection takes.
    pub fn flush(&mut self, now: u64) {
        if let Some(link) = &self.link {
            let count = link.send(&self.output);
            if count > 0 {
                self.output.drain(..count);
                self.sent = now;
            }
        }
    }

    /// Takes in what has come; without a connection nothing does.
    pub fn receive(&mut self, now: u64) -> Arrival {
        let mut space = [0; PIECE];
        let arrival = self.link.as_ref().map_or(Arrival::Bytes(0), |link| link.receive(&mut space));
        if let Arrival::Bytes(count) = arrival
            && count > 0
        {
            self.input.extend_from_slice(&space[..count]);
            self.received = now;
        }
        arrival
    }

    /// When what comes now had left at the latest: what arrives behind a crash had left before it.
    pub fn left_by(&self, now: u64) -> u64 {
        self.link.as_ref().and_then(Link::broken).unwrap_or(now)
    }

    /// The connection is reset.
    pub fn reset(&self) {
        if let Some(link) = &self.link {
            link.reset(false);
        }
    }

    /// Its cable is cut: nobody is told.
    pub fn cut(&self) {
        if let Some(link) = &self.link {
            link.cut_cable();
        }
    }

    /// The connection that there is.
    pub const fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }
}
