//! From messages to what the engine is asked.

use spindle_engine::command::{
    Action, Attributes, Cancel, Enter, MassCancel, Modifiers, OrderKind, OrderSide, Priority,
    Refuse, Replace, TimeInForce,
};
use spindle_engine::event::{Field, RejectReason};
use spindle_risk::Check;
use spindle_types::{EventTime, OrderToken, Price, Quantity, Symbol};

use super::orders::{Life, Name, Order};
use super::{Asked, ClOrdId, Entry, Reaction, Text};
use crate::fix::dictionary::Version;
use crate::fix::message::Message;
use crate::fix::session::Now;
use crate::fix::tag;
use crate::fix::validate::Violation;
use crate::fix::value::{self, DAY};

/// The number that no order has.
const NOBODY: OrderToken = OrderToken(0);

/// What a request cannot be passed on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A field that this kind of order needs.
    Missing(u16),
    /// Something that the venue does not take.
    Refused(RejectReason, u64),
}

const fn refused<T>(reason: RejectReason) -> Result<T, Fault> {
    Err(Fault::Refused(reason, 0))
}

/// A tag, or a value of it, that is not offered.
const fn not_offered<T>(tag: u16) -> Result<T, Fault> {
    Err(Fault::Refused(RejectReason::InvalidOption, tag as u64))
}

type Passed = Result<(Asked, Action), Reaction>;

impl Entry {
    pub(super) fn new_order(
        &mut self,
        message: &Message<'_>,
        id: ClOrdId,
        refused_for: Option<RejectReason>,
        now: Now,
    ) -> Passed {
        let known = self.orders.find(&id).is_some();
        if known && message.is_yes(tag::POSS_RESEND) {
            return Err(Reaction::Ignore);
        }
        let Some(symbol) = Text::new(message.get(tag::SYMBOL).unwrap_or_default()) else {
            return Err(Reaction::Reject(Violation::OutOfRange(tag::SYMBOL.into())));
        };
        let terms = self.terms(message, now);
        if let Err(Fault::Missing(tag)) = terms {
            return Ok(incomplete(tag));
        }
        let limit = message.get(tag::PRICE).and_then(|price| value::price(price).ok());
        let stop = message.get(tag::STOP_PX).and_then(|price| value::price(price).ok());
        let quantity =
            message.get(tag::ORDER_QTY).and_then(|quantity| value::quantity(quantity).ok());
        let account = self.accounts.of(message.get(tag::ACCOUNT));
        let order = Order {
            account: account.unwrap_or(self.accounts.own),
            symbol,
            side: message.char(tag::SIDE).unwrap_or(b'1'),
            ord_type: message.char(tag::ORD_TYPE).unwrap_or(b'2'),
            time_in_force: message.char(tag::TIME_IN_FORCE).unwrap_or(b'0'),
            limit,
            stop,
            quantity: quantity.map_or(0, |quantity| quantity.0),
            executed: 0,
            open: 0,
            value: 0,
            reference: None,
            token: NOBODY,
            replaced: false,
            life: Life::Pending,
        };
        let Some(token) = self.orders.enter(id, order) else {
            return Ok((Asked::NoRoom, refuse(NOBODY, &id, RejectReason::Capacity, 0)));
        };
        let asked = Asked::New(token);
        let refused = |reason, observed| Ok((asked, refuse(token, &id, reason, observed)));
        if account.is_none() {
            return refused(RejectReason::Risk(Check::Account), 0);
        }
        if known {
            return refused(RejectReason::DuplicateToken, 0);
        }
        if let Some(reason) = refused_for {
            return refused(reason, 0);
        }
        match terms {
            Ok(terms) => Ok((asked, Action::Enter(terms.enter(token, &id, capacity(message))))),
            Err(Fault::Refused(reason, observed)) => refused(reason, observed),
            Err(Fault::Missing(tag)) => Ok(incomplete(tag)),
        }
    }

