use std::io::Read;

use spindle_feed::moldudp64::{END_OF_SESSION, HEADER_LENGTH, Packet};

use super::capture::Assembler;
use super::window::Window;
use super::{Batch, Format, RecordingError, Source};

/// The largest UDP payload over IPv4.
pub(crate) const DATAGRAM_MAX: usize = 65_507;

/// MoldUDP64 packets written one after another, with nothing between.
pub(crate) struct MoldFile<R> {
    packets: MoldPackets<R>,
    assembler: Assembler,
    error: Option<RecordingError>,
    done: bool,
}

/// The packets of such a file.
pub(crate) struct MoldPackets<R> {
    window: Window<R>,
    packets: u64,
}

impl<R: Read> MoldPackets<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { window: Window::new(input, 2 * DATAGRAM_MAX), packets: 0 }
    }

    /// Gives the next packet and the byte at which it begins to `visit`, and says whether there was
    /// one.
    pub(crate) fn next(&mut self, visit: impl FnOnce(&[u8], u64)) -> Result<bool, RecordingError> {
        let offset = self.window.offset();
        let record = self.packets + 1;
        let ahead = self.window.ahead(DATAGRAM_MAX)?;
        if ahead.is_empty() {
            return Ok(false);
        }
        match extent(ahead) {
            Ok(length) => {
                visit(&ahead[..length], offset);
                self.window.consume(length);
                self.packets += 1;
                Ok(true)
            }
            Err(reason) => Err(RecordingError::Damaged { offset, record, reason }),
        }
    }

    /// What is left of a packet that is not whole.
    pub(crate) fn rest(&mut self) -> &[u8] {
        self.window.ahead(0).unwrap_or_default()
    }
}

/// How many bytes the packet at the front has, by its blocks.
fn extent(bytes: &[u8]) -> Result<usize, String> {
    let Some(header) = bytes.first_chunk::<HEADER_LENGTH>() else {
        let got = bytes.len();
        return Err(format!("the file ends {got} bytes into a packet's header of 20"));
    };
    let count = match u16::from_be_bytes([header[18], header[19]]) {
        END_OF_SESSION => 0,
        count => count,
    };
    let mut at = HEADER_LENGTH;
    for block in 1..=count {
        let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Err(format!("the file ends before message {block} of {count} of the packet"));
        };
        let end = at + 2 + usize::from(u16::from_be_bytes(*length));
        if end > bytes.len() {
            let (needed, got) = (end - at, bytes.len() - at);
            return Err(format!(
                "message {block} of {count} of the packet needs {needed} bytes, there are {got}"
            ));
        }
        at = end;
    }
    Ok(at)
}

/// Whether the bytes begin with a MoldUDP64 packet: a session of printable characters or of zeroes, a
/// plausible number, and blocks that lie inside the bytes or run to their end, with the same session
/// behind them.
pub(crate) fn looks_like_mold(head: &[u8]) -> bool {
    let Some((session, rest)) = head.split_first_chunk::<10>() else { return false };
    let Some(header) = rest.first_chunk::<10>() else { return false };
    let printable = session.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    let blank = session.iter().all(|&byte| byte == 0);
    let plausible = header[0] == 0 && header[1] == 0;
    if !(printable || blank) || !plausible || (blank && header.iter().all(|&byte| byte == 0)) {
        return false;
    }
    match extent(head) {
        Ok(length) => {
            let next = &head[length..];
            let shown = next.len().min(10);
            Packet::parse(&head[..length]).is_ok() && next[..shown] == session[..shown]
        }
        // A first packet that runs past what is seen of the file, or past its end.
        Err(_) => head.len() < DATAGRAM_MAX && head.len() > HEADER_LENGTH,
    }
}

impl<R: Read> MoldFile<R> {
    pub(crate) fn new(input: R) -> Self {
        let packets = MoldPackets::new(input);
        Self { packets, assembler: Assembler::new(1), error: None, done: false }
    }
}

impl<R: Read + Send> Source for MoldFile<R> {
    fn format(&self) -> Format {
        Format::Mold
    }

    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.assembler.next_batch();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let assembler = &mut self.assembler;
        while !assembler.is_full() && !self.done {
            match self.packets.next(|packet, offset| assembler.packet(0, packet, None, offset)) {
                Ok(true) => {}
                Ok(false) => self.done = true,
                Err(error) => {
                    self.done = true;
                    self.error = Some(error);
                }
            }
            if self.done {
                assembler.finish(self.packets.window.offset());
            }
        }
        if assembler.is_empty()
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        Ok(!self.assembler.is_empty())
    }

    fn batch(&self) -> Batch<'_> {
        Batch::Itch(self.assembler.messages())
    }

    fn notes(&self) -> Vec<String> {
        let lost = self.assembler.stream().map_or(0, |stream| stream.counters().gaps.lost);
        if lost > 0 { vec![format!("{lost} messages lost in gaps of the numbers")] } else { vec![] }
    }
}
