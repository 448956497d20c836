//! Warnings: a sum that reaches a part of its limit is told once.

use spindle_types::Side;

use crate::gate::Gate;
use crate::keys::Key;
use crate::notice::Notice;
use crate::reject::{Check, Level};
use crate::request::{Purpose, Request};
use crate::route::Route;
use crate::state::Owner;
use crate::view::{LEVELS, cut};

/// The owner whose state a level looks at.
const OWNERS: [usize; 4] = [0, 0, 1, 2];

/// Sums that an order of a side looks at.
const BUY_SUMS: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::BoughtQuantity.bit()
    | Check::BoughtValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Credit.bit()
    | Check::Loss.bit();
const SELL_SUMS: u32 = Check::OpenOrders.bit()
    | Check::Position.bit()
    | Check::SoldQuantity.bit()
    | Check::SoldValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Loss.bit();

/// Those in money.
const MONEY_SUMS: u32 = Check::BoughtValue.bit()
    | Check::SoldValue.bit()
    | Check::GrossExposure.bit()
    | Check::NetExposure.bit()
    | Check::Credit.bit()
    | Check::Loss.bit();

impl Owner {
    /// Checks of which a warning was told, of an order in this currency.
    #[inline]
    pub(crate) const fn told(&self, currency: usize) -> u32 {
        self.warned | self.warned_money[currency]
    }
}

impl Gate {
    /// Keeps which sums have reached the part of their limit that is told, and tells the new ones.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep_warnings(&mut self, at: usize, request: &Request, warned: [u32; 4]) {
        let route = &{ *self.routes.get(at) };
        let currency = usize::from(route.currency);
        self.tell_warnings(route, request, warned);
        let sums = if request.side == Side::Buy { BUY_SUMS } else { SELL_SUMS };
        let is_new = request.purpose == Purpose::Enter;
        // Only what this order looks at can have fallen.
        let seen = if is_new { sums } else { sums & !Check::OpenOrders.bit() };
        let position = Check::Position.bit();
        for ((at, level), now) in OWNERS.into_iter().zip(LEVELS).zip(warned) {
            let (Some(cell), Some(owner)) = (
                self.cells.get_mut(route.cells[at]),
                self.owners.get_mut(route.owners[at] as usize),
            ) else {
                continue;
            };
            if level == Level::Instrument {
                cell.warned[1] = (cell.warned[1] & !seen) | now;
            } else {
                // A position is that of each instrument.
                cell.warned[0] = (cell.warned[0] & !(seen & position)) | (now & position);
                let money = &mut owner.warned_money[currency];
                *money = (*money & !(seen & MONEY_SUMS)) | (now & MONEY_SUMS);
                let rest = !position & !MONEY_SUMS;
                owner.warned = (owner.warned & !(seen & rest)) | (now & rest);
            }
        }
    }

    fn tell_warnings(&mut self, route: &Route, request: &Request, warned: [u32; 4]) {
        let currency = usize::from(route.currency);
        for check in Check::ALL.into_iter().skip(Check::OpenOrders as usize) {
            for ((at, level), now) in OWNERS.into_iter().zip(LEVELS).zip(warned) {
                let (Some(cell), Some(owner)) =
                    (self.cells.get(route.cells[at]), self.owners.get(route.owners[at] as usize))
                else {
                    continue;
                };
                let told = match level {
                    Level::Instrument => cell.warned[1],
                    _ => owner.told(currency) | cell.warned[0],
                };
                if now & !told & check.bit() == 0 {
                    continue;
                }
                let is_own = level == Level::Instrument;
                let set = &self.sets[usize::from(if is_own { cell.set } else { owner.set })];
                let (flow, money) = match is_own {
                    true => (&cell.flow, &cell.money),
                    false => (&owner.flow, &owner.money[currency]),
                };
                let side = request.side.index();
                let net = if request.side == Side::Buy { money.net } else { -money.net };
                let position = i128::from(cell.position);
                let held = if request.side == Side::Buy { position } else { -position };
                let (key, observed) = match check {
                    Check::OpenOrders => (Key::OpenOrdersMax, flow.open_orders.into()),
                    Check::Position => (Key::PositionMax, held + i128::from(cell.flow.open[side])),
                    Check::BoughtQuantity | Check::SoldQuantity => {
                        let key = [Key::BoughtQuantityMax, Key::SoldQuantityMax][side];
                        (key, i128::from(flow.traded[side]) + i128::from(flow.open[side]))
                    }
                    Check::BoughtValue | Check::SoldValue => {
                        let key = [Key::BoughtValueMax, Key::SoldValueMax][side];
                        (key, money.traded[side] + money.open[side])
                    }
                    Check::GrossExposure => (Key::GrossExposureMax, money.gross),
                    Check::NetExposure => (Key::NetExposureMax, net + money.open[side]),
                    Check::Credit => (Key::CreditMax, net + money.open[side]),
                    _ => (Key::LossMax, -money.profit),
                };
                let limit = set.limits.get(key, currency);
                let (owner, instrument) = (self.target(route.owners[at]), request.instrument);
                let observed = cut(observed);
                self.counts.warn(check);
                self.tell(Notice::Warning { check, level, owner, instrument, limit, observed });
            }
        }
    }
}
