//! Clients: state machines that trade, lose their connections, come back at their next number, and hold everything that
//! they are told against what they were told before.

pub mod cable;
pub mod copy;
pub mod fix;
pub mod fixwire;
pub mod ouch;
pub mod soup;
pub mod trader;

use std::sync::Arc;

use quanta::Mock;

use crate::ledger::Ledger;
use crate::net::{Link, VenueEnd, Weather};
use crate::random::Random;
use crate::trace::Trace;

/// How often, in 10,000 turns, a client does what a good one does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Closes its connection.
    pub close: u64,
    /// Logs out.
    pub logout: u64,
    /// Its connection is reset.
    pub reset: u64,
    /// Its cable is cut: nobody is told.
    pub cut: u64,
    /// Stops reading for a while.
    pub stop_reading: u64,
    /// Sends what is no message.
    pub garbage: u64,
    /// Comes back from an earlier number than its next.
    pub read_again: u64,
    /// Sends a request that cannot be taken.
    pub nonsense: u64,
}

impl Manners {
    /// Nothing of it.
    pub const GOOD: Self = Self {
        close: 0,
        logout: 0,
        reset: 0,
        cut: 0,
        stop_reading: 0,
        garbage: 0,
        read_again: 0,
        nonsense: 0,
    };
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Clients trade, and faults happen.
    Trade,
    /// No more faults and orders: everybody comes back and hears what there is to hear.
    Settle,
    /// Everybody cancels what is open.
    Cancel,
}

/// What may be lost: by crashes in `async`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MayLose {
    /// When the venue crashed.
    pub crashed: Vec<u64>,
    /// How long before that an answer may have come at most, in nanoseconds; `None` where nothing may be lost.
    pub window_ns: Option<u64>,
}

impl MayLose {
    /// Whether something that came at this time may be lost.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, when: u64) -> Result<(), String> {
        let Some(window) = self.window_ns else { return Err("nothing may be lost".to_owned()) };
        let next = self.crashed.iter().find(|&&crashed| crashed >= when);
        match next {
            Some(crashed) if crashed - when <= window => Ok(()),
            Some(crashed) => {
                Err(format!("it came {} ns before the crash, {window} may be", crashed - when))
            }
            None => Err("there was no crash since".to_owned()),
        }
    }
}

/// What surrounds a client in its turn.
pub struct Around<'a> {
    /// The time.
    pub now: u64,
    /// What the run is about.
    pub act: Act,
    /// Whether the venue takes connections.
    pub venue_is_up: bool,
    /// Crashes so far.
    pub crashes: u64,
    /// What may be lost, if anything.
    pub may_lose: &'a MayLose,
    /// The network.
    pub weather: Weather,
    /// New connections for the venue.
    pub arriving: &'a mut Vec<(VenueEnd, usize)>,
    /// The clock.
    pub clock: &'a Arc<Mock>,
    /// What is seen.
    pub trace: &'a mut Trace,
}

impl Around<'_> {
    /// Connects client number `client`.
    pub fn connect(&mut self, client: usize, random: &mut Random) -> Link {
        let (link, end) = Link::open(self.weather, random.fork(), Arc::clone(self.clock));
        self.arriving.push((end, client));
        link
    }
}

/// A client.
pub trait Client {
    /// Its turn.
    ///
    /// # Errors
    /// What cannot be, of what it was told.
    fn step(&mut self, around: &mut Around<'_>) -> Result<(), String>;

    /// The connection that it has.
    fn link(&self) -> Option<&Link>;

    /// Everything is said: it has to have heard all up to the venue's next number, and an answer to all that it asked. In `async`
    /// what it knows beyond that number is lost.
    ///
    /// # Errors
    /// What it waits for.
    fn settle(&mut self, next_out: u64, may_lose: &MayLose) -> Result<(), String>;

    /// Goes back to the beginning: reads everything again.
    fn read_all_again(&mut self);

    /// What it knows of its orders.
    fn ledger(&self) -> &Ledger;

    /// Its name.
    fn name(&self) -> &str;

    /// As what a drop copy, or over SoupBinTCP, sees it.
    fn as_soup(&self) -> Option<&soup::SoupClient> {
        None
    }
}
