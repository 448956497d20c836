//! From the engine's events to reports.

use spindle_engine::event::{CancelReason, Event, Liquidity, Outcome, RejectReason};
use spindle_types::{OrderToken, Price, Quantity};

use super::orders::{Life, Name, Order, Orders};
use super::{Accounts, Asked, ClOrdId, Pending, codes};
use crate::fix::dictionary::Version;
use crate::fix::encode::Writer;
use crate::fix::session::{Now, Session};
use crate::fix::tag;
use crate::fix::value::{DAY, Precision};

/// Writes what events mean to one session.
pub(super) struct Reports<'a> {
    pub(super) version: Version,
    pub(super) accounts: &'a Accounts,
    pub(super) orders: &'a mut Orders,
    pub(super) session: &'a mut Session,
    pub(super) now: Now,
}

/// What an execution report says besides the order's state.
#[derive(Clone, Copy, Default)]
struct Report<'a> {
    exec_type: u8,
    /// ClOrdID, where it is not the order's own.
    id: Option<&'a ClOrdId>,
    original: Option<&'a ClOrdId>,
    last: Option<(Quantity, Price, Liquidity)>,
    ord_rej_reason: Option<u64>,
    restatement: Option<u64>,
    /// Whether it answers a status request.
    is_status: bool,
    text: &'a [u8],
}

/// Room for a text.
const TEXT_MAX: usize = 128;

