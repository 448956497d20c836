//! From tick to trade: a market message goes out over UDP when it is due, a strategy that sees the best price change
//! sends an order over its session, and time counts from when the message was due to the order's first answer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_feed::itch::{
    AddOrder, Header, OrderReplace, StockDirectory, StockTradingAction, SystemEvent,
};
use spindle_feed::moldudp64::{PAYLOAD_MAX, PacketBuilder};
use spindle_feed::top::TopReader;
use spindle_lab::load::Peer;
use spindle_lab::wire::{EchoPeer, Link, OuchLink, Tally, Told};
use spindle_types::{InstrumentId, Price, Symbol};
use zerocopy::IntoBytes;

use super::venue::MIDDLE;

/// The instrument of the market.
const LOCATE: u16 = 1;
const STOCK: [u8; 8] = *b"LABA    ";

/// Orders whose answers can be awaited at once.
const PLACES: usize = 1 << 16;

/// How far below the bid orders are entered, and over how many prices: they meet nobody, and none is like the one
/// before.
const BELOW: u32 = 2_000;
const PRICES: u32 = 16;

/// A market of one instrument with one order in it, which is replaced with every tick.
pub(super) struct Market {
    socket: UdpSocket,
    packet: PacketBuilder,
    reference: u64,
    /// Nanoseconds since midnight of the last message.
    time: u64,
}

impl Market {
    /// Over UDP to this address.
    pub(super) fn open(to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let packet = PacketBuilder::new(*b"LAB       ", 1, PAYLOAD_MAX);
        Ok(Self { socket, packet, reference: 1, time: 34_200_000_000_000 })
    }

    /// Begins the day: the instrument trades, and an order stands.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let time = self.time;
        let header = |kind, locate| Header::new(kind, locate, time);
        for event_code in *b"OSQ" {
            let event = SystemEvent { header: header(SystemEvent::TYPE, 0), event_code };
            self.packet.push(event.as_bytes());
            if event_code == b'O' {
                self.packet.push(StockDirectory::ordinary(LOCATE, time, STOCK).as_bytes());
            }
        }
        let trading = StockTradingAction {
            header: header(StockTradingAction::TYPE, LOCATE),
            stock: STOCK,
            trading_state: b'T',
            reserved: b' ',
            reason: *b"    ",
        };
        self.packet.push(trading.as_bytes());
        let add = AddOrder {
            header: header(AddOrder::TYPE, LOCATE),
            reference: self.reference.into(),
            side: b'B',
            shares: 1_000.into(),
            stock: STOCK,
            price: bid(self.reference).into(),
        };
        self.packet.push(add.as_bytes());
        self.send().map(|_| ())
    }

    /// Says that the market lives.
    pub(super) fn heartbeat(&self) {
        // One that is lost is as one that was not sent.
        let _ = self.socket.send(self.packet.packet());
    }

    /// Replaces the order, a cent up or down, and gives the message's number; `None` while the socket takes nothing.
    #[inline]
    fn tick(&mut self) -> Option<u64> {
        let number = self.packet.sequence();
        self.time += 1;
        let replace = OrderReplace {
            header: Header::new(OrderReplace::TYPE, LOCATE, self.time),
            reference: self.reference.into(),
            new_reference: (self.reference + 1).into(),
            shares: 1_000.into(),
            price: bid(self.reference + 1).into(),
        };
        self.packet.push(replace.as_bytes());
        match self.send() {
            Ok(true) => {
                self.reference += 1;
                Some(number)
            }
            _ => None,
        }
    }

    /// Sends the packet and begins the next; false, and the packet is empty again, where the socket takes nothing.
    fn send(&mut self) -> io::Result<bool> {
        match self.socket.send(self.packet.packet()) {
            Ok(_) => {
                self.packet.next_packet();
                Ok(true)
            }
            Err(error) => {
                let sequence = self.packet.sequence();
                self.packet = PacketBuilder::new(*b"LAB       ", sequence, PAYLOAD_MAX);
                if error.kind() == ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
            }
        }
    }
}

/// The bid of the order with this reference, in 1/10,000 dollar.
fn bid(reference: u64) -> u32 {
    if reference.is_multiple_of(2) { MIDDLE.0 } else { MIDDLE.0 - 100 }
}

/// A market and a strategy that reacts to it.
pub(super) struct Trader {
    market: Market,
    tops: TopReader,
    symbol: Symbol,
    link: OuchLink,
    /// Messages that are on their way to the strategy, with their requests.
    ticks: VecDeque<(u64, usize)>,
    waits: Box<[Option<(u64, usize)>]>,
    orders: u32,
    tally: Tally,
}

impl Trader {
    /// A strategy that reads the tops of the venue.
    pub(super) fn new(market: Market, tops: TopReader, symbol: Symbol, link: OuchLink) -> Self {
        Self {
            market,
            tops,
            symbol,
            link,
            ticks: VecDeque::with_capacity(PLACES),
            waits: vec![None; PLACES].into(),
            orders: 0,
            tally: Tally::default(),
        }
    }

