//! Encodes the generator's messages.

use spindle_feed::itch::{
    AddOrder, AddOrderMpid, CrossTrade, Header, MarketParticipantPosition, NetOrderImbalance,
    OrderCancel, OrderDelete, OrderExecuted, OrderExecutedWithPrice, OrderReplace,
    RegShoRestriction, StockDirectory, StockTradingAction, SystemEvent, Trade,
};
use spindle_types::Side;
use zerocopy::{Immutable, IntoBytes};

use super::market::TICK;
use super::orders::Order;

/// The participants of the made-up market. None of them exists.
const PARTICIPANTS: [[u8; 4]; 16] = [
    *b"AAXA", *b"AAXB", *b"BBXA", *b"BBXB", *b"CCXA", *b"CCXB", *b"DDXA", *b"DDXB", *b"EEXA",
    *b"EEXB", *b"FFXA", *b"FFXB", *b"GGXA", *b"GGXB", *b"HHXA", *b"HHXB",
];

/// The last message that was encoded.
#[derive(Default)]
pub(crate) struct Wire {
    bytes: Vec<u8>,
}

const fn locate(instrument: u16) -> u16 {
    instrument + 1
}

const fn side_code(side: Side) -> u8 {
    match side {
        Side::Buy => b'B',
        Side::Sell => b'S',
    }
}

fn header(message_type: u8, instrument: u16, time: u64) -> Header {
    Header::new(message_type, locate(instrument), time)
}

impl Wire {
    pub(crate) fn message(&self) -> &[u8] {
        &self.bytes
    }

    fn put(&mut self, message: &(impl IntoBytes + Immutable)) {
        self.bytes.clear();
        self.bytes.extend_from_slice(message.as_bytes());
    }

    pub(crate) fn system_event(&mut self, time: u64, event_code: u8) {
        self.put(&SystemEvent { header: Header::new(SystemEvent::TYPE, 0, time), event_code });
    }

    pub(crate) fn directory(&mut self, time: u64, instrument: u16, stock: [u8; 8]) {
        self.put(&StockDirectory::ordinary(locate(instrument), time, stock));
    }

    pub(crate) fn trading(&mut self, time: u64, instrument: u16, stock: [u8; 8]) {
        self.put(&StockTradingAction {
            header: header(StockTradingAction::TYPE, instrument, time),
            stock,
            trading_state: b'T',
            reserved: b' ',
            reason: *b"    ",
        });
    }

    pub(crate) fn price_test(&mut self, time: u64, instrument: u16, stock: [u8; 8]) {
        let header = header(RegShoRestriction::TYPE, instrument, time);
        self.put(&RegShoRestriction { header, stock, action: b'0' });
    }

    pub(crate) fn position(
        &mut self,
        time: u64,
        instrument: u16,
        stock: [u8; 8],
        participant: usize,
        primary: bool,
    ) {
        self.put(&MarketParticipantPosition {
            header: header(MarketParticipantPosition::TYPE, instrument, time),
            mpid: PARTICIPANTS[participant],
            stock,
            primary_market_maker: if primary { b'Y' } else { b'N' },
            market_maker_mode: b'N',
            participant_state: b'A',
        });
    }

    pub(crate) fn add(
        &mut self,
        time: u64,
        order: &Order,
        stock: [u8; 8],
        participant: Option<usize>,
    ) {
        let (reference, side) = (order.reference.into(), side_code(order.side));
        let (shares, price) = (order.shares.into(), order.price.into());
        match participant {
            None => self.put(&AddOrder {
                header: header(AddOrder::TYPE, order.instrument, time),
                reference,
                side,
                shares,
                stock,
                price,
            }),
            Some(participant) => self.put(&AddOrderMpid {
                header: header(AddOrderMpid::TYPE, order.instrument, time),
                reference,
                side,
                shares,
                stock,
                price,
                attribution: PARTICIPANTS[participant],
            }),
        }
    }

    pub(crate) fn delete(&mut self, time: u64, order: &Order) {
        let header = header(OrderDelete::TYPE, order.instrument, time);
        self.put(&OrderDelete { header, reference: order.reference.into() });
    }

    pub(crate) fn cancel(&mut self, time: u64, order: &Order, shares: u32) {
        let header = header(OrderCancel::TYPE, order.instrument, time);
        self.put(&OrderCancel { header, reference: order.reference.into(), shares: shares.into() });
    }

    pub(crate) fn replace(&mut self, time: u64, old: &Order, new: &Order) {
        self.put(&OrderReplace {
            header: header(OrderReplace::TYPE, new.instrument, time),
            reference: old.reference.into(),
            new_reference: new.reference.into(),
            shares: new.shares.into(),
            price: new.price.into(),
        });
    }

    pub(crate) fn execute(&mut self, time: u64, order: &Order, shares: u32, match_number: u64) {
        self.put(&OrderExecuted {
            header: header(OrderExecuted::TYPE, order.instrument, time),
            reference: order.reference.into(),
            shares: shares.into(),
            match_number: match_number.into(),
        });
    }

    pub(crate) fn execute_at(
        &mut self,
        time: u64,
        order: &Order,
        shares: u32,
        match_number: u64,
        printable: u8,
        price: u32,
    ) {
        self.put(&OrderExecutedWithPrice {
            header: header(OrderExecutedWithPrice::TYPE, order.instrument, time),
            reference: order.reference.into(),
            shares: shares.into(),
            match_number: match_number.into(),
            printable,
            price: price.into(),
        });
    }

    pub(crate) fn trade(
        &mut self,
        time: u64,
        instrument: u16,
        stock: [u8; 8],
        shares: u32,
        price: u32,
        match_number: u64,
    ) {
        self.put(&Trade {
            header: header(Trade::TYPE, instrument, time),
            reference: 0.into(),
            side: b'B',
            shares: shares.into(),
            stock,
            price: price.into(),
            match_number: match_number.into(),
        });
    }

    pub(crate) fn cross(
        &mut self,
        time: u64,
        instrument: u16,
        stock: [u8; 8],
        shares: u64,
        price: u32,
        (match_number, cross_type): (u64, u8),
    ) {
        self.put(&CrossTrade {
            header: header(CrossTrade::TYPE, instrument, time),
            shares: shares.into(),
            stock,
            price: price.into(),
            match_number: match_number.into(),
            cross_type,
        });
    }

    #[allow(clippy::too_many_arguments, reason = "one for each field that varies")]
    pub(crate) fn imbalance(
        &mut self,
        time: u64,
        instrument: u16,
        stock: [u8; 8],
        paired: u64,
        (imbalance, direction): (u64, u8),
        price: u32,
        cross_type: u8,
    ) {
        self.put(&NetOrderImbalance {
            header: header(NetOrderImbalance::TYPE, instrument, time),
            paired_shares: paired.into(),
            imbalance_shares: imbalance.into(),
            imbalance_direction: direction,
            stock,
            far_price: price.into(),
            near_price: (price + TICK).into(),
            reference_price: price.into(),
            cross_type,
            price_variation: b'L',
        });
    }
}
