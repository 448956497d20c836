//! Whether a generated day holds what it promises, as an independent checker sees it.

mod day;

use day::Day;
use spindle_replay::generate::{GenerateConfig, GenerateError, Generator};

fn generate(messages: u64, symbols: u16, seed: u64) -> Generator {
    Generator::new(GenerateConfig::new(messages, symbols, seed).expect("a day"))
}

fn check(messages: u64, symbols: u16, seed: u64) -> Day {
    let mut generator = generate(messages, symbols, seed);
    let mut day = Day::default();
    let mut count = 0;
    while let Some(message) = generator.next_message() {
        day.message(message);
        count += 1;
    }
    day.finish();
    assert_eq!(count, messages);
    assert_eq!(day.live_orders(), generator.live_orders());
    day
}

#[test]
fn days_of_all_sizes_are_valid() {
    for seed in 0..6 {
        check(11, 1, seed);
        check(12, 1, seed);
        check(200, 1, seed);
        check(1_000, 10, seed);
        check(1_006, 200, seed);
        check(30_000, 500, seed);
    }
    check(100_000, 3, 99);
    check(100_000, 8_000, 99);
    check(330_000, 65_535, 99);
}

/// The size at which books are measured. Too long for every run: `cargo test --release -- --ignored`.
#[test]
#[ignore = "takes half a minute in a release build"]
fn a_day_of_ten_million_messages_is_valid() {
    let day = check(10_000_000, 8_000, 1);
    assert!((380_000..460_000).contains(&day.live_peak), "{}", day.live_peak);
}

#[test]
fn the_mix_is_that_of_a_real_day() {
    let day = check(300_000, 300, 1);
    let share = |kind: u8| day.counts.get(&kind).copied().unwrap_or(0) * 1_000_000 / 300_000;
    // Millionths of all messages in a real day; each may differ by 1 % of itself plus 300.
    for (kind, wanted) in [
        (b'A', 435_899),
        (b'D', 425_537),
        (b'U', 80_519),
        (b'E', 21_295),
        (b'I', 14_975),
        (b'X', 10_373),
        (b'F', 5_529),
        (b'P', 4_534),
        (b'L', 801),
        (b'C', 372),
    ] {
        let off = share(kind).abs_diff(wanted);
        assert!(off < wanted / 100 + 300, "{}: {} for {wanted}", char::from(kind), share(kind));
    }
    assert_eq!(day.counts[&b'Q'], 600);
    for kind in [b'R', b'H', b'Y'] {
        assert_eq!(day.counts[&kind], 300);
    }
}

#[test]
fn lives_depths_activity_and_burst_follow_a_real_day() {
    let mut day = check(1_000_000, 1_000, 7);
    day.lives.sort_unstable();
    let median = day.lives[day.lives.len() / 2];
    let ninth = day.lives[day.lives.len() / 10 * 9];
    assert!((300_000_000..2_000_000_000).contains(&median), "median life {median} ns");
    assert!(ninth > 10_000_000_000, "a long tail: {ninth} ns");

    let [all, best, near] = day.depths;
    assert!((45..=55).contains(&(best * 100 / all)), "{best} of {all} at the best level");
    assert!((88..=96).contains(&(near * 100 / all)), "{near} of {all} within three levels");

    let busiest = day.by_locate.iter().filter(|(locate, _)| **locate != 0).map(|(_, n)| *n).max();
    assert!(busiest > Some(20 * 1_000_000 / 1_000), "{busiest:?}");

    assert!((2_000..6_000).contains(&day.first_second), "{} in the burst", day.first_second);
    let head = &mut day.first_gaps[1..500];
    head.sort_unstable();
    let at_half = head[250];
    assert!((800..2_000).contains(&at_half), "median gap after the open {at_half} ns");
}

#[test]
fn live_orders_rise_and_most_are_gone_in_the_end() {
    let day = check(1_000_000, 1_000, 8);
    assert!((38_000..46_000).contains(&day.live_peak), "{}", day.live_peak);
    assert!((1_000..10_000).contains(&day.live_orders()), "{}", day.live_orders());
    let sparse = day.highest_reference() * 10 / day.references;
    assert!((35..45).contains(&sparse), "references {sparse} tenths sparser");
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let bytes = |messages, symbols, seed| {
        let mut bytes = Vec::new();
        let written =
            generate(messages, symbols, seed).write_to(&mut bytes, |_| ()).expect("memory");
        assert_eq!(written, bytes.len() as u64);
        bytes
    };
    let day = bytes(20_000, 50, 42);
    assert_eq!(day, bytes(20_000, 50, 42));
    assert_ne!(day, bytes(20_000, 50, 43));
    assert_eq!(
        (day.len(), fnv(&day)),
        (614_966, 16_130_930_732_915_829_021),
        "golden hash of the day"
    );
}

/// FNV-1a with 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn impossible_days_are_refused_with_the_reason() {
    assert_eq!(GenerateConfig::new(100, 0, 1), Err(GenerateError::NoSymbols));
    let error = GenerateConfig::new(100, 100, 1).expect_err("too few");
    assert_eq!(
        error.to_string(),
        "100 messages are too few for 100 symbols: the day's frame alone (system events, \
         directory, states and crosses of each symbol) has 506"
    );
    assert!(GenerateConfig::new(506, 100, 1).is_ok());
    assert!(GenerateConfig::new(u64::MAX, 100, 1).is_err());
}
