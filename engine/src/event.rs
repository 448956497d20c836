//! What the engine answers: the plain values that travel from it to a gateway.

use spindle_feed::event::{Cross, Phase, TradingState};
use spindle_feed::state::{Imbalance, Reason, StateChange};
use spindle_risk::Check;
use spindle_types::{
    AccountId, EventTime, MatchNumber, OrderReference, OrderToken, Price, Quantity, SessionId,
    Side, Symbol, keep,
};

use crate::command::{Attributes, OrderSide, TimeInForce};

/// Something that happened to an order, told to the session that entered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Event {
    /// The number of this event in the engine's stream, from 1, without gaps.
    pub sequence: u64,
    /// When it happened, in the engine's sequenced time.
    pub time: EventTime,
    /// Who is told.
    pub session: SessionId,
    /// Whose order.
    pub account: AccountId,
    /// The session's number for the order.
    pub token: OrderToken,
    /// When the bytes of the request behind this event were read from the socket, in raw ticks; 0
    /// for what no request of this session caused.
    pub received: u64,
    /// When the event was put into the ring, in raw ticks; 0 where nobody measures.
    pub queued: u64,
    /// What happened.
    pub outcome: Outcome,
}

impl Event {
    /// What is written where nothing has happened yet.
    pub const NOTHING: Self = Self {
        sequence: 0,
        time: EventTime(0),
        session: SessionId(0),
        account: AccountId(0),
        token: OrderToken(0),
        received: 0,
        queued: 0,
        outcome: Outcome::CancelRejected,
    };
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Outcome {
    /// The order is accepted. When `live` is false it was cancelled in the same step and nothing
    /// more follows.
    Accepted {
        /// The venue's number for it.
        reference: OrderReference,
        /// The instrument.
        symbol: Symbol,
        /// As entered.
        side: OrderSide,
        /// Shares.
        quantity: Quantity,
        /// The limit; `None` is a market order.
        limit: Option<Price>,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// Whether it is open after this.
        live: bool,
        /// What the client wrote.
        attributes: Attributes,
    },
    /// The request is refused; nothing changed.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// What would have been allowed, in the reason's unit; 0 where it has none.
        limit: u64,
        /// What was asked, in the reason's unit; 0 where it has none.
        observed: u64,
        /// What the client wrote.
        attributes: Attributes,
    },
    /// What a check of an order found: nothing has changed.
    Checked {
        /// Why the order would be refused; `None` where it would be accepted.
        refused: Option<RejectReason>,
        /// What would have been allowed, in the reason's unit; 0 where it has none. Where the order would be accepted,
        /// 0.
        limit: u64,
        /// What was asked, in the reason's unit; 0 where it has none. Where the order would be
        /// accepted, the price at which each share would be valued.
        observed: u64,
    },
    /// The original is gone and this order, under its new token, stands instead.
    Replaced {
        /// The session's number for the original.
        original: OrderToken,
        /// The venue's number for the new order.
        reference: OrderReference,
        /// The instrument.
        symbol: Symbol,
        /// Side of the first order of the chain.
        side: OrderSide,
        /// Open shares now.
        quantity: Quantity,
        /// The limit; `None` is a market order.
        limit: Option<Price>,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// What the client wrote on the replacement, and where its protocol has no place for it,
        /// what it wrote on the original.
        attributes: Attributes,
    },
    /// Shares were taken off.
    Canceled {
        /// How many, now.
        quantity: Quantity,
        /// Shares still open.
        open: Quantity,
        /// Why.
        reason: CancelReason,
    },
    /// Side or size of an order were changed in its place.
    Modified {
        /// Its side now.
        side: OrderSide,
        /// Shares taken off, now; may be 0.
        quantity: Quantity,
        /// Shares still open; never 0.
        open: Quantity,
    },
    /// Shares were executed.
    Executed {
        /// How many, now.
        quantity: Quantity,
        /// At which price.
        price: Price,
        /// Shares still open.
        open: Quantity,
        /// Whether the order stood or came.
        liquidity: Liquidity,
        /// The number that both sides share.
        match_number: MatchNumber,
        /// The order of the recorded market behind it: the one that was taken from, that arrived,
        /// that the tape executed, or that it was paired with in an auction. `None` between two
        /// strategies, and for a hidden trade, of which the tape names no order.
        tape: Option<OrderReference>,
        /// What the execution rests on.
        basis: Basis,
    },
    /// A stop was elected and now enters as a new order would.
    Triggered,
    /// A mass cancel has been carried out.
    MassCanceled {
        /// Orders that it cancelled.
        orders: u32,
    },
    /// To everybody: what an auction would give if it were held now. Told while orders are
    /// collected, whenever it changes.
    Indicative {
        /// The instrument.
        symbol: Symbol,
        /// What it would give; [`Figures::NONE`] where nothing would trade.
        figures: Figures,
    },
    /// To everybody: an auction is held in which something trades. Told before its trades.
    Auction {
        /// The instrument.
        symbol: Symbol,
        /// Which auction.
        kind: Auction,
        /// Price, shares and what stays unmatched.
        figures: Figures,
    },
    /// To everybody: what the tape says its next cross would give. Told where strategies' orders wait
    /// for that cross.
    TapeImbalance {
        /// The instrument.
        symbol: Symbol,
        /// What it would give.
        imbalance: Imbalance,
    },
    /// To everybody: a state has changed, of an instrument or of the whole market.
    State {
        /// The instrument; blank where it is the whole market.
        symbol: Symbol,
        /// What has changed.
        change: Change,
    },
    /// A cancel that did nothing: the order is unknown or no longer open, or the cancel takes
    /// nothing off. OUCH says nothing in this case, FIX sends OrderCancelReject.
    CancelRejected,
    /// A replace of an order that is unknown or no longer open, or with a number already used. The
    /// event's token is the number of the replacement, which stays unused. OUCH says nothing in
    /// this case, FIX sends OrderCancelReject.
    ReplaceRejected {
        /// The order that was to be replaced.
        original: OrderToken,
    },
}

