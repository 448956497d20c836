//! Conservation: the engine against a world in which every share is an object of its own. Random
//! events of the tape and of strategies; every line, the whole book, every sum of the ledger and the
//! balance of shares compared after each.
//!
//! `SPINDLE_SHARES_EVENTS` sets how many events, `SPINDLE_SHARES_SEED` where chance begins.

mod shares;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use shares::World;
use spindle_scenario::{
    Amount, Book, Cancel, Cross, Id, Instrument, Kind, Line, Matcher, New, Op, Sale, Shares, Side,
    Size, State, Tape, TapeEvent, Tif, Venue,
};

/// Events in one run; the next begins with an empty venue.
const RUN: u64 = 2_000;
const SIZE: Size = Size { instruments: 1, accounts: 4, orders: 1_024 };
const MIDDLE: i64 = 100_000;
const CENT: i64 = 100;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}; give a whole number"))
    })
}

struct Generator {
    chance: Xoshiro256PlusPlus,
    next: Id,
    own: Vec<Id>,
    tape: Vec<Id>,
    /// How far prices go from the middle, how large orders are, how many stand.
    width: u64,
    size: u64,
    crowd: usize,
    halted: bool,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut chance = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut below = |end: u64| chance.next_u64() % end;
        let (width, size) =
            (1 + below(5), [1, 3, 12, 40][usize::try_from(below(4)).expect("small")]);
        let crowd = 4 + usize::try_from(below(20)).expect("small");
        let (own, tape) = (Vec::new(), Vec::new());
        Self { chance, next: 1, own, tape, width, size, crowd, halted: false }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.chance.next_u64() % end
    }

    fn one(&mut self, of: &[Id]) -> Id {
        of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }

    fn price(&mut self) -> i64 {
        let ticks = self.below(2 * self.width + 1).cast_signed() - self.width.cast_signed();
        MIDDLE + ticks * CENT
    }

    fn quantity(&mut self) -> u64 {
        1 + self.below(self.size)
    }

    fn number(&mut self) -> Id {
        self.next += 1;
        self.next - 1
    }

    /// One event: carried out in the world, and as an operation.
    fn event(&mut self, world: &mut World) -> Op {
        self.tape.retain(|reference| world.left(*reference) > 0);
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        let (quantity, price) = (self.quantity(), self.price());
        let all = |event| Tape::of("X", event);
        let shares = Some(Shares(quantity.cast_signed()));
        let at = Some(Amount::new(price));
        let choice = if self.halted && self.below(5) == 0 { 997 } else { self.below(1_000) };
        match choice {
            0..280 => self.enter(world, side, quantity, price),
            280..370 if !self.own.is_empty() => {
                let own = self.own.clone();
                let id = self.one(&own);
                if self.below(20) > 0 {
                    self.own.retain(|other| *other != id);
                }
                world.cancel(id);
                Op::Cancel(Cancel { id })
            }
            370..600 if self.tape.len() < self.crowd => {
                let reference = self.number();
                self.tape.push(reference);
                world.add(reference, side, quantity, price);
                let reference = Some(reference);
                let side = Some(side);
                Op::Tape(Tape {
                    reference,
                    side,
                    quantity: shares,
                    price: at,
                    ..all(TapeEvent::Add)
                })
            }
            600..980 if !self.tape.is_empty() => self.order_of_tape(world, quantity, price),
            980..990 => {
                world.hidden_trade(quantity, price);
                Op::Tape(Tape { quantity: shares, price: at, ..all(TapeEvent::Trade) })
            }
            990..996 => {
                let closing = self.below(20) == 0;
                let quantity = quantity * self.below(3);
                world.cross(quantity, price, closing);
                let kind = Some(if closing { Cross::Closing } else { Cross::Halt });
                let quantity = Some(Shares(quantity.cast_signed()));
                Op::Tape(Tape { quantity, price: at, kind, ..all(TapeEvent::Cross) })
            }
            996.. => {
                self.halted = !self.halted;
                let state = match (self.halted, side) {
                    (false, _) => State::Trading,
                    (true, Side::Buy) => State::Halted,
                    (true, Side::Sell) => State::Quotation,
                };
                world.status(state);
                Op::Tape(Tape { state: Some(state), ..all(TapeEvent::Status) })
            }
            _ => {
                world.hidden_trade(quantity, price);
                Op::Tape(Tape { quantity: shares, price: at, ..all(TapeEvent::Trade) })
            }
        }
    }

    fn enter(&mut self, world: &mut World, side: Side, quantity: u64, price: i64) -> Op {
        let id = self.number();
        self.own.push(id);
        let (tif, name) = match self.below(20) {
            0 => (Tif::AtClose, "at_close"),
            1..5 => (Tif::Ioc, "ioc"),
            _ => (Tif::Day, "day"),
        };
        world.enter(id, side, quantity, price, name);
        Op::New(New {
            id,
            account: ["A", "B"][usize::from(id.is_multiple_of(2))].into(),
            session: None,
            symbol: "X".into(),
            side,
            sale: Sale::Long,
            kind: Kind::Limit,
            price: Some(Amount::new(price)),
            quantity: Shares(quantity.cast_signed()),
            tif,
            expire_ns: None,
            stop_price: None,
            trail: None,
            offset: None,
            display: None,
            hidden: false,
            post_only: false,
            minimum_quantity: None,
            check_only: false,
        })
    }

    /// Something happens to an order of the tape.
    fn order_of_tape(&mut self, world: &mut World, quantity: u64, price: i64) -> Op {
        let tape = self.tape.clone();
        let old = self.one(&tape);
        // More than it has makes the book stale: seldom.
        let left = world.left(old);
        let less = if self.below(4_000) == 0 { left + 1 } else { 1 + quantity % left };
        let shares = |quantity: u64| Some(Shares(quantity.cast_signed()));
        let reference = Some(old);
        match self.below(10) {
            0..5 => {
                let printable = self.below(10) > 0;
                world.execute(old, less, printable);
                let printable = (!printable).then_some(false);
                // What is not printed is told with its price.
                let price = printable.map(|_| Amount::new(price));
                let all = Tape::of("X", TapeEvent::Execute);
                Op::Tape(Tape { reference, quantity: shares(less), printable, price, ..all })
            }
            5..7 => {
                world.tape_cancels(old, less);
                let all = Tape::of("X", TapeEvent::Cancel);
                Op::Tape(Tape { reference, quantity: shares(less), ..all })
            }
            7 => {
                world.delete(old);
                Op::Tape(Tape { reference, ..Tape::of("X", TapeEvent::Delete) })
            }
            _ => {
                let new = self.number();
                self.tape.push(new);
                world.replace(old, new, quantity, price);
                let (quantity, price) = (shares(quantity), Some(Amount::new(price)));
                let new_reference = Some(new);
                let all = Tape::of("X", TapeEvent::Replace);
                Op::Tape(Tape { reference, new_reference, quantity, price, ..all })
            }
        }
    }
}

