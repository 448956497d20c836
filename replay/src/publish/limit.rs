/// A limit of so many messages a second, with room for a millisecond's worth (at least 64) at once.
/// Time comes from the caller.
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    per_second: u64,
    /// What may go now, in milliardths of a message.
    credit: u128,
    seen: Option<u64>,
}

const MILLIARD: u128 = 1_000_000_000;

impl RateLimit {
    pub(crate) fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), credit: 0, seen: None }
    }

    /// How many messages may go at this time.
    pub(crate) fn allowance(&mut self, now: u64) -> u64 {
        let most = u128::from((self.per_second / 1_000).max(64)) * MILLIARD;
        self.credit = match self.seen {
            None => most,
            Some(seen) => {
                let earned = u128::from(now.saturating_sub(seen)) * u128::from(self.per_second);
                most.min(self.credit + earned)
            }
        };
        self.seen = Some(self.seen.unwrap_or(0).max(now));
        u64::try_from(self.credit / MILLIARD).unwrap_or(u64::MAX)
    }

    /// Takes messages off what may go.
    pub(crate) fn spend(&mut self, messages: u64) {
        self.credit = self.credit.saturating_sub(u128::from(messages) * MILLIARD);
    }

    /// When the next message may go, after the last [`allowance`](Self::allowance) was none.
    pub(crate) fn ready_at(&self) -> u64 {
        let missing = MILLIARD.saturating_sub(self.credit);
        let wait = missing.div_ceil(u128::from(self.per_second));
        self.seen.unwrap_or(0).saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_second_the_rate_is_kept() {
        for rate in [1, 10, 999, 1_000_000] {
            let mut limit = RateLimit::new(rate);
            let mut sent = 0;
            for now in (0..=10_000_000_000_u64).step_by(1_300_001) {
                let allowed = limit.allowance(now);
                limit.spend(allowed);
                sent += allowed;
                assert!(limit.ready_at() > now);
            }
            let most = 10 * rate + (rate / 1_000).max(64);
            assert!(sent <= most, "{sent} at {rate}");
            assert!(sent >= 10 * rate * 7 / 10, "{sent} at {rate}");
        }
    }

    #[test]
    fn it_says_when_the_next_may_go() {
        let mut limit = RateLimit::new(10);
        let allowed = limit.allowance(0);
        limit.spend(allowed);
        assert_eq!(limit.allowance(99_999_999), 0);
        assert_eq!(limit.ready_at(), 100_000_000);
        assert_eq!(limit.allowance(100_000_000), 1);
    }
}
