//! What is refused before matching is asked: values that no order of a venue can carry, and fields
//! that do not belong to the order's type. The same for everything that matches.

use crate::decimal::{Amount, Shares};
use crate::line::{Figure, Rejected};
use crate::op::{Instrument, Kind, New, Replace, Sale, Side, State, Tape, TapeEvent, Tif};

/// The highest price, and the largest quantity.
pub(crate) const HIGHEST: i64 = i32::MAX as i64;

/// Characters that a symbol may have.
const SYMBOL_CHARACTERS: usize = 8;

/// Why an instrument cannot be.
pub(crate) fn instrument(op: &Instrument) -> Result<(), Rejected> {
    let symbol = op.symbol.as_bytes();
    let fits = (1..=SYMBOL_CHARACTERS).contains(&symbol.len());
    if !fits || !symbol.iter().all(u8::is_ascii_graphic) {
        return Err(Rejected::because("invalid_symbol"));
    }
    let possible = |units: i64| (1..=HIGHEST).contains(&units);
    if op.tick.is_some_and(|tick| !tick.exact || !possible(tick.units)) {
        return Err(Rejected::because("invalid_tick"));
    }
    if op.lot.is_some_and(|lot| !possible(lot.0)) {
        return Err(Rejected::because("invalid_lot"));
    }
    Ok(())
}

/// Why a new order cannot be asked for.
pub(crate) fn new(op: &New) -> Result<(), Rejected> {
    let peg = matches!(op.kind, Kind::MidpointPeg | Kind::PrimaryPeg);
    let stop = matches!(op.kind, Kind::Stop | Kind::StopLimit | Kind::TrailingStop);
    let unfit = [
        ("price", op.price.is_some() && matches!(op.kind, Kind::Market | Kind::Stop)),
        ("stop_price", op.stop_price.is_some() && !stop),
        ("trail", op.trail.is_some() && op.kind != Kind::TrailingStop),
        ("offset", op.offset.is_some() && !peg),
        ("expire_ns", op.expire_ns.is_some() && op.tif != Tif::Gtd),
        ("sale", op.sale != Sale::Long && op.side == Side::Buy),
    ];
    if let Some((field, _)) = unfit.into_iter().find(|(_, unfit)| *unfit) {
        return Err(Rejected::combination(field));
    }
    [op.price, op.stop_price, op.trail, op.offset].into_iter().try_for_each(whole_units)?;
    match op.offset {
        Some(offset) if !(-HIGHEST..=HIGHEST).contains(&offset.units) => {
            let end = if offset.units < 0 { -HIGHEST } else { HIGHEST };
            Err(beyond(end, offset))
        }
        _ => Ok(()),
    }
}

/// A price that none can be, with the bound that it lies beyond.
fn beyond(bound: i64, price: Amount) -> Rejected {
    let bound = Figure::Amount(Amount::new(bound));
    Rejected::because("invalid_price").with(bound, Figure::Amount(price))
}

/// A price from 1 unit to the highest.
pub(crate) fn price(units: i64) -> Result<(), Rejected> {
    match units {
        1..=HIGHEST => Ok(()),
        ..1 => Err(beyond(1, Amount::new(units))),
        _ => Err(beyond(HIGHEST, Amount::new(units))),
    }
}

/// Shares from `least` to the most there can be.
pub(crate) fn shares(least: i64, shares: i64) -> Result<(), Rejected> {
    let bound = match shares {
        shares if shares < least => least,
        shares if shares > HIGHEST => HIGHEST,
        _ => return Ok(()),
    };
    let (bound, shares) = (Figure::Signed(bound), Figure::Signed(shares));
    Err(Rejected::because("invalid_quantity").with(bound, shares))
}

/// A refusal of the engine with the figures as they were written: what no order can carry has come
/// to it as something else that none can.
pub(crate) fn as_written(
    refused: Rejected,
    quantities: &[Option<Shares>],
    prices: &[Option<Amount>],
) -> Rejected {
    let wrong = match refused.reason {
        "invalid_quantity" => {
            quantities.iter().flatten().find_map(|asked| shares(1, asked.0).err())
        }
        "invalid_price" => prices.iter().flatten().find_map(|asked| price(asked.units).err()),
        _ => None,
    };
    wrong.unwrap_or(refused)
}

