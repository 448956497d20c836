//! A round trip through the venue against one through a bare echo.
//!
//!     cargo bench --bench round_trip -- [--rounds 21] [--trips 2000] [--json]
//!
//! The venue is that of a configuration with nothing but names in it: engine and gateway as they are by
//! default, on the cores that the layout gives them, both spinning. The client is on the gateway's thread,
//! as the layout of two cores has it. One round trip is an order that will stand, from before its bytes are
//! written to after the last byte of its acceptance is read; its cancel is not timed.
//!
//! The echo is what is left of that without the venue: the same client, the same bytes over the same kind of sockets,
//! a server on the same thread in the gateway's place that reads them and writes as many bytes as the
//! venue answered, without looking at either; the engine's thread spins beside it all the while. Rounds of
//! both alternate, so that what else the machine does falls on both. Given are quantiles of a round, their ratio
//! within each pair of rounds, and of these the median with the middle half and the extremes.

mod echo;
mod peer;
mod script;

use std::io;

use hdrhistogram::Histogram;
use spindle::config::Config;
use spindle::runner::{Layout, Place, Stop, run, spawn};
use spindle::venue::Venue;
use spindle_gateway::Gateway;
use spindle_types::Agent;

use self::echo::Echo;
use self::peer::{Peer, Wire};
use self::script::Script;

const VENUE: &str = r#"
[venue]
name = "BENCH"
[gateway]
ouch_listen = "127.0.0.1:0"
[[instrument]]
symbol = "AAPL"
[[account]]
name = "MAKER"
order_size_max = 10_000
order_value_max = "5000000.00"
collar_percent = "10"
open_orders_max = 1_000
[[session]]
user = "maker1"
password = "quote"
account = "MAKER"
[fix]
listen = "127.0.0.1:0"
comp_id = "SPINDLE"
[[fix.session]]
comp_id = "MAKER"
version = "4.4"
username = "maker"
password = "quote"
account = "MAKER"
"#;

/// Turns after which an answer is given up.
const TURNS_MAX: u32 = 50_000_000;

/// The quantiles of one round, in nanoseconds.
#[derive(Clone, Copy)]
struct Round {
    p50: u64,
    p99: u64,
}

/// A protocol's two lanes.
struct Lanes {
    name: &'static str,
    bound: f64,
    script: Script,
    venue: Peer,
    echo_client: Peer,
    echo: Echo,
    rounds: Vec<[Round; 2]>,
}

impl Lanes {
    fn open(
        name: &'static str,
        bound: f64,
        wire: Wire,
        address: std::net::SocketAddr,
        gateway: &mut Gateway,
    ) -> io::Result<Self> {
        let mut script = Script::new(wire);
        let mut venue = Peer::connect(address, wire)?;
        venue.send(&script.logon())?;
        answered(&mut venue, || turn(gateway))?;
        // What the venue says by itself at the beginning of the day is no answer.
        for _ in 0..10_000 {
            turn(gateway)?;
            venue.poll()?;
        }
        let mut echo = Echo::bind()?;
        let echo_client = Peer::connect(echo.address()?, wire)?;
        echo.accept()?;
        Ok(Self { name, bound, script, venue, echo_client, echo, rounds: Vec::new() })
    }

    /// A round at both; which comes first changes with each round. The first, which is not counted, teaches the
    /// echo how long the answers are.
    fn round(
        &mut self,
        trips: usize,
        gateway: &mut Gateway,
        clock: &quanta::Clock,
    ) -> io::Result<()> {
        let pairs: Vec<_> = (0..trips).map(|_| self.script.pair()).collect();
        let Self { venue, echo_client, echo, rounds, .. } = self;
        let mut at_venue = || timed(venue, &pairs, clock, || turn(gateway));
        if rounds.len() % 2 == 0 {
            let (first, answers) = at_venue()?;
            echo.answer_with(&answers);
            let (second, _) = timed(echo_client, &pairs, clock, || echo.poll())?;
            rounds.push([second, first]);
        } else {
            let (first, _) = timed(echo_client, &pairs, clock, || echo.poll())?;
            let (second, answers) = at_venue()?;
            echo.answer_with(&answers);
            rounds.push([first, second]);
        }
        Ok(())
    }
}

fn turn(gateway: &mut Gateway) -> io::Result<()> {
    gateway.poll();
    Ok(())
}

