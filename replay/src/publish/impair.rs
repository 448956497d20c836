//! Faults of a line, on purpose and from a seed: what a network does to packets.

use std::str::FromStr;

use spindle_types::Decimal;
use thiserror::Error;

use crate::random::Random;

/// A share of packets, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// 1,000,000 are all.
    pub millionths: u32,
}

/// Why a text is not a share.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a share of packets: a number from 0 to 1 with at most 6 decimals, as 0.02")]
pub struct ShareError(String);

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refuse = || ShareError(text.escape_default().to_string());
        if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(refuse());
        }
        let share: Decimal = text.parse().map_err(|_| refuse())?;
        let scaled = share.checked_mul(Decimal::from(1_000_000)).ok_or_else(refuse)?;
        let millionths = u32::try_from(scaled.trunc()).map_err(|_| refuse())?;
        if millionths > 1_000_000 || !scaled.fract().is_zero() {
            return Err(refuse());
        }
        Ok(Self { millionths })
    }
}

/// What is done to the packets with messages of one line. Heartbeats and the end of the session are
/// left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impairments {
    /// Packets that are not sent.
    pub loss: Share,
    /// Packets that are sent twice.
    pub duplicate: Share,
    /// Packets that are sent after the one that follows them.
    pub reorder: Share,
    /// How often a run of 20 to 220 packets is not sent, spread over the recording.
    pub outages: u32,
    /// What chance is seeded with. Lines with the same seed and different numbers differ.
    pub seed: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Lost,
    /// Lost in an outage; in the first of its packets if this is true.
    Outage {
        begins: bool,
    },
    Doubled,
    Late,
}

/// Decides the fate of one line's packets.
#[derive(Clone, Debug)]
pub(crate) struct Impairer {
    impairments: Impairments,
    random: Random,
    /// Where outages begin, in millionths of the recording, the next one last.
    outages: Vec<u32>,
    /// Packets of the current outage still to lose.
    left: u32,
}

impl Impairer {
    /// For the line with this number.
    pub(crate) fn new(impairments: Impairments, line: usize) -> Self {
        let salt = (line as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Random::new(impairments.seed ^ salt);
        // One in each of so many equal parts of the recording.
        let count = u64::from(impairments.outages.min(100_000));
        let part = 1_000_000 / count.max(1);
        let mut outages: Vec<u32> = (0..count)
            .map(|outage| u32::try_from(outage * part + random.below(part.max(1))).unwrap_or(0))
            .collect();
        outages.reverse();
        Self { impairments, random, outages, left: 0 }
    }

    /// The fate of the next packet, of which the first message stands at so many millionths of the
    /// recording.
    pub(crate) fn fate(&mut self, progress: u32) -> Fate {
        if self.left > 0 {
            self.left -= 1;
            return Fate::Outage { begins: false };
        }
        if self.outages.last().is_some_and(|&begin| begin <= progress) {
            self.outages.pop();
            self.left = 19 + self.random.below32(201);
            return Fate::Outage { begins: true };
        }
        let Impairments { loss, duplicate, reorder, .. } = self.impairments;
        if loss.millionths + duplicate.millionths + reorder.millionths == 0 {
            return Fate::Sent;
        }
        let mut at = self.random.below32(1_000_000);
        for (share, fate) in [(loss, Fate::Lost), (duplicate, Fate::Doubled), (reorder, Fate::Late)]
        {
            if at < share.millionths {
                return fate;
            }
            at -= share.millionths;
        }
        Fate::Sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        text.parse().expect(text)
    }

    #[test]
    fn shares_are_read() {
        for (text, millionths) in [("0", 0), ("1", 1_000_000), ("0.02", 20_000), ("0.000001", 1)] {
            assert_eq!(share(text).millionths, millionths);
        }
        for text in ["", "-0.1", "1.000001", "0.0000001", "2", "5%", "1e-3", "."] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    fn fates(impairments: Impairments, line: usize) -> Vec<Fate> {
        let mut impairer = Impairer::new(impairments, line);
        (0..100_000_u32).map(|packet| impairer.fate(packet * 10)).collect()
    }

    #[test]
    fn fates_have_their_shares_and_follow_from_the_seed() {
        let impairments = Impairments {
            loss: share("0.02"),
            duplicate: share("0.01"),
            reorder: share("0.005"),
            outages: 5,
            seed: 3,
        };
        let all = fates(impairments, 0);
        let count = |wanted: Fate| all.iter().filter(|&&fate| fate == wanted).count();
        assert!((1_800..2_200).contains(&count(Fate::Lost)));
        assert!((850..1_150).contains(&count(Fate::Doubled)));
        assert!((400..600).contains(&count(Fate::Late)));
        assert_eq!(count(Fate::Outage { begins: true }), 5);
        let outage = count(Fate::Outage { begins: false });
        assert!((5 * 19..5 * 220).contains(&outage), "{outage}");
        assert_eq!(all, fates(impairments, 0));
        assert_ne!(all, fates(impairments, 1), "lines differ");
        assert_ne!(all, fates(Impairments { seed: 4, ..impairments }, 0));
    }

    #[test]
    fn without_impairments_everything_is_sent() {
        let all = fates(Impairments::default(), 0);
        assert!(all.iter().all(|&fate| fate == Fate::Sent));
        let none = Impairments { loss: share("1"), ..Impairments::default() };
        assert!(fates(none, 0).iter().all(|&fate| fate == Fate::Lost));
    }
}
