//! What the tests with real sockets share: a clock that stands still, an engine that stands in for
//! the real one, and a world in which everything is stepped by hand in one thread.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::command::{Action, Command, Enter, MassCancel, Replace};
use spindle_engine::event::{Basis, CancelReason, Event, Liquidity, Outcome};
use spindle_engine::{Capacity, Engine, EngineConfig};
use spindle_gateway::client::{ClientEvent, ClientTiming, Login, OuchClient, Resume};
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::{Clock, Gateway, GatewayConfig, GatewayNotice, User};
use spindle_risk::{Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, Agent, EventTime, InstrumentId, MatchNumber, OrderReference, OrderToken, Price,
    Quantity, SessionId,
};

/// One second of the test's clock.
pub const SECOND: u64 = 1_000_000_000;

/// Turns after which a test gives up waiting.
const TURNS_MAX: usize = 2_000_000;

/// An engine with AAPL and room for this many orders in all, of them so many of strategies, and with accounts
/// 1 and 2 that may do nearly everything, with so many orders open at once each.
pub fn engine_of_two(orders: usize, own_orders: usize, open_orders_max: u64) -> Engine {
    let mut gate = Gate::new(4);
    let limits = Limits::NONE
        .with(Key::OrderSizeMax, 10_000)
        .with(Key::OrderValueMax, 1_000_000_000_000)
        .with(Key::CollarPercent, 1_000)
        .with(Key::OpenOrdersMax, open_orders_max);
    for account in [AccountId(1), AccountId(2)] {
        gate.set_limits(Target::Account(account), limits).expect("good limits");
    }
    let capacity = Capacity { orders, levels: 1_000, instruments: 4 };
    let (mut engine, _tops) =
        Engine::new(&EngineConfig { capacity, own_orders, first_number: 1 }, gate);
    engine.add_instrument(InstrumentId(1), "AAPL".parse().expect("a symbol"));
    engine
}

/// A clock that moves only when the test says so.
#[derive(Clone, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub fn advance(&self, nanoseconds: u64) {
        self.0.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn time_of_day(&self) -> EventTime {
        EventTime(EventTime::at(9, 30, 0).0 + self.now_ns())
    }
}

/// Stands in for the engine: accepts every order, fills those for FILL at once, and knows which
/// orders are open.
pub struct StandIn {
    commands: Consumer<Command>,
    events: Producer<Event>,
    open: HashMap<(SessionId, OrderToken), (Enter, OrderReference)>,
    sequence: u64,
    /// While it is, it takes nothing from its ring.
    pub paused: bool,
    /// Every command that it has taken.
    pub taken: Vec<Command>,
}

impl StandIn {
    /// An engine at the other ends of these rings.
    pub fn new(commands: Consumer<Command>, events: Producer<Event>) -> Self {
        let open = HashMap::new();
        Self { commands, events, open, sequence: 0, paused: false, taken: Vec::new() }
    }

    fn tell(&mut self, command: &Command, token: OrderToken, outcome: Outcome) {
        self.sequence += 1;
        let event = Event {
            sequence: self.sequence,
            time: EventTime(self.sequence),
            session: command.session,
            account: command.account,
            token,
            received: command.received,
            queued: command.queued,
            outcome,
        };
        self.events.push(event).expect("the tests leave room for events");
    }

    /// Takes commands while there is room for all that they can cause.
    pub fn poll(&mut self) -> usize {
        let mut taken = 0;
        while !self.paused && self.events.slots() >= self.open.len() + 2 {
            let Ok(command) = self.commands.pop() else {
                break;
            };
            self.taken.push(command);
            taken += 1;
            match command.action {
                Action::Enter(enter) => self.enter(&command, enter),
                Action::Replace(replace) => self.replace(&command, replace),
                Action::Cancel(cancel) => {
                    let outcome = match self.open.remove(&(command.session, cancel.token)) {
                        Some((enter, _)) => Outcome::Canceled {
                            quantity: enter.quantity,
                            open: Quantity::ZERO,
                            reason: CancelReason::UserRequest,
                        },
                        None => Outcome::CancelRejected,
                    };
                    self.tell(&command, cancel.token, outcome);
                }
                Action::Refuse(refuse) => {
                    let (reason, observed) = (refuse.reason, refuse.observed);
                    let attributes = refuse.attributes;
                    let outcome = Outcome::Rejected { reason, limit: 0, observed, attributes };
                    self.tell(&command, refuse.token, outcome);
                }
                Action::Modify(modify) => {
                    self.tell(&command, modify.token, Outcome::CancelRejected);
                }
                Action::MassCancel(mass) => self.mass_cancel(&command, mass),
            }
        }
        taken
    }

