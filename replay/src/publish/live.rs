//! A stream whose messages come while it is sent: the sending side of a venue's own feed, without
//! sockets and clock.

use std::net::SocketAddr;

use spindle_feed::moldudp64::Session;
use spindle_types::keep;

use super::impair::Impairments;
use super::line::{Line, LineConfig, LineCounters, View};
use super::outgoing::{LINES_MAX, OutgoingConfig};
use super::pace::{Pacer, Speed};
use super::requests::{RequestCounters, RequestServer};
use super::store::Store;

/// Turns messages into packets on one or two lines as they come, and keeps them for who asks. Pure: the
/// time comes with every call, in nanoseconds of any clock that never goes back.
///
/// Of the configuration, pace and times of a tape do not count. A message goes out with the next packet; those that came
/// together share one. The store keeps the latest [`keep_bytes`](OutgoingConfig::keep_bytes) of the day's messages: once
/// older ones have gone, who asks for them gets no answer, which is all that the protocol has for it.
///
/// Its state is its messages: with them another stream goes on at the same number ([`Live::resume`]).
#[derive(keep::State)]
pub struct Live {
    #[keep(skip)]
    session: Session,
    store: Store,
    #[keep(skip)]
    lines: Vec<Line>,
    #[keep(skip)]
    requests: RequestServer,
    /// Messages are due as they come.
    #[keep(skip)]
    pacer: Pacer,
    /// Messages from this number on do not leave yet.
    #[keep(skip)]
    held_from: u64,
    #[keep(skip)]
    is_over: bool,
}

impl Live {
    /// A stream that begins with number 1 on so many lines, one or two, without faults.
    pub fn new(config: &OutgoingConfig, lines: usize) -> Self {
        let line =
            LineConfig { payload_max: config.payload_max, impairments: Impairments::default() };
        Self::with_lines(config, &vec![line; lines.clamp(1, LINES_MAX)])
    }

    /// A stream on these lines, the first two of them.
    pub fn with_lines(config: &OutgoingConfig, lines: &[LineConfig]) -> Self {
        let lines: Vec<_> = lines
            .iter()
            .take(LINES_MAX)
            .enumerate()
            .map(|(number, line)| Line::new(config, *line, number))
            .collect();
        let payload_max = lines.iter().map(Line::payload_max).min().unwrap_or(config.payload_max);
        Self {
            session: config.session,
            store: Store::new(config.keep_bytes),
            requests: RequestServer::new(payload_max, config.requests_per_second),
            lines,
            pacer: Pacer::new(Speed::Max),
            held_from: u64::MAX,
            is_over: false,
        }
    }

    /// The next message; one that comes after the end is left out.
    pub fn push(&mut self, message: &[u8]) {
        if !self.is_over {
            self.store.push(message);
        }
    }

    /// Goes on with messages that another stream has sent: at the next number, on every line, and says so at once, so that
    /// whoever misses some can ask for them.
    pub fn resume(&mut self) {
        let end = self.store.end();
        self.lines.iter_mut().for_each(|line| line.resume(end));
    }

    /// Messages from this number on wait until this is called again; [`u64::MAX`]: none does, as at the begin.
    pub const fn hold_from(&mut self, number: u64) {
        self.held_from = number;
    }

    /// Ends the session after what has come.
    pub const fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether everything is out, the end of the session included.
    pub fn is_done(&self) -> bool {
        self.lines.iter().all(Line::is_done)
    }

    /// The number of the next message.
    pub fn next_sequence(&self) -> u64 {
        self.store.end()
    }

