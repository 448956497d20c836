//! What the risk gate costs an accepted order: judged, reserved and given back. The whole gate with
//! every check on, each check alone, and a gate without any.
//!
//! Every check is on with a limit that the order keeps; the order, its market and the owners' state
//! stay in the nearest cache, as those of an account that trades do.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spindle_risk::{
    Form, Gate, GateConfig, Holder, InstrumentState, Key, Limits, Market, Purpose, Request,
    Reserved, Sale, Target,
};
use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, SessionId, Side};

const ACCOUNT: AccountId = AccountId(3);
const SESSION: SessionId = SessionId(2);
const INSTRUMENT: InstrumentId = InstrumentId(17);

/// What switches a check on.
const CHECKS: [(&str, &[(Key, u64)]); 18] = [
    ("side", &[(Key::MayShort, 0)]),
    ("message_rate", &[(Key::MessageRateMax, 4_000_000_000)]),
    ("order_rate", &[(Key::OrderRateMax, 4_000_000_000)]),
    ("order_size", &[(Key::OrderSizeMax, 1_000)]),
    ("order_value", &[(Key::OrderValueMax, 1 << 50)]),
    ("luld_band", &[(Key::Luld, 1)]),
    ("collar", &[(Key::CollarTicks, 1_000), (Key::CollarPercent, 500), (Key::CollarMoney, 10_000)]),
    ("duplicate", &[(Key::DuplicateMax, 1), (Key::DuplicateWindowMs, 1)]),
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

fn limits(checks: &[(&str, &[(Key, u64)])]) -> Limits {
    let none = Limits::NONE.with(Key::Luld, 0).with(Key::RegSho, 0);
    checks
        .iter()
        .flat_map(|(_, set)| *set)
        .fold(none, |limits, &(key, value)| limits.with(key, value))
}

fn gate(account: Limits) -> Gate {
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

/// Orders of which no two that follow each other are alike.
struct Orders {
    gate: Gate,
    time: u64,
    market: Market,
}

impl Orders {
    fn new(gate: Gate) -> Self {
        let market = Market {
            bid: Some(Price(99_900)),
            ask: Some(Price(100_000)),
            last: Some(Price(99_950)),
            tick: 100,
        };
        let mut orders = Self { gate, time: 0, market };
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
        let price = 99_000 + 100 * u32::try_from(self.time / 1_000 % 8).expect("small");
        let request = Request {
            time: EventTime(self.time),
            account: ACCOUNT,
            session: SESSION,
            instrument: INSTRUMENT,
            side: Side::Buy,
            sale: Sale::Long,
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
            side: Side::Buy,
            sale: Sale::Long,
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

    /// And cancelled again.
    fn enter_and_cancel(&mut self) {
        let holder = self.enter();
        self.gate.release(&holder, Quantity(100), true);
    }

    /// An order is judged, and that is all.
    fn judge(&mut self) -> Price {
        let (request, _) = self.next();
        self.gate.check(black_box(&request), &self.market).expect("a pass").price
    }
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("risk");
    let all = limits(&CHECKS);
    for (name, account, others) in [
        ("no limits", limits(&[]), false),
        ("every check, account", all, false),
        ("every check, all four levels", all, true),
    ] {
        let mut gate = gate(account);
        if others {
            gate.set_limits(Target::Session(SESSION), all).expect("limits");
            gate.set_limits(Target::Firm(1), all).expect("limits");
            gate.set_instrument_limits(ACCOUNT, INSTRUMENT, all).expect("limits");
        }
        let mut orders = Orders::new(gate);
        group.bench_function(format!("judge: {name}"), |b| b.iter(|| orders.judge()));
        group.bench_function(format!("judge, reserve, release: {name}"), |b| {
            b.iter(|| orders.enter_and_cancel());
        });
    }
    for check in CHECKS {
        let mut orders = Orders::new(gate(limits(&[check])));
        group.bench_function(format!("only {}", check.0), |b| b.iter(|| orders.judge()));
    }
    group.finish();
}

criterion_group!(risk, whole);
criterion_main!(risk);
