//! A session of OUCH 4.2 in which every kind of message passes that an order can bring about.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use spindle_gateway::ouch42::inbound::{Cancel, Enter, Replace};
use spindle_gateway::ouch42::{MARKET_HOURS, Token};
use spindle_gateway::soup::codec::{ANY_SESSION, LoginRequest, Packet, padded_left, padded_right};
use zerocopy::big_endian::U32 as U32be;
use zerocopy::{Immutable, IntoBytes};

use super::capture::{Segment, Tap, soup_packets};
use crate::process::{Process, example};

/// A client that has bytes to send and none to read: the tap remembers what comes.
struct Client {
    tap: Tap,
    socket: TcpStream,
}

impl Client {
    fn log_in(venue: SocketAddr, user: &str, password: &str) -> Self {
        let tap = Tap::new(venue);
        let socket = TcpStream::connect(tap.address()).expect("the tap listens");
        socket.set_nonblocking(true).expect("a socket");
        let mut client = Self { tap, socket };
        client.send(&Packet::LoginRequest(&LoginRequest {
            username: padded_right(user).expect("short"),
            password: padded_right(password).expect("short"),
            session: ANY_SESSION,
            sequence: padded_left("1").expect("short"),
        }));
        client
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut space = [0; 128];
        let length = packet.write(&mut space).expect("short");
        self.socket.write_all(&space[..length]).expect("a few bytes have room");
    }

    fn message(&mut self, message: &(impl IntoBytes + Immutable)) {
        self.send(&Packet::Unsequenced(message.as_bytes()));
    }

    /// Passes bytes on until so many sequenced messages have come.
    fn until(&mut self, messages: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        let mut bytes = [0; 4_096];
        loop {
            self.tap.poll();
            if let Err(error) = self.socket.read(&mut bytes) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
            let told = soup_packets(&self.tap.segments, false);
            if told.iter().filter(|(kind, _)| *kind == b'S').count() >= messages {
                return;
            }
            assert!(Instant::now() < end, "{told:?}");
        }
    }
}

fn token(number: u8) -> Token {
    let mut token = *b"ORDER000000000";
    token[13] = b'0' + number;
    token
}

fn order(number: u8, side: u8, shares: u32, stock: &str) -> Enter {
    Enter {
        message_type: Enter::TYPE,
        token: token(number),
        side,
        shares: U32be::new(shares),
        stock: padded_right(stock).expect("short"),
        price: U32be::new(1_501_000),
        time_in_force: U32be::new(MARKET_HOURS),
        firm: *b"    ",
        display: b'Y',
        capacity: b'P',
        iso: b'N',
        minimum: U32be::new(0),
        cross: b'N',
        customer: b' ',
    }
}

