//! Property tests: no bytes make a parser or a machine panic, and how a stream of bytes is cut
//! into reads changes nothing.

mod common;

use common::{ManualClock, StandIn, config};
use proptest::prelude::*;
use rtrb::RingBuffer;
use spindle_engine::command::{Action, OrderSide};
use spindle_gateway::Clock;
use spindle_gateway::client::{ClientSession, ClientTiming, Login, NewOrder, Resume};
use spindle_gateway::desk::Desk;
use spindle_gateway::line::Line;
use spindle_gateway::ouch::tag::allowed;
use spindle_gateway::ouch::{Appendage, inbound, outbound};
use spindle_gateway::soup::codec::{LoginRequest, Packet, split};
use spindle_gateway::soup::server::Timing;
use spindle_types::{OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

fn packet(packet: Packet<'_>) -> Vec<u8> {
    let mut bytes = vec![0; packet.wire_length()];
    packet.write(&mut bytes).expect("it fits");
    bytes
}

fn login() -> Vec<u8> {
    packet(Packet::LoginRequest(&LoginRequest {
        username: *b"ALICE ",
        password: *b"PASS      ",
        session: [b' '; 10],
        sequence: *b"                   1",
    }))
}

/// One step of a client that mostly behaves.
fn step() -> impl Strategy<Value = Vec<u8>> {
    let order = (1_u32..20, 0_u32..3, prop_oneof![Just("REST"), Just("FILL")]).prop_map(
        |(number, hundreds, symbol)| {
            let symbol = symbol.parse().expect("a symbol");
            let quantity = Quantity(hundreds * 100);
            let order = NewOrder::limit(OrderSide::Buy, quantity, symbol, Price(10_000));
            packet(Packet::Unsequenced(order.message(OrderToken(number)).as_bytes()))
        },
    );
    let cancel = (1_u32..20).prop_map(|number| {
        let message = [&b"X"[..], &number.to_be_bytes(), &[0; 4]].concat();
        packet(Packet::Unsequenced(&message))
    });
    let message = proptest::collection::vec(any::<u8>(), 0..60)
        .prop_map(|bytes| packet(Packet::Unsequenced(&bytes)));
    let typed =
        (prop::sample::select(&b"OUXMCDEQ"[..]), proptest::collection::vec(any::<u8>(), 60))
            .prop_map(|(letter, mut bytes)| {
                let lengths = inbound::MESSAGES.iter();
                let length =
                    lengths.clone().find(|(code, _)| *code == letter).map_or(1, |found| found.1);
                bytes[0] = letter;
                // The appendage length, where there is one.
                bytes[length.saturating_sub(2).max(1)..length].fill(0);
                packet(Packet::Unsequenced(&bytes[..length]))
            });
    prop_oneof![
        8 => order,
        4 => cancel,
        4 => typed,
        2 => Just(packet(Packet::Unsequenced(b"Q"))),
        2 => Just(packet(Packet::ClientHeartbeat)),
        1 => Just(packet(Packet::Debug(b"text"))),
        1 => message,
        1 => Just(login()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

/// What a stream of bytes, cut into these pieces, comes to: the actions that reach the engine, the
/// bytes that come back as far as they left before a close, all bytes of the stream, and the cause.
fn outcome(bytes: &[u8], cuts: &[usize]) -> (Vec<Action>, Vec<u8>, String) {
    let clock = ManualClock::default();
    let (commands, engine_commands) = RingBuffer::new(16);
    let (engine_events, events) = RingBuffer::new(256);
    let mut desk = Desk::new(&config(), clock.time_of_day(), commands, events).expect("a desk");
    let mut engine = StandIn::new(engine_commands, engine_events);
    let mut line = Line::new(Timing::default(), &desk, 0);
    let mut cause = None;
    let mut rest = bytes;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() && cause.is_none() {
        let length = cuts.next().map_or(1, |cut| *cut).clamp(1, rest.len());
        let (piece, following) = rest.split_at(length);
        rest = following;
        line.space()[..length].copy_from_slice(piece);
        line.commit(length, 0);
        loop {
            cause = line.take_packets(&mut desk, 0).err();
            engine.poll();
            desk.take_events();
            if !line.is_stopped() {
                break;
            }
        }
    }
    desk.take_events();
    // Everything that the user's stream holds comes out at the next login.
    line.leave(&mut desk);
    let mut again = Line::new(Timing::default(), &desk, 0);
    again.space()[..49].copy_from_slice(&login());
    again.commit(49, 0);
    again.take_packets(&mut desk, 0).expect("a good login");
    let mut came = Vec::new();
    loop {
        let output = again.output(&desk).to_vec();
        if output.is_empty() {
            break;
        }
        came.extend_from_slice(&output);
        again.written(&mut desk, output.len(), 0);
    }
    let actions = engine.taken.iter().map(|command| command.action).collect();
    (actions, came, format!("{cause:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parsers_take_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some((packet, length))) = split(&bytes, 65_535) {
            prop_assert!(length <= bytes.len());
            let mut written = vec![0; length];
            prop_assert_eq!(packet.write(&mut written), Some(length));
            prop_assert_eq!(&written[..], &bytes[..length]);
        }
        if let Ok(message) = inbound::Message::decode(&bytes) {
            prop_assert_eq!(message.to_owned_bytes(), &bytes[..]);
            let _ = message.options().check(allowed::ENTER);
        }
        if let Ok(message) = outbound::Message::decode(&bytes) {
            prop_assert_eq!(message.to_owned_bytes(), &bytes[..]);
        }
        if let Ok(options) = Appendage::parse(&bytes) {
            let length: usize = options.iter().map(|option| option.value.len() + 2).sum();
            prop_assert_eq!(length, bytes.len());
        }
    }

    #[test]
    fn typed_messages_take_any_content(
        letter in prop::sample::select(&b"OUXMCDEQSAJPTIRGKB"[..]),
        mut bytes in proptest::collection::vec(any::<u8>(), 1..120),
    ) {
        bytes[0] = letter;
        if let Ok(message) = inbound::Message::decode(&bytes) {
            prop_assert_eq!(message.to_owned_bytes(), &bytes[..]);
        }
        if let Ok(message) = outbound::Message::decode(&bytes) {
            prop_assert_eq!(message.to_owned_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_client_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let user = Login::new("ALICE", "PASS").expect("a login");
        let mut session = ClientSession::new(user, Resume::START, ClientTiming::default(), 0);
        let mut rest = &bytes[..];
        while let Ok(Some((packet, length))) = split(rest, 65_535) {
            if session.receive(packet, 0).is_err() {
                break;
            }
            rest = &rest[length..];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn how_the_stream_is_cut_changes_nothing(
        steps in proptest::collection::vec(step(), 0..40),
        cuts in proptest::collection::vec(1_usize..90, 1..20),
        cut_off in 0_usize..30,
        logged_in in prop::bool::weighted(0.95),
    ) {
        let mut bytes = if logged_in { login() } else { Vec::new() };
        bytes.extend(steps.concat());
        bytes.truncate(bytes.len().saturating_sub(cut_off));
        let whole = outcome(&bytes, &[bytes.len().clamp(1, 4_000)]);
        prop_assert_eq!(&outcome(&bytes, &[1]), &whole);
        prop_assert_eq!(&outcome(&bytes, &cuts), &whole);
    }

    #[test]
    fn a_line_takes_any_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        logged_in in any::<bool>(),
        cuts in proptest::collection::vec(1_usize..90, 1..20),
    ) {
        let mut all = if logged_in { login() } else { Vec::new() };
        all.extend(bytes);
        let whole = outcome(&all, &[4_000]);
        prop_assert_eq!(outcome(&all, &cuts), whole);
    }
}
