//! What the protocols of a gateway share: the ring to the engine, the time of the turn, counters
//! and notices.

use rtrb::Producer;
use spindle_engine::command::{Action, Command};
use spindle_engine::event::Event;
use spindle_engine::latency::STAMPS;
use spindle_types::{AccountId, EventTime, SessionId, keep};

use crate::config::Limits;
use crate::fix::session::Now;
use crate::notice::GatewayNotice;
use crate::record::{Head, SessionTap};
use crate::stats::GatewayStats;
use crate::vault::Vault;

/// The way from the protocols to the engine, and to people.
#[derive(keep::State)]
pub(crate) struct Port {
    #[keep(skip)]
    pub(crate) limits: Limits,
    #[keep(skip)]
    commands: Producer<Command>,
    /// For stamps; `None` when nothing is measured.
    #[keep(skip)]
    pub(crate) ticks: Option<quanta::Clock>,
    /// When the event that is being answered was taken from the ring, in raw ticks.
    #[keep(skip)]
    pub(crate) taken: u64,
    #[keep(skip)]
    pub(crate) stats: GatewayStats,
    #[keep(skip)]
    notices: Option<Producer<GatewayNotice>>,
    /// The time of this turn.
    pub(crate) now: Now,
    /// Turns so far.
    pub(crate) turn: u64,
    /// Where what happens at sessions is recorded, if it is.
    #[keep(skip)]
    pub(crate) tap: Option<SessionTap>,
    /// Commands passed on since the venue was started.
    #[keep(skip)]
    passed: u64,
    /// What verifies passwords.
    #[keep(skip)]
    pub(crate) vault: Vault,
    /// How long a wrong login waits for its refusal.
    #[keep(skip)]
    pub(crate) refusal_ns: u64,
}

impl Port {
    pub(crate) fn new(limits: Limits, commands: Producer<Command>, stamps: bool) -> Self {
        Self {
            limits,
            commands,
            ticks: (STAMPS && stamps).then(quanta::Clock::new),
            taken: 0,
            stats: GatewayStats::new(),
            notices: None,
            now: Now::default(),
            turn: 0,
            tap: None,
            passed: 0,
            vault: Vault::default(),
            refusal_ns: 0,
        }
    }

    pub(crate) fn set_notices(&mut self, ring: Producer<GatewayNotice>) {
        self.notices = Some(ring);
    }

    pub(crate) fn set_stamps(&mut self, stamps: bool) {
        self.ticks = (STAMPS && stamps).then(quanta::Clock::new);
    }

    /// The raw ticks of now; 0 when nothing is measured.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        if !STAMPS {
            return 0;
        }
        self.ticks.as_ref().map_or(0, quanta::Clock::raw)
    }

    pub(crate) fn notice(&mut self, notice: GatewayNotice) {
        if let Some(ring) = &mut self.notices
            && ring.push(notice).is_err()
        {
            self.stats.notices_lost += 1;
        }
    }

    /// Commands that wait in the ring to the engine, and those that it takes.
    pub(crate) fn commands_fill(&self) -> (usize, usize) {
        let capacity = self.commands.buffer().capacity();
        (capacity - self.commands.slots(), capacity)
    }

    /// Whether a request can be passed on: reading stops while it cannot.
    #[inline]
    pub(crate) fn takes_requests(&self) -> bool {
        !self.commands.is_full()
            && self.tap.as_ref().is_none_or(|tap| tap.takes_requests(self.now.monotonic))
    }

    /// Passes a request on. There must be room in the ring: see [`Port::takes_requests`].
    #[inline]
    pub(crate) fn pass(
        &mut self,
        session: SessionId,
        account: AccountId,
        action: Action,
        received: u64,
    ) {
        let queued = self.stamp();
        let time = EventTime(0);
        let command = Command { time, session, account, received, queued, action };
        if let Some(tap) = &mut self.tap {
            // First: when the engine has carried it out what was asked is there to be read.
            tap.pass(&command, self.now.utc, self.passed);
        }
        let pushed = self.commands.push(command);
        debug_assert!(pushed.is_ok(), "room in the ring was checked before");
        self.stats.commands += 1;
        self.passed += 1;
    }

    /// The venue begins anew: the engine counts what it is passed from here on.
    pub(crate) fn begin_anew(&mut self, now: Now) {
        (self.now, self.passed) = (now, 0);
    }

    /// Whether an event may be taken from the engine and told; if so, it counts as told.
    #[inline]
    pub(crate) fn tells(&mut self, event: &Event) -> bool {
        let Some(tap) = &mut self.tap else { return true };
        let may = tap.may_tell(event);
        if may {
            tap.told(event, self.now.utc, self.passed);
        }
        may
    }

    /// Takes the tap away; before that, where all of so many events were told, says so.
    pub(crate) fn close_tap(&mut self, told: u64) {
        if let Some(mut tap) = self.tap.take()
            && tap.last_told() == told
        {
            tap.digest(self.now.utc, self.passed);
        }
    }

    /// Passes on what was recorded before; false where there is no room.
    pub(crate) fn pass_again(&mut self, command: Command) -> bool {
        let pushed = self.commands.push(command).is_ok();
        self.passed += u64::from(pushed);
        pushed
    }

    /// Records something of a session, before what follows from it is passed on or told. For each that
    /// [`Port::takes_requests`] admits there is room, and for the few that nobody asked for.
    #[inline]
    pub(crate) fn record(&mut self, kind: u16, head: &Head, body: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.record(kind, &Head { now: self.now, ..*head }, self.passed, body);
        }
    }
}
