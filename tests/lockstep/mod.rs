//! What the tests of lockstep share: a run in this process over real sockets, strategies with a thread
//! each, and a journal of all that each saw.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::thread;

use spindle::accounting::RunRecord;
use spindle::config::Config;
use spindle::lockstep::{Tape, build};
use spindle_engine::Engine;
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{LockstepClient, Login, NewOrder, Step, TapeBook};
use spindle_gateway::lockstep::{LockstepError, Outcome, Wait};
use spindle_gateway::ouch::outbound::Message;
use spindle_replay::recording::Recording;
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

/// Runs a recording with a strategy for each user, in this process, over real sockets.
pub fn run(config: &str, recording: Recording, strategies: Vec<(&str, &str, Trade)>) -> Ran {
    let config = Config::parse(config, "test.toml").expect("a configuration");
    let ready = build(&config, "test.toml", Tape::new(recording)).expect("a run");
    let mut run = ready.run;
    let (ouch, tape) = run.addresses().expect("addresses");
    let threads: Vec<_> = strategies
        .into_iter()
        .map(|(user, password, trade)| {
            let login = Login::new(user, password).expect("a login");
            thread::spawn(move || trade(connect(ouch, tape, login)))
        })
        .collect();
    let error = run.run(&AtomicBool::new(false)).err();
    let (engine, books, _, outcome) = run.into_parts();
    let record = books.last_record(&engine);
    let journals = threads.into_iter().map(|thread| thread.join().expect("a journal")).collect();
    Ran { outcome, record, engine, journals, error }
}

pub fn connect(ouch: SocketAddr, tape: SocketAddr, login: Login) -> LockstepClient {
    LockstepClient::connect(ouch, Some(tape), login).expect("a connection")
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
        loop {
            let step = match client.next_step() {
                Ok(Some(step)) => step,
                Ok(None) => return journal,
                Err(error) => {
                    journal.push(error.to_string());
                    return journal;
                }
            };
            journal.push(line(&step));
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
    })
}

/// Takes 100 shares of either side in turn, every so many nanoseconds.
pub fn taker(symbol: Symbol, every: u64) -> Trade {
    Box::new(move |mut client| {
        let (mut book, mut journal) = (TapeBook::new(symbol), Journal::new());
        let (mut next, mut sells) = (0, false);
        client.wait(&Wait::MESSAGE).expect("a wait");
        loop {
            let step = match client.next_step() {
                Ok(Some(step)) => step,
                Ok(None) => return journal,
                Err(error) => {
                    journal.push(error.to_string());
                    return journal;
                }
            };
            journal.push(line(&step));
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
    })
}
