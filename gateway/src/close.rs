//! Why connections end, whatever their protocol.

use std::io;

use thiserror::Error;

use crate::fix::session::Close;
use crate::lockstep::WaitError;
use crate::ouch::DecodeError;
use crate::soup::codec::FrameError;
use crate::soup::login::Refusal;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CloseCause {
    /// The client closed its side.
    #[error("the client closed the connection")]
    PeerClosed,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(io::ErrorKind),
    /// The client logged out.
    #[error("logout")]
    Logout,
    /// No login in time.
    #[error("no login in time")]
    NoLogin,
    /// Nothing came for too long.
    #[error("nothing came for too long, not even a heartbeat")]
    Silent,
    /// Bytes wait and the client takes none.
    #[error("the client takes nothing: {waiting} bytes wait")]
    Stalled {
        /// Bytes of the stream not yet sent.
        waiting: u64,
    },
    /// The client reads more slowly than its answers come.
    #[error("the client reads too slowly: {waiting} bytes wait; at most {waiting_max} may")]
    SlowConsumer {
        /// Bytes that came up after the login and are not yet sent.
        waiting: u64,
        /// How many may wait.
        waiting_max: u64,
    },
    /// Bytes that are no packet.
    #[error("{0}")]
    Frame(FrameError),
    /// In lockstep: a debug packet that is no wait.
    #[error("{0}")]
    Wait(WaitError),
    /// A packet that has no place here.
    #[error("packet type '{}' {}", char::from(*.packet_type), if *.logged_in {
        "does not come from a client"
    } else {
        "before the login"
    })]
    Unexpected {
        /// The type.
        packet_type: u8,
        /// Whether the client was logged in.
        logged_in: bool,
    },
    /// A login on a connection that has one.
    #[error("a second login on one connection")]
    SecondLogin,
    /// An unsequenced packet whose content is no OUCH message.
    #[error("{0}")]
    Message(DecodeError),
    /// The login was refused.
    #[error("login refused: {0}")]
    Refused(Refusal),
    /// The session's stream is full.
    #[error("the session's stream holds {bytes} bytes and takes only answers to what is open")]
    StreamFull {
        /// Bytes in the stream.
        bytes: u64,
    },
    /// A request on a drop copy.
    #[error("a request on a drop copy, which only reads")]
    ReadOnly,
    /// More requests than the session may send.
    #[error("more requests than the session's {rate} a second")]
    Throttled {
        /// Requests a second.
        rate: u32,
    },
    /// The session ended.
    #[error("end of session")]
    EndOfSession,
    /// A FIX session.
    #[error("{0}")]
    Fix(Close),
}

impl CloseCause {
    /// Whether the last bytes are written and the client shall be able to read them.
    pub(crate) const fn is_orderly(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::EndOfSession
                | Self::Fix(
                    Close::Logout | Close::LoggedOut(_) | Close::NoAnswer(_) | Close::Fatal(_)
                )
        )
    }
}
