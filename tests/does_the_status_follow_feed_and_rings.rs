//! What the status of a venue says beside a live feed, whose lines differ and fall silent and of which a book goes
//! stale; and of the rings to the journal and to the publisher of the books.

mod process;

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spindle::metrics::text;
use spindle::status::{LineState, Snapshot, Wish};
use spindle::top::{App, ask, frame_text};
use spindle_feed::itch::{
    AddOrder, Header, OrderDelete, StockDirectory, StockTradingAction, SystemEvent,
};
use spindle_feed::moldudp64::{PAYLOAD_MAX, PacketBuilder};
use zerocopy::IntoBytes;

use crate::process::Process;

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(30);

/// Nanoseconds since midnight of the first message.
const OPEN: u64 = 34_200_000_000_000;

/// A venue that can be asked how it stands.
struct Venue {
    process: Process,
    control: PathBuf,
    _folder: tempfile::TempDir,
}

impl Venue {
    fn start(more: impl Fn(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let control = folder.path().join("control");
        let text = format!(
            "[venue]\nname = \"SEEN\"\n[engine]\norders_max = 10_000\nlevels_max = 10_000\n\
             own_orders_max = 64\ninstruments_max = 16\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
             [risk]\ncontrol = {control:?}\n[[account]]\nname = \"A\"\norder_size_max = 100\n\
             order_value_max = \"100000.00\"\ncollar_percent = \"10\"\nopen_orders_max = 10\n\
             [[session]]\nuser = \"a\"\npassword = \"a\"\naccount = \"A\"\n{}",
            more(folder.path())
        );
        let config = folder.path().join("venue.toml");
        std::fs::write(&config, text).expect("a file");
        let mut process = Process::venue(&config);
        process.address("ouch: listening on ");
        process.forget_log();
        Self { process, control, _folder: folder }
    }

    /// The first status in which this holds; `beside` is called before each look.
    fn when(&mut self, mut beside: impl FnMut(), holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let begun = Instant::now();
        loop {
            beside();
            assert!(self.process.goes_on(), "the venue ended");
            let status = ask(&self.control, &Wish::default());
            match status {
                Ok(status) if holds(&status) => return status,
                other => assert!(begun.elapsed() < LIMIT, "{other:#?}"),
            }
        }
    }
}

/// A market over two lines.
struct Market {
    socket: UdpSocket,
    lines: Vec<SocketAddr>,
    packet: PacketBuilder,
}

impl Market {
    fn open(lines: Vec<SocketAddr>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        Self { socket, lines, packet: PacketBuilder::new(*b"SEEN      ", 1, PAYLOAD_MAX) }
    }

    fn header(kind: u8, locate: u16) -> Header {
        Header::new(kind, locate, OPEN)
    }

    /// Sends what was pushed, or a heartbeat, over lines.
    fn send(&mut self, lines: &[usize]) {
        for &line in lines {
            self.socket.send_to(self.packet.packet(), self.lines[line]).expect("sent");
        }
        self.packet.next_packet();
    }

    fn push(&mut self, message: &[u8]) {
        assert!(self.packet.push(message), "it has room");
    }

    /// The day begins, with this instrument that trades.
    fn instrument(&mut self, locate: u16, stock: [u8; 8]) {
        let directory = StockDirectory::ordinary(locate, OPEN, stock);
        self.push(directory.as_bytes());
        let trading = StockTradingAction {
            header: Self::header(StockTradingAction::TYPE, locate),
            stock,
            trading_state: b'T',
            reserved: b' ',
            reason: *b"    ",
        };
        self.push(trading.as_bytes());
        self.add(locate, stock, u64::from(locate));
    }

