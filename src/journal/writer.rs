//! The cold thread: takes what the engine and the gateway have recorded, brings both into one order, writes it in
//! groups and says how far it is safe.
//!
//! The order is one in which whatever follows from something stands behind it: a gateway's record that was made
//! after it had been told an event stands behind the input that caused the event, and a command that the engine took stands
//! behind the message of the client that it was made of. So every front part of a journal is a state that the venue could have
//! been in.
//!
//! What a request asked comes from the gateway, when it was carried out from the engine: here both become one record.

use std::sync::Arc;

use hdrhistogram::Histogram;
use spindle_engine::command::Command;
use spindle_engine::input::kind;
use spindle_engine::tap::{Progress, TapReader, ring};
use spindle_journal::disk::Disk;
use spindle_journal::lock::DirectoryLock;
use spindle_journal::{Journal, JournalError};
use spindle_lab::recorder::histogram;
use spindle_types::Agent;

use super::passed::PassedOn;
use crate::config::{Durability, JournalConfig};
use crate::status::RingLevel;

/// Bytes that are written at once at most.
const GROUP_BYTES: usize = 1 << 20;

/// A pause after which a mark says that all is safe, in nanoseconds.
const PAUSE_NS: u64 = 50_000_000;

/// What a journal has done.
#[derive(Clone, Debug)]
pub struct JournalStats {
    /// Records written.
    pub records: u64,
    /// Groups made safe.
    pub commits: u64,
    /// How long each took, in nanoseconds.
    pub sync_ns: Histogram<u64>,
    /// The most records that were taken up and not safe.
    pub window_records: u64,
    /// The longest that one was, in nanoseconds.
    pub window_ns: u64,
}

/// Writes the journal.
pub struct JournalAgent {
    journal: Journal<Box<dyn Disk>>,
    _lock: Option<DirectoryLock>,
    engine: TapReader,
    gateway: TapReader,
    progress: Arc<Progress>,
    clock: quanta::Clock,
    /// How long a record may wait before it is made safe; 0: not at all.
    patience_ns: u64,
    payload: Vec<u8>,
    passed: PassedOn,
    /// Frames that were taken.
    taken: (u64, u64),
    /// The last event that follows from them.
    told: u64,
    /// When the oldest record that is not safe was taken up.
    since: Option<u64>,
    /// When the last group was made safe.
    idle_since: u64,
    last_time: u64,
    stats: JournalStats,
    /// How full the rings are, the engine's first.
    levels: [RingLevel; 2],
    error: Option<JournalError>,
}

impl JournalAgent {
    /// The writer of a journal that was opened.
    pub fn new(
        (journal, lock): (Journal<Box<dyn Disk>>, Option<DirectoryLock>),
        config: &JournalConfig,
        engine: TapReader,
        gateway: TapReader,
        progress: Arc<Progress>,
    ) -> Self {
        let patience_ns = match config.durability {
            Durability::Async => config.loss_window_ms * 1_000_000 / 4,
            Durability::Sync | Durability::Off => 0,
        };
        let levels = [
            RingLevel::new("engine to journal", engine.capacity()),
            RingLevel::new("gateway to journal", gateway.capacity()),
        ];
        Self {
            journal,
            _lock: lock,
            engine,
            gateway,
            progress,
            clock: quanta::Clock::new(),
            patience_ns,
            payload: Vec::with_capacity(1 << 16),
            passed: PassedOn::default(),
            taken: (0, 0),
            told: 0,
            since: None,
            idle_since: 0,
            last_time: 0,
            stats: JournalStats {
                records: 0,
                commits: 0,
                sync_ns: histogram(),
                window_records: 0,
                window_ns: 0,
            },
            levels,
            error: None,
        }
    }

    /// Takes its time from this clock: for whoever steps it by hand.
    pub fn set_clock(&mut self, clock: quanta::Clock) {
        self.clock = clock;
    }

    /// How many bytes wait in its rings, as it sees them before it writes.
    pub fn levels(&self) -> [RingLevel; 2] {
        self.levels.clone()
    }

    /// What it has done.
    pub const fn stats(&self) -> &JournalStats {
        &self.stats
    }

    /// Why it has stopped, if it has.
    pub const fn error(&self) -> Option<&JournalError> {
        self.error.as_ref()
    }

    /// How far it is, as the hot threads see it.
    pub const fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// The last event that was told before this run, and the requests that were passed on before it was recorded.
    pub fn begin_at(&mut self, told: u64, passed: &[Command]) {
        self.told = told;
        passed.iter().for_each(|command| self.passed.push_command(command));
    }

    fn now(&self) -> u64 {
        self.clock.delta_as_nanos(0, self.clock.raw())
    }

