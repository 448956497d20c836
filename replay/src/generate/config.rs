use thiserror::Error;

/// Messages that a day has whatever else is in it: six system events, and for each symbol the
/// directory entry, the trading state, the price-test state and two crosses.
pub(crate) const fn messages_fixed(symbols: u16) -> u64 {
    6 + 5 * symbols as u64
}

/// What day to make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerateConfig {
    messages: u64,
    symbols: u16,
    seed: u64,
}

/// Why such a day cannot be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GenerateError {
    /// No instruments.
    #[error("0 symbols; a day needs at least 1")]
    NoSymbols,
    /// The frame of the day alone has more messages.
    #[error(
        "{messages} messages are too few for {symbols} symbols: the day's frame alone (system \
         events, directory, states and crosses of each symbol) has {needed}"
    )]
    TooFewMessages {
        /// Messages asked for.
        messages: u64,
        /// Symbols asked for.
        symbols: u16,
        /// The fewest possible.
        needed: u64,
    },
    /// Orders would outnumber what the generator can index.
    #[error("{0} messages are too many; at most 20,000,000,000 can be made up")]
    TooManyMessages(u64),
}

impl GenerateConfig {
    /// A day of exactly `messages` messages over `symbols` instruments. The same three numbers give
    /// the same bytes on every machine.
    ///
    /// # Errors
    /// No symbols, or a number of messages that is below `6 + 5 * symbols` or above 20 milliards.
    pub fn new(messages: u64, symbols: u16, seed: u64) -> Result<Self, GenerateError> {
        if symbols == 0 {
            return Err(GenerateError::NoSymbols);
        }
        let needed = messages_fixed(symbols);
        if messages < needed {
            return Err(GenerateError::TooFewMessages { messages, symbols, needed });
        }
        if messages > 20_000_000_000 {
            return Err(GenerateError::TooManyMessages(messages));
        }
        Ok(Self { messages, symbols, seed })
    }

    /// Messages in the day.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Instruments; their locate codes are 1 to this.
    pub fn symbols(&self) -> u16 {
        self.symbols
    }

    /// What chance is seeded with.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
