//! From the engine's events to OUCH messages.

use spindle_engine::command::{Attributes, OrderSide, TimeInForce};
use spindle_engine::event::{Event, Outcome};
use spindle_types::{EventTime, Price, Quantity};
use zerocopy::{IntoBytes, U16, U32, U64};

use super::MARKET_PRICE;
use super::appendage::AppendageWriter;
use super::codes::{cancel_letter, liquidity_flag, reject_code};
use super::outbound::{
    Accepted, AccountQueryResponse, Canceled, DisableEntryResponse, EnableEntryResponse, Executed,
    MassCancelResponse, Modified, Rejected, Replaced, SystemEvent,
};
use super::tag::Tag;
use super::terms::Terms;

/// Bytes of the longest answer, with all options that it may repeat.
pub const ANSWER_MAX: usize = 256;

/// A message to a client, by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The day begins or ends.
    SystemEvent(SystemEvent),
    /// An order is accepted, with the options that are repeated.
    Accepted(Accepted, Terms),
    /// An order stands in the place of another, with the options that are repeated.
    Replaced(Replaced, Terms),
    /// Side or size of an order were changed in its place.
    Modified(Modified),
    /// A mass cancel is carried out; the side that it was for, if it was for one.
    MassCancelResponse(MassCancelResponse, Option<u8>),
    /// No more orders are taken.
    DisableEntryResponse(DisableEntryResponse),
    /// Orders are taken again.
    EnableEntryResponse(EnableEntryResponse),
    /// Shares were taken off.
    Canceled(Canceled),
    /// Shares were executed.
    Executed(Executed),
    /// A request is refused.
    Rejected(Rejected),
    /// The next number.
    AccountQueryResponse(AccountQueryResponse),
}

impl Answer {
    /// The message on the wire. Where it has options it is put together in `space`.
    #[inline]
    pub fn bytes<'a>(&'a self, space: &'a mut [u8; ANSWER_MAX]) -> &'a [u8] {
        match self {
            Self::SystemEvent(message) => message.as_bytes(),
            Self::Accepted(message, terms) if terms.is_plain() => message.as_bytes(),
            Self::Accepted(message, terms) => {
                let chain = terms.of_accepted();
                let message = Accepted { appendage_length: chain.length().into(), ..*message };
                with_chain(message.as_bytes(), &chain, space)
            }
            Self::Replaced(message, terms) if terms.is_plain() => message.as_bytes(),
            Self::Replaced(message, terms) => {
                let chain = terms.of_replaced();
                let message = Replaced { appendage_length: chain.length().into(), ..*message };
                with_chain(message.as_bytes(), &chain, space)
            }
            Self::Modified(message) => message.as_bytes(),
            Self::MassCancelResponse(message, None) => message.as_bytes(),
            Self::MassCancelResponse(message, Some(side)) => {
                let mut chain = AppendageWriter::new();
                let written = chain.push(Tag::Side, &[*side]);
                debug_assert!(written.is_ok(), "it was read from such an option");
                let appendage_length = chain.length().into();
                let message = MassCancelResponse { appendage_length, ..*message };
                with_chain(message.as_bytes(), &chain, space)
            }
            Self::DisableEntryResponse(message) => message.as_bytes(),
            Self::EnableEntryResponse(message) => message.as_bytes(),
            Self::Canceled(message) => message.as_bytes(),
            Self::Executed(message) => message.as_bytes(),
            Self::Rejected(message) => message.as_bytes(),
            Self::AccountQueryResponse(message) => message.as_bytes(),
        }
    }

    /// The day begins.
    pub const fn start_of_day(time: EventTime) -> Self {
        Self::system_event(time, b'S')
    }

    /// The day ends.
    pub const fn end_of_day(time: EventTime) -> Self {
        Self::system_event(time, b'E')
    }

    /// A drop copy is full: nothing follows.
    pub const fn copy_full(time: EventTime) -> Self {
        Self::system_event(time, b'F')
    }

    const fn system_event(time: EventTime, event_code: u8) -> Self {
        let message_type = SystemEvent::TYPE;
        Self::SystemEvent(SystemEvent { message_type, timestamp: U64::new(time.0), event_code })
    }

