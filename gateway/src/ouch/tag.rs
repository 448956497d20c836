//! The optional values: their numbers, sizes, values, and on which messages they may stand.

use spindle_types::keep;
use std::fmt;

macro_rules! tags {
    ($( $(#[$doc:meta])* $name:ident = $number:literal, $size:literal; )*) => {
        /// An optional value of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Tag {
            $( $(#[$doc])* $name = $number, )*
        }

        impl Tag {
            /// Every tag.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The tag with this number; `None` for unassigned ones.
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $( $number => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// Bytes of its value.
            #[inline]
            pub const fn size(self) -> usize {
                match self {
                    $( Self::$name => $size, )*
                }
            }

            /// The name in messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$name => stringify!($name), )*
                }
            }
        }
    };
}

tags! {
    /// u64: the reference shown in market data when it differs.
    SecondaryOrderReference = 1, 8;
    /// Four capitals; blank is the port's default.
    Firm = 2, 4;
    /// u32: least shares of one execution; 0 none.
    MinQuantity = 3, 4;
    /// R retail designated, N not, space is the port's default.
    CustomerType = 4, 1;
    /// u32: displayed part; 0 none.
    MaxFloor = 5, 4;
    /// L limit, P market peg, R primary peg, M midpoint peg, Q market maker peg, m midpoint.
    PriceType = 6, 1;
    /// Signed price.
    PegOffset = 7, 4;
    /// Price; 0 none.
    DiscretionPrice = 9, 8;
    /// L, P, M or R.
    DiscretionPriceType = 10, 1;
    /// Signed price.
    DiscretionPegOffset = 11, 4;
    /// P yes, N no.
    PostOnly = 12, 1;
    /// u32 shares; 0 none.
    RandomReserves = 13, 4;
    /// Where to.
    Route = 14, 4;
    /// u32 seconds, below 86,400; with time in force 6.
    ExpireTime = 15, 4;
    /// Y, N, or space for the port's default.
    TradeNow = 16, 1;
    /// I, O, T, Q, B, D, R or space for none.
    HandleInstruction = 17, 1;
    /// Outbound only: where the order stood to the best bid and offer.
    BboWeight = 18, 1;
    /// u32, in Restated only.
    DisplayQuantity = 22, 4;
    /// Price, in Restated only.
    DisplayPrice = 23, 8;
    /// u16; 0 none.
    GroupId = 24, 2;
    /// Y or N.
    SharesLocated = 25, 1;
    /// 1.05: who lends.
    LocateBroker = 26, 4;
    /// 1.05: B, S, T or E.
    Side = 27, 1;
    /// 1.05: channel of the account; 0 is the default.
    UserRefIdx = 28, 1;
    /// 1.05: what happens when own orders meet.
    AiqStrategy = 29, 1;
    /// 1.05: two characters; `**` is the port's default.
    AiqGroup = 30, 2;
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), *self as u8)
    }
}

impl Tag {
    /// Whether a value is one that the tag can have. The size must be right already; wrong sizes
    /// are no value of any tag.
    pub fn admits(self, value: &[u8]) -> bool {
        if value.len() != self.size() {
            return false;
        }
        match self {
            Self::CustomerType => one_of(value, b"RN "),
            Self::PriceType => one_of(value, b"LPRMQm"),
            Self::DiscretionPriceType => one_of(value, b"LPMR"),
            Self::PostOnly => one_of(value, b"PN"),
            Self::ExpireTime => number(value) < 86_400,
            Self::TradeNow => one_of(value, b"YN "),
            Self::HandleInstruction => one_of(value, b"IOTQBDR "),
            Self::BboWeight => one_of(value, b"0123SN "),
            Self::SharesLocated => one_of(value, b"YN"),
            Self::Side => one_of(value, b"BSTE"),
            Self::AiqStrategy => one_of(value, b"YDOWRydowrZEPXS01245*N"),
            Self::Firm => value.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b' ')),
            Self::Route | Self::LocateBroker | Self::AiqGroup => {
                value.iter().all(|byte| matches!(byte, 0x20..=0x7e))
            }
            Self::SecondaryOrderReference
            | Self::MinQuantity
            | Self::MaxFloor
            | Self::PegOffset
            | Self::DiscretionPrice
            | Self::DiscretionPegOffset
            | Self::RandomReserves
            | Self::DisplayQuantity
            | Self::DisplayPrice
            | Self::GroupId
            | Self::UserRefIdx => true,
        }
    }
}

fn one_of(value: &[u8], set: &[u8]) -> bool {
    value.first().is_some_and(|byte| set.contains(byte))
}