/// What was compared: a comparison of nothing with nothing proves nothing.
#[derive(Debug, Default)]
struct Seen {
    sums: spindle_engine::Divergence,
    stale: u64,
    refused: u64,
}

fn run(seed: u64, events: u64, seen: &mut Seen) -> Result<(), String> {
    let mut generator = Generator::new(seed);
    let (mut world, mut venue) = (World::default(), Venue::new(SIZE));
    let begin =
        Instrument { symbol: "X".into(), tick: Some(Amount::new(CENT)), lot: None, currency: None };
    let mut ops = vec![Op::Instrument(begin)];
    let mut theirs = Vec::new();
    venue.apply(&ops[0], &mut theirs);
    for _ in 0..events {
        world.lines.clear();
        theirs.clear();
        let op = generator.event(&mut world);
        venue.apply(&op, &mut theirs);
        ops.push(op);
        let wrong = |what: String| {
            let last = ops.last().map_or(String::new(), Op::to_json);
            format!("seed {seed}, event {}, {last}\n{what}", ops.len() - 1)
        };
        if world.lines != theirs {
            return Err(wrong(format!("shares: {:?}\nengine: {theirs:?}", world.lines)));
        }
        let mut book = Vec::new();
        venue.apply(&Op::Book(Book { symbol: "X".into(), depth: None }), &mut book);
        let (bids, asks) = (world.levels(Side::Buy), world.levels(Side::Sell));
        let ours = Line::Book { symbol: "X".into(), bids, asks };
        if book != [ours.clone()] {
            return Err(wrong(format!("shares: {}\nengine: {book:?}", ours.to_json())));
        }
        let booked = venue.divergence("X").unwrap_or_default();
        if booked != world.booked {
            return Err(wrong(format!("shares: {:?}\nengine: {booked:?}", world.booked)));
        }
        world.conserves().map_err(wrong)?;
        if let Some(imbalance) = venue.engine().imbalance() {
            return Err(wrong(imbalance.to_string()));
        }
        seen.stale += u64::from(matches!(world.lines[..], [.., Line::Stale { .. }]));
        seen.refused += u64::from(matches!(world.lines[..], [Line::Rejected(_)]));
    }
    seen.sums = seen.sums.plus(&world.booked);
    Ok(())
}

#[test]
fn no_share_is_lost_or_made_whatever_comes() {
    let events = setting("SPINDLE_SHARES_EVENTS", 200_000);
    let first = setting("SPINDLE_SHARES_SEED", 1);
    let mut seen = Seen::default();
    for at in 0..events.div_ceil(RUN) {
        if let Err(wrong) = run(first + at, RUN.min(events - at * RUN), &mut seen) {
            panic!("{wrong}");
        }
    }
    println!("{events} events from seed {first}: {seen:#?}");
    if events >= 100_000 {
        let sums = seen.sums;
        for (name, count) in [
            ("taken", sums.taken),
            ("met", sums.met),
            ("ahead", sums.ahead),
            ("hidden", sums.hidden),
            ("cross", sums.cross),
            ("displaced", sums.displaced),
            ("refused", sums.refused),
        ] {
            assert!(count > events / 1_000, "only {count} shares {name}: this compares too little");
        }
        assert!(seen.stale > 0 && seen.refused > 0, "{seen:?}");
    }
}
