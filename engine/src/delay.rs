//! The way to the venue and back: what is under way and when it arrives.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use spindle_types::{EventTime, SessionId};

use crate::command::Command;
use crate::event::Event;

/// How long things are under way. The answers may depend on nothing but what was asked before of the
/// same session.
pub trait Delays: Send {
    /// Nanoseconds that a session's next request takes to the venue.
    fn of_command(&mut self, command: &Command) -> u64;
    /// Nanoseconds that a session's next answer takes back.
    fn of_event(&mut self, event: &Event) -> u64;
    /// Where a session stands among those whose requests arrive at the same time; lower is first.
    fn rank(&self, session: SessionId) -> u16;
}

/// Things on their way, each with the time at which it arrives.
///
/// What one lane sends arrives in the order in which it was sent, as on a TCP connection: where the
/// second would be faster than the first, it arrives with it. At the same time, lower lanes arrive
/// first. Nothing here allocates after the start.
#[derive(Debug)]
pub struct DelayLine<T> {
    waiting: BinaryHeap<Waiting<T>>,
    capacity: usize,
    /// For each lane when the last that was sent arrives.
    last: Box<[u64]>,
    sent: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    due: u64,
    lane: u16,
    number: u64,
    item: T,
}

impl<T> Waiting<T> {
    const fn key(&self) -> (u64, u16, u64) {
        (self.due, self.lane, self.number)
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    /// The heap gives the greatest first: that is who arrives first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<T> DelayLine<T> {
    /// A line for `capacity` things at once, of lanes below `lanes`.
    pub fn new(capacity: usize, lanes: usize) -> Self {
        Self {
            waiting: BinaryHeap::with_capacity(capacity),
            capacity,
            last: vec![0; lanes].into_boxed_slice(),
            sent: 0,
        }
    }

    /// Whether nothing more can be sent now.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.capacity
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Sends something at `now` that takes `delay` nanoseconds. A lane that is not there has no order
    /// to keep.
    ///
    /// # Errors
    /// The line is full: the thing comes back.
    pub fn send(&mut self, lane: u16, now: EventTime, delay: u64, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        let mut due = now.0.saturating_add(delay);
        if let Some(last) = self.last.get_mut(usize::from(lane)) {
            due = due.max(*last);
            *last = due;
        }
        self.sent += 1;
        self.waiting.push(Waiting { due, lane, number: self.sent, item });
        Ok(())
    }

    /// When the next one arrives.
    #[inline]
    pub fn next_due(&self) -> Option<EventTime> {
        self.waiting.peek().map(|waiting| EventTime(waiting.due))
    }

    /// The next that has arrived by `now`, and when it did.
    #[inline]
    pub fn receive(&mut self, now: EventTime) -> Option<(EventTime, T)> {
        if self.next_due()? > now {
            return None;
        }
        self.waiting.pop().map(|waiting| (EventTime(waiting.due), waiting.item))
    }
}

/// Requests and answers of one engine that are under way.
pub struct Delayed {
    pub(crate) delays: Box<dyn Delays>,
    pub(crate) commands: DelayLine<Command>,
    pub(crate) answers: DelayLine<Event>,
    pub(crate) scales: bool,
    pub(crate) hurried: u64,
}

impl Delayed {
    /// Delays for sessions of `ranks` ranks, with room for `capacity` requests and as many answers.
    /// With `scales` they are in tape time, so that a tape that runs faster shortens them; otherwise
    /// they are in this machine's time. Allocates.
    pub fn new(delays: Box<dyn Delays>, ranks: usize, capacity: usize, scales: bool) -> Self {
        Self {
            delays,
            commands: DelayLine::new(capacity, ranks),
            answers: DelayLine::new(capacity, ranks),
            scales,
            hurried: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_its_order_and_lanes_have_theirs() {
        let mut line = DelayLine::new(8, 2);
        line.send(1, EventTime(0), 10, 'a').expect("room");
        line.send(0, EventTime(0), 50, 'b').expect("room");
        line.send(0, EventTime(5), 5, 'c').expect("room");
        line.send(1, EventTime(5), 45, 'd').expect("room");
        assert_eq!(line.next_due(), Some(EventTime(10)));
        assert_eq!(line.receive(EventTime(9)), None);
        let mut arrived = Vec::new();
        while let Some((due, item)) = line.receive(EventTime(1_000)) {
            arrived.push((due.0, item));
        }
        // c would have been at 10 and waits for b; of the three at 50 those of lane 0 are first.
        assert_eq!(arrived, [(10, 'a'), (50, 'b'), (50, 'c'), (50, 'd')]);
    }

    #[test]
    fn a_full_line_gives_back_what_it_cannot_take() {
        let mut line = DelayLine::new(2, 1);
        assert_eq!(line.send(0, EventTime(0), 1, 1), Ok(()));
        assert_eq!(line.send(0, EventTime(0), 1, 2), Ok(()));
        assert_eq!(line.send(0, EventTime(0), 1, 3), Err(3));
        assert_eq!((line.len(), line.is_full(), line.is_empty()), (2, true, false));
        assert_eq!(line.receive(EventTime(1)), Some((EventTime(1), 1)));
        assert_eq!(line.send(0, EventTime(0), 0, 3), Ok(()));
        assert_eq!(line.receive(EventTime(1)), Some((EventTime(1), 2)));
        assert_eq!(line.receive(EventTime(1)), Some((EventTime(1), 3)));
    }
}
