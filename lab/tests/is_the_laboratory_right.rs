//! The laboratory against a stand-in whose delays are known, in simulated time: what it tells must be
//! what was put in, within 2 %.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use hdrhistogram::Histogram;
use spindle_lab::load::{Bounds, Outcome, Peer, Time, Void, closed_loop, open_loop};
use spindle_lab::recorder::Recorder;
use spindle_lab::schedule::Arrivals;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Each look at the clock takes this long.
const LOOK: u64 = 500;

#[derive(Clone, Default)]
struct Simulated(Rc<Cell<u64>>);

impl Time for Simulated {
    fn now(&mut self) -> u64 {
        self.0.set(self.0.get() + LOOK);
        self.0.get()
    }
}

/// When a request that was sent at a time is answered.
type Delay = fn(u64) -> u64;

/// A venue that answers in order, when `delay` says.
struct StandIn {
    time: Simulated,
    delay: Delay,
    under_way: VecDeque<(u64, usize)>,
    /// Takes nothing before this time, as a socket that is full.
    deaf_until: u64,
}

impl StandIn {
    fn new(time: &Simulated, delay: Delay) -> Self {
        Self { time: time.clone(), delay, under_way: VecDeque::new(), deaf_until: 0 }
    }
}

impl Peer for StandIn {
    fn send(&mut self, request: usize) -> bool {
        let now = self.time.0.get();
        if now < self.deaf_until {
            return false;
        }
        let after = self.under_way.back().map_or(0, |(at, _)| *at);
        self.under_way.push_back(((self.delay)(now).max(after), request));
        true
    }

    fn poll(&mut self, answered: &mut impl FnMut(usize)) {
        while let Some(&(at, request)) = self.under_way.front()
            && at <= self.time.0.get()
        {
            self.under_way.pop_front();
            answered(request);
        }
    }

    fn gone(&self) -> Option<String> {
        None
    }
}

fn constant(at: u64) -> u64 {
    at + 500 * US
}

/// Nothing is answered between 30 s and 30.1 s.
fn pause(at: u64) -> u64 {
    let begin = 30 * SECOND;
    if (begin..begin + 100 * MS).contains(&at) { begin + 100 * MS + 500 * US } else { constant(at) }
}

/// The first second is slow: from 10 ms down to half a millisecond.
fn slow_start(at: u64) -> u64 {
    let extra = if at < SECOND { (SECOND - at) / 100 * 95 / 100 } else { 0 };
    at + 500 * US + extra
}

fn open(time: &mut Simulated, peer: &mut StandIn, due: &[u64]) -> (Histogram<u64>, Outcome) {
    let mut recorder = Recorder::new(due.len());
    let outcome = open_loop(time, peer, due, &Bounds::default(), &mut recorder, &mut || ());
    (recorder.histogram(), outcome)
}

fn run(delay: Delay, rate: u64, seconds: u64) -> Histogram<u64> {
    let mut time = Simulated::default();
    let mut peer = StandIn::new(&time, delay);
    let due = Arrivals::Constant.schedule(rate, seconds * SECOND, 1).expect("a schedule");
    let (histogram, outcome) = open(&mut time, &mut peer, &due);
    assert_eq!(outcome.void, []);
    assert_eq!(histogram.len(), due.len() as u64);
    histogram
}

#[track_caller]
fn within(told: u64, truth: u64) {
    assert!(told.abs_diff(truth) * 50 <= truth, "told {told}, in truth {truth}");
}

#[test]
fn a_constant_delay_is_told_at_every_percentile() {
    let histogram = run(constant, 5_000, 2);
    for quantile in [0.0, 0.5, 0.9, 0.99, 0.9999, 1.0] {
        within(histogram.value_at_quantile(quantile), 500 * US);
    }
}

#[test]
fn a_pause_shows_in_full_in_open_loop_and_not_in_closed_loop() {
    let histogram = run(pause, 1_000, 60);
    // A request that is due so long before the end of the pause waits that long; 100 of 60,000 are.
    let worst = |part: f64| {
        let of_paused = (1.0 - part) * 60.0 / 0.1;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let waits = ((1.0 - of_paused) * 100e6) as u64 + 500 * US;
        waits
    };
    within(histogram.value_at_quantile(0.5), 500 * US);
    within(histogram.value_at_quantile(0.998), 500 * US);
    within(histogram.value_at_quantile(0.999), worst(0.999));
    within(histogram.value_at_quantile(0.9995), worst(0.9995));
    within(histogram.value_at_quantile(0.9999), worst(0.9999));
    within(histogram.max(), 100 * MS + 500 * US);

    // The same venue, asked again as soon as it has answered: one request of 100,000 sees the pause.
    let mut time = Simulated::default();
    let mut peer = StandIn::new(&time, pause);
    let requests = 100_000;
    let mut recorder = Recorder::new(requests);
    closed_loop(&mut time, &mut peer, requests, 1, SECOND, &mut recorder, &mut || ());
    let closed = recorder.histogram();
    within(closed.value_at_quantile(0.9999), 500 * US);
    let paused = closed.iter_recorded().filter(|value| value.value_iterated_to() > MS);
    assert_eq!(paused.map(|value| value.count_at_value()).sum::<u64>(), 1);
}

#[test]
fn a_slow_start_is_told_where_it_is_measured_and_not_behind_a_warm_up() {
    let histogram = run(slow_start, 2_000, 10);
    // One in ten is slow, evenly from 10 ms down; answers keep their order, which moves none here.
    within(histogram.value_at_quantile(0.89), 500 * US);
    within(histogram.value_at_quantile(0.95), 500 * US + 4_750 * US);
    within(histogram.value_at_quantile(0.99), 500 * US + 8_550 * US);

    let mut time = Simulated::default();
    let mut peer = StandIn::new(&time, slow_start);
    let warm_up = Arrivals::Constant.schedule(2_000, SECOND, 1).expect("a schedule");
    open(&mut time, &mut peer, &warm_up);
    let due = Arrivals::Constant.schedule(2_000, 4 * SECOND, 1).expect("a schedule");
    let (histogram, _) = open(&mut time, &mut peer, &due);
    within(histogram.max(), 500 * US);
}

#[test]
fn what_is_sent_late_counts_from_when_it_was_due() {
    let mut time = Simulated::default();
    let mut peer = StandIn::new(&time, constant);
    peer.deaf_until = 50 * MS;
    let due = Arrivals::Constant.schedule(1_000, SECOND, 1).expect("a schedule");
    let (histogram, outcome) = open(&mut time, &mut peer, &due);
    within(histogram.max(), 50 * MS + 500 * US);
    // Those due in the first 49 ms and at their end left more than a millisecond late.
    let late = Void::Behind { late: 50, requests: 1_000, late_ns: MS };
    assert_eq!(outcome.void, [late]);
}

#[test]
fn a_sender_without_hope_gives_up_and_what_is_never_answered_is_said() {
    let mut time = Simulated::default();
    let mut peer = StandIn::new(&time, constant);
    peer.deaf_until = u64::MAX;
    let due = Arrivals::Constant.schedule(1_000, 3 * SECOND, 1).expect("a schedule");
    let (_, outcome) = open(&mut time, &mut peer, &due);
    assert_eq!(outcome.void, [Void::GaveUp { sent: 0, requests: 3_000 }]);

    let mut peer = StandIn::new(&time, |_| u64::MAX);
    let due = Arrivals::Constant.schedule(10, SECOND, 1).expect("a schedule");
    let (_, outcome) = open(&mut time, &mut peer, &due);
    assert_eq!(outcome.void, [Void::Unanswered { requests: 10 }]);
}
