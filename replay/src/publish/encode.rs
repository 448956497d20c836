//! Market events as ITCH 5.0 messages, so that recordings of other formats can be sent.

use spindle_feed::event::{Cross, MarketAction, MarketEvent, Phase, TradingState};
use spindle_feed::itch::{
    AddOrder, CrossTrade, Header, IpoQuotingPeriodUpdate, LuldAuctionCollar, MwcbDeclineLevel,
    MwcbStatus, NetOrderImbalance, OperationalHalt, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedWithPrice, OrderReplace, RegShoRestriction, StockDirectory, StockTradingAction,
    SystemEvent, Trade,
};
use spindle_feed::state::{MarketCenter, ShortSale, StateChange};
use spindle_types::{InstrumentId, Side, Symbol, keep};
use zerocopy::IntoBytes;

/// Encodes events. It remembers symbols, which events do not all name.
#[derive(keep::State)]
pub struct Encoder {
    symbols: Vec<Symbol>,
    #[keep(skip)]
    message: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder that knows no symbols yet.
    pub fn new() -> Self {
        Self { symbols: Vec::new(), message: Vec::with_capacity(64) }
    }

    /// The message that does what the event does, or `None` for an event without effect.
    pub fn encode(&mut self, event: &MarketEvent) -> Option<&[u8]> {
        let locate = event.instrument.0;
        self.learn(locate, &event.action);
        let stock = self.symbols.get(usize::from(locate)).copied().unwrap_or_default().0;
        let header = |message_type| Header::new(message_type, locate, event.time.0);
        self.message.clear();
        let bytes = &mut self.message;
        match event.action {
            MarketAction::Add { reference, side, quantity, price, .. } => {
                let side = if side == Side::Buy { b'B' } else { b'S' };
                bytes.extend_from_slice(
                    AddOrder {
                        header: header(AddOrder::TYPE),
                        reference: reference.0.into(),
                        side,
                        shares: quantity.0.into(),
                        stock,
                        price: price.0.into(),
                    }
                    .as_bytes(),
                );
            }
            MarketAction::Execute { reference, quantity, match_number } => bytes.extend_from_slice(
                OrderExecuted {
                    header: header(OrderExecuted::TYPE),
                    reference: reference.0.into(),
                    shares: quantity.0.into(),
                    match_number: match_number.0.into(),
                }
                .as_bytes(),
            ),
            MarketAction::ExecuteAt { reference, quantity, match_number, price, printable } => {
                bytes.extend_from_slice(
                    OrderExecutedWithPrice {
                        header: header(OrderExecutedWithPrice::TYPE),
                        reference: reference.0.into(),
                        shares: quantity.0.into(),
                        match_number: match_number.0.into(),
                        printable: if printable { b'Y' } else { b'N' },
                        price: price.0.into(),
                    }
                    .as_bytes(),
                );
            }
            MarketAction::Reduce { reference, quantity } => bytes.extend_from_slice(
                OrderCancel {
                    header: header(OrderCancel::TYPE),
                    reference: reference.0.into(),
                    shares: quantity.0.into(),
                }
                .as_bytes(),
            ),
            MarketAction::Delete { reference } => bytes.extend_from_slice(
                OrderDelete { header: header(OrderDelete::TYPE), reference: reference.0.into() }
                    .as_bytes(),
            ),
            MarketAction::Replace { reference, new_reference, quantity, price } => bytes
                .extend_from_slice(
                    OrderReplace {
                        header: header(OrderReplace::TYPE),
                        reference: reference.0.into(),
                        new_reference: new_reference.0.into(),
                        shares: quantity.0.into(),
                        price: price.0.into(),
                    }
                    .as_bytes(),
                ),
            MarketAction::Trade { .. } | MarketAction::Cross { .. } => {
                trade(bytes, &event.action, header, stock);
            }
            MarketAction::Directory { .. }
            | MarketAction::Status { .. }
            | MarketAction::Phase { .. }
            | MarketAction::Other => state(bytes, &event.action, header, stock),
            MarketAction::State(change) => state_change(bytes, &change, header, stock),
            MarketAction::Imbalance(imbalance) => bytes.extend_from_slice(
                NetOrderImbalance {
                    header: header(NetOrderImbalance::TYPE),
                    paired_shares: imbalance.paired.into(),
                    imbalance_shares: imbalance.imbalance.into(),
                    imbalance_direction: match imbalance.side {
                        Some(Side::Buy) => b'B',
                        Some(Side::Sell) => b'S',
                        None => b'N',
                    },
                    stock,
                    far_price: imbalance.far.0.into(),
                    near_price: imbalance.near.0.into(),
                    reference_price: imbalance.reference.0.into(),
                    cross_type: cross_type(imbalance.kind),
                    price_variation: b' ',
                }
                .as_bytes(),
            ),
        }
        (!self.message.is_empty()).then_some(&self.message)
    }