    /// Cancels what a session has open, of all instruments or one.
    fn mass_cancel(&mut self, command: &Command, mass: MassCancel) {
        let means = |session, enter: &Enter| {
            mass.session.is_none_or(|meant| meant == session)
                && mass.symbol.is_none_or(|meant| meant == enter.symbol)
                && mass.side.is_none_or(|meant| meant == enter.side.book_side())
        };
        let open = self.open.iter().filter(|((session, _), (enter, _))| means(*session, enter));
        let mut meant: Vec<_> = open.map(|(key, (_, reference))| (reference.0, *key)).collect();
        meant.sort_unstable_by_key(|(reference, _)| *reference);
        for (_, (session, token)) in &meant {
            let (enter, _) = self.open.remove(&(*session, *token)).expect("it is open");
            let to = Command { session: *session, received: 0, ..*command };
            let (quantity, open) = (enter.quantity, Quantity::ZERO);
            let reason = CancelReason::MassCancel;
            self.tell(&to, *token, Outcome::Canceled { quantity, open, reason });
        }
        let orders = u32::try_from(meant.len()).expect("few");
        self.tell(command, mass.token, Outcome::MassCanceled { orders });
    }

    fn enter(&mut self, command: &Command, enter: Enter) {
        let reference = OrderReference(self.sequence + 1);
        let accepted = Outcome::Accepted {
            reference,
            symbol: enter.symbol,
            side: enter.side,
            quantity: enter.quantity,
            limit: enter.limit,
            time_in_force: enter.time_in_force,
            live: true,
            attributes: enter.attributes,
        };
        self.tell(command, enter.token, accepted);
        if enter.symbol.0 == *b"FILL    " {
            let executed = Outcome::Executed {
                quantity: enter.quantity,
                price: enter.limit.unwrap_or(Price(1)),
                open: Quantity::ZERO,
                liquidity: Liquidity::Removed,
                match_number: MatchNumber(self.sequence),
                tape: None,
                basis: Basis::Queue,
            };
            self.tell(command, enter.token, executed);
        } else {
            self.open.insert((command.session, enter.token), (enter, reference));
        }
    }

    fn replace(&mut self, command: &Command, replace: Replace) {
        let original = replace.original;
        let Some((enter, _)) = self.open.remove(&(command.session, original)) else {
            return self.tell(command, replace.token, Outcome::ReplaceRejected { original });
        };
        if replace.quantity.is_zero() {
            let (quantity, open) = (enter.quantity, Quantity::ZERO);
            let reason = CancelReason::InvalidReplace;
            return self.tell(command, original, Outcome::Canceled { quantity, open, reason });
        }
        let reference = OrderReference(self.sequence + 1);
        let attributes = replace.attributes.or(enter.attributes);
        let outcome = Outcome::Replaced {
            original,
            reference,
            symbol: enter.symbol,
            side: enter.side,
            quantity: replace.quantity,
            limit: replace.limit,
            time_in_force: replace.time_in_force.unwrap_or(enter.time_in_force),
            attributes,
        };
        self.tell(command, replace.token, outcome);
        let standing = Enter {
            token: replace.token,
            quantity: replace.quantity,
            limit: replace.limit,
            attributes,
            ..enter
        };
        self.open.insert((command.session, replace.token), (standing, reference));
    }
}

/// A client with everything that it was told.
pub struct Trader {
    pub client: OuchClient<ManualClock>,
    /// What it was told, as short texts.
    pub told: Vec<String>,
    /// The bytes of every message, with its number.
    pub messages: Vec<(u64, Vec<u8>)>,
}

impl Trader {
    pub fn poll(&mut self) -> usize {
        let Self { client, told, messages } = self;
        client.poll(&mut |event| {
            if let ClientEvent::Message { sequence, message } = event {
                messages.push((sequence, message.to_owned_bytes()));
            }
            told.push(text(&event));
        })
    }

