//! The engine against its naive twin, by chance: streams over all kinds of order, phase and account
//! setting; every line and the whole book compared after every command.
//!
//! `SPINDLE_DIFFERENTIAL_COMMANDS` sets how many commands, `SPINDLE_DIFFERENTIAL_SEED` where chance
//! begins. A failure is shrunk to the smallest scenario that shows it, which `spindle match` takes
//! as it is.

mod common;

use std::panic;

use common::{Pair, price, report};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spindle_risk::{Key, Unit};
use spindle_scenario::{
    Account, Arm, Cancel, Center, Cross, Day, Id, Instrument, Kill, Kind, Limits, Line, MassCancel,
    New, Op, Owner, Phase, PhaseChange, PostOnly, Reference, Replace, Restriction, Sale, SelfTrade,
    Shares, Side, State, Tape, TapeEvent, Tif, Time,
};

/// Commands in one run; the next begins with an empty venue.
const RUN: u64 = 2_000;

const ACCOUNTS: [&str; 5] = ["A", "B", "C", "D", "E"];
const SYMBOLS: [&str; 2] = ["X", "Y"];

/// What a run is made of: how often each thing comes, of 100 or of what is said.
#[derive(Clone, Copy, Debug)]
struct Taste {
    /// The middle of the prices and the tick, in price units.
    middle: i64,
    tick: i64,
    /// Ticks on each side of the middle.
    width: u64,
    /// Orders that are plain limit, IOC and market orders.
    plain: u64,
    /// Phase changes, of 1,000 commands.
    phases: u64,
    /// Open orders at which cancels become frequent.
    crowd: usize,
    /// What the tape does, of 1,000 commands.
    tape: u64,
    /// Values that no order can have, of 1,000 orders.
    nonsense: u64,
    /// What is asked of the risk gate, of 1,000 commands.
    risk: u64,
}

struct Generator {
    chance: Xoshiro256PlusPlus,
    taste: Taste,
    next: Id,
    now: u64,
    phases: [Phase; 2],
    /// Orders that are or were open, with their limits.
    known: Vec<(Id, Option<i64>)>,
    /// References of the tape, the last ones.
    references: Vec<u64>,
    /// Whether the tape has stopped each instrument.
    stopped: [bool; 2],
    /// What the tape says next of its state.
    next_state: Option<Tape>,
    /// Whether the tape's day is over.
    is_over: bool,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut pick = |of: &[u64]| {
            let at = chance.next_u64() % of.len() as u64;
            of[usize::try_from(at).expect("small")]
        };
        let (middle, tick) = match pick(&[0, 0, 0, 0, 1, 2, 3, 4]) {
            0 => (100_000, 100),
            // Where prices end.
            1 => (4, 1),
            2 => (i64::from(i32::MAX) - 4, 1),
            3 => (1_000, 50),
            _ => (100, 50),
        };
        let taste = Taste {
            middle,
            tick,
            width: pick(&[2, 4, 8]),
            plain: pick(&[90, 50, 20, 5]),
            phases: pick(&[0, 5, 30, 100]),
            crowd: usize::try_from(pick(&[5, 15, 40, 80])).expect("small"),
            tape: pick(&[0, 0, 0, 100, 300]),
            nonsense: pick(&[0, 10, 50]),
            risk: pick(&[0, 0, 10, 40]),
        };
        let phases = [Phase::Continuous; 2];
        Self {
            chance,
            taste,
            next: 1,
            now: 0,
            phases,
            known: Vec::new(),
            references: vec![1],
            stopped: [false; 2],
            next_state: None,
            is_over: false,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance.next_u64() % end
    }