    /// The answer to an account query.
    pub const fn next_number(time: EventTime, next: u32) -> Self {
        Self::AccountQueryResponse(AccountQueryResponse {
            message_type: AccountQueryResponse::TYPE,
            timestamp: U64::new(time.0),
            next_user_ref_num: U32::new(next),
        })
    }

    /// The answer to a mass cancel.
    pub fn mass_cancel(
        time: EventTime,
        number: u32,
        firm: [u8; 4],
        symbol: [u8; 8],
        side: Option<u8>,
    ) -> Self {
        let response = MassCancelResponse {
            message_type: MassCancelResponse::TYPE,
            timestamp: U64::new(time.0),
            user_ref_num: U32::new(number),
            firm,
            symbol,
            appendage_length: U16::new(0),
        };
        Self::MassCancelResponse(response, side)
    }

    /// No more orders are taken.
    pub fn disabled(time: EventTime, number: u32, firm: [u8; 4]) -> Self {
        Self::DisableEntryResponse(DisableEntryResponse {
            message_type: DisableEntryResponse::TYPE,
            timestamp: U64::new(time.0),
            user_ref_num: U32::new(number),
            firm,
            appendage_length: U16::new(0),
        })
    }

    /// Orders are taken again.
    pub fn enabled(time: EventTime, number: u32, firm: [u8; 4]) -> Self {
        Self::EnableEntryResponse(EnableEntryResponse {
            message_type: EnableEntryResponse::TYPE,
            timestamp: U64::new(time.0),
            user_ref_num: U32::new(number),
            firm,
            appendage_length: U16::new(0),
        })
    }

    /// The message that tells an event of an order with these terms; `None` for events that OUCH does not
    /// tell: a cancel or a replace of an order that is not open, and a number used before.
    #[inline]
    pub fn of(event: &Event, terms: Terms) -> Option<Self> {
        let timestamp = U64::new(event.time.0);
        let user_ref_num = U32::new(event.token.0);
        match event.outcome {
            Outcome::Accepted { .. } => {
                accepted(event).map(|message| Self::Accepted(message, terms))
            }
            Outcome::Replaced { .. } => {
                replaced(event).map(|message| Self::Replaced(message, terms))
            }
            Outcome::Modified { side, open, .. } => Some(Self::Modified(Modified {
                message_type: Modified::TYPE,
                timestamp,
                user_ref_num,
                side: side_letter(side),
                quantity: shares(open),
            })),
            Outcome::Canceled { quantity, reason, .. } => Some(Self::Canceled(Canceled {
                message_type: Canceled::TYPE,
                timestamp,
                user_ref_num,
                quantity: U32::new(quantity.0),
                reason: cancel_letter(reason),
            })),
            Outcome::Executed { quantity, price, liquidity, match_number, .. } => {
                Some(Self::Executed(Executed {
                    message_type: Executed::TYPE,
                    timestamp,
                    user_ref_num,
                    quantity: U32::new(quantity.0),
                    price: U64::new(price.0.into()),
                    liquidity: liquidity_flag(liquidity),
                    match_number: U64::new(match_number.0),
                    appendage_length: U16::new(0),
                }))
            }
            Outcome::Rejected { reason, observed, attributes, .. } => reject_code(reason, observed)
                .map(|code| {
                    Self::Rejected(Rejected {
                        message_type: Rejected::TYPE,
                        timestamp,
                        user_ref_num,
                        reason: U16::new(code),
                        client_order_id: client_order_id(&attributes),
                    })
                }),
            Outcome::CancelRejected
            | Outcome::ReplaceRejected { .. }
            | Outcome::Triggered
            | Outcome::Checked { .. }
            | Outcome::MassCanceled { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. } => None,
        }
    }
}

/// A message with its options behind it.
fn with_chain<'a>(
    message: &[u8],
    chain: &AppendageWriter,
    space: &'a mut [u8; ANSWER_MAX],
) -> &'a [u8] {
    let options = chain.appendage().as_bytes();
    let length = message.len() + options.len();
    space[..message.len()].copy_from_slice(message);
    space[message.len()..length].copy_from_slice(options);
    &space[..length]
}