impl Reports<'_> {
    #[inline]
    pub(super) fn answer(&mut self, event: &Event, pending: Option<&Pending>) {
        let token = event.token;
        match event.outcome {
            Outcome::Accepted { reference, quantity, limit, live, .. } => {
                if let Some(order) = self.orders.order_mut(token) {
                    order.reference.get_or_insert(reference.0);
                    (order.open, order.limit, order.life) = (quantity.0, limit, Life::Open);
                }
                self.report(event, token, &Report { exec_type: b'0', ..Report::default() });
                if !live {
                    self.canceled(event, quantity, Quantity::ZERO, CancelReason::NoLiquidity, None);
                }
            }
            Outcome::Rejected { reason, limit, observed, .. } => {
                self.rejected(event, pending, reason, limit, observed);
            }
            Outcome::Replaced { original, quantity, limit, .. } => {
                self.replaced(event, original, quantity, limit);
            }
            Outcome::Canceled { quantity, open, reason } => {
                self.canceled(event, quantity, open, reason, pending);
            }
            Outcome::Executed { quantity, price, open, liquidity, .. } => {
                self.executed(event, quantity, price, open, liquidity);
            }
            Outcome::Triggered => {
                let restatement = Some(by_version(self.version, 4, 99));
                let text = b"triggered";
                let report = Report { exec_type: b'D', restatement, text, ..Report::default() };
                self.report(event, token, &report);
            }
            Outcome::MassCanceled { orders } => {
                if let Some(Pending { what: Asked::MassCancel(request), id, .. }) = pending {
                    self.mass_cancel_report(event, id, *request, Ok(orders));
                }
            }
            Outcome::CancelRejected => self.not_found(event, pending),
            Outcome::ReplaceRejected { .. } => self.not_found(event, pending),
            Outcome::Checked { .. }
            | Outcome::Modified { .. }
            | Outcome::Indicative { .. }
            | Outcome::Auction { .. }
            | Outcome::TapeImbalance { .. }
            | Outcome::State { .. } => {}
        }
    }

    fn executed(
        &mut self,
        event: &Event,
        quantity: Quantity,
        price: Price,
        open: Quantity,
        liquidity: Liquidity,
    ) {
        if let Some(order) = self.orders.order_mut(event.token) {
            order.executed = order.executed.saturating_add(quantity.0);
            order.value = order.value.saturating_add(u64::from(price.0) * u64::from(quantity.0));
            order.open = open.0;
            if open == Quantity::ZERO {
                order.life = Life::Filled;
            }
        }
        let exec_type = match self.version {
            Version::Fix42 if open == Quantity::ZERO => b'2',
            Version::Fix42 => b'1',
            Version::Fix44 => b'F',
        };
        let last = Some((quantity, price, liquidity));
        self.report(event, event.token, &Report { exec_type, last, ..Report::default() });
    }

    fn replaced(
        &mut self,
        event: &Event,
        original: OrderToken,
        open: Quantity,
        limit: Option<Price>,
    ) {
        let name = self.orders.name(event.token).copied();
        if let (Some(order), Some(name)) = (self.orders.order_mut(event.token), name) {
            let Name { ord_type, time_in_force, .. } = name;
            (order.ord_type, order.time_in_force) = (ord_type, time_in_force);
            (order.open, order.limit) = (open.0, limit);
            order.quantity = order.executed.saturating_add(open.0);
            (order.token, order.replaced) = (event.token, true);
        }
        let original = self.orders.name(original).map(|name| name.id);
        let report = Report { exec_type: b'5', original: original.as_ref(), ..Report::default() };
        self.report(event, event.token, &report);
    }

    fn canceled(
        &mut self,
        event: &Event,
        quantity: Quantity,
        open: Quantity,
        reason: CancelReason,
        pending: Option<&Pending>,
    ) {
        let to_executed = matches!(pending, Some(Pending { what: Asked::Replace(_), .. }));
        if let Some(order) = self.orders.order_mut(event.token) {
            order.open = open.0;
            if open > Quantity::ZERO || to_executed {
                order.quantity = order.quantity.saturating_sub(quantity.0);
            }
            if open == Quantity::ZERO {
                order.life = match (to_executed, codes::is_expiry(reason)) {
                    (true, _) => Life::Filled,
                    (false, true) => Life::Expired,
                    (false, false) => Life::Canceled,
                };
            }
        }
        // What was asked for is told with the names that asked for it.
        let (id, original) = match pending {
            Some(pending) => (Some(&pending.id), Some(&pending.original)),
            None => (None, None),
        };
        let text = if pending.is_some() { "" } else { reason.name() }.as_bytes();
        let (exec_type, restatement) = match (open > Quantity::ZERO, to_executed) {
            (true, _) => (b'D', Some(5)),
            (false, true) => (b'5', None),
            (false, false) if codes::is_expiry(reason) => (b'C', None),
            (false, false) => (b'4', None),
        };
        let report = Report { exec_type, id, original, restatement, text, ..Report::default() };
        self.report(event, event.token, &report);
    }

    fn rejected(
        &mut self,
        event: &Event,
        pending: Option<&Pending>,
        reason: RejectReason,
        limit: u64,
        observed: u64,
    ) {
        let Some(pending) = pending else { return };
        let mut space = [0; TEXT_MAX];
        let mut text = Writer::new(&mut space);
        codes::write_refusal(&mut text, reason, limit, observed);
        let text = text.written();
        match pending.what {
            Asked::New(token) => {
                if let Some(order) = self.orders.order_mut(token) {
                    order.life = Life::Rejected;
                }
                let ord_rej_reason = Some(codes::ord_rej_reason(self.version, reason));
                let report = Report { exec_type: b'8', ord_rej_reason, text, ..Report::default() };
                self.report(event, token, &report);
            }
            Asked::Replace(of) | Asked::Cancel(of) => {
                let code = codes::cxl_rej_reason(self.version, reason);
                self.cancel_reject(event, pending, of, code, text);
            }
            Asked::MassCancel(request) => {
                let code = codes::mass_cancel_reject_reason(reason);
                self.mass_cancel_report(event, &pending.id, request, Err((code, text)));
            }
            Asked::Incomplete(missing) => {
                let mut space = [0; TEXT_MAX];
                let mut text = Writer::new(&mut space);
                text.raw(b"Conditionally Required Field Missing: tag ").digits(missing.into());
                self.business_reject(pending, 5, text.written());
            }
            Asked::NoRoom => {
                self.business_reject(pending, 0, b"No room for another order today");
            }
            Asked::Status(_) | Asked::CancelOnDisconnect => {}
        }
    }

    fn business_reject(&mut self, pending: &Pending, reason: u64, text: &[u8]) {
        let Pending { sequence, msg_type, id, .. } = pending;
        let (msg_type, id) = ([*msg_type], Some(id.as_bytes()));
        self.session.reject_business(*sequence, &msg_type, reason, id, text, self.now);
    }

    /// The engine found no open order under the number that it was given.
    fn not_found(&mut self, event: &Event, pending: Option<&Pending>) {
        let Some(pending) = pending else { return };
        match pending.what {
            Asked::Cancel(of) | Asked::Replace(of) => {
                let order = of.and_then(|of| self.orders.order(of));
                let (code, text) = match order.map(|order| order.life) {
                    None => (1, &b"unknown order"[..]),
                    // It lives under a later name.
                    Some(Life::Open | Life::Pending) => (1, &b"not the order's last ClOrdID"[..]),
                    Some(Life::Rejected) => (1, &b"the order was rejected"[..]),
                    Some(Life::Filled | Life::Canceled | Life::Expired) => (0, &b"too late"[..]),
                };
                self.cancel_reject(event, pending, of, code, text);
            }
            Asked::Status(of) => self.status(event, pending, of),
            Asked::New(_)
            | Asked::MassCancel(_)
            | Asked::Incomplete(_)
            | Asked::NoRoom
            | Asked::CancelOnDisconnect => {}
        }
    }

    fn status(&mut self, event: &Event, pending: &Pending, of: Option<OrderToken>) {
        let report = Report { is_status: true, ..Report::default() };
        if let Some(of) = of {
            return self.report(event, of, &report);
        }
        let (version, time) = (self.version, self.transact_time(event));
        self.session.send(b'8', false, self.now, |body| {
            body.char(tag::AVG_PX, b'0').field(tag::CL_ORD_ID, pending.id.as_bytes());
            body.char(tag::CUM_QTY, b'0');
            exec_id(body, version, event, true);
            body.field(tag::ORDER_ID, b"NONE").char(tag::ORD_STATUS, b'8');
            // What is unknown has neither; the standard wants both.
            body.char(tag::SIDE, b'1').field(tag::SYMBOL, b"[N/A]");
            body.field(tag::TEXT, b"unknown order");
            body.time(tag::TRANSACT_TIME, time, Precision::Milliseconds);
            body.char(tag::ORD_REJ_REASON, b'5');
            body.char(tag::EXEC_TYPE, if version == Version::Fix42 { b'8' } else { b'I' });
            body.char(tag::LEAVES_QTY, b'0');
        });
    }

    fn cancel_reject(
        &mut self,
        event: &Event,
        pending: &Pending,
        of: Option<OrderToken>,
        code: u64,
        text: &[u8],
    ) {
        let order = of.and_then(|of| self.orders.order(of));
        let status = order.map_or(b'8', |order| status(self.version, order));
        let reference = order.and_then(|order| order.reference);
        let time = self.transact_time(event);
        let response_to = if matches!(pending.what, Asked::Cancel(_)) { b'1' } else { b'2' };
        self.session.send(b'9', false, self.now, |body| {
            body.field(tag::CL_ORD_ID, pending.id.as_bytes());
            order_id(body, reference);
            body.char(tag::ORD_STATUS, status);
            body.field(tag::ORIG_CL_ORD_ID, pending.original.as_bytes());
            body.field(tag::TEXT, text);
            body.time(tag::TRANSACT_TIME, time, Precision::Milliseconds);
            body.uint(tag::CXL_REJ_REASON, code).char(tag::CXL_REJ_RESPONSE_TO, response_to);
        });
    }

    fn mass_cancel_report(
        &mut self,
        event: &Event,
        id: &ClOrdId,
        request: u8,
        done: Result<u32, (u64, &[u8])>,
    ) {
        let time = self.transact_time(event);
        self.session.send(b'r', false, self.now, |body| {
            body.field(tag::CL_ORD_ID, id.as_bytes()).uint(tag::ORDER_ID, event.sequence);
            body.maybe(tag::TEXT, done.err().map(|(_, text)| text));
            body.time(tag::TRANSACT_TIME, time, Precision::Milliseconds);
            body.char(tag::MASS_CANCEL_REQUEST_TYPE, request);
            body.char(tag::MASS_CANCEL_RESPONSE, if done.is_ok() { request } else { b'0' });
            match done {
                Ok(orders) => body.uint(tag::TOTAL_AFFECTED_ORDERS, orders.into()),
                Err((code, _)) => body.uint(tag::MASS_CANCEL_REJECT_REASON, code),
            };
        });
    }

    /// Sends an execution report on the order that a token names.
    #[inline]
    fn report(&mut self, event: &Event, token: OrderToken, report: &Report<'_>) {
        let (Some(order), Some(name)) = (self.orders.order(token), self.orders.name(token)) else {
            debug_assert!(false, "the engine tells of an order that this session never had");
            return;
        };
        let (order, version, time) = (*order, self.version, self.transact_time(event));
        // A status names the order as it was asked for; all else by its present name.
        let id = report.id.unwrap_or(&name.id);
        let account = self.accounts.name_of(order.account);
        self.session.send(b'8', false, self.now, |body| {
            body.maybe(tag::ACCOUNT, account);
            write(body, version, event, &order, id, time, report);
        });
    }

    #[inline]
    fn transact_time(&self, event: &Event) -> u64 {
        transact_time(event, self.now)
    }
}

