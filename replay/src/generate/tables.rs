//! The distributions, as integer tables. Where a figure is from is in `docs/generate.md`.

use crate::random::Random;

/// Gaps between messages in 1/1,024 of their mean: at so many 1,024ths, so much, straight lines
/// between. 12 % have none; the median is about half the mean, the 99th percentile about 5.5 times.
const GAPS: [(u64, u64); 5] = [(123, 0), (512, 540), (922, 1_950), (1014, 5_600), (1024, 12_000)];

/// Ages at which an order is cancelled or replaced, in nanoseconds, at every 32nd of the orders: a
/// tenth within a millisecond, half within 0.56 s, a tenth after 45 s and up to 6 hours.
const AGES: [u64; 33] = [
    20_000,
    74_137,
    274_819,
    1_018_720,
    1_795_210,
    2_844_724,
    4_507_802,
    7_143_148,
    14_148_957,
    22_420_702,
    35_528_262,
    56_298_747,
    89_212_043,
    141_367_067,
    224_012_890,
    354_975_000,
    562_500_000,
    750_094_047,
    1_000_250_811,
    1_333_834_988,
    1_778_669_666,
    2_371_856_943,
    3_162_872_493,
    4_217_692_151,
    5_624_294_722,
    6_000_000_000,
    10_178_306_301,
    17_266_319_860,
    29_290_315_372,
    58_932_794_160,
    248_386_392_497,
    1_046_884_011_799,
    21_600_000_000_000,
];

/// Order sizes, each with its share in 1,024.
const SIZES: [(u64, u32); 6] =
    [(625, 100), (102, 200), (72, 500), (61, 1_000), (51, 300), (31, 400)];

/// A gap with the given mean, in nanoseconds.
pub(crate) fn gap(random: &mut Random, mean: u64) -> u64 {
    let at = random.below(1024);
    let (mut from, mut low) = (0, 0);
    for (to, high) in GAPS {
        if at < to {
            let parts = low + (high - low) * (at - from) / (to - from);
            return mean.saturating_mul(parts) / 1024;
        }
        (from, low) = (to, high);
    }
    0
}

/// The age of an order that goes.
pub(crate) fn age(random: &mut Random) -> u64 {
    let at = random.index(AGES.len() - 1);
    AGES[at] + random.below(AGES[at + 1] - AGES[at])
}

/// The size of an order, at least 1.
pub(crate) fn size(random: &mut Random) -> u32 {
    let mut at = random.below(1024);
    for (share, size) in SIZES {
        if at < share {
            return size;
        }
        at -= share;
    }
    if at.is_multiple_of(2) { 1 + random.below32(99) } else { 100 * (6 + random.below32(45)) }
}

/// How many ticks behind the best price of its side an order is placed: 0 in about 36 of 100, at
/// most 2 in 92, then ever thinner to some hundred.
pub(crate) fn ticks_behind(random: &mut Random) -> u32 {
    match random.below32(1024) {
        0..370 => 0,
        370..690 => 1,
        690..942 => 2,
        942..990 => 3 + random.below32(5),
        990..1015 => 8 + random.below32(24),
        _ => 32 + random.below32(160),
    }
}

/// The opening price of an instrument in ticks of a cent: 2 to 512 dollars, as many between 2 and 4
/// as between 256 and 512.
pub(crate) fn opening_ticks(random: &mut Random) -> u32 {
    let floor = 200 << random.below32(8);
    floor + random.below32(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_have_the_mean_they_are_asked_for() {
        let mut random = Random::new(3);
        let mut gaps: Vec<u64> = (0..100_000).map(|_| gap(&mut random, 1_000_000)).collect();
        let mean = gaps.iter().sum::<u64>() / 100_000;
        assert!((980_000..1_030_000).contains(&mean), "{mean}");
        gaps.sort_unstable();
        assert_eq!(gaps[11_000], 0);
        assert!((450_000..600_000).contains(&gaps[50_000]), "{}", gaps[50_000]);
    }

    #[test]
    fn half_of_the_ages_lie_below_0_7_seconds() {
        assert!(AGES.is_sorted());
        let mut random = Random::new(3);
        let mut ages: Vec<u64> = (0..10_000).map(|_| age(&mut random)).collect();
        ages.sort_unstable();
        assert!((450_000_000..700_000_000).contains(&ages[5_000]), "{}", ages[5_000]);
    }

    #[test]
    fn most_sizes_are_one_lot() {
        let mut random = Random::new(3);
        let sizes: Vec<u32> = (0..10_000).map(|_| size(&mut random)).collect();
        let lots = sizes.iter().filter(|&&size| size == 100).count();
        assert!((5_800..6_400).contains(&lots), "{lots}");
        assert!(sizes.iter().all(|&size| size > 0));
    }
}
