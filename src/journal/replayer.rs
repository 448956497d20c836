//! Brings engine, accounts and sessions to where a journal ends: the same inputs in the same order.

use std::collections::VecDeque;

use rtrb::Consumer;
use spindle_engine::command::Command;
use spindle_engine::event::Event;
use spindle_engine::input::{Checkpoint, Cursor, FeedChange, Input, InputError, Told, kind};
use spindle_engine::rider::Rider;
use spindle_engine::{Engine, RiskChange};
use spindle_gateway::desk::Desk;
use spindle_gateway::fix::session::Now;
use spindle_gateway::record::kind as session_kind;
use spindle_journal::Record;
use spindle_types::{EventTime, Sequence, keep};
use thiserror::Error;

use super::begin::difference;
use super::{RecordKind, Shape};
use crate::accounting::StrategyBooks;
use crate::publication::BookStream;

/// Why a journal cannot be applied again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {sequence}: {why}")]
pub struct ReplayError {
    /// The record.
    pub sequence: u64,
    /// What does not fit.
    pub why: String,
}

/// The sessions of a venue that is brought back, and the ring into which they pass requests.
pub struct Sessions<'a> {
    /// The sessions.
    pub desk: &'a mut Desk,
    /// Their requests.
    pub commands: &'a mut Consumer<Command>,
}

/// Applies records.
#[derive(keep::State)]
pub struct Replayer {
    #[keep(skip)]
    shape: Shape,
    inputs: u64,
    told: Told,
    /// What had been told at each point of which the record may come later.
    points: VecDeque<Told>,
    /// Requests that sessions have passed on and that the engine has not taken.
    pending: VecDeque<Command>,
    /// Events that sessions were not told yet.
    untold: VecDeque<Event>,
    /// Changes of the gate that were made, in their order.
    pub changes: Vec<RiskChange>,
    /// The last message of the market.
    pub last_message: Sequence,
    /// Digests of what was told that were held against.
    pub digests: u64,
    /// State hashes that were held against.
    pub hashes: u64,
    /// Restarts that were recorded.
    pub restarts: u64,
    /// Whether the day of the sessions is over.
    pub is_over: bool,
    /// What was published, where that is asked for.
    #[keep(same)]
    pub stream: Option<BookStream>,
}