fn accepted(event: &Event) -> Option<Accepted> {
    let Outcome::Accepted {
        reference,
        symbol,
        side,
        quantity,
        limit,
        time_in_force,
        live,
        attributes,
    } = event.outcome
    else {
        return None;
    };
    Some(Accepted {
        message_type: Accepted::TYPE,
        timestamp: U64::new(event.time.0),
        user_ref_num: U32::new(event.token.0),
        side: side_letter(side),
        quantity: shares(quantity),
        symbol: symbol.0,
        price: price(limit),
        time_in_force: time_in_force_letter(time_in_force),
        display: attributes.display,
        reference: U64::new(reference.0),
        capacity: attributes.capacity,
        iso: attributes.iso,
        cross: attributes.cross,
        state: if live { b'L' } else { b'D' },
        client_order_id: client_order_id(&attributes),
        appendage_length: U16::new(0),
    })
}

fn replaced(event: &Event) -> Option<Replaced> {
    let Outcome::Replaced {
        original,
        reference,
        symbol,
        side,
        quantity,
        limit,
        time_in_force,
        attributes,
    } = event.outcome
    else {
        return None;
    };
    Some(Replaced {
        message_type: Replaced::TYPE,
        timestamp: U64::new(event.time.0),
        original: U32::new(original.0),
        user_ref_num: U32::new(event.token.0),
        side: side_letter(side),
        quantity: shares(quantity),
        symbol: symbol.0,
        price: price(limit),
        time_in_force: time_in_force_letter(time_in_force),
        display: attributes.display,
        reference: U64::new(reference.0),
        capacity: attributes.capacity,
        iso: attributes.iso,
        cross: attributes.cross,
        state: b'L',
        client_order_id: client_order_id(&attributes),
        appendage_length: U16::new(0),
    })
}

fn shares(quantity: Quantity) -> U32<zerocopy::BigEndian> {
    U32::new(quantity.0)
}

fn price(limit: Option<Price>) -> U64<zerocopy::BigEndian> {
    U64::new(limit.map_or(MARKET_PRICE, |price| price.0.into()))
}

fn client_order_id(attributes: &Attributes) -> [u8; 14] {
    attributes.client_order_id.first_chunk().copied().unwrap_or([b' '; 14])
}

/// The letter of a side.
pub const fn side_letter(side: OrderSide) -> u8 {
    match side {
        OrderSide::Buy => b'B',
        OrderSide::Sell => b'S',
        OrderSide::SellShort => b'T',
        OrderSide::SellShortExempt => b'E',
    }
}

/// The letter of a time in force. OUCH has none for good-till-cancelled: such orders do not come over it, and
/// are told as day orders if they do. For the auctions it has the cross; such an order does not outlive its
/// auction.
pub const fn time_in_force_letter(time_in_force: TimeInForce) -> u8 {
    match time_in_force {
        TimeInForce::Day | TimeInForce::GoodTillCancel => b'0',
        TimeInForce::ImmediateOrCancel
        | TimeInForce::FillOrKill
        | TimeInForce::AtOpen
        | TimeInForce::AtClose => b'3',
        TimeInForce::GoodTillDate(_) | TimeInForce::GoodFor(_) => b'6',
    }
}

#[cfg(test)]
mod tests {
    use spindle_engine::event::{Basis, CancelReason, Liquidity, RejectReason};
    use spindle_types::{AccountId, MatchNumber, OrderReference, OrderToken, SessionId};

    use super::*;
    use crate::testing::bytes;

    /// What a client wrote, with a different letter in every place.
    const WRITTEN: Attributes = Attributes {
        client_order_id: *b"7682701             ",
        capacity: b'A',
        iso: b'I',
        display: b'Y',
        cross: b'N',
    };

    fn told(token: u32, outcome: Outcome) -> Option<Vec<u8>> {
        let event = Event {
            sequence: 9,
            time: EventTime(0x0000_289b_4d64_af87),
            session: SessionId(1),
            account: AccountId(2),
            token: OrderToken(token),
            received: 3,
            queued: 4,
            outcome,
        };
        let answer = Answer::of(&event, Terms::PLAIN)?;
        Some(answer.bytes(&mut [0; ANSWER_MAX]).to_vec())
    }

