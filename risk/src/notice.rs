//! What the gate has to say to its operator.

use spindle_types::{AccountId, InstrumentId, SessionId, keep};

use crate::{Check, Level};

/// Nobody's firm.
pub const NO_FIRM: u16 = u16::MAX;

/// Who can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
pub enum Target {
    /// Everybody.
    All,
    /// An account.
    Account(AccountId),
    /// A session.
    Session(SessionId),
    /// A firm, with all its accounts.
    Firm(u16),
}

/// Why somebody was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, keep::Value)]
#[repr(u8)]
pub enum Cause {
    /// An operator did it.
    Operator = 1,
    /// The loss limit.
    Loss = 2,
    /// Too many refusals.
    Rejects = 3,
    /// Too many executions.
    Fills = 4,
    /// The feed was silent or lost messages.
    Stale = 5,
    /// It was so before the start.
    Restart = 6,
}

impl Cause {
    /// The name in scripts, logs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Loss => "loss",
            Self::Rejects => "rejects",
            Self::Fills => "fills",
            Self::Stale => "stale",
            Self::Restart => "restart",
        }
    }
}

/// Something that the operator is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub enum Notice {
    /// A sum has reached the part of its limit from which it is told.
    Warning {
        /// Which sum.
        check: Check,
        /// At which level.
        level: Level,
        /// Whose.
        owner: Target,
        /// The instrument of the order that brought it there.
        instrument: InstrumentId,
        /// The limit.
        limit: u64,
        /// The sum.
        observed: u64,
    },
    /// Somebody was stopped.
    Killed {
        /// Who.
        target: Target,
        /// Why.
        cause: Cause,
    },
    /// Somebody may go on.
    Armed {
        /// Who.
        target: Target,
    },
}
