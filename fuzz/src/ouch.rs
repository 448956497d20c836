//! The targets of SoupBinTCP and OUCH: parsers, and the sessions of a desk under a list of operations.

use std::collections::{BTreeMap, BTreeSet};

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::command::{Action, Command, Enter, Replace};
use spindle_engine::event::{Basis, CancelReason, Event, Liquidity, Outcome, RejectReason};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::CancelOn;
use spindle_gateway::fix::session::Now;
use spindle_gateway::line::Line;
use spindle_gateway::ouch::{Appendage, inbound, outbound, tag};
use spindle_gateway::ouch42;
use spindle_gateway::soup::codec::{LoginRequest, Packet, format_number, split};
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{GatewayConfig, OuchEdition, User};
use spindle_types::{
    AccountId, EventTime, MatchNumber, OrderReference, OrderToken, Price, Quantity, SessionId,
};

/// Any bytes as SoupBinTCP: what is a packet is written as it was read.
pub fn soup_packet(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((packet, length))) = split(rest, 4_096) {
        let mut written = vec![0; packet.wire_length()];
        assert_eq!(packet.write(&mut written), Some(length));
        assert_eq!(written, rest[..length], "{packet}");
        rest = &rest[length..];
    }
}

/// Any bytes as a message of either edition and direction: what is one is written as it was read.
pub fn ouch_message(data: &[u8]) {
    if let Ok(message) = inbound::Message::decode(data) {
        assert_eq!(message.to_owned_bytes(), data);
        let _ = message.options().check(tag::allowed::ENTER);
    }
    if let Ok(message) = outbound::Message::decode(data) {
        assert_eq!(message.to_owned_bytes(), data);
    }
    if let Ok(message) = ouch42::inbound::Message::decode(data) {
        assert_eq!(message.as_bytes(), data);
    }
    if let Ok(message) = ouch42::outbound::Message::decode(data) {
        assert_eq!(message.as_bytes(), data);
    }
    if let Ok(options) = Appendage::parse(data) {
        let length: usize = options.iter().map(|option| option.value.len() + 2).sum();
        assert_eq!(length, data.len());
    }
}

/// A user: ONE speaks 5.0, TWO 4.2.
#[derive(Default)]
struct Client {
    line: Option<Line>,
    /// What came and was not yet looked at.
    input: Vec<u8>,
    /// The number of the next message on this connection.
    next: Option<u64>,
    /// Every message by its number, as it came first.
    seen: BTreeMap<u64, Vec<u8>>,
}

struct Bench {
    desk: Desk,
    commands: Consumer<Command>,
    events: Producer<Event>,
    clients: [Client; 2],
    open: BTreeSet<(u16, u32)>,
    now: u64,
    sequence: u64,
}

/// Two sessions under whatever the data says: each operation is two bytes. Whatever comes, what goes out
/// is whole packets; a message has the same bytes under its number whenever it is sent; and every request that
/// reached the engine is answered in the end.
pub fn ouch_session(data: &[u8]) {
    let mut bench = Bench::new(data.first().copied().unwrap_or(0));
    for operation in data.get(1..).unwrap_or_default().chunks_exact(2) {
        bench.step(operation[0], operation[1]);
    }
    while bench.engine(1) {}
    bench.desk.take_events();
    assert!(bench.desk.is_settled(), "a request has no answer");
    for at in 0..2 {
        bench.cut(at);
        bench.connect(at, 1);
        bench.read(at, usize::MAX);
    }
}

impl Bench {
    fn new(kind: u8) -> Self {
        let (to_engine, commands) = RingBuffer::new(8);
        let (events, from_engine) = RingBuffer::new(64);
        let user = |name: &str, session, protocol| User {
            protocol,
            cancel_on: [CancelOn::Never, CancelOn::Loss, CancelOn::Logout, CancelOn::Both]
                [usize::from(kind & 3)],
            grace_ns: u64::from(kind >> 4) * 100_000_000,
            ..User::new(name, "PASS", SessionId(session), AccountId(session))
        };
        let listen = ([127, 0, 0, 1], 0).into();
        let mut config = GatewayConfig::new(listen, "DAY");
        config.users = vec![user("ONE", 0, OuchEdition::V50), user("TWO", 1, OuchEdition::V42)];
        config.stamps = false;
        config.limits.tokens_max = 32;
        config.limits.backlog_bytes_max = 1 << 16;
        if kind & 8 != 0 {
            config.limits.stream_bytes_max = 1_024;
            config.limits.stream_reserve_bytes = 1_024;
        }
        let desk = Desk::new(&config, EventTime(0), to_engine, from_engine).expect("a desk");
        let (clients, open) = (Default::default(), BTreeSet::new());
        Self { desk, commands, events, clients, open, now: 1, sequence: 0 }
    }

