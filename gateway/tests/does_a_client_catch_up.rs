//! A client that comes to a session with a past: what was told to earlier connections is history to it, as long as
//! that may be, and its requests are new. The gateway runs on a thread of its own.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use common::{StandIn, user};
use rtrb::RingBuffer;
use spindle_gateway::client::{
    ClientEvent, FixLogin, Login, NewOrder, Order, OrderEvent, OrderId, OuchClient, TradingClient,
};
use spindle_gateway::fix::{FixConfig, FixUser, Version};
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::{Gateway, GatewayConfig, SystemClock};
use spindle_types::{AccountId, Agent, OrderToken, Price, Quantity, SessionId, Symbol};

struct Venue {
    ouch: SocketAddr,
    fix: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Venue {
    fn start() -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let mut fix = FixConfig::new(listen, "SPIN");
        fix.sessions = vec![FixUser::new(Version::Fix44, "FIONA", SessionId(3), AccountId(3))];
        let users = vec![user("ALICE", 1)];
        let config = GatewayConfig { users, fix: Some(fix), ..GatewayConfig::new(listen, "DAY01") };
        let (commands, engine_commands) = RingBuffer::new(1_024);
        let (engine_events, events) = RingBuffer::new(65_536);
        let mut gateway =
            Gateway::bind(&config, SystemClock::new(), commands, events).expect("a free port");
        let mut engine = StandIn::new(engine_commands, engine_events);
        let (ouch, fix) = (gateway.local_address(), gateway.fix_address().expect("FIX"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if gateway.poll() + engine.poll() == 0 {
                    std::thread::yield_now();
                }
            }
        });
        Self { ouch, fix, stop, thread: Some(thread) }
    }

    fn ouch(&self) -> TradingClient {
        TradingClient::connect_ouch(self.ouch, login()).expect("the gateway runs")
    }

    fn fix(&self) -> TradingClient {
        let login = FixLogin::new(Version::Fix44, "FIONA", "SPIN");
        TradingClient::connect_fix(self.fix, login).expect("the gateway runs")
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("it runs").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the venue's thread panicked");
    }
}

fn login() -> Login {
    Login::new("alice", "PASS").expect("a login")
}

fn resting() -> Order {
    Order::buy(100, "REST".parse().expect("a symbol"), Price(10_000))
}

/// Polls until this many answers of these types have come.
fn answers(client: &mut OuchClient, types: &[u8], count: usize) {
    let mut seen = 0;
    while seen < count {
        assert!(client.is_connected());
        client.poll(&mut |event| {
            if let ClientEvent::Message { message, .. } = event {
                seen += usize::from(types.contains(&message.to_owned_bytes()[0]));
            }
        });
        std::thread::yield_now();
    }
}

/// Orders that an earlier connection has entered: far more than one read takes.
const EARLIER: u32 = 9_000;

#[test]
fn answers_to_the_queries_of_earlier_connections_are_not_taken_for_the_own() {
    let venue = Venue::start();
    let mut earlier = OuchClient::connect(venue.ouch, login()).expect("the gateway runs");
    let order = NewOrder::market(resting().side, Quantity(100), Symbol(*b"REST    "));
    let order = NewOrder { limit: resting().limit, ..order };
    // A query first, as every client asks, and another after each block of orders.
    earlier.query().expect("logged in");
    answers(&mut earlier, b"Q", 1);
    for block in 0..EARLIER / 300 {
        for number in 1..=300 {
            let number = OrderToken(block * 300 + number);
            earlier.enter_as(number, &order).expect("logged in");
            if number.0 != EARLIER {
                earlier.cancel(number).expect("logged in");
            }
        }
        earlier.query().expect("logged in");
        answers(&mut earlier, b"Q", 1);
    }
    earlier.logout();

    let mut client = venue.ouch();
    let open: Vec<_> = client.orders().iter().map(|order| (order.id, order.open)).collect();
    assert_eq!(open, [(OrderId(EARLIER.into()), 100)], "all others were cancelled");
    assert_eq!(client.poll(), None, "the past is no event");
    let id = client.enter(&resting()).expect("it is live");
    assert_eq!(id, OrderId(u64::from(EARLIER) + 1));
    let told: Vec<_> = client.events().collect();
    assert!(
        matches!(told[..], [OrderEvent::Accepted { id: accepted, open: 100, .. }] if accepted == id),
        "{told:?}"
    );
    client.cancel(OrderId(EARLIER.into())).expect("it is open");
    let told: Vec<_> = client.events().collect();
    assert!(matches!(told[..], [OrderEvent::Canceled { open: 0, .. }]), "{told:?}");
}