    pub(super) fn replace(
        &mut self,
        message: &Message<'_>,
        id: ClOrdId,
        original: ClOrdId,
        refused_for: Option<RejectReason>,
        now: Now,
    ) -> Passed {
        let known = self.orders.find(&id).is_some();
        if known && message.is_yes(tag::POSS_RESEND) {
            return Err(Reaction::Ignore);
        }
        let Some(of) = self.orders.find(&original) else {
            return Ok((Asked::Replace(None), ask_nothing()));
        };
        let asked = Asked::Replace(Some(of));
        let refused = |reason, observed| Ok((asked, refuse(NOBODY, &id, reason, observed)));
        if known {
            return refused(RejectReason::DuplicateToken, 0);
        }
        let terms = match self.replacement(message, of, now) {
            Ok(terms) => terms,
            Err(Fault::Missing(tag)) => return Ok(incomplete(tag)),
            Err(Fault::Refused(reason, observed)) => return refused(reason, observed),
        };
        if let Some(reason) = refused_for {
            return refused(reason, 0);
        }
        let added = self.orders.name(of).copied().and_then(|name| {
            let time_in_force = message.char(tag::TIME_IN_FORCE).unwrap_or(name.time_in_force);
            let ord_type = message.char(tag::ORD_TYPE).unwrap_or(name.ord_type);
            self.orders.add(Name { id, ord_type, time_in_force, ..name })
        });
        let Some(token) = added else {
            return refused(RejectReason::Capacity, 0);
        };
        let (quantity, limit, time_in_force) = terms;
        let attributes = attributes(&id, 0);
        let priority = Priority::KeepWhenReduced;
        let replace =
            Replace { original: of, token, quantity, limit, time_in_force, priority, attributes };
        Ok((asked, Action::Replace(replace)))
    }

    /// What a replacement asks for: shares of the whole chain, limit, time in force.
    fn replacement(
        &self,
        message: &Message<'_>,
        of: OrderToken,
        now: Now,
    ) -> Result<(Quantity, Option<Price>, Option<TimeInForce>), Fault> {
        let Some(order) = self.orders.order(of) else {
            return refused(RejectReason::Capacity);
        };
        if self.accounts.of(message.get(tag::ACCOUNT).or(self.accounts.name_of(order.account)))
            != Some(order.account)
        {
            return not_offered(tag::ACCOUNT);
        }
        if message.get(tag::SYMBOL) != Some(order.symbol.as_bytes()) {
            return not_offered(tag::SYMBOL);
        }
        if message.char(tag::SIDE) != Some(order.side) {
            return not_offered(tag::SIDE);
        }
        let ord_type = message.char(tag::ORD_TYPE).unwrap_or(order.ord_type);
        let stays = match (order.ord_type, ord_type) {
            (b'1' | b'2', b'1' | b'2') | (b'3' | b'4', b'3' | b'4') => true,
            (was, is) => was == is,
        };
        if !stays {
            return not_offered(tag::ORD_TYPE);
        }
        if let Some(stop) = message.get(tag::STOP_PX)
            && value::price(stop).ok() != order.stop
        {
            return not_offered(tag::STOP_PX);
        }
        let limit = limit(message, ord_type)?;
        let time_in_force = match message.char(tag::TIME_IN_FORCE) {
            Some(_) => Some(time_in_force(message, now)?),
            None => None,
        };
        Ok((quantity(message)?, limit, time_in_force))
    }

    pub(super) fn cancel(&self, original: ClOrdId) -> (Asked, Action) {
        let of = self.orders.find(&original);
        let token = of.unwrap_or(NOBODY);
        (Asked::Cancel(of), Action::Cancel(Cancel { token, quantity: Quantity::ZERO }))
    }

    pub(super) fn status(&self, id: ClOrdId) -> (Asked, Action) {
        (Asked::Status(self.orders.find(&id)), ask_nothing())
    }

    /// Cancels what the account has open, over whatever session it came.
    pub(super) fn mass_cancel(&self, message: &Message<'_>) -> (Asked, Action) {
        let request = message.char(tag::MASS_CANCEL_REQUEST_TYPE).unwrap_or(b'7');
        let asked = Asked::MassCancel(request);
        let side = message.char(tag::SIDE).map(side);
        let id = ClOrdId::EMPTY;
        let refused = |reason, observed| (asked, refuse(NOBODY, &id, reason, observed));
        let named = message.get(tag::ACCOUNT);
        if named.is_none() && self.accounts.are_several() {
            return incomplete(tag::ACCOUNT);
        }
        let Some(account) = self.accounts.of(named) else {
            return refused(RejectReason::Risk(Check::Account), 0);
        };
        let side = match side {
            None => None,
            Some(Ok(side)) => Some(side.book_side()),
            Some(Err(_)) => return refused(RejectReason::InvalidSide, 0),
        };
        let symbol = match (request, message.get(tag::SYMBOL)) {
            (b'7', _) => None,
            (b'1', Some(symbol)) => match parse_symbol(symbol) {
                Ok(symbol) => Some(symbol),
                Err(_) => return refused(RejectReason::UnknownInstrument, 0),
            },
            (b'1', None) => return incomplete(tag::SYMBOL),
            _ => {
                let observed = tag::MASS_CANCEL_REQUEST_TYPE.into();
                return refused(RejectReason::InvalidOption, observed);
            }
        };
        let account = Some(account);
        let mass = MassCancel { token: NOBODY, account, session: None, symbol, side };
        (asked, Action::MassCancel(mass))
    }

