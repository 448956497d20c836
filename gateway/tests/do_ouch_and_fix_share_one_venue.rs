//! OUCH and FIX on real sockets, beside each other on one engine: orders meet and are cancelled
//! across the protocols, and a FIX client that is cut off again and again gets every report once.

mod common;

use std::collections::{BTreeMap, HashMap};

use common::{ManualClock, SECOND, Trader, engine_of_two, user};
use rtrb::{Consumer, RingBuffer};
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_gateway::client::{
    FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient,
};
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::{Gateway, GatewayConfig, GatewayNotice};
use spindle_types::{AccountId, Agent, OrderToken, Price, Quantity, SessionId, Symbol};

struct Venue {
    clock: ManualClock,
    gateway: Gateway<ManualClock>,
    engine: EngineAgent<NoFeed>,
    notices: Consumer<GatewayNotice>,
}

/// A FIX client with all that it was told.
struct FixTrader {
    client: FixClient<ManualClock>,
    told: Vec<String>,
    /// ExecIDs by MsgSeqNum, and how often each came.
    reports: BTreeMap<u64, (String, u32)>,
    /// Shares executed by the reports.
    executed: u64,
    /// Reports that came with the mark of what is sent again.
    marked: u32,
}

impl FixTrader {
    fn poll(&mut self) -> usize {
        let Self { client, told, reports, executed, marked } = self;
        client.poll(&mut |event| match event {
            FixEvent::LoggedOn => told.push("logged on".to_owned()),
            FixEvent::Report(report) => {
                let exec_id = String::from_utf8_lossy(report.exec_id).into_owned();
                let entry = reports.entry(report.sequence).or_insert((exec_id.clone(), 0));
                assert_eq!(entry.0, exec_id, "one number for two reports");
                entry.1 += 1;
                *executed += u64::from(report.last_quantity.0);
                *marked += u32::from(report.again);
                let (kind, status) = (char::from(report.exec_type), char::from(report.status));
                let id = report.id.unwrap_or(0);
                told.push(format!(
                    "report {id} {kind}/{status} {} {}",
                    report.executed, report.open
                ));
            }
            FixEvent::CancelRejected { id, reason, .. } => {
                told.push(format!("cancel {} rejected {reason}", id.unwrap_or(0)));
            }
            FixEvent::MassCanceled { orders, .. } => told.push(format!("mass canceled {orders:?}")),
            FixEvent::BusinessRejected { reason, .. } => told.push(format!("business {reason}")),
            FixEvent::Message(message) => told.push(format!("message {:?}", message.msg_type())),
            FixEvent::Disconnected(cause) => told.push(format!("disconnected: {cause}")),
        })
    }

    fn take_told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

impl Venue {
    fn new() -> Self {
        let engine = engine_of_two(20_000, 20_000, 10_000);
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let clock = ManualClock::default();
        clock.advance(SECOND);
        let listen = ([127, 0, 0, 1], 0).into();
        let mut fix = FixConfig::new(listen, "SPIN");
        fix.sessions = vec![
            FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(1)),
            FixUser::new(Version::Fix42, "FRANK", SessionId(4), AccountId(2)),
        ];
        let config = GatewayConfig {
            users: vec![user("ALICE", 1), user("BOB", 2)],
            fix: Some(fix),
            ..GatewayConfig::new(listen, "DAY01")
        };
        let mut gateway =
            Gateway::bind(&config, clock.clone(), commands_in, events_out).expect("a free port");
        let notices = gateway.notices(4_096);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        Self { clock, gateway, engine, notices }
    }

    fn turn(&mut self) -> usize {
        self.gateway.poll() + self.engine.poll()
    }

    fn ouch(&mut self, name: &str) -> Trader {
        let login = Login::new(name, "PASS").expect("a login");
        let address = self.gateway.local_address();
        let client = OuchClient::connect_later(address, login, self.clock.clone());
        let mut trader = Trader { client, told: Vec::new(), messages: Vec::new() };
        self.quiet(&mut [&mut trader], &mut []);
        assert_eq!(trader.take_told(), ["login 1", "1 day S"]);
        trader
    }

