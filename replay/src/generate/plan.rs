//! How many messages of which kind fall into which stretch of the day.
//!
//! The totals follow the shares of a real day exactly. Adds and deletes are balanced so that the
//! number of live orders rises before the open and in the morning, stands through the day and falls
//! after the close.

use spindle_types::EventTime;

use super::config::{GenerateConfig, messages_fixed};

/// What the next message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Kind {
    Add,
    AddMpid,
    Delete,
    Replace,
    Execute,
    ExecuteAt,
    Cancel,
    Trade,
    Imbalance,
    Position,
    Cross,
}

pub(crate) const KINDS: [Kind; 11] = [
    Kind::Add,
    Kind::Delete,
    Kind::Replace,
    Kind::Execute,
    Kind::Imbalance,
    Kind::Cancel,
    Kind::AddMpid,
    Kind::Trade,
    Kind::Position,
    Kind::ExecuteAt,
    Kind::Cross,
];

/// Shares of a real day (2019-12-30, 268,744,780 messages) in millionths.
const SHARES: [(Kind, u64); 10] = [
    (Kind::Add, 435_899),
    (Kind::Delete, 425_537),
    (Kind::Replace, 80_519),
    (Kind::Execute, 21_295),
    (Kind::Imbalance, 14_975),
    (Kind::Cancel, 10_373),
    (Kind::AddMpid, 5_529),
    (Kind::Trade, 4_534),
    (Kind::Position, 801),
    (Kind::ExecuteAt, 372),
];

/// Of 1,024 executions, how many take the whole order.
pub(crate) const FULL_FILLS: u64 = 563;

/// Mean gap between messages in the first moments after the open, in nanoseconds.
pub(crate) const OPEN_GAP: u64 = 2_360;

/// Which part of the market's day a stretch lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    /// Before 9:28.
    Early,
    /// The two minutes before the open.
    BeforeOpen,
    /// The first moments after the open, at a real day's pace.
    OpenHead,
    /// The rest of the first second, with the opening crosses.
    Open,
    /// Continuous trading.
    Day,
    /// The ten minutes before the close.
    BeforeClose,
    /// The second after the close, with the closing crosses.
    Close,
    /// After the close.
    Late,
    /// After the end of system hours: orders only go.
    Over,
}

/// A stretch of the day with its messages.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) period: Period,
    /// First nanosecond.
    pub(crate) start: u64,
    /// The nanosecond after the last.
    pub(crate) end: u64,
    /// Messages still to come, by [`Kind`].
    pub(crate) counts: [u64; KINDS.len()],
}