    /// Reads what a new order asks for.
    fn terms(&self, message: &Message<'_>, now: Now) -> Result<Terms, Fault> {
        let symbol = parse_symbol(message.get(tag::SYMBOL).unwrap_or_default())?;
        let side = side(message.char(tag::SIDE).unwrap_or(0))?;
        if message.char(tag::HANDL_INST) == Some(b'3') {
            return not_offered(tag::HANDL_INST);
        }
        let ord_type = message.char(tag::ORD_TYPE).unwrap_or(0);
        let quantity = quantity(message)?;
        let limit = limit(message, ord_type)?;
        let mut modifiers = modifiers(message)?;
        let kind = self.kind(message, ord_type, side, &mut modifiers)?;
        let at_close = matches!(ord_type, b'5' | b'B');
        let time_in_force = match message.char(tag::TIME_IN_FORCE) {
            None | Some(b'0' | b'7') if at_close => TimeInForce::AtClose,
            Some(_) if at_close => return refused(RejectReason::InvalidTimeInForce),
            _ => time_in_force(message, now)?,
        };
        Ok(Terms { symbol, side, quantity, limit, kind, modifiers, time_in_force })
    }

    fn kind(
        &self,
        message: &Message<'_>,
        ord_type: u8,
        side: OrderSide,
        modifiers: &mut Modifiers,
    ) -> Result<OrderKind, Fault> {
        let fix44 = self.version == Version::Fix44;
        let mut peg = None;
        let codes = message.get(tag::EXEC_INST).unwrap_or_default();
        for code in codes.split(|&byte| byte == b' ').filter(|code| !code.is_empty()) {
            match code {
                b"6" => modifiers.post_only = true,
                b"R" | b"M" if ord_type == b'P' => peg = code.first().copied(),
                b"a" if ord_type == b'P' && fix44 => peg = Some(b'a'),
                // Held: the usual.
                b"5" => {}
                _ => return not_offered(tag::EXEC_INST),
            }
        }
        let stop = match message.get(tag::STOP_PX) {
            Some(stop) => Some(price(stop)?),
            None => None,
        };
        let offset = match message.get(tag::PEG_DIFFERENCE) {
            Some(offset) => match value::offset(offset) {
                Ok(offset) => offset,
                Err(_) => return refused(RejectReason::InvalidPrice),
            },
            None => 0,
        };
        // The standard adds the difference to the price; the engine counts towards the other side.
        let aggressive = match side {
            OrderSide::Buy => offset,
            OrderSide::Sell | OrderSide::SellShort | OrderSide::SellShortExempt => -offset,
        };
        Ok(match (ord_type, peg) {
            (b'1' | b'2' | b'5' | b'B', _) => OrderKind::Plain,
            (b'3' | b'4', _) => match stop {
                Some(stop) => OrderKind::Stop { stop },
                None => return Err(Fault::Missing(tag::STOP_PX)),
            },
            (b'K', _) => OrderKind::MarketToLimit,
            (b'P', Some(b'R')) => OrderKind::PrimaryPeg { offset: aggressive },
            (b'P', Some(b'M')) => OrderKind::MidpointPeg { offset: aggressive },
            (b'P', Some(_)) => {
                OrderKind::TrailingStop { trail: Price(offset.unsigned_abs()), stop }
            }
            (b'P', None) => return Err(Fault::Missing(tag::EXEC_INST)),
            _ => return not_offered(tag::ORD_TYPE),
        })
    }
}

/// What a new order asks for.
#[derive(Clone, Copy, Debug)]
struct Terms {
    symbol: Symbol,
    side: OrderSide,
    quantity: Quantity,
    limit: Option<Price>,
    kind: OrderKind,
    modifiers: Modifiers,
    time_in_force: TimeInForce,
}

impl Terms {
    fn enter(&self, token: OrderToken, id: &ClOrdId, capacity: u8) -> Enter {
        let Self { symbol, side, quantity, limit, kind, modifiers, time_in_force } = *self;
        let attributes = attributes(id, capacity);
        Enter { token, symbol, side, quantity, limit, kind, modifiers, time_in_force, attributes }
    }
}

/// A cancel that finds nothing: it comes back when everything before it is answered.
const fn ask_nothing() -> Action {
    Action::Cancel(Cancel { token: NOBODY, quantity: Quantity::ZERO })
}

fn refuse(token: OrderToken, id: &ClOrdId, reason: RejectReason, observed: u64) -> Action {
    Action::Refuse(Refuse { token, reason, observed, attributes: attributes(id, 0) })
}

fn incomplete(tag: u16) -> (Asked, Action) {
    let nobody = ClOrdId::EMPTY;
    (Asked::Incomplete(tag), refuse(NOBODY, &nobody, RejectReason::InvalidOption, tag.into()))
}