    /// Takes the next frame of the two that may be next; false where none is there.
    fn take(&mut self) -> Result<bool, JournalError> {
        // The engine's first: what it follows from at the gateway is then there to be seen.
        let engine = self.engine.peek();
        let gateway = self.gateway.peek();
        let is_engines = match (engine, gateway) {
            (None, None) => return Ok(false),
            // Its cause was not there a moment ago, and is now.
            (None, Some(gateway)) if gateway.told > self.told => return Ok(false),
            (None, Some(_)) => false,
            (Some(_), None) => true,
            (Some(engine), Some(gateway)) => {
                gateway.told > self.told || engine.passed <= gateway.passed
            }
        };
        let reader = if is_engines { &mut self.engine } else { &mut self.gateway };
        let Some(header) = reader.take(&mut self.payload) else {
            return Ok(false);
        };
        let payload = match header.kind {
            ring::PASSED => {
                self.passed.push(&self.payload);
                self.taken.1 += 1;
                return Ok(true);
            }
            // It was passed on before it was carried out, and is taken up before that.
            kind::COMMAND => {
                let fault = "a request was carried out that nobody had passed on";
                self.passed.pop().ok_or(JournalError::Inconsistent(fault))?
            }
            _ => &self.payload,
        };
        self.journal.append(header.kind, header.time, payload)?;
        self.last_time = header.time;
        if is_engines {
            self.taken.0 += 1;
            self.told = self.told.max(header.told);
        } else {
            self.taken.1 += 1;
        }
        self.stats.records += 1;
        Ok(true)
    }

    fn turn(&mut self) -> Result<usize, JournalError> {
        let mut taken = 0;
        while self.journal.waiting() < GROUP_BYTES && self.take()? {
            taken += 1;
        }
        let now = self.now();
        if taken > 0 && self.since.is_none() {
            self.since = Some(now);
            self.progress.set_waiting_since(now.max(1));
        }
        let Some(since) = self.since else {
            if now.saturating_sub(self.idle_since) >= PAUSE_NS {
                self.idle_since = now;
                self.journal.mark(self.last_time)?;
            }
            return Ok(0);
        };
        let is_over = self.engine.is_over() && self.gateway.is_over();
        let full = self.journal.waiting() >= GROUP_BYTES;
        if now.saturating_sub(since) >= self.patience_ns || full || is_over {
            self.commit(since)?;
        }
        Ok(taken)
    }

    fn commit(&mut self, since: u64) -> Result<(), JournalError> {
        let waiting = self.journal.last() - self.journal.durable();
        let begin = self.now();
        self.journal.commit()?;
        let end = self.now();
        self.stats.commits += 1;
        self.stats.sync_ns.saturating_record(end - begin);
        self.stats.window_records = self.stats.window_records.max(waiting);
        self.stats.window_ns = self.stats.window_ns.max(end - since);
        // What came meanwhile may wait since the sync began.
        self.since = None;
        self.idle_since = end;
        let more = self.engine.peek().is_some() || self.gateway.peek().is_some();
        if more {
            self.since = Some(begin);
        }
        self.progress.set_waiting_since(if more { begin.max(1) } else { 0 });
        self.progress.advance(self.taken.0, self.taken.1, self.told);
        Ok(())
    }

    /// Closes the journal, when nobody writes into it any more: with the state hash of the engine at the end.
    ///
    /// # Errors
    /// The system refuses, now or before.
    pub fn close(&mut self, state_hash: u64) -> Result<(), JournalError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let hash = state_hash.to_le_bytes();
        self.journal.append(super::RecordKind::STATE, self.last_time, &hash)?;
        self.journal.commit()?;
        self.journal.mark(self.last_time)
    }
}

impl Agent for JournalAgent {
    fn name(&self) -> &str {
        "journal"
    }

    fn poll(&mut self) -> usize {
        self.levels[0].set(self.engine.waiting());
        self.levels[1].set(self.gateway.waiting());
        self.turn().unwrap_or_else(|error| {
            // First of all: from here on nothing is told and nothing taken.
            self.progress.fail();
            self.error = Some(error);
            1
        })
    }

    fn is_done(&self) -> bool {
        self.error.is_some()
            || (self.since.is_none() && self.engine.is_over() && self.gateway.is_over())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicU64, Ordering};

    use spindle_engine::tap::{FrameHeader, RING_MIN, Tap, tap};
    use spindle_journal::disk::SimDisk;
    use spindle_journal::{Identity, Settings, Venue, read};

    use super::*;
    use crate::config::{DiskCalls, OldSegments};

    struct Bench {
        agent: JournalAgent,
        hot: Tap,
        progress: Arc<Progress>,
        time: Arc<quanta::Mock>,
        gateway: Tap,
        disk: SimDisk,
    }