/// A value of up to eight bytes as a big-endian number.
pub(super) fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// A set of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct TagSet(u32);

impl TagSet {
    /// No tags.
    pub const EMPTY: Self = Self(0);

    /// These tags.
    pub const fn of(tags: &[Tag]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < tags.len() {
            bits |= 1 << tags[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Whether the tag is in the set.
    #[inline]
    pub const fn contains(self, tag: Tag) -> bool {
        self.0 & (1 << tag as u32) != 0
    }

    /// Adds a tag; false when it was there already.
    #[inline]
    pub const fn insert(&mut self, tag: Tag) -> bool {
        let fresh = !self.contains(tag);
        self.0 |= 1 << tag as u32;
        fresh
    }
}

/// The tags that each message may carry, the superset of both editions.
pub mod allowed {
    use super::Tag::{
        AiqGroup, AiqStrategy, CustomerType, DiscretionPegOffset, DiscretionPrice,
        DiscretionPriceType, ExpireTime, Firm, GroupId, HandleInstruction, LocateBroker, MaxFloor,
        MinQuantity, PegOffset, PostOnly, PriceType, RandomReserves, Route, SharesLocated, Side,
        TradeNow, UserRefIdx,
    };
    use super::TagSet;

    /// Enter order. Route is of 2023 only, 26 and 28 to 30 of 1.05 only.
    pub const ENTER: TagSet = TagSet::of(&[
        Firm,
        MinQuantity,
        CustomerType,
        MaxFloor,
        PriceType,
        PegOffset,
        DiscretionPrice,
        DiscretionPriceType,
        DiscretionPegOffset,
        PostOnly,
        RandomReserves,
        Route,
        ExpireTime,
        TradeNow,
        HandleInstruction,
        GroupId,
        SharesLocated,
        LocateBroker,
        UserRefIdx,
        AiqStrategy,
        AiqGroup,
    ]);
    /// Replace order. CustomerType and GroupId are of 2023 only, 26 to 30 of 1.05 only.
    pub const REPLACE: TagSet = TagSet::of(&[
        MinQuantity,
        CustomerType,
        MaxFloor,
        PriceType,
        PegOffset,
        DiscretionPrice,
        DiscretionPriceType,
        DiscretionPegOffset,
        PostOnly,
        RandomReserves,
        ExpireTime,
        TradeNow,
        HandleInstruction,
        GroupId,
        SharesLocated,
        LocateBroker,
        Side,
        UserRefIdx,
        AiqStrategy,
        AiqGroup,
    ]);
    /// Modify order (1.05).
    pub const MODIFY: TagSet = TagSet::of(&[SharesLocated, LocateBroker, UserRefIdx]);
    /// Mass cancel (1.05).
    pub const MASS_CANCEL: TagSet = TagSet::of(&[GroupId, Side, UserRefIdx]);
    /// Cancel, disable, enable and account query (1.05).
    pub const CHANNEL_ONLY: TagSet = TagSet::of(&[UserRefIdx]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_are_those_of_the_table() {
        let table: [(u8, usize); 26] = [
            (1, 8),
            (2, 4),
            (3, 4),
            (4, 1),
            (5, 4),
            (6, 1),
            (7, 4),
            (9, 8),
            (10, 1),
            (11, 4),
            (12, 1),
            (13, 4),
            (14, 4),
            (15, 4),
            (16, 1),
            (17, 1),
            (18, 1),
            (22, 4),
            (23, 8),
            (24, 2),
            (25, 1),
            (26, 4),
            (27, 1),
            (28, 1),
            (29, 1),
            (30, 2),
        ];
        assert_eq!(Tag::ALL.len(), table.len());
        for (number, size) in table {
            let tag = Tag::from_number(number).expect("assigned");
            assert_eq!((tag as u8, tag.size()), (number, size), "{tag}");
        }
        for number in [0, 8, 19, 20, 21, 31, 255] {
            assert_eq!(Tag::from_number(number), None);
        }
        assert_eq!(Tag::PegOffset.to_string(), "PegOffset (7)");
    }

    #[test]
    fn values_outside_their_set_are_not_admitted() {
        assert!(Tag::PostOnly.admits(b"P"));
        assert!(!Tag::PostOnly.admits(b"Y"));
        assert!(!Tag::PostOnly.admits(b"PP"));
        assert!(!Tag::PostOnly.admits(b""));
        assert!(Tag::Firm.admits(b"LIME"));
        assert!(!Tag::Firm.admits(b"lime"));
        assert!(Tag::ExpireTime.admits(&86_399_u32.to_be_bytes()));
        assert!(!Tag::ExpireTime.admits(&86_400_u32.to_be_bytes()));
    }
}
