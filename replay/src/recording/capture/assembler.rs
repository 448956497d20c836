//! From MoldUDP64 packets to messages in order, in a block that can be handed out.

use spindle_feed::moldudp64::{Kind, Packet};
use spindle_feed::stream::{Delivery, Join, Origin as Line, RequestLimits, Stream, StreamConfig};

use super::super::batch::{Frame, Messages, Origin, Places};

/// Messages of one batch; a packet that fills it is still taken whole.
const BATCH: usize = 4096;

/// How long a gap on all lines stays open in the time of the capture, in nanoseconds: longer than
/// any skew between two lines of one exchange.
const GAP_WAIT_NS: u64 = 1_000_000_000;

/// Puts packets of one line, or of two lines that carry the same stream, in order.
pub(crate) struct Assembler {
    order: Order,
    lines: usize,
    clock: u64,
    /// The number of the batch's first message.
    sequence: u64,
    block: Vec<u8>,
    frames: Vec<Frame>,
    origins: Vec<Origin>,
    /// Packets that are none, or have no place in the stream.
    pub(crate) malformed: u64,
}

/// How packets are brought in order.
enum Order {
    /// Not known before the first packet.
    Open,
    /// By their numbers.
    Numbered(Box<Stream>),
    /// As they were captured: the numbers were taken out, which publishers of captures do.
    Unnumbered,
}

impl Assembler {
    /// For a stream that comes on so many lines, 1 or 2.
    pub(crate) fn new(lines: usize) -> Self {
        Self {
            order: Order::Open,
            lines,
            clock: 0,
            sequence: 1,
            block: Vec::with_capacity(1 << 17),
            frames: Vec::with_capacity(BATCH),
            origins: Vec::new(),
            malformed: 0,
        }
    }

    /// Takes a packet that was captured on `line` at `time_ns` and begins at byte `offset`.
    pub(crate) fn packet(&mut self, line: u8, bytes: &[u8], time_ns: Option<u64>, offset: u64) {
        self.clock = self.clock.max(time_ns.unwrap_or(0));
        let Ok(packet) = Packet::parse(bytes) else {
            self.malformed += 1;
            return;
        };
        if matches!(self.order, Order::Open) {
            self.order = match (packet.sequence(), packet.kind()) {
                (0, Kind::Data) => Order::Unnumbered,
                _ => stream(self.lines),
            };
        }
        let mut out = Out {
            block: &mut self.block,
            frames: &mut self.frames,
            origins: &mut self.origins,
            offset,
        };
        match &mut self.order {
            Order::Open => {}
            Order::Unnumbered => packet.messages().for_each(|message| out.push(message)),
            Order::Numbered(stream) => {
                stream.on_datagram(Line::Line(line), bytes, self.clock, &mut |delivery| {
                    out.deliver(delivery);
                });
                stream.on_timer(self.clock, &mut |delivery| out.deliver(delivery));
            }
        }
    }

    /// Gives up all gaps: nothing more comes.
    pub(crate) fn finish(&mut self, offset: u64) {
        if let Order::Numbered(stream) = &mut self.order {
            let mut out = Out {
                block: &mut self.block,
                frames: &mut self.frames,
                origins: &mut self.origins,
                offset,
            };
            let end = self.clock.saturating_add(2 * GAP_WAIT_NS);
            stream.on_timer(end, &mut |delivery| out.deliver(delivery));
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.frames.len() >= BATCH
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Empties the batch.
    pub(crate) fn next_batch(&mut self) {
        self.sequence += self.frames.len() as u64;
        self.block.clear();
        self.frames.clear();
        self.origins.clear();
    }

    pub(crate) fn messages(&self) -> Messages<'_> {
        let places = Places::Packets(&self.origins);
        Messages::new(&self.block, &self.frames, self.sequence, places)
    }

    /// What the stream counted; `None` where packets had no numbers.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        match &self.order {
            Order::Numbered(stream) => Some(stream),
            Order::Open | Order::Unnumbered => None,
        }
    }
}

fn stream(lines: usize) -> Order {
    let requests = RequestLimits { servers: 0, ..StreamConfig::default().requests };
    let config = StreamConfig {
        lines,
        join: Join::Here,
        gap_wait_ns: GAP_WAIT_NS,
        requests,
        ..StreamConfig::default()
    };
    // One or two lines and the defaults are inside their ranges.
    Stream::new(config).map_or(Order::Unnumbered, |stream| Order::Numbered(Box::new(stream)))
}

/// Where delivered messages go.
struct Out<'a> {
    block: &'a mut Vec<u8>,
    frames: &'a mut Vec<Frame>,
    origins: &'a mut Vec<Origin>,
    offset: u64,
}

impl Out<'_> {
    fn deliver(&mut self, delivery: Delivery<'_>) {
        if let Delivery::Message { bytes, .. } = delivery {
            self.push(bytes);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "a batch is far shorter than 4 GiB")]
    fn push(&mut self, message: &[u8]) {
        let index = self.frames.len() as u32;
        if self.origins.last().is_none_or(|origin| origin.offset != self.offset) {
            self.origins.push(Origin { first: index, offset: self.offset });
        }
        let start = self.block.len() as u32;
        self.block.extend_from_slice(message);
        self.frames.push(Frame { start, end: self.block.len() as u32 });
    }
}