    fn signed(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).expect("small")
    }

    /// True so many times of a hundred.
    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }

    fn begin(&mut self) -> Vec<Op> {
        let tick = Some(price(self.taste.tick));
        let instrument = |symbol: &str, lot| {
            let currency = (symbol == "Y").then(|| "EUR".to_string());
            Op::Instrument(Instrument { symbol: symbol.into(), tick, lot, currency })
        };
        let mut ops = vec![instrument("X", None), instrument("Y", Some(Shares(5)))];
        for _ in 0..3 {
            ops.push(self.account());
        }
        if self.taste.tape > 0 && self.percent(70) {
            // At-open orders wait for the tape's opening.
            let phase = Some(Day::StartOfSystemHours);
            ops.push(Op::Tape(Tape { phase, ..Tape::of("", TapeEvent::System) }));
        }
        ops
    }

    fn account(&mut self) -> Op {
        let account = self.one(&ACCOUNTS).into();
        let post_only = self.one(&[None, Some(PostOnly::Reject), Some(PostOnly::Slide)]);
        let mode = self.one(&[
            SelfTrade::CancelNewest,
            SelfTrade::CancelOldest,
            SelfTrade::CancelBoth,
            SelfTrade::DecrementAndCancel,
        ]);
        let group = self.one(&[None, Some("g"), Some("g"), Some("h")]).map(String::from);
        let self_trade = group.is_some().then_some(mode);
        let firm = self.one(&[None, Some("f"), Some("f"), Some("g")]).map(String::from);
        Op::Account(Account { account, group, self_trade, post_only, firm })
    }

    fn op(&mut self, pair: &Pair) -> Op {
        let open: Vec<Id> = pair.twin.open_orders().map(|(id, _)| id).collect();
        let crowded = open.len() > self.taste.crowd;
        let cancels = if crowded { 400 } else { 100 };
        let phases = self.taste.phases;
        let takes_none = |phase: &Phase| matches!(phase, Phase::Halted | Phase::Closed);
        if self.phases.iter().any(takes_none) && self.percent(10) {
            return self.phase();
        }
        if let Some(next) = self.next_state.take() {
            return Op::Tape(next);
        }
        if self.below(1_000) < self.taste.tape {
            let mut tape = self.tape();
            if let Op::Tape(tape) = &mut tape
                && matches!(tape.event, TapeEvent::Execute | TapeEvent::Cancel)
                && let Some(left) = tape.reference.and_then(|at| pair.twin.left_on_the_tape(at))
                && let Some(quantity) = &mut tape.quantity
                && self.below(1_000) > 4
            {
                // More than an order has makes its book stale for good.
                quantity.0 = quantity.0.min(i64::try_from(left).expect("small"));
            }
            return tape;
        }
        if self.below(1_000) < self.taste.risk {
            return self.risk();
        }
        let at = self.below(1_000);
        if at < 3 {
            return self.mass_cancel();
        }
        if at < 6 {
            return self.account();
        }
        if at < 20 {
            let step = self.below(4) * 10;
            // Sometimes backwards, which is refused.
            self.now = if self.percent(5) { self.now.saturating_sub(1) } else { self.now + step };
            return Op::Time(Time { ns: self.now });
        }
        if at < 20 + phases {
            return self.phase();
        }
        if at < 20 + phases + cancels {
            return Op::Cancel(Cancel { id: self.target(&open) });
        }
        if at < 20 + phases + cancels + 130 {
            return self.replace(&open);
        }
        self.new_order()
    }

    fn tape(&mut self) -> Op {
        use TapeEvent::{Add, Cancel, Cross as Crosses, Delete, Execute, Replace, Trade};
        let stopped = self.stopped.iter().position(|stopped| *stopped);
        if self.percent(if stopped.is_some() || self.is_over { 15 } else { 3 }) {
            return Op::Tape(self.state(stopped));
        }
        let event = if self.percent(4) {
            Crosses
        } else if self.references.len() > self.taste.crowd {
            self.one(&[Execute, Delete])
        } else {
            self.one(&[Add, Add, Add, Add, Execute, Execute, Cancel, Delete, Replace, Trade])
        };
        let old = self.one(&self.references.clone());
        let fresh = if self.percent(3) { old } else { self.below(1 << 40) + 1 };
        let named = !matches!(event, Trade | Crosses);
        let reference = named.then_some(if event == Add { fresh } else { old });
        let new_reference = (event == Replace).then_some(fresh);
        if matches!(event, Add | Replace) {
            self.references.push(fresh);
        }
        if matches!(event, Delete | Replace) || (event == Execute && self.percent(30)) {
            self.references.retain(|reference| *reference != old || *reference == fresh);
            if self.references.is_empty() {
                self.references.push(1);
            }
        }
        let sided = event == Add || event == Trade && self.percent(50);
        let side = sided.then(|| self.one(&[Side::Buy, Side::Sell]));
        let sized = event != Delete;
        let empty = event == Crosses && self.percent(10);
        let quantity = sized.then(|| if empty { Shares(0) } else { self.quantity() });
        let priced = match event {
            Add | Replace | Trade | Crosses => true,
            Execute => self.percent(20),
            _ => false,
        };
        let price = priced.then(|| price(self.price()));
        let printable = (event == Execute && self.percent(20)).then(|| self.percent(30));
        let kind = self.one(&[Cross::Opening, Cross::Closing, Cross::Halt]);
        let kind = (event == Crosses).then_some(kind);
        let symbol = SYMBOLS[usize::from(self.percent(20))];
        let all = Tape::of(symbol, event);
        Op::Tape(Tape { reference, new_reference, side, quantity, price, printable, kind, ..all })
    }

    /// The tape says something of its state; what is `stopped` mostly goes on.
    fn state(&mut self, stopped: Option<usize>) -> Tape {
        use TapeEvent::{
            Breaker, BreakerLevels, Collar, Imbalance, OperationalHalt, Release, ShortSale, Status,
            System,
        };
        if self.is_over && self.percent(70) {
            self.is_over = false;
            return Tape { phase: Some(Day::StartOfMessages), ..Tape::of("", System) };
        }
        if let Some(at) = stopped.filter(|_| self.percent(70)) {
            self.stopped[at] = false;
            let state = Some(State::Trading);
            let [halt, status] = [OperationalHalt, Status]
                .map(|event| Tape { state, ..Tape::of(SYMBOLS[at], event) });
            self.next_state = Some(halt);
            return status;
        }
        let at = usize::from(self.percent(30));
        if self.percent(1) {
            let symbol = self.one(&["", "X", "Y", "Z"]);
            return Tape::of(symbol, TapeEvent::Loss);
        }
        let event = self.one(&[
            Status,
            Status,
            Status,
            OperationalHalt,
            OperationalHalt,
            Collar,
            Collar,
            ShortSale,
            ShortSale,
            Release,
            Breaker,
            BreakerLevels,
            System,
            Imbalance,
            Imbalance,
        ]);
        let of_the_market = matches!(event, Breaker | BreakerLevels | System);
        let mut all = Tape::of(if of_the_market { "" } else { SYMBOLS[at] }, event);
        match event {
            Status => {
                let state =
                    self.one(&[State::Halted, State::Paused, State::Quotation, State::Trading]);
                self.stopped[at] |= state != State::Trading;
                all.state = Some(state);
                all.reason = self.one(&[None, Some("LUDP"), Some("T1")]).map(String::from);
            }
            OperationalHalt => {
                all.state = Some(self.one(&[State::Halted, State::Trading, State::Paused]));
                all.market = self.one(&[None, None, Some(Center::Nasdaq), Some(Center::Bx)]);
                self.stopped[at] |= all.state == Some(State::Halted);
            }
            Collar => {
                let (one, other) = (self.price(), self.price());
                all.price = Some(price(self.price()));
                // Seldom upside down.
                let (least, most) =
                    if self.percent(5) { (one, other) } else { (one.min(other), one.max(other)) };
                (all.lower, all.upper) = (Some(price(least)), Some(price(most)));
            }
            ShortSale => {
                all.restriction = Some(self.one(&[
                    Restriction::Free,
                    Restriction::RestrictedToday,
                    Restriction::RestrictionRemains,
                ]));
            }
            Release => {
                all.seconds = self.one(&[None, Some(36_000)]);
                all.price = all.seconds.map(|_| price(self.price()));
            }
            // The third ends the day for good.
            Breaker => all.level = Some(if self.percent(1) { 3 } else { self.one(&[1, 2, 0]) }),
            BreakerLevels => {
                all.levels = Some([700, 600, 500].map(|points| price(points * 10_000)))
            }
            System => {
                // A day that is over begins again.
                all.phase = Some(if self.is_over || self.percent(90) {
                    self.one(&[
                        Day::StartOfMessages,
                        Day::StartOfSystemHours,
                        Day::StartOfMarketHours,
                        Day::EndOfMarketHours,
                    ])
                } else {
                    self.one(&[Day::EndOfSystemHours, Day::EndOfMessages])
                });
                self.is_over =
                    matches!(all.phase, Some(Day::EndOfSystemHours | Day::EndOfMessages));
            }
            _ => {
                all.quantity = Some(self.quantity());
                all.imbalance = Some(self.one(&[Shares(0), Shares(5), Shares(40)]));
                all.side = self.one(&[None, Some(Side::Buy), Some(Side::Sell)]);
                all.kind = Some(self.one(&[Cross::Opening, Cross::Closing, Cross::Halt]));
                let near = self.price();
                all.near = self.percent(70).then(|| price(near));
                all.price = self.percent(70).then(|| price(near));
            }
        }
        all
    }

    /// An open order, seldom another.
    fn target(&mut self, open: &[Id]) -> Id {
        if open.is_empty() || self.percent(4) { self.below(self.next + 2) } else { self.one(open) }
    }

    /// Limits, stops and what the gate knows of instruments.
    fn risk(&mut self) -> Op {
        let owner = match self.below(4) {
            0 | 1 => Owner::Account(self.one(&ACCOUNTS).into()),
            2 => Owner::Session(self.one(&["s", "A", "t"]).into()),
            _ => Owner::Firm(self.one(&["f", "g"]).into()),
        };
        let (account, session, firm) = match owner.clone() {
            _ if self.percent(15) => (None, None, None),
            Owner::Session(name) => (None, Some(name), None),
            Owner::Firm(name) => (None, None, Some(name)),
            Owner::Account(name) => (Some(name), None, None),
            Owner::All => (None, None, None),
        };
        match self.below(10) {
            0 => return Op::Kill(Kill { account, session, firm }),
            1..=3 => return Op::Arm(Arm { account, session, firm, cause: "c".into() }),
            4 => {
                let mut near = |percent| {
                    if self.percent(percent) { Some(price(self.price())) } else { None }
                };
                let (reference, low, high) = (near(50), near(10), near(10));
                return Op::Reference(Reference {
                    symbol: self.one(&SYMBOLS).into(),
                    price: reference,
                    low,
                    high,
                    restricted: self.percent(5),
                    price_test: self.percent(30),
                });
            }
            _ => {}
        }
        let is_account = matches!(owner, Owner::Account(_));
        let symbol = (is_account && self.percent(40)).then(|| self.one(&SYMBOLS).into());
        let currency = self.percent(30).then(|| "EUR".to_string());
        let mut values = Vec::new();
        for _ in 0..1 + self.below(5) {
            let key = self.one(&Key::ALL);
            let value = (!self.percent(20)).then(|| self.limit_of(key));
            values.retain(|(other, _)| *other != key);
            values.push((key, value));
            for (one, other) in [
                (Key::DuplicateMax, Key::DuplicateWindowMs),
                (Key::ExecutionsMax, Key::ExecutionsWindowMs),
                (Key::KillRejectsMax, Key::KillRejectsWindowMs),
                (Key::KillFillsMax, Key::KillFillsWindowMs),
            ] {
                if key == one {
                    values.retain(|(set, _)| *set != other);
                    let with = value.map(|_| self.limit_of(other));
                    values.push((other, with));
                }
            }
        }
        Op::Limits(Limits { owner, symbol, currency, values })
    }

    fn limit_of(&mut self, key: Key) -> u64 {
        let middle = self.taste.middle.unsigned_abs();
        let tick = self.taste.tick.unsigned_abs();
        match key {
            Key::LossMax => tick * self.below(200),
            Key::OrderValueMax => middle * (10 + self.below(60)),
            key if key.is_money() => middle * (40 + self.below(300)),
            Key::OrderSizeMax => 10 + self.below(60),
            Key::CollarTicks => self.below(8),
            Key::CollarPercent => self.below(1_000),
            Key::CollarMoney => tick * self.below(8),
            Key::OrderToTradeMax => self.below(6),
            Key::OrderToTradeFree => self.below(100),
            Key::DuplicateMax => 1 + self.below(4),
            Key::MessageRateMax | Key::OrderRateMax => 1 + self.below(4_000_000_000),
            Key::MessageBurst | Key::OrderBurst => 1 + self.below(30),
            Key::ExecutionsMax | Key::KillFillsMax => 1 + self.below(20),
            Key::KillRejectsMax => self.below(20),
            Key::OpenOrdersMax => 1 + self.below(10),
            Key::WarnPercent => self.below(101),
            Key::Restricted => u64::from(self.percent(5)),
            Key::MayBuy | Key::MaySell | Key::MayShort | Key::MayShortExempt => {
                u64::from(self.percent(90))
            }
            key if key.unit() == Unit::Flag => self.below(2),
            key if key.unit() == Unit::Millis => 1 + self.below(3),
            _ => 40 + self.below(400),
        }
    }

    fn mass_cancel(&mut self) -> Op {
        let mut given = |of: &[&str]| {
            if self.percent(50) { Some(self.one(of).to_string()) } else { None }
        };
        let account = given(&ACCOUNTS);
        let session = given(&["s", "A", "t"]);
        let symbol = given(&["X", "Y", "X", "Y", "Z"]);
        let side = self.one(&[None, Some(Side::Buy), Some(Side::Sell)]);
        Op::MassCancel(MassCancel { account, session, symbol, side })
    }

    fn phase(&mut self) -> Op {
        let mut at = usize::try_from(self.below(2)).expect("small");
        if self.phases[at] == Phase::Continuous && self.percent(50) {
            at = 1 - at;
        }
        let phase = if self.phases[at] == Phase::Continuous || self.percent(40) {
            self.one(&[
                Phase::PreOpen,
                Phase::Paused,
                Phase::Halted,
                Phase::PreClose,
                Phase::Closed,
                Phase::Continuous,
            ])
        } else {
            Phase::Continuous
        };
        self.phases[at] = phase;
        let reference = if self.percent(30) { Some(price(self.price())) } else { None };
        Op::Phase(PhaseChange { symbol: SYMBOLS[at].into(), phase, reference })
    }

    fn price(&mut self) -> i64 {
        let ticks =
            self.signed(2 * self.taste.width + 1) - i64::try_from(self.taste.width).expect("small");
        let units = self.taste.middle + ticks * self.taste.tick;
        if self.below(1_000) < self.taste.nonsense {
            return match self.below(6) {
                0 => 0,
                1 => -units,
                2 => units + 1,
                3 => i64::from(i32::MAX) + 1,
                4 => i64::MAX,
                _ => i64::from(u32::MAX) + 2,
            };
        }
        units.max(self.taste.tick)
    }

    fn quantity(&mut self) -> Shares {
        if self.below(1_000) < self.taste.nonsense {
            let last = i64::from(i32::MAX);
            return Shares(self.one(&[0, -1, last, last + 1, i64::from(u32::MAX) + 6, 7]));
        }
        // A multiple of every lot, but for a few.
        let step = self.one(&[5, 5, 10]);
        let odd = if self.percent(3) { 1 } else { 0 };
        Shares(step * (1 + self.signed(8)) + odd)
    }

    fn replace(&mut self, open: &[Id]) -> Op {
        let id = self.target(open);
        let before = self.known.iter().rev().find(|(known, _)| *known == id);
        let before = before.and_then(|(_, limit)| *limit);
        let limit = match self.below(10) {
            0 => None,
            1..=4 => Some(self.price()),
            _ => before,
        };
        let new_id = if self.percent(3) { self.below(self.next + 1) } else { self.next };
        self.next += 1;
        self.known.push((new_id, limit));
        let mut quantity = self.quantity();
        if self.percent(4) {
            quantity = Shares(0);
        }
        quantity = fillable(quantity);
        let tif = if self.percent(15) { Some(self.tif()) } else { None };
        let expire_ns = self.expiry(tif.unwrap_or_default());
        Op::Replace(Replace { id, new_id, price: limit.map(price), quantity, tif, expire_ns })
    }

    fn tif(&mut self) -> Tif {
        use Tif::{AtClose, AtOpen, Day, Fok, Gtc, Gtd, Ioc};
        self.one(&[Day, Day, Day, Gtc, Gtd, Ioc, Fok, AtOpen, AtClose])
    }

    fn expiry(&mut self, tif: Tif) -> Option<u64> {
        let stray = self.below(1_000) < self.taste.nonsense / 5;
        (stray || tif == Tif::Gtd).then(|| self.now + self.below(60))
    }

    fn new_order(&mut self) -> Op {
        let id = if self.percent(1) { self.below(self.next + 1) } else { self.next };
        self.next += 1;
        let is_plain = self.percent(self.taste.plain);
        let kind = if is_plain {
            self.one(&[Kind::Limit, Kind::Limit, Kind::Limit, Kind::Limit, Kind::Market])
        } else {
            self.one(&[
                Kind::Limit,
                Kind::Limit,
                Kind::Limit,
                Kind::Market,
                Kind::MarketToLimit,
                Kind::Stop,
                Kind::StopLimit,
                Kind::TrailingStop,
                Kind::MidpointPeg,
                Kind::PrimaryPeg,
            ])
        };
        let mut tif = if is_plain { self.one(&[Tif::Day, Tif::Day, Tif::Ioc]) } else { self.tif() };
        let waits = !matches!(kind, Kind::Limit | Kind::Market | Kind::MarketToLimit);
        if waits && self.percent(90) {
            tif = self.one(&[Tif::Day, Tif::Gtc, Tif::Gtd]);
        }
        if kind == Kind::Market && self.percent(90) {
            tif = self.one(&[Tif::Day, Tif::Ioc, Tif::Fok, Tif::AtOpen, Tif::AtClose]);
        }
        let at_auction = matches!(tif, Tif::AtOpen | Tif::AtClose);
        if at_auction && self.percent(60) {
            let fits = matches!(kind, Kind::Limit | Kind::Market);
            tif = if fits { Tif::AtClose } else { Tif::Day };
        }
        let is_peg = matches!(kind, Kind::MidpointPeg | Kind::PrimaryPeg);
        let limited = match kind {
            Kind::Limit | Kind::StopLimit => true,
            Kind::TrailingStop => self.percent(50),
            Kind::MidpointPeg | Kind::PrimaryPeg => self.percent(40),
            _ => self.below(1_000) < self.taste.nonsense,
        };
        let limit = limited.then(|| self.price());
        self.known.push((id, limit));
        let stop = match kind {
            Kind::Stop | Kind::StopLimit => true,
            Kind::TrailingStop => self.percent(60),
            _ => self.below(1_000) < self.taste.nonsense / 5,
        };
        let stop_price = stop.then(|| price(self.price()));
        let trails = kind == Kind::TrailingStop;
        let ticks = 1 + self.signed(4);
        let trail = trails.then(|| price(ticks * self.taste.tick));
        let ticks = self.signed(7) - 3;
        let stray = self.below(1_000) < self.taste.nonsense;
        let off = if stray { self.taste.tick * ticks + 1 } else { self.taste.tick * ticks };
        let offset = (is_peg && self.percent(60)).then(|| price(off));
        let unmodified = is_plain || is_peg || matches!(kind, Kind::Market | Kind::Stop);
        let modified = self.percent(if unmodified { 2 } else { 60 });
        let stays = matches!(tif, Tif::Day | Tif::Gtc | Tif::Gtd) || self.percent(4);
        let session = self.one(&[None, Some("s"), Some("t")]).map(String::from);
        let display = (modified && stays && self.percent(40)).then(|| self.quantity());
        let hidden =
            modified && stays && (display.is_none() || self.percent(4)) && self.percent(40);
        let mut quantity = self.quantity();
        if display.is_some() {
            quantity = fillable(quantity);
        }
        let enters = matches!(kind, Kind::Limit | Kind::Market | Kind::MarketToLimit);
        let post_only = modified && (kind == Kind::Limit && stays || self.percent(2));
        let post_only = post_only && self.percent(30);
        let minimum = !is_plain && !post_only && enters && tif != Tif::Fok && self.percent(20);
        let side = self.one(&[Side::Buy, Side::Sell]);
        let sells = side == Side::Sell || self.percent(1);
        let sale = match self.below(10) {
            0..3 if sells => Sale::Short,
            3 if sells => Sale::ShortExempt,
            _ => Sale::Long,
        };
        let check_only = self.taste.risk > 0 && self.percent(3);
        Op::New(New {
            id,
            account: self.one(&ACCOUNTS).into(),
            session,
            symbol: self.one(&["X", "X", "X", "X", "Y", "Y"]).into(),
            side,
            sale,
            kind,
            price: limit.map(price),
            quantity,
            tif,
            expire_ns: self.expiry(tif),
            stop_price,
            trail,
            offset,
            display,
            hidden,
            post_only,
            check_only,
            minimum_quantity: (minimum || self.percent(1)).then(|| self.quantity()),
        })
    }
}

