//! Lines that nobody would write: the scenarios with bytes changed, cut and doubled. Whatever comes,
//! each line is answered or done, twin and engine say the same, and nothing panics.

use std::fs;
use std::path::Path;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spindle_scenario::{Size, Twin, Venue, run};

const ROUNDS: u64 = 100;
const SIZE: Size = Size { instruments: 4, accounts: 32, orders: 64 };

/// Texts that turn up where numbers and names were.
const STRANGE: [&str; 16] = [
    "0",
    "-1",
    "1e400",
    "1e-400",
    "18446744073709551616",
    "4294967296",
    "2147483648",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "0.00001",
    "\"NaN\"",
    "9223372036854775807",
    "-0",
];

fn spoil(lines: &mut Vec<Vec<u8>>, chance: &mut Xoshiro256PlusPlus) {
    let mut below = |end: usize| usize::try_from(chance.next_u64() % end as u64).expect("small");
    let at = below(lines.len());
    let line = &mut lines[at];
    if line.is_empty() {
        return;
    }
    let place = below(line.len());
    match below(5) {
        0 => line[place] = u8::try_from(below(256)).expect("a byte"),
        1 => line.truncate(place),
        2 => {
            // Another value behind a colon.
            let colons: Vec<_> = (0..line.len()).filter(|&at| line[at] == b':').collect();
            if !colons.is_empty() {
                let colon = colons[below(colons.len())];
                let rest = &line[colon + 1..];
                let end = rest.iter().position(|byte| b",}".contains(byte)).unwrap_or(rest.len());
                let strange = STRANGE[below(STRANGE.len())].bytes();
                line.splice(colon + 1..colon + 1 + end, strange);
            }
        }
        3 => {
            let other = below(lines.len());
            lines.swap(at, other);
        }
        _ => {
            let again = lines[at].clone();
            lines.push(again);
        }
    }
}

#[test]
fn spoilt_scenarios_are_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut chance = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut errors = 0;
    let mut runs = 0;
    for entry in fs::read_dir(folder).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let text = fs::read(&path).expect("a scenario");
        for _ in 0..ROUNDS {
            let mut lines: Vec<_> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            for _ in 0..4 {
                spoil(&mut lines, &mut chance);
            }
            let spoilt = lines.join(&b'\n');
            let mut output = Vec::new();
            errors += run(&*spoilt, &mut output, &mut Venue::new(SIZE)).expect("a run");
            let mut twin = Vec::new();
            run(&*spoilt, &mut twin, &mut Twin::new()).expect("a run");
            // The twin has room for everything.
            let text = String::from_utf8_lossy(&output).into_owned();
            let is_full = text.contains("\"reason\":\"capacity\"");
            assert!(
                is_full || output == twin,
                "{}\ntwin:\n{}engine:\n{text}",
                String::from_utf8_lossy(&spoilt),
                String::from_utf8_lossy(&twin),
            );
            for line in output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                serde_json::from_slice::<serde_json::Value>(line).expect("an answer is JSON");
            }
            runs += 1;
        }
    }
    println!("{runs} spoilt scenarios, {errors} lines were no operation");
    assert!(errors > runs / 4, "only {errors} errors in {runs} runs: too little was spoilt");
}
