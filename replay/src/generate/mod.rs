//! A synthetic ITCH 5.0 day, valid by construction.
//!
//! The generator keeps books of its own and lets only such messages out as an exchange could send:
//! references are live, books are never crossed or locked, executions take the front of the best
//! level. Its mix, its burst at the open and its life times follow a real day; `docs/generate.md`
//! has the figures and where the day differs from a real one. Integers only, one seeded source of
//! chance: the same configuration gives the same bytes on every machine.

mod book;
mod config;
mod market;
mod marks;
mod orders;
mod plan;
mod script;
mod source;
mod tables;
mod wire;

pub use config::{GenerateConfig, GenerateError};
pub use source::GeneratedDay;

use std::io::{self, Write};

use spindle_types::Side;

use self::market::{Market, TICK};
use self::orders::Order;
use self::plan::{Kind, Period};
use self::script::{Script, Step};
use self::wire::Wire;
use crate::random::Random;

/// Makes up a day, message by message. Memory follows the number of live orders and instruments.
pub struct Generator {
    random: Random,
    script: Script,
    market: Market,
    wire: Wire,
    clock: u64,
    produced: u64,
    total: u64,
    reference: u64,
    match_number: u64,
    /// What must come next, at the same time.
    follow_up: Option<FollowUp>,
}

#[derive(Clone, Copy)]
enum FollowUp {
    /// The print of a cross whose displayed shares were reported before it.
    Cross { instrument: u16, shares: u64, price: u32 },
    /// The rest of an incoming order that has taken the front of this side.
    Sweep { instrument: u16, side: Side },
}

impl Generator {
    /// A generator at the start of its day.
    pub fn new(config: GenerateConfig) -> Self {
        let mut random = Random::new(config.seed());
        let market = Market::new(config.symbols(), &mut random);
        Self {
            random,
            script: Script::new(&config),
            market,
            wire: Wire::default(),
            clock: 0,
            produced: 0,
            total: config.messages(),
            reference: 0,
            match_number: 0,
            follow_up: None,
        }
    }

    /// Messages made so far.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Messages in the whole day.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Orders that are live now.
    pub fn live_orders(&self) -> usize {
        self.market.orders.live()
    }

    /// The next message, or `None` when the day is over.
    pub fn next_message(&mut self) -> Option<&[u8]> {
        match self.script.next(&mut self.random, &mut self.clock, self.follow_up.is_some())? {
            Step::System(code) => self.wire.system_event(self.clock, code),
            Step::Directory(instrument) => {
                self.wire.directory(self.clock, instrument, self.market.symbol(instrument));
            }
            Step::Trading(instrument) => {
                self.wire.trading(self.clock, instrument, self.market.symbol(instrument));
            }
            Step::PriceTest(instrument) => {
                self.wire.price_test(self.clock, instrument, self.market.symbol(instrument));
            }
            Step::Market => self.market_message(),
        }
        self.produced += 1;
        Some(self.wire.message())
    }

