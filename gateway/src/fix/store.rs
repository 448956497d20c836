//! The application messages that a session has sent, to be sent again when they are asked for.
//!
//! Room is taken at the start. When it is used up the oldest go, and what asks for them gets a gap
//! fill; the gateway refuses new orders before that, see [`Store::is_nearly_full`].

use std::collections::VecDeque;

use spindle_types::keep;

/// A message that was sent, without its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Sent {
    /// MsgSeqNum.
    pub sequence: u64,
    /// When it was sent first, in nanoseconds since 1970.
    pub time: u64,
    /// MsgType, of one character.
    pub msg_type: u8,
    /// Whether it carries PossResend.
    pub poss_resend: bool,
    /// How many bytes at the front of its body are OnBehalfOfCompID, which is no part of the body.
    pub behalf: u8,
    start: usize,
    length: usize,
}

/// Messages sent, by their rising numbers.
#[derive(Debug)]
pub struct Store {
    bytes: Box<[u8]>,
    sent: VecDeque<Sent>,
    messages_max: usize,
    /// Where the next message goes.
    tail: usize,
    used: usize,
    evicted: u64,
}

/// The messages that are kept, each to its place.
impl keep::State for Store {
    const SHAPE: keep::Shape = keep::Shape::of("store").shape(<Sent as keep::Value>::SHAPE);

    fn save(&self, pen: &mut keep::Pen) {
        keep::State::save(&self.sent, pen);
        self.sent.iter().for_each(|sent| pen.raw(self.body(sent)));
        keep::Value::save(&(self.tail, self.used, self.evicted), pen);
    }

    fn load(&mut self, reader: &mut keep::Reader<'_>) -> Result<(), keep::Unfit> {
        let wrong = keep::Unfit::new("store", "messages that do not fit it");
        keep::State::load(&mut self.sent, reader)?;
        if self.sent.len() > self.messages_max {
            return Err(wrong);
        }
        for sent in &self.sent {
            let end = sent.start.checked_add(sent.length).ok_or(wrong)?;
            let place = self.bytes.get_mut(sent.start..end).ok_or(wrong)?;
            place.copy_from_slice(reader.raw(sent.length)?);
        }
        (self.tail, self.used, self.evicted) = keep::Value::read(reader)?;
        let used: usize = self.sent.iter().map(|sent| sent.length).sum();
        if self.tail <= self.bytes.len() && used == self.used { Ok(()) } else { Err(wrong) }
    }
}

impl Store {
    /// Room for so many bytes and messages.
    pub fn new(bytes_max: usize, messages_max: usize) -> Self {
        Self {
            bytes: vec![0; bytes_max].into_boxed_slice(),
            sent: VecDeque::with_capacity(messages_max),
            messages_max,
            tail: 0,
            used: 0,
            evicted: 0,
        }
    }

    /// Touches its memory once. Nothing is kept yet.
    pub fn warm_up(&mut self) {
        // Another value than the one that is there: a write of the same could be left out.
        self.bytes.fill(b' ');
        let nothing = Sent {
            sequence: 0,
            time: 0,
            msg_type: 0,
            poss_resend: false,
            behalf: 0,
            start: 0,
            length: 0,
        };
        self.sent.resize(self.messages_max, nothing);
        self.sent.clear();
    }

    /// Forgets everything: numbers begin anew.
    pub fn clear(&mut self) {
        self.sent.clear();
        (self.tail, self.used) = (0, 0);
    }

    /// Whether more than seven eighths of the room are used: what remains is for answers to what is
    /// open.
    #[inline]
    pub fn is_nearly_full(&self) -> bool {
        self.used >= self.bytes.len() / 8 * 7 || self.sent.len() >= self.messages_max / 8 * 7
    }

    /// Bytes of the messages that are kept.
    pub const fn used_bytes(&self) -> u64 {
        self.used as u64
    }

    /// Messages that had to go for newer ones.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Keeps a message; its number is above all before. A body that is larger than all room is not
    /// kept.
    #[inline]
    pub fn push(&mut self, sequence: u64, time: u64, msg_type: u8, poss_resend: bool, body: &[u8]) {
        self.push_for(sequence, time, msg_type, poss_resend, 0, body);
    }

