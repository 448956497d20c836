//! An independent check of a day: books of ordered maps and plain queues, every claim asserted.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use spindle_feed::itch::Message;

#[derive(Clone, Copy)]
struct Order {
    locate: u16,
    side: u8,
    price: u32,
    shares: u32,
    entered: u64,
}

type Levels = BTreeMap<u32, VecDeque<u64>>;

/// Where the day stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    Nothing,
    Messages,
    System,
    Market,
    MarketOver,
    SystemOver,
    MessagesOver,
}

/// The checker, and what it has counted.
pub(crate) struct Day {
    phase: Phase,
    time: u64,
    symbols: HashMap<u16, [u8; 8]>,
    trading: HashSet<u16>,
    price_test: HashSet<u16>,
    orders: HashMap<u64, Order>,
    books: HashMap<(u16, u8), Levels>,
    highest_reference: u64,
    highest_match: u64,
    crossed: HashMap<u8, HashSet<u16>>,
    unprinted: Option<(u16, u64, u64)>,
    pub(crate) counts: BTreeMap<u8, u64>,
    pub(crate) by_locate: HashMap<u16, u64>,
    pub(crate) live_peak: usize,
    pub(crate) references: u64,
    pub(crate) first_second: u64,
    pub(crate) first_gaps: Vec<u64>,
    pub(crate) lives: Vec<u64>,
    /// Book updates before the open: all, at the best level, within three levels of it.
    pub(crate) depths: [u64; 3],
}

const OPEN: u64 = 34_200_000_000_000;

impl Default for Day {
    fn default() -> Self {
        Self {
            phase: Phase::Nothing,
            time: 0,
            symbols: HashMap::new(),
            trading: HashSet::new(),
            price_test: HashSet::new(),
            orders: HashMap::new(),
            books: HashMap::new(),
            highest_reference: 0,
            highest_match: 0,
            crossed: HashMap::new(),
            unprinted: None,
            counts: BTreeMap::new(),
            by_locate: HashMap::new(),
            live_peak: 0,
            references: 0,
            first_second: 0,
            first_gaps: Vec::new(),
            lives: Vec::new(),
            depths: [0; 3],
        }
    }
}

