//! From ITCH messages to market events.

use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

use super::Message;
use crate::event::{Cross, MarketAction, MarketEvent, Phase, TradingState};
use crate::state::{Collar, Imbalance, MarketCenter, Reason, Release, ShortSale, StateChange};

/// What the message does to books and instruments. A side, state or code outside the
/// specification's set becomes [`MarketAction::Other`]: it has no meaning that could be applied.
#[inline]
pub fn to_event(message: &Message<'_>) -> MarketEvent {
    let header = message.header();
    MarketEvent {
        time: EventTime(header.time.get()),
        instrument: InstrumentId(header.locate.get()),
        action: action(message),
    }
}

#[inline]
fn action(message: &Message<'_>) -> MarketAction {
    match message {
        Message::AddOrder(m) => {
            add(m.reference.get(), m.side, m.shares.get(), m.price.get(), m.stock)
        }
        Message::AddOrderMpid(m) => {
            add(m.reference.get(), m.side, m.shares.get(), m.price.get(), m.stock)
        }
        Message::OrderExecuted(m) => MarketAction::Execute {
            reference: OrderReference(m.reference.get()),
            quantity: Quantity(m.shares.get()),
            match_number: MatchNumber(m.match_number.get()),
        },
        Message::OrderExecutedWithPrice(m) => MarketAction::ExecuteAt {
            reference: OrderReference(m.reference.get()),
            quantity: Quantity(m.shares.get()),
            match_number: MatchNumber(m.match_number.get()),
            price: Price(m.price.get()),
            printable: m.printable != b'N',
        },
        Message::OrderCancel(m) => MarketAction::Reduce {
            reference: OrderReference(m.reference.get()),
            quantity: Quantity(m.shares.get()),
        },
        Message::OrderDelete(m) => {
            MarketAction::Delete { reference: OrderReference(m.reference.get()) }
        }
        Message::OrderReplace(m) => MarketAction::Replace {
            reference: OrderReference(m.reference.get()),
            new_reference: OrderReference(m.new_reference.get()),
            quantity: Quantity(m.shares.get()),
            price: Price(m.price.get()),
        },
        Message::Trade(m) => MarketAction::Trade {
            quantity: Quantity(m.shares.get()),
            price: Price(m.price.get()),
            match_number: MatchNumber(m.match_number.get()),
        },
        Message::CrossTrade(m) => MarketAction::Cross {
            quantity: m.shares.get(),
            price: Price(m.price.get()),
            kind: cross(m.cross_type),
            match_number: MatchNumber(m.match_number.get()),
        },
        Message::StockDirectory(m) => {
            MarketAction::Directory { symbol: Symbol(m.stock), round_lot: m.round_lot_size.get() }
        }
        Message::StockTradingAction(m) => status(m.trading_state, m.reason),
        Message::SystemEvent(m) => phase(m.event_code),
        Message::NetOrderImbalance(m) => MarketAction::Imbalance(Imbalance {
            paired: m.paired_shares.get(),
            imbalance: m.imbalance_shares.get(),
            side: match m.imbalance_direction {
                b'B' => Some(Side::Buy),
                b'S' => Some(Side::Sell),
                _ => None,
            },
            far: Price(m.far_price.get()),
            near: Price(m.near_price.get()),
            reference: Price(m.reference_price.get()),
            kind: cross(m.cross_type),
        }),
        Message::RegShoRestriction(_)
        | Message::MwcbDeclineLevel(_)
        | Message::MwcbStatus(_)
        | Message::IpoQuotingPeriodUpdate(_)
        | Message::LuldAuctionCollar(_)
        | Message::OperationalHalt(_) => {
            state_change(message).map_or(MarketAction::Other, MarketAction::State)
        }
        Message::MarketParticipantPosition(_)
        | Message::BrokenTrade(_)
        | Message::RetailInterest(_)
        | Message::DirectListing(_) => MarketAction::Other,
    }
}

#[inline]
fn add(reference: u64, side: u8, shares: u32, price: u32, stock: [u8; 8]) -> MarketAction {
    let side = match side {
        b'B' => Side::Buy,
        b'S' => Side::Sell,
        _ => return MarketAction::Other,
    };
    MarketAction::Add {
        reference: OrderReference(reference),
        side,
        quantity: Quantity(shares),
        price: Price(price),
        symbol: Symbol(stock),
    }
}

fn cross(code: u8) -> Cross {
    match code {
        b'O' => Cross::Opening,
        b'C' => Cross::Closing,
        b'H' => Cross::Halt,
        _ => Cross::Other,
    }
}

/// What an administrative message changes; `None` where its code is none of the specification's.
#[cold]
fn state_change(message: &Message<'_>) -> Option<StateChange> {
    Some(match message {
        Message::RegShoRestriction(m) => StateChange::ShortSale(match m.action {
            b'0' => ShortSale::Free,
            b'1' => ShortSale::RestrictedToday,
            b'2' => ShortSale::RestrictionRemains,
            _ => return None,
        }),
        Message::MwcbDeclineLevel(m) => {
            StateChange::BreakerLevels([m.level_1.get(), m.level_2.get(), m.level_3.get()])
        }
        Message::MwcbStatus(m) => match m.breached_level {
            level @ b'1'..=b'3' => StateChange::Breaker { level: level - b'0' },
            _ => return None,
        },
        Message::IpoQuotingPeriodUpdate(m) => StateChange::Release {
            symbol: Symbol(m.stock),
            release: Release {
                seconds: m.release_time.get(),
                price: Price(m.price.get()),
                is_off: match m.release_qualifier {
                    b'A' => false,
                    b'C' => true,
                    _ => return None,
                },
            },
        },
        Message::LuldAuctionCollar(m) => StateChange::Collar(Collar {
            reference: Price(m.reference_price.get()),
            upper: Price(m.upper_price.get()),
            lower: Price(m.lower_price.get()),
            extension: m.extension.get(),
        }),
        Message::OperationalHalt(m) => StateChange::OperationalHalt {
            center: match m.market_code {
                b'Q' => MarketCenter::Nasdaq,
                b'B' => MarketCenter::Bx,
                b'X' => MarketCenter::Psx,
                _ => return None,
            },
            halted: match m.action {
                b'H' => true,
                b'T' => false,
                _ => return None,
            },
        },
        _ => return None,
    })
}

fn status(code: u8, reason: [u8; 4]) -> MarketAction {
    let state = match code {
        b'T' => TradingState::Trading,
        b'H' => TradingState::Halted,
        b'P' => TradingState::Paused,
        b'Q' => TradingState::QuotationOnly,
        _ => return MarketAction::Other,
    };
    MarketAction::Status { state, reason: Reason(reason) }
}

fn phase(code: u8) -> MarketAction {
    let phase = match code {
        b'O' => Phase::StartOfMessages,
        b'S' => Phase::StartOfSystemHours,
        b'Q' => Phase::StartOfMarketHours,
        b'M' => Phase::EndOfMarketHours,
        b'E' => Phase::EndOfSystemHours,
        b'C' => Phase::EndOfMessages,
        _ => return MarketAction::Other,
    };
    MarketAction::Phase { phase }
}
