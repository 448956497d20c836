//! Real sockets: hashed passwords, wrong ones, addresses that are not in a list, more connections
//! than an address may have, sessions with several accounts, sessions that are too fast.

mod common;
mod reader;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use common::{SECOND, World, config};
use reader::{FixReader, SoupReader, get};
use socket2::{Domain, Socket, Type};
use spindle_engine::command::{Action, OrderSide};
use spindle_engine::event::RejectReason;
use spindle_gateway::client::NewOrder;
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::options::{AllowList, Beyond, Bucket, NamedAccount, SessionOptions, Throttle};
use spindle_gateway::ouch::tag::Tag;
use spindle_gateway::vault::hash_password;
use spindle_gateway::{Gateway, GatewayConfig};
use spindle_risk::Check;
use spindle_types::{AccountId, OrderToken, Price, Quantity, SessionId};
use zerocopy::IntoBytes;

/// A configuration with a FIX side: FIONA speaks 4.4 and is session 3, FRANK 4.2 and session 4.
fn with_fix() -> GatewayConfig {
    let mut config = config();
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.sessions = vec![
        FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(3)),
        FixUser::new(Version::Fix42, "FRANK", SessionId(4), AccountId(4)),
    ];
    config.fix = Some(fix);
    config
}

fn soup(world: &mut World, user: &str, password: &str) -> SoupReader {
    let mut reader = SoupReader::login(world.address, user, password, 1);
    // The helper's thread has its own time; what is asked for comes, or the connection closes.
    while reader.others.is_empty() && !reader.closed {
        reader.read(|| {
            world.turn();
        });
    }
    reader
}

fn logon(world: &mut World, version: Version, name: &str, body: &str) -> FixReader {
    let address = world.gateway.fix_address().expect("FIX is served");
    let mut reader = FixReader::connect(address, version, name, "SPIN", &world.clock);
    reader.send(b"A", &format!("98=0\u{1}108=0\u{1}{body}"));
    while reader.messages.is_empty() && !reader.closed {
        reader.read(|| {
            world.turn();
        });
    }
    reader
}

