//! Where messages wait behind a gap.
//!
//! A slot for each number within reach says whether that message is here, and where its bytes lie.
//! Bytes lie in a ring, those of one packet together as a record; a record's space is free again
//! when its messages are delivered and so are all records before it. Records are mostly delivered
//! in the order in which they came, so the ring is mostly full of what is still needed.
//!
//! Everything is allocated once. What does not fit is the caller's decision.

use super::config::HoldLimits;

/// What is known of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not here.
    Missing,
    /// Here, waiting.
    Held,
    /// Not here, and nobody will be asked any more.
    GivenUp,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The number, 0 for an empty slot: numbers begin at 1.
    sequence: u64,
    /// Where its bytes begin.
    offset: u32,
    /// The record that they belong to; [`GIVEN_UP`] for a message that is not here.
    record: u32,
    length: u16,
}

const GIVEN_UP: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Where the ring's head may go when this record is done; counted without wrapping.
    end: u64,
    /// Messages not yet delivered.
    live: u32,
}

/// The messages that wait.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    slots: Box<[Slot]>,
    bytes: Box<[u8]>,
    records: Box<[Record]>,
    /// Bytes ever given back and ever used, counted without wrapping.
    head: u64,
    tail: u64,
    /// Records ever given back and ever used, counted without wrapping.
    oldest: u64,
    newest: u64,
    held: u64,
}

impl Hold {
    pub(super) fn new(limits: HoldLimits) -> Self {
        let slots = limits.messages.next_power_of_two() as usize;
        Self {
            slots: vec![Slot::default(); slots].into_boxed_slice(),
            bytes: vec![0; limits.bytes as usize].into_boxed_slice(),
            records: vec![Record::default(); limits.packets as usize].into_boxed_slice(),
            head: 0,
            tail: 0,
            oldest: 0,
            newest: 0,
            held: 0,
        }
    }