    fn fix(&mut self, version: Version, name: &str) -> FixTrader {
        let address = self.gateway.fix_address().expect("FIX is served");
        let login = FixLogin::new(version, name, "SPIN");
        let client = FixClient::begin(address, login, self.clock.clone()).expect("a connection");
        let mut trader = FixTrader {
            client,
            told: Vec::new(),
            reports: BTreeMap::new(),
            executed: 0,
            marked: 0,
        };
        self.quiet(&mut [], &mut [&mut trader]);
        assert_eq!(trader.take_told(), ["logged on"]);
        trader
    }

    fn quiet(&mut self, ouch: &mut [&mut Trader], fix: &mut [&mut FixTrader]) {
        let mut idle = 0;
        while idle < 300 {
            let mut work = self.turn();
            work += ouch.iter_mut().map(|trader| trader.poll()).sum::<usize>();
            work += fix.iter_mut().map(|trader| trader.poll()).sum::<usize>();
            idle = if work == 0 { idle + 1 } else { 0 };
            std::thread::yield_now();
        }
    }
}

fn aapl_id() -> Symbol {
    "AAPL".parse().expect("a symbol")
}

fn ouch_order(side: OrderSide, quantity: u32, price: u32) -> NewOrder {
    NewOrder::limit(side, Quantity(quantity), aapl_id(), Price(price))
}

fn fix_order(side: OrderSide, quantity: u32, price: u32) -> FixOrder {
    FixOrder::limit(side, Quantity(quantity), aapl_id(), Price(price))
}

#[test]
fn a_mass_cancel_over_fix_takes_orders_that_came_over_ouch() {
    let mut venue = Venue::new();
    let (mut alice, mut bob) = (venue.ouch("ALICE"), venue.ouch("BOB"));
    let mut fiona = venue.fix(Version::Fix44, "FIONA");
    alice.client.enter(&ouch_order(OrderSide::Buy, 100, 100_000)).expect("sent");
    bob.client.enter(&ouch_order(OrderSide::Buy, 50, 100_000)).expect("sent");
    fiona.client.enter(&fix_order(OrderSide::Buy, 30, 100_000)).expect("sent");
    venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona]);
    assert_eq!(fiona.take_told(), ["report 1 0/0 0 30"]);
    fiona.client.mass_cancel().expect("sent");
    venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona]);
    assert_eq!(alice.take_told(), ["2 accepted 1 L", "3 canceled 1 100 U"]);
    assert_eq!(bob.take_told(), ["2 accepted 1 L"], "another account");
    assert_eq!(fiona.take_told(), ["report 1 4/4 0 0", "mass canceled Some(2)"]);
}

#[test]
fn orders_meet_across_the_protocols_in_one_queue() {
    let mut venue = Venue::new();
    let mut alice = venue.ouch("ALICE");
    let mut frank = venue.fix(Version::Fix42, "FRANK");
    let mut fiona = venue.fix(Version::Fix44, "FIONA");
    alice.client.enter(&ouch_order(OrderSide::Buy, 100, 100_000)).expect("sent");
    venue.quiet(&mut [&mut alice], &mut []);
    fiona.client.enter(&fix_order(OrderSide::Buy, 100, 100_000)).expect("sent");
    venue.quiet(&mut [], &mut [&mut fiona]);
    frank.client.enter(&fix_order(OrderSide::Sell, 150, 100_000)).expect("sent");
    venue.quiet(&mut [&mut alice], &mut [&mut fiona, &mut frank]);
    assert_eq!(alice.take_told(), ["2 accepted 1 L", "3 executed 1 100"]);
    assert_eq!(fiona.take_told(), ["report 1 0/0 0 100", "report 1 F/1 50 50"]);
    let of_frank = ["report 1 0/0 0 150", "report 1 1/1 100 50", "report 1 2/2 150 0"];
    assert_eq!(frank.take_told(), of_frank);
    let replaced = fiona.client.replace(1, &fix_order(OrderSide::Buy, 80, 100_000)).expect("sent");
    venue.quiet(&mut [], &mut [&mut fiona]);
    fiona.client.cancel(replaced, OrderSide::Buy, aapl_id()).expect("sent");
    fiona.client.cancel(replaced, OrderSide::Buy, aapl_id()).expect("sent");
    venue.quiet(&mut [], &mut [&mut fiona]);
    let end = ["report 2 5/1 50 30", "report 3 4/4 50 0", "cancel 4 rejected 0"];
    assert_eq!(fiona.take_told(), end);
}

