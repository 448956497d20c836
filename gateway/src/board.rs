//! What a gateway lets other threads see: counters, rings and sessions, written down from time to time by its
//! own thread, for any thread to read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spindle_types::SessionId;

use crate::stats::GatewayStats;

/// How often a gateway writes on its board.
pub(crate) const BOARD_NS: u64 = 10_000_000;

/// A session's place on the board.
#[derive(Debug, Default)]
struct SessionCell {
    /// The writing in which it was last logged in.
    seen: AtomicU64,
    backlog: AtomicU64,
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a gateway counts, as it stood when it last wrote. Each number stands for itself.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct GatewayCounts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        struct Cells {
            $($name: AtomicU64,)+
        }

        impl Cells {
            fn write(&self, counts: &GatewayCounts) {
                $(self.$name.store(counts.$name, Ordering::Relaxed);)+
            }

            fn read(&self) -> GatewayCounts {
                GatewayCounts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counts! {
    /// Connections that are open, those without a login included.
    open,
    /// Connections taken.
    connections,
    /// Connections turned away.
    turned_away,
    /// Logins accepted.
    logins,
    /// Logins refused.
    refused_logins,
    /// Requests put into the ring.
    commands,
    /// Requests beyond a session's throttle.
    throttled,
    /// Clients disconnected because they read too slowly.
    slow_consumers,
    /// Turns in which reading stopped because the ring to the engine was full.
    ring_full,
    /// Notices lost because nobody read their ring.
    notices_lost,
    /// Commands that wait in the ring to the engine.
    commands_used,
    /// Commands that it takes.
    commands_capacity,
    /// Events that wait in the ring from the engine.
    events_used,
    /// Events that it takes.
    events_capacity,
}

impl GatewayCounts {
    /// What is counted, without connections and rings.
    pub(crate) const fn of(stats: &GatewayStats) -> Self {
        Self {
            open: 0,
            connections: stats.connections,
            turned_away: stats.turned_away,
            logins: stats.logins,
            refused_logins: stats.refused_logins,
            commands: stats.commands,
            throttled: stats.throttled,
            slow_consumers: stats.slow_consumers,
            ring_full: stats.ring_full,
            notices_lost: stats.notices_lost,
            commands_used: 0,
            commands_capacity: 0,
            events_used: 0,
            events_capacity: 0,
        }
    }
}

/// How a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is logged in.
    pub up: bool,
    /// Bytes that wait for it to read them.
    pub backlog_bytes: u64,
}

#[derive(Debug)]
struct Board {
    cells: Cells,
    sessions: Box<[SessionCell]>,
    /// Writings so far.
    written: AtomicU64,
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct BoardWriter {
    board: Arc<Board>,
    written: u64,
    next: u64,
}

/// The reading end, for any thread.
#[derive(Clone, Debug)]
pub struct BoardReader {
    board: Arc<Board>,
}

impl BoardWriter {
    /// A board with a place for each session below `sessions`.
    pub(crate) fn new(sessions: usize) -> Self {
        let sessions = (0..sessions).map(|_| SessionCell::default()).collect();
        let board = Board { cells: Cells::default(), sessions, written: AtomicU64::new(0) };
        Self { board: Arc::new(board), written: 0, next: 0 }
    }

    pub(crate) fn reader(&self) -> BoardReader {
        BoardReader { board: Arc::clone(&self.board) }
    }

    /// Whether it is time to write again; if so, the time of the next writing is set.
    #[inline]
    pub(crate) const fn is_due(&mut self, now: u64) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now.saturating_add(BOARD_NS);
        }
        is_due
    }

    /// Writes everything: counts, and every session that is logged in.
    pub(crate) fn write(
        &mut self,
        counts: &GatewayCounts,
        up: impl Iterator<Item = (SessionId, u64)>,
    ) {
        self.written += 1;
        self.board.cells.write(counts);
        for (session, backlog) in up {
            if let Some(cell) = self.board.sessions.get(session.index()) {
                cell.backlog.store(backlog, Ordering::Relaxed);
                cell.seen.store(self.written, Ordering::Relaxed);
            }
        }
        // Release: who sees this number sees the sessions of this writing.
        self.board.written.store(self.written, Ordering::Release);
    }
}

impl BoardReader {
    /// What is counted.
    pub fn counts(&self) -> GatewayCounts {
        self.board.cells.read()
    }

    /// How a session stands.
    pub fn session(&self, session: SessionId) -> Standing {
        let written = self.board.written.load(Ordering::Acquire);
        let Some(cell) = self.board.sessions.get(session.index()) else {
            return Standing::default();
        };
        let up = written > 0 && cell.seen.load(Ordering::Relaxed) >= written;
        let backlog = cell.backlog.load(Ordering::Relaxed);
        Standing { up, backlog_bytes: if up { backlog } else { 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_up_as_long_as_it_is_written() {
        let mut writer = BoardWriter::new(2);
        let reader = writer.reader();
        let stands = |session| reader.session(SessionId(session));
        assert_eq!(stands(0), Standing::default());
        let up = |bytes| Standing { up: true, backlog_bytes: bytes };
        let counts = GatewayCounts { commands: 7, ..GatewayCounts::default() };
        writer.write(&counts, [(SessionId(0), 5), (SessionId(9), 1)].into_iter());
        assert_eq!((stands(0), stands(1)), (up(5), Standing::default()));
        assert_eq!(stands(9), Standing::default(), "there is no place for it");
        writer.write(&counts, std::iter::once((SessionId(1), 0)));
        assert_eq!((stands(0), stands(1)), (Standing::default(), up(0)));
        assert_eq!(reader.counts(), counts);
    }

    #[test]
    fn it_is_written_at_intervals() {
        let mut writer = BoardWriter::new(0);
        let due: Vec<_> = [5, 6, BOARD_NS + 4, BOARD_NS + 5, u64::MAX]
            .into_iter()
            .map(|now| writer.is_due(now))
            .collect();
        assert_eq!(due, [true, false, false, true, true]);
    }
}
