//! What the fill rules cost: a day through the books alone, through the engine without a strategy's
//! order, and through the engine with 16 strategies that keep 1,000 orders resting, all three in one
//! run, in turns of a batch each. `cargo bench -p spindle-benches --bench tape -- FILE`; without a
//! file a day is made up.
//!
//! The books alone are decoding, looking ahead, the books, the tops of book, and the count of what
//! came and of what was unknown: what remains of the engine when no order of a strategy can come. Each batch is taken by all three before the next, in an
//! order that changes, so that a slow moment of the machine meets all alike; the figures are the
//! ratios of one batch, and of those the median and the middle half.

use std::process::ExitCode;
use std::time::Instant;

use spindle_engine::command::{
    Action, Attributes, Command, Enter, Modifiers, OrderKind, OrderSide, TimeInForce,
};
use spindle_engine::{Books, Capacity, Engine, EngineConfig, OrderKey, Place, Placement};
use spindle_feed::itch::{
    AddOrder, OrderCancel, OrderDelete, OrderExecuted, OrderExecutedWithPrice, OrderReplace,
};
use spindle_feed::top::{TopWriter, top_table};
use spindle_replay::generate::{GenerateConfig, GeneratedDay};
use spindle_replay::recording::{Batch, Recording};
use spindle_risk::{Gate, Limits, Target};
use spindle_types::{
    AccountId, EventTime, InstrumentId, OrderReference, OrderToken, Price, Quantity, Sequence,
    SessionId, Side,
};
use zerocopy::FromBytes;

const STRATEGIES: u16 = 16;
const RESTING: usize = 1_000;
/// Messages in one turn.
const TURN: usize = 100_000;
/// Turns before the clock is looked at: until then orders come to stand, and memory is warm.
const WARM: usize = 10;
/// Messages of the made-up day, and its instruments.
const MESSAGES: u64 = 10_000_000;
const INSTRUMENTS: u16 = 8_000;
const CAPACITY: Capacity = Capacity { instruments: 1 << 14, orders: 2_000_000, levels: 1_000_000 };

/// The books alone.
struct Plain {
    books: Books,
    tops: TopWriter,
    /// The number and the time of the message that is carried out.
    sequence: Sequence,
    time: EventTime,
    messages: u64,
    unknown: u64,
    refused: u64,
    /// Instruments of which anything is known, a bit each.
    known: Vec<u64>,
}

/// A message and the bytes behind it, its length, and where it leads.
type Waiting<'a> = (&'a [u8], usize, Place);

const GROUP: usize = 8;
const RING: usize = 8;
const AHEAD: usize = 4;

impl Plain {
    fn new() -> Self {
        let mut books = Books::new(CAPACITY);
        books.warm_up();
        Self {
            books,
            tops: top_table(CAPACITY.instruments).0,
            sequence: Sequence(0),
            time: EventTime(0),
            messages: 0,
            unknown: 0,
            refused: 0,
            known: vec![0; CAPACITY.instruments / 64],
        }
    }

    /// As `Engine::on_messages`, message by message and look by look.
    #[inline(never)]
    fn on_messages(&mut self, turn: &Turn) {
        let count = turn.ends.len();
        let nothing: Waiting<'_> = (&[], 0, Place::default());
        let mut ring = [[nothing; GROUP]; RING];
        let groups = count.div_ceil(GROUP);
        let size = |group: usize| GROUP.min(count - group * GROUP);
        for step in 0..groups + AHEAD {
            let behind = |by: usize| step.checked_sub(by).filter(|&group| group < groups);
            if let Some(group) = behind(0) {
                for (at, waiting) in (group * GROUP..).zip(&mut ring[group % RING][..size(group)]) {
                    let (bytes, length) = turn.in_place(at);
                    *waiting = (bytes, length, self.look(bytes));
                }
            }
            if let Some(group) = behind(1) {
                for (_, _, place) in &ring[group % RING][..size(group)] {
                    self.books.ask_for_orders(*place);
                }
            }
            if let Some(group) = behind(2) {
                for (bytes, _, place) in &mut ring[group % RING][..size(group)] {
                    self.books.ask_for_more(*place);
                    if bytes.first() == Some(&b'U')
                        && let Ok((replace, _)) = OrderReplace::ref_from_prefix(bytes)
                    {
                        let (new, price) =
                            (replace.new_reference.get(), Price(replace.price.get()));
                        *place = self.books.ask_for_replacement(*place, new, price);
                    }
                }
            }
            if let Some(group) = behind(3) {
                for (_, _, place) in &ring[group % RING][..size(group)] {
                    self.books.ask_for_tail(*place);
                }
            }
            if let Some(group) = behind(AHEAD) {
                let waiting = &ring[group % RING][..size(group)];
                for (at, (bytes, length, _)) in (group * GROUP..).zip(waiting) {
                    self.on_message(turn.sequence(at), &bytes[..(*length).min(bytes.len())]);
                }
            }
        }
    }

