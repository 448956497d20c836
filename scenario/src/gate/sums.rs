//! The sums that an order raises, added up from the orders and executions that there are, and the warnings of them.

use rust_decimal::Decimal;
use spindle_risk::{Key, Purpose};
use spindle_types::Side;

use super::{Ask, NaiveGate, Reached, Told, Warned, Who, units};

/// What an order would change of the sums.
pub(super) struct Change {
    pub(super) shares: i128,
    /// In price units.
    pub(super) value: Decimal,
}

/// A sum with what it would become.
pub(super) struct Sum {
    pub(super) check: &'static str,
    pub(super) key: Key,
    pub(super) seen: Decimal,
    /// Whether the order raises it.
    pub(super) grows: bool,
}

impl NaiveGate {
    /// Whose orders these are, in one instrument or in all of a currency.
    pub(super) fn open_shares(&self, who: Who, instrument: Option<u32>, side: Side) -> u64 {
        let open = self.open.iter().filter(|open| {
            open.side == side
                && self.owns(who, open.account, open.session)
                && instrument.is_none_or(|instrument| instrument == open.instrument)
        });
        open.map(|open| open.shares).sum()
    }

    fn open_value(
        &self,
        who: Who,
        instrument: Option<u32>,
        side: Side,
        currency: usize,
    ) -> Decimal {
        let open = self.open.iter().filter(|open| {
            open.side == side
                && self.owns(who, open.account, open.session)
                && self.currency(open.instrument) == currency
                && instrument.is_none_or(|instrument| instrument == open.instrument)
        });
        open.map(|open| units(open.price) * Decimal::from(open.shares)).sum()
    }

    /// What a position cost, negative for a short one, in price units.
    fn net(&self, who: Who, instrument: Option<u32>, currency: usize) -> Decimal {
        self.held_by(who, currency)
            .filter(|held| instrument.is_none_or(|instrument| instrument == held.instrument))
            .map(|held| units(if held.shares < 0 { -held.cost } else { held.cost }))
            .sum()
    }

    /// The worst of an owner in an instrument, with open orders that much larger.
    fn worst(
        &self,
        who: Who,
        instrument: u32,
        currency: usize,
        more: Option<(Side, Decimal)>,
    ) -> Decimal {
        let net = self.net(who, Some(instrument), currency);
        let open = |side| {
            let more = more.filter(|(of, _)| *of == side).map_or(Decimal::ZERO, |(_, more)| more);
            self.open_value(who, Some(instrument), side, currency) + more
        };
        (net + open(Side::Buy)).max(open(Side::Sell) - net)
    }

    /// Every sum that has a limit, in order of precedence, as the order would make it.
    pub(super) fn sums(&self, who: Who, ask: &Ask, currency: usize, change: &Change) -> Vec<Sum> {
        let pair = match who {
            Who::Pair(_, instrument) => Some(instrument),
            _ => None,
        };
        let is_buy = ask.side == Side::Buy;
        let sign = if is_buy { Decimal::ONE } else { -Decimal::ONE };
        let more_shares = change.shares > 0;
        let more_value = change.value > Decimal::ZERO;
        let mut sums = Vec::new();
        if ask.purpose == Purpose::Enter {
            let open = self.open.iter().filter(|open| {
                self.owns(who, open.account, open.session)
                    && pair.is_none_or(|instrument| instrument == open.instrument)
            });
            let seen = Decimal::from(open.count() as u64 + 1);
            sums.push(Sum { check: "open_orders", key: Key::OpenOrdersMax, seen, grows: true });
        }
        let change_shares = Decimal::from_i128_with_scale(change.shares, 0);
        let owner = match who {
            Who::Pair(account, _) => Who::Account(account),
            who => who,
        };
        let held = Decimal::from(self.position(owner, ask.instrument));
        let open = Decimal::from(self.open_shares(owner, Some(ask.instrument), ask.side));
        let seen = held * sign + open + change_shares;
        sums.push(Sum { check: "position", key: Key::PositionMax, seen, grows: more_shares });

        let fills = self.fills.iter().filter(|fill| {
            fill.side == ask.side
                && self.owns(who, fill.account, fill.session)
                && pair.is_none_or(|instrument| instrument == fill.instrument)
        });
        let traded: u64 = fills.clone().map(|fill| fill.shares).sum();
        let traded_value: Decimal = fills
            .filter(|fill| self.currency(fill.instrument) == currency)
            .map(|fill| units(fill.price) * Decimal::from(fill.shares))
            .sum();
        let seen = Decimal::from(traded)
            + Decimal::from(self.open_shares(who, pair, ask.side))
            + change_shares;
        let names = match ask.side {
            Side::Buy => {
                [("bought_quantity", Key::BoughtQuantityMax), ("bought_value", Key::BoughtValueMax)]
            }
            Side::Sell => {
                [("sold_quantity", Key::SoldQuantityMax), ("sold_value", Key::SoldValueMax)]
            }
        };
        sums.push(Sum { check: names[0].0, key: names[0].1, seen, grows: more_shares });
        let open = self.open_value(who, pair, ask.side, currency) + change.value;
        let seen = traded_value + open;
        sums.push(Sum { check: names[1].0, key: names[1].1, seen, grows: more_value });

        let with = self.worst(owner, ask.instrument, currency, Some((ask.side, change.value)));
        let without = self.worst(owner, ask.instrument, currency, None);
        let mut gross = with;
        if pair.is_none() {
            let mut instruments: Vec<u32> = self.open.iter().map(|open| open.instrument).collect();
            instruments.extend(self.held.iter().map(|held| held.instrument));
            instruments.sort_unstable();
            instruments.dedup();
            let others = instruments
                .into_iter()
                .filter(|&other| other != ask.instrument && self.currency(other) == currency);
            gross += others.map(|other| self.worst(owner, other, currency, None)).sum::<Decimal>();
        }
        let grows = more_value && with > without;
        sums.push(Sum { check: "gross_exposure", key: Key::GrossExposureMax, seen: gross, grows });
        let net = self.net(who, pair, currency);
        let seen = net * sign + open;
        sums.push(Sum { check: "net_exposure", key: Key::NetExposureMax, seen, grows: more_value });
        if is_buy {
            sums.push(Sum { check: "credit", key: Key::CreditMax, seen, grows: more_value });
        }
        let old = ask.before.and_then(|id| self.reserved(id)).map_or(0, |(shares, _)| shares);
        let passes =
            self.is_on(Who::Account(ask.account), Key::Reducing) && self.is_reducing(ask, old);
        let seen = units(-self.profit(who, currency));
        sums.push(Sum { check: "loss", key: Key::LossMax, seen, grows: !passes });
        sums
    }

    /// The order that was let through last is accepted: tells what it brought to the part of a limit
    /// that is told, and was below it before.
    pub(super) fn warn(&mut self, instrument: u32) {
        let reached = std::mem::take(&mut self.pending);
        for Reached { who, level, check, currency, limit, observed, is_told } in reached {
            let place = (check == "position").then_some(instrument);
            let mark = (who, check, place, currency);
            let stands = self.warned.contains(&mark);
            if is_told && !stands {
                self.warned.push(mark);
                let warned = Warned { who, level, check, instrument, limit, observed };
                self.told.push(Told::Warning(warned));
            } else if !is_told {
                self.warned.retain(|one| *one != mark);
            }
        }
    }
}
