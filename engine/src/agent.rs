//! The engine's duty cycle: what the engine thread does in one turn.
//!
//! A turn first hands on what is waiting to be told, then takes a bounded number of commands and a
//! bounded number of packets. What cannot be handed on holds back new input: commands stay in
//! their ring, packets in the receive buffers, where their loss would be seen as a gap. So an
//! event is never dropped and nothing waits without limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quanta::Clock;
use rtrb::{Consumer, Producer};
use spindle_feed::itch::DecodeError;
use spindle_feed::moldudp64;
use spindle_risk::Notice;
use spindle_types::{Agent, EventTime, ReceiveTime, Sequence};

use crate::command::Command;
use crate::delay::Delayed;
use crate::engine::Engine;
use crate::event::Event;
use crate::gate_counts::GateCounts;
use crate::input::FeedChange;
use crate::latency::{EngineLatency, STAMPS};
use crate::probe::{Probe, Step};
use crate::publication::Seen;
use crate::rider::Rider;
use crate::risk::{RiskChange, RiskError, UsageReport};
use crate::tap::EngineTap;

/// Commands that one turn takes at most, so that a flood of orders cannot starve the feed.
pub const COMMANDS_PER_TURN: usize = 64;

/// Turns that a full ring is waited for in the middle of a packet, which cannot be put back. After
/// that the rest of the packet counts as lost, and the books are stale; events are still kept.
const WAITS_MAX: u32 = 1_000_000;

/// Changes of the risk gate on their way to the engine, and back with its answer.
#[derive(Debug)]
pub struct RiskInput {
    /// What whoever asks knows it by.
    pub number: u64,
    /// All of them are made, or none.
    pub changes: Box<[RiskChange]>,
    /// Why they were not made; what is written here on the way in does not matter.
    pub answer: Result<(), RiskError>,
    /// The frame in which the journal has it; 0 where there is no journal. The answer may be told
    /// when that is safe.
    pub frame: u64,
    /// A report to be filled instead: an input with one changes nothing.
    pub usage: Option<Box<UsageReport>>,
}

/// The engine's ends of the rings to the operator of its risk gate.
#[derive(Debug)]
pub struct RiskPort {
    /// Changes that come. As many answers as inputs must have room.
    pub inputs: Consumer<RiskInput>,
    /// The same, answered.
    pub answers: Producer<RiskInput>,
    /// What the operator is told; while there is no room it waits in the gate, which counts what it
    /// has no room for either.
    pub notices: Producer<Notice>,
    /// Where any thread reads how often each check warned and refused.
    pub counts: Arc<GateCounts>,
}

/// Where market messages come from.
pub trait MarketFeed: Send {
    /// Hands what has arrived to the sink, a bounded amount for each call, and returns the packets
    /// taken. Never waits.
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize;
}

/// What a feed tells the engine.
pub trait MarketSink {
    /// A packet has come; the kernel received it at this time. Its messages, as far as they are new,
    /// follow one by one.
    fn packet(&mut self, received: ReceiveTime, datagram: &[u8]);
    /// A message, in the order of its stream.
    fn message(&mut self, sequence: Sequence, bytes: &[u8]);
    /// A new session of the stream begins, from its first message.
    fn session_started(&mut self);
    /// Messages are missing and awaited: what was delivered so far is not up to date.
    fn gap_opened(&mut self);
    /// Nothing is missing any more: each message up to here was delivered or is lost.
    fn gap_closed(&mut self);
    /// Nothing has come for too long, not even a heartbeat, or the market speaks again.
    fn silent(&mut self, is_silent: bool);
    /// Messages that will never come.
    fn lost(&mut self, first: Sequence, count: u64);
    /// The stream is over.
    fn end_of_session(&mut self);
}

/// No feed: a venue for strategies alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFeed;

impl MarketFeed for NoFeed {
    fn poll<S: MarketSink>(&mut self, _: &mut S) -> usize {
        0
    }
}

/// The time that commands are sequenced at.
#[derive(Clone, Copy, Debug)]
pub enum TimeSource {
    /// The time of the last market message: strategies live in the tape's day.
    Tape,
    /// The machine's clock: nanoseconds since midnight when it read `ticks` raw ticks.
    Wall {
        /// Raw ticks at a known time.
        ticks: u64,
        /// That time.
        time: EventTime,
    },
}

