//! The whole of a venue as a snapshot keeps it: engine, strategies' accounts, sessions, and how far they are told.

use spindle_engine::Engine;
use spindle_gateway::record;
use spindle_journal::disk::Disk;
use spindle_journal::snapshot::{read_snapshot, snapshots, write_snapshot};
use spindle_journal::{Identity, JournalError, Snapshot, Start};
use spindle_types::EventTime;
use spindle_types::keep::{Pen, Reader, State, Unfit, Value};
use thiserror::Error;

use super::begin::difference;
use super::replayer::{Replayer, Sessions};
use crate::accounting::StrategyBooks;

/// What the state of a venue consists of: a program whose parts are others has another number.
pub fn layout() -> u64 {
    let parts = [
        <Replayer as State>::SHAPE,
        spindle_engine::kept::SHAPE,
        <StrategyBooks as State>::SHAPE,
        record::SHAPE,
    ];
    parts.into_iter().fold(spindle_types::keep::Shape::of("venue"), |all, part| all.shape(part)).0
}

/// Why a snapshot cannot be gone on from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WholeError {
    /// It is of another configuration.
    #[error(
        "{0}; start with the configuration that the journal was begun with, or in another directory"
    )]
    Shape(String),
    /// Its checksums are right and it is no state.
    #[error("{0}; move the snapshot away to go on from the one before it")]
    Unfit(#[from] Unfit),
}

/// What is asked of a snapshot before anything of a venue is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreword {
    /// When the day of the sessions began.
    pub day_began: EventTime,
    /// The shape of the configuration.
    shape: String,
}

/// The parts of a venue that a journal leads to.
pub struct Whole<'a, 'b> {
    /// How far they are.
    pub replayer: &'a mut Replayer,
    /// The engine.
    pub engine: &'a mut Engine,
    /// The strategies' accounts.
    pub books: &'a mut StrategyBooks,
    /// The sessions.
    pub sessions: &'a mut Sessions<'b>,
}

impl Whole<'_, '_> {
    /// Writes all of it down.
    pub fn save(&self, day_began: EventTime) -> Vec<u8> {
        let mut pen = Pen::new();
        Value::save(&day_began, &mut pen);
        Value::save(&self.replayer.shape().to_owned(), &mut pen);
        State::save(&*self.replayer, &mut pen);
        self.engine.save(&mut pen);
        State::save(&*self.books, &mut pen);
        self.sessions.desk.save(&mut pen);
        pen.into_bytes()
    }

    /// Fills all of it. After an error none of it must be used.
    ///
    /// # Errors
    /// A state of another configuration, or none.
    pub fn load(&mut self, state: &[u8]) -> Result<(), WholeError> {
        let mut reader = Reader::new(state);
        let foreword = Foreword::read(&mut reader)?;
        if let Some(difference) = difference(&foreword.shape, self.replayer.shape()) {
            return Err(WholeError::Shape(difference));
        }
        State::load(self.replayer, &mut reader)?;
        self.engine.load(&mut reader)?;
        State::load(self.books, &mut reader)?;
        self.sessions.desk.load(&mut reader)?;
        Ok(reader.end()?)
    }
}

impl Foreword {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Unfit> {
        Ok(Self { day_began: Value::read(reader)?, shape: Value::read(reader)? })
    }

    /// Of the state of a snapshot.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn of(state: &[u8]) -> Result<Self, Unfit> {
        Self::read(&mut Reader::new(state))
    }
}

/// The newest snapshot of a journal that can be used, and lines about those that cannot.
///
/// # Errors
/// The system refuses to list them.
pub fn newest(
    disk: &mut dyn Disk,
    identity: Option<&Identity>,
) -> Result<(Option<Snapshot>, Vec<String>), JournalError> {
    let (layout, mut lines) = (layout(), Vec::new());
    for sequence in snapshots(disk)? {
        match read_snapshot(disk, sequence, identity, layout) {
            Ok(snapshot) => return Ok((Some(snapshot), lines)),
            Err(passed) => lines.push(passed.to_string()),
        }
    }
    Ok((None, lines))
}

/// Writes the whole of a venue into a snapshot; its bytes.
///
/// # Errors
/// The system refuses.
pub(super) fn write(
    disk: &mut dyn Disk,
    start: Start,
    whole: &Whole<'_, '_>,
    day_began: EventTime,
) -> Result<usize, JournalError> {
    let state = whole.save(day_began);
    let hash = whole.engine.state_hash();
    let snapshot = Snapshot { start, layout: layout(), hash, state };
    write_snapshot(disk, &snapshot)?;
    Ok(snapshot.state.len())
}