    /// The symbol of an instrument, where it is known.
    pub fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.symbols.get(instrument.index()).copied()
    }

    /// The message that was encoded last.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    fn learn(&mut self, locate: u16, action: &MarketAction) {
        let symbol = match action {
            MarketAction::Add { symbol, .. } | MarketAction::Directory { symbol, .. } => *symbol,
            _ => return,
        };
        let index = usize::from(locate);
        if self.symbols.len() <= index {
            self.symbols.resize(index + 1, Symbol::BLANK);
        }
        self.symbols[index] = symbol;
    }
}

fn cross_type(kind: Cross) -> u8 {
    match kind {
        Cross::Opening => b'O',
        Cross::Closing => b'C',
        Cross::Halt => b'H',
        Cross::Other => b'I',
    }
}

fn trade(
    bytes: &mut Vec<u8>,
    action: &MarketAction,
    header: impl Fn(u8) -> Header,
    stock: [u8; 8],
) {
    match *action {
        MarketAction::Trade { quantity, price, match_number } => bytes.extend_from_slice(
            Trade {
                header: header(Trade::TYPE),
                reference: 0.into(),
                side: b'B',
                shares: quantity.0.into(),
                stock,
                price: price.0.into(),
                match_number: match_number.0.into(),
            }
            .as_bytes(),
        ),
        MarketAction::Cross { quantity, price, kind, match_number } => bytes.extend_from_slice(
            CrossTrade {
                header: header(CrossTrade::TYPE),
                shares: quantity.into(),
                stock,
                price: price.0.into(),
                match_number: match_number.0.into(),
                cross_type: cross_type(kind),
            }
            .as_bytes(),
        ),
        _ => {}
    }
}

fn state(
    bytes: &mut Vec<u8>,
    action: &MarketAction,
    header: impl Fn(u8) -> Header,
    stock: [u8; 8],
) {
    match *action {
        MarketAction::Directory { round_lot, .. } => bytes.extend_from_slice(
            StockDirectory {
                header: header(StockDirectory::TYPE),
                stock,
                market_category: b' ',
                financial_status: b' ',
                round_lot_size: round_lot.into(),
                round_lots_only: b'N',
                issue_classification: b' ',
                issue_sub_type: *b"  ",
                authenticity: b'P',
                short_sale_threshold: b' ',
                ipo_flag: b' ',
                luld_tier: b' ',
                etp_flag: b' ',
                etp_leverage_factor: 0.into(),
                inverse_indicator: b'N',
            }
            .as_bytes(),
        ),
        MarketAction::Status { state, reason } => bytes.extend_from_slice(
            StockTradingAction {
                header: header(StockTradingAction::TYPE),
                stock,
                trading_state: match state {
                    TradingState::Trading => b'T',
                    TradingState::Halted => b'H',
                    TradingState::Paused => b'P',
                    TradingState::QuotationOnly => b'Q',
                },
                reserved: b' ',
                reason: reason.0,
            }
            .as_bytes(),
        ),
        MarketAction::Phase { phase } => bytes.extend_from_slice(
            SystemEvent {
                header: header(SystemEvent::TYPE),
                event_code: match phase {
                    Phase::StartOfMessages => b'O',
                    Phase::StartOfSystemHours => b'S',
                    Phase::StartOfMarketHours => b'Q',
                    Phase::EndOfMarketHours => b'M',
                    Phase::EndOfSystemHours => b'E',
                    Phase::EndOfMessages => b'C',
                },
            }
            .as_bytes(),
        ),
        _ => {}
    }
}