    fn step(&mut self, what: u8, with: u8) {
        let at = usize::from(what >> 3 & 1);
        match what & 7 {
            0 => self.now += u64::from(with) * 100_000_000,
            1 if with < 16 => self.cut(at),
            1 => self.connect(at, with),
            2 | 3 => {
                let message = message(at == 1, what >> 4, with);
                self.send(at, &packet(Packet::Unsequenced(&message)));
            }
            4 => {
                let kinds = [Packet::ClientHeartbeat, Packet::LogoutRequest, Packet::Debug(b"x")];
                self.send(at, &packet(kinds[usize::from(with) % 3]));
            }
            5 if with > 250 => self.send(at, &[what, with, what, with]),
            5 => self.read(at, usize::from(with) * 8),
            6 => {
                self.engine(with);
            }
            _ => self.happen(with),
        }
        self.turn();
    }

    fn turn(&mut self) {
        self.desk.begin_turn(Now { monotonic: self.now, utc: self.now });
        self.desk.take_events();
        for at in 0..2 {
            let Some(line) = &mut self.clients[at].line else { continue };
            let mut result = Ok(0);
            if line.is_stopped() {
                result = line.take_packets(&mut self.desk, self.now);
            }
            if result.and_then(|_| line.tick(&mut self.desk, self.now)).is_err() {
                self.cut(at);
            }
        }
    }

    fn cut(&mut self, at: usize) {
        let client = &mut self.clients[at];
        if let Some(mut line) = client.line.take() {
            line.leave(&mut self.desk);
        }
        client.input.clear();
        client.next = None;
    }

    fn connect(&mut self, at: usize, with: u8) {
        self.cut(at);
        self.clients[at].line = Some(Line::new(Timing::default(), &self.desk, self.now));
        let last = self.clients[at].seen.keys().last().copied().unwrap_or(0);
        let sequence = match with & 3 {
            0 => 0,
            1 => 1,
            2 => last,
            _ => last + 1 + u64::from(with >> 7),
        };
        let login = LoginRequest {
            username: if at == 0 { *b"ONE   " } else { *b"TWO   " },
            password: if with & 12 == 12 { *b"WRONG     " } else { *b"PASS      " },
            session: [b' '; 10],
            sequence: format_number(sequence),
        };
        self.send(at, &packet(Packet::LoginRequest(&login)));
    }

    fn send(&mut self, at: usize, bytes: &[u8]) {
        let client = &mut self.clients[at];
        let Some(line) = &mut client.line else { return };
        if line.is_stopped() || line.is_closing(&self.desk) {
            return;
        }
        let space = line.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        line.commit(count, 0);
        if line.take_packets(&mut self.desk, self.now).is_err() {
            self.cut(at);
        }
    }

    /// The client reads so many bytes and looks at the packets that are whole.
    fn read(&mut self, at: usize, mut most: usize) {
        let client = &mut self.clients[at];
        let Some(line) = &mut client.line else { return };
        loop {
            let output = line.output(&self.desk);
            let count = output.len().min(most);
            if count == 0 {
                break;
            }
            client.input.extend_from_slice(&output[..count]);
            line.written(&mut self.desk, count, self.now);
            most -= count;
        }
        let mut used = 0;
        while let Some((packet, length)) = split(&client.input[used..], 4_096).expect("packets") {
            used += length;
            match packet {
                Packet::LoginAccepted(accepted) => client.next = accepted.next_sequence(),
                Packet::Sequenced(message) => {
                    let number = client.next.expect("a login came before");
                    let first = client.seen.entry(number).or_insert_with(|| message.to_vec());
                    assert_eq!(first, message, "message {number} has changed");
                    client.next = Some(number + 1);
                    decode(at == 1, message);
                }
                Packet::LoginRejected(_) | Packet::ServerHeartbeat => {}
                other => panic!("{other}"),
            }
        }
        client.input.drain(..used);
    }