/// Icebergs that would be refilled without end are refused for want of room, which the twin always
/// has.
fn fillable(quantity: Shares) -> Shares {
    if quantity.0 == i64::from(i32::MAX) { Shares(40) } else { quantity }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}; give a whole number"))
    })
}

/// One run; how often each kind of event came is added up. The operations come back if it failed.
fn run(seed: u64, commands: u64, seen: &mut Seen) -> Result<(), (Vec<Op>, String)> {
    let mut generator = Generator::new(seed);
    let mut pair = Pair::default();
    let mut ops = generator.begin();
    let mut at = 0;
    while (at as u64) < commands {
        if at == ops.len() {
            ops.push(generator.op(&pair));
        }
        let applied = panic::catch_unwind(panic::AssertUnwindSafe(|| pair.apply(&ops[at])));
        match applied {
            Ok(Ok(())) => seen.count(&pair.lines),
            Ok(Err(fault)) => return Err((ops, fault)),
            Err(_) => return Err((ops, "panicked".into())),
        }
        at += 1;
    }
    pair.end().map_err(|fault| (ops, fault))
}

/// How often each kind of event came: a comparison of nothing with nothing proves nothing.
#[derive(Debug, Default)]
struct Seen {
    accepted: u64,
    rejected: u64,
    trades: u64,
    tape_trades: u64,
    hidden_trades: u64,
    canceled: u64,
    replaced: u64,
    triggered: u64,
    auctions: u64,
    imbalances: u64,
    in_crosses: u64,
    tape_imbalances: u64,
    states: u64,
    reasons: std::collections::BTreeMap<&'static str, u64>,
}

