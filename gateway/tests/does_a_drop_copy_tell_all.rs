//! Drop copies on real sockets: while OUCH and FIX sessions trade at random, what the copies are told
//! is what those sessions were told, in the engine's order, from whatever number it is read.

mod common;
mod reader;

use common::{ManualClock, SECOND, Trader, engine_of_two, user};
use reader::{FixReader, SoupReader};
use rtrb::{Consumer, RingBuffer};
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{
    FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient, Replacement,
};
use spindle_gateway::copy::record;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::options::{CopyScope, SessionOptions};
use spindle_gateway::{Gateway, GatewayConfig, GatewayNotice};
use spindle_types::{AccountId, Agent, OrderToken, Price, Quantity, SessionId, Symbol};

/// ExecID, ExecType, OrdStatus, CumQty, LeavesQty.
type Told = (String, u8, u8, u64, u64);

struct FixTrader {
    client: FixClient<ManualClock>,
    told: Vec<Told>,
    ids: Vec<u64>,
}

impl FixTrader {
    fn poll(&mut self) -> usize {
        let told = &mut self.told;
        self.client.poll(&mut |event| {
            if let FixEvent::Report(report) = event {
                let id = String::from_utf8_lossy(report.exec_id).into_owned();
                let (executed, open) = (report.executed.0.into(), report.open.0.into());
                told.push((id, report.exec_type, report.status, executed, open));
            }
        })
    }
}

struct Venue {
    clock: ManualClock,
    gateway: Gateway<ManualClock>,
    engine: EngineAgent<NoFeed>,
    notices: Consumer<GatewayNotice>,
}

fn scope(all: bool, account: Option<u16>, session: Option<u16>) -> SessionOptions {
    let accounts = account.map(AccountId).into_iter().collect();
    let sessions = session.map(SessionId).into_iter().collect();
    SessionOptions { copy: Some(CopyScope { all, accounts, sessions }), ..Default::default() }
}

fn config() -> GatewayConfig {
    let listen = ([127, 0, 0, 1], 0).into();
    let mut fix = FixConfig::new(listen, "SPIN");
    fix.sessions = vec![
        FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(1)),
        FixUser::new(Version::Fix42, "FRANK", SessionId(4), AccountId(2)),
        FixUser::new(Version::Fix44, "DROP44", SessionId(7), AccountId(3)),
        FixUser::new(Version::Fix42, "DROP42", SessionId(8), AccountId(3)),
    ];
    let mut alice = user("ALICE", 1);
    alice.account = AccountId(1);
    let mut config = GatewayConfig {
        users: vec![alice, user("BOB", 2), user("COPY", 5), user("PART", 6)],
        fix: Some(fix),
        ..GatewayConfig::new(listen, "DAY01")
    };
    config.options.insert(SessionId(5), scope(true, None, None));
    config.options.insert(SessionId(6), scope(false, Some(1), Some(4)));
    config.options.insert(SessionId(7), scope(true, None, None));
    config.options.insert(SessionId(8), scope(false, Some(2), None));
    config.account_names.insert(AccountId(1), "ONE".to_owned());
    config.account_names.insert(AccountId(2), "TWO".to_owned());
    config
}

impl Venue {
    fn new(config: &GatewayConfig) -> Self {
        let engine = engine_of_two(20_000, 20_000, 10_000);
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let clock = ManualClock::default();
        clock.advance(SECOND);
        let mut gateway =
            Gateway::bind(config, clock.clone(), commands_in, events_out).expect("a free port");
        let notices = gateway.notices(4_096);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        Self { clock, gateway, engine, notices }
    }

    fn ouch(&mut self, name: &str) -> Trader {
        let login = Login::new(name, "PASS").expect("a login");
        let address = self.gateway.local_address();
        let client = OuchClient::connect_later(address, login, self.clock.clone());
        let mut trader = Trader { client, told: Vec::new(), messages: Vec::new() };
        self.quiet(&mut [&mut trader], &mut []);
        trader
    }

    fn fix(&mut self, version: Version, name: &str) -> FixTrader {
        let address = self.gateway.fix_address().expect("FIX is served");
        let login = FixLogin::new(version, name, "SPIN");
        let client = FixClient::begin(address, login, self.clock.clone()).expect("a connection");
        let mut trader = FixTrader { client, told: Vec::new(), ids: Vec::new() };
        self.quiet(&mut [], &mut [&mut trader]);
        trader
    }