    fn add(&mut self, locate: u16, stock: [u8; 8], reference: u64) {
        let add = AddOrder {
            header: Self::header(AddOrder::TYPE, locate),
            reference: reference.into(),
            side: b'B',
            shares: 100.into(),
            stock,
            price: 1_000_000.into(),
        };
        self.push(add.as_bytes());
    }
}

#[test]
fn beside_a_live_feed() {
    let lines = "[feed]\nsilence_ms = 2_000\n[[feed.line]]\naddress = \"127.0.0.1:0\"\n\
                 [[feed.line]]\naddress = \"127.0.0.1:0\"\n";
    let mut venue = Venue::start(|_| lines.to_owned());
    let status = venue.when(|| (), |_| true);
    let feed = status.feed.expect("a feed");
    assert_eq!(
        feed.lines.iter().map(|line| line.state).collect::<Vec<_>>(),
        [LineState::Waiting; 2]
    );
    assert_eq!((feed.packets, feed.last_sequence), (0, 0));
    let lines = feed.lines.iter().map(|line| line.address.parse().expect("an address")).collect();

    // The first line brings everything first, the second the same again.
    let mut market = Market::open(lines);
    for event_code in *b"OSQ" {
        let event = SystemEvent { header: Market::header(SystemEvent::TYPE, 0), event_code };
        market.push(event.as_bytes());
        if event_code == b'O' {
            market.instrument(1, *b"AAPL    ");
            market.instrument(2, *b"MSFT    ");
        }
    }
    market.send(&[0]);
    let status = venue
        .when(|| market.send(&[0]), |status| status.books.good == 2 && status.books.orders == 2);
    let feed = status.feed.expect("a feed");
    assert_eq!((feed.last_sequence, feed.gaps, feed.lost, feed.silent), (9, 0, 0, false));
    assert_eq!(feed.lines[1].state, LineState::Waiting);
    assert_eq!((feed.lines[0].state, feed.lines[0].first), (LineState::Live, 1));
    assert_eq!(status.orders.market_messages, 9);

    // An order that was never shown is deleted: nobody knows that book any more.
    let header = Market::header(OrderDelete::TYPE, 2);
    market.push(OrderDelete { header, reference: 777.into() }.as_bytes());
    let deletion = market.packet.packet().to_vec();
    market.send(&[0]);
    let status = venue.when(|| market.send(&[0]), |status| status.books.stale == 1);
    assert_eq!((status.books.good, status.books.known), (1, 2));
    assert_eq!(status.books.not_good, [("MSFT".to_owned(), "stale".to_owned())]);
    assert_eq!(status.orders.unknown_references, 1);
    // The second line begins with a packet that lies behind what it has never brought.
    market.socket.send_to(&deletion, market.lines[1]).expect("sent");
    let status = venue.when(
        || market.send(&[0, 1]),
        |status| {
            let feed = status.feed.as_ref().expect("a feed");
            feed.lines.iter().all(|line| line.state == LineState::Live) && feed.lines[1].packets > 1
        },
    );
    let second = &status.feed.as_ref().expect("a feed").lines[1];
    assert_eq!(second.first, 0, "it was never first");

    // One line alone falls silent, and the feed is still whole.
    let status = venue.when(
        || market.send(&[0]),
        |status| status.feed.as_ref().expect("a feed").lines[1].state == LineState::Silent,
    );
    let feed = status.feed.as_ref().expect("a feed");
    assert_eq!((feed.silent, feed.lines[0].state), (false, LineState::Live));

    // Nothing comes any more: the feed is silent, and no book can be believed.
    let status = venue.when(
        || (),
        |status| {
            let feed = status.feed.as_ref().expect("a feed");
            let lines = feed.lines.iter().all(|line| line.state == LineState::Silent);
            feed.silent && lines && status.books.stale == 2
        },
    );
    assert_eq!(status.books.good, 0);
    let told = text(status.clone());
    for line in ["spindle_feed_silent 1\n", "spindle_books{state=\"stale\"} 2\n"] {
        assert!(told.contains(line), "{line} in {told}");
    }
    let up = told.lines().filter(|line| line.starts_with("spindle_feed_line_up{"));
    assert_eq!(up.filter(|line| line.ends_with(" 0")).count(), 2, "{told}");
    let mut app = App::new(false);
    app.take(status);
    let frame = frame_text(&app, 200, 60);
    assert!(frame.contains("silent") && frame.contains("stale"), "{frame}");

    // It speaks again: what was whole before is so again.
    venue.when(
        || market.send(&[0, 1]),
        |status| status.books.good == 1 && !status.feed.as_ref().expect("a feed").silent,
    );
}

fn rings(status: &Snapshot) -> Vec<&str> {
    assert!(status.rings.iter().all(|ring| ring.capacity > 0 && ring.used <= ring.capacity));
    status.rings.iter().map(|ring| ring.name.as_str()).collect()
}

#[test]
fn the_rings_of_a_journal() {
    let instrument = "[[instrument]]\nsymbol = \"AAPL\"\n";
    let mut venue = Venue::start(|folder| {
        let journal = folder.join("journal");
        std::fs::create_dir(&journal).expect("a folder");
        format!("[journal]\ndirectory = {journal:?}\n{instrument}")
    });
    let status = venue.when(|| (), |_| true);
    let names =
        ["gateway to engine", "engine to gateway", "engine to journal", "gateway to journal"];
    assert_eq!(rings(&status), names);
    let told = text(status.clone());
    assert!(told.contains("spindle_ring_used{ring=\"engine to journal\"}"), "{told}");
    let mut app = App::new(false);
    app.take(status);
    let frame = frame_text(&app, 200, 60);
    assert!(frame.contains("engine to journal"), "{frame}");
}

#[test]
fn the_ring_to_the_publisher() {
    let publish = "[publish]\nto = [\"127.0.0.1:9\"]\n[[instrument]]\nsymbol = \"AAPL\"\n";
    let mut venue = Venue::start(|_| publish.to_owned());
    let status = venue.when(|| (), |_| true);
    assert_eq!(rings(&status), ["gateway to engine", "engine to gateway", "engine to publisher"]);
}
