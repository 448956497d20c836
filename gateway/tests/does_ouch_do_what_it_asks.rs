//! Orders of OUCH 5.0 and 4.2 on the real engine, in process: what every option, modify, mass cancel and
//! replace comes to, in the words of the protocol.

mod common;

use common::{SECOND, engine_of_two, message_text, user};
use rtrb::RingBuffer;
use spindle_engine::agent::{EngineAgent, NoFeed, TimeSource};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::session::Now;
use spindle_gateway::line::Line;
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::ouch42;
use spindle_gateway::soup::codec::{LoginRequest, Packet, padded_right, split};
use spindle_gateway::soup::server::Timing;
use spindle_gateway::{GatewayConfig, GatewayNotice, OuchEdition};
use spindle_types::{Agent, EventTime};

/// ALICE speaks 5.0 (session 1), BOB 4.2 (session 2).
struct Venue {
    desk: Desk,
    engine: EngineAgent<NoFeed>,
    lines: [Line; 2],
    input: [Vec<u8>; 2],
    now: u64,
}

impl Venue {
    fn new() -> Self {
        let mut users = vec![user("ALICE", 1), user("BOB", 2)];
        users[0].firm = "FIRM".to_owned();
        users[1].firm = "BOBS".to_owned();
        users[1].protocol = OuchEdition::V42;
        let listen = ([127, 0, 0, 1], 0).into();
        let config = GatewayConfig { users, stamps: false, ..GatewayConfig::new(listen, "DAY") };
        let (commands_in, commands_out) = RingBuffer::new(64);
        let (events_in, events_out) = RingBuffer::new(256);
        let desk = Desk::new(&config, EventTime(0), commands_in, events_out).expect("a desk");
        let engine = engine_of_two(1_000, 1_000, 100);
        let engine =
            EngineAgent::new(engine, NoFeed, commands_out, events_in, TimeSource::Tape, false);
        let lines = [0, 1].map(|_| Line::new(Timing::default(), &desk, 0));
        let mut venue = Self { desk, engine, lines, input: [vec![], vec![]], now: SECOND };
        for (at, name) in ["ALICE", "BOB"].into_iter().enumerate() {
            let login = LoginRequest {
                username: padded_right(name).expect("short"),
                password: *b"PASS      ",
                session: [b' '; 10],
                sequence: *b"                   1",
            };
            venue.write(at, Packet::LoginRequest(&login));
            assert_eq!(venue.told(at), ["day S"]);
        }
        venue
    }

    fn write(&mut self, at: usize, packet: Packet<'_>) {
        let mut bytes = vec![0; packet.wire_length()];
        packet.write(&mut bytes).expect("it fits");
        let line = &mut self.lines[at];
        line.space()[..bytes.len()].copy_from_slice(&bytes);
        line.commit(bytes.len(), 0);
        line.take_packets(&mut self.desk, self.now).expect("good packets");
        self.turn();
    }

    fn turn(&mut self) {
        self.desk.begin_turn(Now { monotonic: self.now, utc: self.now });
        for _ in 0..3 {
            self.engine.poll();
            self.desk.take_events();
        }
        for (line, input) in self.lines.iter_mut().zip(&mut self.input) {
            loop {
                let output = line.output(&self.desk).to_vec();
                if output.is_empty() {
                    break;
                }
                input.extend_from_slice(&output);
                line.written(&mut self.desk, output.len(), self.now);
            }
        }
    }

    /// What a client was told since the last call.
    fn told(&mut self, at: usize) -> Vec<String> {
        let input = std::mem::take(&mut self.input[at]);
        let mut rest = &input[..];
        let mut told = Vec::new();
        while let Some((packet, length)) = split(rest, 4_096).expect("packets") {
            if let Packet::Sequenced(message) = packet {
                told.push(if at == 0 { text(message) } else { text_42(message) });
            }
            rest = &rest[length..];
        }
        told
    }

    /// Sends a message of these bytes in hex and letters; what its sender was told.
    fn ask(&mut self, at: usize, message: &[u8]) -> Vec<String> {
        self.write(at, Packet::Unsequenced(message));
        self.told(at)
    }
}

