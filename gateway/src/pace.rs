//! How much of the gateway's time goes to those who may wait: who knocks, who is not logged in yet, and sessions
//! that are served aside.
//!
//! Their work comes in slices, one thing in each: a look for newcomers, one connection. A slice that took a time is
//! followed by a pause that grows with the square of it. A request of somebody who trades that comes in a short slice
//! waits no longer than requests differ by among themselves; one in a long slice does, so these have to be seldom: of
//! 5 µs less than one part in 320 of the time, of 20 µs one in 1,280. So no attacker, and no number of them, moves the p99
//! of those who trade by more than a small part. Where nobody would be disturbed there is no pause.

/// A pause is at least so many times its slice.
const TIMES_LEAST: u64 = 256;

/// A pause is so many times its slice for each microsecond that this took.
const TIMES_PER_MICROSECOND: u64 = 64;

/// What one slice is charged for at most: a thread that was taken off its core did not work all that time.
const CHARGE_MAX_NS: u64 = 50_000;

/// After a slice that found nobody the next comes no sooner. A request that comes while the system says that nobody
/// knocks waits for that; so it has to be less than one in a hundred, even of those that come one after the other.
const NOBODY_NS: u64 = 4_000_000;

/// While there is work of those who trade in every turn, a slice that is due waits so long for a turn without.
const PATIENCE_NS: u64 = 1_000_000;

/// When the next slice may begin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    next: u64,
}

impl Pace {
    /// Whether a slice may begin, in a turn that had other work or had none.
    #[inline]
    pub(crate) const fn is_due(&self, now: u64, busy: bool) -> bool {
        let patience = if busy { PATIENCE_NS } else { 0 };
        now >= self.next.saturating_add(patience)
    }

    /// A slice has taken its time; `guarded` where there is somebody whom the next would disturb, `waited` where there was
    /// somebody to serve.
    pub(crate) fn spent(&mut self, began: u64, ended: u64, guarded: bool, waited: bool) {
        let cost = ended.saturating_sub(began);
        let pause = match (guarded && cost > 0, waited) {
            (false, _) => 0,
            (true, true) => pause(cost),
            (true, false) => pause(cost).max(NOBODY_NS),
        };
        self.next = ended.saturating_add(pause);
    }
}

/// The pause after a slice.
const fn pause(cost: u64) -> u64 {
    let cost = if cost < CHARGE_MAX_NS { cost } else { CHARGE_MAX_NS };
    let square = cost * cost * TIMES_PER_MICROSECOND / 1_000;
    if square > cost * TIMES_LEAST { square } else { cost * TIMES_LEAST }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Turn by turn with whatever slices cost: slices of a length and above, with what came before them, take no more of the time
        /// than a slice of that length may.
        #[test]
        fn slices_keep_to_their_share(
            turns in prop::collection::vec((1_u64..20_000, 1_u64..CHARGE_MAX_NS, any::<bool>()), 1..300),
            length in 2_000_u64..CHARGE_MAX_NS,
        ) {
            let (mut pace, mut now) = (Pace::default(), 7);
            let (mut long, mut all, mut last) = (0, 0, 0);
            for (turn, cost, busy) in turns {
                now += turn;
                if !pace.is_due(now, busy) {
                    continue;
                }
                // The time until here holds the pauses of all before.
                prop_assert!(long * length * TIMES_PER_MICROSECOND / 1_000 <= now);
                prop_assert!(all * TIMES_LEAST <= now);
                prop_assert!(last == 0 || now >= last);
                pace.spent(now, now + cost, true, true);
                now += cost;
                long += if cost >= length { cost } else { 0 };
                all += cost;
                last = now + TIMES_LEAST * cost;
            }
        }
    }

    #[test]
    fn without_anybody_to_disturb_and_without_cost_there_is_no_pause() {
        let mut pace = Pace::default();
        pace.spent(10, 30, false, true);
        assert!(pace.is_due(30, false));
        pace.spent(30, 30, true, true);
        assert!(pace.is_due(30, false));
        pace.spent(30, 30, true, false);
        assert!(pace.is_due(30, false));
    }

    #[test]
    fn a_turn_with_work_is_left_alone_for_a_while() {
        let mut pace = Pace::default();
        pace.spent(0, 10, true, true);
        let due = 10 + pause(10);
        assert!(!pace.is_due(due - 1, false));
        assert!(pace.is_due(due, false));
        assert!(!pace.is_due(due + PATIENCE_NS - 1, true));
        assert!(pace.is_due(due + PATIENCE_NS, true));
    }

    #[test]
    fn after_a_look_that_found_nobody_the_next_is_not_soon() {
        let mut pace = Pace::default();
        pace.spent(0, 1_000, true, false);
        assert!(!pace.is_due(1_000 + NOBODY_NS - 1, false));
        assert!(pace.is_due(1_000 + NOBODY_NS, false));
    }

    #[test]
    fn a_slice_that_slept_is_charged_for_its_work_only() {
        let mut pace = Pace::default();
        pace.spent(0, 4_000_000, true, true);
        assert!(pace.is_due(4_000_000 + pause(CHARGE_MAX_NS), false));
        assert_eq!(pause(20_000), 20_000 * 1_280);
    }
}
