//! The accounts against a twin that keeps every fill and works it all out anew with exact fractions
//! whenever it is asked.

use proptest::prelude::*;
use spindle_accounts::{Accounts, AccountsConfig, FeeSchedule, Fill, HORIZONS, Liquidity, Money};
use spindle_types::{AccountId, EventTime, InstrumentId, Price, Quantity, Side};

/// A fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio(i128, i128);

impl Ratio {
    fn new(over: i128, under: i128) -> Self {
        let (mut a, mut b) = (over.abs(), under.abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let by = a.max(1) * under.signum();
        Self(over / by, under / by)
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }

    fn times(self, over: i128, under: i128) -> Self {
        Self::new(self.0 * over, self.1 * under)
    }

    /// Whether it is no further from a whole number than so many halves.
    fn is_within_halves(self, whole: i128, halves: i128) -> bool {
        2 * (self.0 - whole * self.1).abs() <= halves * self.1
    }
}

const FEES: [FeeSchedule; 2] = [
    FeeSchedule { maker: Money(-2_000), taker: Money(3_000), share: Money(130) },
    FeeSchedule { maker: Money(0), taker: Money(0), share: Money(0) },
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Fill { account: u16, instrument: u16, sells: bool, price: u32, quantity: u32, takes: bool },
    Pass { nanoseconds: u64, prices: [Option<u32>; 2] },
}

fn step() -> impl Strategy<Value = Step> {
    let price = prop_oneof![1 => Just(None), 4 => (1_u32..500).prop_map(Some)];
    prop_oneof![
        3 => (0_u16..2, 1_u16..3, any::<bool>(), 1_u32..500, 1_u32..12, any::<bool>()).prop_map(
            |(account, instrument, sells, price, quantity, takes)| Step::Fill {
                account, instrument, sells, price, quantity, takes
            }
        ),
        2 => (prop_oneof![Just(0), Just(HORIZONS[0]), Just(HORIZONS[3]), 0_u64..2 * HORIZONS[4]],
            [price.clone(), price]).prop_map(|(nanoseconds, prices)| Step::Pass { nanoseconds, prices }),
    ]
}

/// All that ever happened.
#[derive(Default)]
struct Twin {
    fills: Vec<Fill>,
    /// From when on which prices held.
    prices: Vec<(u64, [Option<u32>; 2])>,
}

/// Shares, cost and realised profit, and how often rounding can have moved half a unit since the
/// position was last closed, and ever.
type Holding = (i128, Ratio, Ratio, i128);

impl Twin {
    fn holding(&self, account: Option<u16>, instrument: u16) -> Holding {
        let (mut shares, mut cost, mut realised) = (0_i128, Ratio(0, 1), Ratio(0, 1));
        let mut closings = 0;
        for fill in &self.fills {
            let other = account.is_some_and(|account| fill.account.0 != account);
            if other || fill.instrument.0 != instrument {
                continue;
            }
            let sign = if fill.side == Side::Buy { 1 } else { -1 };
            // Share by share.
            for _ in 0..fill.quantity.0 {
                let price = Ratio::new(i128::from(fill.price.0) * 100 * sign, 1);
                if shares * sign >= 0 {
                    cost = cost.plus(price);
                } else {
                    let released = cost.times(1, shares.abs());
                    cost = cost.plus(released.times(-1, 1));
                    realised = realised.plus(price.plus(released).times(-1, 1));
                    closings += 1;
                }
                shares += sign;
                if shares == 0 {
                    closings = 0;
                }
            }
        }
        (shares, cost, realised, closings)
    }

