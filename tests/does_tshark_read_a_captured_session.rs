//! tshark, which many look at their sessions with, reads a session of this venue: SoupBinTCP with OUCH over TCP, FIX
//! over TCP, MoldUDP64 over UDP with requests and their answers. The bytes are those of real sockets, taken by a
//! tap between client and venue and written as a capture.
//!
//! tshark knows SoupBinTCP, MoldUDP64, FIX and OUCH 4.2, of which it is asked for every field. OUCH 5.0 and ITCH 5.0
//! it does not know: those messages it shows as data of the layer below, so it is asked for exactly these bytes.
//! It needs tshark on the path; the test installs it where SPINDLE_INSTALL_PEERS is set (`apt-get`, as root). Where there is none the
//! test is skipped, with a line that says so.

mod process;
mod tshark;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use process::{Process, example};
use spindle_feed::itch::Message as ItchMessage;
use spindle_feed::moldudp64::{Kind, Packet, header};
use spindle_gateway::SystemClock;
use spindle_gateway::client::{FixClient, FixLogin, Login, NewOrder, OuchClient, Replacement};
use spindle_gateway::fix::Version;
use tshark::capture::{Capture, Segment, Tap, soup_packets};
use tshark::{lines, ouch42, tshark};
use zerocopy::IntoBytes;

struct Venue {
    process: Process,
    addresses: [SocketAddr; 3],
    _folder: tempfile::TempDir,
}

impl Venue {
    /// The example's venue, which publishes its books to this address.
    fn start(feed: SocketAddr) -> Self {
        let publish = format!("[publish]\nto = [\"{feed}\"]\nrequests = \"127.0.0.1:0\"\n");
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Process::venue(&example(folder.path(), &publish));
        let addresses = ["ouch: listening on ", "fix: listening on ", "; requests at "]
            .map(|what| process.address(what));
        Self { process, addresses, _folder: folder }
    }

    /// Ends the venue as an operator would.
    fn end(mut self, mut meanwhile: impl FnMut()) {
        self.process.signal("TERM");
        while self.process.goes_on() {
            meanwhile();
        }
        meanwhile();
        let log = self.process.rest_of_log();
        assert!(log.contains("publish: "), "{log}");
    }
}

