//! What happens beyond the packet in order: gaps open, wait, fill, and are given up.

use super::counters::GapCounters;
use super::hold::Place;
use super::{Delivery, Far, Life, Origin, Stream, line_index};
use crate::moldudp64::Packet;

/// Numbers looked at in one call while the next missing ones are searched.
const SCAN_MAX: u64 = 4_096;

/// Who brings a message that was missing.
#[derive(Clone, Copy)]
enum Bringer {
    OtherLine(usize),
    LateLine(usize),
    Server,
}

impl Stream {
    pub(super) fn on_data(
        &mut self,
        origin: Origin,
        packet: &Packet<'_>,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        let (first, next) = (packet.sequence(), packet.next_sequence());
        let bringer = match origin {
            Origin::Server if first > self.known_end || next <= self.expected => {
                self.counters.requests.useless += 1;
                return;
            }
            Origin::Server => Bringer::Server,
            Origin::Line(line) => {
                let line = line_index(line);
                if !self.is_plausible(line, first, now, each) {
                    return;
                }
                let late = first < self.passed[line];
                self.note_passed(line, first, next);
                if late { Bringer::LateLine(line) } else { Bringer::OtherLine(line) }
            }
        };
        self.forget_end_before(next);
        let new = if next <= self.expected { 0 } else { self.absorb(bringer, packet, now, each) };
        self.requests_after(bringer, new, now);
        match bringer {
            Bringer::Server => self.counters.requests.useless += u64::from(new == 0),
            Bringer::OtherLine(line) | Bringer::LateLine(line) if new > 0 => {
                self.counters.lines[line].first += 1;
                self.note_arrival(line, first, now);
            }
            Bringer::OtherLine(line) | Bringer::LateLine(line) => {
                self.note_duplicate(line, first, now);
            }
        }
    }

    pub(super) fn on_heartbeat(
        &mut self,
        line: usize,
        sequence: u64,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        let next = sequence.max(1);
        if !self.is_plausible(line, next, now, each) {
            return;
        }
        self.counters.lines[line].heartbeats += 1;
        self.note_passed(line, next, next);
        self.forget_end_before(next);
        self.reveal(next, now, each);
    }

    pub(super) fn on_end(
        &mut self,
        line: usize,
        sequence: u64,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        let next = sequence.max(1);
        if next < self.known_end {
            // Messages beyond this end were seen: it is not the end.
            self.counters.lines[line].implausible += 1;
            return;
        }
        if !self.is_plausible(line, next, now, each) {
            return;
        }
        self.counters.lines[line].ends += 1;
        self.note_passed(line, next, next);
        self.reveal(next, now, each);
        self.end = Some(next);
        self.settle(each);
    }

    /// An end before what is seen now was none: the session evidently goes on.
    fn forget_end_before(&mut self, next: u64) {
        if self.end.is_some_and(|end| next > end) {
            self.end = None;
        }
    }

    /// Whether a packet that begins at `first` may be believed. One too far ahead is when enough
    /// others agree; everything before it is lost then, unless a late joiner is fetching it anyway.
    fn is_plausible(
        &mut self,
        line: usize,
        first: u64,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) -> bool {
        let jump_max = self.config.jump_max;
        if first <= self.known_end || first - self.known_end <= jump_max {
            if first >= self.expected {
                self.far = Far::default();
            }
            return true;
        }
        let agrees = self.far.packets > 0 && first.abs_diff(self.far.first) <= jump_max;
        let packets = if agrees { self.far.packets + 1 } else { 1 };
        self.far = Far { first, packets };
        if packets < self.config.jump_packets {
            self.counters.lines[line].implausible += 1;
            return false;
        }
        self.far = Far::default();
        if !self.backfill {
            self.reveal(first, now, each);
            self.skip_to(first, each);
        }
        true
    }

