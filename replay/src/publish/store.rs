//! What has been released, so that each line can pack it and missed messages can be asked for.

use std::collections::VecDeque;

use spindle_types::keep::{Pen, Reader, Shape, State, Unfit, Value};

/// Bytes of one chunk.
const CHUNK: usize = 1 << 20;

/// Messages by number, the latest of them: memory is bounded, the oldest go first.
pub(crate) struct Store {
    chunks: VecDeque<Chunk>,
    /// The number of the next message.
    end: u64,
    chunks_max: usize,
}

/// Messages in the form that packets carry them, one after another.
struct Chunk {
    /// Number of the first.
    first: u64,
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Chunk {
    fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    /// Where the message at this place begins.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }
}

impl Store {
    /// An empty store that keeps at least the given number of bytes, when so many came: 2 MiB or
    /// more.
    pub(crate) fn new(bytes: usize) -> Self {
        let chunks_max = bytes.div_ceil(CHUNK).max(2) + 1;
        Self { chunks: VecDeque::new(), end: 1, chunks_max }
    }

    /// The number of the next message.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The lowest number that is kept; the next one where nothing is.
    pub(crate) fn first(&self) -> u64 {
        self.chunks.front().map_or(self.end, |chunk| chunk.first)
    }

    /// Forgets everything and begins at 1 again.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.end = 1;
    }

    /// Takes in the next message, of at most 65,535 bytes.
    #[allow(clippy::cast_possible_truncation, reason = "a chunk is far shorter than 4 GiB")]
    pub(crate) fn push(&mut self, message: &[u8]) {
        let room = CHUNK + (1 << 16) + 2;
        if self.chunks.back().is_none_or(|chunk| chunk.bytes.len() >= CHUNK) {
            let spare =
                if self.chunks.len() >= self.chunks_max { self.chunks.pop_front() } else { None };
            let mut chunk = spare.unwrap_or_else(|| Chunk {
                first: 0,
                bytes: Vec::with_capacity(room),
                ends: Vec::with_capacity(CHUNK / 24),
            });
            chunk.first = self.end;
            chunk.bytes.clear();
            chunk.ends.clear();
            self.chunks.push_back(chunk);
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.bytes.extend_from_slice(&(message.len() as u16).to_be_bytes());
            chunk.bytes.extend_from_slice(message);
            chunk.ends.push(chunk.bytes.len() as u32);
            self.end += 1;
        }
    }

    /// Appends the messages from a number on, below another, as long as they fit `room` bytes and
    /// `most` of them, and says how many those are. 0 where the first is not kept or does not fit.
    pub(crate) fn fill(
        &self,
        from: u64,
        until: u64,
        most: u16,
        mut room: usize,
        packet: &mut Vec<u8>,
    ) -> u16 {
        let until = until.min(self.end).min(from.saturating_add(u64::from(most)));
        if from < self.first() || from >= until {
            return 0;
        }
        let mut next = from;
        let mut at = self.chunks.partition_point(|chunk| chunk.next() <= from);
        while next < until {
            let Some(chunk) = self.chunks.get(at) else { break };
            // Indices within a chunk are far below what any usize holds.
            let index = usize::try_from(next - chunk.first).unwrap_or(usize::MAX);
            let last = usize::try_from(until.min(chunk.next()) - chunk.first).unwrap_or(0);
            let start = chunk.start(index);
            let fitting =
                chunk.ends[index..last].partition_point(|&end| end as usize - start <= room);
            let end = chunk.start(index + fitting);
            packet.extend_from_slice(&chunk.bytes[start..end]);
            room -= end - start;
            next += fitting as u64;
            if next < chunk.next() {
                break;
            }
            at += 1;
        }
        u16::try_from(next - from).unwrap_or(0)
    }
}

/// Kept are the number of the first message and all that there are, as packets carry them.
impl State for Store {
    const SHAPE: Shape = Shape::of("messages of a feed");