    fn bench(durability: Durability) -> Bench {
        let shared = SimDisk::default();
        let mut disk: Box<dyn Disk> = Box::new(shared.clone());
        let nothing = read(&mut disk, None, &mut |_, _| ControlFlow::Continue(())).expect("empty");
        let identity = Identity { venue: Venue::named("V"), journal: 1 };
        let journal = Journal::open(disk, identity, Settings::default(), &nothing).expect("begun");
        let config = JournalConfig {
            directory: "none".into(),
            durability,
            loss_window_ms: 10,
            segment_bytes: Settings::default().segment_bytes,
            calls: DiskCalls::Plain,
            snapshot_inputs: 0,
            keep_snapshots: 1,
            old_segments: OldSegments::Keep,
        };
        let progress = Arc::<Progress>::default();
        let (hot, engine) = tap(RING_MIN, &progress);
        let (gateway_hot, gateway) = tap(RING_MIN, &progress);
        let mut agent =
            JournalAgent::new((journal, None), &config, engine, gateway, Arc::clone(&progress));
        let (clock, time) = quanta::Clock::mock();
        agent.clock = clock;
        Bench { agent, hot, progress, time, gateway: gateway_hot, disk: shared }
    }

    impl Bench {
        fn write(&mut self, told: u64) {
            let header = FrameHeader { length: 0, kind: 2, time: 1, told, passed: 0 };
            self.hot.write(&header, [b"input", &[]]);
        }
    }

    #[test]
    fn the_window_of_async_is_bounded_published_and_counted() {
        let mut bench = bench(Durability::Async);
        bench.time.increment(1_000_000_u64);
        (1..=3).for_each(|told| bench.write(told));
        bench.agent.poll();
        assert_eq!(bench.progress.waiting_since(), 1_000_000, "published with the first record");
        bench.time.increment(1_000_000_u64);
        (4..=5).for_each(|told| bench.write(told));
        bench.agent.poll();
        bench.time.increment(1_499_999_u64);
        bench.agent.poll();
        // A quarter of the window is not over.
        assert_eq!((bench.progress.engine(), bench.progress.events()), (0, 0));
        assert_eq!(bench.progress.waiting_since(), 1_000_000);
        bench.time.increment(1_u64);
        bench.agent.poll();
        assert_eq!((bench.progress.engine(), bench.progress.events()), (5, 5));
        assert_eq!(bench.progress.waiting_since(), 0);
        let stats = bench.agent.stats();
        assert_eq!((stats.records, stats.commits), (5, 1));
        assert_eq!((stats.window_records, stats.window_ns), (5, 2_500_000));
        assert!(bench.agent.error().is_none());
    }

    #[test]
    fn what_the_gateway_was_told_stands_behind_its_cause_however_late_that_is_seen() {
        let mut bench = bench(Durability::Sync);
        // On another thread the engine's frame may become visible between two looks: here it comes a turn later.
        let header = FrameHeader { length: 0, kind: 22, time: 1, told: 5, passed: 0 };
        bench.gateway.write(&header, [b"told", &[]]);
        bench.agent.poll();
        assert_eq!((bench.agent.stats().records, bench.progress.gateway()), (0, 0));
        bench.write(4);
        bench.agent.poll();
        assert_eq!((bench.agent.stats().records, bench.progress.gateway()), (1, 0));
        bench.write(5);
        bench.agent.poll();
        assert_eq!((bench.progress.engine(), bench.progress.gateway()), (2, 1));
        let mut kinds = Vec::new();
        let result = read(&mut bench.disk, None, &mut |_, record| {
            kinds.push(record.kind);
            ControlFlow::Continue(())
        });
        assert!(result.is_ok());
        assert_eq!(kinds, [2, 2, 22]);
    }

    #[test]
    fn nothing_counts_as_safe_while_its_sync_is_under_way() {
        let mut bench = bench(Durability::Sync);
        let (progress, looks) = (Arc::clone(&bench.progress), Arc::<AtomicU64>::default());
        let seen = Arc::clone(&looks);
        bench.disk.at_sync(move || {
            seen.fetch_add(1, Ordering::Relaxed);
            assert_eq!((progress.engine(), progress.events()), (0, 0));
        });
        bench.write(1);
        bench.agent.poll();
        assert_eq!((bench.progress.engine(), looks.load(Ordering::Relaxed)), (1, 1));
    }

    #[test]
    fn sync_waits_for_nothing() {
        let mut bench = bench(Durability::Sync);
        bench.write(1);
        bench.agent.poll();
        assert_eq!(bench.progress.events(), 1);
        assert_eq!(bench.agent.stats().window_ns, 0);
    }

    #[test]
    fn how_full_the_rings_are_is_said_before_they_are_emptied() {
        let mut bench = bench(Durability::Sync);
        let levels = bench.agent.levels();
        let used = || levels.each_ref().map(|level| level.ring().used);
        assert_eq!((levels[0].ring().name.as_str(), used()), ("engine to journal", [0, 0]));
        (1..=3).for_each(|told| bench.write(told));
        bench.agent.poll();
        assert_eq!(used(), [3 * (32 + 5), 0]);
        bench.agent.poll();
        assert_eq!(used(), [0, 0]);
        assert_eq!(levels[1].ring().capacity, RING_MIN as u64);
    }
}
