//! `spindle replay`: a recording as a live MoldUDP64 feed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use spindle_replay::publish::{Outgoing, OutgoingConfig, PublishStats, Publisher, Speed, Target};
use spindle_replay::recording::Recording;
use spindle_types::{Agent, EventTime};

use crate::exit::Exit;

/// Send a recording as a live MoldUDP64 feed, paced by the time of its messages.
#[derive(Args)]
pub(crate) struct Replay {
    /// The recording
    file: PathBuf,
    /// Where to send: a multicast group or one receiver, with the port
    #[arg(long, value_name = "ADDR:PORT")]
    to: SocketAddr,
    /// How fast the tape runs: `max`, or `x` and a factor, as in x1, x10, x0.1
    #[arg(long, default_value = "x1")]
    speed: Speed,
    /// Local address of the interface to send through; a group goes through loopback without it
    #[arg(long, value_name = "IP")]
    interface: Option<IpAddr>,
    /// The stream's name, up to 10 ASCII characters
    #[arg(long, value_name = "NAME", default_value = "SPINDLE001", value_parser = session)]
    session: [u8; 10],
    /// The most messages a second, whatever the speed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
}

/// A session name, padded on the right.
fn session(text: &str) -> Result<[u8; 10], String> {
    if !(1..=10).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a session is 1 to 10 printable ASCII characters without spaces".to_owned());
    }
    let mut name = [b' '; 10];
    name[..text.len()].copy_from_slice(text.as_bytes());
    Ok(name)
}

/// The longest sleep between looks at the clock and at the signals.
const NAP_MAX: Duration = Duration::from_millis(20);

/// How long before a packet is due the thread stops sleeping and spins, in nanoseconds: more than
/// an ordinary kernel oversleeps.
const SPIN: u64 = 200_000;

impl Replay {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let shown = self.file.display();
        let recording = Recording::open(&self.file)
            .map_err(|error| Exit::usage(format!("{shown}: {error}")))?;
        let size = recording.size().unwrap_or(0);
        let config = OutgoingConfig {
            session: self.session,
            speed: self.speed,
            rate: self.rate,
            ..OutgoingConfig::default()
        };
        let target = Target { address: self.to, interface: self.interface };
        let mut publisher =
            Publisher::new(Outgoing::new(recording, config), target).map_err(Exit::usage)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(Exit::failed)?;
        }
        let stats = publisher.stats();
        let started = Instant::now();
        let stopped = drive(&mut publisher, &interrupted, &Bar::new(size, started));
        summary(&stats, started.elapsed(), self.to, stopped);
        match publisher.take_error() {
            None => Ok(()),
            Some(error) => Err(Exit::failed(format!("{shown}: {error}"))),
        }
    }
}

/// Sends until the end or until a signal comes, and says whether one came. A second signal does not
/// wait for the end of the session.
fn drive(publisher: &mut Publisher, interrupted: &AtomicBool, bar: &Bar) -> bool {
    let stats = publisher.stats();
    let mut stopped = false;
    let mut polls = 0_u32;
    while !publisher.is_done() {
        let packets = publisher.poll();
        polls = polls.wrapping_add(1);
        if packets == 0 || polls.is_multiple_of(64) {
            bar.show(&stats);
            if interrupted.swap(false, Ordering::Relaxed) {
                if stopped {
                    break;
                }
                publisher.stop();
                stopped = true;
            }
        }
        if packets == 0 {
            let wait = publisher.wait();
            if wait > SPIN {
                thread::sleep(Duration::from_nanos(wait - SPIN).min(NAP_MAX));
            } else {
                std::hint::spin_loop();
            }
        }
    }
    bar.bar.finish_and_clear();
    stopped
}

/// The progress bar: hidden where standard error is no terminal.
struct Bar {
    bar: ProgressBar,
    started: Instant,
}

impl Bar {
    fn new(size: u64, started: Instant) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(size).with_style(style), started }
    }

    fn show(&self, stats: &PublishStats) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(stats.position.load(Ordering::Relaxed));
        let messages = stats.messages.load(Ordering::Relaxed);
        let time = EventTime(stats.tape_time.load(Ordering::Relaxed)).to_string();
        let rate = per_second(messages, self.started.elapsed());
        self.bar.set_message(format!("tape {}, {rate} messages/s", &time[..8]));
    }
}

fn per_second(count: u64, elapsed: Duration) -> u128 {
    u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1)
}

fn summary(stats: &PublishStats, elapsed: Duration, to: SocketAddr, stopped: bool) {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let messages = read(&stats.messages);
    eprintln!(
        "{}{messages} messages in {} packets ({} bytes, {} heartbeats) to {to} in {}.{:03} s: {} \
         messages/s",
        if stopped { "stopped: " } else { "" },
        read(&stats.packets),
        read(&stats.bytes),
        read(&stats.heartbeats),
        elapsed.as_secs(),
        elapsed.subsec_millis(),
        per_second(messages, elapsed),
    );
}
