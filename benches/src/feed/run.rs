//! One run of one plan over one receive path.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use core_affinity::CoreId;
use hdrhistogram::Histogram;
use spindle_feed::itch::{Message, to_event};
use spindle_feed::mold_feed::{FeedError, MoldFeed};
use spindle_feed::receive::{LineConfig, PathChoice, ReceiveConfig, ReceiveStats, RingMode};
use spindle_feed::stream::{Delivery, StreamConfig};
use thiserror::Error;

use super::load::{Plan, Sent, WARM_UP, send, send_end};
use super::{Subject, Ticks, bare};
use crate::summary::histogram;

/// Nanoseconds between announcements of the end.
const END_GAP: u64 = 1_000_000;

/// Why a run has no figures.
#[derive(Debug, Error)]
pub enum RunError {
    /// The feed does not open.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The sending side does not open.
    #[error("cannot send over loopback: {0}")]
    Send(#[from] std::io::Error),
    /// The end of the session never came through, or the receiver stopped.
    #[error("the run did not end: {0}")]
    Stuck(String),
    /// A thread of the bench panicked.
    #[error("a thread of the bench panicked")]
    Panic,
}

/// What one run came to.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) sent: Sent,
    /// Measured messages decoded.
    pub(super) decoded: u64,
    /// Messages declared lost, the warm-up's included.
    pub(super) lost: u64,
    /// Whether the end of the session came through.
    pub(super) ended: bool,
    /// Datagrams that the kernel dropped, as it says itself.
    pub(super) kernel_drops: u64,
    pub(super) stats: ReceiveStats,
    /// From the sending of a message to its decoding.
    pub(super) from_send: Histogram<u64>,
    /// From when a message was due to its decoding: what somebody waits who depends on it.
    pub(super) from_due: Histogram<u64>,
}

/// How the receiver is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) subject: Subject,
    pub(super) buffers: u16,
    pub(super) batch: u16,
    pub(super) socket_buffer: usize,
    /// What the receiver spins over each message, in nanoseconds: a consumer that cannot keep up.
    pub(super) work: u64,
    /// Cores of sender and receiver.
    pub(super) cores: Option<[CoreId; 2]>,
}

/// Runs a plan: a thread that sends, and one that receives, arbitrates and decodes.
pub(super) fn run(setup: &Setup, plan: &Plan) -> Result<Run, RunError> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let Some(path) = setup.subject.path else {
        let socket = bare::open(local, setup.socket_buffer)?;
        let to = socket.local_addr()?;
        return with_sender(setup, plan, to, |ticks, start, over| {
            bare::receive_all(&socket, plan, ticks, start, over)
        });
    };
    let receive = ReceiveConfig {
        path: PathChoice::Only(path),
        ring_mode: setup.subject.ring_mode.unwrap_or(RingMode::Deferred),
        buffers: setup.buffers,
        batch: setup.batch,
        socket_buffer: setup.socket_buffer,
        ..ReceiveConfig::new(vec![LineConfig::new(local)])
    };
    let feed = MoldFeed::open(&receive, &[], StreamConfig::default())?;
    let to = feed
        .receiver()
        .address(0)
        .ok_or_else(|| RunError::Stuck("the receiver has no address".to_owned()))?;
    with_sender(setup, plan, to, |ticks, start, over| {
        receive_all(feed, setup.work, plan, ticks, start, over)
    })
}

/// Sends the plan to an address while it is received there.
fn with_sender(
    setup: &Setup,
    plan: &Plan,
    to: SocketAddr,
    receive: impl FnOnce(&Ticks, u64, &Over) -> Result<Run, RunError> + Send,
) -> Result<Run, RunError> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    let (ticks, over) = (Ticks::new(), Over::default());
    let start = ticks.now() + START;
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            pin(setup.cores, 0);
            let mut sent = send(plan, &socket, &ticks, start);
            while !over.received.load(Ordering::Acquire) {
                sent.ends += u64::from(send_end(plan, &socket).is_ok());
                ticks.wait(END_GAP, || over.received.load(Ordering::Acquire));
            }
            over.sent.store(true, Ordering::Release);
            sent
        });
        let receiver = scope.spawn(|| {
            pin(setup.cores, 1);
            let received = receive(&ticks, start, &over);
            over.received.store(true, Ordering::Release);
            received
        });
        let received = receiver.join().map_err(|_| RunError::Panic)?;
        let sent = sender.join().map_err(|_| RunError::Panic)?;
        let mut run = Run { sent, ..received? };
        if setup.subject.path.is_none() {
            // Nobody asks the kernel here: what did not come was dropped.
            run.kernel_drops = run.unaccounted();
            run.lost = (plan.due.len() as u64 - WARM_UP as u64).saturating_sub(run.decoded);
        }
        Ok(run)
    })
}

