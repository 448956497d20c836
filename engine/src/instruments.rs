//! The instruments of one engine: what is known of each, and how a symbol finds its own.

use spindle_feed::event::TradingState;
use spindle_feed::state::{Crosses, InstrumentState, ShortSale};
use spindle_feed::top::TopState;
use spindle_types::{InstrumentId, Price, Symbol, keep};

use crate::command::{InstrumentSettings, TradingPhase};

/// What the engine knows of an instrument.
#[derive(Clone, Copy, Debug, Default, keep::Value)]
pub struct Instrument {
    /// Its symbol; blank where no message has told it yet.
    pub symbol: Symbol,
    /// Whether anything is known of it at all.
    pub known: bool,
    /// Whether messages were lost that may have concerned it: its book is then not the market's.
    pub stale: bool,
    /// Whether its market is absurd: crossed, or far from where it was. Nothing is priced from it.
    pub quarantined: bool,
    /// Its trading state, as the market's tape has it.
    pub trading: TradingState,
    /// Whether the venue's own market centre has stopped trading it.
    pub operationally_halted: bool,
    /// The price test of short sales.
    pub short_sale: ShortSale,
    /// Which crosses it has had on the tape today.
    pub crosses: Crosses,
    /// Its phase, as the venue has it.
    pub phase: TradingPhase,
    /// What it has beyond plain orders: bits of `matching::features`.
    pub(crate) features: u16,
    /// The steps of its prices and quantities.
    pub steps: InstrumentSettings,
    /// The price of the last trade, in price units; 0 where there was none.
    pub last_print: u32,
    /// Shares traded on the tape since the session of the feed began.
    pub volume: u64,
}

impl Instrument {
    /// Whether the tape trades it: its trading state says so, and its market centre is not halted.
    #[inline]
    pub const fn tape_trades(&self) -> bool {
        matches!(self.trading, TradingState::Trading) && !self.operationally_halted
    }

    /// Whether short sales have to be priced above the best bid.
    #[inline]
    pub const fn short_sale_restricted(&self) -> bool {
        self.short_sale.is_restricted()
    }

    /// What readers of its top of book are told.
    pub const fn top_state(&self) -> TopState {
        match (self.stale || self.quarantined, self.tape_trades(), self.phase) {
            (true, ..) => TopState::Stale,
            (false, _, TradingPhase::Closed) => TopState::Closed,
            (false, true, TradingPhase::Continuous) => TopState::Good,
            (false, ..) => TopState::Halted,
        }
    }
}

/// All instruments, by number and by symbol, in tables of fixed size.
#[derive(Debug, keep::State)]
#[keep(settle)]
pub struct Instruments {
    instruments: Box<[Instrument]>,
    /// What the tape says of each that is seldom asked.
    states: Box<[InstrumentState]>,
    /// Open-addressed: numbers by the hash of their symbol; 0 is vacant. At most half full.
    by_symbol: Box<[u16]>,
    known: usize,
    /// Which are known, a bit each: small enough to stay in the nearest cache.
    known_bits: Box<[u64]>,
}

impl Instruments {
    /// Whether every symbol leads to an instrument, and a search ends.
    fn settle_kept(&self) -> Result<(), keep::Unfit> {
        let leads = |&number: &u16| usize::from(number) < self.instruments.len();
        match self.by_symbol.iter().all(leads) && self.by_symbol.contains(&0) {
            true => Ok(()),
            false => Err(keep::Unfit::new("Instruments", "a place that there is not")),
        }
    }

    pub(crate) fn new(instruments_max: usize) -> Self {
        let slots = (instruments_max.max(8) * 2).next_power_of_two();
        Self {
            instruments: vec![Instrument::default(); instruments_max].into(),
            states: vec![InstrumentState::default(); instruments_max].into(),
            by_symbol: vec![0; slots].into(),
            known: 0,
            known_bits: vec![0; instruments_max.div_ceil(64)].into(),
        }
    }

    /// Forgets all instruments.
    pub(crate) fn clear(&mut self) {
        self.instruments.fill(Instrument::default());
        self.states.fill(InstrumentState::default());
        self.by_symbol.fill(0);
        self.known = 0;
        self.known_bits.fill(0);
    }

    /// A new day begins: no instrument has had a cross yet.
    pub(crate) fn forget_crosses(&mut self) {
        for known in &mut self.instruments {
            known.crosses = Crosses::default();
        }
    }

    /// How many are known.
    pub fn known(&self) -> usize {
        self.known
    }

    /// The instrument with this number; one that nothing is known of, where the number is beyond
    /// the table.
    #[inline]
    pub fn get(&self, instrument: InstrumentId) -> Instrument {
        self.instruments.get(instrument.index()).copied().unwrap_or_default()
    }