/// Why a replacement cannot be asked for.
pub(crate) fn replace(op: &Replace) -> Result<(), Rejected> {
    if op.expire_ns.is_some() && op.tif != Some(Tif::Gtd) {
        return Err(Rejected::combination("expire_ns"));
    }
    shares(0, op.quantity.0)?;
    whole_units(op.price)
}

/// Why this cannot be an auction's reference.
pub(crate) fn reference(asked: Option<Amount>) -> Result<(), Rejected> {
    whole_units(asked)?;
    asked.map_or(Ok(()), |asked| price(asked.units))
}

/// Why the tape cannot do this.
pub(crate) fn tape(op: &Tape) -> Result<(), Rejected> {
    let prices = [op.price, op.upper, op.lower, op.near, op.far];
    prices.into_iter().try_for_each(whole_units)?;
    prices.into_iter().flatten().try_for_each(|asked| price(asked.units))?;
    if let Some((lower, upper)) = op.lower.zip(op.upper).filter(|(lower, upper)| lower > upper) {
        return Err(beyond(upper.units, lower));
    }
    state(op)?;
    // A cross in which nothing traded has no shares, and neither has one that has yet to come.
    let least = i64::from(!matches!(op.event, TapeEvent::Cross | TapeEvent::Imbalance));
    op.imbalance.map_or(Ok(()), |asked| shares(0, asked.0))?;
    op.quantity.map_or(Ok(()), |asked| shares(least, asked.0))?;
    let possible = |reference: u64| (1..1 << 62).contains(&reference);
    if !op.reference.is_none_or(possible) || !op.new_reference.is_none_or(possible) {
        return Err(Rejected::because("invalid_ref"));
    }
    Ok(())
}

/// Why the tape cannot say this of a state.
fn state(op: &Tape) -> Result<(), Rejected> {
    let fits = |text: &String| {
        (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !op.reason.as_ref().is_none_or(fits) {
        return Err(Rejected::because("invalid_reason"));
    }
    let is_halt = op.event == TapeEvent::OperationalHalt;
    if is_halt && !matches!(op.state, Some(State::Halted | State::Trading)) {
        return Err(Rejected::because("invalid_state"));
    }
    let possible =
        |level: &crate::decimal::Amount| level.exact && (1..1 << 40).contains(&level.units);
    if op.level.is_some_and(|level| !(1..=3).contains(&level))
        || !op.levels.iter().flatten().all(possible)
    {
        return Err(Rejected::because("invalid_level"));
    }
    let is_release = op.event == TapeEvent::Release;
    if is_release && op.seconds.is_some() != op.price.is_some() {
        return Err(Rejected::combination("price"));
    }
    Ok(())
}

/// A price finer than a price unit is off every tick.
fn whole_units(price: Option<Amount>) -> Result<(), Rejected> {
    match price {
        Some(price) if !price.exact => Err(Rejected::because("price_off_tick")),
        _ => Ok(()),
    }
}

/// The limits that somebody has after some of them were set.
pub(crate) fn limits(
    mut limits: spindle_risk::Limits,
    op: &crate::risk_op::Limits,
    currency: usize,
) -> Result<spindle_risk::Limits, Rejected> {
    use spindle_risk::LimitError as Wrong;
    for &(key, value) in &op.values {
        let at = if key.is_money() { currency } else { 0 };
        limits.set(key, at, value.unwrap_or(spindle_risk::Limits::NONE.get(key, at)));
    }
    match limits.check(op.symbol.is_some()) {
        Ok(()) => Ok(limits),
        Err(
            Wrong::Zero(key)
            | Wrong::NotForInstrument(key)
            | Wrong::OnlyForInstrument(key)
            | Wrong::TooHigh { key, .. }
            | Wrong::Contradiction { key, .. }
            | Wrong::Alone { key, .. },
        ) => {
            let mut rejected = Rejected::because("invalid_limits");
            rejected.field = Some(key);
            Err(rejected)
        }
    }
}

/// Why these cannot be the prices of an instrument.
pub(crate) fn prices(op: &crate::risk_op::Reference) -> Result<(), Rejected> {
    [op.price, op.low, op.high].into_iter().try_for_each(reference)
}