    fn quiet(&mut self, ouch: &mut [&mut Trader], fix: &mut [&mut FixTrader]) {
        let mut idle = 0;
        while idle < 300 {
            let mut work = self.gateway.poll() + self.engine.poll();
            work += ouch.iter_mut().map(|trader| trader.poll()).sum::<usize>();
            work += fix.iter_mut().map(|trader| trader.poll()).sum::<usize>();
            idle = if work == 0 { idle + 1 } else { 0 };
            std::thread::yield_now();
        }
    }

    /// All records of a drop copy over SoupBinTCP from a number on.
    fn records(&mut self, name: &str, from: u64) -> Vec<Vec<u8>> {
        let mut reader = SoupReader::login(self.gateway.local_address(), name, "PASS", from);
        reader.read(|| {
            self.gateway.poll();
        });
        reader.messages
    }

    /// All reports of a drop copy over FIX from a number on, as they stand on the wire.
    fn reports(&mut self, version: Version, name: &str, from: u64) -> Vec<Vec<(i32, String)>> {
        let address = self.gateway.fix_address().expect("FIX is served");
        let mut reader = FixReader::logon(address, version, name, "SPIN", &self.clock);
        reader.read(|| {
            self.gateway.poll();
        });
        reader.messages.clear();
        reader.send(b"2", &format!("7={from}\u{1}16=0\u{1}"));
        reader.read(|| {
            self.gateway.poll();
        });
        let mut messages = std::mem::take(&mut reader.messages);
        reader.send(b"5", "");
        reader.read(|| {
            self.gateway.poll();
        });
        messages.retain(|message| reader::get(message, 35) == Some("8"));
        messages
    }
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

fn symbol(random: &mut Random) -> Symbol {
    // Nobody knows the second: orders for it are rejected.
    let text = if random.below(20) == 0 { "NONE" } else { "AAPL" };
    text.parse().expect("a symbol")
}

fn step_ouch(random: &mut Random, trader: &mut Trader, numbers: &mut Vec<OrderToken>) {
    let side = if random.below(2) == 0 { OrderSide::Buy } else { OrderSide::SellShort };
    let price = Price(99_000 + 100 * u32::try_from(random.below(20)).expect("small"));
    let quantity = Quantity(1 + u32::try_from(random.below(300)).expect("small"));
    let any = |random: &mut Random, numbers: &[OrderToken]| {
        let at = usize::try_from(random.below(numbers.len().max(1) as u64)).expect("small");
        numbers.get(at).copied().unwrap_or(OrderToken(1))
    };
    match random.below(10) {
        0..=5 => {
            let order = NewOrder::limit(side, quantity, symbol(random), price);
            numbers.push(trader.client.enter(&order).expect("sent"));
        }
        6 => trader.client.cancel(any(random, numbers)).expect("sent"),
        7 => trader.client.cancel_to(any(random, numbers), Quantity(20)).expect("sent"),
        8 => trader.client.query().expect("sent"),
        _ => {
            let of = any(random, numbers);
            let order = Replacement::limit(quantity, price);
            numbers.push(trader.client.replace(of, &order).expect("sent"));
        }
    }
}

fn step_fix(random: &mut Random, trader: &mut FixTrader) {
    let side = if random.below(2) == 0 { OrderSide::Buy } else { OrderSide::Sell };
    let price = Price(99_000 + 100 * u32::try_from(random.below(20)).expect("small"));
    let quantity = Quantity(1 + u32::try_from(random.below(300)).expect("small"));
    let order = FixOrder::limit(side, quantity, symbol(random), price);
    let at = usize::try_from(random.below(trader.ids.len().max(1) as u64)).expect("small");
    let of = trader.ids.get(at).copied();
    let id = match (random.below(10), of) {
        (6 | 7, Some(of)) => trader.client.cancel(of, side, order.symbol),
        (8 | 9, Some(of)) => trader.client.replace(of, &order),
        _ => trader.client.enter(&order),
    };
    trader.ids.push(id.expect("sent"));
}

fn of_session(records: &[Vec<u8>], session: &str) -> Vec<(u64, Vec<u8>)> {
    let records = records.iter().filter_map(|bytes| record::decode(bytes).ok());
    let of_session = records.filter(|(head, _)| head.session.trim_ascii() == session.as_bytes());
    of_session.map(|(head, message)| (head.event.get(), message.to_vec())).collect()
}

/// The reports of a copy that are about one session, as that session would have had them.
fn reports_of(reports: &[Vec<(i32, String)>], session: &str) -> Vec<Told> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).expect("a number");
    let letter = |text: Option<&str>| text.map(|text| text.as_bytes()[0]).expect("a letter");
    let of_session = reports.iter().filter(|r| reader::get(r, 115) == Some(session));
    of_session
        // A refused replacement is told to its session in another kind of message.
        .filter(|r| reader::get(r, 150) != Some("8") || reader::get(r, 37) != Some("NONE"))
        .map(|r| {
            let id = reader::get(r, 17).expect("an ExecID").to_owned();
            let (kind, status) = (letter(reader::get(r, 150)), letter(reader::get(r, 39)));
            (id, kind, status, number(reader::get(r, 14)), number(reader::get(r, 151)))
        })
        .collect()
}