    /// The lowest number that can still be asked for.
    pub fn first_kept(&self) -> u64 {
        self.store.first()
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The packet that is due now on a line, or `None`. The same packet comes until
    /// [`sent`](Self::sent) says that it is out.
    pub fn packet(&mut self, line: usize, now: u64) -> Option<&[u8]> {
        if !self.lines.get(line)?.has_packet() {
            let view = View {
                store: &self.store,
                pacer: &self.pacer,
                timed: false,
                over: self.is_over,
                first: 1,
                end: self.store.end().min(self.held_from),
                progress: 0,
                more: false,
            };
            self.lines.get_mut(line)?.prepare(now, &view);
        }
        self.lines.get(line)?.front()
    }

    /// Notes that a line's packet is out.
    pub fn sent(&mut self, line: usize, now: u64) {
        if let Some(line) = self.lines.get_mut(line) {
            line.sent(now);
        }
    }

    /// The answer to a datagram that came to the request server, or `None`.
    pub fn answer(&mut self, request: &[u8], from: SocketAddr, now: u64) -> Option<&[u8]> {
        let sent = self.lines.iter().map(Line::cursor).max().unwrap_or(1);
        self.requests.answer(request, from, now, (self.session, &self.store, sent))
    }

    /// What became of a line's packets.
    pub fn line_counters(&self, line: usize) -> LineCounters {
        self.lines.get(line).map(|line| line.counters).unwrap_or_default()
    }

    /// What became of requests.
    pub const fn request_counters(&self) -> RequestCounters {
        self.requests.counters
    }
}

#[cfg(test)]
mod tests {
    use spindle_feed::moldudp64::{END_OF_SESSION, Packet, header};
    use spindle_types::keep::{Pen, Reader, State};
    use zerocopy::IntoBytes;

    use super::*;

    fn sequence_and_count(bytes: &[u8]) -> (u64, u16) {
        let packet = Packet::parse(bytes).expect("a packet");
        (packet.sequence(), u16::from_be_bytes([bytes[18], bytes[19]]))
    }

    #[test]
    fn messages_go_out_as_they_come_and_can_be_asked_for() {
        let config = OutgoingConfig { end_packets: 1, ..OutgoingConfig::default() };
        let mut live = Live::new(&config, 1);
        assert_eq!(live.packet(0, 0), None);
        live.push(b"first message");
        live.push(b"second message");
        assert_eq!(live.packet(0, 1).map(sequence_and_count), Some((1, 2)));
        let request = header(config.session, 1, 2);
        let asker = ([127, 0, 0, 1], 9).into();
        assert!(live.answer(request.as_bytes(), asker, 1).is_some(), "it is packed");
        live.sent(0, 1);
        assert_eq!(live.packet(0, 1), None);
        assert_eq!(live.packet(0, 1_000_000_001).map(sequence_and_count), Some((3, 0)), "alive");
        live.sent(0, 1_000_000_001);
        live.end();
        live.push(b"too late");
        let end = live.packet(0, 1_000_000_002).map(sequence_and_count);
        assert_eq!(end, Some((3, END_OF_SESSION)));
        live.sent(0, 1_000_000_002);
        assert!(live.is_done());
        assert_eq!((live.first_kept(), live.next_sequence()), (1, 3));
    }

    #[test]
    fn what_is_held_does_not_leave_and_another_stream_goes_on() {
        let config = OutgoingConfig::default();
        let (mut live, asker) = (Live::new(&config, 1), ([127, 0, 0, 1], 9).into());
        live.hold_from(2);
        live.push(b"first message");
        live.push(b"second message");
        assert_eq!(live.packet(0, 1).map(sequence_and_count), Some((1, 1)));
        live.sent(0, 1);
        assert_eq!(live.packet(0, 2), None);
        let request = header(config.session, 2, 1);
        assert!(live.answer(request.as_bytes(), asker, 2).is_none(), "nor is it given to who asks");
        live.hold_from(3);
        assert_eq!(live.packet(0, 3).map(sequence_and_count), Some((2, 1)));

        let mut pen = Pen::new();
        live.save(&mut pen);
        let mut other = Live::new(&config, 2);
        other.load(&mut Reader::new(pen.bytes())).expect("messages");
        other.resume();
        for line in 0..2 {
            assert_eq!(other.packet(line, 4).map(sequence_and_count), Some((3, 0)), "at once");
            other.sent(line, 4);
            assert_eq!(other.packet(line, 5), None);
        }
        let answer = other.answer(request.as_bytes(), asker, 5).expect("they are there");
        assert!(answer.ends_with(b"second message"));
        other.push(b"third message");
        assert_eq!(other.packet(1, 6).map(sequence_and_count), Some((3, 1)));
    }
}
