//! An agent with a tap: what it has recorded, applied to another engine, tells the same and ends in the same state;
//! a ring without room holds back input, and nothing is told before it is recorded.

use std::collections::VecDeque;
use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use spindle_engine::agent::{EngineAgent, MarketFeed, MarketSink, RiskInput, RiskPort, TimeSource};
use spindle_engine::command::{
    Action, Attributes, Cancel, Command, Enter, Modifiers, OrderKind, OrderSide, Priority, Replace,
    TimeInForce,
};
use spindle_engine::event::Event;
use spindle_engine::input::{Input, Told, kind};
use spindle_engine::tap::{EngineTap, Progress, TapReader, tap};
use spindle_engine::{Capacity, Engine, EngineConfig, RiskChange};
use spindle_risk::{Cause, Gate, Key, Limits, Target};
use spindle_types::{
    AccountId, Agent, EventTime, InstrumentId, OrderToken, Price, Quantity, Sequence, SessionId,
    Symbol,
};

const ACCOUNTS: u16 = 3;

fn engine() -> Engine {
    let capacity = Capacity { orders: 4_096, levels: 512, instruments: 4 };
    let mut gate = Gate::new(ACCOUNTS.into());
    for account in 0..ACCOUNTS {
        gate.set_account(AccountId(account), None);
    }
    let config = EngineConfig { capacity, own_orders: 512, first_number: 1 << 40 };
    let (mut engine, _) = Engine::new(&config, gate);
    engine.add_instrument(InstrumentId(1), Symbol(*b"X       "));
    engine
}

/// A source of random numbers: SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }
}

/// A feed of random messages and changes of its state.
struct Feed {
    chance: Chance,
    sequence: u64,
    turns: u32,
    quiet: bool,
}

impl MarketFeed for Feed {
    fn poll<S: MarketSink>(&mut self, sink: &mut S) -> usize {
        self.turns += 1;
        if self.quiet {
            return 0;
        }
        match self.chance.below(400) {
            0 => sink.gap_opened(),
            1..30 => sink.gap_closed(),
            30 => sink.silent(true),
            31..=60 => sink.silent(false),
            61 if self.turns > 9_000 => sink.lost(Sequence(self.sequence + 1), 2),
            _ => {}
        }
        for _ in 0..self.chance.below(3) {
            self.sequence += 1;
            // An Add Order message of ITCH 5.0.
            let mut message = vec![b'A', 0, 1, 0, 0, 0, 0];
            message.extend(&self.sequence.to_be_bytes()[4..]);
            message.extend(self.sequence.to_be_bytes());
            message.push(if self.chance.below(2) == 0 { b'B' } else { b'S' });
            message.extend((1 + self.chance.below(50)).to_be_bytes());
            message.extend(b"X       ");
            message.extend((9_950 + self.chance.below(100)).to_be_bytes());
            // Now and then one that is cut short.
            message.truncate(if self.chance.below(90) == 0 { 20 } else { 36 });
            sink.message(Sequence(self.sequence), &message);
        }
        1
    }
}

struct Run {
    agent: EngineAgent<Feed>,
    commands: Producer<Command>,
    events: Consumer<Event>,
    changes: Producer<RiskInput>,
    answers: Consumer<RiskInput>,
    notices: Consumer<spindle_risk::Notice>,
    reader: TapReader,
    progress: Arc<Progress>,
    chance: Chance,
    token: u32,
    /// Requests that were passed on and that nobody has read as carried out.
    passed: VecDeque<Command>,
}

fn run(seed: u64) -> Run {
    let (commands, commands_out) = RingBuffer::new(64);
    let (events_in, events) = RingBuffer::new(64);
    let progress = Arc::default();
    let (hot, reader) = tap(0, &progress);
    let feed = Feed { chance: Chance(seed ^ 1), sequence: 0, turns: 0, quiet: false };
    let mut agent =
        EngineAgent::new(engine(), feed, commands_out, events_in, TimeSource::Tape, false);
    agent.record(EngineTap::new(hot, 0));
    let (changes, inputs) = RingBuffer::new(4);
    let (answers_in, answers) = RingBuffer::new(4);
    let (notices_in, notices) = RingBuffer::new(64);
    agent.open_risk_port(RiskPort {
        inputs,
        answers: answers_in,
        notices: notices_in,
        counts: Arc::default(),
    });
    let (chance, token) = (Chance(seed), 0);
    let passed = VecDeque::new();
    Run {
        agent,
        commands,
        events,
        changes,
        answers,
        notices,
        reader,
        progress,
        chance,
        token,
        passed,
    }
}

impl Run {
    fn ask(&mut self) {
        if self.commands.is_full() {
            return;
        }
        self.token += 1;
        let token = OrderToken(self.token);
        let earlier = OrderToken(self.token.saturating_sub(1 + self.chance.below(20)));
        let quantity = Quantity(1 + self.chance.below(100));
        let limit = Some(Price(9_950 + self.chance.below(100)));
        let attributes = Attributes::default();
        let action = match self.chance.below(8) {
            0 => Action::Cancel(Cancel { token: earlier, quantity: Quantity(0) }),
            1 => Action::Replace(Replace {
                original: earlier,
                token,
                quantity,
                limit,
                time_in_force: None,
                priority: Priority::New,
                attributes,
            }),
            kind => Action::Enter(Enter {
                token,
                symbol: Symbol(*b"X       "),
                side: if kind % 2 == 0 { OrderSide::Buy } else { OrderSide::Sell },
                quantity,
                limit: if kind == 7 { None } else { limit },
                kind: OrderKind::Plain,
                modifiers: Modifiers::NONE,
                time_in_force: TimeInForce::Day,
                attributes,
            }),
        };
        let account = AccountId(u16::try_from(self.chance.below(3)).unwrap_or(0));
        let command = Command {
            time: EventTime(0),
            session: SessionId(account.0),
            account,
            received: 5,
            queued: 6,
            action,
        };
        let _ = self.commands.push(command);
        self.passed.push_back(command);
    }

