//! The loop: the earliest of what is due next, until the tape is over.

use std::sync::atomic::{AtomicBool, Ordering};

use rtrb::Consumer;
use spindle_engine::Engine;
use spindle_engine::command::Command;
use spindle_engine::delay::{DelayLine, Delays};
use spindle_engine::event::Event;
use spindle_engine::rider::Rider;
use spindle_types::{EventTime, InstrumentId, Sequence};

use super::sessions::{Sessions, Turned};
use super::wait::{Messages, Turn};
use super::{LockstepConfig, LockstepError};
use crate::notice::{GatewayNotice, UserName};
use crate::soup::stream::Cursor;
use crate::stats::GatewayStats;

/// Requests and answers that are under way at once, each.
const UNDER_WAY_MAX: usize = 65_536;

/// Messages between two looks at the wall clock.
const LOOK_EVERY: u64 = 4_096;

/// Where the tape comes from.
pub trait TapeSource {
    /// Moves to the next message and gives its time and its bytes as ITCH 5.0; `None` at the end.
    ///
    /// # Errors
    /// Why it cannot be read further, in one line.
    fn next_message(&mut self) -> Result<Option<(EventTime, &[u8])>, String>;
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages of the tape.
    pub messages: u64,
    /// Messages that are no ITCH 5.0; they do nothing.
    pub undecoded: u64,
    /// Turns given.
    pub turns: u64,
    /// Answers delivered.
    pub answers: u64,
    /// Answers that came before their time because too many were under way.
    pub hurried: u64,
    /// A checksum (FNV-1a, 64 bits) over everything that was sent to strategies on their order-entry
    /// sessions but heartbeats: two runs that give the same have told the same.
    pub checksum: u64,
    /// The tape's time at the end.
    pub time: EventTime,
    /// Who has disconnected before the end, and when.
    pub gone: Vec<(UserName, EventTime)>,
    /// Whether the end was asked for before the tape was over.
    pub stopped: bool,
}

/// A run in lockstep.
pub struct Lockstep<S, R> {
    engine: Engine,
    rider: R,
    tape: S,
    sessions: Sessions,
    delays: Box<dyn Delays>,
    commands: DelayLine<Command>,
    answers: DelayLine<Event>,
    config: LockstepConfig,
    now: EventTime,
    /// The next message, where there is one that was read and not applied.
    message: Vec<u8>,
    due: Option<EventTime>,
    /// By user: whether it gets its turn.
    woken: Vec<bool>,
    held: Vec<bool>,
    /// By user: up to where its stream is in the checksum.
    cursors: Vec<Cursor>,
    /// The earliest time that somebody waits for.
    next_until: u64,
    /// Whether somebody waits for messages.
    any_message: bool,
    rounds: u32,
    outcome: Outcome,
}

impl<S: TapeSource, R: Rider> Lockstep<S, R> {
    /// Listens on both ports. `engine` knows the accounts; `rider` looks on.
    ///
    /// # Errors
    /// A wrong configuration, or an address that cannot be listened on.
    pub fn bind(
        config: LockstepConfig,
        engine: Engine,
        rider: R,
        tape: S,
        delays: Box<dyn Delays>,
    ) -> Result<Self, LockstepError> {
        let sessions = Sessions::bind(&config)?;
        let count = sessions.count();
        let lanes = count.max(1);
        Ok(Self {
            engine,
            rider,
            tape,
            sessions,
            delays,
            commands: DelayLine::new(UNDER_WAY_MAX, lanes),
            answers: DelayLine::new(UNDER_WAY_MAX, lanes),
            config,
            now: EventTime(0),
            message: Vec::with_capacity(64),
            due: None,
            woken: vec![false; count],
            held: vec![false; count],
            cursors: vec![Cursor::default(); count],
            next_until: u64::MAX,
            any_message: false,
            rounds: 0,
            outcome: Outcome { checksum: 0xcbf2_9ce4_8422_2325, ..Outcome::default() },
        })
    }

    /// Where OUCH and where the tape is served; `None` once the run has begun.
    pub fn addresses(&self) -> Option<(std::net::SocketAddr, std::net::SocketAddr)> {
        self.sessions.addresses()
    }

    /// The end of a new ring of `capacity` notices.
    pub fn notices(&mut self, capacity: usize) -> Consumer<GatewayNotice> {
        self.sessions.notices(capacity)
    }

    /// Engine, rider and what the gateway has counted, when the run is over.
    pub fn into_parts(mut self) -> (Engine, R, GatewayStats, Outcome) {
        let stats = self.sessions.take_stats();
        (self.engine, self.rider, stats, self.outcome)
    }

