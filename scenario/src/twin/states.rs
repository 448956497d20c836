//! What the recorded market says of its state.

use super::{Place, Twin};
use crate::decimal::Amount;
use crate::line::{Figure, Line, Rejected};
use crate::op::{Center, Day, Restriction, Sale, Side, State, Tape, TapeEvent, Tif};

impl Twin {
    /// Whether nothing is taken and nothing trades any more today.
    pub(super) fn day_is_over(&self) -> bool {
        self.breaker == 3 || matches!(self.day, Some(Day::EndOfSystemHours | Day::EndOfMessages))
    }

    /// Something about the whole market.
    pub(super) fn market_says(&mut self, op: &Tape) {
        match op.event {
            TapeEvent::BreakerLevels => {
                let levels = op.levels.expect("it has levels");
                if self.levels != Some(levels) {
                    self.levels = Some(levels);
                    self.tell(Line::BreakerLevels { levels });
                }
            }
            TapeEvent::Breaker => {
                let level = op.level.expect("it has a level");
                if level > self.breaker {
                    self.breaker = level;
                    self.tell(Line::Breaker { level });
                    if level == 3 {
                        self.end_the_day();
                    }
                }
            }
            _ => {
                let phase = op.phase.expect("it has a phase");
                if self.day != Some(phase) {
                    self.day = Some(phase);
                    self.tell(Line::System { phase: phase.name() });
                }
                match phase {
                    Day::StartOfMessages => {
                        for instrument in &mut self.instruments {
                            (instrument.opened, instrument.closed) = (false, false);
                        }
                    }
                    Day::EndOfMarketHours => {
                        for id in self.ids(|order| order.place == Place::AtOpen) {
                            self.cancel_all(id, "auction_over");
                        }
                    }
                    Day::EndOfSystemHours | Day::EndOfMessages => self.end_the_day(),
                    Day::StartOfSystemHours | Day::StartOfMarketHours => {}
                }
            }
        }
    }

    fn end_the_day(&mut self) {
        let over = self.ids(|order| matches!(order.tif, Tif::Day | Tif::AtOpen | Tif::AtClose));
        for id in over {
            self.cancel_all(id, "end_of_day");
        }
    }

    /// Something was lost, of one instrument or of all.
    pub(super) fn tape_is_lost(&mut self, at: Option<usize>) {
        let mut news = false;
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if at.is_none_or(|at| at == number) {
                news |= !instrument.stale;
                instrument.stale = true;
            }
        }
        if news {
            let symbol = at.map(|at| self.instruments[at].symbol.clone());
            self.tell(Line::Stale { symbol, cause: "loss" });
        }
    }

    /// Something about one instrument.
    pub(super) fn tape_says(&mut self, at: usize, op: &Tape) {
        let instrument = &mut self.instruments[at];
        let symbol = instrument.symbol.clone();
        let units = |price: Option<Amount>| price.map_or(0, |price| price.units);
        let line = match op.event {
            TapeEvent::Status => {
                let state = op.state.unwrap_or_default();
                if instrument.state == state && instrument.reason == op.reason {
                    return;
                }
                (instrument.state, instrument.reason) = (state, op.reason.clone());
                if matches!(state, State::Halted | State::Paused) {
                    instrument.collar = None;
                }
                Line::Status { symbol, state: state.name(), reason: op.reason.clone() }
            }
            TapeEvent::OperationalHalt => {
                let market: Center = op.market.unwrap_or_default();
                let state = op.state.unwrap_or_default();
                if instrument.halted_at.contains(&market) == (state == State::Halted) {
                    return;
                }
                instrument.halted_at.retain(|at| *at != market);
                if state == State::Halted {
                    instrument.halted_at.push(market);
                }
                Line::OperationalHalt { symbol, market: market.name(), state: state.name() }
            }
            TapeEvent::Collar => {
                let extension = op.extension.unwrap_or(0);
                let (price, upper, lower) = (units(op.price), units(op.upper), units(op.lower));
                let collar = Some((price, upper, lower, extension));
                if instrument.collar == collar {
                    return;
                }
                instrument.collar = collar;
                let [price, upper, lower] = [price, upper, lower].map(Amount::new);
                Line::Collar { symbol, price, upper, lower, extension }
            }
            TapeEvent::ShortSale => {
                let restriction = op.restriction.unwrap_or_default();
                if instrument.restriction == restriction {
                    return;
                }
                instrument.restriction = restriction;
                Line::ShortSale { symbol, restriction: restriction.name() }
            }
            _ => {
                let release = op.seconds.map(|seconds| (seconds, units(op.price)));
                if instrument.release == Some(release) {
                    return;
                }
                instrument.release = Some(release);
                Line::Release { symbol, seconds: op.seconds, price: op.price }
            }
        };
        self.tell(line);
    }

    /// A short sale in a restricted instrument needs a limit above the best displayed bid.
    pub(super) fn check_short_sale(
        &self,
        at: usize,
        sale: Sale,
        limit: Option<i64>,
    ) -> Result<(), Rejected> {
        if sale != Sale::Short || self.instruments[at].restriction == Restriction::Free {
            return Ok(());
        }
        let displayed = self.queue(at, Side::Buy).into_iter();
        let mut displayed = displayed.filter(|order| order.is_displayed() && order.available() > 0);
        let bid = displayed.find_map(|order| order.price).unwrap_or(0);
        if limit.is_some_and(|limit| limit > bid) {
            return Ok(());
        }
        let amount = |units| Figure::Amount(Amount::new(units));
        Err(Rejected::because("short_sale").with(amount(bid), amount(limit.unwrap_or(0))))
    }
}