#[test]
fn hashed_passwords_admit_their_owners_alone() {
    let mut config = with_fix();
    // OUCH's passwords are compared in capitals, so that is what is hashed.
    config.users[0].password = hash_password(b"SECRET7").expect("random numbers");
    let fix = config.fix.as_mut().expect("a FIX side");
    fix.sessions[0].username = "fiona".to_owned();
    fix.sessions[0].password = hash_password(b"Geheim").expect("random numbers");
    fix.sessions[1].password = hash_password(b"raw data").expect("random numbers");
    let mut world = World::new(&config);
    for (user, password, answer) in [
        ("ALICE", "SECRET7", b'A'),
        ("alice", "secret7", b'A'),
        ("ALICE", "SECRET8", b'J'),
        ("ALICE", "", b'J'),
        ("NOBODY", "SECRET7", b'J'),
        // One whose password stands in the configuration as it is.
        ("BOB", "PASS", b'A'),
        ("BOB", "SECRET7", b'J'),
    ] {
        let reader = soup(&mut world, user, password);
        assert_eq!(reader.others[0], answer, "{user} {password}");
    }
    for (name, body, admitted) in [
        ("FIONA", "553=fiona\u{1}554=Geheim\u{1}", true),
        ("FIONA", "553=fiona\u{1}554=geheim\u{1}", false),
        ("FIONA", "553=other\u{1}554=Geheim\u{1}", false),
        ("FIONA", "", false),
        ("NOBODY", "553=fiona\u{1}554=Geheim\u{1}", false),
    ] {
        let reader = logon(&mut world, Version::Fix44, name, body);
        assert_eq!(reader.closed, !admitted, "{name} {body:?}");
    }
    for (body, admitted) in
        [("95=8\u{1}96=raw data\u{1}", true), ("95=8\u{1}96=raw date\u{1}", false)]
    {
        let reader = logon(&mut world, Version::Fix42, "FRANK", body);
        assert_eq!(reader.closed, !admitted, "{body:?}");
    }
    let log = world.log().join("\n");
    for secret in ["SECRET7", "secret7", "Geheim", "raw data", "argon2"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn while_a_password_is_verified_everybody_else_is_served() {
    let mut config = config();
    config.users[0].password = hash_password(b"PASS").expect("random numbers");
    let mut world = World::new(&config);
    let mut bob = world.trader("BOB", "PASS", spindle_gateway::client::Resume::START);
    world.until(&mut bob, |bob| bob.client.is_live());
    let mut alices = Vec::new();
    for _ in 0..40 {
        alices.push(SoupReader::login(world.address, "ALICE", "WRONG", 1));
    }
    let order = NewOrder::limit(
        OrderSide::Buy,
        Quantity(1),
        "REST".parse().expect("a symbol"),
        Price(10_000),
    );
    // Forty verifications take a second and more; Bob's orders are answered turn by turn meanwhile.
    let mut answered = 0;
    while world.gateway.stats().refused_logins < 40 {
        bob.client.enter(&order).expect("sent");
        for _ in 0..1_000 {
            world.turn();
            bob.poll();
            if bob.told.last().is_some_and(|line| line.contains("accepted")) {
                answered += 1;
                bob.take_told();
                break;
            }
        }
    }
    assert!(answered > 40, "only {answered} orders were answered meanwhile");
}

#[test]
fn guessing_takes_time_and_all_causes_look_the_same() {
    let mut config = with_fix();
    config.timing.refusal_ns = SECOND;
    config.fix.as_mut().expect("a FIX side").sessions[0].password = "right".to_owned();
    let nowhere = AllowList(vec!["10.0.0.0/8".parse().expect("a network")]);
    let options = SessionOptions { allow: nowhere, ..SessionOptions::default() };
    config.options.insert(SessionId(2), options);
    let mut world = World::new(&config);
    let address = world.gateway.fix_address().expect("FIX is served");
    let mut readers: Vec<_> = [("ALICE", "WRONG"), ("NOBODY", "PASS"), ("BOB", "PASS")]
        .map(|(user, password)| SoupReader::login(world.address, user, password, 1))
        .into();
    let mut fix: Vec<_> = [("FIONA", "554=wrong\u{1}"), ("STRANGER", "554=right\u{1}")]
        .map(|(name, body)| {
            let clock = &world.clock;
            let mut reader = FixReader::connect(address, Version::Fix44, name, "SPIN", clock);
            reader.send(b"A", &format!("98=0\u{1}108=0\u{1}{body}"));
            reader
        })
        .into();
    let mut look = |world: &mut World| -> Vec<(Vec<u8>, bool)> {
        let soup = readers.iter_mut().map(|reader| {
            reader.read(|| {
                world.turn();
            });
            (reader.others.clone(), reader.closed)
        });
        let mut all: Vec<_> = soup.collect();
        all.extend(fix.iter_mut().map(|reader| {
            reader.read(|| {
                world.turn();
            });
            (Vec::new(), reader.closed)
        }));
        all
    };
    world.clock.advance(SECOND / 2);
    assert!(look(&mut world).iter().all(|(others, closed)| others.is_empty() && !closed));
    world.clock.advance(SECOND);
    let after = look(&mut world);
    assert_eq!(after[..3], vec![(vec![b'J'], true); 3]);
    assert_eq!(after[3..], vec![(Vec::new(), true); 2]);
    let log = world.log();
    let has = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    // What differs is for those who run the venue.
    assert_eq!(
        (has("unknown user or wrong password"), has("from this address")),
        (2, 1),
        "{log:?}"
    );
    assert_eq!(world.gateway.stats().refused_logins, 5);
}

/// A connection from one of loopback's many addresses.
fn from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0);
    socket.bind(&own.into()).expect("an address of loopback");
    socket.connect(&to.into()).expect("the gateway listens");
    socket.into()
}