/// A message of 5.0 in a few words, with its options in hex.
fn text(bytes: &[u8]) -> String {
    let message = Message::decode(bytes).expect("OUCH 5.0");
    let mut text = match &message {
        Message::Accepted(m, _) => {
            let letters = [m.side, m.time_in_force, m.display, m.cross].map(char::from);
            let letters: String = letters.into_iter().collect();
            format!("accepted {} {} at {} {letters}", m.user_ref_num, m.quantity, m.price)
        }
        Message::Replaced(m, _) => {
            format!("replaced {} {} {} at {}", m.original, m.user_ref_num, m.quantity, m.price)
        }
        other => message_text(other),
    };
    for option in message.options().iter() {
        let value: String = option.value.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!(" {}={value}", option.number));
    }
    text
}

fn text_42(bytes: &[u8]) -> String {
    use ouch42::outbound::Message;
    let token = |token: &[u8; 14]| String::from_utf8_lossy(token.trim_ascii_end()).into_owned();
    match Message::decode(bytes).expect("OUCH 4.2") {
        Message::SystemEvent(m) => format!("day {}", char::from(m.event_code)),
        Message::Accepted(m) => {
            let letters: String =
                [m.side, m.display, m.capacity, m.cross].map(char::from).iter().collect();
            let (shares, price, tif) = (m.shares, m.price, m.time_in_force);
            format!("accepted {} {shares} at {price} {tif} {letters}", token(&m.token))
        }
        Message::Replaced(m) => {
            format!(
                "replaced {} {} {} at {}",
                token(&m.previous),
                token(&m.token),
                m.shares,
                m.price
            )
        }
        Message::Canceled(m) => {
            format!("canceled {} {} {}", token(&m.token), m.decrement, char::from(m.reason))
        }
        Message::Executed(m) => format!("executed {} {} at {}", token(&m.token), m.shares, m.price),
        Message::Rejected(m) => format!("rejected {} {}", token(&m.token), char::from(m.reason)),
        Message::Modified(m) => {
            format!("modified {} {} {}", token(&m.token), char::from(m.side), m.shares)
        }
        other => other.name().to_owned(),
    }
}