/// The engine's time of day on the day that is today; around midnight, on the nearer one.
#[inline]
pub(crate) fn transact_time(event: &Event, now: Now) -> u64 {
    let (midnight, of_day) = (now.utc / DAY * DAY, now.utc % DAY);
    let time = event.time.0;
    if time > of_day + DAY / 2 && midnight >= DAY {
        midnight - DAY + time
    } else if of_day > time + DAY / 2 && time > 0 {
        midnight + DAY + time
    } else {
        midnight + time
    }
}

/// Writes an execution report, its fields in the order of their tags.
#[inline]
fn write(
    body: &mut Writer<'_>,
    version: Version,
    event: &Event,
    order: &Order,
    id: &ClOrdId,
    time: u64,
    report: &Report<'_>,
) {
    let status = status(version, order);
    body.decimal(tag::AVG_PX, codes::average(order.value, order.executed), 6);
    body.field(tag::CL_ORD_ID, id.as_bytes()).uint(tag::CUM_QTY, order.executed.into());
    exec_id(body, version, event, report.is_status);
    if let Some((quantity, price, _)) = report.last {
        body.price(tag::LAST_PX, price).uint(tag::LAST_QTY, quantity.0.into());
    }
    order_id(body, order.reference);
    if order.quantity > 0 {
        body.uint(tag::ORDER_QTY, order.quantity.into());
    }
    body.char(tag::ORD_STATUS, status).char(tag::ORD_TYPE, order.ord_type);
    body.maybe(tag::ORIG_CL_ORD_ID, report.original.map(ClOrdId::as_bytes));
    if let Some(limit) = order.limit {
        body.price(tag::PRICE, limit);
    }
    body.char(tag::SIDE, order.side).field(tag::SYMBOL, order.symbol.as_bytes());
    body.maybe(tag::TEXT, (!report.text.is_empty()).then_some(report.text));
    body.char(tag::TIME_IN_FORCE, order.time_in_force);
    body.time(tag::TRANSACT_TIME, time, Precision::Milliseconds);
    if let Some(stop) = order.stop {
        body.price(tag::STOP_PX, stop);
    }
    if let Some(reason) = report.ord_rej_reason {
        body.uint(tag::ORD_REJ_REASON, reason);
    }
    let exec_type = match (report.is_status, version) {
        (false, _) => report.exec_type,
        (true, Version::Fix42) => status,
        (true, Version::Fix44) => b'I',
    };
    body.char(tag::EXEC_TYPE, exec_type).uint(tag::LEAVES_QTY, order.open.into());
    if let Some(restatement) = report.restatement {
        body.uint(tag::EXEC_RESTATEMENT_REASON, restatement);
    }
    if let (Some((_, _, liquidity)), Version::Fix44) = (report.last, version) {
        body.uint(tag::LAST_LIQUIDITY_IND, codes::liquidity(liquidity));
    }
}

