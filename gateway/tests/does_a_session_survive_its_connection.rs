//! Real sockets, one thread, everything stepped by hand: orders are answered, answers that nobody
//! was there to read are kept, and a reconnect gets exactly those.

mod common;

use common::{SECOND, World, config};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{NewOrder, Replacement, Resume, SendError};
use spindle_types::{Agent, OrderToken, Price, Quantity};

fn order(symbol: &str) -> NewOrder {
    let symbol = symbol.parse().expect("a symbol");
    NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000))
}

#[test]
fn orders_are_answered_in_the_order_of_requests() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("alice");
    assert_eq!(alice.take_told(), ["login 1", "1 day S"]);
    let first = alice.client.enter(&order("FILL")).expect("live");
    let second = alice.client.enter(&order("REST")).expect("live");
    let mut wrong = order("REST");
    wrong.quantity = Quantity(1_000_000);
    alice.client.enter(&wrong).expect("live");
    let larger = Replacement::limit(Quantity(300), Price(20_000));
    alice.client.replace(second, &larger).expect("live");
    alice.client.cancel(OrderToken(4)).expect("live");
    alice.client.cancel(first).expect("live");
    world.quiet(&mut [&mut alice]);
    assert_eq!(
        alice.take_told(),
        [
            "2 accepted 1 L",
            "3 executed 1 100",
            "4 accepted 2 L",
            "5 rejected 3 13",
            "6 replaced 2 4",
            "7 canceled 4 300 U",
        ]
    );
    let stats = world.gateway.stats();
    assert_eq!((stats.commands, stats.events, stats.messages), (6, 7, 8));
    assert_eq!(stats.ring_out.count(), 7);
    // The cancel that did nothing has no answer on the wire.
    assert_eq!(stats.order_in_to_answer_out.count(), 5);
    assert_eq!(world.gateway.stats().unmeasured, 0);
}

#[test]
fn a_reconnect_gets_exactly_what_was_missed() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("alice");
    for _ in 0..5 {
        alice.client.enter(&order("FILL")).expect("live");
    }
    world.quiet(&mut [&mut alice]);
    assert_eq!(alice.messages.len(), 11);
    // Requests reach the venue, and the client is gone before it reads the answers.
    for _ in 0..3 {
        alice.client.enter(&order("FILL")).expect("live");
    }
    let resume = alice.client.resume_point();
    assert_eq!(resume.sequence, 12);
    drop(alice.client);
    world.quiet(&mut []);
    let mut again = world.trader("alice", "pass", resume);
    world.quiet(&mut [&mut again]);
    assert_eq!(
        again.take_told(),
        [
            "login 12",
            "12 accepted 6 L",
            "13 executed 6 100",
            "14 accepted 7 L",
            "15 executed 7 100",
            "16 accepted 8 L",
            "17 executed 8 100",
        ]
    );
    // From the start, all of it comes once more, byte for byte.
    drop(again.client);
    world.quiet(&mut []);
    let mut whole = world.trader("alice", "pass", Resume::START);
    world.quiet(&mut [&mut whole]);
    let read: Vec<_> = alice.messages.iter().chain(&again.messages).cloned().collect();
    assert_eq!(whole.messages, read);
    // 0 asks for the most recent message.
    drop(whole.client);
    world.quiet(&mut []);
    let latest = Resume { sequence: 0, ..Resume::START };
    let mut last = world.trader("alice", "pass", latest);
    world.quiet(&mut [&mut last]);
    assert_eq!(last.take_told(), ["login 17", "17 executed 8 100"]);
}

#[test]
fn a_reconnect_in_the_middle_of_trading_has_no_seam() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("alice");
    let mut entered = 0_u32;
    for round in 0..40 {
        for _ in 0..200 {
            if alice.client.enter(&order("FILL")).is_ok() {
                entered += 1;
            }
        }
        for _ in 0..round % 5 {
            world.turn();
            alice.poll();
        }
        alice.client.reconnect();
        assert_eq!(alice.client.cancel(OrderToken(1)), Err(SendError::NotLoggedIn));
        // The end of the old connection is seen before the login on the new one.
        world.quiet(&mut [&mut alice]);
        assert!(alice.client.is_live(), "{:?}", alice.told.last());
    }
    world.quiet(&mut [&mut alice]);
    let numbers: Vec<u64> = alice.messages.iter().map(|(number, _)| *number).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "each message once, in order");
    let reached = world.engine.taken.len();
    assert!(reached > 100 && reached <= entered as usize);
    assert_eq!(numbers.len(), 1 + 2 * reached, "every request that arrived has both answers");
}

