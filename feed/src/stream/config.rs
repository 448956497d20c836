//! What a stream is told at the start.

use thiserror::Error;

use crate::moldudp64::Session;

/// Lines that can carry the same stream.
pub const LINES_MAX: usize = 2;

/// Request servers that a stream can ask in turn.
pub const SERVERS_MAX: usize = 16;

/// Requests that can wait for their answers at once: each packet in a gap looks at all of them.
pub const OUTSTANDING_MAX: usize = 64;

/// Where a stream begins when its first packet is not the first of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Message 1: what was sent before is asked for; what no server gives is lost.
    First,
    /// The first packet: what was sent before is reported as lost and never asked for.
    Here,
}

/// How many messages can wait behind a gap. All three bounds hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// How far a held message's number may be from the next to be delivered; rounded up to a power
    /// of two. Up to 2^24.
    pub messages: u32,
    /// Bytes of held messages. Up to 2^31.
    pub bytes: u32,
    /// Packets that held messages came in. Up to 2^24.
    pub packets: u32,
}

/// How a gap is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Request servers, 0 to [`SERVERS_MAX`]. With none, what both lines miss is lost after
    /// [`StreamConfig::gap_wait_ns`].
    pub servers: usize,
    /// How long a server has for its answer, in nanoseconds. Then the next is asked.
    pub timeout_ns: u64,
    /// How often the same messages are asked for before they are lost, over all servers.
    pub attempts: u32,
    /// How many requests may wait for their answers at once, up to [`OUTSTANDING_MAX`].
    pub outstanding: usize,
    /// Messages in one request. An answer holds as many as fit one packet, so a few dozen are
    /// enough; the rest of a short answer is asked for again.
    pub messages: u16,
    /// Requests a second, over all servers.
    pub per_second: u32,
    /// When no server has answered anything for this long, in nanoseconds, all that is missing
    /// that long is lost at once, so that a dead server does not delay a long gap chunk by chunk.
    pub silence_ns: u64,
}

/// What a stream is told at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Lines that carry the stream: 1 or 2.
    pub lines: usize,
    /// The session, or `None` to learn it from the first packet.
    pub session: Option<Session>,
    /// Where to begin.
    pub join: Join,
    /// Whether another session may follow after the end of one.
    pub rollover: bool,
    /// How long a gap waits for the other line before it is asked for, in nanoseconds. About twice
    /// the 99.9th percentile of the skew between the lines is a good value.
    pub gap_wait_ns: u64,
    /// After how long without any datagram a line counts as silent, in nanoseconds: several
    /// heartbeat periods.
    pub alarm_ns: u64,
    /// What can wait behind a gap.
    pub hold: HoldLimits,
    /// How far ahead, in messages, a packet may be without being doubted.
    pub jump_max: u64,
    /// How many packets must agree on a place further ahead than that before it is believed. What
    /// lies between is lost then without being asked for.
    pub jump_packets: u32,
    /// How a gap is asked for.
    pub requests: RequestLimits,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            lines: 2,
            session: None,
            join: Join::First,
            rollover: true,
            gap_wait_ns: 1_000_000,
            alarm_ns: 3_000_000_000,
            hold: HoldLimits { messages: 1 << 19, bytes: 32 << 20, packets: 1 << 17 },
            jump_max: 1 << 20,
            jump_packets: 3,
            requests: RequestLimits {
                servers: 0,
                timeout_ns: 10_000_000,
                attempts: 20,
                outstanding: 16,
                messages: 32,
                per_second: 20_000,
                silence_ns: 500_000_000,
            },
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value outside its range.
    #[error("{name} is {value}; it must be between {least} and {most}")]
    Range {
        /// Which value.
        name: &'static str,
        /// What it is.
        value: u64,
        /// Its least.
        least: u64,
        /// Its most.
        most: u64,
    },
}

impl StreamConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value outside its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (hold, requests) = (&self.hold, &self.requests);
        let checks = [
            ("lines", self.lines as u64, 1, LINES_MAX as u64),
            ("hold.messages", hold.messages.into(), 1, 1 << 24),
            ("hold.bytes", hold.bytes.into(), 1, 1 << 31),
            ("hold.packets", hold.packets.into(), 1, 1 << 24),
            ("jump_max", self.jump_max, 1, u64::MAX >> 1),
            ("jump_packets", self.jump_packets.into(), 1, 1_000),
            ("requests.servers", requests.servers as u64, 0, SERVERS_MAX as u64),
            ("requests.timeout_ns", requests.timeout_ns, 1, u64::MAX >> 1),
            ("requests.attempts", requests.attempts.into(), 1, 1_000),
            ("requests.outstanding", requests.outstanding as u64, 1, OUTSTANDING_MAX as u64),
            ("requests.messages", requests.messages.into(), 1, 0xfffe),
            ("requests.per_second", requests.per_second.into(), 1, 1_000_000_000),
            ("requests.silence_ns", requests.silence_ns, 1, u64::MAX >> 1),
        ];
        for (name, value, least, most) in checks {
            if value < least || value > most {
                return Err(ConfigError::Range { name, value, least, most });
            }
        }
        Ok(())
    }
}
