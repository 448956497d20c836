//! One line of the feed: packets of its own size, heartbeats, the end of the session, and the faults
//! that are put on it.

use std::collections::VecDeque;

use spindle_feed::moldudp64::{END_OF_SESSION, HEADER_LENGTH, Session, header};
use zerocopy::IntoBytes;

use super::impair::{Fate, Impairer, Impairments};
use super::outgoing::OutgoingConfig;
use super::pace::Pacer;
use super::store::Store;
use super::tape::time_of;

/// A line of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineConfig {
    /// The most bytes in a packet, MoldUDP64 header included; kept between 64 and 65,507.
    pub payload_max: usize,
    /// What is done to its packets on purpose.
    pub impairments: Impairments,
}

/// What became of a line's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounters {
    /// Packets sent, of all kinds and duplicates included.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Messages in packets that were sent, each once.
    pub messages: u64,
    /// Heartbeats among the packets.
    pub heartbeats: u64,
    /// Packets not sent on purpose: lost one by one, and in outages.
    pub lost_packets: u64,
    /// Messages in them.
    pub lost_messages: u64,
    /// Outages.
    pub outages: u64,
    /// Packets sent a second time.
    pub duplicated: u64,
    /// Packets sent after the one that follows them.
    pub reordered: u64,
    /// Messages that were forgotten before this line, held up for too long, had sent them.
    pub overrun: u64,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Data,
    Duplicate,
    Heartbeat,
    EndOfSession,
}

/// A packet on its way.
#[derive(Debug)]
pub(crate) struct Queued {
    bytes: Vec<u8>,
    pub(crate) messages: u16,
    pub(crate) content: Content,
    /// When its first message was due; `None` where nothing was due at a time.
    pub(crate) due: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// The recording is over; so many packets that say so are left, the next at this time.
    Ending {
        left: u32,
        at: u64,
    },
    Done,
}

/// What a line looks at to make its next packet.
pub(crate) struct View<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pacer: &'a Pacer,
    /// Whether the tape's times mean anything now: not while it is stepped.
    pub(crate) timed: bool,
    pub(crate) over: bool,
    /// The first number that is sent.
    pub(crate) first: u64,
    /// The number after the last that is sent for now.
    pub(crate) end: u64,
    pub(crate) progress: u32,
    /// Whether more messages come at once, whatever the tape's times are: a packet then waits a
    /// moment until it is full.
    pub(crate) more: bool,
}

pub(crate) struct Line {
    session: Session,
    payload_max: usize,
    heartbeat_ns: u64,
    end_packets: u32,
    end_spacing_ns: u64,
    /// The number of the next message to pack.
    cursor: u64,
    queue: VecDeque<Queued>,
    /// A packet that waits for the one behind it.
    held: Option<Queued>,
    /// Since when a packet that is not full waits for more messages.
    filling: Option<u64>,
    spare: Vec<Vec<u8>>,
    impairer: Impairer,
    state: State,
    /// When the last packet was sent or lost; of a line that has sent none, when it was first asked.
    last: Option<u64>,
    pub(crate) counters: LineCounters,
}

/// How long a late packet waits for the one behind it, in nanoseconds.
const HELD_MAX_NS: u64 = 5_000_000;

/// How long a packet of a feed without times waits for the messages that fill it, in nanoseconds.
const FILLING_MAX_NS: u64 = 100_000;

/// A packet with less room than this is full: every message of ITCH fits.
const FULL: usize = 64;

/// Packets lost in a row before the line lets others work.
const LOST_MAX: usize = 16;

impl Line {
    pub(crate) fn new(config: &OutgoingConfig, line: LineConfig, number: usize) -> Self {
        Self {
            session: config.session,
            payload_max: line.payload_max.clamp(64, 65_507),
            heartbeat_ns: config.heartbeat_ns,
            end_packets: config.end_packets,
            end_spacing_ns: config.end_spacing_ns,
            cursor: 1,
            queue: VecDeque::new(),
            held: None,
            filling: None,
            spare: Vec::new(),
            impairer: Impairer::new(line.impairments, number),
            state: State::Running,
            last: None,
            counters: LineCounters::default(),
        }
    }

    pub(crate) fn payload_max(&self) -> usize {
        self.payload_max
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state != State::Running
    }

    pub(crate) fn has_packet(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Begins a new session at number 1.
    pub(crate) fn restart(&mut self, session: Session) {
        self.session = session;
        self.cursor = 1;
        self.state = State::Running;
    }

    /// Goes on at this number, as if all before it were out, and says so at once.
    pub(crate) fn resume(&mut self, cursor: u64) {
        self.cursor = cursor;
        self.enqueue_header(0, Content::Heartbeat);
    }

    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.queue.front().map(|queued| queued.bytes.as_slice())
    }

    /// Makes the next packet, where one is due and none waits.
    pub(crate) fn prepare(&mut self, now: u64, view: &View<'_>) {
        self.last.get_or_insert(now);
        if !self.queue.is_empty() {
            return;
        }
        if self.state == State::Running && self.pack(now, view) {
            return;
        }
        let silent = now.saturating_sub(self.last.unwrap_or(now)) >= self.heartbeat_ns;
        match self.state {
            State::Ending { at, .. } if now >= at => {
                self.enqueue_header(END_OF_SESSION, Content::EndOfSession);
            }
            State::Running if silent => self.enqueue_header(0, Content::Heartbeat),
            _ => {}
        }
    }