/// All that is needed of one session.
struct Recorded {
    soup: Vec<Segment>,
    fix: Vec<Segment>,
    /// Datagrams of the feed, and a request with its answer at the end.
    feed: Vec<Vec<u8>>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Trades over both protocols and takes what passes.
fn record() -> Recorded {
    use spindle_engine::command::OrderSide;
    use spindle_types::{Price, Quantity};
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    receiver.set_nonblocking(true).expect("a socket");
    let venue = Venue::start(receiver.local_addr().expect("an address"));
    let [ouch_address, fix_address, requests] = venue.addresses;
    let (mut soup, mut fix) = (Tap::new(ouch_address), Tap::new(fix_address));
    let login = Login::new("maker1", "quote").expect("a login");
    let mut ouch = OuchClient::connect_later(soup.address(), login, SystemClock::new());
    let fix_address = fix.address();
    let logging = std::thread::spawn(move || {
        let login = FixLogin::new(Version::Fix42, "TAKER", "SPINDLE");
        FixClient::connect(fix_address, login).expect("a Logon")
    });
    let end = Instant::now() + Duration::from_secs(20);
    let mut feed: Vec<Vec<u8>> = Vec::new();
    let mut datagram = [0; 2_048];
    let mut receive = |feed: &mut Vec<Vec<u8>>| {
        while let Ok((count, _)) = receiver.recv_from(&mut datagram) {
            feed.push(datagram[..count].to_vec());
        }
    };
    let mut messages = 0;
    let symbol = "AAPL".parse().expect("a symbol");
    while !ouch.is_live() || !logging.is_finished() {
        assert!(Instant::now() < end, "no login");
        soup.poll();
        fix.poll();
        ouch.poll(&mut |_| messages += 1);
    }
    let mut client = logging.join().expect("a client");
    let sell = NewOrder::limit(OrderSide::Sell, Quantity(300), symbol, Price(1_500_000));
    let number = ouch.enter(&sell).expect("sent");
    let other = ouch.enter(&NewOrder { symbol: "NOSUCH".parse().expect("ok"), ..sell });
    let _ = other.expect("sent");
    let replaced = Replacement::limit(Quantity(200), Price(1_501_000));
    let number = ouch.replace(number, &replaced).expect("sent");
    let mut reports = 0;
    let mut until = |wanted: usize, client: &mut FixClient, ouch: &mut OuchClient| {
        while messages < wanted || reports < usize::from(wanted > 5) {
            assert!(Instant::now() < end, "{messages} messages");
            soup.poll();
            fix.poll();
            ouch.poll(&mut |_| messages += 1);
            client.poll(&mut |_| reports += 1);
            receive(&mut feed);
        }
    };
    // Login, the day's begin, accepted, rejected, replaced.
    until(5, &mut client, &mut ouch);
    let buy = spindle_gateway::client::FixOrder::limit(
        OrderSide::Buy,
        Quantity(150),
        symbol,
        Price(1_501_000),
    );
    client.enter(&buy).expect("sent");
    // Executed.
    until(6, &mut client, &mut ouch);
    ouch.cancel(number).expect("sent");
    // Canceled.
    until(7, &mut client, &mut ouch);
    let (request, answer) = ask(requests, &feed);
    let mut late = Vec::new();
    venue.end(|| {
        soup.poll();
        fix.poll();
        ouch.poll(&mut |_| {});
        client.poll(&mut |_| {});
        receive(&mut late);
    });
    feed.append(&mut late);
    Recorded { soup: soup.segments, fix: fix.segments, feed, request, answer }
}

/// Asks for the first messages of the feed.
fn ask(server: SocketAddr, feed: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let first = Packet::parse(&feed[0]).expect("a packet");
    let request = header(*first.session(), 1, 3);
    socket.send_to(request.as_bytes(), server).expect("sent");
    let mut answer = [0; 2_048];
    let (count, _) = socket.recv_from(&mut answer).expect("an answer");
    (request.as_bytes().to_vec(), answer[..count].to_vec())
}

const SOUP: u16 = 8401;
const FIX: u16 = 8402;
const FEED: u16 = 26_400;
const REQUESTS: u16 = 26_500;

#[test]
fn tshark_reads_every_packet_and_complains_of_none() {
    let Some(tshark) = tshark() else { return };
    let recorded = record();
    let mut capture = Capture::new();
    capture.tcp(40_001, SOUP, &recorded.soup);
    capture.tcp(40_002, FIX, &recorded.fix);
    for datagram in &recorded.feed {
        capture.udp(40_003, FEED, datagram);
    }
    capture.udp(40_004, REQUESTS, &recorded.request);
    capture.udp(REQUESTS, 40_004, &recorded.answer);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.pcap");
    std::fs::write(&path, &capture.0).expect("a file");
    let decode = [
        format!("tcp.port=={SOUP},soupbintcp"),
        format!("tcp.port=={FIX},fix"),
        format!("udp.port=={FEED},moldudp64"),
        format!("udp.port=={REQUESTS},moldudp64"),
    ];
    let show = |more: &[&str]| lines(&tshark, &path, &decode, more);
    // Nothing is malformed, no checksum or length is wrong, nothing is an error.
    let complaints = show(&["-Y", "_ws.malformed || _ws.expert.severity >= 6291456"]);
    assert!(complaints.is_empty(), "{complaints:#?}");

    // Every packet of SoupBinTCP, by type, from both sides.
    for (from_client, port) in [(true, "tcp.dstport"), (false, "tcp.srcport")] {
        let expected: Vec<_> = soup_packets(&recorded.soup, from_client)
            .iter()
            .map(|(kind, _)| char::from(*kind).to_string())
            .collect();
        let filter = format!("soupbintcp && {port} == {SOUP}");
        let shown = show(&["-Y", &filter, "-T", "fields", "-e", "soupbintcp.packet_type"]);
        let shown: Vec<_> = shown
            .iter()
            .flat_map(|line| line.split(','))
            .map(|kind| kind.trim_matches('\''))
            .collect();
        assert_eq!(shown, expected, "from the client: {from_client}");
        assert!(expected.len() >= 4, "{expected:?}");
    }

    // FIX messages by type; a wrong checksum would have been an error above.
    let shown = show(&["-Y", "fix", "-T", "fields", "-e", "fix.MsgType"]);
    let shown: Vec<_> = shown.iter().flat_map(|line| line.split(',')).collect();
    for kind in ["A", "D", "8"] {
        assert!(shown.contains(&kind), "{shown:?}");
    }

    // Every packet of the feed: its number and count, and each message byte for byte, which is ITCH 5.0.
    let fields = ["moldudp64.sequence", "moldudp64.count", "moldudp64.msglen", "moldudp64.msgdata"];
    let mut arguments = vec!["-Y", "moldudp64", "-T", "fields"];
    fields.iter().for_each(|field| arguments.extend(["-e", *field]));
    let shown = show(&arguments);
    let datagrams: Vec<_> =
        recorded.feed.iter().chain([&recorded.request, &recorded.answer]).collect();
    assert_eq!(shown.len(), datagrams.len());
    let mut types = String::new();
    for (at, (line, datagram)) in shown.iter().zip(&datagrams).enumerate() {
        if at == recorded.feed.len() {
            continue; // The request: a header alone.
        }
        let packet = Packet::parse(datagram).expect("a packet");
        let mut shown = line.split('\t');
        assert_eq!(shown.next(), Some(packet.sequence().to_string().as_str()));
        if packet.kind() != Kind::Data {
            continue;
        }
        assert_eq!(shown.next(), Some(packet.message_count().to_string().as_str()));
        let lengths: Vec<_> = packet.messages().map(|message| message.len().to_string()).collect();
        assert_eq!(shown.next(), Some(lengths.join(",").as_str()));
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let data: Vec<_> = packet.messages().map(hex).collect();
        assert_eq!(shown.next(), Some(data.join(",").as_str()));
        for message in packet.messages() {
            let decoded = ItchMessage::decode(message).expect("a message of ITCH 5.0");
            assert_eq!(decoded.as_bytes(), message);
            types.push(char::from(message[0]));
        }
    }
    for kind in "SRHAUED".chars() {
        assert!(types.contains(kind), "{kind} in {types}");
    }
}

#[test]
fn tshark_reads_every_field_of_ouch_4_2() {
    let Some(tshark) = tshark() else { return };
    let sessions = ouch42::record();
    let mut capture = Capture::new();
    for (session, client) in sessions.iter().zip(40_001..) {
        capture.tcp(client, SOUP, session);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.pcap");
    std::fs::write(&path, &capture.0).expect("a file");
    let decode = [format!("tcp.port=={SOUP},soupbintcp")];
    let show = |more: &[&str]| lines(&tshark, &path, &decode, more);
    let complaints =
        show(&["-Y", "_ws.malformed || _ws.expert.severity >= 6291456 || ouch.unknown_message"]);
    assert!(complaints.is_empty(), "{complaints:#?}");
    let mut kinds = String::new();
    for (session, client) in sessions.iter().zip(40_001..) {
        for (from_client, end) in [(true, "tcp.srcport"), (false, "tcp.dstport")] {
            let filter = format!("ouch && {end} == {client}");
            let mut arguments = vec!["-Y", &filter, "-T", "fields"];
            ouch42::FIELDS.iter().for_each(|field| arguments.extend(["-e", field]));
            let rows = show(&arguments);
            for (column, field) in ouch42::FIELDS.iter().enumerate() {
                let shown: Vec<_> = rows
                    .iter()
                    .flat_map(|row| row.split('\t').nth(column).unwrap_or_default().split(','))
                    .filter(|value| !value.is_empty())
                    .map(|value| value.trim_matches('\'').trim())
                    .collect();
                let expected: Vec<_> = soup_packets(session, from_client)
                    .iter()
                    .filter(|(kind, _)| b"SU".contains(kind))
                    .flat_map(|(_, message)| ouch42::expected(from_client, field, message))
                    .collect();
                assert_eq!(shown, expected, "{field}, from the client: {from_client}");
            }
            let packets = soup_packets(session, from_client);
            let messages = packets.iter().filter(|(kind, _)| b"SU".contains(kind));
            kinds.extend(messages.map(|(_, message)| char::from(message[0])));
        }
    }
    for kind in "OUXSAJCE".chars() {
        assert!(kinds.contains(kind), "{kind} in {kinds}");
    }
}
