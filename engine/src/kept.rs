//! The whole state of an engine as bytes, and back: for snapshots.
//!
//! Every table is written as it lies, free places included, so that an engine that was filled goes on as the one that was
//! written would have, to the last number. What a configuration says is no part of it: an engine is filled that was made
//! from the same.

use spindle_types::keep::{Pen, Reader, Shape, State, Unfit};

use crate::engine::Engine;

/// What an engine consists of; another layout has another number.
pub const SHAPE: Shape = <Engine as State>::SHAPE;

impl Engine {
    /// Writes down all that decides what comes next. What waits in the outbox is told already and is no part of it.
    pub fn save(&self, pen: &mut Pen) {
        State::save(self, pen);
    }

    /// Fills an engine that was made from the same configuration. After an error it must not be used.
    ///
    /// # Errors
    /// Bytes that are no state of it.
    pub fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), Unfit> {
        self.outbox.clear();
        State::load(self, reader)
    }

    /// Whether what the parts know of each other is there.
    pub(crate) fn settle_kept(&mut self) -> Result<(), Unfit> {
        let own = self.own.leads_somewhere(self.books.slots(), self.books.instruments());
        let places = self.own.places();
        let named = self.books.own_places().all(|place| (place as usize) < places);
        #[cfg(feature = "verify")]
        self.verify_anew();
        match own && named && self.extras.leads_somewhere() {
            true => Ok(()),
            false => Err(Unfit::new("Engine", "a place that there is not")),
        }
    }
}