/// What the agent has seen that the engine does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounters {
    /// Packets.
    pub packets: u64,
    /// Messages of a type that ITCH 5.0 does not have.
    pub unknown_types: u64,
    /// Messages shorter than their type.
    pub short_messages: u64,
    /// Messages that never came.
    pub lost: u64,
    /// The number of the last message that was applied or lost.
    pub last_sequence: u64,
    /// Whether the stream is over.
    pub ended: bool,
}

/// The engine with its feed, its rings, and who rides along.
pub struct EngineAgent<F, R = ()> {
    feed: F,
    core: Core<R>,
    commands: Consumer<Command>,
    risk: Option<RiskPort>,
}

/// What one input needs besides the input: kept apart from the feed, which is polled with it.
struct Core<R> {
    engine: Engine,
    rider: R,
    /// The ways to the venue and back, where they take time.
    delayed: Option<Box<Delayed>>,
    events: Producer<Event>,
    /// Where what everybody may see goes to, if it is published.
    seen: Option<Producer<Seen>>,
    clock: Clock,
    time_source: TimeSource,
    measure: bool,
    latency: EngineLatency,
    feed: FeedCounters,
    /// Raw ticks when the last message of the packet was done.
    last: u64,
    /// The number of the last message that was applied or lost, for other threads.
    position: Arc<AtomicU64>,
    /// Where inputs are recorded, if they are.
    tap: Option<Box<EngineTap>>,
    /// Commands taken from the ring.
    passed: u64,
    /// Turns that a full ring is waited for in the middle of a packet.
    waits_max: u32,
    /// Messages that were lost while the journal had no room to say so.
    unrecorded: Option<(Sequence, u64)>,
    /// The last message of the market that a journal had: up to there the feed says nothing new.
    resumed: u64,
}

impl<F: MarketFeed> EngineAgent<F> {
    /// An agent that measures where time goes if `measure` is set.
    pub fn new(
        engine: Engine,
        feed: F,
        commands: Consumer<Command>,
        events: Producer<Event>,
        time_source: TimeSource,
        measure: bool,
    ) -> Self {
        Self::with_rider(engine, (), feed, commands, events, time_source, measure)
    }
}

impl<F: MarketFeed, R: Rider> EngineAgent<F, R> {
    /// As [`EngineAgent::new`], with somebody who rides along.
    pub fn with_rider(
        engine: Engine,
        rider: R,
        feed: F,
        commands: Consumer<Command>,
        events: Producer<Event>,
        time_source: TimeSource,
        measure: bool,
    ) -> Self {
        let core = Core {
            engine,
            rider,
            delayed: None,
            events,
            seen: None,
            clock: Clock::new(),
            time_source,
            measure,
            latency: EngineLatency::default(),
            feed: FeedCounters::default(),
            last: 0,
            position: Arc::default(),
            tap: None,
            passed: 0,
            waits_max: WAITS_MAX,
            unrecorded: None,
            resumed: 0,
        };
        Self { feed, core, commands, risk: None }
    }

    /// From now on changes of the risk gate come through this port, one each turn and before any
    /// command, and its operator is told.
    pub fn open_risk_port(&mut self, port: RiskPort) {
        self.risk = Some(port);
    }

    /// Takes its time from this clock: for whoever steps it by hand. With [`TimeSource::Wall`] ticks are those of
    /// this clock.
    pub fn set_clock(&mut self, clock: Clock) {
        self.core.clock = clock;
    }

    /// Waits for a full ring in the middle of a packet for so many turns: where all agents share one thread
    /// nobody makes room meanwhile.
    pub const fn set_waits(&mut self, turns: u32) {
        self.core.waits_max = turns;
    }