fn parse_symbol(symbol: &[u8]) -> Result<Symbol, Fault> {
    let mut padded = Symbol::BLANK;
    let fits = (1..=8).contains(&symbol.len()) && symbol.iter().all(u8::is_ascii_graphic);
    match padded.0.get_mut(..symbol.len()) {
        Some(space) if fits => space.copy_from_slice(symbol),
        _ => return refused(RejectReason::UnknownInstrument),
    }
    Ok(padded)
}

const fn side(letter: u8) -> Result<OrderSide, Fault> {
    match letter {
        b'1' => Ok(OrderSide::Buy),
        b'2' => Ok(OrderSide::Sell),
        b'5' => Ok(OrderSide::SellShort),
        b'6' => Ok(OrderSide::SellShortExempt),
        _ => refused(RejectReason::InvalidSide),
    }
}

fn quantity(message: &Message<'_>) -> Result<Quantity, Fault> {
    if message.get(tag::CASH_ORDER_QTY).is_some() {
        return not_offered(tag::CASH_ORDER_QTY);
    }
    let quantity = message.get(tag::ORDER_QTY).ok_or(Fault::Missing(tag::ORDER_QTY))?;
    shares(quantity).and_then(|quantity| match quantity {
        Quantity::ZERO => refused(RejectReason::InvalidQuantity),
        quantity => Ok(quantity),
    })
}

fn shares(value: &[u8]) -> Result<Quantity, Fault> {
    value::quantity(value).map_err(|_| Fault::Refused(RejectReason::InvalidQuantity, 0))
}

fn price(value: &[u8]) -> Result<Price, Fault> {
    value::price(value).map_err(|_| Fault::Refused(RejectReason::InvalidPrice, 0))
}

/// The limit that an order of this type must, may or must not have.
fn limit(message: &Message<'_>, ord_type: u8) -> Result<Option<Price>, Fault> {
    match (ord_type, message.get(tag::PRICE)) {
        (b'2' | b'4' | b'B', None) => Err(Fault::Missing(tag::PRICE)),
        (b'1' | b'3' | b'5' | b'K', Some(_)) => {
            refused(RejectReason::InvalidCombination(Field::Limit))
        }
        (_, None) => Ok(None),
        (_, Some(limit)) => price(limit).map(Some),
    }
}

fn modifiers(message: &Message<'_>) -> Result<Modifiers, Fault> {
    let mut modifiers = Modifiers::NONE;
    if let Some(minimum) = message.get(tag::MIN_QTY) {
        modifiers.minimum = shares(minimum)?;
    }
    if let Some(display) = message.get(tag::MAX_FLOOR) {
        modifiers.display = shares(display)?;
        modifiers.hidden = modifiers.display == Quantity::ZERO;
    }
    Ok(modifiers)
}

fn time_in_force(message: &Message<'_>, now: Now) -> Result<TimeInForce, Fault> {
    Ok(match message.char(tag::TIME_IN_FORCE) {
        // Day and extended-hours orders are the same here.
        None | Some(b'0' | b'5') => TimeInForce::Day,
        Some(b'1') => TimeInForce::GoodTillCancel,
        Some(b'2') => TimeInForce::AtOpen,
        Some(b'3') => TimeInForce::ImmediateOrCancel,
        Some(b'4') => TimeInForce::FillOrKill,
        Some(b'6') => TimeInForce::GoodTillDate(expiry(message, now)?),
        Some(b'7') => TimeInForce::AtClose,
        Some(_) => return refused(RejectReason::InvalidTimeInForce),
    })
}

/// When an order expires, in nanoseconds since the midnight with which today began. A time before that is 0, which is never after now.
fn expiry(message: &Message<'_>, now: Now) -> Result<EventTime, Fault> {
    let midnight = now.utc / DAY * DAY;
    let time = message.get(tag::EXPIRE_TIME).and_then(value::timestamp);
    let date = message.get(tag::EXPIRE_DATE).and_then(value::date_day);
    let end_of_date = date.map(|day| day.saturating_add(1).saturating_mul(DAY).saturating_sub(1));
    let time = time.or(end_of_date).ok_or(Fault::Missing(tag::EXPIRE_TIME))?;
    Ok(EventTime(time.saturating_sub(midnight)))
}

/// The capacity in OUCH's letters: A agency, P principal, R riskless, O other.
fn capacity(message: &Message<'_>) -> u8 {
    let given = message.char(tag::ORDER_CAPACITY).or_else(|| message.char(tag::RULE_80A));
    match given {
        None => b'P',
        Some(letter @ (b'A' | b'P' | b'R')) => letter,
        Some(_) => b'O',
    }
}

fn attributes(id: &ClOrdId, capacity: u8) -> Attributes {
    let mut attributes = Attributes { capacity, ..Attributes::default() };
    let text = id.as_bytes();
    attributes.client_order_id[..text.len()].copy_from_slice(text);
    attributes
}