fn state_change(
    bytes: &mut Vec<u8>,
    change: &StateChange,
    header: impl Fn(u8) -> Header,
    stock: [u8; 8],
) {
    match *change {
        StateChange::OperationalHalt { center, halted } => bytes.extend_from_slice(
            OperationalHalt {
                header: header(OperationalHalt::TYPE),
                stock,
                market_code: match center {
                    MarketCenter::Nasdaq => b'Q',
                    MarketCenter::Bx => b'B',
                    MarketCenter::Psx => b'X',
                },
                action: if halted { b'H' } else { b'T' },
            }
            .as_bytes(),
        ),
        StateChange::Collar(collar) => bytes.extend_from_slice(
            LuldAuctionCollar {
                header: header(LuldAuctionCollar::TYPE),
                stock,
                reference_price: collar.reference.0.into(),
                upper_price: collar.upper.0.into(),
                lower_price: collar.lower.0.into(),
                extension: collar.extension.into(),
            }
            .as_bytes(),
        ),
        StateChange::ShortSale(restriction) => bytes.extend_from_slice(
            RegShoRestriction {
                header: header(RegShoRestriction::TYPE),
                stock,
                action: match restriction {
                    ShortSale::Free => b'0',
                    ShortSale::RestrictedToday => b'1',
                    ShortSale::RestrictionRemains => b'2',
                },
            }
            .as_bytes(),
        ),
        StateChange::Release { symbol, release } => bytes.extend_from_slice(
            IpoQuotingPeriodUpdate {
                header: header(IpoQuotingPeriodUpdate::TYPE),
                stock: symbol.0,
                release_time: release.seconds.into(),
                release_qualifier: if release.is_off { b'C' } else { b'A' },
                price: release.price.0.into(),
            }
            .as_bytes(),
        ),
        StateChange::BreakerLevels([level_1, level_2, level_3]) => bytes.extend_from_slice(
            MwcbDeclineLevel {
                header: header(MwcbDeclineLevel::TYPE),
                level_1: level_1.into(),
                level_2: level_2.into(),
                level_3: level_3.into(),
            }
            .as_bytes(),
        ),
        StateChange::Breaker { level } => bytes.extend_from_slice(
            MwcbStatus { header: header(MwcbStatus::TYPE), breached_level: b'0' + level }
                .as_bytes(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use spindle_feed::itch::{Message, to_event};

    use super::*;
    use crate::generate::{GenerateConfig, Generator};

    #[test]
    fn events_of_a_day_are_the_same_after_encoding() {
        let mut generator = Generator::new(GenerateConfig::new(5_000, 7, 2).expect("a day"));
        let mut encoder = Encoder::new();
        let mut encoded = 0;
        while let Some(message) = generator.next_message() {
            let event = to_event(&Message::decode(message).expect("a message"));
            match encoder.encode(&event) {
                Some(bytes) => {
                    encoded += 1;
                    let again = Message::decode(bytes).expect("what was encoded");
                    assert_eq!(to_event(&again), event);
                    assert_eq!(again.as_bytes().len(), bytes.len());
                }
                None => assert_eq!(event.action, MarketAction::Other),
            }
        }
        assert!(encoded > 4_500);
    }

    #[test]
    fn every_state_survives() {
        use spindle_feed::state::{Collar, Imbalance, Reason, Release};
        use spindle_types::{EventTime, InstrumentId, MatchNumber, Price};
        let event =
            |action| MarketEvent { time: EventTime(5), instrument: InstrumentId(3), action };
        let mut encoder = Encoder::new();
        let states = [
            TradingState::Trading,
            TradingState::Halted,
            TradingState::Paused,
            TradingState::QuotationOnly,
        ];
        let crosses = [Cross::Opening, Cross::Closing, Cross::Halt, Cross::Other];
        let actions = states.map(MarketAction::status).into_iter().chain(crosses.map(|kind| {
            MarketAction::Cross {
                quantity: 1 << 40,
                price: Price(7),
                kind,
                match_number: MatchNumber(9),
            }
        }));
        let changes = [
            StateChange::OperationalHalt { center: MarketCenter::Bx, halted: true },
            StateChange::OperationalHalt { center: MarketCenter::Psx, halted: false },
            StateChange::Collar(Collar {
                reference: Price(1),
                upper: Price(2),
                lower: Price(3),
                extension: 4,
            }),
            StateChange::ShortSale(ShortSale::RestrictedToday),
            StateChange::ShortSale(ShortSale::RestrictionRemains),
            StateChange::Release {
                symbol: "X".parse().expect("a symbol"),
                release: Release { seconds: 1, price: Price(2), is_off: false },
            },
            StateChange::BreakerLevels([1 << 40, 2, 3]),
            StateChange::Breaker { level: 2 },
        ];
        let imbalance = Imbalance {
            paired: 1 << 40,
            imbalance: 2,
            side: Some(Side::Sell),
            far: Price(3),
            near: Price(4),
            reference: Price(5),
            kind: Cross::Halt,
        };
        let actions = actions
            .chain(changes.map(MarketAction::State))
            .chain([MarketAction::Imbalance(imbalance)])
            .chain([MarketAction::Status {
                state: TradingState::Paused,
                reason: Reason(*b"LUDP"),
            }]);
        for action in actions {
            let bytes = encoder.encode(&event(action)).expect("a message");
            let message = Message::decode(bytes).expect("what was encoded");
            assert_eq!(to_event(&message), event(action));
        }
    }
}
