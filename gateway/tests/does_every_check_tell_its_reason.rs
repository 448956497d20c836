//! Every check of the risk gate over every protocol: an order that violates it goes through the venue's
//! own sessions of OUCH 5.0, OUCH 4.2, FIX 4.2 and FIX 4.4, and the answer's code, letter, reason and
//! text are those of the table in `docs/protocols.md`.

mod common;

use rtrb::RingBuffer;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_engine::command::{
    Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::{Capacity, Engine, EngineConfig, RiskChange};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::frame::{check_sum, frame, three_digits};
use spindle_gateway::fix::session::Now;
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{FixConfig, FixUser, Frame, Scratch, Version};
use spindle_gateway::line::Line;
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::soup::codec::{LoginRequest, Packet, padded_right, split};
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{GatewayConfig, OuchEdition, User, ouch42};
use spindle_risk::{Cause, Check, Gate, GateConfig, InstrumentState, Key, Limits, Target};
use spindle_types::{
    AccountId, Agent, EventTime, InstrumentId, OrderToken, Price, Quantity, SessionId, Symbol,
};

use common::SECOND;

/// 2026-11-20, noon.
const NOON: u64 = 1_795_176_000 * SECOND;

/// The account whose orders are judged; everybody who is logged in trades for it, but for one check.
const TRADER: AccountId = AccountId(1);
const MAKER: AccountId = AccountId(2);
/// One that the gate does not know.
const STRANGER: AccountId = AccountId(3);

/// What goes before the order that is refused.
enum Step {
    /// The trader's limits, all of them.
    Limits(&'static [(Key, u64)]),
    /// The trader buys over another session: shares, price.
    Buy(u32, u32),
    Change(Box<RiskChange>),
}

/// An order of 100 shares that the trader may not send.
struct Case {
    before: Vec<Step>,
    side: OrderSide,
    /// Without one it is a market order.
    limit: Option<u32>,
    symbol: &'static str,
    account: AccountId,
    /// Room for owners in instruments.
    cells: usize,
}

/// What the order does that the check forbids. There is no row for all others: a new check does not
/// compile without its own.
fn case(check: Check) -> Case {
    let good = || Case {
        before: Vec::new(),
        side: OrderSide::Buy,
        limit: Some(100_000),
        symbol: "AAPL",
        account: TRADER,
        cells: 64,
    };
    let limited = |limits| Case { before: vec![Step::Limits(limits)], ..good() };
    let after = |limits, shares, price| Case {
        before: vec![Step::Limits(limits), Step::Buy(shares, price)],
        ..good()
    };

    // Band and price test are heeded where any limit is set.
    let state = |state| Case {
        before: vec![
            Step::Limits(&[(Key::PositionMax, 1_000)]),
            Step::Change(RiskChange::Instrument { symbol: symbol("AAPL"), state }.into()),
        ],
        ..good()
    };
    match check {
        Check::Account => Case { account: STRANGER, ..good() },
        Check::Killed => {
            let target = Target::Account(TRADER);
            let kill = RiskChange::Kill { target, cause: Cause::Operator };
            Case { before: vec![Step::Change(kill.into())], ..good() }
        }
        Check::Restricted => limited(&[(Key::Restricted, 1)]),
        Check::Side => limited(&[(Key::MayBuy, 0)]),
        Check::Locate => Case { side: OrderSide::SellShort, ..limited(&[(Key::Locate, 1)]) },
        Check::RegSho => Case {
            side: OrderSide::SellShort,
            ..state(InstrumentState { price_test: true, ..InstrumentState::default() })
        },
        // The maker has its two; account and session of the order would need two more.
        Check::Positions => Case { cells: 3, ..good() },
        Check::MessageRate => after(&[(Key::MessageRateMax, 1)], 1, 90_000),
        Check::OrderRate => after(&[(Key::OrderRateMax, 1)], 1, 90_000),
        Check::OrderSize => limited(&[(Key::OrderSizeMax, 99)]),
        Check::NoPrice => Case { limit: None, symbol: "MSFT", ..limited(&[(Key::CreditMax, 1)]) },
        Check::OrderValue => limited(&[(Key::OrderValueMax, 9_999_999)]),
        Check::LuldBand => {
            let high = Some(Price(99_900));
            state(InstrumentState { high, ..InstrumentState::default() })
        }
        Check::Collar => Case { limit: Some(105_000), ..limited(&[(Key::CollarMoney, 1_000)]) },
        Check::Duplicate => {
            after(&[(Key::DuplicateMax, 1), (Key::DuplicateWindowMs, 1_000)], 100, 100_000)
        }
        Check::RepeatedExecution => {
            after(&[(Key::ExecutionsMax, 1), (Key::ExecutionsWindowMs, 1_000)], 1, 101_000)
        }
        Check::OrderToTrade => limited(&[(Key::OrderToTradeMax, 1), (Key::OrderToTradeFree, 0)]),
        Check::OpenOrders => after(&[(Key::OpenOrdersMax, 1)], 1, 90_000),
        Check::Position => limited(&[(Key::PositionMax, 99)]),
        Check::BoughtQuantity => limited(&[(Key::BoughtQuantityMax, 99)]),
        Check::SoldQuantity => {
            Case { side: OrderSide::Sell, ..limited(&[(Key::SoldQuantityMax, 99)]) }
        }
        Check::BoughtValue => limited(&[(Key::BoughtValueMax, 9_999_999)]),
        Check::SoldValue => {
            Case { side: OrderSide::Sell, ..limited(&[(Key::SoldValueMax, 9_999_999)]) }
        }
        Check::GrossExposure => limited(&[(Key::GrossExposureMax, 9_999_999)]),
        Check::NetExposure => limited(&[(Key::NetExposureMax, 9_999_999)]),
        Check::Credit => limited(&[(Key::CreditMax, 9_999_999)]),
        // What was bought for 10.10 is worth the bid, 10.00.
        Check::Loss => after(&[(Key::LossMax, 999)], 1, 101_000),
    }
}

fn symbol(name: &str) -> Symbol {
    name.parse().expect("a symbol")
}

/// An order for one share or more, straight to the engine.
fn enter(engine: &mut Engine, account: AccountId, side: OrderSide, quantity: u32, price: u32) {
    let token = OrderToken(u32::try_from(engine.counters().commands).expect("few") + 1);
    let enter = Enter {
        token,
        symbol: symbol("AAPL"),
        side,
        quantity: Quantity(quantity),
        limit: Some(Price(price)),
        kind: OrderKind::Plain,
        modifiers: Modifiers::default(),
        time_in_force: TimeInForce::Day,
        attributes: Attributes::default(),
    };
    let command = Command {
        time: EventTime(0),
        session: SessionId(9),
        account,
        received: 0,
        queued: 0,
        action: Action::Enter(enter),
    };
    engine.on_command(&command, &mut ());
}

/// An engine with a market of 10.00 to 10.10 in AAPL and none in MSFT, and what goes before the order.
fn engine(case: &Case) -> Engine {
    let config = GateConfig { cells: case.cells, ..GateConfig::for_accounts(4) };
    let mut gate = Gate::with(&config);
    for account in [TRADER, MAKER] {
        gate.set_account(account, None);
    }
    let capacity = Capacity { orders: 1_000, levels: 1_000, instruments: 4 };
    let config = EngineConfig { capacity, own_orders: 1_000, first_number: 1 };
    let (mut engine, _tops) = Engine::new(&config, gate);
    for (id, name) in (1..).zip(["AAPL", "MSFT"]) {
        engine.add_instrument(InstrumentId(id), symbol(name));
    }
    enter(&mut engine, MAKER, OrderSide::Buy, 1_000, 100_000);
    enter(&mut engine, MAKER, OrderSide::Sell, 1_000, 101_000);
    for step in &case.before {
        let change = match step {
            Step::Buy(quantity, price) => {
                enter(&mut engine, TRADER, OrderSide::Buy, *quantity, *price);
                continue;
            }
            Step::Limits(set) => {
                let with = |limits: Limits, &(key, value): &(Key, u64)| limits.with(key, value);
                let limits = set.iter().fold(Limits::NONE, with);
                RiskChange::Limits { target: Target::Account(TRADER), limits }
            }
            Step::Change(change) => **change,
        };
        engine.on_risk(EventTime(0), &[change]).expect("a change that can be");
    }
    engine.clear_outbox();
    engine
}

/// What the order's sender speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Ouch50,
    Ouch42,
    Fix(Version),
}

/// One client of a venue without sockets, whose clock stands still.
struct Venue {
    protocol: Protocol,
    desk: Desk,
    engine: EngineAgent<NoFeed>,
    line: Line,
    output: Vec<u8>,
    next: u64,
}

impl Venue {
    fn new(protocol: Protocol, case: &Case) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let mut config = GatewayConfig { stamps: false, ..GatewayConfig::new(listen, "DAY") };
        match protocol {
            Protocol::Fix(version) => {
                let mut fix = FixConfig::new(listen, "SPIN");
                fix.sessions = vec![FixUser::new(version, "ALICE", SessionId(1), case.account)];
                config.fix = Some(fix);
            }
            ouch => {
                let mut user = User::new("ALICE", "PASS", SessionId(1), case.account);
                if ouch == Protocol::Ouch42 {
                    user.protocol = OuchEdition::V42;
                }
                config.users = vec![user];
            }
        }
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let desk = Desk::new(&config, EventTime(0), commands_in, events_out).expect("a desk");
        let engine = EngineAgent::new(
            engine(case),
            NoFeed,
            commands_out,
            events_in,
            TimeSource::Tape,
            false,
        );
        let line = match protocol {
            Protocol::Fix(_) => Line::fix(Timing::default(), &desk, 0),
            _ => Line::new(Timing::default(), &desk, 0),
        };
        let mut venue = Self { protocol, desk, engine, line, output: Vec::new(), next: 1 };
        venue.log_in();
        venue
    }

    fn log_in(&mut self) {
        match self.protocol {
            Protocol::Fix(_) => self.send_fix("A", "98=0|108=30|"),
            _ => {
                let login = LoginRequest {
                    username: padded_right("ALICE").expect("short"),
                    password: *b"PASS      ",
                    session: [b' '; 10],
                    sequence: *b"                   1",
                };
                self.send_packet(Packet::LoginRequest(&login));
            }
        }
        assert!(self.line.has_user(), "{:?}: not logged in", self.protocol);
        self.output.clear();
    }

    fn send(&mut self, bytes: &[u8]) {
        self.desk.begin_turn(Now { monotonic: SECOND, utc: NOON });
        self.line.space()[..bytes.len()].copy_from_slice(bytes);
        self.line.commit(bytes.len(), 0);
        self.line.take_packets(&mut self.desk, SECOND).expect("good bytes");
        for _ in 0..3 {
            self.engine.poll();
            self.desk.take_events();
        }
        loop {
            let output = self.line.output(&self.desk).to_vec();
            if output.is_empty() {
                return;
            }
            self.output.extend_from_slice(&output);
            self.line.written(&mut self.desk, output.len(), SECOND);
        }
    }

    fn send_packet(&mut self, packet: Packet<'_>) {
        let mut bytes = vec![0; packet.wire_length()];
        packet.write(&mut bytes).expect("it fits");
        self.send(&bytes);
    }

    fn send_fix(&mut self, kind: &str, body: &str) {
        let Protocol::Fix(version) = self.protocol else { panic!("no session of FIX") };
        let begin = if version == Version::Fix42 { "FIX.4.2" } else { "FIX.4.4" };
        let time = String::from_utf8(format_timestamp(NOON).to_vec()).expect("ASCII");
        let rest = format!("35={kind}|34={}|49=ALICE|56=SPIN|52={time}|{body}", self.next);
        self.next += 1;
        let rest = rest.replace("TIME", &time).replace('|', "\x01");
        let mut bytes = format!("8={begin}\x019={}\x01{rest}", rest.len()).into_bytes();
        let sum = three_digits(check_sum(&bytes));
        bytes.extend_from_slice(b"10=");
        bytes.extend_from_slice(&sum);
        bytes.push(1);
        self.send(&bytes);
    }

    /// Sends the order; the answer's code or letter, or reason and text.
    fn refusal(&mut self, case: &Case) -> String {
        let name = format!("{:8}", case.symbol);
        let letter = match case.side {
            OrderSide::Buy => b'B',
            OrderSide::SellShort => b'T',
            _ => b'S',
        };
        let market = 0x7fff_ffff;
        let price = case.limit.unwrap_or(market);
        let quantity = 100_u32.to_be_bytes();
        match self.protocol {
            Protocol::Ouch50 => {
                let price = u64::from(price).to_be_bytes();
                let front = [&b"O\0\0\0\x01"[..], &[letter], &quantity, name.as_bytes()].concat();
                let message = [&front[..], &price, b"0YPNN              \0\0"].concat();
                self.send_packet(Packet::Unsequenced(&message));
                match Message::decode(&self.told()).expect("OUCH 5.0") {
                    Message::Rejected(rejected, _) => format!("{:02X}", rejected.reason.get()),
                    other => other.name().to_owned(),
                }
            }
            Protocol::Ouch42 => {
                let price = price.to_be_bytes();
                let front =
                    [&b"OT0000000000001"[..], &[letter], &quantity, name.as_bytes()].concat();
                let time = 99_998_u32.to_be_bytes();
                let message = [&front[..], &price, &time, b"    YPN\0\0\0\0N "].concat();
                self.send_packet(Packet::Unsequenced(&message));
                match ouch42::outbound::Message::decode(&self.told()).expect("OUCH 4.2") {
                    ouch42::outbound::Message::Rejected(m) => char::from(m.reason).to_string(),
                    other => format!("{other:?}"),
                }
            }
            Protocol::Fix(_) => {
                let side = match case.side {
                    OrderSide::Buy => 1,
                    OrderSide::SellShort => 5,
                    _ => 2,
                };
                let price = case.limit.map_or("40=1|".to_owned(), |limit| {
                    format!("40=2|44={}.{:04}|", limit / 10_000, limit % 10_000)
                });
                let name = case.symbol;
                let body = format!("11=1|21=1|38=100|{price}54={side}|55={name}|59=0|60=TIME|");
                self.send_fix("D", &body);
                self.report()
            }
        }
    }

    /// The first message that came over OUCH.
    fn told(&self) -> Vec<u8> {
        let (packet, _) = split(&self.output, 4_096).expect("a packet").expect("an answer");
        match packet {
            Packet::Sequenced(message) => message.to_vec(),
            other => panic!("{other}"),
        }
    }

    /// Reason and text of the report that came over FIX.
    fn report(&self) -> String {
        let Frame::Whole { start: 0, end } = frame(&self.output, 4_096, 8_192) else {
            panic!("no answer: {}", String::from_utf8_lossy(&self.output));
        };
        let mut scratch = Scratch::new();
        let message = scratch.parse(&self.output[..end]).expect("fields");
        assert_eq!(message.msg_type(), b"8");
        if message.char(39) != Some(b'8') {
            return format!("an order with the status {:?}", message.char(39).map(char::from));
        }
        assert_eq!(end, self.output.len(), "one answer");
        let field =
            |tag| String::from_utf8_lossy(message.get(tag).unwrap_or_default()).into_owned();
        format!("{} {}", field(103), field(58))
    }
}

