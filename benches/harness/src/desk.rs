//! What is done with each record, free of pointers.

use spindle_engine::{Capacity, Matcher, Placement, Trade};
use spindle_types::{InstrumentId, OrderReference, Price, Quantity, Side};

use crate::interface::{Cancel, Modify, NewOrder, Report, kind};

/// Who takes the reports.
pub trait Reports {
    /// Takes one, and waits for room where there is none.
    fn put(&mut self, report: Report);
}

/// The one book.
const INSTRUMENT: InstrumentId = InstrumentId(1);
/// Orders and levels that live at once. The largest standing book that the driver describes has
/// about 42,000 orders, however long it runs; an order beyond the capacity is refused.
const CAPACITY: Capacity = Capacity { instruments: 2, orders: 1 << 16, levels: 1 << 14 };
/// Price units of the engine, 1/10,000, in a tick of the driver, half a cent.
const UNITS: i64 = 50;
/// Prices of the driver have a sign, those of the engine do not.
const ZERO: i64 = 1 << 31;

/// Price-time matching for one instrument, with a report for whatever happens.
#[derive(Debug)]
pub struct Desk {
    matcher: Matcher,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// An empty book, its memory touched.
    pub fn new() -> Self {
        let mut matcher = Matcher::new(CAPACITY);
        matcher.warm_up();
        Self { matcher }
    }

    /// A new order: an acknowledgement, a report for each trade, and for what is left of an
    /// immediate-or-cancel order, or of one that finds no room, a cancel.
    #[inline]
    pub fn enter(&mut self, order: &NewOrder, reports: &mut impl Reports) {
        let sequence = order.sequence;
        let placement = placement(order.side, order.price, order.quantity);
        self.matcher.look_ahead(reference(order.order), &placement);
        reports.put(Report {
            kind: kind::ORDER_ACK,
            side: order.side,
            sequence,
            order: order.order,
            price: order.price,
            quantity: order.quantity,
            ..Report::default()
        });
        let stays = order.ioc == 0;
        let on_trade = |trade: Trade| reports.put(report_of(&trade, sequence, order.order));
        let entered = self.matcher.enter(reference(order.order), &placement, stays, on_trade);
        let gone = match entered {
            Ok(_) if stays => Quantity::ZERO,
            Ok(open) => open,
            Err(_) => placement.quantity,
        };
        if !gone.is_zero() {
            reports.put(Report {
                kind: kind::CANCEL_ACK,
                side: order.side,
                sequence,
                order: order.order,
                price: order.price,
                quantity: gone.0,
                ..Report::default()
            });
        }
    }

    /// A cancel: acknowledged where the order stands, refused where none does.
    #[inline]
    pub fn cancel(&mut self, cancel: &Cancel, reports: &mut impl Reports) {
        let (sequence, order) = (cancel.sequence, cancel.order);
        let report = match self.matcher.cancel(reference(order)) {
            Some(stood) => Report {
                kind: kind::CANCEL_ACK,
                side: stood.side as u8,
                sequence,
                order,
                price: ticks(stood.price),
                quantity: stood.quantity.0,
                ..Report::default()
            },
            None => Report { kind: kind::CANCEL_REJECT, sequence, order, ..Report::default() },
        };
        reports.put(report);
    }

    /// A change: the order is taken out and comes again, with its new price and size, behind all
    /// others. Refused where none stands.
    #[inline]
    pub fn modify(&mut self, modify: &Modify, reports: &mut impl Reports) {
        let (sequence, order) = (modify.sequence, modify.order);
        let reference = reference(order);
        let (price, quantity) = (units(modify.price), Quantity(modify.quantity));
        let on_trade = |trade: Trade| reports.put(report_of(&trade, sequence, order));
        let replaced = self.matcher.replace(reference, reference, price, quantity, on_trade);
        let report = match replaced {
            Some(Ok((stood, _))) => Report {
                kind: kind::MODIFY_ACK,
                side: stood.side as u8,
                sequence,
                order,
                price: modify.price,
                quantity: modify.quantity,
                ..Report::default()
            },
            Some(Err(_)) | None => {
                Report { kind: kind::MODIFY_REJECT, sequence, order, ..Report::default() }
            }
        };
        reports.put(report);
    }