    /// What it was told since the last call.
    pub fn take_told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

/// An event in one short line.
pub fn text(event: &ClientEvent<'_>) -> String {
    match event {
        ClientEvent::LoggedIn { sequence, .. } => format!("login {sequence}"),
        ClientEvent::Unreadable { error, .. } => format!("unreadable {error}"),
        ClientEvent::Disconnected(cause) => format!("disconnected: {cause}"),
        ClientEvent::Mark => "mark".to_owned(),
        ClientEvent::Message { sequence, message } => {
            format!("{sequence} {}", message_text(message))
        }
    }
}

/// A message in a few words.
pub fn message_text(message: &Message<'_>) -> String {
    match message {
        Message::SystemEvent(m, _) => format!("day {}", char::from(m.event_code)),
        Message::Accepted(m, _) => {
            format!("accepted {} {}", m.user_ref_num, char::from(m.state))
        }
        Message::Replaced(m, _) => format!("replaced {} {}", m.original, m.user_ref_num),
        Message::Canceled(m, _) => {
            format!("canceled {} {} {}", m.user_ref_num, m.quantity, char::from(m.reason))
        }
        Message::Executed(m, _) => format!("executed {} {}", m.user_ref_num, m.quantity),
        Message::Rejected(m, _) => format!("rejected {} {:02x}", m.user_ref_num, m.reason.get()),
        Message::AccountQueryResponse(m, _) => format!("next {}", m.next_user_ref_num),
        Message::MassCancelResponse(m, _) => format!("mass-canceled {}", m.user_ref_num),
        Message::DisableEntryResponse(m, _) => format!("disabled {}", m.user_ref_num),
        Message::EnableEntryResponse(m, _) => format!("enabled {}", m.user_ref_num),
        Message::Modified(m, _) => {
            format!("modified {} {} {}", m.user_ref_num, char::from(m.side), m.quantity)
        }
        other => other.name().to_owned(),
    }
}

/// A gateway, its engine and the clock.
pub struct World {
    pub clock: ManualClock,
    pub gateway: Gateway<ManualClock>,
    pub engine: StandIn,
    pub notices: Consumer<GatewayNotice>,
    pub address: SocketAddr,
}

/// A user `name` with the password PASS.
pub fn user(name: &str, session: u16) -> User {
    User::new(name, "PASS", SessionId(session), AccountId(session))
}

/// A gateway on a free port of loopback for the users ALICE (session 1) and BOB (session 2).
pub fn config() -> GatewayConfig {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let users = vec![user("ALICE", 1), user("BOB", 2)];
    GatewayConfig { users, ..GatewayConfig::new(listen, "DAY01") }
}

impl World {
    pub fn new(config: &GatewayConfig) -> Self {
        Self::with_rings(config, 1_024)
    }

    pub fn with_rings(config: &GatewayConfig, commands_max: usize) -> Self {
        let clock = ManualClock::default();
        let (commands, engine_commands) = RingBuffer::new(commands_max);
        let (engine_events, events) = RingBuffer::new(4_096);
        let mut gateway =
            Gateway::bind(config, clock.clone(), commands, events).expect("a free port");
        let notices = gateway.notices(1_024);
        let engine = StandIn::new(engine_commands, engine_events);
        let address = gateway.local_address();
        Self { clock, gateway, engine, notices, address }
    }

    /// One turn of everything but clients.
    pub fn turn(&mut self) -> usize {
        self.gateway.poll() + self.engine.poll()
    }

    /// A client that has begun to connect.
    pub fn trader(&self, name: &str, password: &str, resume: Resume) -> Trader {
        let login = Login::new(name, password).expect("a login");
        let timing = ClientTiming::default();
        let clock = self.clock.clone();
        let client = OuchClient::resume_later(self.address, login, resume, timing, clock);
        Trader { client, told: Vec::new(), messages: Vec::new() }
    }

    /// A client that is logged in, from the first message on, and has read what there was.
    pub fn logged_in(&mut self, name: &str) -> Trader {
        let mut trader = self.trader(name, "PASS", Resume::START);
        self.until(&mut trader, |trader| trader.client.is_live());
        self.quiet(&mut [&mut trader]);
        trader
    }

    /// Turns until the condition holds.
    pub fn until(&mut self, trader: &mut Trader, condition: impl Fn(&Trader) -> bool) {
        for _ in 0..TURNS_MAX {
            self.turn();
            trader.poll();
            if condition(trader) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("it never came true; told so far: {:?}", trader.told);
    }

    /// Turns until nothing happens for a while.
    pub fn quiet(&mut self, traders: &mut [&mut Trader]) {
        let mut idle = 0;
        for _ in 0..TURNS_MAX {
            let told: usize = traders.iter_mut().map(|trader| trader.poll()).sum();
            if self.turn() + told == 0 {
                idle += 1
            } else {
                idle = 0
            }
            if idle > 1_000 {
                return;
            }
            std::thread::yield_now();
        }
        panic!("it never became quiet");
    }

    /// The notices since the last call, as they would stand in the log, without addresses.
    pub fn log(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.notices.pop().ok())
            .map(|notice| {
                let line = notice.to_string();
                let words = line.split(' ').map(|word| {
                    let is_address = word.trim_end_matches(':').parse::<SocketAddr>().is_ok();
                    if is_address { "PEER" } else { word }
                });
                words.collect::<Vec<_>>().join(" ")
            })
            .collect()
    }
}