    /// Whether the market's first order is in the book, and the book is good.
    pub(super) fn is_ready(&self) -> bool {
        let top = self.tops.read(InstrumentId(LOCATE));
        top.bid().is_some() && top.state == spindle_feed::top::TopState::Good
    }

    pub(super) const fn market(&mut self) -> &mut Market {
        &mut self.market
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn leave(&mut self) {
        self.link.leave();
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
const fn place_of(number: u64) -> usize {
    number as usize % PLACES
}

impl Peer for Trader {
    #[inline]
    fn send(&mut self, request: usize) -> bool {
        let number = self.market.tick();
        self.ticks.extend(number.map(|number| (number, request)));
        number.is_some()
    }

    #[inline]
    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        if let Some(&(first, _)) = self.ticks.front() {
            let seen = self.tops.read(InstrumentId(LOCATE)).sequence.0;
            if seen >= first {
                self.react(seen);
            }
        }
        let Self { link, waits, tally, .. } = self;
        link.poll(&mut |seen| {
            let place = &mut waits[place_of(seen.number)];
            let Some((_, request)) = place.take_if(|(number, _)| *number == seen.number) else {
                return;
            };
            match seen.told {
                Told::Rejected(code) => tally.refuse(code),
                _ => tally.accepted += 1,
            }
            answered(request);
        });
    }

    fn gone(&self) -> Option<String> {
        self.link.gone()
    }
}

impl Trader {
    /// An order for every message up to this one.
    fn react(&mut self, seen: u64) {
        while let Some(&(number, request)) = self.ticks.front()
            && number <= seen
        {
            let price = Price(MIDDLE.0 - BELOW - 100 * (self.orders % PRICES));
            let Some(order) = self.link.buy_at_once(self.symbol, price) else {
                return;
            };
            self.orders = self.orders.wrapping_add(1);
            self.waits[place_of(order)] = Some((order, request));
            self.ticks.pop_front();
        }
    }
}

/// What the engine's thread does in rounds of the floor: it receives, and says what it has received.
pub(super) struct FloorLine {
    socket: UdpSocket,
    seen: Arc<AtomicU64>,
    bytes: Box<[u8; 2_048]>,
}

impl FloorLine {
    /// Takes what has come.
    #[inline]
    pub(super) fn poll(&mut self) -> usize {
        let Ok(count) = self.socket.recv(&mut self.bytes[..]) else {
            return 0;
        };
        if let Some(number) = self.bytes[..count].first_chunk::<8>() {
            // Release: as the tops of a book are published.
            self.seen.store(u64::from_le_bytes(*number), Ordering::Release);
        }
        1
    }
}

/// The floor of a strategy: a packet is received on the engine's thread, which says so in a cell, and a request goes
/// to the echo.
pub(super) struct FloorTrader {
    socket: UdpSocket,
    seen: Arc<AtomicU64>,
    echo: EchoPeer,
    packet: Vec<u8>,
    sent: u64,
    ticks: VecDeque<(u64, usize)>,
}

impl FloorTrader {
    /// With what the engine's thread polls.
    pub(super) fn open(echo: EchoPeer) -> io::Result<(Self, FloorLine)> {
        let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        to.set_nonblocking(true)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to.local_addr()?)?;
        socket.set_nonblocking(true)?;
        let seen = Arc::<AtomicU64>::default();
        let line = FloorLine { socket: to, seen: Arc::clone(&seen), bytes: Box::new([0; 2_048]) };
        // As long as a packet with one replacement.
        let packet = vec![0; 20 + 2 + OrderReplace::LENGTH];
        let ticks = VecDeque::with_capacity(PLACES);
        Ok((Self { socket, seen, echo, packet, sent: 0, ticks }, line))
    }
}

impl Peer for FloorTrader {
    #[inline]
    fn send(&mut self, request: usize) -> bool {
        let number = self.sent + 1;
        self.packet[..8].copy_from_slice(&number.to_le_bytes());
        let is_sent = self.socket.send(&self.packet).is_ok();
        if is_sent {
            self.sent = number;
            self.ticks.push_back((number, request));
        }
        is_sent
    }

    #[inline]
    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        let seen = self.seen.load(Ordering::Acquire);
        while let Some(&(number, request)) = self.ticks.front()
            && number <= seen
            && self.echo.send(request)
        {
            self.ticks.pop_front();
        }
        self.echo.poll(answered);
    }

    fn gone(&self) -> Option<String> {
        self.echo.gone()
    }
}

/// The floor of a run.
#[allow(clippy::large_enum_variant, reason = "there is one")]
pub(super) enum Floor {
    /// Requests come back.
    Echo(EchoPeer),
    /// Packets are received, and then requests come back.
    Trader(FloorTrader),
}

impl Peer for Floor {
    #[inline]
    fn send(&mut self, request: usize) -> bool {
        match self {
            Self::Echo(peer) => peer.send(request),
            Self::Trader(peer) => peer.send(request),
        }
    }

    #[inline]
    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        match self {
            Self::Echo(peer) => peer.poll(answered),
            Self::Trader(peer) => peer.poll(answered),
        }
    }

    fn gone(&self) -> Option<String> {
        match self {
            Self::Echo(peer) => peer.gone(),
            Self::Trader(peer) => peer.gone(),
        }
    }
}