    /// The engine takes so many commands; whether it took any.
    fn engine(&mut self, with: u8) -> bool {
        let mut any = false;
        for _ in 0..=with & 7 {
            if self.events.slots() < self.open.len() + 4 {
                self.desk.take_events();
            }
            let Ok(command) = self.commands.pop() else { break };
            any = true;
            self.answer(&command, with);
        }
        any
    }

    fn tell(&mut self, session: SessionId, token: OrderToken, outcome: Outcome) {
        self.sequence += 1;
        let (sequence, time) = (self.sequence, EventTime(self.now));
        let account = AccountId(session.0);
        let event =
            Event { sequence, time, session, account, token, received: 0, queued: 0, outcome };
        if let Err(rtrb::PushError::Full(event)) = self.events.push(event) {
            self.desk.take_events();
            self.events.push(event).expect("there is room");
        }
    }

    fn canceled(&mut self, session: SessionId, token: OrderToken, reason: CancelReason) {
        let (quantity, open) = (Quantity(5), Quantity::ZERO);
        self.tell(session, token, Outcome::Canceled { quantity, open, reason });
    }

    fn answer(&mut self, command: &Command, with: u8) {
        let session = command.session;
        match command.action {
            Action::Enter(enter) => self.enter(session, &enter, with),
            Action::Replace(replace) => self.replace(session, &replace),
            Action::Cancel(cancel) => match self.open.remove(&(session.0, cancel.token.0)) {
                true => self.canceled(session, cancel.token, CancelReason::UserRequest),
                false => self.tell(session, cancel.token, Outcome::CancelRejected),
            },
            Action::Modify(modify) => {
                let is_open = self.open.contains(&(session.0, modify.token.0));
                let (quantity, open) = (Quantity(1), Quantity(4));
                let modified = Outcome::Modified { side: modify.side, quantity, open };
                let outcome = if is_open { modified } else { Outcome::CancelRejected };
                self.tell(session, modify.token, outcome);
            }
            Action::MassCancel(mass) => {
                let meant = self.open.iter().filter(|(of, _)| mass.session == Some(SessionId(*of)));
                let meant: Vec<_> = meant.copied().collect();
                for (_, token) in &meant {
                    self.open.remove(&(session.0, *token));
                    self.canceled(session, OrderToken(*token), CancelReason::MassCancel);
                }
                let outcome = match with & 128 {
                    0 => Outcome::MassCanceled { orders: meant.len() as u32 },
                    _ => rejected(RejectReason::UnknownInstrument, Default::default()),
                };
                self.tell(session, mass.token, outcome);
            }
            Action::Refuse(refuse) => {
                self.tell(session, refuse.token, rejected(refuse.reason, refuse.attributes));
            }
        }
    }

    fn enter(&mut self, session: SessionId, enter: &Enter, with: u8) {
        if with & 64 != 0 {
            let outcome = rejected(RejectReason::Halted, enter.attributes);
            return self.tell(session, enter.token, outcome);
        }
        self.open.insert((session.0, enter.token.0));
        let accepted = Outcome::Accepted {
            reference: OrderReference(1),
            symbol: enter.symbol,
            side: enter.side,
            quantity: enter.quantity,
            limit: enter.limit,
            time_in_force: enter.time_in_force,
            live: true,
            attributes: enter.attributes,
        };
        self.tell(session, enter.token, accepted);
    }

    fn replace(&mut self, session: SessionId, replace: &Replace) {
        let original = replace.original;
        let outcome = match self.open.remove(&(session.0, original.0)) {
            false => Outcome::ReplaceRejected { original },
            true if replace.quantity.is_zero() => {
                return self.canceled(session, original, CancelReason::InvalidReplace);
            }
            true => {
                self.open.insert((session.0, replace.token.0));
                Outcome::Replaced {
                    original,
                    reference: OrderReference(2),
                    symbol: "AAPL".parse().expect("a symbol"),
                    side: spindle_engine::command::OrderSide::Buy,
                    quantity: replace.quantity,
                    limit: replace.limit,
                    time_in_force: spindle_engine::command::TimeInForce::Day,
                    attributes: replace.attributes,
                }
            }
        };
        self.tell(session, replace.token, outcome);
    }

