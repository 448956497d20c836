//! A mix of orders over sessions of any protocol, as the load sees it.

use serde::{Deserialize, Serialize};
use spindle_types::Symbol;

use super::mix::{Mix, Order, Request, Role};
use crate::load::Peer;

/// Requests of one session whose answers can be awaited at once, and how far apart the numbers of two
/// orders that are open at once may be.
const PLACES: usize = 1 << 16;

/// What a session was told of a request or an order, known by the session's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The number.
    pub number: u64,
    /// What.
    pub told: Told,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The order or the replacement stands, or was taken at once.
    Accepted,
    /// Shares were executed.
    Executed,
    /// The order is gone.
    Canceled,
    /// The request is refused, with the protocol's code.
    Rejected(u64),
}

/// One session, over whatever protocol. No call blocks.
pub trait Link {
    /// Enters an order of 100 shares and gives its number; `None` while the socket takes nothing more.
    fn enter(&mut self, symbol: Symbol, order: &Order) -> Option<u64>;

    /// Cancels an order and gives the number by which the answer will be known.
    fn cancel(&mut self, number: u64, symbol: Symbol, order: &Order) -> Option<u64>;

    /// Replaces an order and gives the number of the replacement.
    fn replace(&mut self, number: u64, symbol: Symbol, order: &Order) -> Option<u64>;

    /// Takes what has come.
    fn poll(&mut self, each: &mut impl FnMut(Seen));

    /// Why it is over, if it is.
    fn gone(&self) -> Option<String>;
}

/// What came of a mix, in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Orders that were accepted, replacements among them.
    pub accepted: u64,
    /// Cancels that were carried out.
    pub canceled: u64,
    /// Executions told.
    pub executed: u64,
    /// Requests that were refused.
    pub rejected: u64,
    /// The code of the last refusal.
    pub last_reject: u64,
    /// The code of the first; what follows may be its consequence.
    #[serde(default)]
    pub first_reject: u64,
}

impl Tally {
    /// A request was refused with this code.
    pub const fn refuse(&mut self, code: u64) {
        if self.rejected == 0 {
            self.first_reject = code;
        }
        self.rejected += 1;
        self.last_reject = code;
    }

    /// Requests that were answered.
    pub const fn requests(&self) -> u64 {
        self.accepted + self.canceled + self.rejected
    }
}

/// What a number stands for.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    /// The request that waits for its answer, and whether it is a cancel.
    waits: Option<(usize, bool)>,
    order: Order,
}

/// The sessions of a load.
pub struct Trading<L> {
    links: Vec<L>,
    places: Vec<Box<[Option<Place>]>>,
    mix: Mix,
    tally: Tally,
    /// What could not be sent, and is sent first.
    held: Option<(usize, Request)>,
    next: usize,
}

impl<L: Link> Trading<L> {
    /// These sessions with this mix.
    pub fn new(links: Vec<L>, mix: Mix) -> Self {
        let places = links.iter().map(|_| vec![None; PLACES].into()).collect();
        Self { links, places, mix, tally: Tally::default(), held: None, next: 0 }
    }

    /// What came so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
const fn place_of(number: u64) -> usize {
    number as usize % PLACES
}

impl<L: Link> Peer for Trading<L> {
    fn send(&mut self, request: usize) -> bool {
        let (session, what) = match self.held.take() {
            Some(held) => held,
            None => {
                let session = self.next;
                self.next = (self.next + 1) % self.links.len();
                (session, self.mix.next(session))
            }
        };
        let link = &mut self.links[session];
        let (number, is_cancel, order) = match what {
            Request::Enter(order) => (link.enter(self.mix.symbol(&order), &order), false, order),
            Request::Cancel(number, order) => {
                (link.cancel(number, self.mix.symbol(&order), &order), true, order)
            }
            Request::Replace(number, order) => {
                (link.replace(number, self.mix.symbol(&order), &order), false, order)
            }
        };
        let Some(number) = number else {
            self.held = Some((session, what));
            return false;
        };
        let waits = Some((request, is_cancel));
        self.places[session][place_of(number)] = Some(Place { number, waits, order });
        true
    }

    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        let Self { links, places, mix, tally, .. } = self;
        for (session, (link, places)) in links.iter_mut().zip(places).enumerate() {
            link.poll(&mut |seen| {
                let place = places[place_of(seen.number)].as_mut();
                let place = place.filter(|place| place.number == seen.number);
                let waited = place.as_ref().and_then(|place| place.waits);
                if matches!(seen.told, Told::Executed) {
                    tally.executed += 1;
                }
                let (Some(place), Some((request, is_cancel))) = (place, waited) else {
                    return;
                };
                place.waits = None;
                match seen.told {
                    Told::Accepted => {
                        tally.accepted += 1;
                        mix.stands(session, seen.number, place.order);
                    }
                    Told::Canceled if is_cancel => tally.canceled += 1,
                    Told::Rejected(code) => {
                        tally.refuse(code);
                        if !is_cancel {
                            mix.refused(session, place.order);
                        }
                    }
                    Told::Executed | Told::Canceled => {
                        debug_assert!(
                            place.order.role != Role::Rest,
                            "it was told of an order first"
                        );
                    }
                }
                answered(request);
            });
        }
    }

    fn gone(&self) -> Option<String> {
        self.links.iter().find_map(Link::gone)
    }
}

impl<L> Trading<L> {
    /// The sessions, to log them out.
    pub fn links(&mut self) -> &mut [L] {
        &mut self.links
    }
}
