//! Two lines become one stream: arbitration and recovery for MoldUDP64.
//!
//! A [`Stream`] takes datagrams and the time, and gives messages in order. It touches no socket and
//! no clock: what it wants to ask a request server comes out of [`Stream::poll_request`], and
//! answers go in like any other packet.
//!
//! After [`Delivery::SessionStarted`] the numbers of [`Delivery::Message`] and [`Delivery::Lost`]
//! follow each other from 1 without a hole and without a repetition, until
//! [`Delivery::EndOfSession`]. In between:
//!
//! * The first copy of a message wins, whichever line brings it. Packets may be cut differently on
//!   the two lines; everything works by message number.
//! * A packet beyond the next number opens a gap and says so at once ([`Delivery::GapOpened`]);
//!   what is beyond it waits in a buffer of fixed size. The gap first waits for the other line, then
//!   is asked for, from one server after the other, and what nobody gives is declared lost.
//! * When no more can wait, the oldest gap is declared lost: nothing is ever delivered out of order.
//!   Only while a late joiner fetches the beginning are new packets dropped instead, because they
//!   can be asked for later.
//! * A packet implausibly far ahead is believed when a few more agree with it; until then it opens
//!   nothing. What lies between is then lost without being asked for.
//!
//! A message in order is delivered straight from the datagram. Nothing allocates after
//! [`Stream::new`].

mod config;
mod counters;
mod gap;
mod hold;
mod marks;
mod requests;

pub use config::*;
pub use counters::{Counters, GapCounters, LineCounters, RequestCounters, SKEW_BUCKETS, Skew};

use crate::moldudp64::{Header, Kind, Packet, Session, header};
use hold::Hold;
use marks::Marks;
use requests::Requests;

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line, from 0.
    Line(u8),
    /// A request server.
    Server,
}

/// What a stream says, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// A session begins, at message 1. All state of the one before is void.
    SessionStarted {
        /// Its name.
        session: Session,
    },
    /// The next message.
    Message {
        /// Its number.
        sequence: u64,
        /// Its bytes, as the upper protocol made them.
        bytes: &'a [u8],
    },
    /// A later packet shows that messages are missing: what was delivered so far is not up to date.
    GapOpened {
        /// The first that is missing.
        first: u64,
    },
    /// Nothing is missing any more. All messages up to here were delivered or declared lost.
    GapClosed {
        /// The next number.
        next: u64,
    },
    /// Messages that will never come.
    Lost {
        /// The first of them.
        first: u64,
        /// How many, at least 1.
        count: u64,
    },
    /// The session is over and every number up to its end was delivered or declared lost.
    EndOfSession {
        /// The number after the last.
        next: u64,
    },
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No packet came yet.
    Waiting,
    /// A late joiner fetches the beginning.
    Backfill,
    /// Everything known to exist was delivered.
    Synchronised,
    /// Messages are missing.
    Gap,
    /// The session is over.
    Ended,
}

/// A request to be sent: the header's 20 bytes, as one datagram, to that server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which server, from 0.
    pub server: usize,
    /// The whole packet.
    pub header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Waiting,
    Running,
    Ended,
}

/// Packets whose arrival is remembered to measure how far the other line is behind.
const RECENT: usize = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    first: u64,
    time: u64,
    line: u8,
}

/// A place too far ahead to be believed at once.
#[derive(Clone, Copy, Debug, Default)]
struct Far {
    first: u64,
    packets: u32,
}

/// The state machine. See the module.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Whether the next packet in order can go straight through: a session runs, and nothing is
    /// missing or doubted.
    whole: bool,
    session: Session,
    /// The next number to be delivered.
    expected: u64,
    /// One past the highest number known to exist.
    known_end: u64,
    /// For each line the number after the highest that it brought; 0 before its first packet.
    passed: [u64; LINES_MAX],
    life: Life,
    gap_open: bool,
    backfill: bool,
    /// The number after the session's last message, once announced.
    end: Option<u64>,
    far: Far,
    config: StreamConfig,
    counters: Counters,
    recent: [Arrival; RECENT],
    marks: Marks,
    hold: Hold,
    requests: Requests,
    /// Sessions that are over: their late packets begin nothing.
    over: [Option<Session>; 8],
}

