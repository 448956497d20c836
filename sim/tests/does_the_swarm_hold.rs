//! Seeds of the simulator. More of them: `SPINDLE_SEEDS=10000`, or the program `spindle-sim`, which is faster.

use spindle_sim::run::run;

fn seeds() -> u64 {
    std::env::var("SPINDLE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(150)
}

#[test]
fn every_seed_holds() {
    for seed in 0..seeds() {
        if let Err(why) = run(seed, false) {
            panic!("seed {seed}: {why}; again: cargo run -p spindle-sim -- --seed {seed} --trace");
        }
    }
}

#[test]
fn a_seed_goes_the_same_way_every_time() {
    for seed in (0..seeds()).step_by(10) {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}
