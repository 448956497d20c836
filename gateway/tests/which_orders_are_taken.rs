//! One good Enter and one good Replace, changed one field or option at a time: what the engine is
//! asked, and what the client is told when it is refused.

use spindle_engine::command::{Action, Attributes, OrderSide, Priority, TimeInForce};
use spindle_engine::event::{Event, Outcome, RejectReason};
use spindle_gateway::ouch::answer::Answer;
use spindle_gateway::ouch::codes::reject_meaning;
use spindle_gateway::ouch::inbound::{Enter, Replace};
use spindle_gateway::ouch::session::{Reaction, Session};
use spindle_types::{AccountId, EventTime, OrderToken, Price, Quantity, SessionId};
use zerocopy::{FromBytes, IntoBytes, U16, U32, U64};

fn good_enter() -> Enter {
    Enter {
        message_type: b'O',
        user_ref_num: U32::new(7),
        side: b'T',
        quantity: U32::new(225),
        symbol: *b"CVLT    ",
        price: U64::new(630_200),
        time_in_force: b'0',
        display: b'Y',
        capacity: b'A',
        iso: b'N',
        cross: b'N',
        client_order_id: *b"H8FUB8IV      ",
        appendage_length: U16::new(0),
    }
}

fn good_replace() -> Replace {
    Replace {
        message_type: b'U',
        original: U32::new(7),
        user_ref_num: U32::new(8),
        quantity: U32::new(300),
        price: U64::new(640_000),
        time_in_force: b'3',
        display: b'A',
        iso: b'N',
        client_order_id: *b"SECOND        ",
        appendage_length: U16::new(0),
    }
}

fn asked(message: &[u8], full: bool) -> Action {
    let mut session = Session::new(SessionId(1), *b"LIME");
    match session.request(message, full) {
        Ok(Reaction::Pass(action)) => action,
        other => panic!("{other:?}"),
    }
}

/// What a new session tells of an event.
fn answer(event: &Event) -> Option<Answer> {
    let mut told = None;
    Session::new(SessionId(1), [b' '; 4]).answer(event, |answer| told = Some(*answer));
    told
}

