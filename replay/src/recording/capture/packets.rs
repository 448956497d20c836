//! The frames of a packet capture, pcap or pcapng, one after another.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use pcap_parser::pcapng::Block;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Linktype, PcapBlockOwned, PcapError};

use super::super::RecordingError;

/// Bytes kept of the capture: room for the largest blocks that are met in earnest.
const BUFFER: usize = 1 << 18;

/// The largest block of a capture that is read. A frame has at most 256 KiB, but name resolution and
/// secrets come in blocks too.
const BLOCK_MAX: usize = 1 << 26;

/// One frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Captured<'a> {
    /// When, in nanoseconds since the Unix epoch; `None` where the capture has no time for it.
    pub(crate) time_ns: Option<u64>,
    /// Where its record begins in the capture.
    pub(crate) offset: u64,
    pub(crate) link: Linktype,
    pub(crate) bytes: &'a [u8],
    /// Bytes that the frame had on the wire.
    pub(crate) wire_length: u32,
}

/// What the whole file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    Microseconds,
    Nanoseconds,
    /// pcapng: each interface has its own.
    ByInterface,
}

#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Units in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

/// Reads a capture with bounded memory.
pub(crate) struct Packets {
    reader: Box<dyn PcapReaderIterator + Send>,
    /// Why reading failed: the parser itself only says that it did.
    failure: Arc<Mutex<Option<io::Error>>>,
    interfaces: Vec<Interface>,
    resolution: Resolution,
    legacy: Interface,
    frames: u64,
    done: bool,
}

impl Packets {
    pub(crate) fn new(input: impl Read + Send + 'static) -> Result<Self, RecordingError> {
        let failure = Arc::new(Mutex::new(None));
        let input = Remembering { input, failure: Arc::clone(&failure) };
        let reader = match pcap_parser::create_reader(BUFFER, input) {
            Ok(reader) => reader,
            Err(error) => {
                let reason = format!("its header cannot be read: {}", plain(&error));
                return Err(taken(&failure).map_or(
                    RecordingError::Damaged { offset: 0, record: 1, reason },
                    RecordingError::Io,
                ));
            }
        };
        let legacy = Interface { link: Linktype::ETHERNET, resolution: 1_000_000, offset: 0 };
        Ok(Self {
            reader,
            failure,
            interfaces: Vec::new(),
            resolution: Resolution::ByInterface,
            legacy,
            frames: 0,
            done: false,
        })
    }

