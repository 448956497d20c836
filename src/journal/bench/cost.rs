//! What recording costs the engine's thread.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quanta::Clock;
use rtrb::{Consumer, RingBuffer};
use serde::Serialize;
use spindle_engine::agent::{EngineAgent, MarketFeed, MarketSink, TimeSource};
use spindle_engine::event::Event;
use spindle_engine::tap::{EngineTap, Progress, TapReader, tap};
use spindle_feed::moldudp64;
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_types::{Agent, EventTime, ReceiveTime, Sequence};

use super::commit::{Rig, config, order, rig};
use super::{BenchError, day, said};
use crate::machine::Rings;
use crate::venue::engine_of;

/// What recording costs the engine's thread, for an order and for a message of the market.
#[derive(Clone, Debug, Serialize)]
pub struct Recording {
    /// An order that finds nothing, from ring to ring.
    pub orders: Cost,
    /// A message of a synthetic market, in packets of 32.
    pub messages: Cost,
}

/// What recording costs for one input.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Nanoseconds without a journal: the median of rounds in turn.
    pub without_ns: f64,
    /// With one.
    pub with_ns: f64,
    /// How much that is more, in percent: the median over the rounds, and its quartiles.
    pub percent: [f64; 3],
}

/// Inputs of a round.
const ROUND: usize = 16_384;

/// Rounds of each.
const ROUNDS: usize = 31;

/// Messages of a packet.
const PACKET: usize = 32;

/// Instruments of the market.
const SYMBOLS: u16 = 200;

/// One thread does what the engine's thread does, with and without a journal in turn; another empties the ring to the journal.
///
/// # Errors
/// The bench's own configuration is wrong.
pub fn cost() -> Result<Recording, BenchError> {
    Ok(Recording { orders: orders()?, messages: messages()? })
}

/// Takes rounds of both in turn; the first warms up.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn compare(without: &mut dyn FnMut() -> Duration, with: &mut dyn FnMut() -> Duration) -> Cost {
    let (mut plain, mut recorded, mut percent) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let [first, second] = [without(), with()].map(|took| took.as_secs_f64() * 1e9);
        if round > 0 {
            plain.push(first / ROUND as f64);
            recorded.push(second / ROUND as f64);
            percent.push((second / first - 1.0) * 100.0);
        }
    }
    let at = |values: &mut Vec<f64>, part: usize| {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() * part / 4]
    };
    Cost {
        without_ns: at(&mut plain, 2),
        with_ns: at(&mut recorded, 2),
        percent: [1, 2, 3].map(|part| at(&mut percent, part)),
    }
}

/// Does something while another thread reads what is recorded.
fn beside<T>(mut reader: TapReader, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut payload = Vec::new();
            while !stop.load(Ordering::Acquire) {
                if reader.take(&mut payload).is_none() {
                    std::hint::spin_loop();
                }
            }
        });
        let done = work();
        stop.store(true, Ordering::Release);
        done
    })
}

fn orders() -> Result<Cost, BenchError> {
    let config = config(Path::new("none"))?;
    let (mut without, mut with) = (rig(&config)?, rig(&config)?);
    let progress = Arc::<Progress>::default();
    let (hot, reader) = tap(Rings::default().engine_journal_bytes, &progress);
    with.agent.record(EngineTap::new(hot, 0));
    let (mut token, mut other) = (0, 0);
    Ok(beside(reader, || {
        compare(&mut || round_of_orders(&mut without, &mut token), &mut || {
            round_of_orders(&mut with, &mut other)
        })
    }))
}

fn round_of_orders(rig: &mut Rig, token: &mut u32) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..ROUND / 1_024 {
        for _ in 0..1_024 {
            *token += 1;
            let _ = rig.commands.push(order(*token, 0));
        }
        let begun = Instant::now();
        while rig.agent.poll() > 0 {}
        took += begun.elapsed();
        while rig.events.pop().is_ok() {}
    }
    took
}

/// Packets of a synthetic market, one for each poll.
struct Packets {
    market: Generator,
    /// Of this round, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    next: usize,
    sequence: u64,
}

impl Packets {
    fn new(rounds: usize) -> Result<Self, BenchError> {
        let messages = (ROUND * rounds) as u64;
        let market = Generator::new(GenerateConfig::new(messages, SYMBOLS, 7).map_err(said)?);
        Ok(Self { market, bytes: Vec::new(), ends: Vec::new(), next: 0, sequence: 0 })
    }

    /// The packets of the next round.
    fn make(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.next = 0;
        for number in 0..ROUND {
            if number % PACKET == 0 {
                self.bytes.extend([0; moldudp64::HEADER_LENGTH]);
            }
            let Some(message) = self.market.next_message() else { break };
            let length = u16::try_from(message.len()).unwrap_or(0);
            self.bytes.extend(length.to_be_bytes());
            self.bytes.extend_from_slice(message);
            if number % PACKET == PACKET - 1 {
                self.ends.push(self.bytes.len());
            }
        }
    }
}

impl MarketFeed for Packets {
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize {
        let Some(end) = self.ends.get(self.next) else { return 0 };
        let begin = self.next.checked_sub(1).map_or(0, |before| self.ends[before]);
        let packet = &self.bytes[begin..*end];
        self.next += 1;
        sink.packet(ReceiveTime(0), packet);
        for message in moldudp64::blocks(packet) {
            self.sequence += 1;
            sink.message(Sequence(self.sequence), message);
        }
        1
    }
}

struct MarketRig {
    agent: EngineAgent<Packets>,
    events: Consumer<Event>,
}

fn market_rig() -> Result<MarketRig, BenchError> {
    let engine = engine_of(&day::config(Path::new("none"))?);
    let (_, commands) = RingBuffer::new(64);
    let (events_in, events) = RingBuffer::new(16_384);
    let time = TimeSource::Wall { ticks: Clock::new().raw(), time: EventTime(1) };
    let packets = Packets::new(ROUNDS + 1)?;
    let agent = EngineAgent::new(engine, packets, commands, events_in, time, false);
    Ok(MarketRig { agent, events })
}

fn messages() -> Result<Cost, BenchError> {
    let (mut without, mut with) = (market_rig()?, market_rig()?);
    let progress = Arc::<Progress>::default();
    let (hot, reader) = tap(Rings::default().engine_journal_bytes, &progress);
    with.agent.record(EngineTap::new(hot, 0));
    Ok(beside(reader, || {
        compare(&mut || round_of_messages(&mut without), &mut || round_of_messages(&mut with))
    }))
}

fn round_of_messages(rig: &mut MarketRig) -> Duration {
    rig.agent.feed_mut().make();
    let begun = Instant::now();
    while rig.agent.poll() > 0 {}
    let took = begun.elapsed();
    while rig.events.pop().is_ok() {}
    took
}
