//! What `benches/whole_day.rs` measures, in small: that the books are right afterwards.

use spindle_benches::shape::{Batch, Crash, Population};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_risk::Gate;
use spindle_types::Side;

#[test]
fn a_population_is_kept_and_every_level_sums_up() {
    let capacity = Capacity { instruments: 31, orders: 6_100, levels: 4_000 };
    let first_number = EngineConfig::BESIDE_A_FEED;
    let config = EngineConfig { capacity, own_orders: 0, first_number };
    let (mut engine, _tops) = Engine::new(&config, Gate::new(0));
    let mut population = Population::new(7, 30, 6_000);
    let (mut batch, mut sequence) = (Batch::default(), 1);
    population.directory(&mut batch);
    while !batch.is_empty() {
        batch.apply(&mut engine, sequence);
        sequence += batch.len() as u64;
        population.grow(&mut batch, 1_000);
    }
    assert_eq!(population.live(), 6_000);
    for _ in 0..60 {
        population.keep(&mut batch, 1_000);
        batch.apply(&mut engine, sequence);
        sequence += batch.len() as u64;
        assert_eq!(population.check(&engine), Ok(()));
        assert!(population.live().abs_diff(6_000) < 100, "{} live", population.live());
    }
}

#[test]
fn a_price_walks_through_a_deep_book_and_back() {
    const TICKS: u32 = 3_000;
    const ORDERS: u32 = 3;
    let mut crash = Crash::new(TICKS, ORDERS);
    for side in [Side::Buy, Side::Sell] {
        for depth in 0..TICKS {
            crash.come_and_go(side, depth);
        }
        assert_eq!(crash.check(side, 0), Ok(()));
        for from in (0..TICKS).step_by(500) {
            crash.execute(side, from, from + 500);
            assert_eq!(crash.check(side, from + 500), Ok(()));
        }
        for depth in (0..TICKS).rev() {
            crash.fill(side, depth, depth + 1);
        }
        assert_eq!(crash.check(side, 0), Ok(()));
        let mut trades = 0;
        for from in (0..TICKS).step_by(100) {
            trades += crash.sweep(side, from, from + 100);
            assert_eq!(crash.check(side, from + 100), Ok(()));
        }
        assert_eq!(trades, u64::from(TICKS * ORDERS));
    }
}