impl Segment {
    pub(crate) fn messages(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Start and end, share of the adds and deletes in millionths, and live orders at the end in
/// millionths of all messages.
struct Stretch(Period, (u64, u64), (u64, u64), u64, u64);

const fn nine_thirty(nanoseconds: u64) -> u64 {
    EventTime::at(9, 30, 0).0 + nanoseconds
}

const STRETCHES: [Stretch; 13] = [
    Stretch(Period::Early, (4, 0), (7, 0), 12_000, 5_000),
    Stretch(Period::Early, (7, 0), (9, 28), 42_000, 22_000),
    Stretch(Period::BeforeOpen, (9, 28), (9, 30), 7_000, 25_000),
    Stretch(Period::Open, (9, 30), (9, 30), 0, 26_000),
    Stretch(Period::Day, (9, 30), (9, 40), 60_000, 30_000),
    Stretch(Period::Day, (9, 40), (10, 30), 135_000, 37_000),
    Stretch(Period::Day, (10, 30), (12, 0), 165_000, 41_000),
    Stretch(Period::Day, (12, 0), (14, 0), 160_000, 42_000),
    Stretch(Period::Day, (14, 0), (15, 50), 205_000, 42_000),
    Stretch(Period::BeforeClose, (15, 50), (16, 0), 110_000, 40_000),
    Stretch(Period::Close, (16, 0), (16, 0), 1_000, 39_800),
    Stretch(Period::Late, (16, 0), (20, 0), 97_000, 6_000),
    Stretch(Period::Over, (20, 0), (20, 5), 4_000, 0),
];

/// The day in order, without its fixed messages other than the crosses.
pub(crate) fn segments(config: &GenerateConfig) -> Vec<Segment> {
    let totals = totals(config);
    let total = |kind: Kind| totals[kind as usize];
    let adds_all = total(Kind::Add) + total(Kind::AddMpid);
    let moves = adds_all + total(Kind::Delete);
    let mut segments: Vec<Segment> = STRETCHES.iter().map(empty).collect();

    let mut shares: Vec<u64> = STRETCHES.iter().map(|stretch| stretch.3).collect();
    shares[3] = burst_share(moves);
    let moves = apportion(moves, &shares);
    spread(&mut segments, Kind::Replace, total(Kind::Replace), &shares, replace_weight);
    spread(&mut segments, Kind::Cancel, total(Kind::Cancel), &shares, replace_weight);
    spread(&mut segments, Kind::Execute, total(Kind::Execute), &shares, execute_weight);
    spread(&mut segments, Kind::Trade, total(Kind::Trade), &shares, execute_weight);
    spread(&mut segments, Kind::ExecuteAt, total(Kind::ExecuteAt), &shares, execute_at_weight);
    spread(&mut segments, Kind::Imbalance, total(Kind::Imbalance), &shares, imbalance_weight);
    spread(&mut segments, Kind::Position, total(Kind::Position), &shares, position_weight);
    balance(&mut segments, &moves, adds_all, config.messages());
    attribute(&mut segments, total(Kind::AddMpid));
    for segment in &mut segments {
        if matches!(segment.period, Period::Open | Period::Close) {
            segment.counts[Kind::Cross as usize] = u64::from(config.symbols());
        }
    }
    split_open(&mut segments);
    segments
}

fn empty(stretch: &Stretch) -> Segment {
    let Stretch(period, from, to, ..) = stretch;
    let second = EventTime::SECOND;
    let (mut start, mut end) = (EventTime::at(from.0, from.1, 0).0, EventTime::at(to.0, to.1, 0).0);
    match period {
        Period::Open | Period::Close => end += second,
        Period::Day | Period::Late if matches!(from, (9, 30) | (16, 0)) => start += second,
        _ => {}
    }
    Segment { period: *period, start, end, counts: [0; KINDS.len()] }
}

/// The number of messages of each kind in the whole day.
fn totals(config: &GenerateConfig) -> [u64; KINDS.len()] {
    let rest = config.messages() - messages_fixed(config.symbols());
    let shares: Vec<u64> = SHARES.iter().map(|(_, share)| *share).collect();
    let mut totals = [0; KINDS.len()];
    for ((kind, _), count) in SHARES.iter().zip(apportion(rest, &shares)) {
        totals[*kind as usize] = count;
    }
    totals
}

/// The first second's share of adds and deletes in millionths: 0.2 % as in a real day, more in
/// small days so that it shows: 2 % up to 500 of them.
fn burst_share(moves: u64) -> u64 {
    let visible = (moves / 50).min(500) * 1_000_000 / moves.max(1);
    visible.max(2_000)
}

fn replace_weight(period: Period) -> u64 {
    if period == Period::Over { 0 } else { 10 }
}

fn execute_weight(period: Period) -> u64 {
    match period {
        Period::Early | Period::BeforeOpen | Period::Late => 2,
        Period::Over => 0,
        _ => 10,
    }
}

/// A tenth in each of the two crosses: the share there is about a 500th and a 1,000th.
fn execute_at_weight(period: Period) -> u64 {
    match period {
        Period::Open => 500,
        Period::Close => 1_000,
        Period::Day | Period::BeforeClose => 10,
        _ => 0,
    }
}

fn imbalance_weight(period: Period) -> u64 {
    match period {
        Period::BeforeOpen => 150,
        Period::Open => 20,
        Period::BeforeClose => 10,
        _ => 0,
    }
}

fn position_weight(period: Period) -> u64 {
    match period {
        Period::Early => 100,
        Period::Day => 1,
        _ => 0,
    }
}

fn spread(
    segments: &mut [Segment],
    kind: Kind,
    total: u64,
    shares: &[u64],
    weight: fn(Period) -> u64,
) {
    let weights: Vec<u64> = segments
        .iter()
        .zip(shares)
        .map(|(segment, share)| share * weight(segment.period))
        .collect();
    for (segment, count) in segments.iter_mut().zip(apportion(total, &weights)) {
        segment.counts[kind as usize] = count;
    }
}

/// Splits the adds and deletes of each stretch so that live orders follow the profile, and all of
/// them add up to the day's totals.
fn balance(segments: &mut [Segment], moves: &[u64], adds_all: u64, messages: u64) {
    let mut live: i128 = 0;
    let mut adds = Vec::with_capacity(moves.len());
    for ((segment, stretch), moves) in segments.iter().zip(&STRETCHES).zip(moves) {
        let target = i128::from(messages) * i128::from(stretch.4) / 1_000_000;
        let executions =
            segment.counts[Kind::Execute as usize] + segment.counts[Kind::ExecuteAt as usize];
        let fills = i128::from(executions * FULL_FILLS / 1024);
        let wanted = (i128::from(*moves) + target - live + fills) / 2;
        let count = if segment.period == Period::Over { 0 } else { wanted };
        let count = u64::try_from(count.max(0)).unwrap_or(0).min(*moves);
        live += 2 * i128::from(count) - i128::from(*moves) - fills;
        adds.push(count);
    }
    let mut missing =
        i128::from(adds_all) - adds.iter().map(|&count| i128::from(count)).sum::<i128>();
    for (index, segment) in segments.iter().enumerate().rev() {
        if segment.period != Period::Over {
            let (old, most) = (i128::from(adds[index]), i128::from(moves[index]));
            let new = (old + missing).clamp(0, most);
            missing -= new - old;
            adds[index] = u64::try_from(new).unwrap_or(0);
        }
    }
    for ((segment, moves), adds) in segments.iter_mut().zip(moves).zip(adds) {
        segment.counts[Kind::Add as usize] = adds;
        segment.counts[Kind::Delete as usize] = moves - adds;
    }
}

/// Turns adds into attributed ones. In the opening second three in five are attributed.
fn attribute(segments: &mut [Segment], total: u64) {
    let weights: Vec<u64> = segments
        .iter()
        .map(|segment| {
            let boost = if segment.period == Period::Open { 56 } else { 1 };
            segment.counts[Kind::Add as usize] * boost
        })
        .collect();
    for (segment, count) in segments.iter_mut().zip(apportion(total, &weights)) {
        let count = count.min(segment.counts[Kind::Add as usize]);
        segment.counts[Kind::Add as usize] -= count;
        segment.counts[Kind::AddMpid as usize] = count;
    }
}

/// Takes the first messages of the opening second apart: a quarter of them, at most 1,000, come at
/// a real day's pace; crosses come after.
fn split_open(segments: &mut Vec<Segment>) {
    let Some(at) = segments.iter().position(|segment| segment.period == Period::Open) else {
        return;
    };
    let crosses = segments[at].counts[Kind::Cross as usize];
    let messages = segments[at].messages() - crosses;
    let head = (messages / 4).min(1_000);
    let mut weights = segments[at].counts;
    weights[Kind::Cross as usize] = 0;
    weights[Kind::ExecuteAt as usize] = 0;
    let mut counts = [0; KINDS.len()];
    for (index, count) in apportion(head, &weights).into_iter().enumerate() {
        counts[index] = count.min(segments[at].counts[index]);
        segments[at].counts[index] -= counts[index];
    }
    let start = nine_thirty(0);
    let end = start + OPEN_GAP * head;
    segments[at].start = end;
    segments.insert(at, Segment { period: Period::OpenHead, start, end, counts });
}

/// Splits `total` in proportion to the weights, exactly; all to the first where they are all 0.
fn apportion(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let mut parts = vec![0; weights.len()];
    if sum == 0 {
        if let Some(first) = parts.first_mut() {
            *first = total;
        }
        return parts;
    }
    let (mut cumulated, mut given) = (0_u128, 0_u64);
    for (part, &weight) in parts.iter_mut().zip(weights) {
        cumulated += u128::from(weight);
        let upto = u64::try_from(u128::from(total) * cumulated / sum).unwrap_or(total);
        *part = upto - given;
        given = upto;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(messages: u64, symbols: u16) -> Vec<Segment> {
        segments(&GenerateConfig::new(messages, symbols, 1).expect("a day"))
    }

    #[test]
    fn every_message_has_its_place() {
        for (messages, symbols) in [
            (11, 1),
            (56, 10),
            (57, 10),
            (1_000, 10),
            (10_007, 3),
            (1_000_000, 8_000),
            (10_000_000, 8_000),
        ] {
            let planned: u64 = plan(messages, symbols).iter().map(Segment::messages).sum();
            let fixed = 6 + 3 * u64::from(symbols);
            assert_eq!(planned + fixed, messages, "{messages} over {symbols}");
        }
    }

    #[test]
    fn stretches_follow_one_another() {
        let plan = plan(1_000_000, 100);
        for pair in plan.windows(2) {
            assert!(pair[0].start <= pair[0].end);
            assert_eq!(pair[0].end, pair[1].start, "{:?}", pair[1].period);
        }
    }

    #[test]
    fn nothing_enters_when_the_system_hours_are_over() {
        let plan = plan(1_000_000, 100);
        let over = plan.last().expect("a stretch");
        assert_eq!(over.counts[Kind::Delete as usize], over.messages());
        assert!(over.messages() > 0);
    }

    #[test]
    fn apportioning_is_exact() {
        assert_eq!(apportion(10, &[1, 1, 1]), [3, 3, 4]);
        assert_eq!(apportion(7, &[0, 0]), [7, 0]);
        assert_eq!(apportion(0, &[3, 5]), [0, 0]);
        assert_eq!(apportion(u64::MAX, &[1, 2, 3]).iter().sum::<u64>(), u64::MAX);
    }
}
