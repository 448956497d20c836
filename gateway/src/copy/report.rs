//! A drop copy's reports over FIX: an ExecutionReport for each event, on behalf of the session that
//! entered the order.

use spindle_engine::event::{CancelReason, Event, Liquidity, Outcome, RejectReason};
use spindle_types::{Price, Quantity, Symbol};

use super::{Order, Told};
use crate::fix::dictionary::Version;
use crate::fix::encode::Writer;
use crate::fix::entry::codes;
use crate::fix::entry::report::transact_time;
use crate::fix::session::{Now, Session};
use crate::fix::tag;
use crate::fix::value::Precision;

/// What an event means beside the state that it leaves the order in.
#[derive(Clone, Copy)]
struct Kind<'a> {
    exec_type: u8,
    status: u8,
    last: Option<(Quantity, Price, Liquidity)>,
    restatement: Option<u64>,
    rejected: Option<RejectReason>,
    text: &'a [u8],
}

const KIND: Kind<'_> = Kind {
    exec_type: b'0',
    status: b'0',
    last: None,
    restatement: None,
    rejected: None,
    text: b"",
};

/// Sends a drop copy's session the report of an event.
pub(crate) fn send(session: &mut Session, event: &Event, told: &Told<'_>, now: Now) {
    let version = session.version();
    let fix42 = version == Version::Fix42;
    let order = told.order;
    let open_status = if order.executed > 0 { b'1' } else { b'0' };
    let mut space = [0; 128];
    let mut text = Writer::new(&mut space);
    match event.outcome {
        Outcome::Accepted { quantity, live, .. } => {
            let before = Order { open: quantity.0, ..*order };
            write(session, event, told, &before, &KIND, now);
            if !live {
                let text = CancelReason::NoLiquidity.name().as_bytes();
                let kind = Kind { exec_type: b'4', status: b'4', text, ..KIND };
                write(session, event, told, order, &kind, now);
            }
        }
        Outcome::Replaced { .. } => {
            let status = if fix42 && order.executed == 0 { b'5' } else { open_status };
            write(session, event, told, order, &Kind { exec_type: b'5', status, ..KIND }, now);
        }
        Outcome::Canceled { open, reason, .. } => {
            let text = reason.name().as_bytes();
            let kind = match (open > Quantity::ZERO, codes::is_expiry(reason)) {
                (true, _) => {
                    Kind { exec_type: b'D', status: open_status, restatement: Some(5), ..KIND }
                }
                (false, true) => Kind { exec_type: b'C', status: b'C', ..KIND },
                (false, false) => Kind { exec_type: b'4', status: b'4', ..KIND },
            };
            write(session, event, told, order, &Kind { text, ..kind }, now);
        }
        Outcome::Modified { quantity, .. } => {
            // Partly declined where shares were taken off; another side has no number of its own.
            let other = if fix42 { 4 } else { 99 };
            let restatement = Some(if quantity > Quantity::ZERO { 5 } else { other });
            let (status, text) = (open_status, &b"modified"[..]);
            let kind = Kind { exec_type: b'D', status, restatement, text, ..KIND };
            write(session, event, told, order, &kind, now);
        }
        Outcome::Executed { quantity, price, open, liquidity, .. } => {
            let status = if open == Quantity::ZERO { b'2' } else { b'1' };
            let exec_type = if fix42 { status } else { b'F' };
            let last = Some((quantity, price, liquidity));
            write(session, event, told, order, &Kind { exec_type, status, last, ..KIND }, now);
        }
        Outcome::Rejected { reason, limit, observed, .. } => {
            codes::write_refusal(&mut text, reason, limit, observed);
            let (rejected, text) = (Some(reason), text.written());
            let kind = Kind { exec_type: b'8', status: b'8', rejected, text, ..KIND };
            write(session, event, told, order, &kind, now);
        }
        Outcome::Triggered => {
            let restatement = Some(if fix42 { 4 } else { 99 });
            let (status, text) = (open_status, &b"triggered"[..]);
            let kind = Kind { exec_type: b'D', status, restatement, text, ..KIND };
            write(session, event, told, order, &kind, now);
        }
        Outcome::Checked { .. }
        | Outcome::MassCanceled { .. }
        | Outcome::Indicative { .. }
        | Outcome::Auction { .. }
        | Outcome::TapeImbalance { .. }
        | Outcome::State { .. }
        | Outcome::CancelRejected
        | Outcome::ReplaceRejected { .. } => {}
    }
}

