//! A digest of what the engine tells: one number over every field of every event but the stamps, so that
//! two runs can be compared without keeping either.

use std::hash::{Hash, Hasher};

use spindle_types::{Price, Quantity, keep};

use crate::command::{Attributes, TimeInForce};
use crate::event::{Basis, CancelReason, Change, Event, Figures, Outcome, RejectReason};
use crate::input::time_code;

/// Takes in one event after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

/// As a hasher it takes in what a value gives it; integers as the machine has them, which on all that are
/// supported is little-endian.
impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }
}

const fn limit(price: Option<Price>) -> u64 {
    match price {
        Some(price) => 1 << 32 | price.0 as u64,
        None => 0,
    }
}

impl Digest {
    /// Goes on with a digest.
    pub const fn from_value(value: u64) -> Self {
        Self(value)
    }

    /// The digest so far.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Takes in one word.
    #[inline]
    pub const fn word(&mut self, word: u64) {
        // A multiplication carries upwards alone; the rotation brings the upper bits back down.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Takes in bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }

    /// Takes in a value by its fields.
    #[inline]
    pub fn value_of(&mut self, value: &impl Hash) {
        value.hash(self);
    }

    /// Takes in what a value says of itself: for cold paths, as it formats.
    pub fn debug(&mut self, value: &dyn std::fmt::Debug) {
        struct Into<'a>(&'a mut Digest);
        impl std::fmt::Write for Into<'_> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.bytes(text.as_bytes());
                Ok(())
            }
        }
        let _ = std::fmt::Write::write_fmt(&mut Into(self), format_args!("{value:?}"));
    }

    fn attributes(&mut self, attributes: &Attributes) {
        let Attributes { client_order_id, capacity, iso, display, cross } = attributes;
        self.bytes(client_order_id);
        self.word(u64::from(u32::from_le_bytes([*capacity, *iso, *display, *cross])));
    }

    fn time_in_force(&mut self, time_in_force: TimeInForce) {
        let (code, until) = time_code(time_in_force);
        self.word(code.into());
        self.word(until);
    }

    fn pair(&mut self, one: Quantity, other: Quantity) {
        self.word(u64::from(one.0) << 32 | u64::from(other.0));
    }

    fn name(&mut self, name: &'static str) {
        self.bytes(name.as_bytes());
    }

    fn reason(&mut self, reason: RejectReason) {
        self.name(reason.name());
        if let RejectReason::InvalidCombination(field) = reason {
            self.name(field.name());
        }
    }

    fn figures(&mut self, figures: Figures) {
        let Figures { price, quantity, imbalance, side } = figures;
        self.word(limit(price));
        self.word(quantity);
        self.word(imbalance);
        self.word(side.map_or(0, |side| 1 + side.index() as u64));
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event) {
        let Event { sequence, time, session, account, token, received: _, queued: _, outcome } =
            event;
        self.word(*sequence);
        self.word(time.0);
        self.word(u64::from(session.0) << 48 | u64::from(account.0) << 32 | u64::from(token.0));
        match *outcome {
            Outcome::Accepted {
                reference,
                symbol,
                side,
                quantity,
                limit: price,
                time_in_force,
                live,
                attributes,
            } => {
                self.word(1);
                self.word(reference.0);
                self.word(u64::from_le_bytes(symbol.0));
                self.word(u64::from(quantity.0) << 16 | (side as u64) << 8 | u64::from(live));
                self.word(limit(price));
                self.time_in_force(time_in_force);
                self.attributes(&attributes);
            }
            Outcome::Rejected { reason, limit, observed, attributes } => {
                self.word(2);
                self.reason(reason);
                self.word(limit);
                self.word(observed);
                self.attributes(&attributes);
            }
            Outcome::Checked { refused, limit, observed } => {
                self.word(3);
                if let Some(reason) = refused {
                    self.reason(reason);
                }
                self.word(limit);
                self.word(observed);
            }
            Outcome::Replaced {
                original,
                reference,
                symbol,
                side,
                quantity,
                limit: price,
                time_in_force,
                attributes,
            } => {
                self.word(4 | u64::from(original.0) << 32);
                self.word(reference.0);
                self.word(u64::from_le_bytes(symbol.0));
                self.word(u64::from(quantity.0) << 16 | (side as u64) << 8);
                self.word(limit(price));
                self.time_in_force(time_in_force);
                self.attributes(&attributes);
            }
            Outcome::Canceled { quantity, open, reason } => {
                self.word(5);
                self.pair(quantity, open);
                self.name(reason.name());
                self.word(u64::from(matches!(reason, CancelReason::Risk(_))));
            }
            Outcome::Executed { quantity, price, open, liquidity, match_number, tape, basis } => {
                self.word(6 | (liquidity as u64) << 8);
                self.pair(quantity, open);
                self.word(price.0.into());
                self.word(match_number.0);
                self.word(tape.map_or(0, |tape| tape.0));
                self.word(tape.is_some().into());
                match basis {
                    Basis::Queue => {}
                    Basis::Hidden => self.word(1),
                    Basis::Cross(cross) => self.value_of(&cross),
                }
            }
            Outcome::Triggered => self.word(7),
            Outcome::MassCanceled { orders } => self.word(8 | u64::from(orders) << 32),
            Outcome::Indicative { symbol, figures } => {
                self.word(9);
                self.word(u64::from_le_bytes(symbol.0));
                self.figures(figures);
            }
            Outcome::Auction { symbol, kind, figures } => {
                self.word(10);
                self.word(u64::from_le_bytes(symbol.0));
                self.name(kind.name());
                self.figures(figures);
            }
            Outcome::TapeImbalance { symbol, imbalance } => {
                self.word(11);
                self.word(u64::from_le_bytes(symbol.0));
                self.value_of(&imbalance);
            }
            Outcome::State { symbol, change } => {
                self.word(12);
                self.word(u64::from_le_bytes(symbol.0));
                self.change(change);
            }
            Outcome::Modified { side, quantity, open } => {
                self.word(15 | (side as u64) << 8);
                self.pair(quantity, open);
            }
            Outcome::CancelRejected => self.word(13),
            Outcome::ReplaceRejected { original } => self.word(14 | u64::from(original.0) << 32),
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Trading { state, reason } => {
                self.value_of(&(state, reason));
            }
            Change::Tape(change) => self.value_of(&change),
            Change::Day(phase) => self.value_of(&phase),
            Change::Stale(cause) => self.name(cause.name()),
            Change::Quarantine { entered } => self.word(entered.into()),
        }
    }
}