/// ExecID: the number of the event, which no other of the venue has. A status has none in 4.2.
#[inline]
fn exec_id(body: &mut Writer<'_>, version: Version, event: &Event, is_status: bool) {
    match version {
        Version::Fix42 => {
            body.uint(tag::EXEC_ID, if is_status { 0 } else { event.sequence });
            body.char(tag::EXEC_TRANS_TYPE, if is_status { b'3' } else { b'0' });
        }
        Version::Fix44 => {
            body.uint(tag::EXEC_ID, event.sequence);
        }
    }
}

fn order_id(body: &mut Writer<'_>, reference: Option<u64>) {
    match reference {
        Some(reference) => body.uint(tag::ORDER_ID, reference),
        None => body.field(tag::ORDER_ID, b"NONE"),
    };
}

/// OrdStatus.
#[inline]
const fn status(version: Version, order: &Order) -> u8 {
    match order.life {
        Life::Pending => b'A',
        Life::Open if order.executed > 0 => b'1',
        Life::Open if order.replaced && matches!(version, Version::Fix42) => b'5',
        Life::Open => b'0',
        Life::Filled => b'2',
        Life::Canceled => b'4',
        Life::Expired => b'C',
        Life::Rejected => b'8',
    }
}

const fn by_version(version: Version, fix42: u64, fix44: u64) -> u64 {
    match version {
        Version::Fix42 => fix42,
        Version::Fix44 => fix44,
    }
}