    /// The same, where the first `behalf` bytes of `body` are OnBehalfOfCompID.
    #[inline]
    pub fn push_for(
        &mut self,
        sequence: u64,
        time: u64,
        msg_type: u8,
        poss_resend: bool,
        behalf: u8,
        body: &[u8],
    ) {
        let length = body.len();
        if length >= self.bytes.len() || self.messages_max == 0 {
            return;
        }
        while self.sent.len() >= self.messages_max {
            self.evict();
        }
        let start = self.make_room(length);
        self.bytes[start..start + length].copy_from_slice(body);
        self.tail = start + length;
        self.used += length;
        let sent = Sent { sequence, time, msg_type, poss_resend, behalf, start, length };
        self.sent.push_back(sent);
    }

    /// A place for `length` bytes in one piece, which is less than all room.
    #[inline]
    fn make_room(&mut self, length: usize) -> usize {
        loop {
            let Some(head) = self.sent.front().map(|sent| sent.start) else {
                return 0;
            };
            if self.tail > head {
                if length <= self.bytes.len() - self.tail {
                    return self.tail;
                }
                if length < head {
                    return 0;
                }
            } else if length < head - self.tail {
                return self.tail;
            }
            self.evict();
        }
    }

    #[cold]
    fn evict(&mut self) {
        if let Some(oldest) = self.sent.pop_front() {
            self.used -= oldest.length;
            self.evicted += 1;
        }
    }

    /// The first message with this number or a higher one.
    #[inline]
    pub fn from(&self, sequence: u64) -> Option<Sent> {
        let at = self.sent.partition_point(|sent| sent.sequence < sequence);
        self.sent.get(at).copied()
    }

    /// The body of a message that [`Store::from`] gave.
    #[inline]
    pub fn body(&self, sent: &Sent) -> &[u8] {
        self.bytes.get(sent.start..sent.start + sent.length).unwrap_or_default()
    }

    /// Bytes of the messages from this number on, or so many that are more than `enough`.
    pub fn bytes_from(&self, sequence: u64, enough: usize) -> usize {
        let mut bytes = 0;
        for sent in self.sent.iter().rev().take_while(|sent| sent.sequence >= sequence) {
            bytes += sent.length;
            if bytes > enough {
                break;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The naive twin is a list of all that was ever kept: what the store still has is its end,
        /// byte for byte.
        #[test]
        fn what_is_kept_is_the_end_of_what_came(
            lengths in prop::collection::vec(0_usize..40, 0..200),
            bytes_max in 41_usize..300,
            messages_max in 1_usize..20,
        ) {
            let mut store = Store::new(bytes_max, messages_max);
            let mut twin = Vec::new();
            for (number, length) in (1_u8..).zip(&lengths) {
                let body = vec![number; *length];
                let sequence = u64::from(number) * 2;
                store.push(sequence, 7, b'8', false, &body);
                twin.push((sequence, body));
                let kept = store.sent.len();
                prop_assert!(kept >= 1 && kept <= messages_max);
                for (sequence, body) in &twin[twin.len() - kept..] {
                    let found = store.from(*sequence - 1).expect("kept");
                    prop_assert_eq!(found.sequence, *sequence);
                    prop_assert_eq!(store.body(&found), body.as_slice());
                }
                prop_assert_eq!(store.evicted(), (twin.len() - kept) as u64);
                let used: usize = twin[twin.len() - kept..].iter().map(|(_, body)| body.len()).sum();
                prop_assert_eq!(store.used, used);
                prop_assert_eq!(store.bytes_from(0, usize::MAX), used);
            }
        }
    }

    #[test]
    fn numbers_without_a_message_lead_to_the_next() {
        let mut store = Store::new(1_000, 10);
        store.push(3, 1, b'8', false, b"three");
        store.push(6, 1, b'8', true, b"six");
        assert_eq!(store.from(1).map(|sent| sent.sequence), Some(3));
        assert_eq!(store.from(4).map(|sent| sent.sequence), Some(6));
        assert_eq!(store.from(7), None);
        store.clear();
        assert_eq!(store.from(1), None);
        assert!(!store.is_nearly_full());
    }
}