    /// The real acceptance of the captures, without its options, with a day order and the flag I.
    #[test]
    fn an_acceptance_is_byte_for_byte() {
        let accepted = |limit, live| Outcome::Accepted {
            reference: OrderReference(0x0f56_b4f5),
            symbol: "ADBE".parse().expect("a symbol"),
            side: OrderSide::Buy,
            quantity: Quantity(40),
            limit,
            time_in_force: TimeInForce::Day,
            live,
            attributes: WRITTEN,
        };
        let golden = "41 0000289b4d64af87 00753a8d 42 00000028 4144424520202020 000000000048e748 30 \
            59 000000000f56b4f5 41 49 4e 4c 37363832373031 20202020202020 0000";
        let live = told(7_682_701, accepted(Some(Price(4_777_800)), true));
        assert_eq!(live, Some(bytes(golden)));
        let dead = told(7_682_701, accepted(None, false));
        let golden =
            golden.replace("000000000048e748", "000000007fffffff").replace("4e 4c", "4e 44");
        assert_eq!(dead, Some(bytes(&golden)));
    }

    #[test]
    fn a_replacement_is_byte_for_byte() {
        let outcome = Outcome::Replaced {
            original: OrderToken(113),
            reference: OrderReference(1_000),
            symbol: "CVLT".parse().expect("a symbol"),
            side: OrderSide::SellShort,
            quantity: Quantity(300),
            limit: Some(Price(630_200)),
            time_in_force: TimeInForce::ImmediateOrCancel,
            attributes: WRITTEN,
        };
        let golden = "55 0000289b4d64af87 00000071 00000072 54 0000012c 43564c5420202020 \
            0000000000099db8 33 59 00000000000003e8 41 49 4e 4c 37363832373031 20202020202020 0000";
        assert_eq!(told(114, outcome), Some(bytes(golden)));
    }

    #[test]
    fn the_short_answers_are_byte_for_byte() {
        let (quantity, open) = (Quantity(40), Quantity(60));
        let canceled = Outcome::Canceled { quantity, open, reason: CancelReason::UserRequest };
        let golden = "43 0000289b4d64af87 00753a8d 00000028 55";
        assert_eq!(told(7_682_701, canceled), Some(bytes(golden)));
        let executed = Outcome::Executed {
            quantity,
            price: Price(4_777_800),
            open,
            liquidity: Liquidity::Added,
            match_number: MatchNumber(1_001),
            tape: None,
            basis: Basis::Queue,
        };
        let golden =
            "45 0000289b4d64af87 00753a8d 00000028 000000000048e748 41 00000000000003e9 0000";
        assert_eq!(told(7_682_701, executed), Some(bytes(golden)));
        let rejected = Outcome::Rejected {
            reason: RejectReason::InvalidPrice,
            limit: 5,
            observed: 6,
            attributes: WRITTEN,
        };
        let golden = "4a 0000289b4d64af87 00753a8d 001d 37363832373031 20202020202020";
        assert_eq!(told(7_682_701, rejected), Some(bytes(golden)));
        let mut space = [0; ANSWER_MAX];
        let next = Answer::next_number(EventTime(0x0000_289b_4d64_af87), 7_682_702);
        let next = next.bytes(&mut space).to_vec();
        assert_eq!(next, bytes("51 0000289b4d64af87 00753a8e"));
        let end = Answer::end_of_day(EventTime(1));
        assert_eq!(end.bytes(&mut space), bytes("53 0000000000000001 45"));
        assert_eq!(told(1, Outcome::CancelRejected), None);
        let original = OrderToken(1);
        assert_eq!(told(2, Outcome::ReplaceRejected { original }), None);
    }

    #[test]
    fn letters_are_those_of_the_protocol() {
        let sides = [
            (OrderSide::Buy, b'B'),
            (OrderSide::Sell, b'S'),
            (OrderSide::SellShort, b'T'),
            (OrderSide::SellShortExempt, b'E'),
        ];
        for (side, letter) in sides {
            assert_eq!(side_letter(side), letter);
        }
        assert_eq!(time_in_force_letter(TimeInForce::Day), b'0');
        assert_eq!(time_in_force_letter(TimeInForce::ImmediateOrCancel), b'3');
    }
}