impl Stream {
    /// A stream that waits for its first packet.
    ///
    /// # Errors
    /// A configured value outside its range.
    pub fn new(config: StreamConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            whole: false,
            session: config.session.unwrap_or_default(),
            expected: 1,
            known_end: 1,
            passed: [0; LINES_MAX],
            life: Life::Waiting,
            gap_open: false,
            backfill: false,
            end: None,
            far: Far::default(),
            config,
            counters: Counters::default(),
            recent: [Arrival::default(); RECENT],
            marks: Marks::new(),
            hold: Hold::new(config.hold),
            requests: Requests::new(config.requests),
            over: [None; 8],
        })
    }

    /// Takes one datagram at `now` nanoseconds of a clock that never goes back, and delivers what
    /// follows from it. A datagram that is no packet of this stream is counted and changes nothing
    /// else.
    #[inline]
    pub fn on_datagram(
        &mut self,
        origin: Origin,
        datagram: &[u8],
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        let Ok(packet) = Packet::parse(datagram) else {
            self.count_malformed(origin, now);
            return;
        };
        if self.whole
            && packet.sequence() == self.expected
            && packet.kind() == Kind::Data
            && *packet.session() == self.session
            && let Origin::Line(line) = origin
        {
            self.deliver_in_order(line_index(line), &packet, now, each);
        } else {
            self.on_packet(origin, &packet, now, each);
        }
    }

    /// Does what is due at `now`: gives up what nobody will bring. To be called regularly, also
    /// while nothing arrives; as often as gaps shall be timed exactly.
    #[inline]
    pub fn on_timer(&mut self, now: u64, each: &mut impl FnMut(Delivery<'_>)) {
        if self.gap_open {
            self.give_up_overdue(now, each);
            self.refresh();
        }
    }

    /// The next request to send at `now`, or `None`. To be called until it gives `None`.
    #[inline]
    pub fn poll_request(&mut self, now: u64) -> Option<Request> {
        if !self.gap_open || self.config.requests.servers == 0 {
            return None;
        }
        self.plan_requests(now);
        let timed_out = &mut self.counters.requests.timed_out;
        let ask = self.requests.next_due(now, || *timed_out += 1)?;
        self.counters.requests.sent += 1;
        Some(Request { server: ask.server, header: header(self.session, ask.first, ask.count) })
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Where the stream is.
    pub fn phase(&self) -> Phase {
        match self.life {
            Life::Waiting => Phase::Waiting,
            Life::Ended => Phase::Ended,
            Life::Running if self.backfill => Phase::Backfill,
            Life::Running if self.gap_open => Phase::Gap,
            Life::Running => Phase::Synchronised,
        }
    }

    /// Whether messages are missing now.
    #[inline]
    pub fn is_gap_open(&self) -> bool {
        self.gap_open
    }

    /// The session, or `None` before the first packet.
    pub fn session(&self) -> Option<Session> {
        (self.life != Life::Waiting).then_some(self.session)
    }

    /// The next number to be delivered.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Messages missing now, neither delivered nor waiting nor declared lost.
    pub fn missing(&self) -> u64 {
        self.known_end - self.expected - self.hold.held()
    }

    /// Messages that wait behind a gap now.
    pub fn waiting(&self) -> u64 {
        self.hold.held()
    }

    /// How long nothing at all came on a line, in nanoseconds; `None` before its first datagram and
    /// for a line that is not configured.
    pub fn silence_ns(&self, line: usize, now: u64) -> Option<u64> {
        let last = self.counters.lines.get(line)?.last_ns?;
        Some(now.saturating_sub(last))
    }

    #[inline]
    fn deliver_in_order(
        &mut self,
        line: usize,
        packet: &Packet<'_>,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        let (first, next) = (packet.sequence(), packet.next_sequence());
        let counters = &mut self.counters.lines[line];
        counters.packets += 1;
        counters.first += 1;
        counters.last_ns = Some(now);
        self.note_passed(line, first, next);
        self.note_arrival(line, first, now);
        self.expected = next;
        self.known_end = next;
        self.counters.delivered += next - first;
        for (bytes, sequence) in packet.messages().zip(first..) {
            each(Delivery::Message { sequence, bytes });
        }
    }

    /// Everything but the next packet in order.
    #[cold]
    fn on_packet(
        &mut self,
        origin: Origin,
        packet: &Packet<'_>,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        if packet.kind() == Kind::Data && packet.sequence() == 0 {
            self.count_malformed(origin, now);
            return;
        }
        self.count_packet(origin, now);
        if self.accept_session(origin, packet, each) {
            match (packet.kind(), origin) {
                (Kind::Data, _) => self.on_data(origin, packet, now, each),
                (_, Origin::Server) => self.counters.requests.useless += 1,
                (Kind::Heartbeat, Origin::Line(line)) => {
                    self.on_heartbeat(line_index(line), packet.sequence(), now, each);
                }
                (Kind::EndOfSession, Origin::Line(line)) => {
                    self.on_end(line_index(line), packet.sequence(), now, each);
                }
            }
        }
        self.refresh();
    }

    /// Whether the packet belongs to the session that runs. Begins one where it may.
    fn accept_session(
        &mut self,
        origin: Origin,
        packet: &Packet<'_>,
        each: &mut impl FnMut(Delivery<'_>),
    ) -> bool {
        let session = *packet.session();
        let begins = match self.life {
            Life::Running if session == self.session => return true,
            Life::Running => false,
            Life::Waiting => self.config.session.is_none_or(|configured| configured == session),
            Life::Ended if session == self.session => {
                self.count_after_end(origin, packet.kind());
                return false;
            }
            Life::Ended => self.config.rollover && !self.over.contains(&Some(session)),
        };
        match origin {
            Origin::Line(_) if begins => {
                self.begin_session(session, packet.sequence().max(1), each);
                true
            }
            Origin::Line(line) => {
                self.counters.lines[line_index(line)].other_session += 1;
                false
            }
            Origin::Server => {
                self.counters.requests.useless += 1;
                false
            }
        }
    }

    fn begin_session(&mut self, session: Session, first: u64, each: &mut impl FnMut(Delivery<'_>)) {
        let here = self.config.join == Join::Here && self.life == Life::Waiting;
        if self.life == Life::Ended {
            self.over.rotate_right(1);
            self.over[0] = Some(self.session);
            self.hold.clear();
        }
        self.life = Life::Running;
        self.session = session;
        self.expected = if here { first } else { 1 };
        self.known_end = self.expected;
        self.passed = [0; LINES_MAX];
        self.gap_open = false;
        self.backfill = self.expected < first && self.config.requests.servers > 0;
        self.end = None;
        self.far = Far::default();
        self.recent = [Arrival::default(); RECENT];
        self.marks.clear();
        self.requests.clear();
        self.counters.sessions += 1;
        each(Delivery::SessionStarted { session });
        if self.expected > 1 {
            self.counters.before_join += self.expected - 1;
            each(Delivery::Lost { first: 1, count: self.expected - 1 });
        }
    }

    /// Counts the packet's line forward, and what the line passed over.
    #[inline]
    fn note_passed(&mut self, line: usize, first: u64, next: u64) {
        let passed = self.passed[line];
        if first > passed && passed != 0 {
            self.counters.lines[line].missed += first - passed;
        }
        self.passed[line] = passed.max(next);
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "there are two lines")]
    fn note_arrival(&mut self, line: usize, first: u64, time: u64) {
        self.recent[recent_index(first)] = Arrival { first, time, line: line as u8 };
    }

    /// A whole packet that is here already: if the other line brought it, that says how far this
    /// one is behind.
    fn note_duplicate(&mut self, line: usize, first: u64, now: u64) {
        let counters = &mut self.counters.lines[line];
        counters.duplicates += 1;
        let arrival = self.recent[recent_index(first)];
        if arrival.first == first && usize::from(arrival.line) != line {
            counters.skew.record(now.saturating_sub(arrival.time));
        }
    }

    #[cold]
    fn count_malformed(&mut self, origin: Origin, now: u64) {
        self.count_packet(origin, now);
        match origin {
            Origin::Line(line) => self.counters.lines[line_index(line)].malformed += 1,
            Origin::Server => self.counters.requests.useless += 1,
        }
    }

    fn count_packet(&mut self, origin: Origin, now: u64) {
        match origin {
            Origin::Line(line) => {
                let counters = &mut self.counters.lines[line_index(line)];
                counters.packets += 1;
                counters.last_ns = Some(now);
            }
            Origin::Server => self.counters.requests.answers += 1,
        }
    }

    /// The sender goes on saying that the session is over for a while.
    fn count_after_end(&mut self, origin: Origin, kind: Kind) {
        let Origin::Line(line) = origin else {
            self.counters.requests.useless += 1;
            return;
        };
        let counters = &mut self.counters.lines[line_index(line)];
        match kind {
            Kind::Data => counters.duplicates += 1,
            Kind::Heartbeat => counters.heartbeats += 1,
            Kind::EndOfSession => counters.ends += 1,
        }
    }

    /// Sets whether the next packet in order may go straight through.
    fn refresh(&mut self) {
        self.whole =
            self.life == Life::Running && self.expected == self.known_end && self.far.packets == 0;
    }
}

#[inline]
fn line_index(line: u8) -> usize {
    usize::from(line).min(LINES_MAX - 1)
}

/// Spreads packets of equal length over the table.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "eight bits are left")]
fn recent_index(first: u64) -> usize {
    (first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

const _: () = assert!(RECENT == 1 << 8);
