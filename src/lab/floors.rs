//! What nothing can be faster than: a ring there and back between two cores, and one reading of the clock.

use rtrb::RingBuffer;
use spindle_engine::event::Event;
use spindle_lab::load::{Ticks, Time};
use spindle_lab::recorder::histogram;
use spindle_lab::stats::{Figure, Percentiles};

use super::LabError;
use super::side::Started;
use crate::runner::{Layout, Stop, spawn};

/// Trips of one round, and rounds.
const TRIPS: usize = 20_000;
const ROUNDS: usize = 5;

/// One message of the size of what travels between gateway and engine.
type Load = [u64; size_of::<Event>() / 8];

/// A ring there and back: p50 and p99 over the rounds, in nanoseconds. Run on the thread that talks to the engine.
pub(super) fn ring(layout: &Layout) -> Result<(Figure, Figure), LabError> {
    let (mut there, mut there_out) = RingBuffer::<Load>::new(1_024);
    let (mut back_in, mut back) = RingBuffer::<Load>::new(1_024);
    let stop = Stop::default();
    let flag = stop.clone();
    let started = Started::default();
    let says = started.clone();
    let thread = spawn("ring", layout.engine, move || {
        says.say();
        while !flag.is_stopped() {
            match there_out.pop() {
                Ok(load) => {
                    let _ = back_in.push(load);
                }
                Err(_) => std::hint::spin_loop(),
            }
        }
    })
    .map_err(|error| LabError::Thread(error.to_string()))?;
    started.wait()?;
    let mut time = Ticks::new();
    let (mut medians, mut tails) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let mut trips = histogram();
        for _ in 0..TRIPS {
            let begin = time.now();
            let mut load = [0; size_of::<Event>() / 8];
            load[0] = begin;
            let _ = there.push(load);
            while back.pop().is_err() {
                std::hint::spin_loop();
            }
            trips.saturating_record((time.now() - begin).max(1));
        }
        // The first round warms up.
        if round > 0 {
            let percentiles = Percentiles::of(&trips);
            medians.push(percentiles.p50);
            tails.push(percentiles.p99);
        }
    }
    stop.stop();
    let _ = thread.join();
    Ok((Figure::of_whole("ns", medians), Figure::of_whole("ns", tails)))
}

/// One reading of the clock with its conversion, as the mean of many, in nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "a mean of some nanoseconds")]
pub(super) fn clock_read() -> Figure {
    const READS: u32 = 200_000;
    let mut time = Ticks::new();
    let rounds = (0..ROUNDS).map(|_| {
        let begin = time.now();
        for _ in 0..READS {
            std::hint::black_box(time.now());
        }
        (time.now() - begin) as f64 / f64::from(READS)
    });
    Figure::of("ns", rounds.collect())
}
