//! What every strategy of the demo has: an OUCH connection, the atomic prices of one instrument,
//! and a count of what came back.

use std::net::SocketAddr;

use hdrhistogram::Histogram;
use quanta::Clock;
use spindle_engine::latency::Latency;
use spindle_feed::top::{TopOfBook, TopReader};
use spindle_gateway::SystemClock;
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient, Replacement, SendError};
use spindle_gateway::ouch::outbound::Message;
use spindle_types::{InstrumentId, OrderToken, Symbol};

/// Requests whose sending time is remembered until they are answered; a later one takes the place
/// of an earlier.
const REMEMBERED: usize = 4_096;

/// Different OUCH reject codes; higher ones are counted with the last.
const CODES: usize = 256;

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
    /// Requests rejected, by OUCH reject code.
    pub rejects: Box<[u64; CODES]>,
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
            rejects: Box::new([0; CODES]),
            position: 0,
            round_trip: Latency::new(),
        }
    }

    /// Requests rejected.
    pub fn rejected(&self) -> u64 {
        self.rejects.iter().sum()
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

/// An answer, as far as a strategy of the demo cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The order stands.
    Accepted(OrderToken),
    /// The second stands in the place of the first.
    Replaced(OrderToken, OrderToken),
    /// Shares were executed.
    Executed(OrderToken, u32),
    /// Shares were taken off.
    Canceled(OrderToken, u32),
    /// The request is refused.
    Rejected(OrderToken),
}

/// A connection of one strategy that trades one instrument.
pub(super) struct Trader {
    client: OuchClient<SystemClock>,
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
            client: OuchClient::connect_later(address, login, SystemClock::new()),
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
    pub(super) fn enter(&mut self, order: &NewOrder) -> Option<OrderToken> {
        let token = self.client.enter(order);
        self.remember(token)
    }

    /// Replaces an order; `None` where the connection cannot take it now.
    pub(super) fn replace(
        &mut self,
        original: OrderToken,
        replacement: &Replacement,
    ) -> Option<OrderToken> {
        let token = self.client.replace(original, replacement);
        self.remember(token)
    }

    /// Cancels an order.
    pub(super) fn cancel(&mut self, token: OrderToken) {
        if self.client.cancel(token).is_ok() {
            self.tally.sent += 1;
            self.sent[token.0 as usize % REMEMBERED] = self.clock.raw();
        }
    }

    fn remember(&mut self, token: Result<OrderToken, SendError>) -> Option<OrderToken> {
        let token = token.ok()?;
        self.tally.sent += 1;
        self.sent[token.0 as usize % REMEMBERED] = self.clock.raw();
        Some(token)
    }

    /// Takes what the venue has sent and returns how much that was.
    pub(super) fn poll(&mut self, each: &mut impl FnMut(Answer)) -> usize {
        let Self { client, clock, sent, tally, .. } = self;
        let mut answered = |token: OrderToken| {
            let at = std::mem::take(&mut sent[token.0 as usize % REMEMBERED]);
            (at != 0).then(|| clock.delta_as_nanos(at, clock.raw()))
        };
        client.poll(&mut |event| match event {
            ClientEvent::Message { message, .. } => {
                let Some(answer) = note(tally, &message) else { return };
                let token = match answer {
                    Answer::Accepted(token)
                    | Answer::Replaced(_, token)
                    | Answer::Executed(token, _)
                    | Answer::Canceled(token, _)
                    | Answer::Rejected(token) => token,
                };
                if let Some(took) = answered(token) {
                    tally.round_trip.record(took);
                }
                each(answer);
            }
            ClientEvent::LoggedIn { .. }
            | ClientEvent::Unreadable { .. }
            | ClientEvent::Disconnected(_) => {}
        })
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

/// Counts a message and says what it means.
fn note(tally: &mut Tally, message: &Message<'_>) -> Option<Answer> {
    Some(match message {
        Message::Accepted(m, _) => {
            tally.accepted += 1;
            Answer::Accepted(OrderToken(m.user_ref_num.get()))
        }
        Message::Replaced(m, _) => {
            tally.accepted += 1;
            let original = OrderToken(m.original.get());
            Answer::Replaced(original, OrderToken(m.user_ref_num.get()))
        }
        Message::Executed(m, _) => {
            tally.fills += 1;
            tally.shares += u64::from(m.quantity.get());
            Answer::Executed(OrderToken(m.user_ref_num.get()), m.quantity.get())
        }
        Message::Canceled(m, _) => {
            Answer::Canceled(OrderToken(m.user_ref_num.get()), m.quantity.get())
        }
        Message::Rejected(m, _) => {
            let code = usize::from(m.reason.get()).min(CODES - 1);
            tally.rejects[code] += 1;
            Answer::Rejected(OrderToken(m.user_ref_num.get()))
        }
        _ => return None,
    })
}
