//! Applies a journal while it is read.

use std::mem;
use std::ops::ControlFlow;

use spindle_engine::Engine;
use spindle_engine::input::kind;
use spindle_journal::{Place, Record, Visitor};
use spindle_types::Sequence;

use super::replayer::{ReplayError, Replayer, Sessions};
use crate::accounting::StrategyBooks;

/// What the records that are read are applied to.
pub struct Again<'a, 'b> {
    replayer: &'a mut Replayer,
    engine: &'a mut Engine,
    books: Option<&'a mut StrategyBooks>,
    sessions: Option<&'a mut Sessions<'b>>,
    /// What came of it so far.
    applied: Result<(), ReplayError>,
}

impl<'a, 'b> Again<'a, 'b> {
    /// To an engine, and to accounts and sessions where there are any.
    pub const fn new(
        replayer: &'a mut Replayer,
        engine: &'a mut Engine,
        books: Option<&'a mut StrategyBooks>,
        sessions: Option<&'a mut Sessions<'b>>,
    ) -> Self {
        Self { replayer, engine, books, sessions, applied: Ok(()) }
    }

    /// What came of it: why a record could not be applied, behind which none was.
    ///
    /// # Errors
    /// As [`Replayer::apply`].
    pub fn applied(&mut self) -> Result<(), ReplayError> {
        mem::replace(&mut self.applied, Ok(()))
    }
}

impl Visitor for Again<'_, '_> {
    #[inline]
    fn ahead(&mut self, kind: u16, bytes: &[u8]) {
        if kind == kind::MARKET
            && let Some(message) = bytes.get(size_of::<Sequence>()..)
        {
            self.engine.look_out(message);
        }
    }

    fn visit(&mut self, _: Place, record: &Record<'_>) -> ControlFlow<()> {
        let (books, sessions) = (self.books.as_deref_mut(), self.sessions.as_deref_mut());
        self.applied = self.replayer.apply(record, self.engine, books, sessions);
        if self.applied.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
