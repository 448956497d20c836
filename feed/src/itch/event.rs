//! From ITCH messages to market events.

use spindle_types::{
    EventTime, InstrumentId, MatchNumber, OrderReference, Price, Quantity, Side, Symbol,
};

use super::Message;
use crate::event::{Cross, MarketAction, MarketEvent, Phase, TradingState};

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
            kind: match m.cross_type {
                b'O' => Cross::Opening,
                b'C' => Cross::Closing,
                b'H' => Cross::Halt,
                _ => Cross::Other,
            },
            match_number: MatchNumber(m.match_number.get()),
        },
        Message::StockDirectory(m) => {
            MarketAction::Directory { symbol: Symbol(m.stock), round_lot: m.round_lot_size.get() }
        }
        Message::StockTradingAction(m) => status(m.trading_state),
        Message::SystemEvent(m) => phase(m.event_code),
        Message::RegShoRestriction(_)
        | Message::MarketParticipantPosition(_)
        | Message::MwcbDeclineLevel(_)
        | Message::MwcbStatus(_)
        | Message::IpoQuotingPeriodUpdate(_)
        | Message::LuldAuctionCollar(_)
        | Message::OperationalHalt(_)
        | Message::BrokenTrade(_)
        | Message::NetOrderImbalance(_)
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

fn status(code: u8) -> MarketAction {
    let state = match code {
        b'T' => TradingState::Trading,
        b'H' => TradingState::Halted,
        b'P' => TradingState::Paused,
        b'Q' => TradingState::QuotationOnly,
        _ => return MarketAction::Other,
    };
    MarketAction::Status { state }
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
