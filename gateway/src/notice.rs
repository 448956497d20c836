//! What the gateway has to say to people. It says it as values, on a bounded ring; formatting and
//! writing are for whoever reads the ring.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use spindle_types::SessionId;

use crate::ouch::remark::Remark;
use crate::soup::login::Refusal;
use crate::soup::server::CloseCause;

/// Something worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayNotice {
    /// A client connected.
    Connected {
        /// From where.
        peer: SocketAddr,
    },
    /// A client was turned away before a word was said.
    TurnedAway {
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: Away,
    },
    /// Accepting failed, for instance for want of file descriptors. Told once for each run of
    /// failures.
    AcceptFailed {
        /// Why.
        error: io::ErrorKind,
    },
    /// A user logged in.
    LoggedIn {
        /// Who.
        user: UserName,
        /// From where.
        peer: SocketAddr,
        /// The number from which the stream goes on.
        sequence: u64,
        /// The number of the next new message: what lies between is replayed.
        next_sequence: u64,
    },
    /// A login was refused.
    Refused {
        /// What the client called itself.
        user: UserName,
        /// From where.
        peer: SocketAddr,
        /// Why.
        refusal: Refusal,
    },
    /// A connection is closed.
    Closed {
        /// Whose; `None` before the login.
        user: Option<UserName>,
        /// From where.
        peer: SocketAddr,
        /// Why.
        cause: CloseCause,
    },
    /// A request was refused or ignored because of something that the venue does not take.
    NotTaken {
        /// Whose.
        user: UserName,
        /// What.
        remark: Remark,
    },
    /// A session's stream has reached its limit: new orders are refused from here on.
    StreamFull {
        /// Whose.
        user: UserName,
        /// Bytes in the stream.
        bytes: u64,
    },
    /// A drop copy has no more room.
    CopyFull {
        /// Whose.
        user: UserName,
        /// Bytes that are kept.
        bytes: u64,
        /// Whether it ends with that: otherwise its oldest reports make room for new ones.
        ends: bool,
    },
    /// The engine told something to a session that this gateway does not have: an error of the
    /// wiring. Told once.
    Unrouted {
        /// Which session.
        session: SessionId,
    },
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// All places are taken.
    Full {
        /// How many there are.
        connections_max: usize,
    },
    /// All places of its address are taken.
    AddressFull {
        /// How many there are.
        connections_max: usize,
    },
    /// Its address is not in the port's list.
    Address,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { connections_max } => {
                write!(f, "all {connections_max} places are taken")
            }
            Self::AddressFull { connections_max } => {
                write!(f, "all {connections_max} places for its address are taken")
            }
            Self::Address => f.write_str("its address is not in the list of this port"),
        }
    }
}

/// A name as a client wrote it: a SoupBinTCP user or a FIX CompID.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserName([u8; Self::LENGTH_MAX]);

impl UserName {
    /// The longest name that is told whole.
    pub const LENGTH_MAX: usize = 32;

    /// A name; what is longer is cut.
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [b' '; Self::LENGTH_MAX];
        for (byte, from) in bytes.iter_mut().zip(name) {
            *byte = *from;
        }
        Self(bytes)
    }
}

impl UserName {
    /// The six characters of a SoupBinTCP user, padded on the right.
    pub(crate) fn of_soup(&self) -> &[u8] {
        &self.0[..6]
    }
}

impl fmt::Display for UserName {
    /// Without the padding; bytes that are no printable characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.trim_ascii().escape_ascii())
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName({self})")
    }
}

impl fmt::Display for GatewayNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { peer } => write!(f, "gateway: {peer} connected"),
            Self::TurnedAway { peer, why } => write!(f, "gateway: {peer} turned away: {why}"),
            Self::AcceptFailed { error } => {
                write!(f, "gateway: accepting connections fails: {error}")
            }
            Self::LoggedIn { user, peer, sequence, next_sequence } => {
                let replayed = next_sequence.saturating_sub(*sequence);
                write!(f, "gateway: {user} logged in from {peer} at message {sequence}")?;
                if replayed > 0 { write!(f, ", {replayed} to replay") } else { Ok(()) }
            }
            Self::Refused { user, peer, refusal } => {
                write!(f, "gateway: login of {user} from {peer} refused: {refusal}")
            }
            Self::Closed { user: Some(user), peer, cause } => {
                write!(f, "gateway: {user} at {peer} disconnected: {cause}")
            }
            Self::Closed { user: None, peer, cause } => {
                write!(f, "gateway: {peer} disconnected: {cause}")
            }
            Self::NotTaken { user, remark } => write!(f, "{user}: {remark}"),
            Self::StreamFull { user, bytes } => {
                write!(f, "gateway: the stream of {user} is full at {bytes} bytes: ")?;
                f.write_str("new orders are refused with 'processing error'")
            }
            Self::CopyFull { user, bytes, ends } => {
                write!(f, "gateway: the drop copy of {user} is full at {bytes} bytes: ")?;
                f.write_str(if *ends {
                    "it ends here; what happens from now on is not in it"
                } else {
                    "its oldest reports cannot be sent again any more"
                })
            }
            Self::Unrouted { session } => {
                write!(f, "gateway: events for session {session}, which no user has")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_one_line_that_names_who_and_why() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 5000));
        let user = UserName::new(b"ali\x07e ");
        let lines = [
            (
                GatewayNotice::LoggedIn { user, peer, sequence: 4, next_sequence: 9 },
                "gateway: ali\\x07e logged in from 127.0.0.1:5000 at message 4, 5 to replay",
            ),
            (
                GatewayNotice::Refused { user, peer, refusal: Refusal::NotAuthorized },
                "gateway: login of ali\\x07e from 127.0.0.1:5000 refused: unknown user or wrong \
                 password",
            ),
            (
                GatewayNotice::Closed {
                    user: None,
                    peer,
                    cause: CloseCause::Unexpected { packet_type: b'U', logged_in: false },
                },
                "gateway: 127.0.0.1:5000 disconnected: packet type 'U' before the login",
            ),
        ];
        for (notice, line) in lines {
            assert_eq!(notice.to_string(), line);
        }
    }
}