    pub(crate) fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Gives the next frame to `visit`, and says whether there was one.
    pub(crate) fn next(
        &mut self,
        visit: &mut dyn FnMut(Captured<'_>),
    ) -> Result<bool, RecordingError> {
        while !self.done {
            let offset = self.reader.consumed();
            match self.reader.next() {
                Ok((length, block)) => {
                    let seen = match block {
                        PcapBlockOwned::LegacyHeader(header) => {
                            self.resolution = if header.is_nanosecond_precision() {
                                Resolution::Nanoseconds
                            } else {
                                Resolution::Microseconds
                            };
                            let nanoseconds = header.is_nanosecond_precision();
                            let resolution = if nanoseconds { 1_000_000_000 } else { 1_000_000 };
                            self.legacy = Interface { link: header.network, resolution, offset: 0 };
                            false
                        }
                        PcapBlockOwned::Legacy(frame) => {
                            let units = u64::from(frame.ts_sec) * self.legacy.resolution
                                + u64::from(frame.ts_usec);
                            visit(Captured {
                                time_ns: self.legacy.nanoseconds(units),
                                offset: offset as u64,
                                link: self.legacy.link,
                                bytes: captured(frame.data, frame.caplen),
                                wire_length: frame.origlen,
                            });
                            true
                        }
                        PcapBlockOwned::NG(block) => {
                            next_generation(&mut self.interfaces, &block, offset as u64, visit)
                        }
                    };
                    self.reader.consume(length);
                    if seen {
                        self.frames += 1;
                        return Ok(true);
                    }
                }
                Err(PcapError::Eof) => self.done = true,
                Err(error) => {
                    let error = plain(&error);
                    self.more(error, offset as u64)?;
                }
            }
        }
        Ok(false)
    }

    /// Gets the bytes that the parser lacks, or says why there are none.
    fn more(&mut self, error: Failure, offset: u64) -> Result<(), RecordingError> {
        let refused = match error {
            Failure::Incomplete => self.reader.refill().is_err(),
            Failure::TooSmall => {
                let (held, room) = (self.reader.data().len(), BLOCK_MAX);
                let grown = (held * 2).clamp(BUFFER * 2, room);
                held >= room || !self.reader.grow(grown) || self.reader.refill().is_err()
            }
            Failure::CutShort | Failure::Malformed | Failure::Unreadable => true,
        };
        if !refused {
            return Ok(());
        }
        self.done = true;
        if let Some(error) = taken(&self.failure) {
            return Err(RecordingError::Io(error));
        }
        let reason = error.to_string();
        Err(RecordingError::Damaged { offset, record: self.frames + 1, reason })
    }
}

impl Interface {
    fn nanoseconds(&self, units: u64) -> Option<u64> {
        let nanoseconds = u128::from(units) * 1_000_000_000 / u128::from(self.resolution.max(1));
        let nanoseconds = i128::try_from(nanoseconds).ok()?;
        u64::try_from(nanoseconds + i128::from(self.offset) * 1_000_000_000).ok()
    }
}

/// Visits the frame of a pcapng block, or notes its interface. Blocks without a frame are passed
/// over, and so are frames of an interface that the capture does not describe.
fn next_generation(
    interfaces: &mut Vec<Interface>,
    block: &Block<'_>,
    offset: u64,
    visit: &mut dyn FnMut(Captured<'_>),
) -> bool {
    match block {
        Block::SectionHeader(_) => interfaces.clear(),
        Block::InterfaceDescription(block) if interfaces.len() < 4096 => {
            interfaces.push(Interface {
                link: block.linktype,
                resolution: block.ts_resolution().unwrap_or(1_000_000),
                offset: block.ts_offset(),
            });
        }
        Block::EnhancedPacket(packet) => {
            let Some(interface) = interfaces.get(packet.if_id as usize) else { return false };
            let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            visit(Captured {
                time_ns: interface.nanoseconds(units),
                offset,
                link: interface.link,
                bytes: packet.packet_data(),
                wire_length: packet.origlen,
            });
            return true;
        }
        Block::SimplePacket(packet) => {
            let Some(interface) = interfaces.first() else { return false };
            visit(Captured {
                time_ns: None,
                offset,
                link: interface.link,
                bytes: packet.packet_data(),
                wire_length: packet.origlen,
            });
            return true;
        }
        _ => {}
    }
    false
}

fn captured(data: &[u8], length: u32) -> &[u8] {
    data.get(..length as usize).unwrap_or(data)
}

/// What the parser may say, without what it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Incomplete,
    TooSmall,
    CutShort,
    Malformed,
    Unreadable,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Incomplete | Self::CutShort => "the capture ends inside a block",
            Self::TooSmall => "a block of the capture claims more than 64 MiB",
            Self::Malformed => "this is no block of a capture; its lengths contradict each other",
            Self::Unreadable => "the capture cannot be read",
        })
    }
}

fn plain<T>(error: &PcapError<T>) -> Failure {
    match error {
        PcapError::Incomplete(_) => Failure::Incomplete,
        PcapError::BufferTooSmall => Failure::TooSmall,
        PcapError::UnexpectedEof | PcapError::Eof => Failure::CutShort,
        PcapError::ReadError => Failure::Unreadable,
        PcapError::HeaderNotRecognized | PcapError::NomError(..) | PcapError::OwnedNomError(..) => {
            Failure::Malformed
        }
    }
}

/// A reader that keeps its error for whoever wants to know.
struct Remembering<R> {
    input: R,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl<R: Read> Read for Remembering<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    let mut slot = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    *slot = Some(error);
                    return Err(kind.into());
                }
                Ok(count) => return Ok(count),
            }
        }
    }
}

fn taken(failure: &Mutex<Option<io::Error>>) -> Option<io::Error> {
    failure.lock().unwrap_or_else(PoisonError::into_inner).take()
}
