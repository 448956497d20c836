//! A fuzzer for machines without one: a corpus, and a bounded number of random mutations of it from
//! a seed. `SPINDLE_MUTATIONS` sets how many for each target, `SPINDLE_SEED` the seed.

#![allow(clippy::cast_possible_truncation, reason = "numbers here are small")]

/// Splitmix64.
struct Random(u64);

impl Random {
    /// Below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs a target over the corpus, and over mutations of its entries, each of `bytes_max` at most.
pub fn run(name: &str, target: fn(&[u8]), corpus: &[Vec<u8>], default: u64, bytes_max: usize) {
    let (count, seed) = (number("SPINDLE_MUTATIONS", default), number("SPINDLE_SEED", 1));
    println!("{name}: SPINDLE_MUTATIONS={count} SPINDLE_SEED={seed}");
    for entry in corpus {
        target(entry);
    }
    let mut random = Random(seed);
    for _ in 0..count {
        let mut data = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            let other = random.below(corpus.len());
            mutate(&mut data, &corpus[other], &mut random);
        }
        data.truncate(bytes_max);
        target(&data);
    }
}

fn mutate(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(data.len() + 1);
    let byte = random.below(256) as u8;
    match random.below(7) {
        0 if at < data.len() => data[at] ^= 1 << (byte & 7),
        1 if at < data.len() => data[at] = byte,
        2 => data.truncate(at),
        3 => data.insert(at, byte),
        4 if at < data.len() => drop(data.remove(at)),
        5 => data.truncate(at + other.len().min(at)),
        _ => {
            let from = random.below(other.len() + 1);
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
    }
}