impl Seen {
    fn count(&mut self, lines: &[Line]) {
        for line in lines {
            match line {
                Line::Accepted { .. } => self.accepted += 1,
                Line::Rejected(why) => {
                    self.rejected += 1;
                    *self.reasons.entry(why.reason).or_default() += 1;
                }
                Line::Trade { cross: Some(_), .. } => self.in_crosses += 1,
                Line::Trade { maker, taker, reference, .. } => {
                    self.trades += 1;
                    self.tape_trades += u64::from(reference.is_some());
                    let one_sided = maker.is_none() || taker.is_none();
                    self.hidden_trades += u64::from(one_sided && reference.is_none());
                }
                Line::Canceled { reason, .. } => {
                    self.canceled += 1;
                    *self.reasons.entry(reason).or_default() += 1;
                }
                Line::Replaced { .. } => self.replaced += 1,
                Line::Triggered { .. } => self.triggered += 1,
                Line::Auction { .. } => self.auctions += 1,
                Line::Imbalance { of_tape: Some(_), .. } => self.tape_imbalances += 1,
                Line::Imbalance { .. } => self.imbalances += 1,
                Line::Status { .. }
                | Line::OperationalHalt { .. }
                | Line::Collar { .. }
                | Line::ShortSale { .. }
                | Line::Release { .. }
                | Line::Breaker { .. }
                | Line::BreakerLevels { .. }
                | Line::Stale { .. }
                | Line::System { .. } => self.states += 1,
                _ => {}
            }
        }
    }
}

