//! What the tests of lockstep share: a run in this process over real sockets, strategies with a thread
//! each, and a journal of all that each saw.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use spindle::accounting::RunRecord;
use spindle::config::Config;
use spindle::lockstep::{Tape, build};
use spindle_engine::Engine;
use spindle_engine::command::OrderSide;
use spindle_feed::itch;
use spindle_gateway::client::{LockstepClient, Login, NewOrder, Step, TapeBook};
use spindle_gateway::lockstep::{LockstepError, Outcome, Wait};
use spindle_gateway::ouch::outbound::Message;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_replay::recording::OpenOptions;
use spindle_types::{EventTime, OrderToken, Price, Quantity, Symbol};

/// A venue for two strategies on free ports; more may be put behind it.
pub const CONFIG: &str = r#"
[venue]
name = "LOCKSTEP"
[engine]
orders_max = 100_000
levels_max = 100_000
own_orders_max = 4_096
instruments_max = 256
[gateway]
ouch_listen = "127.0.0.1:0"
[lockstep]
tape_listen = "127.0.0.1:0"
deadline_ms = 60_000
[latency]
seed = 7
[[account]]
name = "ALICE"
order_size_max = 100_000
order_value_max = "100000000.00"
collar_percent = "50"
open_orders_max = 1_000
fees = { maker = "-0.0020", taker = "0.0030" }
[[account]]
name = "BOB"
order_size_max = 100_000
order_value_max = "100000000.00"
collar_percent = "50"
open_orders_max = 1_000
fees = { maker = "-0.0020", taker = "0.0030" }
[[session]]
user = "alice"
password = "a"
account = "ALICE"
"#;

pub const BOB: &str = r#"
[[session]]
user = "bob"
password = "b"
account = "BOB"
"#;

/// All that a strategy saw, as text: one line a step.
pub type Journal = Vec<String>;

/// A strategy: trades over a client and writes down what it sees.
pub type Trade = Box<dyn FnOnce(LockstepClient) -> Journal + Send>;

/// What a run came to.
pub struct Ran {
    pub outcome: Outcome,
    pub record: RunRecord,
    pub engine: Engine,
    pub journals: Vec<Journal>,
    pub error: Option<LockstepError>,
}

/// Ends the run when a strategy panics, so that a test fails and does not wait.
struct StopOnPanic(Arc<AtomicBool>);

impl Drop for StopOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// A strategy that connects by itself, to order entry and the tape.
pub type Raw = Box<dyn FnOnce(SocketAddr, SocketAddr) -> Journal + Send>;

/// Runs a recording with a strategy for each user, in this process, over real sockets.
pub fn run(config: &str, tape: Tape, strategies: Vec<(&str, &str, Trade)>) -> Ran {
    let with_login = |(user, password, trade): (&str, &str, Trade)| {
        let login = Login::new(user, password).expect("a login");
        Box::new(move |ouch, tape| trade(connect(ouch, tape, login))) as Raw
    };
    run_raw(config, tape, strategies.into_iter().map(with_login).collect())
}

/// Runs a recording with strategies that connect by themselves.
pub fn run_raw(config: &str, tape: Tape, strategies: Vec<Raw>) -> Ran {
    let config = Config::parse(config, "test.toml").expect("a configuration");
    let ready = build(&config, "test.toml", tape).expect("a run");
    let mut run = ready.run;
    let (ouch, tape) = run.addresses().expect("addresses");
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = strategies
        .into_iter()
        .map(|strategy| {
            let stop = StopOnPanic(Arc::clone(&stop));
            thread::spawn(move || {
                let _stop = stop;
                strategy(ouch, tape)
            })
        })
        .collect();
    let error = run.run(&stop).err();
    let (engine, books, _, outcome) = run.into_parts();
    let record = books.last_record(&engine);
    let journals = threads.into_iter().map(|thread| thread.join().expect("a journal")).collect();
    Ran { outcome, record, engine, journals, error }
}

/// A generated day's first instrument.
pub fn first_symbol(config: GenerateConfig) -> Symbol {
    let mut day = Generator::new(config);
    loop {
        let bytes = day.next_message().expect("a directory");
        if let Ok(itch::Message::StockDirectory(directory)) = itch::Message::decode(bytes) {
            return Symbol(directory.stock);
        }
    }
}

/// The two files of a real day, if they are there.
pub fn goog() -> Option<[PathBuf; 2]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/lobster");
    let file = |name| folder.join(format!("GOOG_2012-06-21_34200000_57600000_{name}_10.csv.gz"));
    let files = ["message", "orderbook"].map(file);
    match files.iter().find(|file| !file.exists()) {
        None => Some(files),
        Some(missing) => {
            println!("skipped: {} is not there", missing.display());
            None
        }
    }
}

/// That day as a tape, up to a time.
pub fn goog_tape(files: &[PathBuf; 2], until: Option<EventTime>) -> Tape {
    let options = OpenOptions::default();
    Tape::open(&files[0], Some(&files[1]), &options, until).expect("a recording")
}

pub fn connect(ouch: SocketAddr, tape: SocketAddr, login: Login) -> LockstepClient {
    LockstepClient::connect(ouch, Some(tape), login).expect("a connection")
}