    /// Takes one change of the gate, and hands on what its operator is told.
    fn poll_risk(&mut self) -> usize {
        let Some(port) = &mut self.risk else {
            return 0;
        };
        let engine = &mut self.core.engine;
        port.counts.store(engine.gate().counts());
        let mut taken = 0;
        if engine.has_room()
            && self.core.tap.as_ref().is_none_or(|tap| tap.has_room_for_changes())
            && port.answers.slots() > 0
            && let Ok(mut input) = port.inputs.pop()
        {
            let time = match self.core.time_source {
                TimeSource::Tape => engine.time(),
                TimeSource::Wall { ticks, time } => {
                    let since = self.core.clock.delta_as_nanos(ticks, self.core.clock.raw());
                    EventTime(time.0 + since)
                }
            };
            match &mut input.usage {
                Some(report) => engine.fill_usage(time, report),
                None => {
                    input.answer = engine.on_risk(time, &input.changes);
                    if let Some(tap) = &mut self.core.tap {
                        tap.changes(&input.changes, time, engine.told(), self.core.passed);
                        input.frame = tap.frames();
                        engine.see_input(input.frame);
                    }
                }
            }
            // Memory of the input goes back with it: nothing is freed on this thread.
            let _ = port.answers.push(input);
            taken = 1;
        }
        while port.notices.slots() > 0
            && let Some(notice) = engine.next_notice()
        {
            let _ = port.notices.push(notice);
        }
        taken
    }

    /// From now on what everybody may see goes into this ring: see [`Engine::publish_books`]. While the ring is
    /// full no input is taken, as with that of events.
    pub fn publish_into(&mut self, ring: Producer<Seen>) {
        self.core.seen = Some(ring);
    }

    /// From now on every input is recorded, in the turn that takes it; while the journal has no room none is
    /// taken. Requests are those that whoever passes them on records, in that order: not together with
    /// [`EngineAgent::delay`].
    pub fn record(&mut self, tap: EngineTap) {
        self.core.tap = Some(Box::new(tap));
    }

    /// The engine was brought back to where a journal ends: messages up to this one, of the same session of the
    /// feed, are not applied again.
    pub fn resume(&mut self, last: Sequence) {
        self.core.resumed = last.0;
        self.core.feed.last_sequence = last.0;
    }

    /// Whether events wait to be handed on: then the last inputs are not told yet.
    pub fn has_events_left(&self) -> bool {
        !self.core.engine.outbox().is_empty()
    }

    /// Takes the tap away, for the end of a run.
    pub fn close_tap(&mut self) {
        self.core.tap = None;
    }

    /// From now on requests and answers take time.
    pub fn delay(&mut self, delayed: Delayed) {
        self.core.delayed = Some(Box::new(delayed));
    }

    /// Answers that were handed on before their time because too many were under way.
    pub fn hurried(&self) -> u64 {
        self.core.delayed.as_ref().map_or(0, |delayed| delayed.hurried)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.core.engine
    }

    /// The engine, for what is set before anybody polls it.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.core.engine
    }

    /// Who rides along.
    pub fn rider(&self) -> &R {
        &self.core.rider
    }

    /// The number of the last market message that was applied or given up, told once a turn to
    /// whoever reads it.
    pub fn position(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.core.position)
    }

    /// The engine, when nobody polls it any more.
    pub fn into_engine(self) -> Engine {
        self.core.engine
    }

    /// The feed.
    pub fn feed(&self) -> &F {
        &self.feed
    }

    /// The feed, for whoever steps an agent by hand.
    pub fn feed_mut(&mut self) -> &mut F {
        &mut self.feed
    }

    /// Where time went.
    pub fn latency(&self) -> &EngineLatency {
        &self.core.latency
    }

    /// From now on hops are stamped, or not.
    pub const fn set_measure(&mut self, measure: bool) {
        self.core.measure = measure;
    }

    /// What the feed brought besides messages of the market.
    pub fn feed_counters(&self) -> &FeedCounters {
        &self.core.feed
    }

    fn poll_commands(&mut self) -> usize {
        // What a turn's commands need in the journal is little: room for one input is room for all.
        if self.core.delayed.is_none() && !self.core.records() {
            return 0;
        }
        let mut taken = 0;
        while taken < COMMANDS_PER_TURN
            && self.core.takes_commands()
            && let Ok(command) = self.commands.pop()
        {
            self.core.passed += 1;
            self.core.command(command);
            taken += 1;
        }
        taken
    }
}

impl<F: MarketFeed, R: Rider> Agent for EngineAgent<F, R> {
    fn name(&self) -> &str {
        "engine"
    }

    /// The books of shares do not balance: whoever owns the engine says so, and the run is over.
    fn is_done(&self) -> bool {
        self.core.engine.imbalance().is_some()
    }

