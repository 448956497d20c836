//! A venue that publishes its books is killed again and again while strategies trade, and comes back from its journal, or
//! from a snapshot of it. Whoever listens hears each message under one number only, as a venue that was never killed would
//! have sent it, and the request server has them all.

mod process;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use process::{LIMIT, Process, free_port};
use spindle::config::Config;
use spindle::publication::BookTape;
use spindle_engine::Engine;
use spindle_engine::command::OrderSide;
use spindle_engine::input::{Cursor, Input, kind};
use spindle_feed::event::Phase;
use spindle_feed::itch::Message;
use spindle_feed::moldudp64::{Packet, header};
use spindle_gateway::client::{Login, NewOrder, OuchClient, Replacement};
use spindle_journal::disk::PlainDisk;
use spindle_journal::read;
use spindle_risk::Gate;
use spindle_types::{EventTime, InstrumentId, OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

/// Messages by their number.
type Stream = BTreeMap<u64, Vec<u8>>;

/// Hears a feed.
struct Listener {
    socket: UdpSocket,
    heard: Stream,
    /// The highest number that a packet of any kind named as the next.
    next: u64,
}

impl Listener {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("set");
        Self { socket, heard: Stream::new(), next: 1 }
    }

    /// Takes what has come. What was heard before is heard again in the same words.
    fn hear(&mut self) {
        let mut space = [0; 2_048];
        loop {
            let count = match self.socket.recv(&mut space) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            };
            let packet = Packet::parse(&space[..count]).expect("a packet");
            assert_eq!(packet.session(), b"BOOKS     ");
            // The end of a packet is the next number, whatever its kind.
            self.next = self.next.max(packet.next_sequence());
            for (number, message) in (packet.sequence()..).zip(packet.messages()) {
                let before = self.heard.insert(number, message.to_vec());
                assert!(before.is_none_or(|before| before == message), "message {number} changed");
            }
        }
    }

    /// Asks for everything up to the last number.
    fn ask_for_all(&mut self, server: SocketAddr) {
        self.socket.set_nonblocking(false).expect("set");
        self.socket.set_read_timeout(Some(LIMIT)).expect("set");
        self.heard.clear();
        while (self.heard.len() as u64) < self.next - 1 {
            let from = (1..).find(|number| !self.heard.contains_key(number)).expect("one");
            let request = header(*b"BOOKS     ", from, 60_000);
            self.socket.send_to(request.as_bytes(), server).expect("sent");
            // A heartbeat may come before the answer.
            let mut space = [0; 2_048];
            let count = self.socket.recv(&mut space).expect("an answer");
            let packet = Packet::parse(&space[..count]).expect("a packet");
            for (number, message) in (packet.sequence()..).zip(packet.messages()) {
                self.heard.insert(number, message.to_vec());
            }
        }
        self.socket.set_nonblocking(true).expect("set");
    }
}

struct Place {
    _folder: tempfile::TempDir,
    config: PathBuf,
    journal: PathBuf,
    ouch: SocketAddr,
}

impl Place {
    fn new(feed: SocketAddr, journal_keys: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (config, journal) = (folder.path().join("venue.toml"), folder.path().join("journal"));
        std::fs::create_dir(&journal).expect("made");
        let ouch = free_port();
        let parties = [("A", "alice"), ("B", "bob")].map(|(account, user)| {
            format!(
                "[[account]]\nname = \"{account}\"\norder_size_max = 10_000\n\
                 order_value_max = \"5000000.00\"\ncollar_percent = \"50\"\nopen_orders_max = 5_000\n\
                 [[session]]\nuser = \"{user}\"\npassword = \"x\"\naccount = \"{account}\"\n"
            )
        });
        let text = format!(
            "[venue]\nname = \"KILLED\"\n[engine]\norders_max = 20_000\nlevels_max = 2_000\n\
             own_orders_max = 10_000\ninstruments_max = 8\n[threads]\nidle = \"yield\"\n\
             [gateway]\nouch_listen = \"{ouch}\"\n[[instrument]]\nsymbol = \"X\"\n{}\
             [publish]\nto = [\"{feed}\"]\nrequests = \"127.0.0.1:0\"\nsession = \"BOOKS\"\n\
             [journal]\ndirectory = \"{}\"\nsegment_bytes = 1048576\n{journal_keys}\n",
            parties.concat(),
            journal.display()
        );
        std::fs::write(&config, text).expect("written");
        Self { _folder: folder, config, journal, ouch }
    }