/// An Enter of 5.0: side, shares, price, the letters of time in force, display and cross, options in hex.
fn enter(
    number: u32,
    side: u8,
    shares: u32,
    price: u64,
    letters: &[u8; 3],
    options: &str,
) -> Vec<u8> {
    let [tif, display, cross] = *letters;
    let options = hex(options);
    let mut bytes = [&b"O"[..], &number.to_be_bytes(), &[side], &shares.to_be_bytes()].concat();
    bytes.extend_from_slice(b"AAPL    ");
    bytes.extend_from_slice(&price.to_be_bytes());
    bytes.extend_from_slice(&[tif, display, b'P', b'N', cross]);
    bytes.extend_from_slice(b"              ");
    bytes.extend_from_slice(&u16::try_from(options.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(&options);
    bytes
}

fn replace(
    of: u32,
    number: u32,
    shares: u32,
    price: u64,
    letters: &[u8; 2],
    options: &str,
) -> Vec<u8> {
    let options = hex(options);
    let mut bytes = [&b"U"[..], &of.to_be_bytes(), &number.to_be_bytes()].concat();
    bytes.extend_from_slice(&shares.to_be_bytes());
    bytes.extend_from_slice(&price.to_be_bytes());
    bytes.extend_from_slice(&[letters[0], letters[1], b'N']);
    bytes.extend_from_slice(b"              ");
    bytes.extend_from_slice(&u16::try_from(options.len()).expect("short").to_be_bytes());
    bytes.extend_from_slice(&options);
    bytes
}

fn named(letter: u8, number: u32, rest: &[u8]) -> Vec<u8> {
    [&[letter][..], &number.to_be_bytes(), rest].concat()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"))
        .collect()
}

/// An Enter of 4.2: side, shares, price, time in force, display, minimum, cross.
fn enter_42(
    token: &str,
    side: u8,
    shares: u32,
    price: u32,
    tif: u32,
    display: u8,
    cross: u8,
) -> Vec<u8> {
    let mut bytes = [&b"O"[..], &padded_right::<14>(token).expect("short"), &[side]].concat();
    bytes.extend_from_slice(&shares.to_be_bytes());
    bytes.extend_from_slice(b"AAPL    ");
    bytes.extend_from_slice(&price.to_be_bytes());
    bytes.extend_from_slice(&tif.to_be_bytes());
    bytes
        .extend_from_slice(&[b' ', b' ', b' ', b' ', display, b'Q', b'N', 0, 0, 0, 0, cross, b' ']);
    bytes
}

fn named_42(letter: u8, token: &str, rest: &[u8]) -> Vec<u8> {
    [&[letter][..], &padded_right::<14>(token).expect("short"), rest].concat()
}

const DAY: &[u8; 3] = b"0YN";
const HOURS: u32 = 99_998;

#[test]
fn options_are_what_the_engine_does() {
    let mut venue = Venue::new();
    // An iceberg of 300 that shows 100, for the account's own firm.
    let told = venue.ask(0, &enter(1, b'S', 300, 100_000, DAY, "05024649524d 050500000064"));
    assert_eq!(told, ["accepted 1 300 at 100000 S0YN 2=4649524d 5=00000064"]);
    // A hidden one behind it, and a post-only order that would trade.
    let told = venue.ask(0, &enter(2, b'S', 50, 100_000, b"0NN", ""));
    assert_eq!(told, ["accepted 2 50 at 100000 S0NN"]);
    let told = venue.ask(0, &enter(3, b'B', 50, 100_000, DAY, "020c50"));
    assert_eq!(told, ["rejected 3 0f"]);
    // A minimum that is not met; then the iceberg's next slice, which is displayed, before what is hidden.
    let told = venue.ask(0, &enter(4, b'B', 900, 100_000, b"3YN", "050300000258"));
    assert_eq!(told, ["accepted 4 900 at 100000 B3YN 3=00000258", "canceled 4 900 I"]);
    let told = venue.ask(1, &enter_42("BUY", b'B', 120, 100_000, 0, b'Y', b'N'));
    assert_eq!(
        told,
        [
            "accepted BUY 120 at 100000 0 BYON",
            "executed BUY 100 at 100000",
            "executed BUY 20 at 100000"
        ]
    );
    assert_eq!(venue.told(0), ["executed 1 100", "executed 1 20"]);
    // A replacement keeps what it leaves out, and cannot change what is shown.
    let told = venue.ask(0, &replace(1, 5, 400, 100_100, b"0Y", ""));
    assert_eq!(told, ["replaced 1 5 280 at 100100 2=4649524d 5=00000064"]);
    let told = venue.ask(0, &replace(5, 6, 400, 100_200, b"0N", ""));
    assert_eq!(told, ["canceled 5 280 U"], "hidden is an invalid detail");
    let told = venue.ask(0, &replace(2, 6, 60, 100_300, b"0N", ""));
    assert_eq!(told, ["replaced 2 6 60 at 100300"]);
}

#[test]
fn pegs_and_auctions_and_seconds() {
    let mut venue = Venue::new();
    venue.ask(1, &enter_42("BID", b'B', 10, 100_000, HOURS, b'A', b'N'));
    venue.ask(1, &enter_42("ASK", b'S', 10, 101_000, HOURS, b'A', b'N'));
    // A primary peg one cent below the bid, a midpoint peg, never shown, that meets one of 4.2.
    let told = venue.ask(0, &enter(1, b'B', 10, 100_500, DAY, "020652 0507ffffff9c"));
    assert_eq!(told, ["accepted 1 10 at 100500 B0YN 6=52 7=ffffff9c"]);
    let told = venue.ask(0, &enter(2, b'B', 10, 101_000, DAY, "02064d"));
    assert_eq!(told, ["accepted 2 10 at 101000 B0NN 6=4d"]);
    let told = venue.ask(1, &enter_42("MID", b'S', 10, 100_000, HOURS, b'M', b'N'));
    assert_eq!(&told[..], ["accepted MID 10 at 100000 99998 SMON", "executed MID 10 at 100500"]);
    assert_eq!(venue.told(0), ["executed 2 10"]);
    // A peg without a price type, and a replacement that would make another kind of peg.
    assert_eq!(venue.ask(0, &enter(3, b'B', 10, 9, DAY, "0507ffffff9c")), ["rejected 3 11"]);
    assert_eq!(venue.ask(0, &replace(1, 4, 10, 90_000, b"0Y", "02064d")), ["canceled 1 10 U"]);
    // At the close; at the open there is none to come.
    let told = venue.ask(0, &enter(5, b'B', 10, 90_000, b"0YC", ""));
    assert_eq!(told, ["accepted 5 10 at 90000 B3YC"]);
    assert_eq!(venue.ask(0, &enter(6, b'B', 10, 90_000, b"0YO", "")), ["rejected 6 0f"]);
    let told = venue.ask(1, &enter_42("LOC", b'S', 10, 110_000, HOURS, b'Y', b'C'));
    assert_eq!(told, ["accepted LOC 10 at 110000 0 SYOC"]);
    let told = venue.ask(0, &replace(5, 7, 20, 90_100, b"0Y", ""));
    assert_eq!(told, ["replaced 5 7 20 at 90100"]);
    // For a minute; time is the engine's.
    let told = venue.ask(0, &enter(8, b'B', 10, 90_000, b"6YN", "050f0000003c"));
    assert_eq!(told, ["accepted 8 10 at 90000 B6YN 15=0000003c"]);
    assert_eq!(
        venue.ask(0, &replace(8, 9, 10, 90_100, b"6Y", "")),
        ["replaced 8 9 10 at 90100 15=0000003c"]
    );
    let told = venue.ask(1, &enter_42("SECS", b'B', 10, 90_000, 60, b'Y', b'N'));
    assert_eq!(told, ["accepted SECS 10 at 90000 60 BYON"]);
}

#[test]
fn modify_and_mass_cancel_on_the_engine() {
    let mut venue = Venue::new();
    for number in 1..=3 {
        venue.ask(0, &enter(number, b'S', 100, 100_000, DAY, ""));
    }
    assert_eq!(venue.ask(0, &named(b'M', 1, b"T\0\0\0\x50")), ["modified 1 T 80"]);
    assert_eq!(venue.ask(0, &named(b'M', 1, b"S\0\0\0\x50")), [""; 0], "there is no way back");
    assert_eq!(venue.ask(0, &named(b'M', 1, b"T\0\0\0\x51")), [""; 0], "it may not grow");
    assert_eq!(venue.ask(0, &named(b'M', 2, b"S\0\0\0\0")), ["canceled 2 100 U"]);
    assert_eq!(venue.ask(0, &named(b'C', 4, b"BOBS        \0\0")), ["rejected 4 0c"]);
    let told = venue.ask(0, &named(b'C', 5, b"FIRMAAPL    \0\0"));
    assert_eq!(told, ["mass-canceled 5", "canceled 1 80 U", "canceled 3 100 U"]);
    assert_eq!(venue.ask(0, &named(b'C', 6, b"    NONE    \0\0")), ["rejected 6 17"]);
    assert_eq!(
        venue.ask(0, &named(b'C', 7, b"            \0\x03\x02\x1bB")),
        ["mass-canceled 7 27=42"]
    );
}

#[test]
fn tokens_are_used_once_and_chains_follow_them() {
    let mut venue = Venue::new();
    let sell = |token: &str| enter_42(token, b'S', 100, 100_000, HOURS, b'Y', b'N');
    assert_eq!(venue.ask(1, &sell("A1")), ["accepted A1 100 at 100000 99998 SYON"]);
    assert_eq!(venue.ask(1, &sell("A1")), [""; 0], "a repetition");
    assert_eq!(venue.ask(1, &sell("a1")), ["accepted a1 100 at 100000 99998 SYON"]);
    assert_eq!(venue.ask(1, &sell("A-1")), ["rejected A-1 O"]);
    let u = |from: &str, to: &str, shares: u32, display: u8| {
        let mut bytes = named_42(b'U', from, &padded_right::<14>(to).expect("short"));
        bytes.extend_from_slice(&shares.to_be_bytes());
        bytes.extend_from_slice(&100_100_u32.to_be_bytes());
        bytes.extend_from_slice(&HOURS.to_be_bytes());
        bytes.extend_from_slice(&[display, b'N', 0, 0, 0, 0]);
        bytes
    };
    assert_eq!(venue.ask(1, &u("A1", "A2", 200, b'Y')), ["replaced A1 A2 200 at 100100"]);
    assert_eq!(venue.ask(1, &u("A1", "A3", 200, b'Y')), [""; 0], "A1 is gone");
    assert_eq!(venue.ask(1, &u("XX", "A3", 200, b'Y')), [""; 0], "nobody knows XX");
    assert_eq!(venue.ask(1, &u("A2", "A1", 200, b'Y')), [""; 0], "A1 was used");
    assert_eq!(venue.ask(1, &u("A2", "A3", 0, b'Y')), ["canceled A2 200 U"], "invalid");
    assert_eq!(
        venue.ask(1, &u("a1", "A3", 150, b'A')),
        ["replaced a1 A3 150 at 100100"],
        "A3 is free"
    );
    // Down to 60 in total, a modify, and the rest.
    assert_eq!(venue.ask(1, &named_42(b'X', "A3", b"\0\0\0\x3c")), ["canceled A3 90 U"]);
    assert_eq!(venue.ask(1, &named_42(b'X', "A3", b"\0\0\0\x3c")), [""; 0]);
    assert_eq!(venue.ask(1, &named_42(b'M', "A3", b"E\0\0\0\x32")), ["modified A3 E 50"]);
    assert_eq!(venue.ask(1, &named_42(b'N', "A3", b"")), [""; 0], "trade now is not offered");
    assert_eq!(venue.ask(1, &named_42(b'X', "A3", b"\0\0\0\0")), ["canceled A3 50 U"]);
    // The 48 bytes of the older form.
    let old = sell("OLD");
    assert_eq!(venue.ask(1, &old[..48]), ["accepted OLD 100 at 100000 99998 SYON"]);
}

#[test]
fn orders_of_4_2_are_refused_by_letter() {
    let mut venue = Venue::new();
    let table: &[(&str, &str, &[u8])] = &[
        ("SIDE", "O", &[15, b'X']),
        ("SHARES", "Z", &[16, 0, 0xf, 0x42, 0x40]),
        ("STOCK", "S", &[20, b'N', b'O', b'N', b'E']),
        ("PRICE", "X", &[28, 0, 0, 0, 0]),
        ("PRICE2", "X", &[28, 0x77, 0x35, 0x93, 0x9d]),
        ("TIF", "O", &[32, 0, 1, 0x51, 0x80]),
        ("FIRM", "L", &[36, b'A', b'C', b'M', b'E']),
        ("DISP", "D", &[40, b'W']),
        ("ISO", "O", &[42, b'Y']),
        ("MIN", "N", &[43, 0, 0, 0, 0x65]),
        ("CROSS", "R", &[47, b'H']),
        ("CUST", "O", &[48, b'R']),
    ];
    for (token, letter, change) in table {
        let mut bytes = enter_42(token, b'S', 100, 100_000, HOURS, b'Y', b'N');
        let at = usize::from(change[0]);
        bytes[at..at + change.len() - 1].copy_from_slice(&change[1..]);
        assert_eq!(venue.ask(1, &bytes), [format!("rejected {token} {letter}")]);
    }
}

/// What is refused or ignored before the engine is one line in the log that names it.
#[test]
fn what_is_not_taken_is_named() {
    let mut venue = Venue::new();
    let mut session =
        spindle_gateway::ouch::session::Session::new(spindle_types::SessionId(1), *b"FIRM");
    let mut line = |message: &[u8]| {
        session.request(message, false).expect("a message");
        session.take_remark().map(|remark| remark.to_string()).unwrap_or_default()
    };
    let good = enter(1, b'B', 10, 9, DAY, "");
    assert_eq!(line(&good), "");
    let named = line(&enter(2, b'B', 10, 9, DAY, "050d00000001"));
    let bytes = "4f 00 00 00 02 42 00 00 00 0a 41 41 50 4c 20 20 20 20 00 00 00 00 00 00 ...";
    assert_eq!(named, format!("request 2: RandomReserves 13 is not taken; 53 bytes: {bytes}"));
    assert!(
        line(&enter(3, b'B', 10, 9, b"EYN", ""))
            .starts_with("request 3: invalid_time_in_force 69 is")
    );
    assert!(
        line(&enter(4, b'B', 10, 9, DAY, "0108")).starts_with("request 4: unknown option 8 is")
    );
    assert!(
        line(&named_in_channel()).starts_with("request 1: UserRefIdx 28 is not taken; 14 bytes:")
    );
    let mut session = ouch42::session::Session::new(spindle_types::SessionId(2), Box::default(), 9);
    session.decide(b"NA\x07            ", None).expect("a message");
    let remark = session.take_remark().expect("a remark");
    let text =
        GatewayNotice::NotTaken { user: spindle_gateway::notice::UserName::new(b"BOB"), remark }
            .to_string();
    assert!(
        text.starts_with("BOB: request A\\x07: trade now 0 is not taken; 15 bytes: 4e 41 07"),
        "{text}"
    );
    venue.turn();
}

fn named_in_channel() -> Vec<u8> {
    named(b'X', 1, b"\0\0\0\0\0\x03\x02\x1c\x05")
}
