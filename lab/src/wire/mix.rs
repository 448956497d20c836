//! What is sent: a mix of requests that keeps a book alive, fills nobody by chance, and never leaves a
//! request without its answer.
//!
//! Orders that will be cancelled or replaced stand away from the market's middle and meet nobody. Orders
//! that will be taken stand at the middle and are never cancelled; a taking order is sent only where one
//! of them is known to stand. So a cancel never crosses an execution on its way, to which the protocol
//! has no answer.
//!
//! How many orders stand has a bound, those that are on their way included: a venue that stops for a moment finds no more of
//! them when it goes on. Where nothing else may be sent, an order is that meets nobody and does not stay.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spindle_types::{Price, Side, Symbol};
use thiserror::Error;

/// Orders that one session keeps open for cancels and replaces at most, where nothing else is asked for.
pub const OPEN_MAX: usize = 256;

/// One cent.
const TICK: u32 = 100;

/// How often each kind of request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// New orders that rest.
    pub enter: u32,
    /// Cancels of such orders; an order in their place where none is open.
    pub cancel: u32,
    /// Replaces of such orders; likewise.
    pub replace: u32,
    /// Orders that trade: half of them rest at the middle, the other half take those.
    pub trade: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { enter: 45, cancel: 35, replace: 10, trade: 10 }
    }
}

/// A mix that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{0}' is no mix; give weights such as enter:45,cancel:35,replace:10,trade:10, with enter or trade \
     above 0"
)]
pub struct MixError(String);

impl FromStr for Weights {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let wrong = || MixError(text.to_owned());
        let mut weights = Self { enter: 0, cancel: 0, replace: 0, trade: 0 };
        for part in text.split(',') {
            let (name, weight) = part.split_once(':').ok_or_else(wrong)?;
            let weight: u32 =
                weight.trim().parse().ok().filter(|w| *w <= 1_000).ok_or_else(wrong)?;
            match name.trim() {
                "enter" => weights.enter = weight,
                "cancel" => weights.cancel = weight,
                "replace" => weights.replace = weight,
                "trade" => weights.trade = weight,
                _ => return Err(wrong()),
            }
        }
        if weights.enter + weights.trade == 0 { Err(wrong()) } else { Ok(weights) }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enter, cancel, replace, trade } = self;
        write!(f, "enter:{enter},cancel:{cancel},replace:{replace},trade:{trade}")
    }
}

/// Why an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To be cancelled or replaced.
    Rest,
    /// To be taken.
    Make,
    /// It takes, and does not stand.
    Take,
    /// It meets nobody, and does not stand.
    Pass,
}

/// An order of the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub(crate) role: Role,
    /// Which instrument, by its place in the list.
    pub(crate) instrument: usize,
    pub(crate) side: Side,
    pub(crate) price: Price,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Enter(Order),
    /// Of the session's order with this number.
    Cancel(u64, Order),
    /// Likewise; the order is what shall stand.
    Replace(u64, Order),
}

/// Decides what is sent. Requests and answers in, requests out.
#[derive(Clone, Debug)]
pub struct Mix {
    weights: Weights,
    symbols: Vec<Symbol>,
    middle: Price,
    random: Xoshiro256PlusPlus,
    /// Orders that a session keeps open for cancels and replaces at most.
    open_max: usize,
    /// By session: what can be cancelled, the oldest first.
    open: Vec<VecDeque<(u64, Order)>>,
    /// By session: orders for cancels and replaces that are on their way.
    coming: Vec<usize>,
    /// Orders for the middle that are on their way.
    making: usize,
    /// By instrument, bids and asks: orders at the middle that stand and are not spoken for.
    makers: Vec<[u32; 2]>,
}

impl Mix {
    /// Around this price in these instruments, over so many sessions.
    pub fn new(
        weights: Weights,
        symbols: &[Symbol],
        middle: Price,
        sessions: usize,
        seed: u64,
    ) -> Self {
        Self {
            weights,
            symbols: symbols.to_vec(),
            middle,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            open_max: OPEN_MAX,
            open: vec![VecDeque::with_capacity(2 * OPEN_MAX); sessions],
            coming: vec![0; sessions],
            making: 0,
            makers: vec![[0; 2]; symbols.len()],
        }
    }

