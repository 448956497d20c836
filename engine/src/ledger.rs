//! The divergence ledger: every share by which the run has left the tape, by instrument and by the
//! rule behind it, and the balance that holds after each booking.

use std::fmt;

use spindle_types::{InstrumentId, Quantity, Symbol, keep};

use crate::book::Slot;
use crate::engine::Engine;
use crate::event::{RejectReason, StaleCause};
use crate::matching::HIGHEST;

/// Shares by which the run has left the tape, of one instrument or summed over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
pub struct Divergence {
    /// Shares of market orders that strategies took: rule 1, and in auctions.
    pub taken: u64,
    /// Shares that market orders which arrived sold to strategies or bought from them: rule 3.
    pub met: u64,
    /// Shares that strategies' orders were given in front of an order that the tape executed:
    /// rule 4.
    pub ahead: u64,
    /// Shares that strategies' orders were given because of hidden trades: rule 5. They rest on an
    /// assumption, not on a displayed queue.
    pub hidden: u64,
    /// Shares that strategies' orders were given in the tape's crosses: rule 7. They rest on an
    /// assumption.
    pub cross: u64,
    /// Shares that the tape executed or cancelled although strategies had them: taken or met.
    pub displaced: u64,
    /// Shares that strategies had of orders whose session of the feed is over.
    pub void: u64,
    /// Shares of strategies' requests that were refused because of what the tape says: rule 7.
    pub refused: u64,
    /// Shares traded on the tape: executions that count, hidden trades and crosses. Trades that the
    /// market broke later are in it, for it does not tell their size again.
    pub volume: u64,
}

impl Divergence {
    /// Shares that strategies' orders were given in front of what the tape did.
    pub const fn filled_ahead(&self) -> u64 {
        self.met + self.ahead + self.hidden
    }

    /// Shares of fills that rest on an assumption and not on a displayed queue: hidden trades and
    /// crosses.
    pub const fn assumed(&self) -> u64 {
        self.hidden + self.cross
    }

    /// Shares that strategies traded with the tape, each once.
    pub const fn traded(&self) -> u64 {
        self.taken + self.filled_ahead() + self.cross
    }

    /// Whether the run has left the tape at all; its volume is none of the run's doing.
    pub const fn is_zero(&self) -> bool {
        self.traded() == 0 && self.displaced == 0 && self.void == 0 && self.refused == 0
    }

    /// Shares that strategies have of market orders which still stand. The engine holds this against
    /// the books at every booking.
    pub const fn standing(&self) -> u64 {
        (self.taken + self.met).saturating_sub(self.displaced + self.void)
    }

    /// Both summed.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            taken: self.taken + other.taken,
            met: self.met + other.met,
            ahead: self.ahead + other.ahead,
            hidden: self.hidden + other.hidden,
            cross: self.cross + other.cross,
            displaced: self.displaced + other.displaced,
            void: self.void + other.void,
            refused: self.refused + other.refused,
            volume: self.volume + other.volume,
        }
    }
}

/// Why shares are booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Booking {
    /// Rule 1, and auctions: a strategy took them from a market order.
    Taken,
    /// Rule 3: a market order that arrived met strategies.
    Met,
    /// Rule 4: the tape executed an order behind a strategy's.
    Ahead,
    /// Rule 5: a hidden trade.
    Hidden,
    /// Rules 4 and 6: the tape disposes of shares that strategies have.
    Displaced,
    /// Rule 7: a cross.
    Cross,
}

impl Booking {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Met => "met",
            Self::Ahead => "ahead",
            Self::Hidden => "hidden",
            Self::Displaced => "displaced",
            Self::Cross => "cross",
        }
    }

    /// The fill rule behind it.
    pub const fn rule(self) -> u8 {
        match self {
            Self::Taken => 1,
            Self::Met => 3,
            Self::Ahead => 4,
            Self::Hidden => 5,
            Self::Displaced => 6,
            Self::Cross => 7,
        }
    }
}

/// The books of shares do not balance: a fault of this program. What has happened until then and
/// after it is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Imbalance {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// Its symbol.
    pub symbol: Symbol,
    /// The booking at which it was seen.
    pub booking: Booking,
    /// The number of the market message that was applied last.
    pub sequence: u64,
    /// Shares that the ledger says.
    pub booked: u64,
    /// Shares that the books, or the fills that were told, say.
    pub found: u64,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the shares of {} (instrument {}) do not balance after market message {}: {} (rule {}) \
             makes {} of the ledger, {} of the books",
            self.symbol,
            self.instrument.0,
            self.sequence,
            self.booking.name(),
            self.booking.rule(),
            self.booked,
            self.found,
        )
    }
}

impl std::error::Error for Imbalance {}

/// A line of the report of divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DivergenceRow {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its symbol; blank where no message has told it.
    pub symbol: Symbol,
    /// Its sums.
    pub sums: Divergence,
    /// Why its book is not known to be the market's any more; `None` where it is.
    pub stale: Option<StaleCause>,
}

/// What is kept for an instrument.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub(crate) struct Row {
    sums: Divergence,
    /// Shares that strategies have of market orders that stand, counted as the books change.
    standing: u64,
    /// Why its book is stale.
    pub(crate) stale: Option<StaleCause>,
}

impl Engine {
    /// By how many shares the run has left the tape, over all instruments. Walks them.
    pub fn divergence(&self) -> Divergence {
        (0..self.ledgers.len()).fold(Divergence::default(), |sum, at| {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            sum.plus(&self.divergence_of(InstrumentId(at as u16)))
        })
    }

    /// By how many shares the run has left the tape in one instrument.
    pub fn divergence_of(&self, instrument: InstrumentId) -> Divergence {
        let mut sums =
            self.ledgers.get(instrument.index()).map_or(Divergence::default(), |row| row.sums);
        sums.volume += self.instruments.get(instrument).volume;
        sums
    }