    /// Something happens to an open order without being asked for.
    fn happen(&mut self, with: u8) {
        let orders = self.open.len();
        if orders == 0 {
            return;
        }
        let (session, token) =
            *self.open.iter().nth(usize::from(with) % orders).expect("it is there");
        self.open.remove(&(session, token));
        let (session, token) = (SessionId(session), OrderToken(token));
        if with & 1 == 0 {
            return self.canceled(session, token, CancelReason::MassCancel);
        }
        let executed = Outcome::Executed {
            quantity: Quantity(5),
            price: Price(7),
            open: Quantity::ZERO,
            liquidity: Liquidity::Added,
            match_number: MatchNumber(1),
            tape: None,
            basis: Basis::Queue,
        };
        self.tell(session, token, executed);
    }
}

fn rejected(reason: RejectReason, attributes: spindle_engine::command::Attributes) -> Outcome {
    Outcome::Rejected { reason, limit: 0, observed: 0, attributes }
}

fn packet(packet: Packet<'_>) -> Vec<u8> {
    let mut bytes = vec![0; packet.wire_length()];
    packet.write(&mut bytes).expect("it fits");
    bytes
}

fn decode(is_42: bool, message: &[u8]) {
    match is_42 {
        true => assert!(ouch42::outbound::Message::decode(message).is_ok(), "{message:02x?}"),
        false => {
            let message = outbound::Message::decode(message).expect("OUCH 5.0");
            assert_eq!(message.options().check(all_tags()), Ok(()));
        }
    }
}

fn all_tags() -> tag::TagSet {
    tag::TagSet::of(tag::Tag::ALL)
}

/// A request about one of 16 orders, mostly a good one.
fn message(is_42: bool, kind: u8, with: u8) -> Vec<u8> {
    let (number, other) = (u32::from(with & 15), u32::from(with >> 4));
    let name = |number: u32| match is_42 {
        true => format!("T{number:<13}").into_bytes(),
        false => number.to_be_bytes().to_vec(),
    };
    let wide = if is_42 { vec![] } else { vec![0; 4] };
    let head = |letter: &[u8], names: &[u32]| -> Vec<u8> {
        let names = names.iter().flat_map(|number| name(*number));
        letter.iter().copied().chain(names).collect()
    };
    match kind {
        0..=4 => {
            let mut bytes = head(b"O", &[number]);
            bytes.extend_from_slice(b"B\0\0\0\x05AAPL    ");
            bytes.extend_from_slice(&wide);
            bytes.extend_from_slice(&[0, 0, 0, 9]);
            match is_42 {
                true => bytes.extend_from_slice(b"\0\x01\x86\x9e    YPN\0\0\0\0N "),
                false if other < 8 => bytes.extend_from_slice(b"0YPNN              \0\0"),
                false => bytes.extend_from_slice(b"0NPNN              \0\x03\x02\x0cP"),
            }
            bytes
        }
        5..=8 => {
            let mut bytes = head(b"U", &[other, number]);
            bytes.extend_from_slice(&u32::from(with & 7).to_be_bytes());
            bytes.extend_from_slice(&wide);
            bytes.extend_from_slice(&[0, 0, 0, 9]);
            match is_42 {
                true => bytes.extend_from_slice(b"\0\x01\x86\x9eYN\0\0\0\0"),
                false => bytes.extend_from_slice(b"0YN              \0\0"),
            }
            bytes
        }
        9 | 10 => [&head(b"X", &[number])[..], &[0, 0, 0, (with >> 4) & 3]].concat(),
        11 => [&head(b"M", &[number])[..], b"S\0\0\0\x04"].concat(),
        12 if is_42 => head(b"N", &[number]),
        12 => b"Q".to_vec(),
        13 if !is_42 => [&head(b"C", &[number])[..], b"            \0\0"].concat(),
        14 if !is_42 => [&head(b"D", &[number])[..], b"    \0\0"].concat(),
        15 if !is_42 => [&head(b"E", &[number])[..], b"    \0\0"].concat(),
        _ => vec![with; usize::from(kind)],
    }
}