    /// Whether anything is known of it.
    #[inline]
    pub fn is_known(&self, instrument: InstrumentId) -> bool {
        let word = self.known_bits.get(instrument.index() / 64);
        word.is_some_and(|word| word >> (instrument.index() % 64) & 1 == 1)
    }

    /// What the tape says of an instrument, beside whether it trades.
    pub fn state(&self, instrument: InstrumentId) -> InstrumentState {
        self.states.get(instrument.index()).copied().unwrap_or_default()
    }

    /// The lowest and the highest price of the instrument's next reopening auction, where the tape
    /// has given them.
    pub fn luld_collar(&self, instrument: InstrumentId) -> Option<(Price, Price)> {
        self.state(instrument).collar.map(|collar| (collar.lower, collar.upper))
    }

    /// Both records of an instrument.
    pub(crate) fn both_mut(
        &mut self,
        instrument: InstrumentId,
    ) -> (Option<&mut Instrument>, Option<&mut InstrumentState>) {
        let at = instrument.index();
        (self.instruments.get_mut(at), self.states.get_mut(at))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, instrument: InstrumentId) -> Option<&mut Instrument> {
        self.instruments.get_mut(instrument.index())
    }

    /// Every known instrument, by number.
    pub fn iter(&self) -> impl Iterator<Item = (InstrumentId, Instrument)> + '_ {
        (0..=u16::MAX)
            .map(InstrumentId)
            .zip(self.instruments.iter().copied())
            .filter(|(_, instrument)| instrument.known)
    }

    /// The instrument with this symbol.
    #[inline]
    pub fn find(&self, symbol: Symbol) -> Option<InstrumentId> {
        let mut at = self.home(symbol);
        loop {
            let number = InstrumentId(self.by_symbol[at]);
            if number.0 == 0 {
                return None;
            }
            if self.instruments[number.index()].symbol == symbol {
                return Some(number);
            }
            at = (at + 1) & (self.by_symbol.len() - 1);
        }
    }

    /// Makes an instrument known under a symbol. The first symbol of a number stays for the day,
    /// and the first number of a symbol. Number 0 and numbers beyond the table are no instruments:
    /// false.
    pub(crate) fn learn(&mut self, instrument: InstrumentId, symbol: Symbol) -> bool {
        let Some(known) = self.instruments.get_mut(instrument.index()) else {
            return false;
        };
        if instrument.0 == 0 {
            return false;
        }
        if !known.known {
            known.known = true;
            self.known += 1;
            self.known_bits[instrument.index() / 64] |= 1 << (instrument.index() % 64);
        }
        if known.symbol == Symbol::BLANK && symbol != Symbol::BLANK {
            known.symbol = symbol;
            self.index(instrument, symbol);
        }
        true
    }

    fn index(&mut self, instrument: InstrumentId, symbol: Symbol) {
        let mut at = self.home(symbol);
        while self.by_symbol[at] != 0 {
            if self.instruments[usize::from(self.by_symbol[at])].symbol == symbol {
                return;
            }
            at = (at + 1) & (self.by_symbol.len() - 1);
        }
        self.by_symbol[at] = instrument.0;
    }

    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    fn home(&self, symbol: Symbol) -> usize {
        let hash = symbol.bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        hash as usize & (self.by_symbol.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_find_their_instrument() {
        let mut instruments = Instruments::new(300);
        let symbol = |number: u16| Symbol(format!("{number:<8}").as_bytes().try_into().unwrap());
        for number in 1..300 {
            assert!(instruments.learn(InstrumentId(number), symbol(number)));
        }
        for number in 1..300 {
            assert_eq!(instruments.find(symbol(number)), Some(InstrumentId(number)));
        }
        assert_eq!(instruments.find(symbol(300)), None);
        assert_eq!(instruments.find(Symbol::BLANK), None);
        assert_eq!(instruments.known(), 299);
        assert!(!instruments.learn(InstrumentId(300), symbol(300)), "beyond the table");
        assert!(!instruments.learn(InstrumentId(0), symbol(0)), "0 is no instrument");
    }

    #[test]
    fn the_first_symbol_and_the_first_number_stay() {
        let mut instruments = Instruments::new(8);
        let [first, second] = ["AAA", "BBB"].map(|text| text.parse::<Symbol>().unwrap());
        instruments.learn(InstrumentId(1), Symbol::BLANK);
        assert!(instruments.get(InstrumentId(1)).known);
        instruments.learn(InstrumentId(1), first);
        instruments.learn(InstrumentId(1), second);
        instruments.learn(InstrumentId(2), first);
        assert_eq!(instruments.find(first), Some(InstrumentId(1)));
        assert_eq!(instruments.find(second), None);
    }
}
