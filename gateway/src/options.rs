//! What a session or a port may do beside what its protocol says: from where, for which accounts,
//! how fast, and whether it only reads along.

use std::net::IpAddr;

use ipnet::IpNet;
use spindle_types::{AccountId, SessionId, keep};

use crate::tls::Tls;

/// Addresses that may connect. An empty list lets every address in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(pub Vec<IpNet>);

impl AllowList {
    /// Whether the address is in the list. An IPv4 address that came over IPv6 is its own self.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.is_empty() || self.0.iter().any(|net| net.contains(&address))
    }
}

/// Who may come to a port, and how.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// From where.
    pub allow: AllowList,
    /// The certificate, where the port speaks TLS. Without one it is plain TCP.
    pub tls: Option<Tls>,
}

/// An account that orders may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAccount {
    /// What FIX names it by in Account (1): 1 to 32 visible characters.
    pub name: String,
    /// What OUCH names it by in the option Firm, up to four capitals; empty where OUCH cannot.
    pub firm: String,
    /// Its number.
    pub account: AccountId,
}

/// What a session may do beside what its protocol says.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// The accounts that its orders may name, its own one among them. An order that names none is
    /// for the session's own. Empty: what FIX writes in Account is read and not used.
    pub accounts: Vec<NamedAccount>,
    /// From where it may log in, beside what its port asks.
    pub allow: AllowList,
    /// How fast it may ask.
    pub throttle: Option<Throttle>,
    /// A session that reads along: it may enter nothing.
    pub copy: Option<CopyScope>,
}

/// Whose orders a drop copy sees: those of any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyScope {
    /// Everybody's.
    pub all: bool,
    /// Those of these accounts.
    pub accounts: Vec<AccountId>,
    /// Those that came over these sessions.
    pub sessions: Vec<SessionId>,
}

impl CopyScope {
    /// Whether it sees an order of this account that came over this session.
    #[inline]
    pub fn sees(&self, session: SessionId, account: AccountId) -> bool {
        self.all || self.accounts.contains(&account) || self.sessions.contains(&session)
    }
}

/// How many requests a session may send, as a bucket of tokens: it is full at the start, each
/// request takes a token, and `rate` of them come back in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Tokens that come back in a second, at least 1.
    pub rate: u32,
    /// Tokens that the bucket holds, at least 1: requests that may come at once.
    pub burst: u32,
    /// What becomes of a request without a token.
    pub beyond: Beyond,
}

/// What becomes of a request that is beyond the throttle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beyond {
    /// A new order or a replacement is rejected; a cancel or a question goes through.
    #[default]
    Reject,
    /// The connection is closed.
    Disconnect,
}

/// One second in the clock's unit: what a token costs.
const TOKEN: u64 = 1_000_000_000;

/// A bucket of tokens.
#[derive(Clone, Copy, Debug, keep::State)]
pub struct Bucket {
    #[keep(skip)]
    throttle: Throttle,
    /// What it holds, in tokens times nanoseconds, so that nothing is rounded.
    level: u64,
    at: u64,
}

impl Bucket {
    /// A full bucket.
    pub const fn new(throttle: Throttle) -> Self {
        Self { throttle, level: throttle.burst as u64 * TOKEN, at: 0 }
    }

    /// Takes a token at `now`, in nanoseconds on a clock that never goes back; false where there is
    /// none.
    #[inline]
    pub fn take(&mut self, now: u64) -> bool {
        let elapsed = u128::from(now.saturating_sub(self.at));
        let full = u64::from(self.throttle.burst) * TOKEN;
        let level = u128::from(self.level) + elapsed * u128::from(self.throttle.rate);
        self.level = u64::try_from(level).unwrap_or(full).min(full);
        self.at = self.at.max(now);
        let has = self.level >= TOKEN;
        if has {
            self.level -= TOKEN;
        }
        has
    }