#[test]
fn copies_are_told_what_the_sessions_were_told() {
    let mut venue = Venue::new(&config());
    let (mut alice, mut bob) = (venue.ouch("ALICE"), venue.ouch("BOB"));
    let mut fiona = venue.fix(Version::Fix44, "FIONA");
    let mut frank = venue.fix(Version::Fix42, "FRANK");
    let mut random = Random(11);
    let (mut of_alice, mut of_bob) = (Vec::new(), Vec::new());
    // One copy is there from the begin and is cut off again and again, the others read afterwards.
    let mut live = SoupReader::login(venue.gateway.local_address(), "COPY", "PASS", 1);
    let mut seen = Vec::new();
    for round in 0..60 {
        for _ in 0..25 {
            match random.below(4) {
                0 => step_ouch(&mut random, &mut alice, &mut of_alice),
                1 => step_ouch(&mut random, &mut bob, &mut of_bob),
                2 => step_fix(&mut random, &mut fiona),
                _ => step_fix(&mut random, &mut frank),
            }
            venue.gateway.poll();
            venue.engine.poll();
        }
        venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona, &mut frank]);
        if round % 2 == 0 {
            live.read(|| {
                venue.gateway.poll();
            });
        }
        if random.below(3) == 0 {
            // In the middle of whatever was under way: it goes on from the next number.
            seen.append(&mut live.messages);
            let next = seen.len() as u64 + 1;
            drop(live);
            venue.quiet(&mut [], &mut []);
            live = SoupReader::login(venue.gateway.local_address(), "COPY", "PASS", next);
        }
    }
    live.read(|| {
        venue.gateway.poll();
    });
    seen.append(&mut live.messages);
    drop(live);
    venue.quiet(&mut [&mut alice, &mut bob], &mut [&mut fiona, &mut frank]);

    let all = venue.records("COPY", 1);
    assert_eq!(seen, all, "what came live over many connections is what is read at once");
    assert!(all.len() > 1_000, "only {} records: the test shows little", all.len());
    let numbers: Vec<u64> = all
        .iter()
        .filter_map(|bytes| record::decode(bytes).ok())
        .map(|(head, _)| head.event.get())
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "not in the engine's order");
    for from in [1, 2, 3, 500, all.len() as u64, all.len() as u64 + 1] {
        let at = usize::try_from(from).expect("small") - 1;
        assert_eq!(venue.records("COPY", from), all[at..], "from {from}");
    }
    for (name, trader) in [("ALICE", &alice), ("BOB", &bob)] {
        let told = trader.messages.iter().map(|(_, bytes)| bytes.clone());
        let told: Vec<_> = told.filter(|bytes| !matches!(bytes[0], b'S' | b'Q')).collect();
        let copied: Vec<_> = of_session(&all, name).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(copied, told, "{name}");
        assert!(told.iter().any(|bytes| bytes[0] == b'J') && told.iter().any(|b| b[0] == b'U'));
    }
    // Who sees one account and one session sees just these, with the same bytes.
    let mine = |bytes: &Vec<u8>| match record::decode(bytes) {
        Ok((head, _)) => {
            head.account.trim_ascii() == b"ONE" || head.session.trim_ascii() == b"FRANK"
        }
        Err(_) => true,
    };
    let part: Vec<_> = all.iter().filter(|bytes| mine(bytes)).cloned().collect();
    assert!(part.len() < all.len() - 100);
    assert_eq!(venue.records("PART", 1)[1..], part[1..]);

    // Over FIX the same events, with the state that their own sessions were told.
    let copied = venue.reports(Version::Fix44, "DROP44", 1);
    let mut ids: Vec<u64> =
        copied.iter().filter_map(|r| reader::get(r, 17)?.parse().ok()).collect();
    ids.dedup();
    assert_eq!(ids, numbers, "one report for each event, in order");
    let of_new = |told: &[Told], of: &FixTrader| {
        assert!(told.len() > 150 && of.told.len() > 150, "{} {}", told.len(), of.told.len());
    };
    let fionas = reports_of(&copied, "FIONA");
    of_new(&fionas, &fiona);
    let rejected = |(_, kind, ..): &&Told| *kind != b'8';
    let own: Vec<&Told> = fiona.told.iter().filter(rejected).collect();
    assert_eq!(fionas.iter().collect::<Vec<_>>(), own);
    let of_two = venue.reports(Version::Fix42, "DROP42", 1);
    let franks = reports_of(&of_two, "FRANK");
    of_new(&franks, &frank);
    let own: Vec<&Told> = frank.told.iter().filter(rejected).collect();
    assert_eq!(franks.iter().collect::<Vec<_>>(), own);
    for report in &copied {
        assert_eq!(reader::get(report, 797), Some("Y"), "{report:?}");
        assert_eq!(reader::get(report, 43), Some("Y"), "it was sent again: {report:?}");
        let account = reader::get(report, 1).expect("an account");
        let by_account = match reader::get(report, 115) {
            Some("ALICE" | "FIONA") => "ONE",
            _ => "TWO",
        };
        assert_eq!(account, by_account);
    }
    assert!(of_two.iter().all(|report| reader::get(report, 1) == Some("TWO")));
    // From any number on: reports have the numbers after the Logon's.
    let again = venue.reports(Version::Fix44, "DROP44", 900);
    assert_eq!(reader::get(&again[0], 34), Some("900"));
    let tail = &copied[copied.len() - again.len()..];
    for (one, other) in again.iter().zip(tail) {
        assert_eq!(
            (reader::get(one, 17), reader::get(one, 34)),
            (reader::get(other, 17), reader::get(other, 34))
        );
    }
}