    fn save(&self, pen: &mut Pen) {
        Value::save(&self.first(), pen);
        Value::save(&self.end, pen);
        pen.count(self.chunks.iter().map(|chunk| chunk.bytes.len()).sum());
        self.chunks.iter().for_each(|chunk| pen.raw(&chunk.bytes));
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        let unfit = Unfit::new("Store", "other messages of the feed than it says");
        let (first, end) = (u64::read(reader)?, u64::read(reader)?);
        let count = reader.count()?;
        let mut rest = reader.raw(count)?;
        self.chunks.clear();
        self.end = first;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (message, after) = after.split_at_checked(length).ok_or(unfit)?;
            if self.end >= end {
                return Err(unfit);
            }
            self.push(message);
            rest = after;
        }
        match rest.is_empty() && first > 0 && self.end == end {
            true => Ok(()),
            false => Err(unfit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64) -> Vec<u8> {
        let length = 11 + usize::try_from(number % 40).expect("small");
        let mut bytes = vec![0xab; length];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    #[test]
    fn messages_come_out_as_they_went_in_across_chunks() {
        let mut store = Store::new(4 << 20);
        let count = 100_000;
        for number in 1..=count {
            store.push(&message(number));
        }
        assert_eq!((store.first(), store.end()), (1, count + 1));
        let (mut next, mut packet) = (1, Vec::new());
        while next < store.end() {
            packet.clear();
            let got = store.fill(next, u64::MAX, u16::MAX, 1_452, &mut packet);
            assert!(got > 0 && packet.len() <= 1_452);
            let mut rest = packet.as_slice();
            for _ in 0..got {
                let (length, after) = rest.split_first_chunk::<2>().expect("a length");
                let (found, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
                assert_eq!(found, message(next));
                next += 1;
                rest = after;
            }
            assert!(rest.is_empty());
            let full = next == store.end() || packet.len() + 2 + message(next).len() > 1_452;
            assert!(full, "one more would have fitted");
        }
    }

    #[test]
    fn a_store_that_was_kept_goes_on_as_it_would_have() {
        for count in [0, 1, 300_000] {
            let (mut store, mut other) = (Store::new(2 << 20), Store::new(2 << 20));
            (1..=count).for_each(|number| store.push(&message(number)));
            let mut pen = Pen::new();
            store.save(&mut pen);
            other.push(b"what was there before");
            other.load(&mut Reader::new(pen.bytes())).expect("a store");
            (count + 1..count + 60_000).for_each(|number| {
                store.push(&message(number));
                other.push(&message(number));
                assert_eq!((store.first(), store.end()), (other.first(), other.end()));
            });
            let (mut one, mut two) = (Vec::new(), Vec::new());
            for from in store.first()..store.end() {
                one.clear();
                two.clear();
                store.fill(from, u64::MAX, 9, 400, &mut one);
                other.fill(from, u64::MAX, 9, 400, &mut two);
                assert_eq!(one, two);
            }
        }
    }

    #[test]
    fn what_is_no_store_is_refused() {
        let mut store = Store::new(0);
        (1..=3).for_each(|number| store.push(&message(number)));
        let mut pen = Pen::new();
        store.save(&mut pen);
        let bytes = pen.into_bytes();
        for length in 0..bytes.len() {
            assert!(Store::new(0).load(&mut Reader::new(&bytes[..length])).is_err());
        }
        // The first number, the next, how many bytes, the length of the first message.
        for place in [0, 8, 16, 25] {
            let mut wrong = bytes.clone();
            wrong[place] ^= 2;
            assert!(Store::new(0).load(&mut Reader::new(&wrong)).is_err(), "byte {place}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_given() {
        let mut store = Store::new(0);
        let mut packet = Vec::new();
        assert_eq!(store.fill(1, 9, 9, 1_000, &mut packet), 0);
        for number in 1..=300_000 {
            store.push(&message(number));
        }
        assert!(store.first() > 1, "the oldest went");
        assert!(store.end() - store.first() > 50_000);
        for (from, until, most, room) in [
            (0, u64::MAX, 9, 1_000),
            (1, u64::MAX, 9, 1_000),
            (store.first() - 1, u64::MAX, 9, 1_000),
            (store.end(), u64::MAX, 9, 1_000),
            (u64::MAX, u64::MAX, 9, 1_000),
            (store.first(), store.first(), 9, 1_000),
            (store.first(), u64::MAX, 0, 1_000),
            (store.first(), u64::MAX, 9, 5),
        ] {
            assert_eq!(store.fill(from, until, most, room, &mut packet), 0, "{from} {until}");
        }
        assert!(packet.is_empty());
        assert_eq!(store.fill(store.first(), u64::MAX, 3, 1_000, &mut packet), 3);
        assert_eq!(store.fill(store.first(), store.first() + 2, 9, 1_000, &mut packet), 2);
        store.clear();
        assert_eq!((store.first(), store.end()), (1, 1));
    }
}