/// Writes one report, its fields in the order of their tags.
fn write(
    session: &mut Session,
    event: &Event,
    told: &Told<'_>,
    order: &Order,
    kind: &Kind<'_>,
    now: Now,
) {
    let version = session.version();
    let time = transact_time(event, now);
    session.send_for(told.session.as_bytes(), b'8', false, now, |body| {
        body.field(tag::ACCOUNT, told.account.as_bytes());
        body.decimal(tag::AVG_PX, codes::average(order.value, order.executed), 6);
        body.maybe(tag::CL_ORD_ID, name(&order.id)).uint(tag::CUM_QTY, order.executed.into());
        body.uint(tag::EXEC_ID, event.sequence);
        if version == Version::Fix42 {
            body.char(tag::EXEC_TRANS_TYPE, b'0');
        }
        if let Some((quantity, price, _)) = kind.last {
            body.price(tag::LAST_PX, price).uint(tag::LAST_QTY, quantity.0.into());
        }
        match order.reference {
            0 => body.field(tag::ORDER_ID, b"NONE"),
            reference => body.uint(tag::ORDER_ID, reference),
        };
        if order.quantity > 0 {
            body.uint(tag::ORDER_QTY, order.quantity.into());
        }
        body.char(tag::ORD_STATUS, kind.status);
        body.maybe(tag::ORIG_CL_ORD_ID, told.original.and_then(name));
        if let Some(limit) = order.limit {
            body.price(tag::PRICE, limit);
        }
        body.char(tag::SIDE, order.side.map_or(UNDISCLOSED, codes::side))
            .field(tag::SYMBOL, symbol(&order.symbol));
        body.maybe(tag::TEXT, (!kind.text.is_empty()).then_some(kind.text));
        if let Some(letter) = order.time_in_force.map(codes::time_in_force) {
            body.char(tag::TIME_IN_FORCE, letter);
        }
        body.time(tag::TRANSACT_TIME, time, Precision::Milliseconds);
        if let Some(reason) = kind.rejected {
            body.uint(tag::ORD_REJ_REASON, codes::ord_rej_reason(version, reason));
        }
        body.char(tag::EXEC_TYPE, kind.exec_type).uint(tag::LEAVES_QTY, order.open.into());
        if let Some(restatement) = kind.restatement {
            body.uint(tag::EXEC_RESTATEMENT_REASON, restatement);
        }
        if version == Version::Fix44 {
            body.char(tag::COPY_MSG_INDICATOR, b'Y');
            if let Some((_, _, liquidity)) = kind.last {
                body.uint(tag::LAST_LIQUIDITY_IND, codes::liquidity(liquidity));
            }
        }
    });
}

/// The client's name for an order without its padding; `None` where it has none.
fn name(id: &[u8; 20]) -> Option<&[u8]> {
    let end = id.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let visible = id[..end].iter().all(|byte| (b' '..=b'~').contains(byte));
    (end > 0 && visible).then(|| &id[..end])
}

/// What a refused request was for is not told by its refusal; the standard wants both fields.
fn symbol(symbol: &Symbol) -> &[u8] {
    match symbol.0.trim_ascii_end() {
        b"" => b"[N/A]",
        text => text,
    }
}

/// Side where it is not told: undisclosed.
const UNDISCLOSED: u8 = b'7';