/// What passed between a venue and two of its users, who trade with each other.
pub fn record() -> [Vec<Segment>; 2] {
    let users = [("old1", "MAKER"), ("old2", "TAKER")];
    let sessions: String = users
        .iter()
        .map(|(user, account)| {
            let keys = "password = \"quote\"\nprotocol = \"ouch-4.2\"";
            format!("[[session]]\nuser = \"{user}\"\naccount = \"{account}\"\n{keys}\n")
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut venue = Process::venue(&example(folder.path(), &sessions));
    let address = venue.address("ouch: listening on ");
    let [mut seller, mut buyer] = users.map(|(user, _)| {
        let mut client = Client::log_in(address, user, "quote");
        // The day's begin.
        client.until(1);
        client
    });
    seller.message(&order(1, b'S', 300, "AAPL"));
    seller.message(&order(2, b'S', 300, "NOSUCH"));
    seller.message(&Replace {
        message_type: Replace::TYPE,
        existing: token(1),
        token: token(3),
        shares: U32be::new(200),
        price: U32be::new(1_500_900),
        time_in_force: U32be::new(MARKET_HOURS),
        display: b'Y',
        iso: b'N',
        minimum: U32be::new(0),
    });
    seller.until(4);
    buyer.message(&order(1, b'B', 150, "AAPL"));
    // Accepted and executed.
    buyer.until(3);
    seller.until(5);
    seller.message(&Cancel { message_type: Cancel::TYPE, token: token(3), shares: U32be::new(0) });
    seller.until(6);
    [seller.tap.segments, buyer.tap.segments]
}

/// What is compared, by the name that tshark has for it.
pub const FIELDS: &[&str] = &[
    "ouch.packet_type",
    "ouch.order_token",
    "ouch.existing_order_token",
    "ouch.replacement_order_token",
    "ouch.previous_order_token",
    "ouch.stock",
    "ouch.buy_sell_indicator",
    "ouch.shares",
    "ouch.executed_shares",
    "ouch.decrement_shares",
    "ouch.price",
    "ouch.execution_price",
    "ouch.tif",
    "ouch.order_reference_number",
    "ouch.match_number",
    "ouch.order_state",
    "ouch.liquidity_flag",
    "ouch.reject_reason",
    "ouch.cancel_reason",
    "ouch.event_code",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

fn letter(byte: u8) -> String {
    text(&[byte])
}

/// What tshark should show of a message, field by field.
fn shown(from_client: bool, message: &[u8]) -> Vec<(&'static str, String)> {
    use spindle_gateway::ouch42::{inbound, outbound};
    let mut fields = vec![("packet_type", letter(message[0]))];
    if from_client {
        fields.extend(match inbound::Message::decode(message).expect("OUCH 4.2") {
            inbound::Message::Enter(m) => vec![
                ("order_token", text(&m.token)),
                ("buy_sell_indicator", letter(m.side)),
                ("shares", m.shares.to_string()),
                ("stock", text(&m.stock)),
                ("price", m.price.to_string()),
                ("tif", m.time_in_force.to_string()),
            ],
            inbound::Message::Replace(m) => vec![
                ("existing_order_token", text(&m.existing)),
                ("replacement_order_token", text(&m.token)),
                ("shares", m.shares.to_string()),
                ("price", m.price.to_string()),
                ("tif", m.time_in_force.to_string()),
            ],
            inbound::Message::Cancel(m) => {
                vec![("order_token", text(&m.token)), ("shares", m.shares.to_string())]
            }
            other => panic!("{} was not sent", other.name()),
        });
        return fields;
    }
    fields.extend(match outbound::Message::decode(message).expect("OUCH 4.2") {
        outbound::Message::SystemEvent(m) => vec![("event_code", letter(m.event_code))],
        outbound::Message::Accepted(m) => vec![
            ("order_token", text(&m.token)),
            ("buy_sell_indicator", letter(m.side)),
            ("shares", m.shares.to_string()),
            ("stock", text(&m.stock)),
            ("price", m.price.to_string()),
            ("tif", m.time_in_force.to_string()),
            ("order_reference_number", m.reference.to_string()),
            ("order_state", letter(m.state)),
        ],
        outbound::Message::Replaced(m) => vec![
            ("replacement_order_token", text(&m.token)),
            ("previous_order_token", text(&m.previous)),
            ("buy_sell_indicator", letter(m.side)),
            ("shares", m.shares.to_string()),
            ("stock", text(&m.stock)),
            ("price", m.price.to_string()),
            ("tif", m.time_in_force.to_string()),
            ("order_reference_number", m.reference.to_string()),
            ("order_state", letter(m.state)),
        ],
        outbound::Message::Rejected(m) => {
            vec![("order_token", text(&m.token)), ("reject_reason", letter(m.reason))]
        }
        outbound::Message::Canceled(m) => vec![
            ("order_token", text(&m.token)),
            ("decrement_shares", m.decrement.to_string()),
            ("cancel_reason", letter(m.reason)),
        ],
        outbound::Message::Executed(m) => vec![
            ("order_token", text(&m.token)),
            ("executed_shares", m.shares.to_string()),
            ("execution_price", m.price.to_string()),
            ("liquidity_flag", letter(m.liquidity)),
            ("match_number", m.match_number.to_string()),
        ],
        other => panic!("{} was not expected", other.name()),
    });
    fields
}

/// What tshark should show of a message in a field; nothing where the message has none.
pub fn expected(from_client: bool, field: &str, message: &[u8]) -> Option<String> {
    let shown = shown(from_client, message);
    shown.into_iter().find(|(name, _)| field.ends_with(&format!(".{name}"))).map(|(_, text)| text)
}