#[test]
fn every_line_and_the_whole_book_are_the_same() {
    let commands = setting("SPINDLE_DIFFERENTIAL_COMMANDS", 1_000_000);
    let first = setting("SPINDLE_DIFFERENTIAL_SEED", 1);
    let mut seen = Seen::default();
    for at in 0..commands.div_ceil(RUN) {
        let seed = first + at;
        let about = format!("seed {seed}: twin and engine differ");
        if let Err((ops, fault)) = run(seed, RUN.min(commands - at * RUN), &mut seen) {
            panic!("{}\nfirst seen as:\n{fault}", report(ops, &about));
        }
    }
    println!("{commands} commands from seed {first}: {seen:#?}");
    if commands >= 100_000 {
        for (name, count) in [
            ("trades", seen.trades),
            ("trades with the tape's orders", seen.tape_trades),
            ("hidden trades", 10 * seen.hidden_trades),
            ("triggered", seen.triggered),
            ("auctions", seen.auctions),
            ("imbalances", seen.imbalances),
            ("states", seen.states),
            ("trades in crosses of the tape", 10 * seen.in_crosses),
            ("imbalances of the tape", 20 * seen.tape_imbalances),
        ] {
            assert!(count > commands / 1_000, "only {count} {name}: this compares too little");
        }
    }
}