    /// Writes the rest of the day in the framing of daily files, and says how many bytes that were.
    /// `progress` is told the number of messages made every few thousand of them.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_to(
        &mut self,
        mut output: impl Write,
        mut progress: impl FnMut(u64),
    ) -> io::Result<u64> {
        const CHUNK: usize = 64 * 1024;
        let mut chunk = Vec::with_capacity(CHUNK + 128);
        let mut written = 0;
        while let Some(message) = self.next_message() {
            // A message has at most 50 bytes.
            let length = u16::try_from(message.len()).unwrap_or(0);
            chunk.extend_from_slice(&length.to_be_bytes());
            chunk.extend_from_slice(message);
            if chunk.len() >= CHUNK {
                output.write_all(&chunk)?;
                written += chunk.len() as u64;
                chunk.clear();
                progress(self.produced);
            }
        }
        output.write_all(&chunk)?;
        output.flush()?;
        progress(self.produced);
        Ok(written + chunk.len() as u64)
    }

    fn market_message(&mut self) {
        match self.follow_up.take() {
            Some(FollowUp::Cross { instrument, shares, price }) => {
                self.script.used(Kind::Cross);
                return self.print_cross(instrument, shares, price);
            }
            Some(FollowUp::Sweep { instrument, side }) => {
                let front = self.market.book(instrument).front(side);
                if let Some(order) = front
                    && self.script.remaining(Kind::Execute) > 0
                {
                    self.script.used(Kind::Execute);
                    return self.execute(order);
                }
            }
            None => {}
        }
        let kind = self.script.choose(&mut self.random);
        self.act(kind);
    }

    fn act(&mut self, kind: Kind) {
        match kind {
            Kind::Add | Kind::AddMpid => self.add(kind == Kind::AddMpid),
            Kind::Trade => self.trade(),
            Kind::Imbalance => self.imbalance(),
            Kind::Position => self.position(),
            Kind::Cross => self.cross(),
            Kind::Delete | Kind::Replace | Kind::Cancel => {
                let order = self.market.any_order(&mut self.random, self.clock);
                match order {
                    Some(order) if kind == Kind::Delete => self.delete(order),
                    Some(order) if kind == Kind::Replace => self.replace(order),
                    Some(order) => self.cancel(order),
                    None => self.instead(),
                }
            }
            Kind::Execute | Kind::ExecuteAt => {
                match self.market.any_front(&mut self.random, self.clock) {
                    Some(order) if kind == Kind::Execute => self.execute(order),
                    Some(order) => self.execute_at(order),
                    None => self.instead(),
                }
            }
        }
    }

    /// What comes in place of a message that no order is there for: a new order, or after the end
    /// of system hours, when none may enter, a message without effect on books.
    fn instead(&mut self) {
        if self.script.period() == Some(Period::Over) { self.position() } else { self.add(false) }
    }

    /// References rise by 1 to 7: four times sparser than the orders.
    fn next_reference(&mut self) -> u64 {
        self.reference += 1 + self.random.below(7);
        self.reference
    }

    fn next_match(&mut self) -> u64 {
        self.match_number += 1 + self.random.below(3);
        self.match_number
    }

    fn add(&mut self, attributed: bool) {
        let instrument = self.market.any_instrument(&mut self.random);
        let side = Market::any_side(&mut self.random);
        let price = self.market.price_for(&mut self.random, instrument, side);
        let shares = tables::size(&mut self.random);
        let order = Order::new(instrument, side, self.next_reference(), price, shares);
        self.market.enter(self.clock, order);
        let symbol = self.market.symbol(instrument);
        let attribution = attributed.then(|| self.random.index(16));
        self.wire.add(self.clock, &order, symbol, attribution);
    }

    fn delete(&mut self, order: u32) {
        let gone = *self.market.orders.get(order);
        self.market.leave(order);
        self.wire.delete(self.clock, &gone);
    }

    fn replace(&mut self, order: u32) {
        let gone = *self.market.orders.get(order);
        self.market.leave(order);
        let Order { instrument, side, .. } = gone;
        let price = self.market.price_for(&mut self.random, instrument, side);
        let shares = tables::size(&mut self.random);
        let new = Order::new(instrument, side, self.next_reference(), price, shares);
        self.market.enter(self.clock, new);
        self.wire.replace(self.clock, &gone, &new);
    }

    /// Takes off some shares and leaves at least one; an order of one share is deleted instead.
    fn cancel(&mut self, order: u32) {
        let shares = self.market.orders.get(order).shares;
        if shares < 2 {
            return self.delete(order);
        }
        let taken = self.part_of(shares);
        let left = self.market.orders.get_mut(order);
        left.shares -= taken;
        let left = *left;
        self.wire.cancel(self.clock, &left, taken);
    }

    /// Whole lots where that is possible, at least one share and less than all.
    fn part_of(&mut self, shares: u32) -> u32 {
        let lots = (shares - 1) / 100;
        if lots > 0 {
            100 * (1 + self.random.below32(lots))
        } else {
            1 + self.random.below32(shares - 1)
        }
    }

    fn executed_shares(&mut self, shares: u32) -> u32 {
        if shares < 2 || self.random.chance(plan::FULL_FILLS) {
            shares
        } else {
            self.part_of(shares)
        }
    }

    /// Takes shares off an order at the front, and the order out when none are left.
    fn fill(&mut self, order: u32, shares: u32) {
        let left = &mut self.market.orders.get_mut(order).shares;
        *left -= shares;
        if *left == 0 {
            self.market.leave(order);
        }
    }

    fn execute(&mut self, order: u32) {
        let resting = *self.market.orders.get(order);
        let shares = self.executed_shares(resting.shares);
        self.fill(order, shares);
        let match_number = self.next_match();
        self.wire.execute(self.clock, &resting, shares, match_number);
        if shares == resting.shares && self.random.chance(307) {
            let Order { instrument, side, .. } = resting;
            self.follow_up = Some(FollowUp::Sweep { instrument, side });
        }
    }

    /// An execution between the order's price and the other side's best: a printable one.
    fn execute_at(&mut self, order: u32) {
        let resting = *self.market.orders.get(order);
        let shares = self.executed_shares(resting.shares);
        let Order { instrument, side, price, .. } = resting;
        let other = self.market.book(instrument).best(side.opposite());
        let trade_price = match other {
            Some(other) => price.midpoint(other),
            None => price + TICK / 2,
        };
        self.fill(order, shares);
        let match_number = self.next_match();
        self.wire.execute_at(self.clock, &resting, shares, match_number, b'Y', trade_price);
    }

    fn trade(&mut self) {
        let instrument = self.market.any_instrument(&mut self.random);
        let book = self.market.book(instrument);
        let price = match (book.best(Side::Buy), book.best(Side::Sell)) {
            (Some(bid), Some(ask)) => bid.midpoint(ask),
            _ => self.market.middle(instrument),
        };
        let shares = tables::size(&mut self.random);
        let match_number = self.next_match();
        let symbol = self.market.symbol(instrument);
        self.wire.trade(self.clock, instrument, symbol, shares, price, match_number);
    }

    fn imbalance(&mut self) {
        let instrument = self.market.any_instrument(&mut self.random);
        let price = self.market.middle(instrument);
        let paired = 100 * self.random.below(2_000);
        let direction = b"BSNO"[self.random.index(4)];
        let imbalance =
            if matches!(direction, b'B' | b'S') { 100 * self.random.below(500) } else { 0 };
        let cross = if self.script.period() == Some(Period::BeforeClose) { b'C' } else { b'O' };
        let symbol = self.market.symbol(instrument);
        self.wire.imbalance(
            self.clock,
            instrument,
            symbol,
            paired,
            (imbalance, direction),
            price,
            cross,
        );
    }

    fn position(&mut self) {
        let instrument = self.market.any_instrument(&mut self.random);
        let participant = self.random.index(16);
        let primary = self.random.chance(512);
        let symbol = self.market.symbol(instrument);
        self.wire.position(self.clock, instrument, symbol, participant, primary);
    }

    /// The cross of the next instrument. A displayed order that takes part is reported first, at the
    /// same time and not printable, since the cross prints its shares again.
    fn cross(&mut self) {
        let crossed = self.script.next_cross();
        let instrument = self.market.ranking()[crossed];
        let side = Market::any_side(&mut self.random);
        let price = self.market.middle(instrument);
        let hidden = if self.random.chance(700) { 100 * self.random.below(300) } else { 0 };
        let front = self.market.book(instrument).front(side);
        if let Some(order) = front
            && self.script.remaining(Kind::ExecuteAt) > 0
        {
            self.script.used(Kind::ExecuteAt);
            self.script.unused(Kind::Cross);
            let resting = *self.market.orders.get(order);
            let shares = self.executed_shares(resting.shares);
            self.fill(order, shares);
            let match_number = self.next_match();
            self.wire.execute_at(self.clock, &resting, shares, match_number, b'N', resting.price);
            let (shares, price) = (u64::from(shares) + hidden, resting.price);
            self.follow_up = Some(FollowUp::Cross { instrument, shares, price });
            return;
        }
        self.print_cross(instrument, hidden, price);
    }

    fn print_cross(&mut self, instrument: u16, shares: u64, price: u32) {
        let opening = self.script.period() == Some(Period::Open);
        let cross_type = if opening { b'O' } else { b'C' };
        let match_number = self.next_match();
        let symbol = self.market.symbol(instrument);
        self.wire.cross(self.clock, instrument, symbol, shares, price, (match_number, cross_type));
    }
}
