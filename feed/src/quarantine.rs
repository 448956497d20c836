//! Which instruments show an absurd market.
//!
//! A broken feed can be perfectly sequenced and still say that a share costs a hundred times what
//! it did a message ago. Each instrument has an anchor, the middle of its last sound market; a
//! market is absurd when it is crossed, when somebody seems to bid far above the anchor, or to offer
//! far below it. The other two directions are no alarm: a bid far below or an offer far above is a
//! stub quote, of which every real day is full.
//!
//! An instrument in quarantine stays there until its market has been sound, around the old anchor,
//! for a number of observations, or until somebody who knows better resets it: after a halt, or by
//! hand. What is done with a quarantined instrument is the caller's affair; nothing should be priced
//! from it.
//!
//! ```
//! use spindle_feed::quarantine::{Band, Cause, Quarantine, Verdict};
//! use spindle_types::{InstrumentId, Price};
//!
//! let mut quarantine = Quarantine::new(8, Band { width_basis_points: 2_000, calm: 3 });
//! let instrument = InstrumentId(3);
//! let market = |bid, ask| (Some(Price(bid)), Some(Price(ask)));
//! let (bid, ask) = market(10_000, 10_100);
//! assert_eq!(quarantine.observe(instrument, bid, ask), Verdict::Sound);
//! let (bid, ask) = market(1_000_000, 1_010_000);
//! assert_eq!(quarantine.observe(instrument, bid, ask), Verdict::Entered(Cause::BidTooHigh));
//! assert!(quarantine.is_quarantined(instrument));
//! ```

use spindle_types::{InstrumentId, Price, keep};

/// How wide the band around the anchor is, and how an instrument comes out of quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// How far above the anchor a bid, or below it an offer or a trade, may be, in basis points
    /// (1/100 %) of the anchor. A market whose spread is wider than this sets no anchor.
    pub width_basis_points: u32,
    /// Sound observations in a row that end a quarantine; 0 counts as 1.
    pub calm: u32,
}

/// Why an instrument is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Cause {
    /// The best bid is above the best ask.
    Crossed,
    /// Somebody seems to bid far above the anchor.
    BidTooHigh,
    /// Somebody seems to offer far below the anchor.
    AskTooLow,
    /// A trade far from the anchor, in either direction.
    TradeOutside,
}

/// What an observation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The market is sound and the instrument is not in quarantine.
    Sound,
    /// The instrument goes into quarantine now.
    Entered(Cause),
    /// It is in quarantine and stays there.
    Held,
    /// It comes out of quarantine now.
    Released,
}

#[derive(Clone, Copy, Debug, Default, keep::Value)]
struct State {
    /// The middle of the last sound market; 0 for none yet.
    anchor: u32,
    /// Sound observations in a row while in quarantine.
    calm: u32,
    cause: Option<Cause>,
}

/// The state of all instruments, in one table of fixed size.
#[derive(Clone, Debug, keep::State)]
pub struct Quarantine {
    #[keep(skip)]
    band: Band,
    states: Box<[State]>,
    alarms: u64,
    held: usize,
}

impl Quarantine {
    /// A table for instruments 0 to `instruments - 1`, none of which has an anchor.
    pub fn new(instruments: usize, band: Band) -> Self {
        let states = vec![State::default(); instruments].into_boxed_slice();
        Self { band, states, alarms: 0, held: 0 }
    }

    /// Looks at the best prices of an instrument, `None` where a side is empty. An instrument
    /// outside the table is held always.
    #[inline]
    pub fn observe(
        &mut self,
        instrument: InstrumentId,
        bid: Option<Price>,
        ask: Option<Price>,
    ) -> Verdict {
        let Some(state) = self.states.get(instrument.index()) else {
            return Verdict::Held;
        };
        let (low, high) = bounds(state.anchor, self.band);
        let cause = match (bid, ask) {
            (Some(bid), Some(ask)) if bid > ask => Some(Cause::Crossed),
            (Some(bid), _) if bid.0 > high => Some(Cause::BidTooHigh),
            (_, Some(ask)) if ask.0 < low => Some(Cause::AskTooLow),
            _ => None,
        };
        let middle = match (bid, ask) {
            (Some(bid), Some(ask)) => middle(bid, ask, self.band),
            _ => None,
        };
        self.judge(instrument.index(), cause, middle)
    }