    #[inline]
    fn look(&self, bytes: &[u8]) -> Place {
        let Some((message, _)) = bytes.split_first_chunk::<{ AddOrder::LENGTH }>() else {
            return Place::default();
        };
        let Ok(add) = AddOrder::ref_from_bytes(message) else {
            return Place::default();
        };
        let instrument = InstrumentId(add.header.locate.get());
        let comes = matches!(add.header.message_type, b'A' | b'F');
        let side = if add.side == b'B' { Side::Buy } else { Side::Sell };
        self.tops.ask_for(instrument);
        self.books.ask_for(comes, add.reference.get(), instrument, side, Price(add.price.get()))
    }

    #[inline]
    fn publish(&mut self, instrument: InstrumentId, side: Side) {
        let best = self.books.best(instrument, side);
        let (price, size) = best.map_or((Price(0), 0), |best| (best.price, best.quantity));
        self.tops.write_side(instrument, side, price, size, self.sequence, self.time);
    }

    #[inline]
    fn begin(&mut self, sequence: Sequence, time: u64) {
        (self.sequence, self.time) = (sequence, EventTime(time));
        self.messages += 1;
    }

    #[inline(always)]
    fn on_message(&mut self, sequence: Sequence, bytes: &[u8]) {
        match bytes.first() {
            Some(b'A' | b'F') => {
                let Ok((add, _)) = AddOrder::ref_from_prefix(bytes) else { return };
                self.begin(sequence, add.header.time.get());
                let placement = Placement {
                    instrument: InstrumentId(add.header.locate.get()),
                    side: if add.side == b'B' { Side::Buy } else { Side::Sell },
                    quantity: Quantity(add.shares.get()),
                    price: Price(add.price.get()),
                };
                self.add(add.reference.get(), &placement);
            }
            Some(b'D') => {
                let Ok((delete, _)) = OrderDelete::ref_from_prefix(bytes) else { return };
                self.begin(sequence, delete.header.time.get());
                if let Some(slot) = self.find(delete.reference.get()) {
                    self.remove(slot);
                }
            }
            Some(b'E') => {
                let Ok((executed, _)) = OrderExecuted::ref_from_prefix(bytes) else { return };
                self.begin(sequence, executed.header.time.get());
                self.reduce(executed.reference.get(), executed.shares.get());
            }
            Some(b'C') => {
                let Ok((executed, _)) = OrderExecutedWithPrice::ref_from_prefix(bytes) else {
                    return;
                };
                self.begin(sequence, executed.header.time.get());
                self.reduce(executed.reference.get(), executed.shares.get());
            }
            Some(b'X') => {
                let Ok((cancel, _)) = OrderCancel::ref_from_prefix(bytes) else { return };
                self.begin(sequence, cancel.header.time.get());
                self.reduce(cancel.reference.get(), cancel.shares.get());
            }
            Some(b'U') => {
                let Ok((replace, _)) = OrderReplace::ref_from_prefix(bytes) else { return };
                self.begin(sequence, replace.header.time.get());
                self.replace(replace);
            }
            _ => self.messages += 1,
        }
    }

    #[inline]
    fn find(&mut self, reference: u64) -> Option<u32> {
        let found =
            OrderKey::market(OrderReference(reference)).and_then(|key| self.books.find(key));
        self.unknown += u64::from(found.is_none());
        found
    }

