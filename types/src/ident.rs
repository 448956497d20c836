//! Identifiers. Each is a type of its own, so that none can be taken for another.

use std::fmt;

use crate::keep;

macro_rules! ident {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, keep::Value)]
        pub struct $name(pub $raw);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

ident!(
    /// An instrument within one engine: an index into its tables. For a feed in ITCH 5.0 it is the
    /// stock locate code of the day. 0 is "no instrument".
    InstrumentId(u16)
);
ident!(
    /// The venue's reference number of a displayed order, unique within the day: the number in
    /// ITCH and OUCH.
    OrderReference(u64)
);
ident!(
    /// The number by which a session names its order towards the engine, unique within the
    /// session and the day. For OUCH it is the UserRefNum.
    OrderToken(u32)
);
ident!(
    /// The number that both sides of one execution share, unique within the day.
    MatchNumber(u64)
);
ident!(
    /// A trading account: the unit that limits, positions and self-trade prevention refer to.
    AccountId(u16)
);
ident!(
    /// An order-entry session of the gateway.
    SessionId(u16)
);
ident!(
    /// The number of a message in a sequenced stream; the first is 1.
    Sequence(u64)
);

impl InstrumentId {
    /// The instrument as an index into a table.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl AccountId {
    /// The account as an index into a table.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl SessionId {
    /// The session as an index into a table.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The side of the book on which an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
#[repr(u8)]
pub enum Side {
    /// Buy: bids.
    Buy = 0,
    /// Sell, short or not: asks.
    Sell = 1,
}

impl Side {
    /// The other side.
    #[inline]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// 0 for buy, 1 for sell.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `buy` or `sell`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}