    fn change(&mut self) {
        let target = Target::Account(AccountId(u16::try_from(self.chance.below(3)).unwrap_or(0)));
        let change = match self.chance.below(3) {
            0 => RiskChange::Kill { target, cause: Cause::Operator },
            1 => RiskChange::Arm { target },
            _ => {
                let size = 40 + u64::from(self.chance.below(60));
                RiskChange::Limits { target, limits: Limits::NONE.with(Key::OrderSizeMax, size) }
            }
        };
        let changes = Box::new([change]);
        let _ = self.changes.push(RiskInput {
            number: 0,
            changes,
            answer: Ok(()),
            frame: 0,
            usage: None,
        });
        while self.answers.pop().is_ok() || self.notices.pop().is_ok() {}
    }
}

#[test]
fn what_was_recorded_tells_the_same_and_ends_the_same() {
    let mut run = run(7);
    let (mut twin, mut payload, mut carried_out) = (engine(), Vec::new(), 0);
    let mut kinds = [0; 6];
    let mut read = |reader: &mut TapReader,
                    passed: &mut VecDeque<Command>,
                    told: &mut Vec<Event>| {
        while let Some(header) = reader.take(&mut payload) {
            kinds[usize::from(header.kind)] += 1;
            if header.kind == kind::COMMAND {
                let command = passed.pop_front().expect("it was passed on");
                let time = EventTime(header.time);
                twin.apply(&Input::Command(Command { time, received: 0, queued: 0, ..command }));
                carried_out += 1;
                assert_eq!((payload.len(), header.passed), (0, carried_out));
            } else {
                let input = Input::decode(header.kind, header.time, &payload).expect("it is whole");
                twin.apply(&input.expect("an input"));
                assert_eq!(header.passed, carried_out);
            }
            assert_eq!(EventTime(header.time), twin.time());
            told.extend(twin.outbox());
            twin.clear_outbox();
            assert_eq!(header.told, twin.told());
        }
        twin.state_hash()
    };
    let (mut seen, mut again) = (Vec::new(), Vec::new());
    for turn in 0..12_000 {
        for _ in 0..run.chance.below(6) {
            run.ask();
        }
        if run.chance.below(50) == 0 {
            run.change();
        }
        run.agent.poll();
        while let Ok(event) = run.events.pop() {
            seen.push(Event { received: 0, queued: 0, ..event });
        }
        if turn % 500 == 499 {
            let hash = read(&mut run.reader, &mut run.passed, &mut again);
            assert_eq!(hash, run.agent.engine().state_hash(), "turn {turn}");
        }
    }
    run.agent.close_tap();
    let hash = read(&mut run.reader, &mut run.passed, &mut again);
    assert_eq!(hash, run.agent.engine().state_hash());
    while run.agent.has_events_left() {
        run.agent.poll();
        while let Ok(event) = run.events.pop() {
            seen.push(Event { received: 0, queued: 0, ..event });
        }
    }
    assert!(again == seen, "{} told, {} again", seen.len(), again.len());
    let (mut one, mut other) = (Told::default(), Told::default());
    let points = seen.iter().filter(|event| one.tell(event)).count();
    again.iter().for_each(|event| _ = other.tell(event));
    assert!(one == other && points as u64 == seen.len() as u64 / Told::INTERVAL);
    assert!(run.reader.is_over() || run.reader.peek().is_none());
    let executions = run.agent.engine().counters().executions;
    assert!(executions > 1_000, "{executions} executions");
    assert!(kinds[1..5].iter().all(|count| *count > 50), "{kinds:?}");
}

#[test]
fn while_the_ring_is_full_no_input_is_taken_and_nothing_is_lost() {
    let mut run = run(8);
    // In the middle of a packet the agent would wait for a long time.
    run.agent.feed_mut().quiet = true;
    let mut before = 0;
    loop {
        run.ask();
        run.agent.poll();
        while run.events.pop().is_ok() {}
        let commands = run.agent.engine().counters().commands;
        if commands == before && run.commands.is_full() {
            break;
        }
        before = commands;
    }
    let frozen = run.agent.engine().counters().commands;
    assert!(run.commands.is_full(), "commands wait");
    run.agent.poll();
    assert_eq!(run.agent.engine().counters().commands, frozen);
    // There is room again.
    let mut payload = Vec::new();
    while run.reader.take(&mut payload).is_some() {}
    run.agent.poll();
    assert!(run.agent.engine().counters().commands > frozen);
    // A journal that has failed takes nothing more.
    run.progress.fail();
    let frozen = run.agent.engine().counters().commands;
    run.ask();
    run.agent.poll();
    assert_eq!(run.agent.engine().counters().commands, frozen);
}
