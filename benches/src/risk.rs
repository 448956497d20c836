//! Gates and orders for what measures the risk gate.

use std::hint::black_box;
use std::time::{Duration, Instant};

use spindle_risk::{
    Form, Gate, GateConfig, Holder, InstrumentState, Key, Limits, Market, Purpose, Request,
    Reserved, Sale, Target,
};
use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side};

const ACCOUNT: AccountId = AccountId(3);
const SESSION: SessionId = SessionId(2);
const INSTRUMENT: InstrumentId = InstrumentId(17);

/// What switches a check on.
pub const CHECKS: [(&str, &[(Key, u64)]); 18] = [
    ("side", &[(Key::MayShort, 0)]),
    ("message_rate", &[(Key::MessageRateMax, 4_000_000_000)]),
    ("order_rate", &[(Key::OrderRateMax, 4_000_000_000)]),
    ("order_size", &[(Key::OrderSizeMax, 1_000)]),
    ("order_value", &[(Key::OrderValueMax, 1 << 50)]),
    ("luld_band", &[(Key::Luld, 1)]),
    ("collar", &[(Key::CollarTicks, 1_000), (Key::CollarPercent, 500), (Key::CollarMoney, 10_000)]),
    ("duplicate", &[(Key::DuplicateMax, 4), (Key::DuplicateWindowMs, 1)]),
    ("repeated_execution", &[(Key::ExecutionsMax, 10), (Key::ExecutionsWindowMs, 1)]),
    ("order_to_trade", &[(Key::OrderToTradeMax, 100), (Key::OrderToTradeFree, 4_000_000_000)]),
    ("open_orders", &[(Key::OpenOrdersMax, 1 << 40)]),
    ("position", &[(Key::PositionMax, 1 << 50)]),
    ("quantity of the day", &[(Key::BoughtQuantityMax, 1 << 60), (Key::SoldQuantityMax, 1 << 60)]),
    ("value of the day", &[(Key::BoughtValueMax, 1 << 60), (Key::SoldValueMax, 1 << 60)]),
    ("gross_exposure", &[(Key::GrossExposureMax, 1 << 60)]),
    ("net_exposure", &[(Key::NetExposureMax, 1 << 60)]),
    ("credit", &[(Key::CreditMax, 1 << 60)]),
    ("loss", &[(Key::LossMax, 1 << 60)]),
];

/// Limits with these checks on.
pub fn limits(checks: &[(&str, &[(Key, u64)])]) -> Limits {
    let none = Limits::NONE.with(Key::Luld, 0).with(Key::RegSho, 0);
    checks
        .iter()
        .flat_map(|(_, set)| *set)
        .fold(none, |limits, &(key, value)| limits.with(key, value))
}

/// A gate with these limits of the account.
///
/// # Panics
/// Where it has no room for them; it has.
pub fn gate(account: Limits) -> Gate {
    let mut gate =
        Gate::with(&GateConfig { accounts: 64, sessions: 64, firms: 8, cells: 4_096, sets: 256 });
    gate.fit_instruments(64);
    gate.set_account(ACCOUNT, Some(1));
    gate.set_limits(Target::Account(ACCOUNT), account).expect("limits");
    let band = InstrumentState {
        low: Some(Price(90_000)),
        high: Some(Price(110_000)),
        ..InstrumentState::default()
    };
    gate.set_instrument(INSTRUMENT, band);
    gate
}

/// A gate with these limits of the account, and of session, firm and the account in the instrument
/// where there are any. Shares for short sales are located.
///
/// # Panics
/// Where it has no room for them; it has.
pub fn at_every_level(account: Limits, others: &[Limits]) -> Gate {
    let short = account.with(Key::MayShort, 1).with(Key::Locate, 1).with(Key::RegSho, 1);
    let mut gate = gate(short);
    let state = InstrumentState { price_test: true, ..gate.instrument(INSTRUMENT) };
    gate.set_instrument(INSTRUMENT, state);
    let [session, firm, own] = *others else {
        let located = limits(&[]).with(Key::LocateShares, 1 << 40);
        gate.set_instrument_limits(ACCOUNT, INSTRUMENT, located).expect("limits");
        return gate;
    };
    gate.set_limits(Target::Session(SESSION), session).expect("limits");
    gate.set_limits(Target::Firm(1), firm).expect("limits");
    let own = own.with(Key::LocateShares, 1 << 40);
    gate.set_instrument_limits(ACCOUNT, INSTRUMENT, own).expect("limits");
    gate
}