    /// A venue that runs, whether it has taken up a snapshot, and where it answers requests.
    fn start(&self) -> (Process, bool, SocketAddr) {
        let mut process = Process::venue(&self.config);
        let mut from_snapshot = false;
        loop {
            let line = process.line();
            from_snapshot |= line.contains("journal: snapshot of record ");
            if let Some((_, requests)) = line.trim().split_once("; requests at ") {
                let requests = requests.parse().expect("an address");
                process.forget_log();
                return (process, from_snapshot, requests);
            }
        }
    }

    fn has_snapshot(&self) -> bool {
        let mut files = std::fs::read_dir(&self.journal).expect("a folder");
        files.any(|file| {
            file.expect("a file").path().extension().is_some_and(|end| end == "snapshot")
        })
    }
}

/// One who sells and one who buys, and the number of their next order.
struct Strategies {
    seller: OuchClient,
    buyer: OuchClient,
    number: u32,
}

impl Strategies {
    fn connect(place: &Place) -> Self {
        let [seller, buyer] = ["alice", "bob"].map(|user| {
            let login = Login::new(user, "x").expect("a login");
            OuchClient::connect(place.ouch, login).expect("a connection")
        });
        Self { seller, buyer, number: 0 }
    }

    /// Orders of every kind: displayed, hidden, icebergs, replaced, cancelled, executed.
    fn trade(&mut self) {
        self.seller.poll(&mut |_| {});
        self.buyer.poll(&mut |_| {});
        if !self.seller.is_live() || !self.buyer.is_live() {
            return;
        }
        self.number += 1;
        let number = self.number;
        let symbol = "X".parse().expect("a symbol");
        let price = Price(100_0000 + number % 7 * 100);
        let order = NewOrder::limit(OrderSide::Sell, Quantity(10), symbol, price);
        // Whatever becomes of it: what has no room now is left out.
        let _ = match number % 8 {
            0 => {
                let order = NewOrder::limit(OrderSide::Buy, Quantity(17), symbol, Price(100_0300));
                self.buyer.enter_as(OrderToken(number), &order).map(drop)
            }
            1 => {
                let mut hidden = order.message(OrderToken(number));
                hidden.display = b'N';
                self.seller.send(hidden.as_bytes())
            }
            2 => {
                let mut iceberg = order.message(OrderToken(number));
                iceberg.appendage_length = 6.into();
                // MaxFloor of 3.
                self.seller.send(&[iceberg.as_bytes(), &[5, 5, 0, 0, 0, 3]].concat())
            }
            3 => {
                // By one that is displayed, or by one that is not.
                let replacement = Replacement::limit(Quantity(9), Price(price.0 + 100));
                let original = OrderToken(number.saturating_sub(14));
                let mut replacement = replacement.message(original, OrderToken(number));
                replacement.display = if number % 16 == 3 { b'N' } else { b'Y' };
                self.seller.send(replacement.as_bytes())
            }
            4 => self.seller.cancel(OrderToken(number.saturating_sub(14))),
            _ => self.seller.enter_as(OrderToken(number), &order).map(drop),
        };
    }
}

/// What a venue that was never killed publishes for the inputs of a journal.
fn never_killed(config: &Path, journal: &Path) -> Stream {
    let config = Config::read(config).expect("the configuration");
    let mut gate = Gate::with(&config.risk.gate);
    for account in &config.accounts {
        gate.set_account(account.id, account.firm);
    }
    let (mut engine, _) = Engine::new(&config.engine, gate);
    engine.add_instrument(InstrumentId(1), config.instruments[0]);
    engine.publish_books();
    let mut tape = BookTape::new(engine.books().slots());
    let mut messages: Vec<Vec<u8>> = Vec::new();
    let mut out = |message: &[u8]| messages.push(message.to_vec());
    let mut disk = PlainDisk::open(journal).expect("the journal");
    read(&mut disk, None, &mut |_, record| {
        if record.sequence == 1 {
            let time = Cursor::new(record.payload).u64("time").map(EventTime).expect("the begin");
            tape.phase(time, Phase::StartOfMessages, &mut out);
            let first = engine.seen().to_vec();
            for seen in first {
                tape.take(&spindle_engine::publication::Seen { time, ..seen }, &mut out);
            }
            engine.forget_seen(engine.seen().len());
            tape.phase(time, Phase::StartOfSystemHours, &mut out);
            tape.phase(time, Phase::StartOfMarketHours, &mut out);
        }
        if matches!(record.kind, kind::COMMAND | kind::MARKET | kind::FEED | kind::RISK) {
            let input = Input::decode(record.kind, record.time, record.payload);
            engine.apply(&input.expect("an input").expect("one that is known"));
            engine.clear_outbox();
            engine.seen().iter().for_each(|seen| tape.take(seen, &mut out));
            tape.flush(&mut out);
            engine.forget_seen(engine.seen().len());
        }
        ControlFlow::Continue(())
    })
    .expect("it is whole");
    (1..).zip(messages).collect()
}