    /// The instruments in which the run has left the tape, or whose book is not the market's any
    /// more, by number. Nothing is allocated.
    pub fn divergence_report(&self) -> impl Iterator<Item = DivergenceRow> + '_ {
        (0..=u16::MAX).map(InstrumentId).take(self.ledgers.len()).filter_map(|instrument| {
            let sums = self.divergence_of(instrument);
            let (symbol, stale) =
                (self.instruments.get(instrument).symbol, self.stale_cause(instrument));
            let is_told =
                !sums.is_zero() || stale.is_some() && self.instruments.is_known(instrument);
            is_told.then_some(DivergenceRow { instrument, symbol, sums, stale })
        })
    }

    /// Why the book of an instrument is not known to be the market's any more; `None` where it is.
    pub fn stale_cause(&self, instrument: InstrumentId) -> Option<StaleCause> {
        self.ledgers.get(instrument.index()).and_then(|row| row.stale)
    }

    /// Where the books of shares did not balance first, if they ever did not. It stays: whoever owns
    /// the engine stops the run and says it.
    #[inline]
    pub fn imbalance(&self) -> Option<Imbalance> {
        self.imbalance
    }

    /// Books shares.
    #[inline]
    pub(crate) fn book(&mut self, instrument: InstrumentId, booking: Booking, shares: u32) {
        self.book_shares(instrument, booking, shares.into());
    }

    /// As [`Engine::book`], for more shares than one order can have.
    #[inline]
    pub(crate) fn book_shares(&mut self, instrument: InstrumentId, booking: Booking, shares: u64) {
        let sums = &mut self.ledgers[instrument.index()].sums;
        match booking {
            Booking::Taken => sums.taken += shares,
            Booking::Met => sums.met += shares,
            Booking::Ahead => sums.ahead += shares,
            Booking::Hidden => sums.hidden += shares,
            Booking::Displaced => sums.displaced += shares,
            Booking::Cross => sums.cross += shares,
        }
    }

    /// Remembers on a market order that strategies have shares of it.
    pub(crate) fn take_shares(&mut self, instrument: InstrumentId, slot: Slot, shares: Quantity) {
        let before = self.books.order(slot).taken();
        self.books.take(slot, shares);
        let after = self.books.order(slot).taken();
        self.stands(instrument, before, after);
    }

    /// What strategies have of one market order was so much and is so much now.
    #[inline]
    pub(crate) fn stands(&mut self, instrument: InstrumentId, before: u32, after: u32) {
        let standing = &mut self.ledgers[instrument.index()].standing;
        *standing = standing.wrapping_add(u64::from(after)).wrapping_sub(u64::from(before));
    }

    /// Holds the ledger of an instrument against what stands: what strategies took or met, and the
    /// tape did not dispose of, must still be theirs.
    #[inline]
    pub(crate) fn balance(&mut self, instrument: InstrumentId, booking: Booking) {
        let Row { sums, standing, .. } = self.ledgers[instrument.index()];
        if sums.taken + sums.met != sums.displaced + sums.void + standing {
            self.out_of_balance(instrument, booking, sums.standing(), standing);
        }
    }

    /// Holds what was booked against the fills that were told since the count was `before`.
    #[inline]
    pub(crate) fn balance_fills(
        &mut self,
        instrument: InstrumentId,
        booking: Booking,
        shares: u64,
        before: u64,
    ) {
        let found = self.counters.executed_shares.get() - before;
        if found != shares {
            self.out_of_balance(instrument, booking, shares, found);
        }
    }

    #[cold]
    fn out_of_balance(
        &mut self,
        instrument: InstrumentId,
        booking: Booking,
        booked: u64,
        found: u64,
    ) {
        let symbol = self.instruments.get(instrument).symbol;
        let sequence = self.market_sequence.0;
        self.imbalance.get_or_insert(Imbalance {
            instrument,
            symbol,
            booking,
            sequence,
            booked,
            found,
        });
    }

    /// Books the shares of a request that was refused because of what the tape says. More than an
    /// order can have are none.
    #[cold]
    pub(crate) fn book_refused(
        &mut self,
        instrument: InstrumentId,
        reason: RejectReason,
        shares: Quantity,
    ) {
        let known = self.instruments.get(instrument);
        let is_of_tape = match reason {
            RejectReason::Halted => !known.tape_trades(),
            RejectReason::Closed => self.is_closed(),
            RejectReason::Stale
            | RejectReason::Quarantined
            | RejectReason::OperationalHalt
            | RejectReason::ShortSale => true,
            _ => false,
        };
        if let Some(row) = self.ledgers.get_mut(instrument.index())
            && is_of_tape
            && shares.0 <= HIGHEST
        {
            row.sums.refused += u64::from(shares.0);
        }
    }

    /// The market's orders are gone, and what strategies have of them with them. The volume of the
    /// day is kept.
    pub(crate) fn void_ledgers(&mut self) {
        for (at, row) in self.ledgers.iter_mut().enumerate() {
            row.sums.void += row.standing;
            row.standing = 0;
            row.stale = None;
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            let instrument = InstrumentId(at as u16);
            row.sums.volume += self.instruments.get(instrument).volume;
        }
    }

    /// Shares that strategies have of an instrument's market orders, as they were counted.
    pub(crate) fn standing_of(&self, instrument: InstrumentId) -> u64 {
        self.ledgers[instrument.index()].standing
    }

    /// Puts the ledger of an instrument out of balance, for a test of what happens then.
    #[doc(hidden)]
    pub fn unbalance_for_test(&mut self, instrument: InstrumentId) {
        self.ledgers[instrument.index()].standing += 1;
    }
}