#[test]
fn a_mark_comes_after_all_that_was_asked_before_it() {
    let venue = Venue::start();
    let mut client = OuchClient::connect(venue.ouch, login()).expect("the gateway runs");
    let order = NewOrder::limit(resting().side, Quantity(100), resting().symbol, Price(10_000));
    for round in 1..=50 {
        for _ in 0..20 {
            client.enter(&order).expect("logged in");
        }
        client.mark().expect("logged in");
        let (mut accepted, mut marks) = (0, 0);
        while marks == 0 {
            assert!(client.is_connected());
            client.poll(&mut |event| match event {
                ClientEvent::Mark => marks += 1,
                ClientEvent::Message { message: Message::Accepted(..), .. } => {
                    assert_eq!(marks, 0, "round {round}");
                    accepted += 1;
                }
                _ => {}
            });
            std::thread::yield_now();
        }
        assert_eq!((accepted, marks), (20, 1), "round {round}");
    }
}

#[test]
fn over_fix_the_orders_of_an_earlier_connection_are_not_taken_for_the_own() {
    let venue = Venue::start();
    let mut earlier = venue.fix();
    let first = earlier.enter(&resting()).expect("it is live");
    let told: Vec<_> = earlier.events().collect();
    assert!(matches!(told[..], [OrderEvent::Accepted { open: 100, .. }]), "{told:?}");
    earlier.logout();
    while !matches!(earlier.poll(), Some(OrderEvent::Disconnected { .. })) {
        std::thread::yield_now();
    }

    let mut client = venue.fix();
    assert_eq!((client.poll(), client.orders()), (None, Vec::new()));
    let id = client.enter(&resting()).expect("it is live");
    assert_eq!(id, first, "numbers begin anew, and still the venue takes them");
    let told: Vec<_> = client.events().collect();
    assert!(
        matches!(told[..], [OrderEvent::Accepted { id: accepted, open: 100, .. }] if accepted == id),
        "{told:?}"
    );
    client.cancel(id).expect("it is open");
    let told: Vec<_> = client.events().collect();
    assert!(
        matches!(&told[..], [OrderEvent::Canceled { id: gone, open: 0, .. }] if *gone == id),
        "{told:?}"
    );
}

/// The venue fills FILL at once, so that whatever is asked about such an order comes too late.
fn asks_too_late(mut client: TradingClient) -> Vec<OrderEvent> {
    let order = Order { symbol: Symbol(*b"FILL    "), ..resting() };
    let resting = client.enter(&resting()).expect("it is live");
    let id = client.enter(&order).expect("it is live");
    let second = client.replace(id, Quantity(50), Price(9_000)).expect("it may be open");
    client.replace(second, Quantity(60), Price(8_000)).expect("it may be open");
    let told = client.events().collect();
    assert!(!client.is_awaiting());
    let open: Vec<_> = client.orders().iter().map(|order| order.id).collect();
    assert_eq!(open, [resting], "no replacement stands: {told:?}");
    told
}

#[test]
fn a_replacement_that_came_too_late_is_no_open_order() {
    let venue = Venue::start();
    let told = asks_too_late(venue.ouch());
    assert_eq!(told.len(), 3, "over OUCH nobody says that it came too late: {told:?}");
    let told = asks_too_late(venue.fix());
    let refused = |event: &&OrderEvent| matches!(event, OrderEvent::NotDone { id: Some(_), .. });
    assert_eq!(told.iter().filter(refused).count(), 2, "over FIX somebody does: {told:?}");
}

/// Between a client and the venue: what comes from the client over a connection that is made deaf goes nowhere.
struct Relay {
    address: SocketAddr,
    /// Connections up to this number are deaf.
    deaf: Arc<AtomicUsize>,
}