    /// Looks at the price of a trade, displayed or not. A first one sets the anchor.
    #[inline]
    pub fn observe_trade(&mut self, instrument: InstrumentId, price: Price) -> Verdict {
        let Some(state) = self.states.get(instrument.index()) else {
            return Verdict::Held;
        };
        let (low, high) = bounds(state.anchor, self.band);
        let cause = (price.0 < low || price.0 > high).then_some(Cause::TradeOutside);
        self.judge(instrument.index(), cause, Some(price.0))
    }

    /// Forgets anchor and quarantine of an instrument: after a halt, where the market may open
    /// anywhere, or because somebody says so. `reference` is the new anchor, where one is known.
    pub fn reset(&mut self, instrument: InstrumentId, reference: Option<Price>) {
        if let Some(state) = self.states.get_mut(instrument.index()) {
            self.held -= usize::from(state.cause.is_some());
            *state = State { anchor: reference.map_or(0, |price| price.0), ..State::default() };
        }
    }

    /// Forgets every anchor and quarantine; alarms stay counted.
    pub fn clear(&mut self) {
        self.states.fill(State::default());
        self.held = 0;
    }

    /// Whether nothing should be priced from this instrument now. One outside the table is.
    #[inline]
    pub fn is_quarantined(&self, instrument: InstrumentId) -> bool {
        self.states.get(instrument.index()).is_none_or(|state| state.cause.is_some())
    }

    /// Why an instrument is in quarantine, or `None` when it is not.
    pub fn cause(&self, instrument: InstrumentId) -> Option<Cause> {
        self.states.get(instrument.index())?.cause
    }

    /// Times that an instrument went into quarantine.
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// Instruments in quarantine now.
    pub fn held(&self) -> usize {
        self.held
    }

    #[inline]
    fn judge(&mut self, index: usize, cause: Option<Cause>, anchor: Option<u32>) -> Verdict {
        let state = &mut self.states[index];
        match (cause, state.cause) {
            (Some(cause), None) => {
                state.cause = Some(cause);
                state.calm = 0;
                self.alarms += 1;
                self.held += 1;
                Verdict::Entered(cause)
            }
            (Some(_), Some(_)) => {
                state.calm = 0;
                Verdict::Held
            }
            (None, None) => {
                state.anchor = anchor.unwrap_or(state.anchor);
                Verdict::Sound
            }
            (None, Some(_)) => {
                state.calm += 1;
                if state.calm < self.band.calm {
                    return Verdict::Held;
                }
                state.cause = None;
                state.anchor = anchor.unwrap_or(state.anchor);
                self.held -= 1;
                Verdict::Released
            }
        }
    }
}

/// The lowest offer and the highest bid that are no alarm; without an anchor, everything.
#[inline]
fn bounds(anchor: u32, band: Band) -> (u32, u32) {
    if anchor == 0 {
        return (0, u32::MAX);
    }
    let width = width(anchor, band);
    (anchor.saturating_sub(width), anchor.saturating_add(width))
}

#[inline]
fn width(anchor: u32, band: Band) -> u32 {
    let width = u64::from(anchor) * u64::from(band.width_basis_points) / 10_000;
    u32::try_from(width).unwrap_or(u32::MAX)
}