fn answered(peer: &mut Peer, mut server: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..TURNS_MAX {
        server()?;
        if peer.poll()? {
            return Ok(());
        }
    }
    Err(io::Error::other("no answer"))
}

/// Times the first request of each pair; gives the last answers too.
fn timed(
    peer: &mut Peer,
    pairs: &[[Vec<u8>; 2]],
    clock: &quanta::Clock,
    mut server: impl FnMut() -> io::Result<()>,
) -> io::Result<(Round, [Vec<u8>; 2])> {
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds");
    let mut answers = [Vec::new(), Vec::new()];
    for [enter, cancel] in pairs {
        let begun = clock.raw();
        peer.send(enter)?;
        answered(peer, &mut server)?;
        times.saturating_record(clock.delta_as_nanos(begun, clock.raw()));
        answers[0].clear();
        answers[0].extend_from_slice(peer.answer());
        peer.send(cancel)?;
        answered(peer, &mut server)?;
        answers[1].clear();
        answers[1].extend_from_slice(peer.answer());
    }
    let round = Round { p50: times.value_at_quantile(0.5), p99: times.value_at_quantile(0.99) };
    Ok((round, answers))
}

/// Least, first quarter, median, third quarter, most.
fn spread(mut values: Vec<f64>) -> [f64; 5] {
    values.sort_by(f64::total_cmp);
    [0, 1, 2, 3, 4].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

#[allow(clippy::cast_precision_loss, reason = "times of a round trip are far below 2^52 ns")]
fn print(lanes: &Lanes) {
    let micros = |value: f64| format!("{:.2}", value / 1_000.0);
    for (quantile, pick) in
        [("p50", (|round| round.p50) as fn(&Round) -> u64), ("p99", |round| round.p99)]
    {
        let of = |lane: usize| {
            spread(lanes.rounds.iter().map(|round| pick(&round[lane]) as f64).collect()).map(micros)
        };
        let ratios =
            lanes.rounds.iter().map(|[echo, venue]| pick(venue) as f64 / pick(echo) as f64);
        let ratio = spread(ratios.collect());
        let [echo, venue] = [of(0), of(1)];
        println!(
            "{:<5} {quantile}  echo {:>6} us ({} to {})  venue {:>6} us ({} to {})  ratio {:.2} \
             ({:.2} to {:.2}; {:.2} to {:.2})  asked {:.2}",
            lanes.name,
            echo[2],
            echo[1],
            echo[3],
            venue[2],
            venue[1],
            venue[3],
            ratio[2],
            ratio[1],
            ratio[3],
            ratio[0],
            ratio[4],
            lanes.bound,
        );
    }
}

fn number(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != name).skip(1);
    args.next().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As a test this only shows that it runs.
    let is_test = std::env::args().any(|arg| arg == "--test");
    let (rounds, trips) =
        if is_test { (2, 20) } else { (number("--rounds", 21), number("--trips", 2_000)) };
    let config = Config::parse(VENUE, "round_trip.toml")?;
    let layout = Layout::fit(&config.threads);
    eprintln!("{}", layout.describe());
    let Venue { mut engine, mut gateway, address, fix_address, .. } = Venue::build(&config)?;
    let stop = Stop::default();
    let (ending, idle) = (stop.clone(), layout.engine.idle);
    let engine = spawn("engine", layout.engine, move || run(&mut [&mut engine], idle, &ending))?;
    let Place { core, .. } = layout.gateway;
    let measured = spawn("gateway", Place { core, idle }, move || -> io::Result<()> {
        let clock = quanta::Clock::new();
        let fix_address = fix_address.ok_or_else(|| io::Error::other("FIX is served"))?;
        let mut both = [
            Lanes::open("OUCH", 1.35, Wire::Soup, address, &mut gateway)?,
            Lanes::open("FIX", 1.6, Wire::Fix, fix_address, &mut gateway)?,
        ];
        for lanes in &mut both {
            lanes.round(trips, &mut gateway, &clock)?;
            lanes.rounds.clear();
            // Each protocol alone, so that neither waits for the other's sockets.
            for _ in 0..rounds {
                lanes.round(trips, &mut gateway, &clock)?;
            }
            print(lanes);
        }
        Ok(())
    })?;
    let result = measured.join().map_err(|_| "the measuring thread panicked")?;
    stop.stop();
    engine.join().map_err(|_| "the engine's thread panicked")?;
    Ok(result?)
}
