//! What a message of either protocol tells of orders.

use std::collections::HashMap;

use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_types::{Price, Quantity, Symbol};

use super::order::{Money, OpenOrder, Order, OrderEvent, OrderId};
use crate::client::fix::ExecutionReport;
use crate::client::{ClientEvent, FixEvent};
use crate::ouch::MARKET_PRICE;
use crate::ouch::codes::reject_meaning;
use crate::ouch::outbound::Message;

/// What was heard of the venue.
pub(super) enum Heard {
    /// An order stands, told before its event.
    Stands(OpenOrder),
    /// Something happened.
    Event(OrderEvent),
    /// The request with this number is refused, and the order that it means stays: told before its event.
    NotDone {
        /// Its number.
        request: OrderId,
    },
    /// The answer to a mark.
    Mark,
}

/// The order that a message of OUCH says stands.
fn stands(message: &Message<'_>) -> Option<OpenOrder> {
    let (number, side, symbol, price, quantity) = match message {
        Message::Accepted(m, _) if m.state != b'D' => {
            (m.user_ref_num, m.side, m.symbol, m.price, m.quantity)
        }
        Message::Replaced(m, _) => (m.user_ref_num, m.side, m.symbol, m.price, m.quantity),
        _ => return None,
    };
    let side = match side {
        b'B' => OrderSide::Buy,
        b'T' => OrderSide::SellShort,
        b'E' => OrderSide::SellShortExempt,
        _ => OrderSide::Sell,
    };
    let limit = u32::try_from(price.get()).ok().filter(|_| price.get() != MARKET_PRICE).map(Price);
    let (quantity, symbol) = (Quantity(quantity.get()), Symbol(symbol));
    let order = Order { side, quantity, symbol, limit, time_in_force: TimeInForce::Day };
    let id = OrderId(number.get().into());
    Some(OpenOrder { id, order, open: quantity.0, executed: 0, accepted: true })
}

/// What is heard over OUCH.
pub(super) fn of_ouch(event: &ClientEvent<'_>, hear: &mut impl FnMut(Heard)) {
    match event {
        ClientEvent::Message { message, .. } => {
            stands(message).map(Heard::Stands).into_iter().for_each(&mut *hear);
            of_message(message).map(Heard::Event).into_iter().for_each(hear);
        }
        ClientEvent::Disconnected(cause) => {
            hear(Heard::Event(OrderEvent::Disconnected { why: cause.to_string() }));
        }
        ClientEvent::Mark => hear(Heard::Mark),
        ClientEvent::LoggedIn { .. } | ClientEvent::Unreadable { .. } => {}
    }
}

/// What a message of OUCH tells of orders.
fn of_message(message: &Message<'_>) -> Option<OrderEvent> {
    let id = |number: u32| OrderId(number.into());
    Some(match message {
        Message::Accepted(m, _) => OrderEvent::Accepted {
            id: id(m.user_ref_num.get()),
            reference: m.reference.get(),
            open: if m.state == b'D' { 0 } else { m.quantity.get() },
        },
        Message::Replaced(m, _) => OrderEvent::Replaced {
            original: id(m.original.get()),
            id: id(m.user_ref_num.get()),
            open: m.quantity.get(),
        },
        Message::Executed(m, _) => OrderEvent::Executed {
            id: id(m.user_ref_num.get()),
            quantity: m.quantity.get(),
            price: Price(u32::try_from(m.price.get()).unwrap_or(u32::MAX)),
            open: 0,
        },
        Message::Canceled(m, _) => OrderEvent::Canceled {
            id: id(m.user_ref_num.get()),
            quantity: m.quantity.get(),
            open: 0,
            why: format!("reason {}", char::from(m.reason)),
        },
        Message::Rejected(m, _) => OrderEvent::Rejected {
            id: id(m.user_ref_num.get()),
            why: match reject_meaning(m.reason.get()) {
                Some(meaning) => meaning.to_owned(),
                None => format!("reason {:#04x}", m.reason.get()),
            },
        },
        _ => return None,
    })
}

/// What is heard over FIX.
pub(super) fn of_fix(
    event: &FixEvent<'_>,
    requests: &HashMap<OrderId, OrderId>,
) -> impl Iterator<Item = Heard> + use<> {
    let request = match event {
        FixEvent::CancelRejected { id: Some(request), .. } => Some(OrderId(*request)),
        _ => None,
    };
    let refused = request.map(|request| Heard::NotDone { request });
    refused.into_iter().chain(told(event, requests).map(Heard::Event))
}

fn told(event: &FixEvent<'_>, requests: &HashMap<OrderId, OrderId>) -> Option<OrderEvent> {
    let words = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    Some(match event {
        FixEvent::Report(report) => return of_report(report),
        FixEvent::CancelRejected { id, text, .. } => {
            let meant = id.and_then(|id| requests.get(&OrderId(id))).copied();
            OrderEvent::NotDone { id: meant, why: words(text) }
        }
        FixEvent::BusinessRejected { text, .. } => {
            OrderEvent::NotDone { id: None, why: words(text) }
        }
        FixEvent::Disconnected(cause) => OrderEvent::Disconnected { why: cause.to_string() },
        FixEvent::LoggedOn | FixEvent::MassCanceled { .. } | FixEvent::Message(_) => return None,
    })
}

fn of_report(report: &ExecutionReport<'_>) -> Option<OrderEvent> {
    let Some(id) = report.id.map(OrderId) else { return Some(elsewhere(report)) };
    let original = report.original.map(OrderId);
    let open = report.open.0;
    let text = |otherwise: &str| match report.text {
        [] => otherwise.to_owned(),
        text => String::from_utf8_lossy(text).into_owned(),
    };
    Some(match report.exec_type {
        b'0' => {
            let digits = std::str::from_utf8(report.order_id).ok();
            let reference = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
            OrderEvent::Accepted { id, reference, open }
        }
        b'1' | b'2' | b'F' => OrderEvent::Executed {
            id,
            quantity: report.last_quantity.0,
            price: report.last_price,
            open,
        },
        // The id is that of the request, where there was one.
        b'4' | b'C' => OrderEvent::Canceled {
            id: original.unwrap_or(id),
            quantity: 0,
            open,
            why: text(if report.exec_type == b'C' { "expired" } else { "canceled" }),
        },
        b'D' => OrderEvent::Canceled { id, quantity: 0, open, why: text("restated") },
        b'5' => OrderEvent::Replaced { original: original.unwrap_or(id), id, open },
        b'8' => OrderEvent::Rejected { id, why: text("rejected") },
        _ => return None,
    })
}

/// A report on an order that another client of the session entered.
fn elsewhere(report: &ExecutionReport<'_>) -> OrderEvent {
    let what = match report.exec_type {
        b'0' => "accepted".to_owned(),
        b'1' | b'2' | b'F' => {
            format!("executed: {} at {}", report.last_quantity, Money(report.last_price))
        }
        b'4' => "canceled".to_owned(),
        b'5' => "replaced".to_owned(),
        b'8' => "rejected".to_owned(),
        b'C' => "expired".to_owned(),
        other => format!("ExecType {}", char::from(other)),
    };
    let id = String::from_utf8_lossy(report.client_id);
    let what = format!("order {id} of another connection {what}, {} open", report.open);
    OrderEvent::Elsewhere { what }
}