/// How often messages of a type are among them.
fn count(stream: &Stream, letter: u8) -> usize {
    stream.values().filter(|message| message[0] == letter).count()
}

/// Kills a venue so often while it trades; `keys` are those of its journal.
fn the_stream_goes_on(keys: &str, kills: usize, with_snapshots: bool) {
    let mut listener = Listener::new();
    let place = Place::new(listener.socket.local_addr().expect("an address"), keys);
    let (mut venue, ..) = place.start();
    let mut strategies = Strategies::connect(&place);
    let (mut begun, mut snapshots) = (Instant::now(), 0);
    for kill in 0..kills {
        let until = listener.heard.len() + 150 + 61 * kill;
        while listener.heard.len() < until || with_snapshots && !place.has_snapshot() {
            strategies.trade();
            listener.hear();
            std::thread::yield_now();
            assert!(begun.elapsed() < LIMIT, "{} messages of {until}", listener.heard.len());
        }
        venue.kill();
        listener.hear();
        let (again, from_snapshot, _) = place.start();
        venue = again;
        snapshots += usize::from(from_snapshot);
        // With async the last answers may be lost, so everything is read from the first.
        strategies = Strategies { number: strategies.number, ..Strategies::connect(&place) };
        begun = Instant::now();
    }
    assert_eq!(snapshots, if with_snapshots { kills } else { 0 });
    // An order behind everything that was sent before: what was not carried out yet is carried out before it.
    let mut is_sent = false;
    let last = |message: &Vec<u8>| match Message::decode(message) {
        Ok(Message::AddOrder(add)) => add.shares.get() == 7_777,
        _ => false,
    };
    while !listener.heard.values().any(last) {
        strategies.seller.poll(&mut |_| {});
        strategies.buyer.poll(&mut |_| {});
        if !is_sent && strategies.seller.is_live() && strategies.buyer.is_live() {
            let symbol = "X".parse().expect("a symbol");
            let order = NewOrder::limit(OrderSide::Sell, Quantity(7_777), symbol, Price(101_0000));
            is_sent = strategies.seller.enter_as(OrderToken(1_000_000), &order).is_ok();
        }
        listener.hear();
        assert!(begun.elapsed() < LIMIT, "the last order is not published");
    }
    // The same again, killed with nothing under way, for the request server alone.
    venue.kill();
    listener.hear();
    let (mut venue, _, requests) = place.start();
    let heard = std::mem::take(&mut listener.heard);
    let next = listener.next;
    listener.ask_for_all(requests);
    venue.kill();

    let expected = never_killed(&place.config, &place.journal);
    assert_eq!(expected.len() as u64, next - 1);
    for letter in *b"ADEPU" {
        assert!(count(&expected, letter) > 0, "none of {}", char::from(letter));
    }
    for (number, message) in &heard {
        assert_eq!(Some(message), expected.get(number), "message {number}, as it was sent");
    }
    assert_eq!(listener.heard, expected, "as the request server has it");
    println!("{} messages, {} of them heard, {snapshots} snapshots", expected.len(), heard.len());
}

#[test]
fn from_the_begin_of_its_journal() {
    the_stream_goes_on("durability = \"sync\"", 4, false);
    the_stream_goes_on("durability = \"async\"", 2, false);
}

#[test]
fn from_a_snapshot() {
    the_stream_goes_on("durability = \"sync\"\nsnapshot_inputs = 200", 4, true);
}