    #[inline(always)]
    fn add(&mut self, reference: u64, placement: &Placement) {
        let Some(key) = OrderKey::market(OrderReference(reference)) else { return };
        match self.books.add(key, placement, None) {
            Ok(placed) => {
                let instrument = placement.instrument;
                if placed.new_level {
                    self.known[instrument.index() / 64] |= 1 << (instrument.index() % 64);
                }
                if placed.best_changed {
                    self.publish(instrument, placement.side);
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    #[inline(always)]
    fn remove(&mut self, slot: u32) {
        let order = self.books.order(slot);
        let (instrument, side) = (order.instrument(), order.side());
        if self.books.remove(slot) {
            self.publish(instrument, side);
        }
    }

    #[inline(never)]
    fn reduce(&mut self, reference: u64, by: u32) {
        let Some(slot) = self.find(reference) else { return };
        let order = self.books.order(slot);
        if by >= order.quantity() {
            return self.remove(slot);
        }
        let (instrument, side) = (order.instrument(), order.side());
        if self.books.reduce(slot, Quantity(by)) {
            self.publish(instrument, side);
        }
    }

    #[inline(never)]
    fn replace(&mut self, replace: &OrderReplace) {
        let Some(slot) = self.find(replace.reference.get()) else { return };
        let order = self.books.order(slot);
        let placement = Placement {
            instrument: order.instrument(),
            side: order.side(),
            quantity: Quantity(replace.shares.get()),
            price: Price(replace.price.get()),
        };
        self.remove(slot);
        self.add(replace.new_reference.get(), &placement);
    }
}

/// Messages of one turn, one behind the other.
#[derive(Default)]
struct Turn {
    first: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Turn {
    fn sequence(&self, at: usize) -> Sequence {
        Sequence(self.first + at as u64)
    }

    fn in_place(&self, at: usize) -> (&[u8], usize) {
        let begin = if at == 0 { 0 } else { self.ends[at - 1] };
        (&self.bytes[begin..], self.ends[at] - begin)
    }
}

#[inline(never)]
fn apply(engine: &mut Engine, turn: &Turn) {
    engine.on_messages(
        turn.ends.len(),
        |at| turn.sequence(at),
        |at| turn.in_place(at),
        |_, _, _| {},
    );
}

fn engine() -> Engine {
    let limits = Limits::NONE;
    let mut gate = Gate::new(usize::from(STRATEGIES));
    for account in 0..STRATEGIES {
        gate.set_limits(Target::Account(AccountId(account)), limits).expect("limits");
    }
    let config = EngineConfig {
        capacity: CAPACITY,
        own_orders: 4_096,
        first_number: EngineConfig::BESIDE_A_FEED,
    };
    let mut engine = Engine::new(&config, gate).0;
    engine.warm_up();
    engine
}

/// Brings strategies' orders back to their number, at the best prices of instruments in turn: the
/// busiest of a day, whose numbers a made-up day begins with, come as often as all others.
struct Strategies {
    tokens: u32,
    next: u16,
    entered: u64,
}

impl Strategies {
    fn fill_up(&mut self, engine: &mut Engine, instruments: &[InstrumentId]) {
        let mut tries = 0;
        while engine.own_orders() < RESTING && tries < 4 * RESTING {
            tries += 1;
            self.tokens += 1;
            let instrument = instruments[usize::from(self.next) % instruments.len()];
            let side = if self.tokens.is_multiple_of(2) { Side::Buy } else { Side::Sell };
            self.next = self.next.wrapping_add(u16::from(side == Side::Buy));
            let symbol = engine.instruments().get(instrument).symbol;
            let Some(best) = engine.books().best(instrument, side) else { continue };
            let number = u16::try_from(self.tokens % u32::from(STRATEGIES)).expect("small");
            let command = Command {
                time: engine.time(),
                session: SessionId(number),
                account: AccountId(number),
                received: 0,
                queued: 0,
                action: Action::Enter(Enter {
                    token: OrderToken(self.tokens),
                    symbol,
                    side: if side == Side::Buy { OrderSide::Buy } else { OrderSide::Sell },
                    quantity: Quantity(100),
                    limit: Some(best.price),
                    kind: OrderKind::Plain,
                    modifiers: Modifiers::NONE,
                    time_in_force: TimeInForce::Day,
                    attributes: Attributes::default(),
                }),
            };
            engine.on_command(&command, &mut ());
            engine.clear_outbox();
            self.entered += 1;
        }
    }
}

/// The busiest instruments of a turn.
fn busiest(turn: &Turn, most: usize) -> Vec<InstrumentId> {
    let mut counts = vec![(0_u32, 0_u16); CAPACITY.instruments];
    for at in 0..turn.ends.len() {
        let (bytes, _) = turn.in_place(at);
        let locate = u16::from_be_bytes([bytes[1], bytes[2]]);
        if let Some(count) = counts.get_mut(usize::from(locate))
            && locate > 0
        {
            *count = (count.0 + 1, locate);
        }
    }
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts.truncate(most);
    counts.into_iter().map(|(_, locate)| InstrumentId(locate)).collect()
}

/// Median and middle half of ratios, in percent.
fn spread(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| 100.0 * ratios[(ratios.len() - 1) * part / 4];
    format!("{:.1} % ({:.1} to {:.1} in the middle half)", at(2), at(1), at(3))
}

fn main() -> ExitCode {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut recording = match &file {
        Some(path) => match Recording::open(path) {
            Ok(recording) => recording,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::from(2);
            }
        },
        None => {
            let config = GenerateConfig::new(MESSAGES, INSTRUMENTS, 7).expect("a day");
            Recording::new(GeneratedDay::new(config))
        }
    };
    let (mut plain, mut alone, mut met) = (Plain::new(), engine(), engine());
    let mut strategies = Strategies { tokens: 0, next: 0, entered: 0 };
    let mut busy: Vec<InstrumentId> = Vec::new();
    let mut turn = Turn { first: 1, ..Turn::default() };
    let (mut turns, mut timed, mut sums) = (0, 0, [0.0; 3]);
    let (mut rules, mut orders) = (Vec::new(), Vec::new());
    let mut ends = false;
    while !ends {
        match recording.next_batch().expect("an intact file") {
            Some(Batch::Itch(messages)) => {
                for at in 0..messages.len() {
                    if let Some(bytes) = messages.get(at) {
                        turn.bytes.extend_from_slice(bytes);
                        turn.ends.push(turn.bytes.len());
                    }
                }
            }
            Some(_) => continue,
            None => ends = true,
        }
        if turn.ends.len() < TURN && !ends {
            continue;
        }
        let mut took = [0.0; 3];
        for nth in 0..3 {
            let which = (turns + nth) % 3;
            if which == 2 && turns >= WARM / 2 {
                if busy.is_empty() {
                    busy = busiest(&turn, RESTING / 2);
                }
                strategies.fill_up(&mut met, &busy);
            }
            let start = Instant::now();
            match which {
                0 => plain.on_messages(&turn),
                1 => apply(&mut alone, &turn),
                _ => apply(&mut met, &turn),
            }
            took[which] = start.elapsed().as_secs_f64();
            alone.clear_outbox();
            met.clear_outbox();
        }
        turns += 1;
        if turns > WARM && turn.ends.len() >= TURN {
            timed += turn.ends.len();
            rules.push(took[0] / took[1]);
            orders.push(took[1] / took[2]);
            for (sum, took) in sums.iter_mut().zip(took) {
                *sum += took;
            }
        }
        turn = Turn { first: turn.first + turn.ends.len() as u64, ..Turn::default() };
    }
    assert_eq!(plain.books.live_orders(), alone.books().live_orders(), "the same books");
    let counters = alone.counters();
    assert_eq!(
        (plain.messages, plain.unknown, plain.refused),
        (counters.market_messages, counters.unknown_references, counters.duplicate_references),
    );
    if rules.is_empty() {
        eprintln!("the day is shorter than {} messages", (WARM + 1) * TURN);
        return ExitCode::FAILURE;
    }
    #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
    let [books, without, with] = sums.map(|sum| sum * 1e9 / timed as f64);
    println!("{timed} messages in {} turns of {TURN}; nanoseconds a message:", rules.len());
    println!("  books alone {books:.1}, engine {without:.1}, with strategies {with:.1}");
    println!("speed of the engine without orders, of the books alone: {}", spread(rules));
    println!("speed with {RESTING} resting orders, of that without: {}", spread(orders));
    println!(
        "{} orders entered, {} executions, {} open at the end; left the tape: {:?}",
        strategies.entered,
        met.counters().executions,
        met.own_orders(),
        met.divergence(),
    );
    match met.imbalance() {
        None => ExitCode::SUCCESS,
        Some(imbalance) => {
            eprintln!("{imbalance}");
            ExitCode::FAILURE
        }
    }
}