    fn poll(&mut self) -> usize {
        self.core.hand_on();
        if !self.core.engine.outbox().is_empty() || !self.core.engine.seen().is_empty() {
            return 0;
        }
        let risk = self.poll_risk();
        let commands = self.poll_commands();
        let packets = self.feed.poll(&mut self.core);
        self.core.flush_tap();
        if self.core.delayed.is_some() {
            self.core.arrive(self.core.now());
        }
        self.core.rider.turn(&self.core.engine);
        if packets > 0 {
            // Relaxed: the number stands for itself; no other memory is read on its strength.
            self.core.position.store(self.core.feed.last_sequence, Ordering::Relaxed);
        }
        risk + commands + packets
    }
}

impl<R: Rider> Core<R> {
    /// Whether a command can be taken from the ring, if the journal has room.
    #[inline]
    fn takes_commands(&self) -> bool {
        match &self.delayed {
            None => self.engine.has_room(),
            Some(delayed) => !delayed.commands.is_full(),
        }
    }

    /// Whether an input can be recorded, or need not be.
    #[inline]
    fn records(&self) -> bool {
        self.tap.as_ref().is_none_or(|tap| tap.has_room())
    }

    /// Sends off what was recorded.
    #[inline]
    fn flush_tap(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.flush();
        }
    }

    fn command(&mut self, command: Command) {
        let now = if self.measures() { self.clock.raw() } else { 0 };
        if self.measures() {
            self.latency.ring_in.record(self.clock.delta_as_nanos(command.queued, now));
            if command.received != 0 {
                let took = self.clock.delta_as_nanos(command.received, command.queued);
                self.latency.decode.record(took);
            }
        }
        if self.delayed.is_some() {
            return self.send(command);
        }
        let time = match self.time_source {
            TimeSource::Tape => self.engine.time(),
            TimeSource::Wall { ticks, time } => {
                let now = if self.measures() { now } else { self.clock.raw() };
                EventTime(time.0 + self.clock.delta_as_nanos(ticks, now))
            }
        };
        let queued = command.queued;
        let done = self.apply(command, time, now);
        if self.measures() && done != 0 {
            self.latency.engine.record(self.clock.delta_as_nanos(now, done));
            self.latency.ring_to_ring.record(self.clock.delta_as_nanos(queued, done));
        }
    }

    /// Whether hops are stamped.
    #[inline]
    const fn measures(&self) -> bool {
        STAMPS && self.measure
    }

    /// Applies a command and gives the raw ticks at which its answers were put into the ring; 0 where
    /// that is not known.
    fn apply(&mut self, mut command: Command, time: EventTime, now: u64) -> u64 {
        command.time = time;
        if self.measures() {
            let mut steps = Steps { clock: &self.clock, latency: &mut self.latency, last: now };
            self.engine.on_command(&command, &mut steps);
        } else {
            self.engine.on_command(&command, &mut ());
        }
        if let Some(tap) = &mut self.tap {
            tap.command(time, self.engine.told(), self.passed);
            self.engine.see_input(tap.frames());
        }
        self.hand_on()
    }

    /// The time by which delays are measured: the tape's, after its end the end of time, or this
    /// machine's.
    fn now(&self) -> EventTime {
        let scales = self.delayed.as_ref().is_some_and(|delayed| delayed.scales);
        match self.time_source {
            TimeSource::Tape if scales && self.feed.ended => EventTime(u64::MAX),
            TimeSource::Tape if scales => self.engine.time(),
            TimeSource::Tape => EventTime(self.clock.delta_as_nanos(0, self.clock.raw())),
            TimeSource::Wall { ticks, time } => {
                EventTime(time.0 + self.clock.delta_as_nanos(ticks, self.clock.raw()))
            }
        }
    }

    /// Sends a command on its way; there is room.
    #[cold]
    fn send(&mut self, command: Command) {
        let now = self.now();
        if let Some(delayed) = &mut self.delayed {
            let (lane, delay) =
                (delayed.delays.rank(command.session), delayed.delays.of_command(&command));
            let now = if now.0 == u64::MAX { self.engine.time() } else { now };
            let sent = delayed.commands.send(lane, now, delay, command);
            debug_assert!(sent.is_ok(), "room was asked for");
        }
        self.arrive(now);
    }

    /// Applies the commands that have arrived by now, each at its own time.
    #[cold]
    fn arrive(&mut self, now: EventTime) {
        while self.engine.has_room()
            && self.records()
            && let Some(delayed) = &mut self.delayed
            && let Some((due, command)) = delayed.commands.receive(now)
        {
            let tape = matches!(self.time_source, TimeSource::Tape);
            let time = match tape && !delayed.scales {
                true => self.engine.time(),
                false => due.max(self.engine.time()),
            };
            let ticks = if self.measures() { self.clock.raw() } else { 0 };
            self.apply(command, time, ticks);
        }
        self.hand_on();
    }

    /// Time moves on with the message that comes next.
    #[inline]
    fn time_passes(&mut self, message: &[u8]) {
        if !R::WATCHES && self.delayed.is_none() {
            return;
        }
        if let Some(bytes) = message.get(5..11).and_then(|bytes| bytes.first_chunk::<6>()) {
            let [a, b, c, d, e, f] = *bytes;
            let time = EventTime(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
            if self.delayed.as_ref().is_some_and(|delayed| delayed.scales) {
                self.arrive(time);
            }
            self.rider.time(&self.engine, time);
        }
    }

    /// Sends the outbox's events on their way, and hands on those that have arrived.
    #[cold]
    fn hand_on_delayed(&mut self) {
        let now = self.now();
        let Some(delayed) = &mut self.delayed else {
            return;
        };
        let mut sent = 0;
        for event in self.engine.outbox() {
            if delayed.answers.is_full() {
                // The oldest makes room, before its time, where the ring takes it.
                if self.events.is_full() {
                    break;
                }
                if let Some((_, event)) = delayed.answers.receive(EventTime(u64::MAX)) {
                    delayed.hurried += 1;
                    let _ = self.events.push(event);
                }
            }
            self.rider.event(&self.engine, event);
            let (lane, delay) =
                (delayed.delays.rank(event.session), delayed.delays.of_event(event));
            let from = if now.0 == u64::MAX { event.time } else { now };
            sent += usize::from(delayed.answers.send(lane, from, delay, *event).is_ok());
        }
        self.engine.forget_events(sent);
        let measures = STAMPS && self.measure;
        while !self.events.is_full()
            && let Some((_, event)) = delayed.answers.receive(now)
        {
            let queued = if measures { self.clock.raw() } else { 0 };
            let _ = self.events.push(Event { queued, ..event });
        }
    }

    /// Waits for the gateway to make room, and says whether it did.
    #[cold]
    fn wait_for_room(&mut self) -> bool {
        // Whoever makes room may wait for what was recorded.
        self.flush_tap();
        for _ in 0..self.waits_max {
            self.hand_on();
            if self.engine.has_room() && self.records() {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Moves what everybody may see into its ring, as far as it has room.
    fn hand_on_seen(&mut self) {
        let Some(ring) = &mut self.seen else { return };
        let waiting = self.engine.seen();
        let count = waiting.len().min(ring.slots());
        if count > 0
            && let Ok(chunk) = ring.write_chunk_uninit(count)
        {
            chunk.fill_from_iter(waiting.iter().take(count).copied());
            self.engine.forget_seen(count);
        }
    }

    /// Records a change of the feed's state that was applied. There is room.
    fn record_feed(&mut self, change: FeedChange) {
        if let Some(tap) = &mut self.tap {
            let engine = &self.engine;
            tap.feed(change, engine.time(), engine.told(), self.passed);
            self.engine.see_input(tap.frames());
        }
    }

    /// Applies a change of the feed's state, and records it. Where there is no room for it, it is waited for;
    /// in the end nothing of the market is known any more, and that is applied once there is room.
    #[cold]
    fn feed_changed(&mut self, change: FeedChange) {
        if !self.records() && !self.wait_for_room() {
            self.unrecorded.get_or_insert((Sequence(self.feed.last_sequence), 0));
            return;
        }
        self.tell_unrecorded();
        self.engine.on_feed(change);
        self.record_feed(change);
    }

    /// Messages were lost while nothing could be recorded: every book is stale before anything else comes. There is
    /// room.
    #[inline]
    fn tell_unrecorded(&mut self) {
        if let Some((first, count)) = self.unrecorded.take() {
            let change = FeedChange::Lost(first, count);
            self.engine.on_feed(change);
            self.record_feed(change);
        }
    }

    /// Moves events from the outbox into the ring, as far as it has room. Gives when, in raw ticks; 0
    /// where nobody measures, nothing was moved, or answers take time.
    #[inline]
    fn hand_on(&mut self) -> u64 {
        if self.seen.is_some() {
            self.hand_on_seen();
        }
        if self.delayed.is_some() {
            self.hand_on_delayed();
            return 0;
        }
        let waiting = self.engine.outbox();
        if waiting.is_empty() {
            return 0;
        }
        let count = waiting.len().min(self.events.slots());
        if R::WATCHES {
            for event in &waiting[..count] {
                self.rider.event(&self.engine, event);
            }
        }
        let queued = if self.measures() { self.clock.raw() } else { 0 };
        if let Ok(chunk) = self.events.write_chunk_uninit(count) {
            let stamped = waiting.iter().take(count).map(|event| Event { queued, ..*event });
            chunk.fill_from_iter(stamped);
            self.engine.forget_events(count);
        }
        queued
    }
}

impl<R: Rider> MarketSink for Core<R> {
    fn packet(&mut self, received: ReceiveTime, datagram: &[u8]) {
        self.flush_tap();
        self.feed.packets += 1;
        if self.measures() {
            if received.0 != 0 {
                let now = wall_clock_ns();
                self.latency.receive.record(now.saturating_sub(received.0));
            }
            self.last = self.clock.raw();
        }
        self.engine.look_ahead(moldudp64::ahead(datagram));
    }

    #[inline]
    fn message(&mut self, sequence: Sequence, bytes: &[u8]) {
        if sequence.0 <= self.resumed {
            return;
        }
        self.feed.last_sequence = sequence.0;
        self.time_passes(bytes);
        let ready = self.engine.has_room() && self.records();
        if !ready && !self.wait_for_room() {
            return self.lost(sequence, 1);
        }
        self.tell_unrecorded();
        match self.engine.on_message(sequence, bytes) {
            Ok(()) => {}
            Err(DecodeError::UnknownType(_)) => self.feed.unknown_types += 1,
            Err(DecodeError::Empty | DecodeError::Short { .. }) => self.feed.short_messages += 1,
        }
        if let Some(tap) = &mut self.tap {
            let engine = &self.engine;
            tap.message(sequence, bytes, engine.time(), engine.told(), self.passed);
            self.engine.see_input(tap.frames());
        }
        if self.measures() {
            let now = self.clock.raw();
            self.latency.book.record(self.clock.delta_as_nanos(self.last, now));
            self.last = now;
        }
        if !self.engine.outbox().is_empty() || self.seen.is_some() {
            self.hand_on();
        }
    }

    fn session_started(&mut self) {
        if self.resumed > 0 && self.feed.last_sequence == self.resumed && self.feed.lost == 0 {
            // The session that the journal was in.
            return;
        }
        self.resumed = 0;
        self.feed_changed(FeedChange::SessionStarted);
    }

    fn gap_opened(&mut self) {
        self.feed_changed(FeedChange::GapOpened);
    }

    fn gap_closed(&mut self) {
        self.feed_changed(FeedChange::GapClosed);
    }

    fn silent(&mut self, is_silent: bool) {
        self.feed_changed(if is_silent { FeedChange::Silent } else { FeedChange::Speaks });
    }

    fn lost(&mut self, first: Sequence, count: u64) {
        if first.0 + (count - 1) <= self.resumed {
            return;
        }
        self.feed.last_sequence = first.0 + (count - 1);
        self.feed.lost += count;
        if !self.records() {
            let (_, lost) = self.unrecorded.get_or_insert((first, 0));
            *lost += count;
            return;
        }
        self.tell_unrecorded();
        let change = FeedChange::Lost(first, count);
        self.engine.on_feed(change);
        self.record_feed(change);
    }

    fn end_of_session(&mut self) {
        self.feed.ended = true;
        self.feed_changed(FeedChange::Ended);
    }
}

/// Stamps an order's steps.
struct Steps<'a> {
    clock: &'a Clock,
    latency: &'a mut EngineLatency,
    last: u64,
}

impl Probe for Steps<'_> {
    fn passed(&mut self, step: Step) {
        let now = self.clock.raw();
        let took = self.clock.delta_as_nanos(self.last, now);
        match step {
            Step::Risk => self.latency.risk.record(took),
            Step::Match => self.latency.matching.record(took),
        }
        self.last = now;
    }
}

/// Nanoseconds since the Unix epoch, on the clock of the kernel's receive stamps. It is read in
/// user space (vDSO), without a system call.
fn wall_clock_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