    /// The best price of a side, in ticks.
    pub fn best(&self, side: Side) -> Option<i64> {
        self.matcher.best(INSTRUMENT, side).map(ticks)
    }

    /// Shares that stand at a price of a side.
    pub fn depth(&self, side: Side, price: i64) -> u64 {
        self.matcher.books().quantity_at(INSTRUMENT, side, units(price))
    }
}

/// Numbers of orders begin at 0, which the engine keeps for none.
#[inline]
fn reference(order: u64) -> OrderReference {
    OrderReference(order.wrapping_add(1))
}

#[inline]
fn placement(side: u8, price: i64, quantity: u32) -> Placement {
    let side = if side == 0 { Side::Buy } else { Side::Sell };
    let (price, quantity) = (units(price), Quantity(quantity));
    Placement { instrument: INSTRUMENT, side, quantity, price }
}

/// A price in the engine's units; one that is out of their range becomes the end of it.
#[inline]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn units(ticks: i64) -> Price {
    const END: i64 = (ZERO - 1) / UNITS;
    Price((ticks.clamp(-END, END) * UNITS + ZERO) as u32)
}

#[inline]
fn ticks(price: Price) -> i64 {
    (i64::from(price.0) - ZERO) / UNITS
}

#[inline]
fn report_of(trade: &Trade, sequence: u64, taker: u64) -> Report {
    Report {
        kind: kind::TRADE,
        sequence,
        price: ticks(trade.price),
        quantity: trade.quantity.0,
        maker: trade.maker.0.wrapping_sub(1),
        taker,
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    impl Reports for Vec<Report> {
        fn put(&mut self, report: Report) {
            self.push(report);
        }
    }

    /// A book of maps and queues that does the same in the plainest way.
    #[derive(Default)]
    struct Twin {
        levels: [BTreeMap<i64, VecDeque<(u64, u32)>>; 2],
        reports: Vec<Report>,
    }

    impl Twin {
        fn trade(&mut self, sequence: u64, taker: u64, side: u8, price: i64, open: &mut u32) {
            let other = &mut self.levels[1 - usize::from(side)];
            while *open > 0 {
                let best = if side == 0 { other.keys().next() } else { other.keys().next_back() };
                let Some(&best) = best else { break };
                if if side == 0 { best > price } else { best < price } {
                    break;
                }
                let queue = other.get_mut(&best).expect("a level");
                let (maker, stood) = queue.front_mut().expect("an order");
                let (maker, quantity) = (*maker, (*open).min(*stood));
                *stood -= quantity;
                *open -= quantity;
                if *stood == 0 {
                    queue.pop_front();
                }
                if queue.is_empty() {
                    other.remove(&best);
                }
                let kind = kind::TRADE;
                let report = Report {
                    kind,
                    sequence,
                    price: best,
                    quantity,
                    maker,
                    taker,
                    ..Report::default()
                };
                self.reports.push(report);
            }
        }

        fn take_out(&mut self, order: u64) -> Option<(u8, i64, u32)> {
            for side in [0, 1] {
                for (&price, queue) in &mut self.levels[usize::from(side)] {
                    if let Some(at) = queue.iter().position(|&(number, _)| number == order) {
                        let (_, quantity) = queue.remove(at).expect("found");
                        if queue.is_empty() {
                            self.levels[usize::from(side)].remove(&price);
                        }
                        return Some((side, price, quantity));
                    }
                }
            }
            None
        }

        fn put(&mut self, side: u8, price: i64, order: u64, quantity: u32) {
            self.levels[usize::from(side)].entry(price).or_default().push_back((order, quantity));
        }

        fn enter(&mut self, order: &NewOrder) {
            let NewOrder { order: number, sequence, price, quantity, side, ioc, .. } = *order;
            let report =
                Report { side, sequence, order: number, price, quantity, ..Report::default() };
            self.reports.push(Report { kind: kind::ORDER_ACK, ..report });
            let mut open = quantity;
            self.trade(sequence, number, side, price, &mut open);
            if open > 0 && ioc == 0 {
                self.put(side, price, number, open);
            } else if open > 0 {
                self.reports.push(Report { kind: kind::CANCEL_ACK, quantity: open, ..report });
            }
        }

        fn cancel(&mut self, cancel: &Cancel) {
            let Cancel { order, sequence } = *cancel;
            let report = Report { sequence, order, ..Report::default() };
            let report = match self.take_out(order) {
                Some((side, price, quantity)) => {
                    Report { kind: kind::CANCEL_ACK, side, price, quantity, ..report }
                }
                None => Report { kind: kind::CANCEL_REJECT, ..report },
            };
            self.reports.push(report);
        }

        fn modify(&mut self, modify: &Modify) {
            let Modify { order, sequence, price, quantity, .. } = *modify;
            let report = Report { sequence, order, ..Report::default() };
            let Some((side, ..)) = self.take_out(order) else {
                self.reports.push(Report { kind: kind::MODIFY_REJECT, ..report });
                return;
            };
            let mut open = quantity;
            self.trade(sequence, order, side, price, &mut open);
            if open > 0 {
                self.put(side, price, order, open);
            }
            self.reports.push(Report { kind: kind::MODIFY_ACK, side, price, quantity, ..report });
        }

        fn best(&self, side: Side) -> Option<i64> {
            let levels = &self.levels[side.index()];
            let best = match side {
                Side::Buy => levels.keys().next_back(),
                Side::Sell => levels.keys().next(),
            };
            best.copied()
        }
    }

    proptest! {
        #[test]
        fn it_reports_what_a_naive_book_reports(
            steps in prop::collection::vec(
                (0..8_u8, 0..30_u64, -6..6_i64, 1..60_u32, 0..2_u8, 0..5_u8), 0..250),
        ) {
            let (mut desk, mut reports, mut twin) = (Desk::new(), Vec::new(), Twin::default());
            let mut next = 0;
            for (sequence, (step, pick, price, quantity, side, ioc)) in (0..).zip(steps) {
                let order = if next == 0 { 7 } else { pick % next };
                match step {
                    0..=4 => {
                        let ioc = u8::from(ioc == 0);
                        let new =
                            NewOrder { order: next, sequence, price, quantity, side, ioc, reserved: [0; 2] };
                        desk.enter(&new, &mut reports);
                        twin.enter(&new);
                        next += 1;
                    }
                    5 | 6 => {
                        let cancel = Cancel { order, sequence };
                        desk.cancel(&cancel, &mut reports);
                        twin.cancel(&cancel);
                    }
                    _ => {
                        let modify =
                            Modify { order, sequence, price, quantity, side, reserved: [0; 3] };
                        desk.modify(&modify, &mut reports);
                        twin.modify(&modify);
                    }
                }
                prop_assert_eq!(&reports, &twin.reports);
                for side in [Side::Buy, Side::Sell] {
                    prop_assert_eq!(desk.best(side), twin.best(side));
                    let depth = twin.levels[side.index()].get(&price).map_or(0, |queue| {
                        queue.iter().map(|&(_, quantity)| u64::from(quantity)).sum()
                    });
                    prop_assert_eq!(desk.depth(side, price), depth);
                }
            }
        }
    }

    #[test]
    fn prices_beyond_the_range_stand_at_its_end() {
        assert_eq!(ticks(units(-3)), -3);
        assert_eq!(ticks(units(200_000)), 200_000);
        assert_eq!(units(i64::MAX), units(1 << 40));
        assert_eq!(units(i64::MIN), units(-(1 << 40)));
        assert!(units(i64::MIN) < units(i64::MAX));
    }
}
