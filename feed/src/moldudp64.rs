//! MoldUDP64: a sequenced stream of messages in UDP packets.
//!
//! A packet is a session (10 bytes), the sequence number of its first message, a count, and that
//! many blocks of a 2-byte length and a message. All integers are big-endian. Count 0 is a
//! heartbeat, 0xFFFF the end of the session; both carry the next number to be sent.

use thiserror::Error;
use zerocopy::{BigEndian, FromBytes, Immutable, IntoBytes, KnownLayout, U16, U64, Unaligned};

/// The length of a packet without blocks, and of a request.
pub const HEADER_LENGTH: usize = size_of::<Header>();

/// The UDP payload that fits an Ethernet frame of 1,500 bytes: what exchanges fill.
pub const PAYLOAD_MAX: usize = 1_472;

/// The count that ends a session.
pub const END_OF_SESSION: u16 = 0xffff;

/// The ten bytes that name a stream. Compared raw: padding differs among senders.
pub type Session = [u8; 10];

/// The 20 bytes before the blocks. A request has the same layout: first number and how many.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// The stream.
    pub session: Session,
    /// Number of the first message; in a heartbeat and at the end the next to be sent.
    pub sequence: U64<BigEndian>,
    /// Number of blocks; 0 and 0xFFFF are special in a downstream packet.
    pub count: U16<BigEndian>,
}

const _: () = assert!(HEADER_LENGTH == 20);

/// What a downstream packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It carries messages.
    Data,
    /// The sender is idle.
    Heartbeat,
    /// The session is over.
    EndOfSession,
}

/// Why a datagram is not a packet. Such a packet is dropped whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Shorter than a header.
    #[error("a datagram of {0} bytes; a MoldUDP64 packet has at least 20")]
    Short(usize),
    /// A block runs past the end.
    #[error("block {block} of {count} ends at byte {needed} of a datagram of {got}")]
    Truncated {
        /// Which block, from 1.
        block: u16,
        /// Blocks announced.
        count: u16,
        /// Where the block would end.
        needed: usize,
        /// Bytes in the datagram.
        got: usize,
    },
    /// Bytes after the last block.
    #[error("{0} bytes after the last block of a packet")]
    Excess(usize),
    /// The numbers would pass the end of the type.
    #[error("sequence {sequence} plus {count} messages passes the highest number")]
    Overflow {
        /// First number.
        sequence: u64,
        /// Blocks announced.
        count: u16,
    },
}

/// A checked packet: every block lies inside the datagram and they fill it exactly.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a Header,
    blocks: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks a datagram.
    ///
    /// # Errors
    /// See [`PacketError`]; nothing of a refused packet may be used.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let Ok((header, blocks)) = Header::ref_from_prefix(datagram) else {
            return Err(PacketError::Short(datagram.len()));
        };
        let packet = Self { header, blocks };
        let count = packet.message_count();
        let sequence = header.sequence.get();
        if sequence.checked_add(u64::from(count)).is_none() {
            return Err(PacketError::Overflow { sequence, count });
        }
        let mut rest = blocks;
        for block in 1..=count {
            rest = match split_block(rest) {
                Some((_, rest)) => rest,
                None => {
                    let start = datagram.len() - rest.len();
                    let length = rest.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
                    let needed = start + 2 + usize::from(length);
                    let got = datagram.len();
                    return Err(PacketError::Truncated { block, count, needed, got });
                }
            };
        }
        if !rest.is_empty() {
            return Err(PacketError::Excess(rest.len()));
        }
        Ok(packet)
    }

    /// What the packet is.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self.header.count.get() {
            0 => Kind::Heartbeat,
            END_OF_SESSION => Kind::EndOfSession,
            _ => Kind::Data,
        }
    }

    /// The stream.
    #[inline]
    pub fn session(&self) -> &'a Session {
        &self.header.session
    }

    /// Number of the first message, or the next to be sent.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.header.sequence.get()
    }

    /// Messages inside: 0 in heartbeats and at the end of the session.
    #[inline]
    pub fn message_count(&self) -> u16 {
        match self.header.count.get() {
            END_OF_SESSION => 0,
            count => count,
        }
    }

    /// The number after the last message of this packet.
    #[inline]
    pub fn next_sequence(&self) -> u64 {
        self.sequence() + u64::from(self.message_count())
    }

    /// The messages, in order.
    #[inline]
    pub fn messages(&self) -> Messages<'a> {
        Messages { rest: self.blocks }
    }
}

/// The messages of a packet.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (message, rest) = split_block(self.rest)?;
        self.rest = rest;
        Some(message)
    }
}

/// The blocks of a datagram that nobody has checked, as far as they are whole: for looking at what is
/// coming, not for using it.
#[inline]
pub fn blocks(datagram: &[u8]) -> Messages<'_> {
    Messages { rest: datagram.get(HEADER_LENGTH..).unwrap_or_default() }
}

/// The messages of a datagram that nobody has checked, each with all that lies behind it: for who looks at fields of what may come
/// there without asking first whether it does.
#[inline]
pub fn ahead(datagram: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut blocks = blocks(datagram);
    std::iter::from_fn(move || {
        let message = blocks.rest.get(2..)?;
        blocks.next().map(|_| message)
    })
}

#[inline]
fn split_block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Fills one packet after another, message by message.
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    bytes: Vec<u8>,
    payload_max: usize,
    count: u16,
}

impl PacketBuilder {
    /// A builder of packets for `session` with at most `payload_max` bytes, the first message of
    /// which has number `sequence`. `payload_max` is kept between 64 and 65,507, the largest UDP
    /// payload over IPv4.
    pub fn new(session: Session, sequence: u64, payload_max: usize) -> Self {
        let payload_max = payload_max.clamp(64, 65_507);
        let mut bytes = Vec::with_capacity(payload_max);
        bytes.extend_from_slice(header(session, sequence, 0).as_bytes());
        Self { bytes, payload_max, count: 0 }
    }

