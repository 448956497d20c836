//! The outside feed of a configuration.

use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Checker, ConfigError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedTable {
    #[serde(rename = "line")]
    lines: Vec<FeedLineTable>,
    #[serde(default)]
    receive: ReceivePath,
    session: Option<String>,
    #[serde(default)]
    request: Vec<String>,
    #[serde(default)]
    join: JoinAt,
    #[serde(default = "default_receive_buffer")]
    receive_buffer_bytes: usize,
    #[serde(default = "default_silence")]
    silence_ms: u64,
    #[serde(default = "default_quarantine")]
    quarantine_percent: Decimal,
}

const fn default_silence() -> u64 {
    3_000
}

fn default_quarantine() -> Decimal {
    Decimal::from(50)
}

const fn default_receive_buffer() -> usize {
    4 << 20
}

/// Which receive path the feed takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum ReceivePath {
    /// io_uring where the kernel allows it, otherwise `recvmmsg`.
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// `recvmmsg`, spinning: the default, because it measured best (docs/measuring.md).
    #[default]
    Recvmmsg,
    /// `recvmsg`, spinning.
    Recv,
}

/// Where a feed begins when its first packet is not the first of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JoinAt {
    /// Message 1: what was sent before is asked for, and lost where nobody gives it.
    #[default]
    First,
    /// The first packet: what was sent before is lost, and every book stale.
    Here,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedLineTable {
    address: String,
    interface: Option<String>,
    source: Option<String>,
}

/// One line of a feed.
#[derive(Clone, Debug)]
pub struct FeedLine {
    /// The group and port, or the local address and port for unicast.
    pub address: SocketAddr,
    /// The interface on which the packets arrive, by name; the kernel's choice where left out.
    pub interface: Option<String>,
    /// The one address that packets are taken from.
    pub source: Option<IpAddr>,
}

/// An outside feed.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// One line or two that carry the same stream.
    pub lines: Vec<FeedLine>,
    /// How packets are received.
    pub receive: ReceivePath,
    /// The MoldUDP64 session; `None` takes the first that is seen.
    pub session: Option<[u8; 10]>,
    /// Request servers, asked in turn for what both lines miss.
    pub request: Vec<SocketAddr>,
    /// Where to begin.
    pub join: JoinAt,
    /// What is asked of the kernel for each socket.
    pub receive_buffer_bytes: usize,
    /// Milliseconds without a message or a heartbeat after which every top of book is stale and no
    /// order is taken.
    pub silence_ms: u64,
    /// How far a market may leave its place at once before it is put into quarantine, in basis
    /// points; `None` watches nothing.
    pub quarantine_basis_points: Option<u32>,
}

impl Checker<'_> {
    pub(super) fn feed(&self, table: &FeedTable) -> Result<FeedConfig, ConfigError> {
        if table.lines.is_empty() || table.lines.len() > 2 {
            let message = format!("{} lines; give one or two [[feed.line]]", table.lines.len());
            return Err(self.wrong("[feed]", message));
        }
        let session = match &table.session {
            None => None,
            Some(session) => {
                let text = self.text(session, 10, "[feed] session")?;
                let mut bytes = [b' '; 10];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Some(bytes)
            }
        };
        Ok(FeedConfig {
            lines: table.lines.iter().map(|line| self.line(line)).collect::<Result<_, _>>()?,
            receive: table.receive,
            session,
            request: table
                .request
                .iter()
                .map(|text| self.address(text, "[feed] request"))
                .collect::<Result<_, _>>()?,
            join: table.join,
            receive_buffer_bytes: table.receive_buffer_bytes,
            silence_ms: match table.silence_ms {
                0 => return Err(self.wrong("[feed] silence_ms", "it is 0; give at least 1")),
                silence => silence,
            },
            quarantine_basis_points: self
                .quarantine(table.quarantine_percent, "[feed] quarantine_percent")?,
        })
    }

    /// How far a market may jump; `None` where nobody watches it.
    pub(super) fn quarantine(
        &self,
        percent: Decimal,
        place: &str,
    ) -> Result<Option<u32>, ConfigError> {
        Ok(Some(self.basis_points(percent, place)?).filter(|&points| points > 0))
    }

    fn line(&self, table: &FeedLineTable) -> Result<FeedLine, ConfigError> {
        let address = self.address(&table.address, "[[feed.line]] address")?;
        let source = table.source.as_ref().map(|text| {
            let place = "[[feed.line]] source";
            text.parse().map_err(|_| {
                self.wrong(place, format!("'{text}' is no address; give one such as 10.0.0.1"))
            })
        });
        Ok(FeedLine { address, interface: table.interface.clone(), source: source.transpose()? })
    }
}