#[test]
fn sessions_do_not_see_each_other() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("ALICE");
    let mut bob = world.logged_in("BOB");
    alice.client.enter(&order("REST")).expect("live");
    bob.client.cancel(OrderToken(1)).expect("live");
    bob.client.query().expect("live");
    world.quiet(&mut [&mut alice, &mut bob]);
    assert_eq!(alice.take_told(), ["login 1", "1 day S", "2 accepted 1 L"]);
    assert_eq!(bob.take_told(), ["login 1", "1 day S", "2 next 1"]);
}

#[test]
fn the_end_comes_after_every_answer() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("ALICE");
    world.engine.paused = true;
    alice.client.enter(&order("FILL")).expect("live");
    world.quiet(&mut [&mut alice]);
    world.gateway.shutdown_handle().request();
    world.quiet(&mut [&mut alice]);
    assert!(!world.gateway.is_done(), "an answer is still under way");
    world.engine.paused = false;
    world.quiet(&mut [&mut alice]);
    assert_eq!(
        alice.take_told(),
        [
            "login 1",
            "1 day S",
            "2 accepted 1 L",
            "3 executed 1 100",
            "4 day E",
            "disconnected: end of session",
        ]
    );
    assert!(world.gateway.is_done());
    assert_eq!(world.gateway.connections_open(), 0);
    alice.client.reconnect();
    world.until(&mut alice, |alice| !alice.client.is_connected());
    assert_eq!(alice.take_told(), ["disconnected: cannot connect: connection refused"]);
}

#[test]
fn a_login_waits_for_what_the_old_connection_still_asks() {
    let mut world = World::with_rings(&config(), 16);
    let mut alice = world.logged_in("ALICE");
    world.engine.paused = true;
    for _ in 0..100 {
        alice.client.enter(&order("FILL")).expect("live");
    }
    world.quiet(&mut [&mut alice]);
    assert_eq!(world.gateway.stats().commands, 16);
    // The client goes and comes back while most of its requests are received and not yet taken.
    alice.client.reconnect();
    world.quiet(&mut [&mut alice]);
    assert!(!alice.client.is_live());
    assert!(alice.client.is_connected(), "{:?}", alice.told.last());
    world.engine.paused = false;
    world.until(&mut alice, |alice| alice.messages.len() == 201);
    let numbers: Vec<u64> = alice.messages.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=201).collect::<Vec<u64>>());
    assert_eq!(world.gateway.stats().refused_logins, 0);
}

#[test]
fn a_login_waits_for_an_old_connection_that_is_behind() {
    let mut config = config();
    config.limits.requests_max = 1;
    let mut world = World::new(&config);
    let mut alice = world.logged_in("ALICE");
    for _ in 0..1_000 {
        alice.client.enter(&order("REST")).expect("live");
    }
    alice.client.reconnect();
    world.quiet(&mut [&mut alice]);
    assert!(alice.client.is_live(), "{:?}", alice.told.last());
    assert_eq!(world.gateway.stats().refused_logins, 0);
}

#[test]
fn heartbeats_on_both_sides_keep_an_idle_session_alive() {
    let mut world = World::new(&config());
    let mut alice = world.logged_in("ALICE");
    for _ in 0..120 {
        world.clock.advance(SECOND / 2);
        world.turn();
        alice.poll();
    }
    assert!(alice.client.is_live(), "{:?}", alice.told);
    assert_eq!(world.gateway.connections_open(), 1);
    // The gateway stops: after 15 s of silence the client gives up, and can come back.
    for _ in 0..31 {
        world.clock.advance(SECOND / 2);
        alice.poll();
    }
    let last = alice.told.last().map(String::as_str);
    assert_eq!(last, Some("disconnected: nothing came for too long, not even a heartbeat"));
    alice.client.reconnect();
    world.until(&mut alice, |alice| alice.client.is_live());
    // The client stops: after 15 s the gateway closes.
    for _ in 0..31 {
        world.clock.advance(SECOND / 2);
        world.turn();
    }
    assert_eq!(world.gateway.connections_open(), 0);
    let log = world.log();
    assert_eq!(
        log.last().map(String::as_str),
        Some(
            "gateway: ALICE at PEER disconnected: nothing came for too long, not even a heartbeat"
        )
    );
}