    /// Appends a message if it still fits, and says whether it did. A message that does not fit an
    /// empty packet never will.
    pub fn push(&mut self, message: &[u8]) -> bool {
        let Ok(length) = u16::try_from(message.len()) else {
            return false;
        };
        let fits = self.bytes.len() + 2 + message.len() <= self.payload_max;
        if !fits || self.count == END_OF_SESSION - 1 {
            return false;
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(message);
        self.count += 1;
        self.bytes[18..20].copy_from_slice(&self.count.to_be_bytes());
        true
    }

    /// Messages in the packet so far.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Number of the packet's first message.
    pub fn sequence(&self) -> u64 {
        let bytes = self.bytes[10..18].first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(bytes)
    }

    /// The packet as it stands: a heartbeat while it is empty.
    pub fn packet(&self) -> &[u8] {
        &self.bytes
    }

    /// Begins the packet that follows this one.
    pub fn next_packet(&mut self) {
        let sequence = self.sequence() + u64::from(self.count);
        self.bytes.truncate(HEADER_LENGTH);
        self.bytes[10..18].copy_from_slice(&sequence.to_be_bytes());
        self.bytes[18..20].copy_from_slice(&[0, 0]);
        self.count = 0;
    }
}

/// A packet without blocks: count 0 is a heartbeat, [`END_OF_SESSION`] the end; as a request, how
/// many messages are wanted from `sequence` on.
pub const fn header(session: Session, sequence: u64, count: u16) -> Header {
    Header { session, sequence: U64::new(sequence), count: U16::new(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
            .collect()
    }

    const REAL: &str = "30303030313030353942 0000000000e12f5a 0001 0013 \
        440dbd00001f1aced85ad80000000001668bd6";

    #[test]
    fn who_looks_ahead_sees_each_message_and_all_behind_it() {
        let mut builder = PacketBuilder::new(*b"SESSION   ", 1, 200);
        assert!([&b"one"[..], b"", b"three"].iter().all(|message| builder.push(message)));
        let mut datagram = builder.packet().to_vec();
        // A block that is cut off is none.
        datagram.extend([0, 9, b'x']);
        let messages: Vec<_> = blocks(&datagram).collect();
        let seen: Vec<_> = ahead(&datagram).collect();
        assert_eq!((messages.len(), seen.len()), (3, 3));
        for (message, seen) in messages.iter().zip(&seen) {
            assert!(seen.starts_with(message) && datagram.ends_with(seen));
        }
        assert_eq!(seen[2], b"three\0\x09x");
        assert_eq!(ahead(&[]).count() + ahead(&datagram[..HEADER_LENGTH]).count(), 0);
    }

    #[test]
    fn a_real_packet_survives_decoding_and_encoding() {
        let wire = bytes(REAL);
        let packet = Packet::parse(&wire).expect("a packet");
        assert_eq!(packet.kind(), Kind::Data);
        assert_eq!(packet.session(), b"000010059B");
        assert_eq!(packet.sequence(), 14_757_722);
        assert_eq!(packet.next_sequence(), 14_757_723);
        let messages: Vec<_> = packet.messages().collect();
        assert_eq!(messages, [&wire[22..]]);

        let mut builder = PacketBuilder::new(*packet.session(), packet.sequence(), PAYLOAD_MAX);
        for message in messages {
            assert!(builder.push(message));
        }
        assert_eq!(builder.packet(), wire);
        builder.next_packet();
        assert_eq!(builder.packet(), header(*b"000010059B", 14_757_723, 0).as_bytes());
    }

    #[test]
    fn heartbeat_and_end_of_session_are_told_apart() {
        let heartbeat = bytes("30303030313030353942 0000000000000004 0000");
        let packet = Packet::parse(&heartbeat).expect("a packet");
        assert_eq!((packet.kind(), packet.next_sequence()), (Kind::Heartbeat, 4));
        let end = bytes("30303030313030353942 0000000000000004 ffff");
        let packet = Packet::parse(&end).expect("a packet");
        assert_eq!((packet.kind(), packet.next_sequence()), (Kind::EndOfSession, 4));
        assert_eq!(header(*b"000010059B", 4, END_OF_SESSION).as_bytes(), end);
    }

    #[test]
    fn packets_whose_lengths_lie_are_refused_whole() {
        let wire = bytes(REAL);
        assert_eq!(Packet::parse(&wire[..19]).unwrap_err(), PacketError::Short(19));
        assert_eq!(
            Packet::parse(&wire[..40]).unwrap_err(),
            PacketError::Truncated { block: 1, count: 1, needed: 41, got: 40 }
        );
        let mut longer = wire.clone();
        longer.push(0);
        assert_eq!(Packet::parse(&longer).unwrap_err(), PacketError::Excess(1));
        let mut far = wire;
        far[10..18].fill(0xff);
        assert_eq!(
            Packet::parse(&far).unwrap_err(),
            PacketError::Overflow { sequence: u64::MAX, count: 1 }
        );
    }

    #[test]
    fn a_full_packet_takes_no_more() {
        let mut builder = PacketBuilder::new(*b"S         ", 1, 64);
        assert!(builder.push(&[1; 42]));
        assert!(!builder.push(&[2; 1]));
        assert!(!builder.push(&[2; 0]));
        builder.next_packet();
        assert_eq!((builder.sequence(), builder.count()), (2, 0));
        assert!(!builder.push(&[0; 70_000]));
        assert!(builder.push(&[]), "an empty message uses up a number");
    }
}
