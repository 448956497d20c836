//! What the engine counts: its thread owns the counters, and any other may read them while they move.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_types::keep::{self, Pen, Reader, Shape, State, Unfit};

use crate::event::RejectReason;

/// A number that one thread adds to and any may read.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds. One thread writes, so that a load and a store are an addition: no locked instruction.
    #[inline(always)]
    pub(crate) fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    fn put(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What has happened so far, by count, as it stood at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, keep::Value)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        /// The counters themselves, on cache lines that nobody else writes to.
        #[derive(Debug)]
        #[repr(align(128))]
        pub(crate) struct Cells {
            $(pub(crate) $name: Count,)+
            /// Refused requests by [`RejectReason::index`].
            pub(crate) rejects: [Count; RejectReason::COUNT],
        }

        impl Default for Cells {
            fn default() -> Self {
                Self {
                    $($name: Count::default(),)+
                    rejects: std::array::from_fn(|_| Count::default()),
                }
            }
        }

        impl Cells {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.get(),)+ }
            }

            fn put(&self, counters: &Counters) {
                $(self.$name.put(counters.$name);)+
            }
        }
    };
}

counters! {
    /// Market messages.
    market_messages,
    /// Market messages that name an order which the book does not have: that book is then stale.
    unknown_references,
    /// Market messages that add an order under a reference that lives or that no venue gives, or
    /// without shares: that book is then stale.
    duplicate_references,
    /// Executions and cancels of more shares than the order had; it is taken out, and that book is
    /// then stale.
    excess_reductions,
    /// Adds that found a table full, or an instrument number beyond the capacity: that book is then
    /// stale.
    beyond_capacity,
    /// Changes of state that found no room to be told.
    untold,
    /// Times that an instrument went into quarantine because its market was absurd.
    quarantines,
    /// Commands of strategies.
    commands,
    /// Orders accepted, replacements included.
    accepted,
    /// Requests refused.
    rejected,
    /// Executions of strategies' orders, each side counted.
    executions,
    /// Shares of strategies' orders executed, each side counted.
    executed_shares,
}

/// The writing end.
#[derive(Debug, Default)]
pub(crate) struct Tally(Arc<Cells>);

impl Deref for Tally {
    type Target = Cells;

    #[inline(always)]
    fn deref(&self) -> &Cells {
        &self.0
    }
}

impl Tally {
    pub(crate) fn reader(&self) -> CounterReader {
        CounterReader(Arc::clone(&self.0))
    }
}

type Rejects = [u64; RejectReason::COUNT];

impl State for Tally {
    const SHAPE: Shape = Shape::of("Tally").shape(Counters::SHAPE).shape(Rejects::SHAPE);

    fn save(&self, pen: &mut Pen) {
        self.read().save(pen);
        let rejects: Rejects = std::array::from_fn(|at| self.rejects[at].get());
        rejects.save(pen);
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        let mut counters = Counters::default();
        let mut rejects: Rejects = [0; RejectReason::COUNT];
        counters.load(reader)?;
        rejects.load(reader)?;
        self.put(&counters);
        self.rejects.iter().zip(rejects).for_each(|(count, value)| count.put(value));
        Ok(())
    }
}

/// Reads what an engine counts, from any thread. Each number stands for itself: two that are read
/// together may be of two moments.
#[derive(Clone, Debug)]
pub struct CounterReader(Arc<Cells>);

impl CounterReader {
    /// How the counters stand.
    pub fn read(&self) -> Counters {
        self.0.read()
    }

    /// Requests refused for this reason.
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.0.rejects[reason.index()].get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_read_while_it_is_counted() {
        let tally = Tally::default();
        let reader = tally.reader();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..10_000).for_each(|_| tally.commands.add(1)));
            let mut last = 0;
            while last < 10_000 {
                let now = reader.read().commands;
                assert!((last..=10_000).contains(&now), "{last} and then {now}");
                last = now;
            }
        });
        tally.rejects[RejectReason::Stale.index()].add(2);
        assert_eq!(reader.rejected(RejectReason::Stale), 2);
        assert_eq!(reader.rejected(RejectReason::Halted), 0);
    }

    #[test]
    fn counters_come_back_as_they_were() {
        let tally = Tally::default();
        tally.executions.add(7);
        tally.rejects[RejectReason::Risk(spindle_risk::Check::Loss).index()].add(3);
        let mut pen = Pen::new();
        tally.save(&mut pen);
        let mut other = Tally::default();
        let reader = other.reader();
        let mut bytes = Reader::new(pen.bytes());
        other.load(&mut bytes).expect("a state");
        bytes.end().expect("nothing is left");
        assert_eq!(reader.read(), tally.read());
        assert_eq!(reader.rejected(RejectReason::Risk(spindle_risk::Check::Loss)), 3);
    }

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let mut seen: Vec<_> = RejectReason::all().map(RejectReason::index).collect();
        assert_eq!(seen.len(), RejectReason::COUNT);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..RejectReason::COUNT).collect::<Vec<_>>());
        let names: std::collections::BTreeSet<_> =
            RejectReason::all().map(RejectReason::name).collect();
        assert_eq!(names.len(), RejectReason::COUNT, "each has a name of its own");
    }
}
