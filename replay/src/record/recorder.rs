use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use spindle_feed::moldudp64::{Kind, Packet};
use spindle_types::ReceiveTime;

use super::PcapngWriter;

/// What a recorder has written of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderCounters {
    /// Datagrams.
    pub datagrams: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Messages, where datagrams are MoldUDP64 packets.
    pub messages: u64,
    /// Datagrams that are none; written all the same.
    pub foreign: u64,
    /// Whether the line's last MoldUDP64 session has ended.
    pub ended: bool,
}

/// Writes the datagrams of a feed's lines to a capture, each with the time at which the kernel
/// received it. What is written is what came, well-formed or not.
#[derive(Debug)]
pub struct Recorder<W> {
    writer: PcapngWriter<W>,
    lines: Vec<SocketAddr>,
    counters: Vec<RecorderCounters>,
    /// The time of the last datagram, for those without one of their own.
    last: u64,
}

impl<W: Write> Recorder<W> {
    /// A recorder of lines, given by the addresses that they are sent to.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn new(output: W, lines: Vec<SocketAddr>) -> io::Result<Self> {
        let counters = vec![RecorderCounters::default(); lines.len()];
        Ok(Self { writer: PcapngWriter::new(output)?, lines, counters, last: 0 })
    }

    /// Writes a datagram of the line with this number. Where the kernel gave no receive time it gets
    /// that of the datagram before it. A line that is not there is ignored.
    ///
    /// # Errors
    /// Those of the output.
    pub fn datagram(&mut self, line: u8, received: ReceiveTime, bytes: &[u8]) -> io::Result<()> {
        let line = usize::from(line);
        let (Some(&to), Some(counters)) = (self.lines.get(line), self.counters.get_mut(line))
        else {
            return Ok(());
        };
        counters.datagrams += 1;
        counters.bytes += bytes.len() as u64;
        match Packet::parse(bytes) {
            Ok(packet) => {
                counters.messages += u64::from(packet.message_count());
                counters.ended = packet.kind() == Kind::EndOfSession;
            }
            Err(_) => counters.foreign += 1,
        }
        if received.0 > 0 {
            self.last = received.0;
        }
        self.writer.datagram(self.last, unknown_source(to), to, bytes)
    }

    /// Whether the session has ended on every line.
    pub fn is_over(&self) -> bool {
        self.counters.iter().all(|counters| counters.ended)
    }

    /// What was written, by line.
    pub fn counters(&self) -> &[RecorderCounters] {
        &self.counters
    }

    /// Bytes written.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Passes everything on to the operating system.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Receivers are not told who sent a datagram.
fn unknown_source(to: SocketAddr) -> SocketAddr {
    match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use spindle_feed::moldudp64::{END_OF_SESSION, PacketBuilder, header};
    use zerocopy::IntoBytes;

    use super::*;
    use crate::inspect::inspect_reader;
    use crate::recording::{Batch, OpenOptions, Recording};

    #[test]
    fn what_came_on_two_lines_is_read_again() {
        let lines: Vec<SocketAddr> =
            ["239.1.1.1:5000", "239.1.1.2:5000"].map(|line| line.parse().expect("it")).into();
        let mut bytes = Vec::new();
        let mut recorder = Recorder::new(&mut bytes, lines.clone()).expect("memory");
        let mut builder = PacketBuilder::new(*b"LIVE      ", 1, 1_472);
        assert!(builder.push(b"D0123456789012345678"));
        let time = ReceiveTime(1_700_000_000_000_000_777);
        recorder.datagram(0, time, builder.packet()).expect("memory");
        recorder.datagram(1, ReceiveTime(0), builder.packet()).expect("memory");
        recorder.datagram(1, time, b"noise").expect("memory");
        recorder.datagram(7, time, b"no such line").expect("memory");
        let end = header(*b"LIVE      ", 2, END_OF_SESSION);
        recorder.datagram(1, time, end.as_bytes()).expect("memory");
        assert!(!recorder.is_over());
        recorder.datagram(0, time, end.as_bytes()).expect("memory");
        assert!(recorder.is_over());
        let counted: Vec<_> =
            recorder.counters().iter().map(|c| (c.datagrams, c.messages, c.foreign)).collect();
        assert_eq!(counted, [(2, 1, 0), (3, 1, 1)]);
        assert_eq!(recorder.bytes(), bytes.len() as u64);

        let report = inspect_reader(Cursor::new(bytes.clone()), |_, _| ()).expect("a capture");
        let capture = report.capture.expect("a capture");
        assert_eq!((capture.frames, capture.groups.len()), (5, 2));
        assert_eq!(capture.first_time.as_deref(), Some("2023-11-14 22:13:20.000000777"));
        let options = OpenOptions { groups: lines };
        let mut recording =
            Recording::from_reader(Cursor::new(bytes), &options).expect("a recording");
        let Ok(Some(Batch::Itch(messages))) = recording.next_batch() else { panic!("a message") };
        assert_eq!(messages.len(), 1, "two copies are one message");
    }
}
