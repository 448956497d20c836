//! Who may log in, and where a session continues.

use thiserror::Error;

use super::codec::{LoginRequest, SessionName};

/// Why a login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The user is unknown or the password is another.
    #[error("unknown user or wrong password")]
    NotAuthorized,
    /// The user may not come from this address.
    #[error("the user may not log in from this address")]
    Address,
    /// The session asked for is not the current one.
    #[error("the session asked for is not the current one; ask for it by name or leave it blank")]
    UnknownSession,
    /// The number is above the next.
    #[error("sequence number {requested} asked for; the next is {next}")]
    SequenceTooHigh {
        /// What was asked.
        requested: u64,
        /// The next number of the session.
        next: u64,
    },
    /// The sequence field holds no number.
    #[error("the sequence number field holds no number")]
    BadSequence,
    /// The user is logged in on another connection.
    #[error("the user is already logged in on another connection")]
    AlreadyLoggedIn,
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
}

impl Refusal {
    /// The reason byte of the login rejection.
    pub const fn code(self) -> u8 {
        match self {
            Self::NotAuthorized | Self::Address => b'A',
            Self::UnknownSession
            | Self::SequenceTooHigh { .. }
            | Self::BadSequence
            | Self::AlreadyLoggedIn
            | Self::Ended => b'S',
        }
    }
}

/// A name or a password as it is compared: capitals, without spaces at the sides, padded on the
/// right.
pub fn canonical<const N: usize>(field: [u8; N]) -> [u8; N] {
    let mut padded = [b' '; N];
    let text = field.trim_ascii();
    padded[..text.len()].copy_from_slice(text);
    padded.make_ascii_uppercase();
    padded
}

/// What the venue has for a user whose name and password were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The current session.
    pub session: SessionName,
    /// The number of the next message of the user's stream.
    pub next_sequence: u64,
    /// Whether the user is logged in already.
    pub logged_in: bool,
    /// Whether the session has ended.
    pub ended: bool,
}

/// The number from which the stream goes on for this login.
///
/// Number 0 asks for the most recent message, which is the next one where there is none yet. A
/// second login of a live user is refused: the newcomer may be an error or an attack, the one who
/// trades is neither.
///
/// # Errors
/// See [`Refusal`].
pub fn admit(request: &LoginRequest, standing: &Standing) -> Result<u64, Refusal> {
    if standing.ended {
        return Err(Refusal::Ended);
    }
    if standing.logged_in {
        return Err(Refusal::AlreadyLoggedIn);
    }
    let wanted = request.session.trim_ascii();
    if !wanted.is_empty() && wanted != standing.session.trim_ascii() {
        return Err(Refusal::UnknownSession);
    }
    let next = standing.next_sequence;
    match request.requested_sequence().ok_or(Refusal::BadSequence)? {
        0 => Ok((next - 1).max(1)),
        requested if requested > next => Err(Refusal::SequenceTooHigh { requested, next }),
        requested => Ok(requested),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::codec::padded_left;

    const STANDING: Standing =
        Standing { session: *b"     DAY07", next_sequence: 5, logged_in: false, ended: false };

    fn ask(session: &str, sequence: &str, standing: &Standing) -> Result<u64, Refusal> {
        let request = LoginRequest {
            username: *b"USER01",
            password: *b"PASS      ",
            session: padded_left(session).expect("short"),
            sequence: padded_left(sequence).expect("short"),
        };
        admit(&request, standing)
    }

    #[test]
    fn the_table_of_logins() {
        let table = [
            ("", "1", Ok(1)),
            ("DAY07", "3", Ok(3)),
            ("DAY07     ", "3", Ok(3)),
            ("     DAY07", "5", Ok(5)),
            ("", "0", Ok(4)),
            ("", "6", Err(Refusal::SequenceTooHigh { requested: 6, next: 5 })),
            ("DAY08", "1", Err(Refusal::UnknownSession)),
            ("day07", "1", Err(Refusal::UnknownSession)),
            ("", "", Err(Refusal::BadSequence)),
            ("", "x", Err(Refusal::BadSequence)),
            ("", "99999999999999999999", Err(Refusal::BadSequence)),
        ];
        for (session, sequence, answer) in table {
            assert_eq!(ask(session, sequence, &STANDING), answer, "{session:?} {sequence:?}");
        }
        let live = Standing { logged_in: true, ..STANDING };
        assert_eq!(ask("", "1", &live), Err(Refusal::AlreadyLoggedIn));
        let ended = Standing { ended: true, ..live };
        assert_eq!(ask("", "1", &ended), Err(Refusal::Ended));
        let fresh = Standing { next_sequence: 1, ..STANDING };
        assert_eq!(ask("", "0", &fresh), Ok(1));
    }

    #[test]
    fn names_and_passwords_are_compared_without_case_and_padding() {
        assert_eq!(canonical(*b" User1"), *b"USER1 ");
        assert_eq!(canonical(*b"    secret"), canonical(*b"SECRET    "));
        assert_ne!(canonical(*b"secrets   "), canonical(*b"SECRET    "));
    }
}