#[test]
fn an_order_on_a_copy_is_refused() {
    let mut venue = Venue::new(&config());
    let mut copy = venue.ouch("COPY");
    copy.take_told();
    let aapl = "AAPL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(1), aapl, Price(10_000));
    copy.client.enter(&order).expect("sent");
    venue.quiet(&mut [&mut copy], &mut []);
    assert_eq!(copy.take_told(), ["disconnected: the server closed the connection"]);
    for (version, name, reason) in
        [(Version::Fix44, "DROP44", "6"), (Version::Fix42, "DROP42", "0")]
    {
        let address = venue.gateway.fix_address().expect("FIX is served");
        let mut reader = FixReader::logon(address, version, name, "SPIN", &venue.clock);
        let now = reader.timestamp();
        reader.send(
            b"D",
            &format!(
                "11=X1\u{1}21=1\u{1}38=1\u{1}40=2\u{1}44=1\u{1}54=1\u{1}55=AAPL\u{1}60={now}\u{1}"
            ),
        );
        reader.read(|| {
            venue.gateway.poll();
            venue.engine.poll();
        });
        let refusal = reader.messages.last().expect("an answer");
        let fields = [35, 372, 379, 380, 58].map(|tag| reader::get(refusal, tag));
        let text = "a drop copy only reads";
        assert_eq!(fields, [Some("j"), Some("D"), Some("X1"), Some(reason), Some(text)]);
    }
    assert_eq!(venue.engine.engine().counters().commands, 0, "nothing reached the engine");
    let log: Vec<String> =
        std::iter::from_fn(|| venue.notices.pop().ok()).map(|notice| notice.to_string()).collect();
    assert!(
        log.iter().any(|line| line.contains("COPY at")
            && line.ends_with("a request on a drop copy, which only reads")),
        "{log:?}"
    );
}

#[test]
fn a_copy_without_room_says_so() {
    let mut config = config();
    config.limits.stream_bytes_max = 4_096;
    if let Some(fix) = &mut config.fix {
        fix.limits.store_bytes = 40 * 1_024;
        fix.limits.store_messages = 64;
    }
    let mut venue = Venue::new(&config);
    let mut bob = venue.ouch("BOB");
    let aapl = "AAPL".parse().expect("a symbol");
    for _ in 0..100 {
        let order = NewOrder::limit(OrderSide::Buy, Quantity(1), aapl, Price(10_000));
        bob.client.enter(&order).expect("sent");
        venue.quiet(&mut [&mut bob], &mut []);
    }
    let records = venue.records("COPY", 1);
    let last = records.last().expect("the last one");
    assert_eq!((last[0], last.last().copied()), (b'S', Some(b'F')), "it says that it is full");
    assert!(records.len() < 30, "{} records", records.len());
    // Over FIX the oldest are gone; a gap fill stands in their place.
    let reports = venue.reports(Version::Fix44, "DROP44", 1);
    assert!(!reports.is_empty() && reports.len() <= 64, "{} reports", reports.len());
    let log: Vec<String> =
        std::iter::from_fn(|| venue.notices.pop().ok()).map(|notice| notice.to_string()).collect();
    let count = |end: &str| log.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!(count("it ends here; what happens from now on is not in it"), 1, "{log:?}");
    assert_eq!(count("its oldest reports cannot be sent again any more"), 2, "{log:?}");
}