impl Outcome {
    /// Whether this is told to everybody: session, account and token of the event then mean nobody.
    #[inline]
    pub const fn is_public(&self) -> bool {
        matches!(
            self,
            Self::Indicative { .. }
                | Self::Auction { .. }
                | Self::TapeImbalance { .. }
                | Self::State { .. }
        )
    }
}

/// What an execution rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub enum Basis {
    /// Orders that stood or came in sight: of strategies, or the tape's displayed queue.
    #[default]
    Queue,
    /// The assumption that a hidden trade of the tape would have met the order first.
    Hidden,
    /// The assumption that the order would have had its place in this cross of the tape.
    Cross(Cross),
}

impl Basis {
    /// Whether it is an assumption.
    pub const fn is_assumed(self) -> bool {
        !matches!(self, Self::Queue)
    }
}

/// A state that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Change {
    /// Whether the tape trades an instrument.
    Trading {
        /// The state.
        state: TradingState,
        /// Why, where the tape says.
        reason: Reason,
    },
    /// Another state that the tape tells of an instrument or of the whole market.
    Tape(StateChange),
    /// The phase of the tape's day.
    Day(Phase),
    /// The book of an instrument, or of all where no symbol is told, is not known to be the
    /// market's any more: orders are refused, and what stands is neither filled nor lost.
    Stale(StaleCause),
    /// The instrument's market has become absurd, or is sound again: see
    /// [`Engine::watch`](crate::Engine::watch).
    Quarantine {
        /// Whether it is absurd.
        entered: bool,
    },
}

/// Why a book is not known to be the market's any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum StaleCause {
    /// The tape did something with an order that it never showed.
    UnknownOrder,
    /// The tape took more shares off an order than it had shown of it: it had more than was seen.
    Excess,
    /// The tape added an order under a reference that lives or that no venue gives, or without
    /// shares.
    Duplicate,
    /// A table of this venue is full.
    Capacity,
    /// Messages were lost.
    Loss,
}

impl StaleCause {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownOrder => "unknown_order",
            Self::Excess => "excess",
            Self::Duplicate => "duplicate",
            Self::Capacity => "capacity",
            Self::Loss => "loss",
        }
    }
}

/// The figures of an auction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Figures {
    /// The price; `None` where nothing trades, and all else is then 0.
    pub price: Option<Price>,
    /// Shares that trade.
    pub quantity: u64,
    /// Shares at the price or better that find nobody.
    pub imbalance: u64,
    /// On which side; `None` where there are none.
    pub side: Option<Side>,
}

impl Figures {
    /// Nothing trades.
    pub const NONE: Self = Self { price: None, quantity: 0, imbalance: 0, side: None };
}

/// Which auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Auction {
    /// From `pre_open` to `continuous`.
    Opening,
    /// From any other phase to `continuous`.
    Halt,
    /// From `pre_close` to `closed`.
    Closing,
}

impl Auction {
    /// The name in logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Halt => "halt",
            Self::Closing => "closing",
        }
    }
}

