//! A venue that publishes its books, as a process; strategies that trade; and `spindle book` on the feed, which comes when
//! most has happened: it asks for what was before it, follows the rest, and ends with the venue's books.

mod process;

use std::io::Read;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use process::{Process, example};
use spindle_gateway::client::{Login, Order, OrderEvent, TradingClient};
use spindle_types::{Price, Quantity, Symbol};

/// A process that is ended when a test gives it up.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn spindle(arguments: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("the program runs"))
}

/// Whether somebody on this machine receives datagrams at this port.
fn is_bound(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux has it");
    let wanted = format!(":{port:04X}");
    let locals = table.lines().filter_map(|line| line.split_whitespace().nth(1));
    locals.into_iter().any(|local| local.ends_with(&wanted))
}

/// The next event, which comes soon.
fn next(client: &mut TradingClient) -> OrderEvent {
    client.events_for(Duration::from_secs(20)).next().expect("an answer")
}

#[test]
fn what_was_before_it_and_what_comes_make_the_same_books() {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let feed = free.local_addr().expect("an address");
    drop(free);
    let publish = format!("[publish]\nto = [\"{feed}\"]\nrequests = \"127.0.0.1:0\"\n");
    let folder = tempfile::tempdir().expect("a folder");
    let mut venue = Process::venue(&example(folder.path(), &publish));
    let ouch = venue.address("ouch: listening on ");
    let requests = venue.after("; requests at ");

    let aapl: Symbol = "AAPL".parse().expect("a symbol");
    let msft: Symbol = "MSFT".parse().expect("a symbol");
    let login = Login::new("maker1", "quote").expect("a login");
    let mut maker = TradingClient::connect_ouch(ouch, login).expect("a connection");
    let mut ids = Vec::new();
    for at in 0..20 {
        let order = Order::sell(100 + at, aapl, Price(1_500_000 + 100 * at));
        ids.push(maker.enter(&order).expect("sent"));
        assert!(matches!(next(&mut maker), OrderEvent::Accepted { .. }));
    }
    maker.enter(&Order::buy(70, msft, Price(900_000))).expect("sent");
    assert!(matches!(next(&mut maker), OrderEvent::Accepted { .. }));

    let tops = folder.path().join("tops.csv");
    let source = format!("udp://{feed}");
    let to = tops.to_str().expect("a path");
    let book = ["book", &source, "--request", &requests, "--tops", to, "--json"];
    let mut book = spindle(&book);
    let end = Instant::now() + Duration::from_secs(30);
    while !is_bound(feed.port()) {
        assert!(Instant::now() < end, "nobody follows the feed");
        std::thread::yield_now();
    }

    // The best goes, the second is taken in part, another is moved in front of it.
    maker.cancel(ids[0]).expect("sent");
    assert!(matches!(next(&mut maker), OrderEvent::Canceled { .. }));
    maker.replace(ids[5], Quantity(40), Price(1_500_050)).expect("sent");
    assert!(matches!(next(&mut maker), OrderEvent::Replaced { .. }));
    let login = Login::new("taker1", "take").expect("a login");
    let mut taker = TradingClient::connect_ouch(ouch, login).expect("a connection");
    taker.enter(&Order::buy(60, aapl, Price(1_500_100))).expect("sent");
    assert!(matches!(next(&mut taker), OrderEvent::Accepted { .. }));
    assert!(matches!(next(&mut taker), OrderEvent::Executed { quantity: 40, .. }));
    assert!(matches!(next(&mut taker), OrderEvent::Executed { quantity: 20, .. }));
    (maker, taker) = {
        maker.logout();
        taker.logout();
        (maker, taker)
    };
    assert_eq!((maker.is_live(), taker.is_live()), (false, false));

    venue.signal("TERM");
    let mut said = String::new();
    book.0.stdout.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert!(book.0.wait().expect("an end").success(), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    for none in ["unknown_references", "duplicate_references", "undecodable_messages"] {
        assert_eq!(report[none], 0, "{said}");
    }
    let rest = venue.rest_of_log();
    assert!(rest.contains("requests answered"), "{rest}");
    let tops = std::fs::read_to_string(tops).expect("a file");
    let rows: Vec<_> = tops.lines().skip(1).collect();
    // 101 shares at 150.01, of which 20 were taken; nothing was done about the rest.
    assert_eq!(rows, ["1,AAPL,,,150.0100,81", "2,MSFT,90.0000,70,,", "3,NVDA,,,,"]);
}
