//! What every strategy of the demo has: a client as anybody may have one, the atomic prices of one instrument,
//! and a count of what came back.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hdrhistogram::Histogram;
use quanta::Clock;
use spindle_engine::latency::Latency;
use spindle_feed::top::{TopOfBook, TopReader};
use spindle_gateway::client::{Login, Order, OrderEvent, OrderId, TradingClient, TradingError};
use spindle_types::{InstrumentId, Price, Quantity, Symbol};

/// Requests whose sending time is remembered until they are answered; a later one takes the place
/// of an earlier.
const REMEMBERED: usize = 4_096;

/// What a strategy did and got.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Orders accepted, replacements included.
    pub accepted: u64,
    /// Executions.
    pub fills: u64,
    /// Shares executed.
    pub shares: u64,
    /// Requests rejected, by the reason that was told.
    pub rejects: BTreeMap<String, u64>,
    /// Shares bought minus shares sold.
    pub position: i64,
    /// From sending a request to its first answer, in nanoseconds.
    pub round_trip: Latency,
}

impl Tally {
    fn new() -> Self {
        Self {
            sent: 0,
            accepted: 0,
            fills: 0,
            shares: 0,
            rejects: BTreeMap::new(),
            position: 0,
            round_trip: Latency::new(),
        }
    }

    /// Counts an event, and gives the request that it answers.
    fn note(&mut self, event: &OrderEvent) -> Option<OrderId> {
        match event {
            OrderEvent::Accepted { id, .. } | OrderEvent::Replaced { id, .. } => {
                self.accepted += 1;
                Some(*id)
            }
            OrderEvent::Executed { id, quantity, .. } => {
                self.fills += 1;
                self.shares += u64::from(*quantity);
                Some(*id)
            }
            OrderEvent::Canceled { id, .. } => Some(*id),
            OrderEvent::Rejected { id, why } => {
                *self.rejects.entry(why.clone()).or_default() += 1;
                Some(*id)
            }
            OrderEvent::NotDone { .. }
            | OrderEvent::Elsewhere { .. }
            | OrderEvent::Disconnected { .. } => None,
        }
    }

    /// Requests rejected.
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }
}

/// The times of the answers of many strategies in one histogram.
pub fn round_trips<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Histogram<u64> {
    let mut all = Latency::new().histogram();
    for tally in tallies {
        // The bounds are the same, so that nothing can fall outside.
        let _ = all.add(tally.round_trip.histogram());
    }
    all
}

/// A connection of one strategy that trades one instrument.
pub(super) struct Trader {
    client: TradingClient,
    tops: TopReader,
    instrument: InstrumentId,
    symbol: Symbol,
    clock: Clock,
    sent: Box<[u64]>,
    tally: Tally,
}

impl Trader {
    /// Begins to connect.
    pub(super) fn new(
        address: SocketAddr,
        login: Login,
        tops: TopReader,
        (instrument, symbol): (InstrumentId, Symbol),
    ) -> Self {
        Self {
            client: TradingClient::begin_ouch(address, login),
            tops,
            instrument,
            symbol,
            clock: Clock::new(),
            sent: vec![0; REMEMBERED].into(),
            tally: Tally::new(),
        }
    }

    /// The best prices of its instrument, as the engine last wrote them.
    pub(super) fn top(&self) -> TopOfBook {
        self.tops.read(self.instrument)
    }

    /// Its instrument.
    pub(super) fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Whether requests can be sent.
    pub(super) fn is_live(&self) -> bool {
        self.client.is_live()
    }

    /// Nanoseconds on a clock that never goes back.
    pub(super) fn now(&self) -> u64 {
        self.clock.delta_as_nanos(0, self.clock.raw())
    }

    /// Enters an order; `None` where the connection cannot take it now.
    pub(super) fn enter(&mut self, order: &Order) -> Option<OrderId> {
        let id = self.client.enter(order);
        self.remember(id)
    }

    /// Replaces an order; `None` where it is gone, or the connection cannot take it now.
    pub(super) fn replace(
        &mut self,
        original: OrderId,
        quantity: Quantity,
        limit: Price,
    ) -> Option<OrderId> {
        let id = self.client.replace(original, quantity, limit);
        self.remember(id)
    }

    /// Cancels an order.
    pub(super) fn cancel(&mut self, id: OrderId) {
        let asked = self.client.cancel(id).map(|()| id);
        self.remember(asked);
    }

    fn remember(&mut self, id: Result<OrderId, TradingError>) -> Option<OrderId> {
        let id = id.ok()?;
        self.tally.sent += 1;
        self.sent[place(id)] = self.clock.raw();
        Some(id)
    }

    /// Takes what the venue has sent and returns how much that was.
    pub(super) fn poll(&mut self, each: &mut impl FnMut(OrderEvent)) -> usize {
        let mut events = 0;
        while let Some(event) = self.client.poll() {
            events += 1;
            if let Some(id) = self.tally.note(&event) {
                let at = std::mem::take(&mut self.sent[place(id)]);
                if at != 0 {
                    let took = self.clock.delta_as_nanos(at, self.clock.raw());
                    self.tally.round_trip.record(took);
                }
            }
            each(event);
        }
        events
    }

    /// Counts shares bought or sold.
    pub(super) fn count_position(&mut self, shares: i64) {
        self.tally.position += shares;
    }

    /// Logs out and gives what was counted.
    pub(super) fn finish(mut self) -> Tally {
        self.client.logout();
        self.tally
    }
}

/// Where it is remembered when a request was sent.
fn place(id: OrderId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX) % REMEMBERED
}