/// Why an instrument does not enter a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseRefusal {
    /// The tape's day is over.
    Closed,
    /// The book has a gap: what it shows is not the market.
    Stale,
    /// The tape does not trade the instrument.
    Halted,
    /// The venue's own market centre has stopped trading it.
    OperationalHalt,
    /// The auction's price would lie outside the tape's collar.
    OutsideCollar,
}

impl PhaseRefusal {
    /// The name in logs, tables and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Stale => "stale",
            Self::Halted => "halted",
            Self::OperationalHalt => "operational_halt",
            Self::OutsideCollar => "outside_collar",
        }
    }
}

/// Whether an order added liquidity to the book or removed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Liquidity {
    /// It stood in the book.
    Added,
    /// It came and took.
    Removed,
}

/// Why shares were cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum CancelReason {
    /// The session asked.
    UserRequest,
    /// What did not execute at once.
    ImmediateOrCancel,
    /// The details of a replace were invalid; the original is cancelled.
    InvalidReplace,
    /// A market order reached the end of what its protection price allows.
    Protection,
    /// What is left of the order found no room in the book.
    Capacity,
    /// The day is over.
    EndOfDay,
    /// A market order found the other side empty.
    NoLiquidity,
    /// Not all of it could execute at once.
    FillOrKill,
    /// Less than its minimum could execute at once.
    MinimumQuantity,
    /// It would have traded with an order of its own group.
    SelfTrade,
    /// Its time has come.
    Expired,
    /// The auction that it was for is over.
    AuctionOver,
    /// A mass cancel meant it.
    MassCancel,
    /// Its account, session or firm was stopped, or everybody was.
    Killed,
    /// A stop that was triggered does not pass this check of the risk gate.
    Risk(Check),
}

impl CancelReason {
    /// The name in logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserRequest => "user_request",
            Self::ImmediateOrCancel => "immediate_or_cancel",
            Self::InvalidReplace => "invalid_replace",
            Self::Protection => "protection",
            Self::Capacity => "capacity",
            Self::EndOfDay => "end_of_day",
            Self::NoLiquidity => "no_liquidity",
            Self::FillOrKill => "fill_or_kill",
            Self::MinimumQuantity => "minimum_quantity",
            Self::SelfTrade => "self_trade",
            Self::Expired => "expired",
            Self::AuctionOver => "auction_over",
            Self::MassCancel => "mass_cancel",
            Self::Killed => "killed",
            Self::Risk(check) => check.name(),
        }
    }
}

/// A field of an order, for refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Field {
    /// The limit.
    Limit,
    /// The stop price, or the distance at which it follows.
    Stop,
    /// The time in force.
    TimeInForce,
    /// The display size.
    Display,
    /// Hidden.
    Hidden,
    /// Post-only.
    PostOnly,
    /// The minimum quantity.
    Minimum,
}

impl Field {
    /// The name in logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Stop => "stop",
            Self::TimeInForce => "time_in_force",
            Self::Display => "display",
            Self::Hidden => "hidden",
            Self::PostOnly => "post_only",
            Self::Minimum => "minimum",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum RejectReason {
    /// No instrument has this symbol.
    UnknownInstrument,
    /// The instrument is halted or paused.
    Halted,
    /// The venue's own market centre has stopped trading the instrument.
    OperationalHalt,
    /// A short sale in an instrument whose short sales are restricted: limit is the best bid, above
    /// which it must be priced, observed its own limit, 0 where it has none.
    ShortSale,
    /// The instrument's book has a gap: what it shows is not the market.
    Stale,
    /// The instrument's market is absurd: crossed, or far from where it was a moment ago.
    Quarantined,
    /// The venue takes no orders any more today.
    Closed,
    /// 0, or more than the protocol allows.
    InvalidQuantity,
    /// 0, above the protocol's highest, or off the tick.
    InvalidPrice,
    /// A side that the protocol does not know.
    InvalidSide,
    /// A time in force that the protocol does not know or the venue does not offer.
    InvalidTimeInForce,
    /// A display instruction that the venue does not offer.
    InvalidDisplay,
    /// A cross that the venue does not offer.
    InvalidCross,
    /// A capacity, ISO flag or option that the protocol does not know or the venue does not offer.
    InvalidOption,
    /// The token was used before.
    DuplicateToken,
    /// A table of the venue is full; the order would fit when others are gone.
    Capacity,
    /// A check of the risk gate.
    Risk(Check),
    /// A quantity that is no multiple of the lot: limit is the lot.
    QuantityOffLot,
    /// A price that is no multiple of the tick: limit is the tick.
    PriceOffTick,
    /// A post-only order that would trade on entry: limit is the other side's best price.
    PostOnly,
    /// A minimum quantity above the quantity, or where there is no such thing.
    MinimumQuantity,
    /// This field does not go with the rest of the order.
    InvalidCombination(Field),
    /// A time of expiry that is not after now.
    InvalidExpiry,
    /// A trailing stop that nothing gives a stop price to begin with.
    NoReferencePrice,
    /// An order of a kind that cannot take part in an auction, while orders are collected.
    NotInAuction,
    /// An at-open order outside `pre_open`.
    WrongPhase,
}

impl RejectReason {
    /// Reasons beside those of the risk gate; the fields of a combination are one.
    const OWN: usize = 25;