/// A row of the page: a check, its codes, and the text of its refusal.
fn page() -> Vec<[String; 6]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocols.md");
    let text = std::fs::read_to_string(path).expect("the page");
    let (_, section) = text
        .split_once("\n## What a check of the risk gate is refused with\n")
        .expect("its section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells =
            row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let cells: Vec<_> = cells.collect();
        cells.try_into().unwrap_or_else(|_| panic!("not six columns: {row}"))
    })
    .collect()
}

#[test]
fn what_each_check_is_refused_with_is_what_the_page_says() {
    let page = page();
    let names: Vec<_> = page.iter().map(|[check, ..]| check.as_str()).collect();
    assert_eq!(names, Check::ALL.map(Check::name), "a row each, in order of precedence");
    let mut wrong = Vec::new();
    for (check, [_, ouch50, ouch42, fix42, fix44, text]) in Check::ALL.into_iter().zip(&page) {
        let case = case(check);
        for (protocol, expected) in [
            (Protocol::Ouch50, ouch50.clone()),
            (Protocol::Ouch42, ouch42.clone()),
            (Protocol::Fix(Version::Fix42), format!("{fix42} {text}")),
            (Protocol::Fix(Version::Fix44), format!("{fix44} {text}")),
        ] {
            let told = Venue::new(protocol, &case).refusal(&case);
            if told != expected {
                wrong.push(format!("{} over {protocol:?}: {told}, not {expected}", check.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing of what the cases share is what is refused.
#[test]
fn the_same_order_passes_where_no_check_is_violated() {
    let case = Case { before: Vec::new(), ..case(Check::OrderSize) };
    for (protocol, expected) in [
        (Protocol::Ouch50, "Accepted"),
        (Protocol::Ouch42, "Accepted"),
        (Protocol::Fix(Version::Fix42), "an order with the status Some('0')"),
        (Protocol::Fix(Version::Fix44), "an order with the status Some('0')"),
    ] {
        let told = Venue::new(protocol, &case).refusal(&case);
        assert!(told.starts_with(expected), "{protocol:?}: {told}");
    }
}
