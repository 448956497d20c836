//! The chain of optional values at the end of a message.
//!
//! Each value is a length byte, a tag byte and the value; the length counts the tag and the value.

use thiserror::Error;

use super::tag::{Tag, TagSet, number};

/// Most bytes that the tags of one message can take up, each once: what a writer holds.
pub const APPENDAGE_MAX: usize = 160;

const _: () = {
    let mut all = 0;
    let mut at = 0;
    while at < Tag::ALL.len() {
        all += 2 + Tag::ALL[at].size();
        at += 1;
    }
    assert!(all <= APPENDAGE_MAX, "a writer holds every tag once");
};

/// Where the lengths in a chain do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrokenChain {
    /// A length of 0, which leaves no room for a tag.
    #[error("length 0 at byte {at}; it counts the tag and is at least 1")]
    Empty {
        /// Byte of the length within the chain.
        at: usize,
    },
    /// A value that runs past the end.
    #[error("length {length} at byte {at}; only {left} bytes follow")]
    Long {
        /// Byte of the length within the chain.
        at: usize,
        /// The length.
        length: usize,
        /// Bytes after it.
        left: usize,
    },
}

/// What is wrong with the content of a chain, the first thing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TagError {
    /// A number that no tag has.
    #[error("unknown option {0}")]
    Unknown(u8),
    /// A tag that this message does not carry.
    #[error("option {0} is not allowed on this message")]
    NotAllowed(Tag),
    /// A tag for the second time.
    #[error("option {0} stands twice")]
    Duplicate(Tag),
    /// A value of the wrong size.
    #[error("option {tag} has {got} bytes; it has {}", .tag.size())]
    Size {
        /// The tag.
        tag: Tag,
        /// Bytes of the value.
        got: usize,
    },
    /// A value that the tag does not have.
    #[error("option {0} has a value outside its set")]
    Value(Tag),
}

impl TagError {
    /// The number of the tag.
    pub const fn number(self) -> u8 {
        match self {
            Self::Unknown(number) => number,
            Self::NotAllowed(tag)
            | Self::Duplicate(tag)
            | Self::Size { tag, .. }
            | Self::Value(tag) => tag as u8,
        }
    }
}

/// One optional value as it stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagValue<'a> {
    /// The number of the tag, known or not.
    pub number: u8,
    /// Its value.
    pub value: &'a [u8],
}

impl TagValue<'_> {
    /// The tag; `None` where the number is unassigned.
    #[inline]
    pub const fn tag(&self) -> Option<Tag> {
        Tag::from_number(self.number)
    }

    /// The value as a big-endian number; of more than eight bytes the last eight.
    #[inline]
    pub fn as_number(&self) -> u64 {
        number(self.value)
    }
}

/// A chain whose lengths add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appendage<'a>(Option<&'a [u8]>);

impl<'a> Appendage<'a> {
    /// Not even a length field.
    pub const ABSENT: Self = Self(None);

    /// A length field of 0.
    pub const EMPTY: Self = Self(Some(&[]));

    /// Checks the lengths of a chain.
    ///
    /// # Errors
    /// The first length that does not fit.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BrokenChain> {
        let mut rest = bytes;
        while let Some((&length, following)) = rest.split_first() {
            let at = bytes.len() - rest.len();
            let (length, left) = (usize::from(length), following.len());
            if length == 0 {
                return Err(BrokenChain::Empty { at });
            }
            rest = following.get(length..).ok_or(BrokenChain::Long { at, length, left })?;
        }
        Ok(Self(Some(bytes)))
    }

    /// Whether there was no length field.
    #[inline]
    pub const fn is_absent(self) -> bool {
        self.0.is_none()
    }

    /// The chain on the wire, without its length field.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0.unwrap_or_default()
    }

    /// The length field on the wire.
    pub fn length_field(self) -> [u8; 2] {
        // A chain that came with a length field fits it, and a writer's is far shorter.
        u16::try_from(self.as_bytes().len()).unwrap_or(u16::MAX).to_be_bytes()
    }

    /// The values, in the order in which they stand, unknown ones included.
    #[inline]
    pub fn iter(self) -> TagValues<'a> {
        TagValues { rest: self.as_bytes() }
    }

    /// The first value of this tag.
    pub fn get(self, tag: Tag) -> Option<TagValue<'a>> {
        self.iter().find(|found| found.number == tag as u8)
    }

    /// Checks the content strictly: known tags, allowed on the message, each once, with the right
    /// size and a value that the tag can have.
    ///
    /// # Errors
    /// The first value that is none of this.
    #[inline]
    pub fn check(self, allowed: TagSet) -> Result<(), TagError> {
        let mut seen = TagSet::EMPTY;
        for TagValue { number, value } in self.iter() {
            let tag = Tag::from_number(number).ok_or(TagError::Unknown(number))?;
            if !allowed.contains(tag) {
                return Err(TagError::NotAllowed(tag));
            }
            if !seen.insert(tag) {
                return Err(TagError::Duplicate(tag));
            }
            if value.len() != tag.size() {
                return Err(TagError::Size { tag, got: value.len() });
            }
            if !tag.admits(value) {
                return Err(TagError::Value(tag));
            }
        }
        Ok(())
    }
}