impl Replayer {
    /// For a configuration of this shape.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            inputs: 0,
            told: Told::default(),
            points: VecDeque::new(),
            pending: VecDeque::new(),
            untold: VecDeque::new(),
            changes: Vec::new(),
            last_message: Sequence(0),
            digests: 0,
            hashes: 0,
            restarts: 0,
            is_over: false,
            stream: None,
        }
    }

    /// The shape of the configuration.
    pub fn shape(&self) -> &str {
        &self.shape
    }

    /// What was told so far.
    pub const fn now(&self) -> Checkpoint {
        Checkpoint { inputs: self.inputs, told: self.told }
    }

    /// The requests that sessions have passed on and that the engine has not taken.
    pub fn pending(&self) -> impl Iterator<Item = &Command> {
        self.pending.iter()
    }

    /// Applies a record.
    ///
    /// # Errors
    /// A record that is none, or after which something else was told than then.
    pub fn apply(
        &mut self,
        record: &Record<'_>,
        engine: &mut Engine,
        books: Option<&mut StrategyBooks>,
        sessions: Option<&mut Sessions<'_>>,
    ) -> Result<(), ReplayError> {
        self.is_over |= record.kind == session_kind::DAY_ENDED;
        let applied = match record.kind {
            spindle_journal::format::MARK => Ok(()),
            kind::COMMAND | kind::MARKET | kind::FEED | kind::RISK => {
                self.input(record, engine, books, sessions)
            }
            kind::CHECKPOINT => Ok(()),
            kind::DIGEST => self.digest(record),
            RecordKind::BEGIN => self.begin(record),
            RecordKind::RESTART => self.restarted(record, sessions),
            RecordKind::STATE => self.state(record, engine),
            _ => self.session(record, sessions),
        };
        applied.map_err(|why| ReplayError { sequence: record.sequence, why })
    }

    fn begin(&self, record: &Record<'_>) -> Result<(), String> {
        let text = record.payload.get(8..).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| "the begin is no text".to_owned())?;
        match difference(text, &self.shape) {
            None => Ok(()),
            Some(difference) => Err(format!(
                "{difference}; start with the configuration that the journal was begun with, or in another \
                 directory"
            )),
        }
    }

    fn input(
        &mut self,
        record: &Record<'_>,
        engine: &mut Engine,
        mut books: Option<&mut StrategyBooks>,
        sessions: Option<&mut Sessions<'_>>,
    ) -> Result<(), String> {
        let input = Input::decode(record.kind, record.time, record.payload);
        let input = input.map_err(|error| error.to_string())?;
        match &input {
            Some(Input::Command(command)) if sessions.is_some() => self.take(command)?,
            Some(Input::Market(sequence, bytes)) => {
                self.last_message = *sequence;
                if let Some(books) = &mut books
                    && let Some(&[a, b, c, d, e, f]) = bytes.get(5..11)
                {
                    let time = EventTime(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
                    books.time(engine, time);
                }
            }
            Some(Input::Feed(FeedChange::SessionStarted)) => self.last_message = Sequence(0),
            _ => {}
        }
        match &input {
            Some(Input::Risk(time, changes)) => {
                let is_taken = engine.on_risk(*time, changes).is_ok();
                self.changes.extend_from_slice(if is_taken { changes } else { &[] });
            }
            Some(input) => engine.apply(input),
            None => {}
        }
        // What the operator was told then he is not told again.
        while engine.next_notice().is_some() {}
        if let Some(stream) = &mut self.stream {
            engine.seen().iter().for_each(|seen| stream.take(seen));
            stream.flush();
        }
        engine.forget_seen(engine.seen().len());
        self.inputs += 1;
        for event in engine.outbox() {
            if self.told.tell(event) {
                self.points.push_back(self.told);
            }
            if let Some(books) = &mut books {
                books.event(engine, event);
            }
            if sessions.is_some() && !event.outcome.is_public() {
                self.untold.push_back(*event);
            }
        }
        engine.clear_outbox();
        Ok(())
    }

    /// The engine took a request: the one that its session had passed on first.
    fn take(&mut self, taken: &Command) -> Result<(), String> {
        let found = self.pending.iter().position(|one| one.session == taken.session);
        let passed = found.and_then(|at| self.pending.remove(at));
        match passed {
            Some(passed) if passed.action == taken.action && passed.account == taken.account => {
                Ok(())
            }
            Some(passed) => Err(format!(
                "session {} asked for {:?}, the engine was given {:?}",
                taken.session, passed.action, taken.action
            )),
            None => Err(format!("session {} asked for nothing: {:?}", taken.session, taken.action)),
        }
    }

    /// What had been told then, in this order and no other.
    fn digest(&mut self, record: &Record<'_>) -> Result<(), String> {
        let then = Told::decode(record.payload).map_err(|error| error.to_string())?;
        self.digests += 1;
        while self.points.front().is_some_and(|point| point.events < then.events) {
            self.points.pop_front();
        }
        let now = self.points.front().copied().unwrap_or(self.told);
        match then == now {
            true => Ok(()),
            false => Err(format!("{then:?} was told then, {now:?} now")),
        }
    }

    fn state(&mut self, record: &Record<'_>, engine: &Engine) -> Result<(), String> {
        let then = Cursor::new(record.payload).u64("state hash").map_err(|e| e.to_string())?;
        self.hashes += 1;
        match then == engine.state_hash() {
            true => Ok(()),
            false => {
                Err(format!("the state hash was {then:016x}, it is {:016x}", engine.state_hash()))
            }
        }
    }

    fn session(
        &mut self,
        record: &Record<'_>,
        sessions: Option<&mut Sessions<'_>>,
    ) -> Result<(), String> {
        let Some(sessions) = sessions else { return Ok(()) };
        let said = |error: InputError| error.to_string();
        if let Some(last) = sessions.desk.told_before(record.kind, record.payload).map_err(said)? {
            sessions.desk.set_time_of(record.payload);
            let there = self.told.events;
            if last > there {
                return Err(format!("sessions were told event {last}, {there} are there"));
            }
            self.tell(sessions, last);
        }
        let known = sessions.desk.apply(record.kind, record.payload).map_err(said)?;
        while let Ok(command) = sessions.commands.pop() {
            // Its stamps are of now, and decide nothing.
            self.pending.push_back(Command { received: 0, queued: 0, ..command });
        }
        match known {
            true => Ok(()),
            false => Err(format!("kind {} is not known; use a newer program", record.kind)),
        }
    }

    fn restarted(
        &mut self,
        record: &Record<'_>,
        sessions: Option<&mut Sessions<'_>>,
    ) -> Result<(), String> {
        let mut cursor = Cursor::new(record.payload);
        let said = |error: InputError| error.to_string();
        let now = Now {
            monotonic: cursor.u64("time").map_err(said)?,
            utc: cursor.u64("time").map_err(said)?,
        };
        self.restarts += 1;
        if let Some(sessions) = sessions {
            self.restart(sessions, now);
        }
        Ok(())
    }

    /// The venue begins anew: what sessions were not told yet they are told now, and nobody is connected.
    pub fn restart(&mut self, sessions: &mut Sessions<'_>, now: Now) {
        sessions.desk.set_time(now);
        self.tell(sessions, u64::MAX);
        sessions.desk.restart(now);
    }

    /// Tells sessions what they were told up to this event.
    fn tell(&mut self, sessions: &mut Sessions<'_>, last: u64) {
        while self.untold.front().is_some_and(|event| event.sequence <= last)
            && let Some(event) = self.untold.pop_front()
        {
            sessions.desk.tell(&event);
        }
    }

    /// Whether a kind is of a session.
    pub const fn is_of_session(kind: u16) -> bool {
        kind >= session_kind::OUCH_MESSAGE && kind <= session_kind::OUCH_DOWN
    }
}