    /// With so many orders of a session open at most, beside two for the middle of each instrument.
    #[must_use]
    pub fn with_open_max(self, open_max: usize) -> Self {
        Self { open_max: open_max.max(1), ..self }
    }

    /// The symbol of an order.
    pub(crate) fn symbol(&self, order: &Order) -> Symbol {
        self.symbols[order.instrument]
    }

    fn below(&mut self, bound: u32) -> u32 {
        // The bias of a modulus is far below what any figure here shows.
        u32::try_from(self.random.next_u64() % u64::from(bound.max(1))).unwrap_or(0)
    }

    /// What a session sends next.
    pub(crate) fn next(&mut self, session: usize) -> Request {
        let Weights { enter, cancel, replace, trade } = self.weights;
        let draw = self.below(enter + cancel + replace + trade);
        let full = self.open[session].len() + self.coming[session] >= self.open_max;
        if draw < trade {
            return Request::Enter(self.trade());
        }
        if full || draw < trade + cancel {
            if let Some((number, order)) = self.open[session].pop_front() {
                return Request::Cancel(number, order);
            }
        } else if draw < trade + cancel + replace
            && let Some((number, order)) = self.open[session].pop_front()
        {
            let price = self.away(order.side);
            self.coming[session] += 1;
            return Request::Replace(number, Order { price, ..order });
        }
        let order = self.rest();
        if full {
            return Request::Enter(Order { role: Role::Pass, ..order });
        }
        self.coming[session] += 1;
        Request::Enter(order)
    }

    fn rest(&mut self) -> Order {
        let instrument = self.below(u32::try_from(self.symbols.len()).unwrap_or(1)) as usize;
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        Order { role: Role::Rest, instrument, side, price: self.away(side) }
    }

    /// A price away from the middle, at one of 80 levels.
    fn away(&mut self, side: Side) -> Price {
        let ticks = 20 + self.below(80);
        let distance = ticks * TICK;
        match side {
            Side::Buy => Price(self.middle.0 - distance),
            Side::Sell => Price(self.middle.0 + distance),
        }
    }

    fn trade(&mut self) -> Order {
        let instrument = self.below(u32::try_from(self.symbols.len()).unwrap_or(1)) as usize;
        let at = |side| match side {
            Side::Buy => Price(self.middle.0 - 10 * TICK),
            Side::Sell => Price(self.middle.0 + 10 * TICK),
        };
        for (index, side) in [(0, Side::Buy), (1, Side::Sell)] {
            if self.makers[instrument][index] > 0 {
                self.makers[instrument][index] -= 1;
                let price = at(side);
                return Order { role: Role::Take, instrument, side: side.opposite(), price };
            }
        }
        let side = if self.random.next_u64().is_multiple_of(2) { Side::Buy } else { Side::Sell };
        if self.making >= 2 * self.makers.len() {
            return Order { role: Role::Pass, instrument, side, price: self.away(side) };
        }
        self.making += 1;
        Order { role: Role::Make, instrument, side, price: at(side) }
    }

    /// An order stands.
    pub(crate) fn stands(&mut self, session: usize, number: u64, order: Order) {
        self.arrived(session, order);
        match order.role {
            Role::Rest => self.open[session].push_back((number, order)),
            Role::Make => self.makers[order.instrument][usize::from(order.side == Side::Sell)] += 1,
            Role::Take | Role::Pass => {}
        }
    }

    /// An order is refused.
    pub(crate) fn refused(&mut self, session: usize, order: Order) {
        self.arrived(session, order);
    }