    /// Forgets everything: the numbers of another session mean other messages.
    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::default());
        (self.head, self.tail, self.oldest, self.newest, self.held) = (0, 0, 0, 0, 0);
    }

    /// Messages that wait.
    #[inline]
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// How far apart held numbers may be.
    #[inline]
    pub(super) fn reach(&self) -> u64 {
        self.slots.len() as u64
    }

    /// What is known of a number. One out of reach is missing.
    #[inline]
    pub(super) fn place(&self, sequence: u64) -> Place {
        let slot = &self.slots[self.index(sequence)];
        match slot {
            slot if slot.sequence != sequence => Place::Missing,
            slot if slot.record == GIVEN_UP => Place::GivenUp,
            _ => Place::Held,
        }
    }

    /// Makes room for the messages of one packet, `bytes` in all, or says that there is none.
    pub(super) fn begin(&mut self, bytes: usize) -> bool {
        if self.newest - self.oldest == self.records.len() as u64 {
            return false;
        }
        let (capacity, bytes) = (self.bytes.len() as u64, bytes as u64);
        if self.oldest == self.newest {
            // Nothing is held: begin at the front, where the most fits.
            (self.head, self.tail) = (0, 0);
        }
        let to_end = capacity - self.tail % capacity;
        let start = if bytes > to_end { self.tail + to_end } else { self.tail };
        if start + bytes - self.head > capacity {
            return false;
        }
        self.tail = start;
        let index = self.record_index(self.newest);
        self.records[index] = Record { end: start, live: 0 };
        self.newest += 1;
        true
    }

    /// Adds a message to the record that was begun. It must be missing and within reach, and its
    /// bytes part of those for which room was made.
    pub(super) fn push(&mut self, sequence: u64, message: &[u8]) {
        let record = self.record_index(self.newest - 1);
        let offset = self.physical(self.tail);
        let start = offset as usize;
        self.bytes[start..start + message.len()].copy_from_slice(message);
        self.tail += message.len() as u64;
        self.records[record].end = self.tail;
        self.records[record].live += 1;
        #[allow(clippy::cast_possible_truncation, reason = "a block's length and index fit")]
        let (length, record) = (message.len() as u16, record as u32);
        let slot = self.index(sequence);
        self.slots[slot] = Slot { sequence, offset, record, length };
        self.held += 1;
    }

    /// The bytes of a held message.
    #[inline]
    pub(super) fn message(&self, sequence: u64) -> &[u8] {
        let slot = &self.slots[self.index(sequence)];
        let start = slot.offset as usize;
        &self.bytes[start..start + usize::from(slot.length)]
    }

    /// Takes out whatever is known of a number.
    pub(super) fn release(&mut self, sequence: u64) {
        let index = self.index(sequence);
        let slot = self.slots[index];
        if slot.sequence != sequence {
            return;
        }
        self.slots[index].sequence = 0;
        if slot.record == GIVEN_UP {
            return;
        }
        self.held -= 1;
        self.records[slot.record as usize].live -= 1;
        while self.oldest != self.newest {
            let record = self.records[self.record_index(self.oldest)];
            if record.live != 0 {
                break;
            }
            self.head = record.end;
            self.oldest += 1;
        }
    }

    /// Notes that nobody will be asked for this missing message any more.
    pub(super) fn give_up(&mut self, sequence: u64) {
        let index = self.index(sequence);
        self.slots[index] = Slot { sequence, record: GIVEN_UP, ..Slot::default() };
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
    fn index(&self, sequence: u64) -> usize {
        sequence as usize & (self.slots.len() - 1)
    }

    #[allow(clippy::cast_possible_truncation, reason = "less than the number of records")]
    fn record_index(&self, counter: u64) -> usize {
        (counter % self.records.len() as u64) as usize
    }

    #[allow(clippy::cast_possible_truncation, reason = "the ring has at most 2^31 bytes")]
    fn physical(&self, position: u64) -> u32 {
        (position % self.bytes.len() as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(messages: u32, bytes: u32, packets: u32) -> Hold {
        Hold::new(HoldLimits { messages, bytes, packets })
    }

    fn add(hold: &mut Hold, first: u64, messages: &[&[u8]]) -> bool {
        let bytes = messages.iter().map(|message| message.len()).sum();
        if !hold.begin(bytes) {
            return false;
        }
        for (sequence, message) in (first..).zip(messages) {
            hold.push(sequence, message);
        }
        true
    }

    #[test]
    fn messages_come_back_as_they_went_in() {
        let mut hold = hold(16, 16, 4);
        assert!(add(&mut hold, 5, &[b"five", b"", b"seven"]));
        assert_eq!(hold.held(), 3);
        assert_eq!(hold.place(4), Place::Missing);
        assert_eq!(hold.place(5), Place::Held);
        assert_eq!(hold.message(5), b"five");
        assert_eq!(hold.message(6), b"");
        assert_eq!(hold.message(7), b"seven");
        hold.release(6);
        assert_eq!(hold.place(6), Place::Missing);
        assert_eq!(hold.place(21), Place::Missing, "the slot of 5, another number");
    }

    #[test]
    fn each_bound_refuses_on_its_own() {
        let mut bytes = hold(16, 8, 4);
        assert!(add(&mut bytes, 2, &[b"12345678"]));
        assert!(!add(&mut bytes, 3, &[b"9"]));
        assert!(add(&mut bytes, 3, &[b""]));
        let mut packets = hold(16, 8, 1);
        assert!(add(&mut packets, 2, &[b"1"]));
        assert!(!add(&mut packets, 3, &[b"2"]));
        packets.release(2);
        assert!(add(&mut packets, 3, &[b"2"]));
    }

    #[test]
    fn space_comes_back_in_the_order_of_records_and_wraps() {
        let mut hold = hold(64, 10, 8);
        assert!(add(&mut hold, 1, &[b"aaaa"]));
        assert!(add(&mut hold, 2, &[b"bbbb"]));
        hold.release(2);
        assert!(!add(&mut hold, 3, &[b"cccc"]), "the oldest record is still needed");
        hold.release(1);
        for sequence in 3..50 {
            assert!(add(&mut hold, sequence, &[b"cccc"]));
            assert!(add(&mut hold, sequence + 1, &[b"dd"]));
            assert_eq!(hold.message(sequence), b"cccc");
            assert_eq!(hold.message(sequence + 1), b"dd");
            hold.release(sequence);
            hold.release(sequence + 1);
            assert_eq!(hold.held(), 0);
        }
    }

    #[test]
    fn a_message_given_up_is_neither_held_nor_missing() {
        let mut hold = hold(4, 10, 8);
        hold.give_up(3);
        assert_eq!((hold.place(3), hold.held()), (Place::GivenUp, 0));
        hold.release(3);
        assert_eq!(hold.place(3), Place::Missing);
        hold.give_up(3);
        hold.clear();
        assert_eq!(hold.place(3), Place::Missing);
    }
}
