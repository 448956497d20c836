//! States of the recorded market on their way into the engine and out of it.

use spindle_engine::event::Change;
use spindle_feed::event::{MarketAction, Phase, TradingState};
use spindle_feed::state::{
    Collar, Imbalance, MarketCenter, Reason, Release, ShortSale, StateChange,
};
use spindle_types::{Price, Symbol};

use super::{amount, price_of, text};
use crate::decimal::{Amount, Shares};
use crate::line::{Figures, Line, OfTape};
use crate::op::{Center, Cross, Day, Restriction, State, Tape, TapeEvent};

/// An index level is told in 1/100,000,000, an amount has 1/10,000.
const LEVEL_UNIT: u64 = 10_000;

/// What the engine is told of an event that does nothing with an order.
pub(super) fn action(op: &Tape, symbol: Symbol) -> MarketAction {
    let price = |amount: Option<Amount>| amount.map(price_of).unwrap_or_default();
    let shares = |shares: Option<Shares>| shares.map_or(0, |shares| shares.0.unsigned_abs());
    MarketAction::State(match op.event {
        TapeEvent::Status => {
            let state = trading_state(op.state.unwrap_or_default());
            return MarketAction::Status { state, reason: reason_of(op.reason.as_deref()) };
        }
        TapeEvent::Imbalance => {
            return MarketAction::Imbalance(Imbalance {
                paired: shares(op.quantity),
                imbalance: shares(op.imbalance),
                side: op.side.map(Into::into),
                far: price(op.far),
                near: price(op.near),
                reference: price(op.price),
                kind: op.kind.map_or(spindle_feed::event::Cross::Other, Into::into),
            });
        }
        TapeEvent::System => {
            let phase = op.phase.map_or(Phase::StartOfMessages, phase_of);
            return MarketAction::Phase { phase };
        }
        TapeEvent::OperationalHalt => StateChange::OperationalHalt {
            center: center_of(op.market.unwrap_or_default()),
            halted: op.state == Some(State::Halted),
        },
        TapeEvent::Collar => StateChange::Collar(Collar {
            reference: price(op.price),
            upper: price(op.upper),
            lower: price(op.lower),
            extension: op.extension.unwrap_or(0),
        }),
        TapeEvent::ShortSale => StateChange::ShortSale(match op.restriction.unwrap_or_default() {
            Restriction::Free => ShortSale::Free,
            Restriction::RestrictedToday => ShortSale::RestrictedToday,
            Restriction::RestrictionRemains => ShortSale::RestrictionRemains,
        }),
        TapeEvent::Release => {
            let seconds = op.seconds.unwrap_or(0);
            let release = Release { seconds, price: price(op.price), is_off: op.seconds.is_none() };
            StateChange::Release { symbol, release }
        }
        TapeEvent::Breaker => StateChange::Breaker { level: op.level.unwrap_or(0) },
        _ => {
            let levels = op.levels.unwrap_or([Amount::new(0); 3]);
            let units = |level: Amount| level.units.unsigned_abs() * LEVEL_UNIT;
            StateChange::BreakerLevels(levels.map(units))
        }
    })
}

/// A state that has changed, as a line.
pub(super) fn line(symbol: String, change: Change) -> Line {
    match change {
        Change::Trading { state, reason } => {
            let reason = Some(reason.text()).filter(|text| !text.is_empty()).map(Into::into);
            Line::Status { symbol, state: state.name(), reason }
        }
        Change::Stale(cause) => {
            Line::Stale { symbol: Some(symbol).filter(|s| !s.is_empty()), cause: cause.name() }
        }
        Change::Quarantine { entered } => Line::Quarantine { symbol, entered },
        Change::Day(phase) => Line::System { phase: phase.name() },
        Change::Tape(StateChange::OperationalHalt { center, halted }) => {
            let state = if halted { TradingState::Halted } else { TradingState::Trading };
            Line::OperationalHalt { symbol, market: center.name(), state: state.name() }
        }
        Change::Tape(StateChange::Collar(collar)) => Line::Collar {
            symbol,
            price: amount(collar.reference),
            upper: amount(collar.upper),
            lower: amount(collar.lower),
            extension: collar.extension,
        },
        Change::Tape(StateChange::ShortSale(restriction)) => {
            Line::ShortSale { symbol, restriction: restriction.name() }
        }
        Change::Tape(StateChange::Release { symbol, release }) => {
            let is_on = !release.is_off;
            Line::Release {
                symbol: text(symbol),
                seconds: is_on.then_some(release.seconds),
                price: is_on.then_some(amount(release.price)),
            }
        }
        Change::Tape(StateChange::BreakerLevels(levels)) => {
            let units = |level: u64| i64::try_from(level / LEVEL_UNIT).unwrap_or(i64::MAX);
            Line::BreakerLevels { levels: levels.map(|level| Amount::new(units(level))) }
        }
        Change::Tape(StateChange::Breaker { level }) => Line::Breaker { level },
    }
}

/// What the tape says of its next cross, as a line.
pub(super) fn imbalance(symbol: String, imbalance: &Imbalance) -> Line {
    let price = |price: Price| (price.0 > 0).then(|| amount(price));
    let figures = Figures {
        price: price(imbalance.near),
        quantity: imbalance.paired,
        imbalance: imbalance.imbalance,
        side: imbalance.side.map(Into::into),
    };
    let (cross, reference) = (imbalance.kind.name(), price(imbalance.reference));
    let of_tape = Some(OfTape { cross, reference, far: price(imbalance.far) });
    Line::Imbalance { symbol, figures, of_tape }
}

fn reason_of(text: Option<&str>) -> Reason {
    let mut reason = Reason::NONE;
    for (byte, letter) in reason.0.iter_mut().zip(text.unwrap_or_default().bytes()) {
        *byte = letter;
    }
    reason
}

const fn trading_state(state: State) -> TradingState {
    match state {
        State::Halted => TradingState::Halted,
        State::Paused => TradingState::Paused,
        State::Quotation => TradingState::QuotationOnly,
        State::Trading => TradingState::Trading,
    }
}

const fn center_of(center: Center) -> MarketCenter {
    match center {
        Center::Nasdaq => MarketCenter::Nasdaq,
        Center::Bx => MarketCenter::Bx,
        Center::Psx => MarketCenter::Psx,
    }
}

const fn phase_of(day: Day) -> Phase {
    match day {
        Day::StartOfMessages => Phase::StartOfMessages,
        Day::StartOfSystemHours => Phase::StartOfSystemHours,
        Day::StartOfMarketHours => Phase::StartOfMarketHours,
        Day::EndOfMarketHours => Phase::EndOfMarketHours,
        Day::EndOfSystemHours => Phase::EndOfSystemHours,
        Day::EndOfMessages => Phase::EndOfMessages,
    }
}

impl From<Cross> for spindle_feed::event::Cross {
    fn from(kind: Cross) -> Self {
        match kind {
            Cross::Opening => Self::Opening,
            Cross::Closing => Self::Closing,
            Cross::Halt => Self::Halt,
        }
    }
}