#[test]
fn what_happens_while_a_client_is_away_comes_after_its_reconnect_with_its_mark() {
    let mut venue = Venue::new();
    let mut alice = venue.ouch("ALICE");
    let mut frank = venue.fix(Version::Fix42, "FRANK");
    frank.client.enter(&fix_order(OrderSide::Buy, 100, 100_000)).expect("sent");
    venue.quiet(&mut [], &mut [&mut frank]);
    frank.client.drop_connection();
    for _ in 0..3 {
        alice.client.enter(&ouch_order(OrderSide::Sell, 20, 100_000)).expect("sent");
    }
    venue.quiet(&mut [&mut alice], &mut []);
    frank.take_told();
    frank.client.reconnect().expect("a connection");
    venue.quiet(&mut [], &mut [&mut frank]);
    let told = ["logged on", "report 1 1/1 20 80", "report 1 1/1 40 60", "report 1 1/1 60 40"];
    assert_eq!(frank.take_told(), told);
    assert!(frank.reports.values().all(|(_, count)| *count == 1));
    assert_eq!(frank.executed, 60);
    frank.client.logout();
    venue.quiet(&mut [], &mut [&mut frank]);
    let told = frank.take_told();
    assert!(matches!(told.as_slice(), [one] if one.starts_with("disconnected: ")), "{told:?}");
}

