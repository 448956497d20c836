//! `spindle bench wire`: open-loop load over sockets, beside its floor.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use spindle_lab::load::Bounds;
use spindle_lab::runs::Runs;
use spindle_lab::schedule::Arrivals;
use spindle_lab::wire::{OPEN_MAX, Weights};
use spindle_types::{Price, Symbol};

use super::output::Output;
use super::{arrivals, progress};
use crate::exit::Exit;
use crate::lab::{self, LabError, Measured, Protocol, Remote, Sweep, WireOptions};

/// Orders that each session keeps open at most at a venue whose limits are not known here.
const OPEN_MAX_ELSEWHERE: usize = 32;

/// Orders over sockets on a schedule, each timed from when it was due, beside a bare echo over the same
/// sockets and threads.
#[derive(Args)]
pub(super) struct Wire {
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 50_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Measured seconds over all rounds, of the venue and as long again of the floor
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// Rounds, of which each figure is the median
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rounds: u64,
    /// Warm-up before each round, in no figure
    #[arg(long, value_name = "MS", default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(0..=10_000))]
    warm_up: u64,
    /// How requests are spread: constant, poisson, bursts or bursts:SIZE, or a recording whose arrival
    /// times are taken
    #[arg(long, value_name = "KIND|FILE", default_value = "constant")]
    arrivals: String,
    /// Sessions, each with an account of its own
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=32))]
    sessions: u16,
    /// What they speak
    #[arg(long, value_enum, default_value = "ouch")]
    protocol: ProtocolName,
    /// What they send: weights of new orders, cancels, replaces and orders that trade
    #[arg(long, value_name = "WEIGHTS", default_value_t = Weights::default())]
    mix: Weights,
    /// Orders that each session keeps open at most; without it 256, or 32 at a venue that runs already
    #[arg(long, value_name = "N", conflicts_with = "tick_to_trade",
        value_parser = clap::value_parser!(u16).range(1..=10_000))]
    open: Option<u16>,
    /// Measure at these rates as well, or without any until the knee is found
    #[arg(long, value_name = "RATES", num_args = 0.., value_delimiter = ',')]
    sweep: Option<Vec<u64>>,
    /// From tick to trade: each request is a market message over UDP, to which a strategy reacts with an order over
    /// OUCH; time counts from the message to the order's answer
    #[arg(long, conflicts_with_all = ["to", "mix", "sessions", "protocol"])]
    tick_to_trade: bool,
    /// A venue that runs already; without it one is started
    #[arg(long, value_name = "HOST:PORT", requires = "login", requires = "symbol")]
    to: Option<String>,
    /// USER:PASSWORD at that venue, once for each session; over FIX SENDERCOMPID:TARGETCOMPID
    #[arg(long, value_name = "USER:PASSWORD", requires = "to")]
    login: Vec<String>,
    /// What is traded there
    #[arg(long, value_name = "SYMBOL", requires = "to")]
    symbol: Vec<String>,
    /// The middle of the prices there, in dollars
    #[arg(long, value_name = "PRICE", default_value = "100", requires = "to")]
    price: rust_decimal::Decimal,
    /// A Unix socket at which the venue that is started can be looked at meanwhile: `spindle top --control PATH`
    #[arg(long, value_name = "PATH", conflicts_with = "to")]
    control: Option<PathBuf>,
    /// Pairs of further rounds with `spindle top` following the venue and without: what that costs
    #[arg(long, value_name = "PAIRS", default_value_t = 0, conflicts_with = "to",
        value_parser = clap::value_parser!(u64).range(0..=1_000))]
    with_top: u64,
    /// Whole runs, one after the other, and how far their medians lie apart; files of a run are named with its number
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    runs: u16,
    /// What random numbers are made from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The engine's core
    #[arg(long, value_name = "CORE")]
    engine_core: Option<usize>,
    /// The gateway's core; on two cores the load's as well
    #[arg(long, value_name = "CORE")]
    gateway_core: Option<usize>,
    /// A request sent later than this after it was due was late; more than one in a hundred void the run
    #[arg(long, value_name = "US", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    late: u64,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProtocolName {
    Ouch,
    Fix,
}

impl Wire {
    pub(super) fn run(self) -> Result<(), Exit> {
        let options = self.options()?;
        if self.runs > 1 {
            return self.run_in_a_row(&options);
        }
        self.output.check()?;
        self.output.tell(&told("", |progress| lab::run(&options, progress))?)
    }

    fn run_in_a_row(&self, options: &WireOptions) -> Result<(), Exit> {
        let outputs: Vec<_> = (1..=self.runs).map(|run| self.output.of_run(run)).collect();
        outputs.iter().try_for_each(Output::check)?;
        let mut records = Vec::new();
        for (run, output) in (1..).zip(&outputs) {
            let of = format!("run {run} of {}, ", self.runs);
            let measured = told(&of, |progress| lab::run(options, progress))?;
            output.write(&measured)?;
            records.push(measured.record);
        }
        let runs = Runs::of(&records);
        match self.output.json {
            true => println!("{}", serde_json::to_string_pretty(&runs).map_err(Exit::failed)?),
            false => print!("{}", runs.table()),
        }
        match runs.void.as_slice() {
            [] => Ok(()),
            void => Err(Exit::failed(format!("{} of {} runs are void", void.len(), runs.runs))),
        }
    }