/// The middle of a market that is narrow enough to have one.
#[inline]
fn middle(bid: Price, ask: Price, band: Band) -> Option<u32> {
    let spread = ask.0.checked_sub(bid.0)?;
    let middle = bid.0 + spread / 2;
    (spread <= width(middle, band)).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: InstrumentId = InstrumentId(1);

    fn quarantine() -> Quarantine {
        Quarantine::new(3, Band { width_basis_points: 2_000, calm: 3 })
    }

    /// Runs lines of `bid ask => verdict`, or `trade price => verdict`; `-` is an empty side.
    fn run(quarantine: &mut Quarantine, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (input, expected) = line.split_once(" => ").expect("in => out");
            let (left, right) = input.split_once(' ').expect("two words");
            let price = |text: &str| text.parse().ok().map(Price);
            let verdict = match left {
                "trade" => quarantine.observe_trade(X, price(right).expect("a price")),
                bid => quarantine.observe(X, price(bid), price(right)),
            };
            assert_eq!(format!("{verdict:?}"), expected, "in the line `{line}`");
            let sound = verdict == Verdict::Sound || verdict == Verdict::Released;
            assert_eq!(quarantine.is_quarantined(X), !sound);
            assert_eq!(quarantine.held(), usize::from(!sound));
        }
    }

    #[test]
    fn a_price_times_a_hundred_is_caught_at_once_and_stays_until_it_is_calm() {
        let mut quarantine = quarantine();
        run(
            &mut quarantine,
            "10000 10100 => Sound
             10100 1010000 => Sound
             1010000 1020000 => Entered(BidTooHigh)
             10000 10100 => Held
             10000 10100 => Held
             1010000 - => Held
             10000 10100 => Held
             - - => Held
             10000 - => Released
             100 101 => Entered(AskTooLow)",
        );
        assert_eq!((quarantine.alarms(), quarantine.cause(X)), (2, Some(Cause::AskTooLow)));
    }

    #[test]
    fn stub_quotes_and_moving_markets_are_no_alarm() {
        run(
            &mut quarantine(),
            "1 1999999900 => Sound
             10000 10200 => Sound
             1 1999999900 => Sound
             11000 11200 => Sound
             13000 13200 => Sound
             15500 15600 => Sound
             20000 20000 => Entered(BidTooHigh)",
        );
    }

    #[test]
    fn crossed_markets_and_trades_outside_are_caught() {
        run(
            &mut quarantine(),
            "10001 10000 => Entered(Crossed)
             10000 10000 => Held
             10000 10000 => Held
             10000 10000 => Released
             trade 11999 => Sound
             trade 9600 => Sound
             trade 7000 => Entered(TradeOutside)",
        );
    }

    #[test]
    fn a_reset_lets_the_market_open_anywhere_or_at_a_reference() {
        let mut quarantine = quarantine();
        run(&mut quarantine, "10000 10100 => Sound\n 500000 510000 => Entered(BidTooHigh)");
        quarantine.reset(X, None);
        run(&mut quarantine, "500000 510000 => Sound");
        quarantine.reset(X, Some(Price(10_000)));
        assert_eq!(quarantine.held(), 0);
        run(&mut quarantine, "500000 510000 => Entered(BidTooHigh)");
        quarantine.reset(InstrumentId(9), None);
    }

    #[test]
    fn the_ends_of_the_types_and_of_the_table_hold() {
        let mut quarantine = Quarantine::new(1, Band { width_basis_points: u32::MAX, calm: 0 });
        let most = Some(Price::MAX);
        let zero = InstrumentId(0);
        assert_eq!(quarantine.observe(zero, most, most), Verdict::Sound);
        assert_eq!(quarantine.observe(zero, Some(Price(0)), Some(Price(0))), Verdict::Sound);
        assert_eq!(
            quarantine.observe(zero, most, Some(Price(0))),
            Verdict::Entered(Cause::Crossed)
        );
        assert_eq!(quarantine.observe(zero, None, None), Verdict::Released);
        assert_eq!(quarantine.observe(X, None, None), Verdict::Held);
        assert_eq!(quarantine.observe_trade(X, Price(1)), Verdict::Held);
        assert!(quarantine.is_quarantined(X));
    }
}
