//! A passive strategy in a real day: its fills are those that a script finds in the files alone, which
//! shares no code with this program.

mod lockstep;

use std::path::Path;
use std::process::Command;

use lockstep::{CONFIG, Journal, Trade, goog, goog_tape, run};
use spindle_engine::command::OrderSide;
use spindle_feed::itch;
use spindle_gateway::client::{LockstepClient, NewOrder, Step, TapeBook};
use spindle_gateway::lockstep::{Turn, Wait};
use spindle_gateway::ouch::outbound::Message;
use spindle_types::{EventTime, OrderToken, Price, Quantity, Symbol};

/// The strategy of docs/lockstep.md.
struct Passive {
    symbol: Symbol,
    book: TapeBook,
    order: Option<(OrderToken, Price)>,
    /// The last event of the tape, as the script names it.
    event: String,
    fills: Journal,
}

impl Passive {
    fn act(&mut self, client: &mut LockstepClient, turn: Turn) {
        let second = EventTime::SECOND;
        if turn.time.0.is_multiple_of(second)
            && let Some((bid, _)) = self.book.bid()
            && self.order.is_none_or(|(_, price)| price != bid)
        {
            if let Some((number, _)) = self.order {
                client.cancel(number).expect("sent");
            }
            let order = NewOrder::limit(OrderSide::Buy, Quantity(100), self.symbol, bid);
            self.order = Some((client.enter(&order).expect("sent"), bid));
        }
        let next = (turn.time.0 / second + 1) * second;
        client.wait(&Wait::until(EventTime(next))).expect("a wait");
    }

    fn told(&mut self, message: &Message<'_>) {
        match message {
            Message::Executed(executed, _) => {
                let (time, price) = (executed.timestamp.get(), executed.price.get());
                let (shares, event) = (executed.quantity.get(), &self.event);
                assert_eq!(executed.liquidity, b'A', "the strategy never takes");
                self.fills.push(format!("{time},{price},{shares},{event}"));
            }
            Message::Canceled(..) | Message::Accepted(..) | Message::SystemEvent(..) => {}
            other => panic!("{other:?}"),
        }
    }

    fn see(&mut self, message: &[u8]) {
        self.book.apply(message);
        // In a tape made of these files, the number of a match is that of the row.
        self.event = match itch::Message::decode(message) {
            Ok(itch::Message::AddOrder(add)) => format!("order {}", add.reference.get()),
            Ok(itch::Message::OrderExecuted(m)) => format!("row {}", m.match_number.get()),
            Ok(itch::Message::Trade(m)) => format!("row {}", m.match_number.get()),
            _ => String::new(),
        };
    }
}

fn passive(symbol: Symbol) -> Trade {
    Box::new(move |mut client| {
        let (book, fills) = (TapeBook::new(symbol), Journal::new());
        let mut strategy = Passive { symbol, book, order: None, event: String::new(), fills };
        // Open shares of the order, to know when it is gone.
        let mut open = 0;
        client.wait(&Wait::until(EventTime::at(9, 30, 1))).expect("a wait");
        while let Some(step) = client.next_step().expect("a step") {
            match step {
                Step::Tape { message, .. } => strategy.see(message),
                Step::Own { message, .. } => {
                    strategy.told(&message);
                    match message {
                        Message::Accepted(accepted, _) => open = accepted.quantity.get(),
                        Message::Executed(executed, _) => open -= executed.quantity.get(),
                        _ => {}
                    }
                    if open == 0 {
                        strategy.order = None;
                    }
                }
                Step::Turn(turn) => strategy.act(&mut client, turn),
            }
        }
        strategy.fills
    })
}

#[test]
fn its_fills_are_those_that_a_script_finds() {
    let Some(files) = goog() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goog_passive.py");
    let counted = match Command::new("python3").arg(script).args(&files).output() {
        Ok(output) => output,
        Err(error) => return println!("skipped: python3 does not run: {error}"),
    };
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    let counted = String::from_utf8(counted.stdout).expect("text");
    let counted: Vec<&str> = counted.lines().collect();
    let symbol = "GOOG".parse().expect("a symbol");
    let ran = run(CONFIG, goog_tape(&files, None), vec![("alice", "a", passive(symbol))]);
    assert!(ran.error.is_none(), "{:?}", ran.error);
    let fills = &ran.journals[0];
    println!("{} fills; {:?}; {:?}", fills.len(), ran.outcome, ran.engine.divergence());
    let differ = counted.iter().zip(fills).position(|(counted, filled)| counted != filled);
    if let Some(at) = differ {
        panic!("fill {at}: the script counts {}, the venue gives {}", counted[at], fills[at]);
    }
    assert_eq!(counted.len(), fills.len());
    assert!(fills.len() > 1_000, "{}", fills.len());
    let line = &ran.record.accounts.accounts[0];
    assert_eq!((line.fills, line.taker, line.sold), (fills.len() as u64, 0, 0));
}