#[test]
fn addresses_that_are_not_in_the_list_are_turned_away() {
    let mut config = with_fix();
    let list = |net: &str| AllowList(vec![net.parse().expect("a network")]);
    config.door.allow = list("127.0.0.1/32");
    config.fix.as_mut().expect("a FIX side").door.allow = list("127.0.0.2/32");
    let mut world = World::new(&config);
    let (ouch, fix) = (world.address, world.gateway.fix_address().expect("FIX is served"));
    for (last, to, taken) in [(1, ouch, true), (2, ouch, false), (1, fix, false), (2, fix, true)] {
        let before = world.gateway.stats().connections;
        let _socket = from(last, to);
        world.quiet(&mut []);
        assert_eq!(world.gateway.stats().connections - before, u64::from(taken), "{last} {to}");
    }
    let away = "its address is not in the list of this port";
    assert_eq!(world.log().iter().filter(|line| line.ends_with(away)).count(), 2);
}

#[test]
fn an_address_has_so_many_places_and_no_more() {
    let mut config = config();
    config.limits.connections_by_address_max = 2;
    config.limits.connections_max = 5;
    let mut world = World::new(&config);
    let mut sockets = Vec::new();
    for last in [1, 1, 1, 2, 2, 2, 3, 4] {
        sockets.push(from(last, world.address));
        world.quiet(&mut []);
    }
    assert_eq!(world.gateway.connections_open(), 5);
    let log = world.log();
    let count = |end: &str| log.iter().filter(|line| line.ends_with(end)).count();
    assert_eq!(count("all 2 places for its address are taken"), 2, "{log:?}");
    assert_eq!(count("all 5 places are taken"), 1, "{log:?}");
}

fn named(name: &str, firm: &str, account: u16) -> NamedAccount {
    NamedAccount { name: name.to_owned(), firm: firm.to_owned(), account: AccountId(account) }
}

fn several(own: (&str, &str, u16), other: (&str, &str, u16)) -> SessionOptions {
    let accounts = vec![named(own.0, own.1, own.2), named(other.0, other.1, other.2)];
    SessionOptions { accounts, ..SessionOptions::default() }
}

#[test]
fn an_ouch_order_is_for_the_account_that_its_firm_names() {
    let mut config = config();
    config.options.insert(SessionId(1), several(("ONE", "AAAA", 1), ("NINE", "BB", 9)));
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    alice.take_told();
    for (number, firm) in [(1, None), (2, Some(b"AAAA")), (3, Some(b"BB  ")), (4, Some(b"CCCC"))] {
        let symbol = "REST".parse().expect("a symbol");
        let order = NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000));
        let mut message = order.message(OrderToken(number)).as_bytes().to_vec();
        if let Some(firm) = firm {
            let length = message.len();
            message[length - 2..].copy_from_slice(&[0, 6]);
            message.extend_from_slice(&[5, Tag::Firm as u8]);
            message.extend_from_slice(firm);
        }
        alice.client.send(&message).expect("sent");
        world.quiet(&mut [&mut alice]);
    }
    let accounts: Vec<_> = world.engine.taken.iter().map(|command| command.account.0).collect();
    assert_eq!(accounts[..3], [1, 1, 9]);
    assert!(matches!(world.engine.taken[3].action, Action::Refuse(_)));
    let told = alice.take_told();
    assert_eq!(told[3], "5 rejected 4 0c", "firm not authorized: {told:?}");
}

fn order(reader: &FixReader, id: &str, extra: &str) -> String {
    let now = reader.timestamp();
    format!(
        "{extra}11={id}\u{1}21=1\u{1}38=1\u{1}40=2\u{1}44=1\u{1}54=1\u{1}55=REST\u{1}60={now}\u{1}"
    )
}

