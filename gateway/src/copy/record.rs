//! A drop copy's record over SoupBinTCP: whose order it is, and the OUCH message that tells what
//! happened to it.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 1 | type `W` |
//! | 1 | 8 | number of the event in the engine's stream |
//! | 9 | 32 | session: the user of OUCH, or the CompID of FIX |
//! | 41 | 32 | account |
//! | 73 | 20 | what the client calls the order |
//! | 93 | | an outbound message of OUCH 5.0 |
//!
//! Texts are padded with spaces on the right, numbers big-endian.

use spindle_engine::event::{Event, Outcome};
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, U16, U32, U64, Unaligned};

use super::Told;
use crate::ouch::answer::{ANSWER_MAX, Answer};
use crate::ouch::codes::reject_code;
use crate::ouch::outbound::{Rejected, Restated};
use crate::ouch::terms::Terms;

/// The type of a record.
pub const TYPE: u8 = b'W';

/// The reason of a restatement that tells of a stop that was triggered.
pub const TRIGGERED: u8 = b'T';

/// The longest message of a record.
const MESSAGE_MAX: usize = 128;

/// What stands before the OUCH message.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Head {
    /// [`TYPE`].
    pub record_type: u8,
    /// The number of the event in the engine's stream. Numbers rise; what a copy does not see is
    /// left out.
    pub event: U64<zerocopy::BigEndian>,
    /// The session that entered the order.
    pub session: [u8; 32],
    /// The account that it is for.
    pub account: [u8; 32],
    /// What the client calls it: ClOrdID.
    pub client_order_id: [u8; 20],
}

/// Bytes before the OUCH message.
pub const HEAD_LENGTH: usize = 93;

const _: () = assert!(size_of::<Head>() == HEAD_LENGTH);

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no record of a drop copy: it begins with 'W' and has more than {HEAD_LENGTH} bytes")]
pub struct NoRecord;

/// Takes a record apart: its head and the OUCH message.
///
/// # Errors
/// See [`NoRecord`].
pub fn decode(bytes: &[u8]) -> Result<(&Head, &[u8]), NoRecord> {
    let (head, message) = Head::ref_from_prefix(bytes).map_err(|_| NoRecord)?;
    let fits = head.record_type == TYPE && !message.is_empty();
    if fits { Ok((head, message)) } else { Err(NoRecord) }
}

/// A record by value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    bytes: [u8; HEAD_LENGTH + MESSAGE_MAX],
    length: usize,
}

impl Record {
    pub(super) fn of(event: &Event, told: &Told<'_>) -> Self {
        let head = Head {
            record_type: TYPE,
            event: U64::new(event.sequence),
            session: padded(told.session.as_bytes()),
            account: padded(told.account.as_bytes()),
            client_order_id: spaced(told.order.id),
        };
        let mut record = Self { bytes: [0; HEAD_LENGTH + MESSAGE_MAX], length: HEAD_LENGTH };
        record.bytes[..HEAD_LENGTH].copy_from_slice(head.as_bytes());
        match Answer::of(event, Terms::PLAIN) {
            Some(answer) => record.push(answer.bytes(&mut [0; ANSWER_MAX])),
            None => match event.outcome {
                // OUCH has no such orders; other protocols here do.
                Outcome::Triggered => record.push(
                    Restated {
                        message_type: Restated::TYPE,
                        timestamp: U64::new(event.time.0),
                        user_ref_num: U32::new(event.token.0),
                        reason: TRIGGERED,
                        appendage_length: U16::new(0),
                    }
                    .as_bytes(),
                ),
                // OUCH is silent about a number that was used before; FIX is not.
                Outcome::Rejected { reason, observed, .. } => {
                    let mut client_order_id = [b' '; 14];
                    client_order_id.copy_from_slice(&head.client_order_id[..14]);
                    record.push(
                        Rejected {
                            message_type: Rejected::TYPE,
                            timestamp: U64::new(event.time.0),
                            user_ref_num: U32::new(event.token.0),
                            reason: U16::new(reject_code(reason, observed).unwrap_or(0x0f)),
                            client_order_id,
                        }
                        .as_bytes(),
                    );
                }
                _ => debug_assert!(false, "every other event that is copied has a message"),
            },
        }
        record
    }

    fn push(&mut self, message: &[u8]) {
        let end = self.length + message.len();
        if let Some(space) = self.bytes.get_mut(self.length..end) {
            space.copy_from_slice(message);
            self.length = end;
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut padded = [b' '; N];
    for (space, byte) in padded.iter_mut().zip(text) {
        *space = *byte;
    }
    padded
}

/// A name in which what was never written is a space.
fn spaced(mut id: [u8; 20]) -> [u8; 20] {
    for byte in &mut id {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    id
}