/// The next step, which the journal has by then; `None` at the end, which an error is too.
fn told<'a>(client: &'a mut LockstepClient, journal: &mut Journal) -> Option<Step<'a>> {
    match client.next_step() {
        Ok(step) => step.inspect(|step| journal.push(line(step))),
        Err(error) => {
            journal.push(error.to_string());
            None
        }
    }
}

/// A step as a line of a journal.
pub fn line(step: &Step<'_>) -> String {
    match step {
        Step::Tape { number, message } => format!("tape {number} {}", hex(message)),
        Step::Own { bytes, .. } => format!("own {}", hex(bytes)),
        Step::Turn(turn) => format!("turn {} {}", turn.time.0, turn.messages),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Quotes both sides at the best prices whenever a message of its instrument has moved them, until an
/// order is refused, as all are after the close.
pub fn quoter(symbol: Symbol) -> Trade {
    Box::new(move |mut client| {
        let (mut book, mut journal) = (TapeBook::new(symbol), Journal::new());
        let mut quotes: [Option<(OrderToken, Price)>; 2] = [None; 2];
        let (wait, mut refused) = (Wait::message_of(&[symbol]), false);
        client.wait(&wait).expect("a wait");
        while let Some(step) = told(&mut client, &mut journal) {
            match step {
                Step::Tape { message, .. } => book.apply(message),
                Step::Own { message, .. } => {
                    let gone = match message {
                        Message::Executed(m, _) => Some(m.user_ref_num.get()),
                        Message::Canceled(m, _) => Some(m.user_ref_num.get()),
                        Message::Rejected(m, _) => Some(m.user_ref_num.get()),
                        _ => None,
                    };
                    refused |= matches!(message, Message::Rejected(..));
                    for quote in &mut quotes {
                        quote.take_if(|(number, _)| Some(number.0) == gone);
                    }
                }
                Step::Turn(_) => {
                    let best = [book.bid(), book.ask()];
                    for (at, side) in [OrderSide::Buy, OrderSide::Sell].into_iter().enumerate() {
                        let Some((price, _)) = best[at].filter(|_| !refused) else { continue };
                        match quotes[at] {
                            Some((_, standing)) if standing == price => continue,
                            Some((number, _)) => client.cancel(number).expect("sent"),
                            None => {}
                        }
                        let order = NewOrder::limit(side, Quantity(100), symbol, price);
                        quotes[at] = Some((client.enter(&order).expect("sent"), price));
                    }
                    client.wait(&wait).expect("a wait");
                }
            }
        }
        journal
    })
}

/// Takes 100 shares of either side in turn, every so many nanoseconds.
pub fn taker(symbol: Symbol, every: u64) -> Trade {
    Box::new(move |mut client| {
        let (mut book, mut journal) = (TapeBook::new(symbol), Journal::new());
        let (mut next, mut sells) = (0, false);
        client.wait(&Wait::MESSAGE).expect("a wait");
        while let Some(step) = told(&mut client, &mut journal) {
            match step {
                Step::Tape { message, .. } => book.apply(message),
                Step::Own { .. } => {}
                Step::Turn(turn) => {
                    if turn.time.0 >= next {
                        next = turn.time.0 + every;
                        let (side, best) = match sells {
                            true => (OrderSide::Sell, book.bid()),
                            false => (OrderSide::Buy, book.ask()),
                        };
                        if let Some((price, _)) = best {
                            let order = NewOrder::limit(side, Quantity(100), symbol, price);
                            client.enter(&order.immediate_or_cancel()).expect("sent");
                            sells = !sells;
                        }
                    }
                    client.wait(&Wait::until(EventTime(next))).expect("a wait");
                }
            }
        }
        journal
    })
}

/// The program as a process of its own, killed when a test gives it up.
pub struct Process {
    process: Child,
    log: BufReader<ChildStderr>,
    pub ouch: SocketAddr,
    pub tape: SocketAddr,
}

impl Process {
    /// Starts a run in lockstep and waits until it says where it listens; its log where it ends before.
    #[allow(clippy::zombie_processes, reason = "whoever takes it waits for it, or kills it")]
    pub fn start(program: &Path, arguments: &[&OsStr]) -> Result<Self, (Option<i32>, String)> {
        let mut process = Command::new(program)
            .arg("run")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe"));
        let (mut ouch, mut said) = (None, String::new());
        loop {
            let mut line = String::new();
            if log.read_line(&mut line).expect("a line") == 0 {
                return Err((process.wait().expect("an end").code(), said));
            }
            if let Some(address) = line.trim().strip_prefix("ouch: listening on ") {
                ouch = Some(address.parse().expect("an address"));
            } else if let Some(address) = line.trim().strip_prefix("tape: listening on ") {
                let (ouch, tape) = (ouch.expect("said before"), address.parse().expect("one"));
                return Ok(Self { process, log, ouch, tape });
            }
            said.push_str(&line);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let killed =
            Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    /// Waits for its end: exit status, standard output, and the rest of its log.
    pub fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut log) = (String::new(), String::new());
        self.process.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
        self.log.read_to_string(&mut log).expect("text");
        (self.process.wait().expect("an end").code(), out, log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}