    /// What held just before this time.
    fn price_at(&self, time: u64, instrument: u16) -> Option<u32> {
        let held = self.prices.iter().rev().find(|(from, _)| *from < time);
        held.and_then(|(_, prices)| prices[usize::from(instrument) - 1])
    }
}

fn run(steps: &[Step]) {
    let config = AccountsConfig { positions_max: 4, markouts_max: 1_000 };
    let mut accounts = Accounts::new(&config, 3, &FEES);
    let mut twin = Twin::default();
    let mut now = 1_000;
    let mut prices = [None; 2];
    twin.prices.push((0, prices));
    for step in steps {
        match *step {
            Step::Fill { account, instrument, sells, price, quantity, takes } => {
                let fill = Fill {
                    time: EventTime(now),
                    account: AccountId(account),
                    instrument: InstrumentId(instrument),
                    side: if sells { Side::Sell } else { Side::Buy },
                    price: Price(price),
                    quantity: Quantity(quantity),
                    liquidity: if takes { Liquidity::Taker } else { Liquidity::Maker },
                    assumed: quantity % 3 == 0,
                };
                accounts.fill(&fill);
                twin.fills.push(fill);
            }
            Step::Pass { nanoseconds, prices: next } => {
                now += nanoseconds;
                accounts.advance(EventTime(now), |instrument| mark(prices, instrument));
                prices = next;
                twin.prices.push((now, next));
            }
        }
        compare(&accounts, &twin, prices, now);
    }
}

fn mark(prices: [Option<u32>; 2], instrument: InstrumentId) -> Option<Money> {
    prices[instrument.index() - 1].map(|price| Money::of_price(Price(price)))
}

fn compare(accounts: &Accounts, twin: &Twin, prices: [Option<u32>; 2], now: u64) {
    for account in [Some(0), Some(1), None] {
        let line = match account {
            Some(account) => accounts.line(AccountId(account), |i| mark(prices, i)).expect("known"),
            None => accounts.firm(|i| mark(prices, i)),
        };
        let (mut cash, mut value, mut fees, mut fills, mut assumed) = (0, 0, 0, 0, 0);
        for fill in &twin.fills {
            if account.is_some_and(|account| fill.account.0 != account) {
                continue;
            }
            let sign = if fill.side == Side::Buy { 1 } else { -1 };
            let quantity = i128::from(fill.quantity.0);
            let schedule = FEES[fill.account.index()];
            let fee =
                if fill.liquidity == Liquidity::Maker { schedule.maker } else { schedule.taker };
            fees += quantity * (fee.0 + schedule.share.0);
            cash -= sign * quantity * i128::from(fill.price.0) * 100;
            fills += 1;
            assumed += if fill.assumed { u64::from(fill.quantity.0) } else { 0 };
        }
        let (mut unpriced, mut realised, mut slack) = (0, Ratio(0, 1), 0);
        for instrument in 1..3 {
            let (shares, cost, one, closings) = twin.holding(account, instrument);
            realised = realised.plus(one);
            slack += closings;
            if let Some(account) = account {
                let position = accounts.position(AccountId(account), InstrumentId(instrument));
                assert_eq!(i128::from(position.shares), shares);
                assert!(cost.is_within_halves(position.cost.0, closings), "{cost:?} {position:?}");
                assert!(
                    one.is_within_halves(position.realised.0, closings),
                    "{one:?} {position:?}"
                );
            }
            match prices[usize::from(instrument) - 1] {
                _ if shares == 0 => {}
                Some(price) => value += shares * i128::from(price) * 100,
                None => unpriced += 1,
            }
        }
        assert_eq!((line.fees.0, line.fills, line.unpriced), (fees, fills, unpriced));
        assert_eq!(line.assumed, assumed);
        assert!(realised.is_within_halves(line.realised.0, slack));
        if unpriced == 0 {
            assert_eq!(line.profit().0, cash + value, "profit in all is exact");
        }
        for (horizon, delay) in HORIZONS.into_iter().enumerate() {
            let (mut fills, mut shares, mut profit, mut unpriced, mut unreached) = (0, 0, 0, 0, 0);
            for fill in &twin.fills {
                if account.is_some_and(|account| fill.account.0 != account) {
                    continue;
                }
                // Time passes with the steps: what is due is valued at the next one.
                if fill.time.0 + delay > now
                    || twin.prices.last().expect("one").0 < fill.time.0 + delay
                {
                    unreached += 1;
                    continue;
                }
                let sign = if fill.side == Side::Buy { 1 } else { -1 };
                match twin.price_at(fill.time.0 + delay, fill.instrument.0) {
                    Some(price) => {
                        fills += 1;
                        shares += u64::from(fill.quantity.0);
                        let quantity = i128::from(fill.quantity.0);
                        profit +=
                            sign * quantity * (i128::from(price) - i128::from(fill.price.0)) * 100;
                    }
                    None => unpriced += 1,
                }
            }
            let markout = line.markouts[horizon];
            assert_eq!(
                (markout.fills, markout.shares, markout.profit.0, markout.unpriced),
                (fills, shares, profit, unpriced),
                "horizon {horizon}"
            );
            assert_eq!(line.unreached(horizon), unreached);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn accounts_are_what_their_fills_say(steps in prop::collection::vec(step(), 1..24)) {
        run(&steps);
    }
}

#[test]
fn what_finds_no_room_is_counted_and_told() {
    let config = AccountsConfig { positions_max: 1, markouts_max: 2 };
    let mut accounts = Accounts::new(&config, 2, &FEES);
    let fill = |account, instrument, time| Fill {
        time: EventTime(time),
        account: AccountId(account),
        instrument: InstrumentId(instrument),
        side: Side::Buy,
        price: Price(100),
        quantity: Quantity(10),
        liquidity: Liquidity::Maker,
        assumed: false,
    };
    for number in 0..3 {
        accounts.fill(&fill(0, 1, number));
    }
    accounts.fill(&fill(9, 1, 4));
    accounts.fill(&fill(0, 7, 4));
    assert_eq!(accounts.strangers(), 2);
    let line = accounts.firm(|_| None);
    assert_eq!((line.fills, line.markouts_missed, line.unpriced), (3, 1, 1));
    // When the last horizon has come, there is room again.
    accounts.advance(EventTime(HORIZONS[4]), |_| Some(Money(20_000)));
    accounts.fill(&fill(0, 1, HORIZONS[4]));
    let line = accounts.firm(|_| None);
    assert_eq!((line.markouts_missed, line.markouts[4].fills, line.markouts[0].fills), (1, 1, 2));
    assert_eq!(line.markouts[4].profit, Money(100_000));
    assert_eq!(line.markouts[4].average(), Some(Money(10_000)));
    // A place for one position of an account besides those of the firm.
    let mut accounts = Accounts::new(&config, 2, &FEES);
    accounts.fill(&fill(0, 1, 0));
    accounts.fill(&fill(0, 0, 0));
    accounts.fill(&fill(1, 1, 0));
    let unplaced = accounts.line(AccountId(1), |_| None).map(|line| line.unplaced);
    assert_eq!(unplaced, Some(1));
    let mut report = accounts.empty_report();
    accounts.report(&mut report, |_| None);
    assert_eq!(report.accounts.len(), 3);
}