#[test]
fn a_fix_order_is_for_the_account_that_it_names() {
    let mut config = with_fix();
    config.options.insert(SessionId(3), several(("THREE", "", 3), ("NINE", "", 9)));
    let only = SessionOptions { accounts: vec![named("FOUR", "", 4)], ..Default::default() };
    config.options.insert(SessionId(4), only);
    let mut world = World::new(&config);
    let mut fiona = logon(&mut world, Version::Fix44, "FIONA", "");
    fiona.messages.clear();
    for (id, extra) in
        [("A", ""), ("B", "1=NINE\u{1}"), ("C", "1=THREE\u{1}"), ("D", "1=FOUR\u{1}")]
    {
        let body = order(&fiona, id, extra);
        fiona.send(b"D", &body);
    }
    fiona.read(|| {
        world.turn();
    });
    let accounts: Vec<_> = world.engine.taken.iter().map(|command| command.account.0).collect();
    assert_eq!(accounts[..3], [3, 9, 3]);
    let reports: Vec<_> = fiona
        .messages
        .iter()
        .map(|report| (get(report, 11), get(report, 150), get(report, 1)))
        .collect();
    assert_eq!(
        reports[..3],
        [
            (Some("A"), Some("0"), Some("THREE")),
            (Some("B"), Some("0"), Some("NINE")),
            (Some("C"), Some("0"), Some("THREE")),
        ]
    );
    let refused = &fiona.messages[3];
    assert_eq!(
        [150, 103, 58].map(|tag| get(refused, tag)),
        [Some("8"), Some("15"), Some("account")]
    );
    // A replacement stays in its account, and a mass cancel says which one it means.
    let now = fiona.timestamp();
    let replace = format!(
        "1=THREE\u{1}11=E\u{1}21=1\u{1}38=2\u{1}40=2\u{1}41=B\u{1}44=1\u{1}54=1\u{1}55=REST\u{1}60={now}\u{1}"
    );
    fiona.messages.clear();
    fiona.send(b"G", &replace);
    fiona.send(b"q", &format!("11=F\u{1}60={now}\u{1}530=7\u{1}"));
    fiona.read(|| {
        world.turn();
    });
    let answers: Vec<_> =
        fiona.messages.iter().map(|answer| (get(answer, 35), get(answer, 58))).collect();
    assert_eq!(
        answers,
        [
            (Some("9"), Some("invalid_option: tag 1")),
            (Some("j"), Some("Conditionally Required Field Missing: tag 1")),
        ]
    );
    // Who has one account may name it, and no other.
    let mut frank = logon(&mut world, Version::Fix42, "FRANK", "");
    for (id, extra) in [("A", "1=FOUR\u{1}"), ("B", "1=NINE\u{1}")] {
        let body = order(&frank, id, extra);
        frank.send(b"D", &body);
    }
    frank.read(|| {
        world.turn();
    });
    let kinds: Vec<_> = frank.messages[1..].iter().map(|report| get(report, 150)).collect();
    assert_eq!(kinds, [Some("0"), Some("8")]);
}

fn throttled(beyond: Beyond) -> SessionOptions {
    let throttle = Some(Throttle { rate: 10, burst: 5, beyond });
    SessionOptions { throttle, ..SessionOptions::default() }
}

