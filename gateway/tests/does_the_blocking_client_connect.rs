//! The client as a newcomer uses it: a blocking connect, then an order. The gateway runs on a
//! thread of its own.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{World, config, text};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{Disconnect, Login, NewOrder, OuchClient};
use spindle_types::{Price, Quantity};

#[test]
fn connect_enter_and_be_answered() {
    let mut world = World::new(&config());
    let address = world.address;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let venue = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            world.turn();
            std::thread::yield_now();
        }
    });
    let refused = OuchClient::connect(address, Login::new("alice", "wrong").expect("a login"));
    let cause = refused.err().map(|error| error.cause);
    assert_eq!(cause, Some(Disconnect::Refused(b'A')));

    let login = Login::new("alice", "PASS").expect("a login");
    let mut client = OuchClient::connect(address, login).expect("the gateway runs");
    let symbol = "FILL".parse().expect("a symbol");
    let order = NewOrder::limit(OrderSide::Buy, Quantity(100), symbol, Price(10_000));
    client.enter(&order).expect("logged in");
    let mut told = Vec::new();
    while told.len() < 3 && client.is_connected() {
        client.poll(&mut |event| told.push(text(&event)));
    }
    assert_eq!(told, ["1 day S", "2 accepted 1 L", "3 executed 1 100"]);
    stop.store(true, Ordering::Relaxed);
    venue.join().expect("the venue's thread ends");
}