    /// Reasons that are told apart by [`RejectReason::index`].
    pub const COUNT: usize = Self::OWN + Check::ALL.len();

    /// The place of a reason in a table of [`RejectReason::COUNT`]: one for all fields of an invalid
    /// combination.
    #[inline]
    pub const fn index(self) -> usize {
        match self {
            Self::UnknownInstrument => 0,
            Self::Halted => 1,
            Self::OperationalHalt => 2,
            Self::ShortSale => 3,
            Self::Stale => 4,
            Self::Quarantined => 5,
            Self::Closed => 6,
            Self::InvalidQuantity => 7,
            Self::InvalidPrice => 8,
            Self::InvalidSide => 9,
            Self::InvalidTimeInForce => 10,
            Self::InvalidDisplay => 11,
            Self::InvalidCross => 12,
            Self::InvalidOption => 13,
            Self::DuplicateToken => 14,
            Self::Capacity => 15,
            Self::QuantityOffLot => 16,
            Self::PriceOffTick => 17,
            Self::PostOnly => 18,
            Self::MinimumQuantity => 19,
            Self::InvalidCombination(_) => 20,
            Self::InvalidExpiry => 21,
            Self::NoReferencePrice => 22,
            Self::NotInAuction => 23,
            Self::WrongPhase => 24,
            Self::Risk(check) => Self::OWN + check as usize,
        }
    }

    /// Every reason that [`RejectReason::index`] tells apart, once.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [
            Self::UnknownInstrument,
            Self::Halted,
            Self::OperationalHalt,
            Self::ShortSale,
            Self::Stale,
            Self::Quarantined,
            Self::Closed,
            Self::InvalidQuantity,
            Self::InvalidPrice,
            Self::InvalidSide,
            Self::InvalidTimeInForce,
            Self::InvalidDisplay,
            Self::InvalidCross,
            Self::InvalidOption,
            Self::DuplicateToken,
            Self::Capacity,
            Self::QuantityOffLot,
            Self::PriceOffTick,
            Self::PostOnly,
            Self::MinimumQuantity,
            Self::InvalidExpiry,
            Self::NoReferencePrice,
            Self::NotInAuction,
            Self::WrongPhase,
            Self::InvalidCombination(Field::Limit),
        ];
        own.into_iter().chain(Check::ALL.map(Self::Risk))
    }

    /// The name in logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownInstrument => "unknown_instrument",
            Self::Halted => "halted",
            Self::OperationalHalt => "operational_halt",
            Self::ShortSale => "short_sale",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
            Self::Closed => "closed",
            Self::InvalidQuantity => "invalid_quantity",
            Self::InvalidPrice => "invalid_price",
            Self::InvalidSide => "invalid_side",
            Self::InvalidTimeInForce => "invalid_time_in_force",
            Self::InvalidDisplay => "invalid_display",
            Self::InvalidCross => "invalid_cross",
            Self::InvalidOption => "invalid_option",
            Self::DuplicateToken => "duplicate_token",
            Self::Capacity => "capacity",
            Self::Risk(check) => check.name(),
            Self::QuantityOffLot => "quantity_off_lot",
            Self::PriceOffTick => "price_off_tick",
            Self::PostOnly => "post_only",
            Self::MinimumQuantity => "minimum_quantity",
            Self::InvalidCombination(_) => "invalid_combination",
            Self::InvalidExpiry => "invalid_expiry",
            Self::NoReferencePrice => "no_reference_price",
            Self::NotInAuction => "not_in_auction",
            Self::WrongPhase => "wrong_phase",
        }
    }
}

// An event fits two cache lines and a command too: a ring slot is copied with a few vector moves.
const _: () = assert!(size_of::<Event>() <= 128);
const _: () = assert!(size_of::<crate::command::Command>() <= 128);