    /// Waits for the strategies and runs the tape, until it is over or `stop` is set. What it came to
    /// is in [`Lockstep::into_parts`], after an error as well.
    ///
    /// # Errors
    /// See [`LockstepError`].
    pub fn run(&mut self, stop: &AtomicBool) -> Result<(), LockstepError> {
        let ended = self.run_tape(stop);
        self.outcome.time = self.now;
        if ended.is_ok() {
            self.sessions.end(self.now);
        }
        ended
    }

    fn run_tape(&mut self, stop: &AtomicBool) -> Result<(), LockstepError> {
        let Some(first) = self.sessions.gather(stop)? else {
            self.outcome.stopped = true;
            return Ok(());
        };
        self.read_tape()?;
        self.now = self.due.unwrap_or_default();
        for command in first {
            self.send(command);
        }
        self.look_at_waits();
        loop {
            let due = self.next_due();
            match (self.due, due) {
                (Some(message), due) if due.is_none_or(|due| due > message) => {
                    self.pass(message);
                    self.apply()?;
                }
                (None, None) => return Ok(()),
                (_, due) => self.pass(due.unwrap_or(self.now)),
            }
            self.settle()?;
            if let Some(imbalance) = self.engine.imbalance() {
                return Err(LockstepError::Imbalance(imbalance));
            }
            if stop.load(Ordering::Relaxed) {
                self.outcome.stopped = true;
                return Ok(());
            }
        }
    }

    /// When something is due that is no message. What strategies merely wait for is not, once the tape
    /// is over.
    fn next_due(&self) -> Option<EventTime> {
        let until = (self.due.is_some() && self.next_until < u64::MAX)
            .then_some(EventTime(self.next_until));
        [self.commands.next_due(), self.answers.next_due(), until].into_iter().flatten().min()
    }

    /// Lets time pass; it never goes back.
    fn pass(&mut self, to: EventTime) {
        if to > self.now {
            self.now = to;
            self.rounds = 0;
        }
        self.rider.time(&self.engine, self.now);
    }

    fn read_tape(&mut self) -> Result<(), LockstepError> {
        let next = self.tape.next_message().map_err(LockstepError::Tape)?;
        self.due = next.map(|(time, bytes)| {
            self.message.clear();
            self.message.extend_from_slice(bytes);
            time
        });
        Ok(())
    }

    /// Applies the message that is next and reads the one behind it.
    fn apply(&mut self) -> Result<(), LockstepError> {
        self.outcome.messages += 1;
        self.rounds = 0;
        let number = self.outcome.messages;
        self.sessions.tape.send(&self.message);
        if self.engine.on_message(Sequence(number), &self.message).is_err() {
            self.outcome.undecoded += 1;
        }
        if !self.engine.outbox().is_empty() {
            self.hand_on();
        }
        if self.any_message {
            self.wake_for_message();
        }
        if let Some(user) = self.sessions.tape.is_full() {
            self.sessions.flush_tape(user, self.now)?;
        }
        if number.is_multiple_of(LOOK_EVERY) {
            self.sessions.beat();
            self.rider.turn(&self.engine);
        }
        self.read_tape()
    }

    #[cold]
    fn wake_for_message(&mut self) {
        let locate = self.message.get(1..3).and_then(|bytes| bytes.first_chunk::<2>());
        let instrument = InstrumentId(locate.map_or(0, |bytes| u16::from_be_bytes(*bytes)));
        let symbol = self.engine.instruments().get(instrument).symbol;
        for user in 0..self.woken.len() {
            let wakes = match self.sessions.wait_of(user).map(|wait| wait.messages) {
                Some(Messages::Any) => true,
                Some(Messages::Of(symbols)) => symbols.as_slice().contains(&symbol),
                Some(Messages::None) | None => false,
            };
            self.woken[user] |= wakes;
        }
    }

    /// Hands the engine's events to the rider and sends them on their way.
    fn hand_on(&mut self) {
        for at in 0..self.engine.outbox().len() {
            let event = self.engine.outbox()[at];
            self.rider.event(&self.engine, &event);
            if event.outcome.is_public() {
                continue;
            }
            if self.answers.is_full() {
                self.outcome.hurried += 1;
                self.deliver(EventTime(u64::MAX));
            }
            let lane = self.delays.rank(event.session);
            let delay = self.delays.of_event(&event);
            let sent = self.answers.send(lane, self.now, delay, event);
            debug_assert!(sent.is_ok(), "room was made");
        }
        self.engine.clear_outbox();
    }

