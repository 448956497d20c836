//! The program as a process of its own, with the example's configuration, and clients over TCP: log
//! in, trade, be refused, be cut off, come back; then SIGTERM, a summary and status 0.

mod process;

use std::net::SocketAddr;

use process::{Process, example};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{
    ClientEvent, Disconnect, FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient,
};
use spindle_gateway::fix::Version;
use spindle_gateway::ouch::outbound::Message;
use spindle_types::{Price, Quantity, Symbol};

/// A running venue.
struct Venue {
    process: Process,
    address: SocketAddr,
    fix: SocketAddr,
}

impl Venue {
    /// Starts the example's venue on a free port and waits until it says where it listens.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Process::venue(&example(folder.path(), ""));
        let address = process.address("ouch: listening on ");
        let fix = process.address("fix: listening on ");
        Self { process, address, fix }
    }

    fn connect(&self, user: &str, password: &str) -> OuchClient {
        let login = Login::new(user, password).expect("a login");
        OuchClient::connect(self.address, login).expect("a connection")
    }

    /// Ends the venue as an operator would, and gives what it said on both pipes.
    fn end(self) -> (String, String) {
        self.process.end()
    }
}

/// Polls until the last answer is of this kind, and gives the kinds of all that came.
fn until(client: &mut OuchClient, kind: char) -> String {
    let mut kinds = String::new();
    while !kinds.ends_with(kind) {
        client.poll(&mut |event| match event {
            ClientEvent::Message { message: Message::SystemEvent(..), .. }
            | ClientEvent::LoggedIn { .. } => {}
            ClientEvent::Message { message, .. } => {
                kinds.push(char::from(message.to_owned_bytes()[0]));
            }
            other => panic!("{other:?}"),
        });
    }
    kinds
}

fn limit(side: OrderSide, quantity: u32, symbol: &str, price: u32) -> NewOrder {
    let symbol: Symbol = symbol.parse().expect("a symbol");
    NewOrder::limit(side, Quantity(quantity), symbol, Price(price))
}

#[test]
fn two_clients_trade_and_the_venue_ends_cleanly() {
    let venue = Venue::start();
    let mut maker = venue.connect("maker1", "quote");
    let mut taker = venue.connect("TAKER1", "TAKE");
    maker.enter(&limit(OrderSide::Sell, 300, "AAPL", 1_500_000)).expect("sent");
    assert_eq!(until(&mut maker, 'A'), "A");
    taker.enter(&limit(OrderSide::Buy, 100, "AAPL", 1_500_000)).expect("sent");
    assert_eq!(until(&mut taker, 'E'), "AE");
    assert_eq!(until(&mut maker, 'E'), "E");

    taker.enter(&limit(OrderSide::Buy, 100, "NOSUCH", 1_500_000)).expect("sent");
    taker.enter(&limit(OrderSide::Buy, 1_001, "AAPL", 1_500_000)).expect("sent");
    taker.enter(&limit(OrderSide::Buy, 1, "AAPL", 1_600_000)).expect("sent");
    let mut kinds = String::new();
    while kinds.len() < 3 {
        kinds.push_str(&until(&mut taker, 'J'));
    }
    assert_eq!(kinds, "JJJ");

    let (out, log) = venue.end();
    assert!(out.contains("orders accepted                       2"), "{out}");
    assert!(out.contains("requests rejected                     3"), "{out}");
    assert!(out.contains("executions                            2"), "{out}");
    assert!(log.contains("TAKER1") || log.contains("taker1"), "{log}");
}

#[test]
fn what_was_missed_comes_after_a_reconnect() {
    let venue = Venue::start();
    let mut maker = venue.connect("maker1", "quote");
    maker.enter(&limit(OrderSide::Sell, 300, "MSFT", 4_000_000)).expect("sent");
    assert_eq!(until(&mut maker, 'A'), "A");
    maker.logout();

    let mut taker = venue.connect("taker1", "take");
    for _ in 0..3 {
        taker.enter(&limit(OrderSide::Buy, 50, "MSFT", 4_000_000)).expect("sent");
        assert_eq!(until(&mut taker, 'E'), "AE");
    }
    maker.reconnect();
    let mut kinds = String::new();
    while kinds.len() < 3 {
        kinds.push_str(&until(&mut maker, 'E'));
    }
    assert_eq!(kinds, "EEE", "each once, in order, and nothing of before");
    venue.end();
}

#[test]
fn a_wrong_password_is_refused_and_said() {
    let venue = Venue::start();
    let login = Login::new("maker1", "wrong").expect("a login");
    let refused = OuchClient::connect(venue.address, login).map(|_| ()).expect_err("a refusal");
    assert_eq!(refused.cause, Disconnect::Refused(b'A'));
    assert!(refused.to_string().contains("unknown user or wrong password"), "{refused}");
    let (_, log) = venue.end();
    let line = log.lines().find(|line| line.contains("MAKER1") || line.contains("maker1"));
    println!("{line:?}");
    assert!(line.is_some_and(|line| line.contains("refused")), "{log}");
}

#[test]
fn a_fix_client_trades_with_an_ouch_client() {
    let venue = Venue::start();
    let login = FixLogin::new(Version::Fix44, "MAKER", "SPINDLE").with("maker", "quote");
    let mut maker = FixClient::connect(venue.fix, login.clone()).expect("a connection");
    let wrong = FixClient::connect(venue.fix, login.with("maker", "wrong"));
    assert!(wrong.is_err(), "a wrong password is refused");
    let mut taker = venue.connect("taker1", "take");
    let (side, symbol) = (OrderSide::Sell, "NVDA".parse().expect("a symbol"));
    let order = FixOrder::limit(side, Quantity(300), symbol, Price(1_500_000));
    let id = maker.enter(&order).expect("sent");
    let mut reports = Vec::new();
    let until = |maker: &mut FixClient, reports: &mut Vec<(char, u32)>, count: usize| {
        while reports.len() < count {
            maker.poll(&mut |event| match event {
                FixEvent::Report(report) => {
                    assert!(report.id.is_some());
                    reports.push((char::from(report.exec_type), report.open.0));
                }
                other => panic!("{other:?}"),
            });
        }
    };
    until(&mut maker, &mut reports, 1);
    taker.enter(&limit(OrderSide::Buy, 100, "NVDA", 1_500_000)).expect("sent");
    until(&mut maker, &mut reports, 2);
    maker.cancel(id, side, symbol).expect("sent");
    until(&mut maker, &mut reports, 3);
    assert_eq!(reports, [('0', 300), ('F', 200), ('4', 0)]);
    let (_, log) = venue.end();
    assert!(
        log.contains("MAKER logged in") && log.contains("unknown CompIDs or wrong credentials")
    );
    assert!(!log.contains("quote"), "a password is never told");
}