#[test]
fn a_second_logon_and_a_stranger_are_closed_without_a_word() {
    let mut venue = Venue::new();
    let mut fiona = venue.fix(Version::Fix44, "FIONA");
    let address = venue.gateway.fix_address().expect("FIX is served");
    for name in ["FIONA", "NOBODY"] {
        let login = FixLogin::new(Version::Fix44, name, "SPIN");
        let client = FixClient::begin(address, login, venue.clock.clone()).expect("a connection");
        let mut other = FixTrader {
            client,
            told: Vec::new(),
            reports: BTreeMap::new(),
            executed: 0,
            marked: 0,
        };
        venue.quiet(&mut [], &mut [&mut other, &mut fiona]);
        assert_eq!(other.take_told(), ["disconnected: the other side closed the connection"]);
    }
    assert!(fiona.client.is_live() && fiona.take_told().is_empty());
    let log: Vec<String> =
        std::iter::from_fn(|| venue.notices.pop().ok()).map(|notice| notice.to_string()).collect();
    let has = |text: &str| log.iter().any(|line| line.contains(text));
    assert!(has("already on another connection") && has("unknown CompIDs"), "{log:?}");
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What became of the maker's ten shares in a race of its cancel with somebody else's order.
#[derive(Default)]
struct Outcome {
    executed: u32,
    /// Shares that its cancel took off.
    canceled: Option<u32>,
    /// Its cancel was refused: over FIX, for OUCH has no word for it.
    too_late: u32,
}

/// `SPINDLE_RACES` sets how many races there are, `SPINDLE_SEED` the seed. Makers and takers of both protocols meet; the cancel
/// is sent before, after or while the venue takes the order that it races with.
#[test]
fn a_cancel_that_races_with_a_fill_has_one_outcome() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (races, seed) = (number("SPINDLE_RACES", 400), number("SPINDLE_SEED", 1));
    println!("SPINDLE_RACES={races} SPINDLE_SEED={seed}");
    let mut random = Random(seed);
    let mut venue = Venue::new();
    let (mut alice, mut bob) = (venue.ouch("ALICE"), venue.ouch("BOB"));
    let mut fiona = venue.fix(Version::Fix44, "FIONA");
    let mut frank = venue.fix(Version::Fix42, "FRANK");
    let (mut whole, mut none, mut part) = (0, 0, 0);
    for race in 0..races {
        let (is_fix_maker, is_fix_taker) = (random.below(2) == 0, random.below(2) == 0);
        let token = alice.client.next_number();
        let mut id = 0;
        if is_fix_maker {
            id = fiona.client.enter(&fix_order(OrderSide::Buy, 10, 100_000)).expect("sent");
        } else {
            alice.client.enter(&ouch_order(OrderSide::Buy, 10, 100_000)).expect("sent");
        }
        venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona, &mut frank]);
        (alice.told, fiona.told, bob.told, frank.told) = Default::default();
        // What the taker leaves is cancelled at once, so that nothing stands when the next race begins.
        let shares = 1 + u32::try_from(random.below(12)).expect("small");
        let mut moves = [true, false];
        if random.below(2) == 0 {
            moves.reverse();
        }
        for is_cancel in moves {
            match (is_cancel, is_fix_maker, is_fix_taker) {
                (true, true, _) => {
                    fiona.client.cancel(id, OrderSide::Buy, aapl_id()).expect("sent");
                }
                (true, false, _) => alice.client.cancel(token).expect("sent"),
                (false, _, true) => {
                    let time_in_force = TimeInForce::ImmediateOrCancel;
                    let order = fix_order(OrderSide::Sell, shares, 100_000);
                    frank.client.enter(&FixOrder { time_in_force, ..order }).expect("sent");
                }
                (false, _, false) => {
                    let order = ouch_order(OrderSide::Sell, shares, 100_000);
                    bob.client.enter(&order.immediate_or_cancel()).expect("sent");
                }
            }
            for _ in 0..random.below(4) {
                venue.turn();
            }
        }
        venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona, &mut frank]);

        let mut outcome = Outcome::default();
        for line in alice.told.iter().chain(&fiona.told) {
            let words: Vec<_> = line.split(' ').collect();
            let shares = |at: usize| words[at].parse::<u32>().expect("a number");
            match (words[0], words[1], words.get(2).copied()) {
                (_, "executed", _) => outcome.executed += shares(3),
                (_, "canceled", _) => {
                    assert_eq!(outcome.canceled, None, "race {race}: {line}");
                    outcome.canceled = Some(shares(3));
                }
                // Shares executed in all.
                ("report", _, Some("F/1" | "F/2")) => outcome.executed = shares(3),
                ("report", _, Some("4/4")) => {
                    assert_eq!((outcome.canceled, shares(4)), (None, 0), "race {race}: {line}");
                    outcome.canceled = Some(10 - shares(3));
                }
                ("cancel", _, Some("rejected")) => {
                    assert_eq!(shares(3), 0, "race {race}: too late: {line}");
                    outcome.too_late += 1;
                }
                _ => panic!("race {race}: {line}"),
            }
        }
        let Outcome { executed, canceled, too_late } = outcome;
        assert_eq!(executed + canceled.unwrap_or(0), 10, "race {race}: each share has one end");
        assert_ne!(canceled, Some(0), "race {race}: nothing was left to cancel");
        let is_late = u32::from(is_fix_maker && canceled.is_none());
        assert_eq!(too_late, is_late, "race {race}: a cancel is answered once");
        let told = bob.told.iter().chain(&frank.told).filter(|line| line.contains("executed"));
        let reports =
            frank.told.iter().filter(|line| line.contains(" 1/1 ") || line.contains(" 2/2 "));
        assert_eq!(
            told.count() + reports.count(),
            usize::from(executed > 0),
            "race {race}: the other side"
        );
        match executed {
            10 => whole += 1,
            0 => none += 1,
            _ => part += 1,
        }
    }
    assert_eq!(venue.engine.engine().books().live_orders(), 0);
    println!("the fill was first {whole} times, the cancel {none}, {part} times of each some");
    assert!(whole.min(none).min(part) * 10 > races, "one side always wins: {whole} {none} {part}");
}

