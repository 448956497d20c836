//! Looks over the journal's shoulder: while a sync is under way nothing counts as safe that did not before it. Whoever is on
//! another thread could act on it at once, which no order of turns on one thread would show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spindle_engine::tap::Progress;

/// Frames of the engine and of the gateway, and events.
type Safe = [u64; 3];

/// What was safe when the journal's turn began.
#[derive(Debug, Default)]
pub struct Watch {
    progress: Mutex<Option<(Arc<Progress>, Safe)>>,
    is_broken: AtomicBool,
}

fn safe(progress: &Progress) -> Safe {
    [progress.engine(), progress.gateway(), progress.events()]
}

impl Watch {
    /// A venue begins, or has ended.
    pub fn begin(&self, progress: Option<&Arc<Progress>>) {
        let watched = progress.map(|progress| (Arc::clone(progress), safe(progress)));
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// The journal's turn begins.
    pub fn look_first(&self) {
        let mut watched = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((progress, before)) = &mut *watched {
            *before = safe(progress);
        }
    }

    /// A sync begins.
    pub fn look(&self) {
        let watched = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((progress, before)) = &*watched
            && safe(progress) != *before
        {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }

    /// Whether more counted as safe in the middle of a sync.
    pub fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }
}