impl Day {
    pub(crate) fn live_orders(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn highest_reference(&self) -> u64 {
        self.highest_reference
    }

    pub(crate) fn message(&mut self, bytes: &[u8]) {
        let message = Message::decode(bytes).expect("a message of ITCH 5.0");
        assert_eq!(message.as_bytes().len(), bytes.len(), "exact length");
        let header = message.header();
        let (kind, time, locate) = (header.message_type, header.time.get(), header.locate.get());
        assert!(time >= self.time, "time goes back at {time}");
        if (OPEN..OPEN + 1_000_000_000).contains(&time) && self.phase >= Phase::Market {
            self.first_second += 1;
            self.first_gaps.push(time - self.time);
        }
        assert!(time < 86_400_000_000_000);
        self.time = time;
        *self.counts.entry(kind).or_default() += 1;
        *self.by_locate.entry(locate).or_default() += 1;
        if !matches!(kind, b'S' | b'R') {
            assert!(self.symbols.contains_key(&locate), "locate {locate} is in no directory");
        }
        if let Some((locate, time, _)) = self.unprinted {
            assert_eq!((kind, header.locate.get(), self.time), (b'Q', locate, time));
        }
        self.apply(message, locate);
        assert!(self.phase != Phase::Nothing, "the first message is S/O");
        self.live_peak = self.live_peak.max(self.orders.len());
        self.not_crossed(locate);
    }

    fn apply(&mut self, message: Message<'_>, locate: u16) {
        match message {
            Message::SystemEvent(m) => self.system_event(m.event_code, locate),
            Message::StockDirectory(m) => {
                assert_eq!(self.phase, Phase::Messages);
                assert!(self.symbols.values().all(|known| *known != m.stock), "symbols differ");
                assert!(self.symbols.insert(locate, m.stock).is_none(), "one entry each");
                assert_ne!(locate, 0);
            }
            Message::StockTradingAction(m) => {
                assert_eq!((m.trading_state, self.symbols[&locate]), (b'T', m.stock));
                assert!(self.trading.insert(locate));
            }
            Message::RegShoRestriction(m) => {
                assert_eq!(self.symbols[&locate], m.stock);
                assert!(self.price_test.insert(locate));
            }
            Message::AddOrder(m) => {
                let order = (m.side, m.shares.get(), m.price.get());
                self.add(locate, m.reference.get(), order, m.stock);
            }
            Message::AddOrderMpid(m) => {
                assert!(m.attribution.iter().all(u8::is_ascii_uppercase));
                let order = (m.side, m.shares.get(), m.price.get());
                self.add(locate, m.reference.get(), order, m.stock);
            }
            Message::OrderDelete(m) => {
                let order = self.touch(locate, m.reference.get());
                self.leave(m.reference.get());
                self.lives.push(self.time - order.entered);
            }
            Message::OrderCancel(m) => {
                self.touch(locate, m.reference.get());
                let order = self.orders.get_mut(&m.reference.get()).expect("live");
                assert!(m.shares.get() > 0 && m.shares.get() < order.shares, "a part of it");
                order.shares -= m.shares.get();
            }
            Message::OrderReplace(m) => {
                let old = self.touch(locate, m.reference.get());
                self.leave(m.reference.get());
                self.lives.push(self.time - old.entered);
                let order = (old.side, m.shares.get(), m.price.get());
                let stock = self.symbols[&locate];
                self.add(locate, m.new_reference.get(), order, stock);
            }
            Message::OrderExecuted(m) => {
                self.matched(m.match_number.get());
                self.execute(locate, m.reference.get(), m.shares.get());
            }
            Message::OrderExecutedWithPrice(m) => {
                self.matched(m.match_number.get());
                assert!(m.price.get() > 0);
                self.execute(locate, m.reference.get(), m.shares.get());
                match m.printable {
                    b'Y' => {}
                    b'N' => {
                        self.unprinted = Some((locate, self.time, u64::from(m.shares.get())));
                    }
                    other => panic!("printable {other}"),
                }
            }
            Message::Trade(m) => {
                self.matched(m.match_number.get());
                assert_eq!((m.reference.get(), m.side), (0, b'B'));
                assert_eq!(self.symbols[&locate], m.stock);
                assert!(m.shares.get() > 0 && m.price.get() > 0);
            }
            Message::CrossTrade(m) => {
                self.matched(m.match_number.get());
                assert_eq!(self.symbols[&locate], m.stock);
                let due = if self.phase == Phase::Market { b'O' } else { b'C' };
                assert_eq!(m.cross_type, due);
                assert!(self.crossed.entry(due).or_default().insert(locate), "one cross each");
                let displayed = self.unprinted.take().map_or(0, |(_, _, shares)| shares);
                assert!(m.shares.get() >= displayed, "the cross prints those shares again");
            }
            Message::NetOrderImbalance(m) => assert_eq!(self.symbols[&locate], m.stock),
            Message::MarketParticipantPosition(m) => assert_eq!(self.symbols[&locate], m.stock),
            other => panic!("{other:?} has no place in a generated day"),
        }
    }

    fn system_event(&mut self, code: u8, locate: u16) {
        assert_eq!(locate, 0);
        let (phase, hours) = match code {
            b'O' => (Phase::Messages, 0.0),
            b'S' => (Phase::System, 4.0),
            b'Q' => (Phase::Market, 9.5),
            b'M' => (Phase::MarketOver, 16.0),
            b'E' => (Phase::SystemOver, 20.0),
            b'C' => (Phase::MessagesOver, 20.0 + 1.0 / 12.0),
            other => panic!("system event {other}"),
        };
        assert_eq!(phase as u8, self.phase as u8 + 1, "events in their order");
        if hours > 0.0 {
            let seconds = self.time as f64 / 1e9;
            assert!((seconds - hours * 3600.0).abs() < 1e-6, "{phase:?} at {seconds}");
        }
        if phase == Phase::System {
            assert_eq!(self.trading.len(), self.symbols.len());
            assert_eq!(self.price_test.len(), self.symbols.len());
        }
        if phase == Phase::MessagesOver {
            for cross in [b'O', b'C'] {
                assert_eq!(self.crossed[&cross].len(), self.symbols.len());
            }
        }
        self.phase = phase;
    }

    fn matched(&mut self, number: u64) {
        assert!(number > self.highest_match, "match numbers rise");
        self.highest_match = number;
        assert!((Phase::System..=Phase::MarketOver).contains(&self.phase));
    }

    fn add(&mut self, locate: u16, reference: u64, order: (u8, u32, u32), stock: [u8; 8]) {
        let (side, shares, price) = order;
        assert!((Phase::System..=Phase::MarketOver).contains(&self.phase), "no entry now");
        assert!(reference > self.highest_reference, "references rise");
        self.highest_reference = reference;
        self.references += 1;
        assert!(matches!(side, b'B' | b'S') && shares > 0);
        assert!(price > 0 && price <= 2_000_000_000 && price % 100 == 0);
        assert_eq!(self.symbols[&locate], stock);
        let order = Order { locate, side, price, shares, entered: self.time };
        self.orders.insert(reference, order);
        let levels = self.books.entry((locate, side)).or_default();
        levels.entry(price).or_default().push_back(reference);
        self.depth(&order);
    }

    /// Counts how deep in its side the level of an order is, before the open.
    fn depth(&mut self, order: &Order) {
        if self.phase != Phase::System {
            return;
        }
        let levels = &self.books[&(order.locate, order.side)];
        let before = match order.side {
            b'B' => levels.range(order.price + 1..).count(),
            _ => levels.range(..order.price).count(),
        };
        self.depths[0] += 1;
        self.depths[1] += u64::from(before == 0);
        self.depths[2] += u64::from(before < 3);
    }

    /// The order, which is live and of this instrument.
    fn touch(&mut self, locate: u16, reference: u64) -> Order {
        let order = *self.orders.get(&reference).expect("a live reference");
        assert_eq!(order.locate, locate);
        self.depth(&order);
        order
    }

    fn leave(&mut self, reference: u64) {
        let order = self.orders.remove(&reference).expect("a live reference");
        let levels = self.books.get_mut(&(order.locate, order.side)).expect("a side");
        let queue = levels.get_mut(&order.price).expect("a level");
        queue.retain(|&standing| standing != reference);
        if queue.is_empty() {
            levels.remove(&order.price);
        }
    }

    fn best(&self, locate: u16, side: u8) -> Option<(u32, u64)> {
        let levels = self.books.get(&(locate, side))?;
        let (price, queue) =
            if side == b'B' { levels.last_key_value()? } else { levels.first_key_value()? };
        Some((*price, *queue.front().expect("no empty level")))
    }

    fn execute(&mut self, locate: u16, reference: u64, shares: u32) {
        let order = self.touch(locate, reference);
        let (_, front) = self.best(locate, order.side).expect("a best level");
        assert_eq!(front, reference, "executions take the front of the best level");
        assert!(shares > 0 && shares <= order.shares);
        if shares == order.shares {
            self.leave(reference);
        } else {
            self.orders.get_mut(&reference).expect("live").shares -= shares;
        }
    }

    fn not_crossed(&self, locate: u16) {
        if let (Some((bid, _)), Some((ask, _))) = (self.best(locate, b'B'), self.best(locate, b'S'))
        {
            assert!(bid < ask, "locate {locate} is crossed or locked: {bid} and {ask}");
        }
    }

    /// That the day is over, with nothing left undone.
    pub(crate) fn finish(&self) {
        assert_eq!(self.phase, Phase::MessagesOver, "the last message is S/C");
        assert!(self.unprinted.is_none());
    }
}