    /// Takes the packet's messages that are new, delivers what is in order and holds the rest.
    /// Returns how many were new.
    fn absorb(
        &mut self,
        bringer: Bringer,
        packet: &Packet<'_>,
        now: u64,
        each: &mut impl FnMut(Delivery<'_>),
    ) -> u64 {
        let first = packet.sequence();
        self.reveal(first, now, each);
        if first <= self.expected {
            return self.deliver_through(bringer, packet, each);
        }
        let (new, bytes) = self.count_new(packet);
        if new == 0 {
            return 0;
        }
        if self.has_room(packet, bytes) {
            self.hold_packet(bringer, packet);
            return new;
        }
        match bringer {
            // It will be asked for again, when there is room.
            Bringer::Server => 0,
            _ if self.backfill => {
                self.counters.postponed += new;
                self.reveal(packet.next_sequence(), now, each);
                new
            }
            _ => {
                self.overflow(bringer, packet, bytes, each);
                new
            }
        }
    }

    /// Declares the oldest gaps lost until the packet has room or is in order.
    fn overflow(
        &mut self,
        bringer: Bringer,
        packet: &Packet<'_>,
        bytes: usize,
        each: &mut impl FnMut(Delivery<'_>),
    ) {
        self.counters.overflows += 1;
        loop {
            self.skip_front(packet.sequence(), each);
            if self.expected >= packet.sequence() {
                self.deliver_through(bringer, packet, each);
                return;
            }
            if self.has_room(packet, bytes) {
                self.hold_packet(bringer, packet);
                return;
            }
        }
    }

    /// Delivers a packet that covers the next number, straight from the datagram, and then what
    /// waited behind it. Returns how many messages were new.
    fn deliver_through(
        &mut self,
        bringer: Bringer,
        packet: &Packet<'_>,
        each: &mut impl FnMut(Delivery<'_>),
    ) -> u64 {
        let mut new = 0;
        for (bytes, sequence) in packet.messages().zip(packet.sequence()..) {
            if sequence < self.expected {
                continue;
            }
            if sequence >= self.known_end {
                self.known_end = sequence + 1;
                new += 1;
            } else if self.hold.place(sequence) != Place::Held {
                self.count_filled(bringer);
                new += 1;
            }
            self.hold.release(sequence);
            self.expected = sequence + 1;
            self.counters.delivered += 1;
            each(Delivery::Message { sequence, bytes });
        }
        self.drain(each);
        new
    }

    /// How many messages of a packet beyond the next number are not here, and their bytes.
    fn count_new(&self, packet: &Packet<'_>) -> (u64, usize) {
        let mut new = (0, 0);
        for (message, sequence) in packet.messages().zip(packet.sequence()..) {
            if self.hold.place(sequence) != Place::Held {
                new = (new.0 + 1, new.1 + message.len());
            }
        }
        new
    }

    fn has_room(&mut self, packet: &Packet<'_>, bytes: usize) -> bool {
        packet.next_sequence() - self.expected <= self.hold.reach() && self.hold.begin(bytes)
    }

    /// Holds the messages that are not here. Room was made.
    fn hold_packet(&mut self, bringer: Bringer, packet: &Packet<'_>) {
        for (message, sequence) in packet.messages().zip(packet.sequence()..) {
            if self.hold.place(sequence) == Place::Held {
                continue;
            }
            if sequence < self.known_end {
                self.count_filled(bringer);
            } else {
                self.known_end = sequence + 1;
            }
            self.hold.push(sequence, message);
        }
    }

    fn count_filled(&mut self, bringer: Bringer) {
        let GapCounters { filled_by_other_line, filled_late, filled_by_request, .. } =
            &mut self.counters.gaps;
        match bringer {
            Bringer::OtherLine(line) => {
                *filled_by_other_line += 1;
                self.counters.lines[line].filled += 1;
            }
            Bringer::LateLine(line) => {
                *filled_late += 1;
                self.counters.lines[line].filled_late += 1;
            }
            Bringer::Server => *filled_by_request += 1,
        }
    }

    /// Learns that all numbers below `end` exist.
    fn reveal(&mut self, end: u64, now: u64, each: &mut impl FnMut(Delivery<'_>)) {
        if end <= self.known_end {
            return;
        }
        self.counters.gaps.opened += end - self.known_end;
        self.known_end = end;
        self.marks.push(end, now);
        if !self.gap_open {
            self.gap_open = true;
            self.counters.gaps.gaps += 1;
            each(Delivery::GapOpened { first: self.expected });
        }
    }

    /// Declares lost whatever is missing below `end`, delivering what waits in between.
    fn skip_to(&mut self, end: u64, each: &mut impl FnMut(Delivery<'_>)) {
        while self.expected < end {
            self.skip_front(end, each);
        }
    }

    /// Declares lost what is missing from the next number on, up to the first message that waits or
    /// to `limit`, and delivers what waits after it. The next number must be missing and below
    /// `limit`.
    fn skip_front(&mut self, limit: u64, each: &mut impl FnMut(Delivery<'_>)) {
        let mut end = limit.min(self.known_end);
        if self.hold.held() > 0 {
            // What waits is within reach, so this ends soon.
            let waits = |sequence: &u64| self.hold.place(*sequence) == Place::Held;
            end = (self.expected + 1..end).find(waits).unwrap_or(end);
        }
        self.lose_until(end, each);
        self.drain(each);
    }

    fn lose_until(&mut self, end: u64, each: &mut impl FnMut(Delivery<'_>)) {
        let (first, count) = (self.expected, end - self.expected);
        self.counters.gaps.lost += count;
        self.expected = end;
        each(Delivery::Lost { first, count });
    }

    /// Delivers what is in order now.
    fn drain(&mut self, each: &mut impl FnMut(Delivery<'_>)) {
        while self.expected < self.known_end {
            match self.hold.place(self.expected) {
                Place::Missing => break,
                Place::Held => {
                    let sequence = self.expected;
                    self.expected += 1;
                    self.counters.delivered += 1;
                    each(Delivery::Message { sequence, bytes: self.hold.message(sequence) });
                    self.hold.release(sequence);
                }
                Place::GivenUp => {
                    let given_up = |at: &u64| self.hold.place(*at) != Place::GivenUp;
                    let end = (self.expected + 1..self.known_end).find(given_up);
                    self.lose_until(end.unwrap_or(self.known_end), each);
                }
            }
        }
        self.marks.pop_below(self.expected);
        self.settle(each);
    }

    /// Says that the gap is closed when nothing is missing, and that the session is over when it is.
    fn settle(&mut self, each: &mut impl FnMut(Delivery<'_>)) {
        if self.expected < self.known_end {
            return;
        }
        if self.gap_open {
            self.gap_open = false;
            self.backfill = false;
            self.marks.clear();
            self.requests.clear();
            each(Delivery::GapClosed { next: self.expected });
        }
        if self.end == Some(self.expected) && self.life == Life::Running {
            self.life = Life::Ended;
            each(Delivery::EndOfSession { next: self.expected });
        }
    }

    /// Gives up what has been missing too long.
    pub(super) fn give_up_overdue(&mut self, now: u64, each: &mut impl FnMut(Delivery<'_>)) {
        let limits = *self.requests.limits();
        let wait = self.config.gap_wait_ns;
        while let Some(request) = self.requests.take_failed(now) {
            self.counters.requests.failed += 1;
            for sequence in request.first.max(self.expected)..request.end {
                if self.hold.place(sequence) == Place::Missing {
                    self.hold.give_up(sequence);
                }
            }
        }
        self.drain(each);
        while let Some((end, time)) = self.marks.oldest() {
            let asked = time.saturating_add(wait);
            let overdue = match limits.servers {
                0 => asked,
                _ => asked.max(self.requests.progress).saturating_add(limits.silence_ns),
            };
            if overdue > now {
                break;
            }
            self.skip_to(end, each);
            self.marks.pop_below(self.expected);
        }
        self.shrink_requests(now, false);
    }

    fn requests_after(&mut self, bringer: Bringer, new: u64, now: u64) {
        let by_answer = matches!(bringer, Bringer::Server) && new > 0;
        if by_answer {
            self.requests.progress = now;
        }
        if !self.requests.is_idle() {
            self.shrink_requests(now, by_answer);
        }
    }

    fn shrink_requests(&mut self, now: u64, by_answer: bool) {
        let (hold, expected) = (&self.hold, self.expected);
        self.requests.shrink(now, by_answer, |sequence| {
            sequence >= expected && hold.place(sequence) == Place::Missing
        });
    }

    /// Finds chunks that have been missing long enough and that nobody was asked for.
    pub(super) fn plan_requests(&mut self, now: u64) {
        let Some(since) = now.checked_sub(self.config.gap_wait_ns) else {
            return;
        };
        let reach_end = self.expected.saturating_add(self.hold.reach());
        let limit = self.marks.end_of_those_since(since).min(reach_end);
        let most = u64::from(self.requests.limits().messages);
        let mut looked_at = 0;
        while self.requests.has_room() && looked_at < SCAN_MAX {
            let mut first = self.requests.asked_until.max(self.expected);
            while first < limit && looked_at < SCAN_MAX && self.hold.place(first) != Place::Missing
            {
                first += 1;
                looked_at += 1;
            }
            self.requests.asked_until = first;
            if first >= limit || looked_at >= SCAN_MAX {
                return;
            }
            let limit = limit.min(first.saturating_add(most));
            let here = |sequence: &u64| self.hold.place(*sequence) != Place::Missing;
            let end = (first + 1..limit).find(here).unwrap_or(limit);
            looked_at += end - first;
            self.requests.add(first, end);
        }
    }
}
