//! What a recording yields.

use spindle_feed::event::MarketEvent;

/// Records that stay valid together.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// ITCH 5.0 messages, as on the wire.
    Itch(Messages<'a>),
    /// Market events, from formats that carry other messages.
    Events(Events<'a>),
}

impl Batch<'_> {
    /// Records in the batch; at least 1.
    pub fn len(&self) -> usize {
        match self {
            Self::Itch(messages) => messages.len(),
            Self::Events(events) => events.events.len(),
        }
    }

    /// Whether the batch is empty. A source never gives an empty one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Market events of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    /// The number of the first, from 1.
    pub first_sequence: u64,
    /// The events, in order.
    pub events: &'a [MarketEvent],
}

/// Where a message lies inside its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// First byte of the message, behind its length prefix.
    pub(crate) start: u32,
    /// The byte after its last.
    pub(crate) end: u32,
}

/// Where in the input the packet begins that brought a message and those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Index of the first message.
    pub(crate) first: u32,
    /// Byte of the input at which its packet begins.
    pub(crate) offset: u64,
}

/// How places in a block relate to places in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Places<'a> {
    /// The block is a piece of the input, which begins at this byte.
    Piece(u64),
    /// Each message came in some packet.
    Packets(&'a [Origin]),
}

/// Messages of a batch: views into one block of the input, with random access, so that a consumer
/// can look ahead.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    block: &'a [u8],
    frames: &'a [Frame],
    first_sequence: u64,
    places: Places<'a>,
}

impl<'a> Messages<'a> {
    /// Messages inside `block`. Where the block is a piece of the input, every frame has a two-byte
    /// length prefix before it.
    pub(crate) fn new(
        block: &'a [u8],
        frames: &'a [Frame],
        first_sequence: u64,
        places: Places<'a>,
    ) -> Self {
        Self { block, frames, first_sequence, places }
    }

    /// Messages.
    #[inline]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none. A source never gives an empty batch.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The message at `index`, or `None` past the last: for looking ahead.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let frame = self.frames.get(index)?;
        self.block.get(frame.start as usize..frame.end as usize)
    }

    /// The message at `index`; empty past the last.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.get(index).unwrap_or_default()
    }

    /// The message at `index` with whatever lies behind it in memory, and the message's length. Empty
    /// past the last.
    #[inline]
    pub fn in_place(&self, index: usize) -> (&'a [u8], usize) {
        let Some(frame) = self.frames.get(index) else {
            return (&[], 0);
        };
        let bytes = self.block.get(frame.start as usize..).unwrap_or_default();
        (bytes, (frame.end - frame.start) as usize)
    }

    /// The number of the message at `index` within the recording, from 1.
    #[inline]
    pub fn sequence(&self, index: usize) -> u64 {
        self.first_sequence + index as u64
    }

    /// Where the record at `index`, with its length prefix, begins in the input; of a capture, where
    /// the packet with the message begins. Of a compressed file, in what it unpacks to. Past the last
    /// record, where the batch ends, or its last packet begins.
    pub fn offset(&self, index: usize) -> u64 {
        match self.places {
            Places::Piece(offset) => {
                let within = match self.frames.get(index) {
                    Some(frame) => u64::from(frame.start).saturating_sub(2),
                    None => self.frames.last().map_or(0, |frame| u64::from(frame.end)),
                };
                offset + within
            }
            Places::Packets(origins) => {
                let after = origins.partition_point(|origin| origin.first as usize <= index);
                after.checked_sub(1).map_or(0, |at| origins[at].offset)
            }
        }
    }

    /// The messages, in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let block = self.block;
        self.frames
            .iter()
            .map(move |frame| block.get(frame.start as usize..frame.end as usize).unwrap_or(&[]))
    }
}
