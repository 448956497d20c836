//! Messages that came beyond a gap and wait until it is filled.

use spindle_types::keep;

/// A bounded number of messages, by their numbers.
#[derive(Debug)]
pub struct Queue {
    bytes: Box<[u8]>,
    used: usize,
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, keep::Value)]
struct Waiting {
    sequence: u64,
    start: usize,
    length: usize,
}

/// What waits, and the bytes up to the last that is used.
impl keep::State for Queue {
    const SHAPE: keep::Shape = keep::Shape::of("queue").shape(<Waiting as keep::Value>::SHAPE);

    fn save(&self, pen: &mut keep::Pen) {
        keep::State::save(&self.waiting, pen);
        pen.count(self.used);
        pen.raw(&self.bytes[..self.used]);
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        let wrong = keep::Unfit::new("queue", "messages that do not fit it");
        let room = self.waiting.capacity();
        keep::State::load(&mut self.waiting, reader)?;
        self.used = reader.count()?;
        let within =
            |one: &Waiting| one.start.checked_add(one.length).is_some_and(|end| end <= self.used);
        if self.waiting.len() > room || !self.waiting.iter().all(within) {
            return Err(wrong);
        }
        let place = self.bytes.get_mut(..self.used).ok_or(wrong)?;
        place.copy_from_slice(reader.raw(self.used)?);
        Ok(())
    }
}

impl Queue {
    /// Room for so many bytes and messages.
    pub fn new(bytes_max: usize, messages_max: usize) -> Self {
        Self {
            bytes: vec![0; bytes_max].into_boxed_slice(),
            used: 0,
            waiting: Vec::with_capacity(messages_max),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.used = 0;
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a message; one whose number waits already is left out. False where there is no room.
    pub fn push(&mut self, sequence: u64, message: &[u8]) -> bool {
        if self.waiting.iter().any(|waiting| waiting.sequence == sequence) {
            return true;
        }
        let (start, length) = (self.used, message.len());
        let Some(space) = self.bytes.get_mut(start..start + length) else { return false };
        if self.waiting.len() == self.waiting.capacity() {
            return false;
        }
        space.copy_from_slice(message);
        self.used += length;
        self.waiting.push(Waiting { sequence, start, length });
        true
    }

    /// Whether the message with this number waits.
    #[inline]
    pub fn has(&self, sequence: u64) -> bool {
        self.waiting.iter().any(|waiting| waiting.sequence == sequence)
    }

    /// Takes out the message with this number into `space`: how many bytes.
    pub fn take(&mut self, sequence: u64, space: &mut [u8]) -> Option<usize> {
        let at = self.waiting.iter().position(|waiting| waiting.sequence == sequence)?;
        let Waiting { start, length, .. } = self.waiting.swap_remove(at);
        let bytes = self.bytes.get(start..start + length)?;
        space.get_mut(..length)?.copy_from_slice(bytes);
        self.free();
        Some(length)
    }

    /// Forgets messages below this number.
    pub fn forget_before(&mut self, sequence: u64) {
        self.waiting.retain(|waiting| waiting.sequence >= sequence);
        self.free();
    }

    fn free(&mut self) {
        if self.waiting.is_empty() {
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_by_number_and_room_is_bounded() {
        let mut queue = Queue::new(10, 3);
        assert!(queue.push(9, b"nine"));
        assert!(queue.push(7, b"seven"));
        assert!(queue.push(9, b"again"), "it waits already");
        assert!(!queue.push(8, b"eight"), "no room for its bytes");
        assert!(queue.push(8, b"8"));
        assert!(!queue.push(10, b""), "no room for a fourth");
        let mut space = [0; 8];
        assert_eq!(queue.take(6, &mut space), None);
        assert_eq!(queue.take(7, &mut space), Some(5));
        assert_eq!(&space[..5], b"seven");
        queue.forget_before(9);
        assert!(!queue.has(8) && queue.has(9));
        assert_eq!(queue.take(9, &mut space), Some(4));
        assert!(queue.is_empty());
        assert!(queue.push(20, b"ten bytes."), "all room is free again");
    }
}