/// The values of a chain.
#[derive(Clone, Debug)]
pub struct TagValues<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for TagValues<'a> {
    type Item = TagValue<'a>;

    #[inline]
    fn next(&mut self) -> Option<TagValue<'a>> {
        let (&length, rest) = self.rest.split_first()?;
        let (entry, rest) = rest.split_at_checked(usize::from(length))?;
        let (&number, value) = entry.split_first()?;
        self.rest = rest;
        Some(TagValue { number, value })
    }
}

/// Why a writer did not take a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The tag stands in the chain already.
    #[error("option {0} stands in the chain already")]
    Duplicate(Tag),
    /// The value is none that the tag can have.
    #[error("the value is none that option {0} can have")]
    Value(Tag),
}

/// Builds a chain, without allocation.
#[derive(Clone, Copy, Debug)]
pub struct AppendageWriter {
    bytes: [u8; APPENDAGE_MAX],
    length: usize,
    seen: TagSet,
}

impl Default for AppendageWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl AppendageWriter {
    /// An empty chain.
    pub const fn new() -> Self {
        Self { bytes: [0; APPENDAGE_MAX], length: 0, seen: TagSet::EMPTY }
    }

    /// Appends a value. Every tag fits, since each can be there once.
    ///
    /// # Errors
    /// A tag for the second time, or a value that the tag cannot have; nothing is appended then.
    pub fn push(&mut self, tag: Tag, value: &[u8]) -> Result<&mut Self, WriteError> {
        if !tag.admits(value) {
            return Err(WriteError::Value(tag));
        }
        if !self.seen.insert(tag) {
            return Err(WriteError::Duplicate(tag));
        }
        let length = u8::try_from(value.len() + 1).map_err(|_| WriteError::Value(tag))?;
        self.bytes[self.length] = length;
        self.bytes[self.length + 1] = tag as u8;
        self.bytes[self.length + 2..][..value.len()].copy_from_slice(value);
        self.length += 2 + value.len();
        Ok(self)
    }

    /// The chain so far.
    pub fn appendage(&self) -> Appendage<'_> {
        Appendage(Some(&self.bytes[..self.length]))
    }

    /// The value of the message's length field.
    pub fn length(&self) -> u16 {
        u16::from_be_bytes(self.appendage().length_field())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::allowed;
    use super::*;
    use crate::testing::bytes;

    #[test]
    fn a_real_chain_is_read_and_written() {
        let chain = bytes("05024c494d45021c05");
        let appendage = Appendage::parse(&chain).expect("a chain");
        let values: Vec<_> = appendage.iter().collect();
        assert_eq!(values.len(), 2);
        assert_eq!((values[0].tag(), values[0].value), (Some(Tag::Firm), &b"LIME"[..]));
        assert_eq!((values[1].tag(), values[1].as_number()), (Some(Tag::UserRefIdx), 5));
        assert_eq!(appendage.check(allowed::ENTER), Ok(()));

        let mut writer = AppendageWriter::new();
        writer.push(Tag::Firm, b"LIME").expect("a firm");
        writer.push(Tag::UserRefIdx, &[5]).expect("a channel");
        assert_eq!(writer.appendage(), appendage);
        assert_eq!(writer.length(), 9);
        assert_eq!(writer.push(Tag::Firm, b"LIME").err(), Some(WriteError::Duplicate(Tag::Firm)));
        assert_eq!(writer.push(Tag::Side, b"X").err(), Some(WriteError::Value(Tag::Side)));
        assert_eq!(writer.length(), 9);
    }

    #[test]
    fn broken_chains_are_refused_with_the_byte() {
        let broken = |hex: &str| Appendage::parse(&bytes(hex)).expect_err(hex);
        assert_eq!(broken("00"), BrokenChain::Empty { at: 0 });
        assert_eq!(broken("021c0500"), BrokenChain::Empty { at: 3 });
        assert_eq!(broken("021c"), BrokenChain::Long { at: 0, length: 2, left: 1 });
        assert_eq!(broken("05"), BrokenChain::Long { at: 0, length: 5, left: 0 });
        assert_eq!(broken("021c05ff"), BrokenChain::Long { at: 3, length: 255, left: 0 });
    }

    #[test]
    fn content_is_checked_strictly() {
        let check = |hex: &str| {
            let chain = bytes(hex);
            Appendage::parse(&chain).expect(hex).check(allowed::ENTER)
        };
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("020c50"), Ok(()));
        assert_eq!(check("0108"), Err(TagError::Unknown(8)));
        assert_eq!(check("021b42"), Err(TagError::NotAllowed(Tag::Side)));
        assert_eq!(check("020c50020c50"), Err(TagError::Duplicate(Tag::PostOnly)));
        assert_eq!(check("030c5050"), Err(TagError::Size { tag: Tag::PostOnly, got: 2 }));
        assert_eq!(check("010c"), Err(TagError::Size { tag: Tag::PostOnly, got: 0 }));
        assert_eq!(check("020c51"), Err(TagError::Value(Tag::PostOnly)));
        assert_eq!(TagError::Unknown(8).number(), 8);
        assert_eq!(
            TagError::Size { tag: Tag::Firm, got: 3 }.to_string(),
            "option Firm (2) has 3 bytes; it has 4"
        );
    }
}