/// Requests come in random bursts; which of them are refused is exactly what the bucket says.
#[test]
fn requests_beyond_the_throttle_are_refused_and_no_others() {
    let mut config = with_fix();
    config.options.insert(SessionId(1), throttled(Beyond::Reject));
    config.options.insert(SessionId(3), throttled(Beyond::Reject));
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    let mut fiona = logon(&mut world, Version::Fix44, "FIONA", "");
    (alice.told, fiona.messages) = Default::default();
    let throttle = Throttle { rate: 10, burst: 5, beyond: Beyond::Reject };
    let (mut of_alice, mut of_fiona) = (Bucket::new(throttle), Bucket::new(throttle));
    let (mut right, mut refused) = (Vec::new(), 0);
    let symbol = "REST".parse().expect("a symbol");
    let mut seed = 5_u64;
    for round in 0..80_u32 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        world.clock.advance((seed >> 33) % (SECOND / 4));
        let now = spindle_gateway::Clock::now_ns(&world.clock);
        for _ in 0..seed >> 61 {
            let enter = NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000));
            alice.client.enter(&enter).expect("sent");
            right.push(of_alice.take(now));
        }
        for part in ["A", "B"] {
            let body = order(&fiona, &format!("{part}{round}"), "");
            fiona.send(b"D", &body);
        }
        world.quiet(&mut [&mut alice]);
        fiona.read(|| {
            world.turn();
        });
        for report in fiona.messages.drain(..) {
            let kind = if of_fiona.take(now) { "0" } else { "8" };
            assert_eq!(get(&report, 150), Some(kind), "{report:?}");
            refused += usize::from(kind == "8");
        }
    }
    let told: Vec<_> = alice.told.iter().map(|line| line.contains("accepted")).collect();
    assert_eq!(told, right);
    let rejected = right.iter().filter(|right| !**right).count();
    assert!(rejected > 20 && rejected < right.len() - 20, "{rejected} of {}", right.len());
    assert!(refused > 5, "{refused}");
    assert_eq!(world.gateway.stats().throttled, (rejected + refused) as u64);
    let message_rate = RejectReason::Risk(Check::MessageRate);
    let asked = world.engine.taken.iter();
    let reasons = asked.filter_map(|command| match command.action {
        Action::Refuse(refuse) => Some(refuse.reason),
        _ => None,
    });
    assert!(reasons.into_iter().all(|reason| reason == message_rate));
}

#[test]
fn beyond_the_throttle_a_cancel_goes_through_or_the_connection_is_closed() {
    let mut config = with_fix();
    config.options.insert(SessionId(1), throttled(Beyond::Reject));
    config.options.insert(SessionId(2), throttled(Beyond::Disconnect));
    config.options.insert(SessionId(4), throttled(Beyond::Disconnect));
    let mut world = World::new(&config);
    let (mut alice, mut bob) = (world.logged_in("ALICE"), world.logged_in("BOB"));
    let mut frank = logon(&mut world, Version::Fix42, "FRANK", "");
    let symbol = "REST".parse().expect("a symbol");
    let enter = NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000));
    for trader in [&mut alice, &mut bob] {
        trader.take_told();
        for _ in 0..6 {
            trader.client.enter(&enter).expect("sent");
        }
    }
    alice.client.cancel(OrderToken(1)).expect("sent");
    for id in ["A", "B", "C", "D", "E", "F", "G"] {
        let body = order(&frank, id, "");
        frank.send(b"D", &body);
    }
    world.quiet(&mut [&mut alice, &mut bob]);
    frank.read(|| {
        world.turn();
    });
    let told = alice.take_told();
    assert_eq!(told[4..], ["6 accepted 5 L", "7 rejected 6 29", "8 canceled 1 1 U"]);
    assert_eq!(
        bob.take_told().last().map(String::as_str),
        Some("disconnected: the server closed the connection")
    );
    let logout = frank.messages.last().expect("a Logout");
    assert_eq!([35, 58].map(|tag| get(logout, tag)), [Some("5"), Some("Too many requests")]);
    assert!(frank.closed);
    let log = world.log().join("\n");
    assert!(log.contains("BOB at PEER disconnected: more requests than the session's 10 a second"));
    assert!(log.contains("FRANK at PEER disconnected: Too many requests"), "{log}");
}

#[test]
fn a_gateway_listens_where_it_was_told_and_nowhere_else() {
    let world = World::new(&with_fix());
    let _: &Gateway<_> = &world.gateway;
    let fix = world.gateway.fix_address().expect("FIX is served");
    assert!(world.address.ip().is_loopback() && fix.ip().is_loopback());
    // What the kernel says of this process's sockets: none of the gateway's ports is open beyond.
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a Linux machine");
    for port in [world.address.port(), fix.port()] {
        let listening = table.lines().filter(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(3) == Some(&"0A") && words[1].ends_with(&format!(":{port:04X}"))
        });
        let addresses: Vec<_> = listening.map(str::to_owned).collect();
        assert_eq!(addresses.len(), 1, "{addresses:?}");
        assert!(addresses[0].contains("0100007F:"), "{addresses:?}");
    }
}
