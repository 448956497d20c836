//! A look at the engine: what only its thread can see, written by it between two inputs onto paper that
//! another thread brought. How much is written has a bound, and nothing is allocated.

use spindle_accounts::{AccountLine, Accounts, Owner, Position};
use spindle_engine::{Engine, LevelView};
use spindle_types::{AccountId, EventTime, InstrumentId, Side, Symbol};

/// Levels of a side that one look writes at most.
pub const LEVELS_MAX: usize = 64;

/// Positions that one look writes at most; the next one can go on behind them.
pub const POSITIONS_MAX: usize = 512;

/// Accounts that a look writes at most.
pub const ACCOUNTS_MAX: usize = 256;

/// Symbols that one look finds out at most.
pub const NAMES_MAX: usize = 64;

/// A position as a look has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub account: AccountId,
    /// Of what.
    pub symbol: Symbol,
    /// The position.
    pub position: Position,
}

/// What was asked, and what was seen.
#[derive(Clone, Debug)]
pub struct Look {
    /// Asked: whose ladder.
    pub symbol: Option<Symbol>,
    /// Asked: how many levels of it, up to [`LEVELS_MAX`].
    pub levels_max: usize,
    /// Asked: the first position to be written.
    pub positions_from: usize,
    /// Asked and told: the symbols of these instruments.
    pub names: Vec<(InstrumentId, Symbol)>,
    /// The engine's sequenced time.
    pub time: EventTime,
    /// Instruments that are known.
    pub known: usize,
    /// Orders that stand, of the market and of strategies.
    pub orders: usize,
    /// Orders of strategies.
    pub own_orders: usize,
    /// Price levels of all books.
    pub levels: usize,
    /// What accounts have done, in their order, without what they have made.
    pub accounts: Vec<AccountLine>,
    /// Positions of accounts.
    pub positions: Vec<Held>,
    /// The first position that is not written yet; `None` where all are.
    pub positions_next: Option<usize>,
    /// The instrument of the ladder, if there is one of this symbol.
    pub instrument: Option<InstrumentId>,
    /// The ladder, by [`Side::index`], the best first.
    pub ladder: [Vec<LevelView>; 2],
}

impl Default for Look {
    /// Empty paper with room for everything.
    fn default() -> Self {
        let levels = || Vec::with_capacity(LEVELS_MAX);
        Self {
            symbol: None,
            levels_max: 0,
            positions_from: 0,
            names: Vec::with_capacity(NAMES_MAX),
            time: EventTime(0),
            known: 0,
            orders: 0,
            own_orders: 0,
            levels: 0,
            accounts: Vec::with_capacity(ACCOUNTS_MAX),
            positions: Vec::with_capacity(POSITIONS_MAX),
            positions_next: None,
            instrument: None,
            ladder: [levels(), levels()],
        }
    }
}

impl Look {
    /// Writes what is seen. On the engine's thread: bounded, and without allocation.
    pub(crate) fn take(&mut self, engine: &Engine, accounts: &Accounts) {
        let (instruments, books) = (engine.instruments(), engine.books());
        self.time = engine.time();
        self.known = instruments.known();
        self.orders = books.live_orders();
        self.own_orders = engine.own_orders();
        self.levels = books.live_levels();
        for (instrument, symbol) in self.names.iter_mut().take(NAMES_MAX) {
            *symbol = instruments.get(*instrument).symbol;
        }
        self.accounts.clear();
        let lines = (0..=u16::MAX).map_while(|account| accounts.done(AccountId(account)));
        self.accounts.extend(lines.take(ACCOUNTS_MAX));
        self.positions.clear();
        let from = self.positions_from;
        for (owner, instrument, position) in accounts.positions_from(from).take(POSITIONS_MAX) {
            if let Owner::Account(account) = owner {
                let symbol = instruments.get(instrument).symbol;
                self.positions.push(Held { account, symbol, position });
            }
        }
        let next = from.saturating_add(POSITIONS_MAX);
        self.positions_next = (next < accounts.positions()).then_some(next);
        self.instrument = self.symbol.and_then(|symbol| instruments.find(symbol));
        for side in [Side::Buy, Side::Sell] {
            let ladder = &mut self.ladder[side.index()];
            ladder.clear();
            if let Some(instrument) = self.instrument {
                let levels = books.levels_of(instrument, side);
                ladder.extend(levels.take(self.levels_max.min(LEVELS_MAX)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use spindle_accounts::{AccountsConfig, Fill, Liquidity};
    use spindle_engine::EngineConfig;
    use spindle_risk::{Gate, GateConfig};
    use spindle_types::{Price, Quantity};

    use super::*;

    #[test]
    fn a_look_has_a_bound_and_takes_no_memory() {
        let capacity =
            spindle_engine::Capacity { instruments: 2_000, orders: 1_000, levels: 1_000 };
        let config = EngineConfig { capacity, own_orders: 16, first_number: 1 };
        let gate = Gate::with(&GateConfig::for_accounts(300));
        let (mut engine, _) = Engine::new(&config, gate);
        let symbol: Symbol = "AAPL".parse().expect("a symbol");
        engine.add_instrument(InstrumentId(1), symbol);
        let fees = vec![Default::default(); 300];
        let mut accounts = Accounts::new(&AccountsConfig::default(), 2_000, &fees);
        for instrument in 1..=600 {
            accounts.fill(&Fill {
                time: EventTime(1),
                account: AccountId(7),
                instrument: InstrumentId(instrument),
                side: Side::Buy,
                price: Price(10_000),
                quantity: Quantity(1),
                liquidity: Liquidity::Taker,
                assumed: false,
            });
        }
        let mut look = Look { symbol: Some(symbol), levels_max: 999, ..Look::default() };
        let room = |look: &Look| {
            let ladder = look.ladder.each_ref().map(Vec::capacity);
            (look.accounts.capacity(), look.positions.capacity(), ladder)
        };
        let before = room(&look);
        look.names.push((InstrumentId(1), Symbol::default()));
        // Each trade makes a position of the account and one of the firm.
        let (mut held, mut looks) = (0, 0);
        loop {
            look.take(&engine, &accounts);
            assert_eq!(room(&look), before, "nothing was allocated");
            held += look.positions.len();
            looks += 1;
            let Some(next) = look.positions_next else { break };
            look.positions_from = next;
        }
        assert_eq!((held, looks), (600, 3));
        assert_eq!(look.accounts.len(), ACCOUNTS_MAX);
        assert_eq!((look.instrument, look.names[0].1), (Some(InstrumentId(1)), symbol));
    }
}