    fn options(&self) -> Result<WireOptions, Exit> {
        if !(0.001..=86_400.0).contains(&self.seconds) {
            return Err(Exit::usage(format!("--seconds {}: give 0.001 to 86400", self.seconds)));
        }
        let arrivals: Arrivals = arrivals::parse(&self.arrivals)?;
        let protocol = match self.protocol {
            ProtocolName::Ouch => Protocol::Ouch,
            ProtocolName::Fix => Protocol::Fix,
        };
        let to = self.remote()?;
        let sessions = match &to {
            None if self.tick_to_trade => 1,
            None => self.sessions,
            Some(remote) => u16::try_from(remote.logins.len()).unwrap_or(u16::MAX),
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let milliseconds = (self.seconds * 1_000.0).round() as u64;
        let sweep = self.sweep.as_ref().map(|rates| match rates.as_slice() {
            [] => Sweep::UntilTheKnee,
            rates => Sweep::Rates(rates.to_vec()),
        });
        Ok(WireOptions {
            rate: self.rate,
            milliseconds,
            rounds: self.rounds,
            warm_up_ms: self.warm_up,
            arrivals,
            sessions,
            protocol,
            mix: self.mix,
            open_max: match (self.open, &to) {
                (Some(open), _) => open.into(),
                (None, Some(_)) => OPEN_MAX_ELSEWHERE,
                (None, None) => OPEN_MAX,
            },
            seed: self.seed,
            to,
            sweep,
            engine_core: self.engine_core,
            gateway_core: self.gateway_core,
            bounds: Bounds { late_ns: self.late * 1_000, ..Bounds::default() },
            stamps: true,
            tick_to_trade: self.tick_to_trade,
            control: self.control.clone(),
            followed: self.with_top,
            command: command_line(),
        })
    }

    fn remote(&self) -> Result<Option<Remote>, Exit> {
        let Some(text) = &self.to else { return Ok(None) };
        let address = resolve(text)?;
        let pair = |login: &String| {
            let wrong = || Exit::usage(format!("--login {login}: give USER:PASSWORD"));
            login.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).ok_or_else(wrong)
        };
        let symbol = |text: &String| {
            text.parse::<Symbol>().map_err(|error| Exit::usage(format!("--symbol {text}: {error}")))
        };
        let middle = price(self.price).ok_or_else(|| {
            Exit::usage(format!("--price {}: give one from 2 to 100000", self.price))
        })?;
        Ok(Some(Remote {
            address,
            logins: self.login.iter().map(pair).collect::<Result<_, _>>()?,
            symbols: self.symbol.iter().map(symbol).collect::<Result<_, _>>()?,
            middle,
        }))
    }
}

/// Measures, and says on a terminal what is being done, with `before` in front of it.
pub(super) fn told(
    before: &str,
    measure: impl FnOnce(lab::Progress<'_>) -> Result<Measured, LabError>,
) -> Result<Measured, Exit> {
    let bar = progress();
    let line = bar.clone();
    let measured = measure(&mut |step| {
        line.set_message(format!("{before}{step}"));
        line.tick();
    });
    bar.finish_and_clear();
    measured.map_err(refused)
}

/// A price far enough from both ends for the mix around it.
fn price(price: rust_decimal::Decimal) -> Option<Price> {
    use rust_decimal::prelude::ToPrimitive;
    let units = price.checked_mul(10_000.into())?.to_u32()?;
    (20_000..=1_000_000_000).contains(&units).then_some(Price(units / 100 * 100))
}

fn resolve(text: &str) -> Result<SocketAddr, Exit> {
    let wrong = |why: String| {
        Exit::usage(format!("--to {text}: {why}; give HOST:PORT such as 127.0.0.1:8401"))
    };
    let mut addresses = text.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    addresses.next().ok_or_else(|| wrong("it has no address".to_owned()))
}

/// What cannot be measured here is wrong usage; everything else a failure.
fn refused(error: LabError) -> Exit {
    match error {
        LabError::Echo(_) | LabError::Thread(_) | LabError::Part { .. } => Exit::failed(error),
        _ => Exit::usage(error),
    }
}

/// The command line, without where the program lies and without passwords.
pub(super) fn command_line() -> String {
    let mut words = vec!["spindle".to_owned()];
    let mut is_login = false;
    for word in std::env::args().skip(1) {
        let shown = match word.split_once("--login=") {
            _ if is_login => "USER:PASSWORD".to_owned(),
            Some(("", _)) => "--login=USER:PASSWORD".to_owned(),
            _ => word.clone(),
        };
        is_login = word == "--login";
        words.push(shown);
    }
    words.join(" ")
}