/// Orders of which no two that follow each other are alike.
pub struct Orders {
    gate: Gate,
    time: u64,
    market: Market,
    side: Side,
    batch: Vec<(Request, Holder)>,
}

/// Orders that are made before and cancelled after what is measured of them.
pub const BATCH: u32 = 64;

impl Orders {
    /// Buys.
    pub fn new(gate: Gate) -> Self {
        Self::of(gate, Side::Buy)
    }

    /// Buys, or short sales above the best bid.
    ///
    /// # Panics
    /// Where the gate refuses the first.
    pub fn of(gate: Gate, side: Side) -> Self {
        let market = Market {
            bid: Some(Price(99_900)),
            ask: Some(Price(100_000)),
            last: Some(Price(99_950)),
            tick: 100,
        };
        let mut orders = Self { gate, time: 0, market, side, batch: Vec::new() };
        // Something is held, and something stands.
        let (request, holder) = orders.next();
        let admission = orders.gate.check(&request, &orders.market).expect("a pass");
        orders.gate.reserve(&request, &admission);
        let holder = Holder { price: admission.price, ..holder };
        orders.gate.fill(&holder, Quantity(50), Price(100_000), false, request.time);
        orders
    }

    fn next(&mut self) -> (Request, Holder) {
        self.time += 1_000;
        let (from, sale) = match self.side {
            // Three of eight reach beyond the best ask, within the collar.
            Side::Buy => (99_600, Sale::Long),
            Side::Sell => (100_100, Sale::Short),
        };
        let price = from + 100 * u32::try_from(self.time / 1_000 % 8).expect("small");
        let request = Request {
            time: EventTime(self.time),
            account: ACCOUNT,
            session: SESSION,
            instrument: INSTRUMENT,
            side: self.side,
            sale,
            quantity: Quantity(100),
            limit: Some(Price(price)),
            form: Form::Plain,
            purpose: Purpose::Enter,
            before: Reserved::default(),
        };
        let holder = Holder {
            account: ACCOUNT,
            session: SESSION,
            instrument: INSTRUMENT,
            side: self.side,
            sale,
            price: Price(price),
        };
        (request, holder)
    }

    /// An order is judged and accepted.
    fn enter(&mut self) -> Holder {
        let (request, holder) = self.next();
        let admission = self.gate.check(black_box(&request), &self.market).expect("a pass");
        self.gate.reserve(&request, &admission);
        holder
    }

    /// The orders that [`Orders::enter_batch`] enters.
    pub fn make_batch(&mut self) {
        self.batch.clear();
        for _ in 0..BATCH {
            let made = self.next();
            self.batch.push(made);
        }
    }

    /// Each order is judged and accepted: what the gate does before an accepted order goes to its book.
    ///
    /// # Panics
    /// Where the gate refuses it.
    pub fn enter_batch(&mut self) {
        let Self { gate, market, batch, .. } = self;
        for (request, _) in batch {
            let admission = gate.check(black_box(request), market).expect("a pass");
            gate.reserve(request, &admission);
        }
    }

    /// What is open of them is cancelled.
    pub fn cancel_batch(&mut self) {
        for (_, holder) in &self.batch {
            self.gate.release(holder, Quantity(100), true);
        }
    }

    /// An order is judged, accepted and cancelled again.
    ///
    /// # Panics
    /// Where the gate refuses it.
    pub fn enter_and_cancel(&mut self) {
        let holder = self.enter();
        self.gate.release(&holder, Quantity(100), true);
    }

    /// An order is judged, and that is all.
    ///
    /// # Panics
    /// Where the gate refuses it.
    pub fn judge(&mut self) -> Price {
        let (request, _) = self.next();
        self.gate.check(black_box(&request), &self.market).expect("a pass").price
    }

    /// How long orders take to be judged and reserved; making them and cancelling them again is not timed. Of the last
    /// batch the part that was wanted counts.
    pub fn time_batches(&mut self, wanted: u64) -> Duration {
        let batches = wanted.div_ceil(BATCH.into());
        let mut taken = Duration::ZERO;
        for _ in 0..batches {
            self.make_batch();
            let begin = Instant::now();
            self.enter_batch();
            taken += begin.elapsed();
            self.cancel_batch();
        }
        taken.mul_f64(wanted as f64 / (batches * u64::from(BATCH)) as f64)
    }
}
