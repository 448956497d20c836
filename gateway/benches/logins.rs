//! Whether the time of a refused login tells its cause: a wrong password, a user who does not exist, an address that is
//! not in the session's list.
//!
//! The venue's delay of refusals is off, so that nothing hides what the causes differ by. Causes come in random order,
//! one login at a time, each on a connection of its own: the time from its write to its answer. Of each pair of causes the
//! rank-sum test of Mann and Whitney says how likely times that differ by at least as much are where the cause makes no
//! difference; the noise is the same test between the odd and the even logins of one cause.
//!
//!     cargo bench -p spindle-gateway --bench logins
//!
//! `SPINDLE_LOGINS` sets how many of each cause, `SPINDLE_HASH_KIB` the memory of a hash (19,456; with 64 a hash takes
//! microseconds, and small differences show).

#![allow(clippy::print_stdout, reason = "it is its output")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use rtrb::RingBuffer;
use spindle_gateway::options::{AllowList, SessionOptions};
use spindle_gateway::{Gateway, GatewayConfig, SystemClock, User};
use spindle_types::{AccountId, Agent, SessionId};

const CAUSES: [(&str, &str, &str); 3] = [
    ("wrong password", "ALICE", "WRONG"),
    ("no such user", "NOBODY", "PASS"),
    ("wrong address", "BOB", "PASS"),
];

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How likely a standard normal value is at least so far from 0 (Abramowitz and Stegun, 26.2.17).
fn two_sided(z: f64) -> f64 {
    let (z, t) = (z.abs(), 1.0 / (1.0 + 0.231_641_9 * z.abs()));
    let sum = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let tail = sum.iter().fold(0.0, |all, part| (all + part) * t);
    (2.0 * tail * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()).min(1.0)
}

/// The rank-sum test: z and the probability, by the normal approximation. Times have so many digits that ties do not count.
fn rank_sum(a: &[u64], b: &[u64]) -> (f64, f64) {
    let mut all: Vec<(u64, bool)> = a.iter().map(|&time| (time, true)).collect();
    all.extend(b.iter().map(|&time| (time, false)));
    all.sort_unstable();
    let ranks: f64 =
        (1..).zip(&all).filter(|(_, one)| one.1).map(|(rank, _)| f64::from(rank)).sum();
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    let z = (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    (z, two_sided(z))
}

fn median(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

fn main() {
    // `cargo test` asks benches whether they have tests.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let kib = u32::try_from(number("SPINDLE_HASH_KIB", 19_456)).expect("small");
    let logins = number("SPINDLE_LOGINS", if kib > 1_000 { 100 } else { 4_000 });
    let params = Params::new(kib, 2, 1, None).expect("parameters");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(b"PASS").expect("random numbers").to_string();
    let users = (1..).zip(["ALICE", "BOB"]);
    let users = users.map(|(n, name)| User::new(name, &hash, SessionId(n), AccountId(n))).collect();
    let listen = ([127, 0, 0, 1], 0).into();
    let mut config = GatewayConfig { users, ..GatewayConfig::new(listen, "BENCH") };
    let allow = AllowList(vec!["10.0.0.0/8".parse().expect("a network")]);
    config.options.insert(SessionId(2), SessionOptions { allow, ..SessionOptions::default() });
    let ((commands, _engine_out), (_engine_in, events)) =
        (RingBuffer::new(64), RingBuffer::new(64));
    let mut gateway =
        Gateway::bind(&config, SystemClock::new(), commands, events).expect("a free port");
    let address = gateway.local_address();
    let mut times = [const { Vec::new() }; 3];
    let mut seed = 1_u64;
    while times.iter().any(|times| times.len() < logins) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let cause = (seed >> 33) as usize % CAUSES.len();
        let (_, user, password) = CAUSES[cause];
        let mut client = TcpStream::connect(address).expect("it listens");
        client.set_nonblocking(true).expect("a socket");
        while gateway.connections_open() == 0 {
            gateway.poll();
        }
        let login = format!("\0/L{user:<6}{password:<10}{:10}{:>20}", "", 1);
        let begun = Instant::now();
        client.write_all(login.as_bytes()).expect("room");
        let mut answer = [0; 16];
        while let Err(error) = client.read(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "an answer");
            gateway.poll();
        }
        let took = u64::try_from(begun.elapsed().as_nanos()).expect("short");
        assert_eq!(answer[..4], *b"\0\x02JA", "refused alike");
        times[cause].push(took);
        drop(client);
        while gateway.connections_open() > 0 {
            gateway.poll();
        }
    }
    println!("{logins} logins of each cause, hashes of {kib} KiB");
    for ((name, ..), times) in CAUSES.iter().zip(&mut times) {
        times.truncate(logins);
        let odd: Vec<_> = times.iter().copied().step_by(2).collect();
        let even: Vec<_> = times.iter().copied().skip(1).step_by(2).collect();
        let (z, p) = rank_sum(&odd, &even);
        println!("{name:<32} median {:>10} ns; noise: z {z:>6.2}, p {p:.3}", median(times));
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let (z, p) = rank_sum(&times[a], &times[b]);
        let (a, b) = (CAUSES[a].0, CAUSES[b].0);
        println!("{:<32} z {z:>6.2}, p {p:.3}", format!("{a} : {b}"));
    }
}
