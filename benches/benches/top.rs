//! What does it cost to write and to read a top of book? The product's cell beside what it was
//! chosen over: a mutex around the same struct, and one 128-bit atomic, which has room for both
//! prices and 32-bit sizes but neither state, sequence nor time.
//!
//! "Contended" means that a thread on the other core does the opposite to the same cell without
//! pause, or (for reads) writes once in a few hundred nanoseconds.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use portable_atomic::AtomicU128;
use spindle_feed::top::{TopOfBook, TopReader, TopState, TopWriter, top_table};
use spindle_types::{EventTime, InstrumentId, Price, Sequence};

const INSTRUMENTS: u16 = 8_000;

fn top(seed: u64) -> TopOfBook {
    #[allow(clippy::cast_possible_truncation, reason = "any price will do")]
    let price = Price(seed as u32);
    TopOfBook {
        bid_price: price,
        bid_size: seed,
        ask_price: price,
        ask_size: seed,
        state: TopState::Good,
        sequence: Sequence(seed),
        time: EventTime(seed),
    }
}

/// Whatever has a top of book for each instrument.
trait Table: Clone + Send + 'static {
    fn new() -> Self;
    fn write(&mut self, instrument: u16, seed: u64);
    fn read(&self, instrument: u16) -> u64;
}

/// The product's own. A clone has the reader alone, because there is one writer.
struct Cells {
    writer: Option<TopWriter>,
    reader: TopReader,
}

impl Clone for Cells {
    fn clone(&self) -> Self {
        Self { writer: None, reader: self.reader.clone() }
    }
}

impl Table for Cells {
    fn new() -> Self {
        let (writer, reader) = top_table(INSTRUMENTS.into());
        Self { writer: Some(writer), reader }
    }

    #[inline]
    fn write(&mut self, instrument: u16, seed: u64) {
        if let Some(writer) = &mut self.writer {
            writer.write(InstrumentId(instrument), &top(seed));
        }
    }

    #[inline]
    fn read(&self, instrument: u16) -> u64 {
        self.reader.read(InstrumentId(instrument)).sequence.0
    }
}

#[derive(Clone)]
struct Locked(Arc<[Mutex<TopOfBook>]>);

impl Table for Locked {
    fn new() -> Self {
        Self((0..INSTRUMENTS).map(|_| Mutex::new(TopOfBook::EMPTY)).collect())
    }

    #[inline]
    fn write(&mut self, instrument: u16, seed: u64) {
        if let Ok(mut cell) = self.0[usize::from(instrument)].lock() {
            *cell = top(seed);
        }
    }

    #[inline]
    fn read(&self, instrument: u16) -> u64 {
        self.0[usize::from(instrument)].lock().map_or(0, |cell| cell.sequence.0)
    }
}

/// Each on a cache line of its own, as the product's cells are.
#[repr(align(64))]
struct Line(AtomicU128);

#[derive(Clone)]
struct Packed(Arc<[Line]>);

impl Table for Packed {
    fn new() -> Self {
        Self((0..INSTRUMENTS).map(|_| Line(AtomicU128::new(0))).collect())
    }

    #[inline]
    fn write(&mut self, instrument: u16, seed: u64) {
        let word = u128::from(seed) << 64 | u128::from(seed);
        self.0[usize::from(instrument)].0.store(word, Ordering::Release);
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "half of it is enough")]
    fn read(&self, instrument: u16) -> u64 {
        self.0[usize::from(instrument)].0.load(Ordering::Acquire) as u64
    }
}

/// Visits instruments in an order that no prefetcher guesses.
fn next(instrument: u16) -> u16 {
    #[allow(clippy::cast_possible_truncation, reason = "less than the number of instruments")]
    let next = ((u32::from(instrument) * 2_741 + 1_013) % u32::from(INSTRUMENTS)) as u16;
    next
}

fn measure<T: Table>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    let mut table = T::new();
    let mut seed = 0;
    group.bench_function(format!("{name}/write one"), |bencher| {
        bencher.iter(|| {
            seed += 1;
            table.write(7, black_box(seed));
        });
    });
    let mut at = 0;
    group.bench_function(format!("{name}/write 8,000"), |bencher| {
        bencher.iter(|| {
            seed += 1;
            at = next(at);
            table.write(at, black_box(seed));
        });
    });
    group.bench_function(format!("{name}/read one"), |bencher| {
        bencher.iter(|| table.read(black_box(7)));
    });
    group.bench_function(format!("{name}/read 8,000"), |bencher| {
        bencher.iter(|| {
            at = next(at);
            table.read(at)
        });
    });
    contended_write(group, name, &mut table);
    contended_read::<T>(group, name);
}

fn contended_write<T: Table>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, table: &mut T) {
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (table, stop) = (table.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                black_box(table.read(7));
            }
        })
    };
    let mut seed = 0;
    group.bench_function(format!("{name}/write, contended"), |bencher| {
        bencher.iter(|| {
            seed += 1;
            table.write(7, black_box(seed));
        });
    });
    stop.store(true, Ordering::Relaxed);
    if reader.join().is_err() {
        eprintln!("the reader panicked");
    }
}

/// The writer of the table reads beside a thread that writes: the roles turned round.
fn contended_read<T: Table>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
    let mut writer = T::new();
    let table = writer.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writer = thread::spawn(move || {
        let mut seed = 0;
        while !stopped.load(Ordering::Relaxed) {
            seed += 1;
            writer.write(7, seed);
            // A book's top changes every few hundred nanoseconds at the most.
            for _ in 0..100 {
                std::hint::spin_loop();
            }
        }
    });
    group.bench_function(format!("{name}/read, contended"), |bencher| {
        bencher.iter(|| table.read(black_box(7)));
    });
    stop.store(true, Ordering::Relaxed);
    if writer.join().is_err() {
        eprintln!("the writer panicked");
    }
}

fn tops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("top");
    measure::<Cells>(&mut group, "cell");
    measure::<Locked>(&mut group, "mutex");
    measure::<Packed>(&mut group, "128 bits");
    group.finish();
}

criterion_group!(benches, tops);
criterion_main!(benches);
