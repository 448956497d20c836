//! Latency models: how long a session's requests take to the venue, and its answers back.
//!
//! A delay is a function of the seed, the session, what is sent and its number: the n-th entry, the
//! n-th cancel, the n-th answer of a session. Nothing else decides: no thread, no clock, no other
//! session. All arithmetic is in integers, so that a seed gives the same delays on every machine.

mod fixed;
mod model;

pub use model::{Draw, LONGEST_NS, Model, Sampler};

use spindle_engine::command::{Action, Command};
use spindle_engine::delay::Delays;
use spindle_engine::event::Event;
use spindle_types::SessionId;

/// The models of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionModels {
    /// For new orders, replacements and whatever else is no cancel.
    pub entry: Model,
    /// For cancels, account queries and mass cancels.
    pub cancel: Model,
    /// For every answer.
    pub answer: Model,
}

impl SessionModels {
    /// Whether nothing is delayed.
    pub fn is_zero(&self) -> bool {
        [&self.entry, &self.cancel, &self.answer].into_iter().all(Model::is_zero)
    }
}

#[derive(Clone, Debug)]
struct Session {
    rank: u16,
    entry: Sampler,
    cancel: Sampler,
    answer: Sampler,
}

/// The models of all sessions, ready to be drawn from.
#[derive(Clone, Debug, Default)]
pub struct SessionDelays {
    sessions: Vec<Option<Session>>,
}

impl SessionDelays {
    /// Models by session, in the order of their ranks.
    pub fn new<'a>(
        seed: u64,
        sessions: impl IntoIterator<Item = (SessionId, &'a SessionModels)>,
    ) -> Self {
        let mut all = Vec::new();
        for (rank, (id, models)) in (0..u16::MAX).zip(sessions) {
            if all.len() <= id.index() {
                all.resize(id.index() + 1, None);
            }
            let sampler = |model: &Model, kind| Sampler::new(model.clone(), seed, id, kind);
            all[id.index()] = Some(Session {
                rank,
                entry: sampler(&models.entry, 0),
                cancel: sampler(&models.cancel, 1),
                answer: sampler(&models.answer, 2),
            });
        }
        Self { sessions: all }
    }

    fn session(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(id.index())?.as_mut()
    }
}

impl Delays for SessionDelays {
    fn of_command(&mut self, command: &Command) -> u64 {
        let is_cancel =
            matches!(command.action, Action::Cancel(_) | Action::Modify(_) | Action::MassCancel(_));
        self.session(command.session).map_or(0, |session| {
            if is_cancel { session.cancel.draw() } else { session.entry.draw() }
        })
    }

    fn of_event(&mut self, event: &Event) -> u64 {
        self.session(event.session).map_or(0, |session| session.answer.draw())
    }

    fn rank(&self, session: SessionId) -> u16 {
        let known = self.sessions.get(session.index()).and_then(Option::as_ref);
        known.map_or(u16::MAX, |session| session.rank)
    }
}