    /// Delivers the first answer that has arrived by then; whether there was one.
    fn deliver(&mut self, by: EventTime) -> bool {
        let Some((_, event)) = self.answers.receive(by) else {
            return false;
        };
        self.outcome.answers += 1;
        if let Some(user) = self.sessions.tell(event) {
            self.woken[user] = true;
            let stream = self.sessions.desk.stream(user);
            let mut hash = self.outcome.checksum;
            let cursor = &mut self.cursors[user];
            loop {
                let bytes = stream.after(*cursor);
                if bytes.is_empty() {
                    break;
                }
                hash = hashed(hash, bytes);
                *cursor = stream.advance(*cursor, bytes.len());
            }
            self.outcome.checksum = hash;
        }
        true
    }

    /// Sends a request on its way to the engine.
    fn send(&mut self, command: Command) {
        let lane = self.delays.rank(command.session);
        let delay = self.delays.of_command(&command);
        let sent = self.commands.send(lane, self.now, delay, command);
        debug_assert!(sent.is_ok(), "room was asked for");
    }

    /// Does all that is due now: requests, answers, turns, and what follows from them, until everybody
    /// waits.
    fn settle(&mut self) -> Result<(), LockstepError> {
        loop {
            while let Some((_, mut command)) = self.commands.receive(self.now) {
                command.time = self.now;
                self.engine.on_command(&command, &mut ());
                self.hand_on();
            }
            while self.deliver(self.now) {}
            if self.next_until <= self.now.0 {
                self.wake_for_time();
            }
            for user in 0..self.held.len() {
                self.woken[user] |= self.held[user] && !self.commands.is_full();
            }
            if !self.woken.contains(&true) {
                return Ok(());
            }
            let before = self.outcome.turns;
            self.take_turns()?;
            self.rider.turn(&self.engine);
            let arrived = |due: Option<EventTime>| due.is_some_and(|due| due <= self.now);
            let goes_on = self.outcome.turns > before
                || arrived(self.commands.next_due())
                || arrived(self.answers.next_due());
            if !goes_on {
                // Whoever is held waits for an answer that is under way: it comes with time.
                return Ok(());
            }
        }
    }

    fn wake_for_time(&mut self) {
        for user in 0..self.woken.len() {
            let until = self.sessions.wait_of(user).and_then(|wait| wait.until);
            self.woken[user] |= until.is_some_and(|until| until <= self.now);
        }
    }

    /// Gives everybody who is woken its turn, together, and then takes what they ask, one after the
    /// other.
    fn take_turns(&mut self) -> Result<(), LockstepError> {
        let turn = Turn { time: self.now, messages: self.outcome.messages };
        for user in 0..self.woken.len() {
            if !self.sessions.is_there(user) {
                self.woken[user] = false;
            } else if self.woken[user] && !self.held[user] {
                if self.rounds >= self.config.rounds_max {
                    let (user, rounds) = (self.sessions.user_name(user), self.rounds);
                    return Err(LockstepError::Endless { user, rounds, time: self.now });
                }
                self.sessions.give_turn(user, turn)?;
                self.outcome.turns += 1;
                let name = self.sessions.user_name(user);
                let hash = hashed(self.outcome.checksum, name.of_soup());
                self.outcome.checksum = hashed(hash, turn.text().as_bytes());
            }
        }
        self.rounds += 1;
        for user in 0..self.woken.len() {
            if std::mem::take(&mut self.woken[user]) {
                self.collect(user)?;
            }
        }
        self.look_at_waits();
        Ok(())
    }

    fn collect(&mut self, user: usize) -> Result<(), LockstepError> {
        let Self { sessions, commands, delays, now, .. } = self;
        let commands = std::cell::RefCell::new(commands);
        let take = |command: Command| {
            let lane = delays.rank(command.session);
            let delay = delays.of_command(&command);
            commands.borrow_mut().send(lane, *now, delay, command).is_ok()
        };
        let turned = sessions.collect(user, *now, take, || !commands.borrow().is_full())?;
        self.held[user] = turned == Turned::Held;
        if turned == Turned::Gone {
            let name = self.sessions.user_name(user);
            self.outcome.gone.push((name, self.now));
            if !self.config.goes_on {
                return Err(LockstepError::Gone { user: name, time: self.now });
            }
        }
        Ok(())
    }

    /// What the strategies wait for, in short.
    fn look_at_waits(&mut self) {
        self.next_until = u64::MAX;
        self.any_message = false;
        for user in 0..self.woken.len() {
            if let Some(wait) = self.sessions.wait_of(user) {
                self.next_until = self.next_until.min(wait.until.map_or(u64::MAX, |time| time.0));
                self.any_message |= wait.messages != Messages::None;
            }
        }
    }
}

/// FNV-1a over more bytes.
fn hashed(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