/// Nanoseconds until the plan starts, for both threads to be there.
const START: u64 = 5_000_000;

/// Polls without a datagram after which the socket is taken to be empty.
pub(super) const IDLE_POLLS: usize = 1_000;

/// Which side has come to its end.
#[derive(Default)]
pub(super) struct Over {
    pub(super) received: AtomicBool,
    pub(super) sent: AtomicBool,
}

fn pin(cores: Option<[CoreId; 2]>, thread: usize) {
    if let Some(cores) = cores {
        core_affinity::set_for_current(cores[thread]);
    }
}

/// Polls until the session is over and the socket is empty.
fn receive_all(
    mut feed: MoldFeed,
    work: u64,
    plan: &Plan,
    ticks: &Ticks,
    start: u64,
    over: &Over,
) -> Result<Run, RunError> {
    let mut run = Run::new();
    let deadline = plan.deadline(start);
    while !run.ended {
        let now = ticks.now();
        if now > deadline || feed.receiver().fault().is_some() {
            let fault = feed.receiver().fault().map(|fault| fault.to_string());
            return Err(RunError::Stuck(fault.unwrap_or_else(|| "time is up".to_owned())));
        }
        feed.poll(now, &mut |_, delivery| {
            run.take(delivery, plan, ticks, start);
            if work > 0 {
                ticks.wait(work, || false);
            }
        });
    }
    over.received.store(true, Ordering::Release);
    let mut idle = 0;
    while idle < IDLE_POLLS {
        let taken =
            feed.poll(ticks.now(), &mut |_, delivery| run.take(delivery, plan, ticks, start));
        let more = taken > 0 || !over.sent.load(Ordering::Acquire);
        idle = if more { 0 } else { idle + 1 };
    }
    run.stats = feed.receiver().stats();
    run.kernel_drops = feed.receiver().kernel_drops(0).map_or(0, u64::from);
    Ok(run)
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            sent: Sent::new(),
            decoded: 0,
            lost: 0,
            ended: false,
            kernel_drops: 0,
            stats: ReceiveStats::default(),
            from_send: histogram(),
            from_due: histogram(),
        }
    }

    #[inline]
    fn take(&mut self, delivery: Delivery<'_>, plan: &Plan, ticks: &Ticks, start: u64) {
        match delivery {
            Delivery::Message { sequence, bytes } => {
                let Ok(message) = Message::decode(bytes) else { return };
                let sent = std::hint::black_box(to_event(&message)).time.0;
                let index = usize::try_from(sequence).unwrap_or(0).saturating_sub(1);
                self.count(index, sent, plan, ticks, start);
            }
            Delivery::Lost { count, .. } => self.lost += count,
            Delivery::EndOfSession { .. } => self.ended = true,
            _ => {}
        }
    }

    /// A message is here that was sent at this time.
    #[inline]
    pub(super) fn count(
        &mut self,
        index: usize,
        sent: u64,
        plan: &Plan,
        ticks: &Ticks,
        start: u64,
    ) {
        if index < WARM_UP {
            return;
        }
        let now = ticks.now();
        let due = start + plan.due[index];
        self.decoded += 1;
        self.from_send.saturating_record(now.saturating_sub(sent));
        self.from_due.saturating_record(now.saturating_sub(due));
    }

    /// Datagrams sent that neither came nor were counted by the kernel as dropped.
    pub(super) fn unaccounted(&self) -> u64 {
        let sent = self.sent.packets + self.sent.ends;
        sent.abs_diff(self.stats.lines[0].datagrams + self.kernel_drops)
    }
}