    /// Whether it holds no token at `now`.
    #[inline]
    pub const fn is_empty(&self, now: u64) -> bool {
        // Most are never near it, and need no multiplication.
        if self.level >= TOKEN {
            return false;
        }
        let elapsed = now.saturating_sub(self.at) as u128;
        (self.level as u128 + elapsed * self.throttle.rate as u128) < TOKEN as u128
    }

    /// What becomes of a request without a token.
    pub const fn beyond(&self) -> Beyond {
        self.throttle.beyond
    }

    /// Tokens that come back in a second.
    pub const fn rate(&self) -> u32 {
        self.throttle.rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The naive twin: the times at which tokens were taken, and the whole history asked each time.
    /// A token is there when some level, counted from the last moment the bucket was full, leaves
    /// one over.
    struct Twin {
        rate: u128,
        burst: u128,
        taken: Vec<u64>,
    }

    impl Twin {
        fn take(&mut self, now: u64) -> bool {
            // The bucket holds a token unless some window that ends now has used up all that it
            // could have had: burst at its begin, and what came in since.
            let fits = (0..=self.taken.len()).all(|first| {
                let Some(&since) = self.taken.get(first) else { return self.burst >= 1 };
                let used = (self.taken.len() - first) as u128;
                let had = self.burst * 1_000_000_000 + u128::from(now - since) * self.rate;
                had >= (used + 1) * 1_000_000_000
            });
            if fits {
                self.taken.push(now);
            }
            fits
        }
    }

    proptest! {
        #[test]
        fn the_bucket_is_exactly_its_model(
            rate in 1_u32..2_000,
            burst in 1_u32..20,
            steps in prop::collection::vec(prop_oneof![
                3 => 0_u64..1_000, 3 => 0_u64..3_000_000, 1 => 0_u64..3_000_000_000,
            ], 1..150),
        ) {
            let throttle = Throttle { rate, burst, beyond: Beyond::Reject };
            let mut bucket = Bucket::new(throttle);
            let mut twin = Twin { rate: rate.into(), burst: burst.into(), taken: Vec::new() };
            let mut now = 0;
            for step in steps {
                now += step;
                let empty = bucket.is_empty(now);
                let taken = bucket.take(now);
                prop_assert_eq!((taken, empty), (twin.take(now), !taken), "at {}", now);
            }
        }
    }

    /// By hand 10,000,000 requests: `SPINDLE_REQUESTS=10000000`.
    #[test]
    fn a_long_walk_counts_no_token_too_many_or_too_few() {
        let requests = std::env::var("SPINDLE_REQUESTS").ok().and_then(|text| text.parse().ok());
        let throttle = Throttle { rate: 997, burst: 13, beyond: Beyond::Reject };
        let mut bucket = Bucket::new(throttle);
        // The twin counts what a window may have had since the bucket was last full.
        let (mut level, mut last, mut seed, mut now) = (13_u128 * 1_000_000_000, 0, 7_u64, 0);
        for _ in 0..requests.unwrap_or(300_000) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now += (seed >> 33) % 2_000_000;
            level = (level + u128::from(now - last) * 997).min(13_000_000_000);
            last = now;
            let expected = level >= 1_000_000_000;
            level -= if expected { 1_000_000_000 } else { 0 };
            assert_eq!(bucket.take(now), expected, "at {now}");
        }
    }

    #[test]
    fn a_list_admits_its_networks_and_an_empty_one_everybody() {
        let list = |nets: &[&str]| {
            AllowList(nets.iter().map(|net| net.parse().expect("a network")).collect())
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(list(&[]).admits(address("10.1.2.3")));
        let nets = list(&["127.0.0.0/8", "10.1.0.0/16", "::1/128"]);
        for (text, admitted) in [
            ("127.0.0.9", true),
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("::1", true),
            ("::2", false),
            ("::ffff:10.1.0.1", true),
            ("::ffff:10.2.0.1", false),
        ] {
            assert_eq!(nets.admits(address(text)), admitted, "{text}");
        }
    }
}