impl Relay {
    fn to(venue: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let deaf = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&deaf);
        std::thread::spawn(move || {
            for (number, client) in (1..).zip(listener.incoming()) {
                let client = client.expect("a connection");
                let venue = TcpStream::connect(venue).expect("the gateway runs");
                for socket in [&client, &venue] {
                    socket.set_nodelay(true).expect("an option");
                }
                let ends =
                    (client.try_clone().expect("a copy"), venue.try_clone().expect("a copy"));
                let deaf = Arc::clone(&shared);
                std::thread::spawn(move || {
                    copy(client, venue, || number > deaf.load(Ordering::Relaxed));
                });
                std::thread::spawn(move || copy(ends.1, ends.0, || true));
            }
        });
        Self { address, deaf }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, passes: impl Fn() -> bool) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if passes() && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Trades and is cut off again and again, each third time after its last requests were lost on the way: of every order
/// that was sent it is told once what became of it, and what it believes to be open is open. Gives how many were
/// rejected as lost.
fn is_cut_off_and_knows_what_became_of_its_orders(
    mut client: TradingClient,
    relay: &Relay,
) -> usize {
    let mut open = BTreeSet::new();
    let mut lost = 0;
    for cut in 1..=CUTS {
        if cut % 3 == 0 {
            relay.deaf.store(cut, Ordering::Relaxed);
        }
        let sent: Vec<_> = (0..3).map(|_| client.enter(&resting()).expect("it is live")).collect();
        let gone = (cut % 2 == 0).then(|| open.pop_first()).flatten();
        if let Some(id) = gone {
            client.cancel(id).expect("it is open");
        }
        client.drop_connection();
        client.reconnect();
        let mut decided = BTreeSet::new();
        loop {
            match client.poll() {
                Some(OrderEvent::Accepted { id, .. }) => {
                    assert!(decided.insert(id) && open.insert(id), "cut {cut}: {id} once");
                }
                Some(OrderEvent::Rejected { id, .. }) => {
                    assert!(decided.insert(id), "cut {cut}: {id} once");
                    lost += 1;
                }
                Some(OrderEvent::Canceled { id, .. }) => assert_eq!(Some(id), gone, "cut {cut}"),
                Some(OrderEvent::NotDone { id, .. }) => {
                    assert_eq!(id, gone, "cut {cut}");
                    open.extend(gone);
                }
                Some(event) => panic!("cut {cut}: {event}"),
                None if client.is_live() && !client.is_awaiting() => break,
                None => std::thread::yield_now(),
            }
        }
        assert_eq!(decided.into_iter().collect::<Vec<_>>(), sent, "cut {cut}: all of them");
        assert!(client.orders().iter().all(|order| order.accepted), "cut {cut}");
        let known: BTreeSet<_> = client.orders().iter().map(|order| order.id).collect();
        assert_eq!(known, open, "cut {cut}");
    }
    for &id in &open {
        client.cancel(id).expect("it is open");
    }
    let told: BTreeSet<_> = client
        .events()
        .map(|event| match event {
            OrderEvent::Canceled { id, open: 0, .. } => id,
            event => panic!("{event}"),
        })
        .collect();
    assert_eq!(told, open, "the venue had them all");
    lost
}

const CUTS: usize = 30;

#[test]
fn a_client_that_is_cut_off_over_ouch_knows_what_became_of_its_orders() {
    let venue = Venue::start();
    let relay = Relay::to(venue.ouch);
    let client = TradingClient::connect_ouch(relay.address, login()).expect("the gateway runs");
    let lost = is_cut_off_and_knows_what_became_of_its_orders(client, &relay);
    assert!(lost >= CUTS, "three orders each third time: {lost}");
}

#[test]
fn a_client_that_is_cut_off_over_fix_knows_what_became_of_its_orders() {
    let venue = Venue::start();
    let relay = Relay::to(venue.fix);
    let login = FixLogin::new(Version::Fix44, "FIONA", "SPIN");
    let client = TradingClient::connect_fix(relay.address, login).expect("the gateway runs");
    let lost = is_cut_off_and_knows_what_became_of_its_orders(client, &relay);
    assert_eq!(lost, 0, "what was lost is sent again");
}
