//! Connections of OUCH 5.0, OUCH 4.2 and FIX are cut at random while all three trade with each other:
//! every report arrives once and in order, none is lost, none comes again without its mark.
//!
//! `SPINDLE_CUTS` sets how many of each client in process (10,000), `SPINDLE_SOCKET_CUTS` how many over
//! real sockets (200), `SPINDLE_SEED` the seed.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

mod common;
mod kills;

use kills::fix::FixClient;
use kills::ouch::OuchClient;
use kills::world::{CLIENTS, InProcess, OnSockets, World};
use kills::{Client, Random, compare};
use spindle_types::SessionId;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One exchange of bytes between a client and the venue, in pieces of any size.
fn exchange(
    world: &mut dyn World,
    client: &mut dyn Client,
    at: usize,
    most: u64,
    random: &mut Random,
) {
    let now = world.utc();
    let length = client.out().len() as u64;
    let wanted = random.below(most.min(length) + 1) as usize;
    let sent = world.send(at, &client.out()[..wanted]);
    client.out().drain(..sent);
    let came = world.receive(at, random.below(most) as usize + 1);
    if !came.is_empty() {
        client.take(&came, now);
    }
}

/// Connects a client again that has no connection.
fn come_back(world: &mut dyn World, client: &mut dyn Client, at: usize) {
    if world.is_closed(at) {
        world.connect(at);
        client.connected(world.utc());
    }
}

/// Cuts each client so often, and then lets everything arrive.
fn run(world: &mut dyn World, cuts: u64, seed: u64) {
    let mut random = Random(seed);
    let mut alice = OuchClient::new("ALICE", false);
    let mut bob = OuchClient::new("BOB", true);
    let mut fiona = FixClient::new();
    let mut left = [cuts; CLIENTS];
    while left.iter().any(|left| *left > 0) {
        for at in 0..CLIENTS {
            let client: &mut dyn Client = [&mut alice as &mut dyn Client, &mut bob, &mut fiona][at];
            for _ in 0..random.below(3) {
                client.trade(&mut random, world.utc());
            }
            // Sometimes a few bytes, sometimes all there are.
            let most = [3, 40, 400, 4_000][random.below(4) as usize];
            exchange(world, client, at, most, &mut random);
            if random.below(12) == 0 && left[at] > 0 {
                left[at] -= 1;
                world.cut(at);
            }
            come_back(world, client, at);
        }
        world.turn();
        world.pass(random.below(200_000));
    }
    let mut idle = 0;
    let mut seen = 0;
    while idle < 2_000 {
        for at in 0..CLIENTS {
            let client: &mut dyn Client = [&mut alice as &mut dyn Client, &mut bob, &mut fiona][at];
            exchange(world, client, at, 100_000, &mut random);
            come_back(world, client, at);
        }
        world.turn();
        let told = alice.told().len() + bob.told().len() + fiona.told().len();
        idle = if told == seen { idle + 1 } else { 0 };
        seen = told;
    }
    let counts: Vec<usize> =
        [&alice as &dyn Client, &bob, &fiona].iter().map(|client| client.told().len()).collect();
    println!("{cuts} cuts each, seed {seed}: {counts:?} reports, {} of FIX marked", fiona.marked);
    for (client, session) in [&alice as &dyn Client, &bob, &fiona].into_iter().zip(1..) {
        compare(client, SessionId(session), world.events());
        let executed = client.told().iter().filter(|told| told.starts_with('E')).count();
        assert!(session == 3 || executed as u64 > cuts / 10, "hardly anything was traded");
    }
    assert!(fiona.marked > cuts / 20, "hardly anything was sent again: the test shows nothing");
}

#[test]
fn in_process_with_cuts_at_any_byte() {
    run(&mut InProcess::new(), number("SPINDLE_CUTS", 10_000), number("SPINDLE_SEED", 1));
}

#[test]
fn over_real_sockets() {
    run(&mut OnSockets::new(), number("SPINDLE_SOCKET_CUTS", 200), number("SPINDLE_SEED", 1));
}
