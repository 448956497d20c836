//! Cells by owner and instrument: an open-addressed table of fixed size from which nothing goes
//! before the day is over.

use spindle_types::{InstrumentId, keep};

use crate::state::Cell;

/// No cell.
pub(crate) const NONE: u32 = u32::MAX;

/// Cells, at most half of the slots.
#[derive(Clone, Debug, keep::State)]
#[keep(settle)]
pub(crate) struct Cells {
    slots: Box<[u32]>,
    cells: Box<[Cell]>,
    used: usize,
}

/// The key of an owner's cell; never 0.
#[inline]
pub(crate) const fn key_of(owner: u32, instrument: InstrumentId) -> u64 {
    ((owner as u64 + 1) << 16) | instrument.0 as u64
}

impl Cells {
    /// Whether every slot leads to a cell, and a search ends.
    fn settle_kept(&self) -> Result<(), keep::Unfit> {
        let taken = self.slots.iter().filter(|&&slot| slot != 0).count();
        let leads = |&slot: &u32| slot as usize <= self.used;
        let keyed = |cell: &Cell| cell.key >> 16 != 0 && cell.next_print < 4;
        let whole = self.used <= self.cells.len()
            && taken == self.used
            && self.slots.iter().all(leads)
            && self.iter().all(keyed);
        if whole { Ok(()) } else { Err(keep::Unfit::new("Cells", "a place that there is not")) }
    }

    pub(crate) fn new(cells_max: usize) -> Self {
        let slots = (cells_max.max(4) * 2).next_power_of_two();
        Self {
            slots: vec![0; slots].into(),
            cells: vec![Cell::default(); cells_max].into(),
            used: 0,
        }
    }

    pub(crate) const fn bytes(cells_max: usize) -> usize {
        cells_max * (size_of::<Cell>() + 16)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the high bits are what is wanted")]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.slots.len() - 1)
    }

    /// The cell with this key, or [`NONE`].
    #[inline]
    pub(crate) fn find(&self, key: u64) -> u32 {
        let mut at = self.home(key);
        loop {
            match self.slots[at] {
                0 => return NONE,
                cell if self.cells[cell as usize - 1].key == key => return cell - 1,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// The cell with this key, made where it is new; [`NONE`] where there is no room.
    #[allow(clippy::cast_possible_truncation, reason = "fewer than 2^32 cells")]
    pub(crate) fn make(&mut self, key: u64, currency: u8) -> u32 {
        let found = self.find(key);
        if found != NONE || self.used == self.cells.len() {
            return found;
        }
        let mut at = self.home(key);
        while self.slots[at] != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.cells[self.used] = Cell { key, currency, ..Cell::default() };
        self.used += 1;
        self.slots[at] = self.used as u32;
        self.used as u32 - 1
    }

    pub(crate) fn room(&self) -> usize {
        self.cells.len() - self.used
    }

    pub(crate) fn capacity(&self) -> usize {
        self.cells.len()
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&Cell> {
        self.cells.get(at as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut Cell> {
        self.cells.get_mut(at as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.cells[..self.used].iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Cell> {
        self.cells[..self.used].iter_mut()
    }

    /// Forgets all cells.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(0);
        self.used = 0;
    }
}

impl Cell {
    /// The instrument of its key.
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
    pub(crate) const fn instrument(&self) -> InstrumentId {
        InstrumentId(self.key as u16)
    }

    /// The owner of its key.
    #[allow(clippy::cast_possible_truncation, reason = "keys are made of 32 and 16 bits")]
    pub(crate) const fn owner(&self) -> u32 {
        ((self.key >> 16) - 1) as u32
    }
}