/// `SPINDLE_KILLS` sets how often the connection is cut, `SPINDLE_SEED` the seed.
#[test]
fn a_client_that_is_cut_off_while_it_trades_gets_every_report_once() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (kills, seed) = (number("SPINDLE_KILLS", 200), number("SPINDLE_SEED", 1));
    println!("SPINDLE_KILLS={kills} SPINDLE_SEED={seed}");
    let mut random = Random(seed);
    let mut venue = Venue::new();
    let mut alice = venue.ouch("ALICE");
    let mut frank = venue.fix(Version::Fix42, "FRANK");
    let mut entered = 0_u64;
    for _ in 0..kills {
        for _ in 0..random.below(4) {
            let side = if random.below(2) == 0 { OrderSide::Buy } else { OrderSide::Sell };
            if frank.client.enter(&fix_order(side, 10, 100_000)).is_ok() {
                entered += 1;
            }
            let opposite = if side == OrderSide::Buy { OrderSide::Sell } else { OrderSide::Buy };
            if random.below(2) == 0 {
                alice.client.enter(&ouch_order(opposite, 10, 100_000)).expect("sent");
            }
        }
        for _ in 0..random.below(30) {
            venue.turn();
            alice.poll();
            frank.poll();
        }
        // Sometimes in the middle of what the venue is about to send, sometimes of what it reads.
        frank.client.drop_connection();
        for _ in 0..random.below(10) {
            venue.turn();
        }
        frank.client.reconnect().expect("a connection");
        for _ in 0..random.below(30) {
            venue.turn();
            frank.poll();
        }
        venue.clock.advance(random.below(SECOND / 10));
    }
    while !frank.client.is_live() {
        if !frank.client.is_connected() {
            frank.client.reconnect().expect("a connection");
        }
        venue.quiet(&mut [&mut alice], &mut [&mut frank]);
    }
    venue.quiet(&mut [&mut alice], &mut [&mut frank]);

    assert!(frank.reports.values().all(|(_, count)| *count == 1), "a report was told twice");
    let marked = frank.marked;
    let mut exec_ids = HashMap::new();
    for (sequence, (exec_id, _)) in &frank.reports {
        let before = exec_ids.insert(exec_id.clone(), *sequence);
        assert_eq!(before, None, "one event under two numbers");
    }
    // Every order that was entered was accepted, and every share that the other side executed
    // against this one was told: Alice and Frank trade with each other and with themselves.
    let executed: u64 = alice
        .messages
        .iter()
        .map(|(_, bytes)| spindle_gateway::ouch::outbound::Message::decode(bytes).expect("OUCH"))
        .map(|message| match message {
            spindle_gateway::ouch::outbound::Message::Executed(m, _) => u64::from(m.quantity.get()),
            _ => 0,
        })
        .sum();
    let total = venue.engine.engine().counters().executed_shares;
    // The engine counts what it tells: each share once for each side.
    assert_eq!(executed + frank.executed, total, "a share was lost or told twice");
    let accepted = venue.engine.engine().counters().accepted;
    let of_alice = u64::from(alice.client.next_number().0 - OrderToken(1).0);
    assert_eq!(accepted, entered + of_alice, "every order arrived once");
    assert!(frank.executed > 0, "nothing was traded: the test shows nothing");
    assert!(marked > 0 || kills < 50, "nothing was ever sent again: the test shows nothing");
    let (reports, shares) = (frank.reports.len(), frank.executed);
    println!("{entered} orders, {reports} reports, {marked} of them marked, {shares} shares");
}