/// What the client is told about a refused request.
fn told(action: &Action) -> String {
    let Action::Refuse(refuse) = action else {
        return format!("{action:?}");
    };
    let event = Event {
        sequence: 1,
        time: EventTime(5),
        session: SessionId(1),
        account: AccountId(1),
        token: refuse.token,
        received: 0,
        queued: 0,
        outcome: Outcome::Rejected {
            reason: refuse.reason,
            limit: 0,
            observed: refuse.observed,
            attributes: refuse.attributes,
        },
    };
    match answer(&event) {
        Some(Answer::Rejected(rejected)) => {
            assert_eq!(rejected.user_ref_num.get(), refuse.token.0);
            reject_meaning(rejected.reason.get()).unwrap_or("no such code").to_owned()
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_good_order_reaches_the_engine_as_it_was_written() {
    let Action::Enter(order) = asked(good_enter().as_bytes(), false) else {
        panic!("not an enter")
    };
    assert_eq!((order.token, order.quantity), (OrderToken(7), Quantity(225)));
    assert_eq!((order.symbol.0, order.side), (*b"CVLT    ", OrderSide::SellShort));
    assert_eq!(order.limit, Some(Price(630_200)));
    assert_eq!(order.time_in_force, TimeInForce::Day);
    let attributes = Attributes {
        client_order_id: *b"H8FUB8IV            ",
        capacity: b'A',
        iso: b'N',
        display: b'Y',
        cross: b'N',
    };
    assert_eq!(order.attributes, attributes);

    let Action::Replace(replacement) = asked(good_replace().as_bytes(), false) else {
        panic!("not a replace")
    };
    assert_eq!((replacement.original, replacement.token), (OrderToken(7), OrderToken(8)));
    assert_eq!((replacement.quantity, replacement.limit), (Quantity(300), Some(Price(640_000))));
    assert_eq!(replacement.time_in_force, Some(TimeInForce::ImmediateOrCancel));
    assert_eq!(replacement.priority, Priority::New);
    assert_eq!((replacement.attributes.capacity, replacement.attributes.cross), (0, 0));
}

/// The change, and what the client is told; an empty text where the order is taken.
const ENTERS: &[(&str, &str)] = &[
    ("", ""),
    ("side B", ""),
    ("side S", ""),
    ("side E", ""),
    ("side X", "invalid side"),
    ("quantity 1", ""),
    ("quantity 999999", ""),
    ("quantity 0", "invalid quantity"),
    ("quantity 1000000", "invalid quantity"),
    ("price 1", ""),
    ("price 1999999900", ""),
    ("price 0", "invalid price"),
    ("price 1999999901", "invalid price"),
    ("price 2147483646", "invalid price"),
    ("price 4294967396", "invalid price"),
    ("price 2147483647", ""),
    ("price 2000000000", ""),
    ("tif 3", ""),
    ("tif 5", ""),
    ("tif 6", "other"),
    ("tif E", "other"),
    ("tif 1", "other"),
    ("display A", ""),
    ("display N", ""),
    ("display Z", "invalid display"),
    ("capacity P", ""),
    ("capacity R", ""),
    ("capacity O", ""),
    ("capacity X", "other"),
    ("iso Y", "ISO not allowed"),
    ("iso y", "ISO not allowed"),
    ("cross O", ""),
    ("cross C", ""),
    ("cross C tif 3", ""),
    ("cross C tif 6 options 050f00000001", "other"),
    ("cross H", "invalid cross order"),
    ("cross R", "invalid cross order"),
    // Options: those that ask for nothing are taken.
    ("options 05024c494d45", ""),
    ("options 050220202020", ""),
    ("options 05024c494d46", "firm not authorized"),
    ("options 050300000000", ""),
    ("options 050300000064", ""),
    ("options 020420", ""),
    ("options 020452", "retail not allowed"),
    ("options 050500000064", ""),
    ("options 02064c", ""),
    ("options 020650", "invalid peg type"),
    ("options 020652", ""),
    ("options 02064d", ""),
    ("options 02066d", "invalid peg type"),
    ("options 020652050700000001", ""),
    ("side S options 020652050780000000", "pegging not allowed"),
    ("options 050700000001", "pegging not allowed"),
    ("options 09090000000000000000", ""),
    ("options 09090000000000000001", "other"),
    ("options 020c4e", ""),
    ("options 020c50", ""),
    ("options 050d00000001", "other"),
    ("options 050e4c4f4e44", "routing not allowed"),
    ("options 050f00000001", "other"),
    ("tif 6 options 050f0001517f", ""),
    ("tif 6 options 050f00000000", "other"),
    ("tif 6 options 050f00015180", "other"),
    ("options 02104e", ""),
    ("options 021059", "other"),
    ("options 021149", "other"),
    ("options 03180000", ""),
    ("options 03180001", "other"),
    ("options 021959", ""),
    ("options 051a4c494d45", ""),
    ("options 021c00", ""),
    ("options 021c01", "other"),
    ("options 021d2a", ""),
    ("options 021d59", "other"),
    ("options 031e2a2a", ""),
    ("options 031e4131", "other"),
    // Options that may not stand there, stand twice, have the wrong size or no such value.
    ("options 021b42", "other"),
    ("options 0108", "other"),
    ("options 021c00021c00", "other"),
    ("options 0302494d", "firm not authorized"),
    ("options 020658", "invalid peg type"),
    // The first field that is wrong is the answer.
    ("side X quantity 0 price 0", "invalid side"),
    ("price 0 tif 6 cross O options 020650", "invalid price"),
    ("cross R options 020650", "invalid cross order"),
];

fn changed(message: &mut [u8], enter: bool, words: &[&str]) -> Vec<u8> {
    let mut options = Vec::new();
    for change in words.chunks(2) {
        let [field, value] = change else { panic!("a field and a value: {words:?}") };
        let letter = value.as_bytes()[0];
        // Offsets written down a second time, from the specification.
        let at = |of_enter, of_replace| if enter { of_enter } else { of_replace };
        match *field {
            "side" => message[5] = letter,
            "quantity" => {
                let shares: u32 = value.parse().expect("shares");
                message[at(6, 9)..][..4].copy_from_slice(&shares.to_be_bytes());
            }
            "price" => {
                let price: u64 = value.parse().expect("a price");
                message[at(18, 13)..][..8].copy_from_slice(&price.to_be_bytes());
            }
            "tif" => message[at(26, 21)] = letter,
            "display" => message[at(27, 22)] = letter,
            "capacity" => message[28] = letter,
            "iso" => message[at(29, 23)] = letter,
            "cross" => message[30] = letter,
            "options" => {
                options = (0..value.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&value[at..at + 2], 16).expect("hex"))
                    .collect();
            }
            other => panic!("no such field: {other}"),
        }
    }
    let end = message.len();
    let length = u16::try_from(options.len()).expect("short");
    message[end - 2..].copy_from_slice(&length.to_be_bytes());
    [&*message, &options].concat()
}

#[test]
fn the_table_of_enters() {
    for (change, answer) in ENTERS {
        let words: Vec<&str> = change.split_whitespace().collect();
        let message = changed(good_enter().as_mut_bytes(), true, &words);
        let action = asked(&message, false);
        match action {
            Action::Enter(_) => assert_eq!(*answer, "", "{change} is taken"),
            _ => assert_eq!(told(&action), *answer, "{change}"),
        }
    }
}

#[test]
fn market_orders_have_no_limit_and_extended_hours_are_the_day() {
    for price in ["2147483647", "2000000000"] {
        let message = changed(good_enter().as_mut_bytes(), true, &["price", price, "tif", "5"]);
        let Action::Enter(order) = asked(&message, false) else { panic!("not an enter") };
        assert_eq!((order.limit, order.time_in_force), (None, TimeInForce::Day));
    }
}

#[test]
fn an_invalid_replace_asks_for_nothing_so_that_the_original_goes() {
    let table = [
        "quantity 0",
        "quantity 1000000",
        "price 0",
        "price 1999999901",
        "tif E",
        "tif 6",
        "display N",
        "iso Y",
        "options 020650",
        "options 05024c494d45",
    ];
    for change in table {
        let words: Vec<&str> = change.split_whitespace().collect();
        let message = changed(good_replace().as_mut_bytes(), false, &words);
        let Action::Replace(replacement) = asked(&message, false) else {
            panic!("{change}: not a replace")
        };
        assert_eq!(replacement.quantity, Quantity::ZERO, "{change}");
        assert_eq!((replacement.original, replacement.token), (OrderToken(7), OrderToken(8)));
    }
    let side = changed(good_replace().as_mut_bytes(), false, &["options", "021b54"]);
    let Action::Replace(replacement) = asked(&side, false) else { panic!("not a replace") };
    assert_eq!(replacement.quantity, Quantity::ZERO, "a new side is not offered");
}

#[test]
fn with_a_full_stream_orders_are_refused_and_cancels_are_not() {
    let refused = asked(good_enter().as_bytes(), true);
    assert_eq!(told(&refused), "processing error");
    let refused = asked(good_replace().as_bytes(), true);
    assert_eq!(told(&refused), "processing error");
    let cancel = [&b"X"[..], &7_u32.to_be_bytes(), &[0; 4]].concat();
    assert!(matches!(asked(&cancel, true), Action::Cancel(_)));
}

#[test]
fn a_rejection_with_a_number_used_before_is_not_told() {
    let event = Event {
        sequence: 1,
        time: EventTime(5),
        session: SessionId(1),
        account: AccountId(1),
        token: OrderToken(7),
        received: 0,
        queued: 0,
        outcome: Outcome::Rejected {
            reason: RejectReason::DuplicateToken,
            limit: 0,
            observed: 0,
            attributes: Attributes::default(),
        },
    };
    assert_eq!(answer(&event), None);
}

#[test]
fn the_real_order_of_the_captures_is_taken_by_its_firm_alone() {
    let hex = "4f0000007154000000e143564c54202020200000000000099db83059414e4e483846554238495620202020\
               20200006\
               05024c494d45";
    let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let wire: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex"))
        .collect();
    let (enter, _) = Enter::read_from_prefix(&wire).expect("an enter");
    assert_eq!(enter.user_ref_num.get(), 113);
    assert!(matches!(asked(&wire, false), Action::Enter(_)));
    let mut other = Session::new(SessionId(1), *b"MLRO");
    let Ok(Reaction::Pass(action)) = other.request(&wire, false) else { panic!("not passed") };
    assert_eq!(told(&action), "firm not authorized");
}