    fn arrived(&mut self, session: usize, order: Order) {
        match order.role {
            Role::Rest => self.coming[session] = self.coming[session].saturating_sub(1),
            Role::Make => self.making = self.making.saturating_sub(1),
            Role::Take | Role::Pass => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(text: &str) -> Mix {
        let symbols = [Symbol(*b"AAA     "), Symbol(*b"BBB     ")];
        Mix::new(text.parse().expect("a mix"), &symbols, Price(1_000_000), 2, 1)
    }

    #[test]
    fn a_mix_is_read_as_it_is_written() {
        let text = Weights::default().to_string();
        assert_eq!(text.parse(), Ok(Weights::default()));
        for wrong in ["", "enter", "enter:x", "buy:1", "cancel:1", "enter:1001"] {
            assert_eq!(wrong.parse::<Weights>(), Err(MixError(wrong.to_owned())));
        }
    }

    #[test]
    fn nothing_that_may_be_executed_is_cancelled_and_nothing_is_taken_that_does_not_stand() {
        let mut mix = mix("enter:40,cancel:30,replace:10,trade:20");
        let (mut standing, mut counts) = ([[0_i64; 2]; 2], [0_i32; 5]);
        for number in 0..100_000 {
            let session = usize::try_from(number % 2).expect("0 or 1");
            match mix.next(session) {
                Request::Enter(order) => {
                    let middle = i64::from(order.price.0).abs_diff(1_000_000) / u64::from(TICK);
                    let side = usize::from(order.side == Side::Sell);
                    match order.role {
                        Role::Rest => assert!((20..100).contains(&middle)),
                        Role::Make => standing[order.instrument][side] += 1,
                        Role::Take => standing[order.instrument][1 - side] -= 1,
                        Role::Pass => panic!("nothing is on its way for long here"),
                    }
                    assert!(standing[order.instrument].iter().all(|&count| count >= 0));
                    counts[order.role as usize] += 1;
                    mix.stands(session, number, order);
                }
                Request::Cancel(_, order) => {
                    assert_eq!(order.role, Role::Rest);
                    counts[3] += 1;
                }
                Request::Replace(_, order) => {
                    assert_eq!(order.role, Role::Rest);
                    counts[4] += 1;
                    mix.stands(session, number, order);
                }
            }
            assert!(mix.open.iter().all(|open| open.len() <= OPEN_MAX));
        }
        let [rest, make, take, cancel, replace] = counts;
        assert!(make.abs_diff(take) <= 4, "{make} made and {take} taken");
        assert!(
            rest - cancel <= 2 * i32::try_from(OPEN_MAX).expect("small"),
            "{rest} and {cancel}"
        );
        assert!((8_000..11_000).contains(&replace), "{replace}");
    }

    #[test]
    fn what_is_open_keeps_its_bound_when_the_venue_stops_for_a_moment() {
        for open_max in [1, 5, 40] {
            let mut mix = mix("enter:60,cancel:10,replace:10,trade:20").with_open_max(open_max);
            // By session: orders that stand, or will when what is on its way has arrived.
            let mut open = [0_usize; 2];
            let (mut makers, mut under_way) = (0_usize, Vec::new());
            for number in 0..20_000_u64 {
                let session = usize::try_from(number % 2).expect("0 or 1");
                match mix.next(session) {
                    Request::Enter(order) => {
                        open[session] += usize::from(order.role == Role::Rest);
                        makers += usize::from(order.role == Role::Make);
                        makers -= usize::from(order.role == Role::Take);
                        under_way.push((session, number, order));
                    }
                    Request::Cancel(..) => open[session] -= 1,
                    Request::Replace(_, order) => under_way.push((session, number, order)),
                }
                assert!(open.iter().all(|open| *open <= open_max), "{open:?} of {open_max}");
                assert!(makers <= 8, "{makers} at the middle of two instruments");
                // It stops for 300 requests out of 1,000, and refuses one order in a hundred.
                if number % 1_000 >= 300 {
                    for (session, number, order) in under_way.drain(..) {
                        if number % 100 == 7 && order.role != Role::Take {
                            mix.refused(session, order);
                            open[session] -= usize::from(order.role == Role::Rest);
                            makers -= usize::from(order.role == Role::Make);
                        } else {
                            mix.stands(session, number, order);
                        }
                    }
                }
            }
        }
    }
}