    /// Packs messages, and says whether that is all there is to do for now.
    fn pack(&mut self, now: u64, view: &View<'_>) -> bool {
        for _ in 0..LOST_MAX {
            self.cursor = self.cursor.max(view.first);
            if self.cursor < view.store.first() {
                self.counters.overrun += view.store.first() - self.cursor;
                self.cursor = view.store.first();
            }
            let Some(packet) = self.packet(now, view) else { break };
            self.dispatch(packet, view.progress, now);
            if !self.queue.is_empty() {
                return true;
            }
        }
        if self.cursor < view.end {
            return true;
        }
        // A late packet waits for the one behind it, but not for ever.
        let waited = now.saturating_sub(self.last.unwrap_or(now)) >= HELD_MAX_NS;
        if let Some(held) = self.held.take_if(|_| view.over || waited) {
            self.queue.push_back(held);
            return true;
        }
        if view.over {
            self.state = match self.end_packets {
                0 => State::Done,
                left => State::Ending { left, at: now },
            };
        }
        false
    }

    /// The next packet of messages.
    fn packet(&mut self, now: u64, view: &View<'_>) -> Option<Queued> {
        let mut bytes = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.payload_max));
        bytes.clear();
        bytes.extend_from_slice(&[0; HEADER_LENGTH]);
        let room = self.payload_max - HEADER_LENGTH;
        let count = view.store.fill(self.cursor, view.end, END_OF_SESSION - 1, room, &mut bytes);
        if count == 0 {
            self.spare.push(bytes);
            return None;
        }
        let has_room = bytes.len() + FULL <= self.payload_max;
        let takes_all = self.cursor + u64::from(count) == view.end;
        if view.more && has_room && takes_all {
            let since = *self.filling.get_or_insert(now);
            if now.saturating_sub(since) < FILLING_MAX_NS {
                self.spare.push(bytes);
                return None;
            }
        }
        self.filling = None;
        let header = header(self.session, self.cursor, count);
        bytes[..HEADER_LENGTH].copy_from_slice(header.as_bytes());
        self.cursor += u64::from(count);
        let first = bytes.get(HEADER_LENGTH + 2..).and_then(time_of);
        let due = first.filter(|_| view.timed).and_then(|time| view.pacer.when(time));
        Some(Queued { bytes, messages: count, content: Content::Data, due })
    }

    /// Lets the packet have its fate.
    fn dispatch(&mut self, packet: Queued, progress: u32, now: u64) {
        let fate = self.impairer.fate(progress);
        match fate {
            Fate::Lost | Fate::Outage { .. } => {
                self.counters.outages += u64::from(fate == Fate::Outage { begins: true });
                self.counters.lost_packets += 1;
                self.counters.lost_messages += u64::from(packet.messages);
                self.spare.push(packet.bytes);
                self.last = Some(now);
            }
            Fate::Late => {
                self.counters.reordered += 1;
                self.last = Some(now);
                if let Some(held) = self.held.replace(packet) {
                    self.queue.push_back(held);
                }
            }
            Fate::Sent | Fate::Doubled => {
                let second = (fate == Fate::Doubled).then(|| Queued {
                    bytes: packet.bytes.clone(),
                    content: Content::Duplicate,
                    due: None,
                    messages: packet.messages,
                });
                self.queue.push_back(packet);
                self.queue.extend(second);
                self.queue.extend(self.held.take());
            }
        }
    }

    fn enqueue_header(&mut self, count: u16, content: Content) {
        let bytes = header(self.session, self.cursor, count).as_bytes().to_vec();
        self.queue.push_back(Queued { bytes, messages: 0, content, due: None });
    }

    /// Notes that the packet at the front is out.
    pub(crate) fn sent(&mut self, now: u64) -> Option<Queued> {
        let mut packet = self.queue.pop_front()?;
        self.last = Some(now);
        self.counters.packets += 1;
        self.counters.bytes += packet.bytes.len() as u64;
        match packet.content {
            Content::Data => self.counters.messages += u64::from(packet.messages),
            Content::Duplicate => self.counters.duplicated += 1,
            Content::Heartbeat => self.counters.heartbeats += 1,
            Content::EndOfSession => {
                if let State::Ending { left, .. } = self.state {
                    self.state = match left - 1 {
                        0 => State::Done,
                        left => State::Ending { left, at: now + self.end_spacing_ns },
                    };
                }
            }
        }
        if self.spare.len() < 4 {
            self.spare.push(std::mem::take(&mut packet.bytes));
        }
        Some(packet)
    }

    /// When the line itself has something to say, whatever the tape does.
    pub(crate) fn next_event(&self, now: u64) -> u64 {
        match self.state {
            _ if !self.queue.is_empty() => now,
            State::Running if let Some(since) = self.filling => since + FILLING_MAX_NS,
            State::Running => {
                let patience = if self.held.is_some() { HELD_MAX_NS } else { self.heartbeat_ns };
                self.last.unwrap_or(now).saturating_add(patience)
            }
            State::Ending { at, .. } => at,
            State::Done => u64::MAX,
        }
    }
}
