//! `spindle replay`: a recording as a live MoldUDP64 feed.

mod keys;
mod port;
mod summary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use spindle_replay::publish::{
    Control, Impairments, LineConfig, Outgoing, OutgoingConfig, PublishStats, Publisher, Share,
    Speed, Target,
};
use spindle_replay::recording::{OpenOptions, Recording};
use spindle_types::{Agent, EventTime};

use crate::exit::Exit;
use keys::Keys;
use port::ControlPort;
use summary::Summary;

/// Send a recording as a live MoldUDP64 feed, paced by the time of its messages.
///
/// On a terminal, keys act on it while it runs: space pauses and resumes, s steps one message, + and
/// - double and halve the speed, q ends the session.
#[derive(Args)]
pub(crate) struct Replay {
    /// The recording
    file: PathBuf,
    /// Where to send line A: a multicast group or one receiver, with the port
    #[arg(long, value_name = "ADDR:PORT")]
    to: SocketAddr,
    /// Where to send line B, which carries the same messages in packets of its own
    #[arg(long, value_name = "ADDR:PORT")]
    and: Option<SocketAddr>,
    /// Of a capture, the group to read; twice for lines A and B of one stream
    #[arg(long, value_name = "ADDR:PORT")]
    group: Vec<SocketAddr>,
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
    /// Bytes of an IP packet on line A, headers included; and on line B without --mtu-b
    #[arg(long, value_name = "BYTES", default_value_t = 1500,
        value_parser = clap::value_parser!(u16).range(128..))]
    mtu: u16,
    /// Bytes of an IP packet on line B
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(128..))]
    mtu_b: Option<u16>,
    /// Answer requests for missed messages here; a port alone is one on loopback, or on --interface
    #[arg(long, value_name = "[ADDR:]PORT")]
    request: Option<String>,
    /// Messages kept for requests, in MiB; older ones are forgotten
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    keep: usize,
    /// Share of line A's packets that is not sent, as 0.02
    #[arg(long, value_name = "SHARE", default_value = "0")]
    loss_a: Share,
    /// Share of line B's packets that is not sent
    #[arg(long, value_name = "SHARE", default_value = "0")]
    loss_b: Share,
    /// Share of packets that are sent twice, on each line
    #[arg(long, value_name = "SHARE", default_value = "0")]
    duplicate: Share,
    /// Share of packets that are sent after the one that follows them, on each line
    #[arg(long, value_name = "SHARE", default_value = "0")]
    reorder: Share,
    /// How often each line sends nothing for 20 to 220 packets
    #[arg(long, value_name = "N", default_value_t = 0)]
    outages: u32,
    /// What the faults are seeded with
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Begin with messages of this time of day; earlier ones can still be asked for
    #[arg(long, value_name = "HH:MM:SS", value_parser = time_of_day)]
    from: Option<EventTime>,
    /// End before messages of this time of day
    #[arg(long, value_name = "HH:MM:SS", value_parser = time_of_day)]
    until: Option<EventTime>,
    /// Begin again at the end, in a session of another name
    #[arg(long = "loop")]
    again: bool,
    /// Take controls on this Unix socket: pause, resume, step [N], speed max|xN, stop, status
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Write the summary as JSON to standard output
    #[arg(long)]
    json: bool,
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

/// `9:30`, `09:30:00` or `09:30:00.000000001`.
pub(crate) fn time_of_day(text: &str) -> Result<EventTime, String> {
    let wrong = || "a time of day is HH:MM or HH:MM:SS with up to 9 decimals".to_owned();
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let plausible = (2..=3).contains(&parts.len()) && parts.iter().all(digits);
    if !plausible || fraction.len() > 9 || (!fraction.is_empty() && !digits(&fraction)) {
        return Err(wrong());
    }
    let number = |part: &str| part.parse::<u64>().map_err(|_| wrong());
    let (hours, minutes) = (number(parts[0])?, number(parts[1])?);
    let seconds = parts.get(2).map_or(Ok(0), |part| number(part))?;
    if hours > 99 || minutes > 59 || seconds > 59 {
        return Err(wrong());
    }
    let fraction = number(&format!("{fraction:0<9}"))?;
    Ok(EventTime(EventTime::at(hours, minutes, seconds).0 + fraction))
}

/// The longest sleep between looks at the clock, at signals, keys and the control socket.
const NAP_MAX: Duration = Duration::from_millis(20);

/// The longest sleep while a request could come at any time.
const NAP_SERVING: Duration = Duration::from_micros(200);

/// How long before a packet is due the thread stops sleeping and spins, in nanoseconds: more than
/// an ordinary kernel oversleeps.
const SPIN: u64 = 200_000;

impl Replay {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let shown = self.file.display();
        let options = OpenOptions { groups: self.group.clone() };
        let recording = Recording::open_with(&self.file, &options)
            .map_err(|error| Exit::usage(format!("{shown}: {error}")))?;
        let size = recording.size().unwrap_or(0);
        let mut outgoing = Outgoing::with_lines(recording, self.config(), &self.lines());
        if self.again {
            let (path, options) = (self.file.clone(), options);
            outgoing.set_loop(move || Recording::open_with(&path, &options));
        }
        let targets: Vec<Target> = [Some(self.to), self.and]
            .into_iter()
            .flatten()
            .map(|address| Target { address, interface: self.interface })
            .collect();
        let mut publisher = Publisher::with_targets(outgoing, &targets).map_err(Exit::usage)?;
        if let Some(request) = &self.request {
            let bound =
                publisher.serve_requests(self.request_address(request)?).map_err(Exit::usage)?;
            eprintln!("requests: {bound}");
        }
        let mut hands = Hands::new(self.control.as_deref())?;
        let started = Instant::now();
        let serving = self.request.is_some();
        let bar = Bar::new(size, started);
        let sending = drive(&mut publisher, &mut hands, &bar, serving);
        drop(hands);
        let summary = Summary::new(&publisher, &targets, started.elapsed(), sending);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&summary).map_err(Exit::failed)?);
        } else {
            eprintln!("{summary}");
        }
        match publisher.take_error() {
            None => Ok(()),
            Some(error) => Err(Exit::failed(format!("{shown}: {error}"))),
        }
    }

    fn config(&self) -> OutgoingConfig {
        OutgoingConfig {
            session: self.session,
            speed: self.speed,
            rate: self.rate,
            from: self.from,
            until: self.until,
            keep_bytes: if self.request.is_some() { self.keep.saturating_mul(1 << 20) } else { 0 },
            ..OutgoingConfig::default()
        }
    }

    fn lines(&self) -> Vec<LineConfig> {
        let impairments = |loss| Impairments {
            loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            outages: self.outages,
            seed: self.seed,
        };
        let a = LineConfig {
            payload_max: payload_max(self.to, self.mtu),
            impairments: impairments(self.loss_a),
        };
        let b = self.and.map(|to| LineConfig {
            payload_max: payload_max(to, self.mtu_b.unwrap_or(self.mtu)),
            impairments: impairments(self.loss_b),
        });
        [Some(a), b].into_iter().flatten().collect()
    }

    /// Where requests are taken.
    fn request_address(&self, text: &str) -> Result<SocketAddr, Exit> {
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        let host = self.interface.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        match text.parse::<u16>() {
            Ok(port) => Ok((host, port).into()),
            Err(_) => Err(Exit::usage(format!(
                "--request {}: neither a port nor an address and a port, as 17001 or \
                 127.0.0.1:17001",
                text.escape_default()
            ))),
        }
    }
}

/// The UDP payload in an IP packet of so many bytes.
fn payload_max(to: SocketAddr, mtu: u16) -> usize {
    let headers = if to.is_ipv4() { 28 } else { 48 };
    usize::from(mtu) - headers
}

/// Whoever acts on the running feed: signals, keys, the control socket.
struct Hands {
    interrupted: Arc<AtomicBool>,
    keys: Option<Keys>,
    port: Option<ControlPort>,
}

impl Hands {
    fn new(control: Option<&std::path::Path>) -> Result<Self, Exit> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(Exit::failed)?;
        }
        let port = match control {
            None => None,
            Some(path) => Some(ControlPort::open(path).map_err(|error| {
                Exit::usage(format!("{}: no control socket: {error}", path.display()))
            })?),
        };
        Ok(Self { interrupted, keys: Keys::open(), port })
    }

    /// Does what was asked for since the last call.
    fn act(&mut self, publisher: &mut Publisher) {
        if self.interrupted.swap(false, Ordering::Relaxed) {
            publisher.control(Control::Stop);
        }
        if let Some(control) = self.keys.as_mut().and_then(|keys| keys.next(publisher.outgoing())) {
            publisher.control(control);
        }
        if let Some(port) = &mut self.port {
            port.serve(publisher);
        }
    }
}

/// Sends until the end, and says how long that took without the end of the session being said. Asked
/// a second time to stop, it does not wait for the end of the session.
fn drive(publisher: &mut Publisher, hands: &mut Hands, bar: &Bar, serving: bool) -> Duration {
    let stats = publisher.stats();
    let mut sending = None;
    let mut stopped = false;
    let mut polls = 0_u32;
    while !publisher.is_done() {
        let work = publisher.poll();
        polls = polls.wrapping_add(1);
        if work == 0 || polls.is_multiple_of(64) {
            bar.show(&stats, publisher.outgoing());
            let asked = hands.interrupted.load(Ordering::Relaxed);
            hands.act(publisher);
            if asked && stopped {
                break;
            }
            stopped |= publisher.outgoing().is_stopped();
            if publisher.outgoing().is_ending() {
                sending.get_or_insert(bar.started.elapsed());
            } else {
                sending = None;
            }
        }
        if work == 0 {
            let wait = publisher.wait();
            if wait > SPIN {
                let longest = if serving { NAP_SERVING } else { NAP_MAX };
                thread::sleep(Duration::from_nanos(wait - SPIN).min(longest));
            } else {
                std::hint::spin_loop();
            }
        }
    }
    bar.bar.finish_and_clear();
    sending.unwrap_or(bar.started.elapsed())
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

    fn show(&self, stats: &PublishStats, outgoing: &Outgoing) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(stats.position.load(Ordering::Relaxed));
        let messages = stats.messages.load(Ordering::Relaxed);
        let time = outgoing.tape_time().to_string();
        let rate = per_second(messages, self.started.elapsed());
        let paused = if outgoing.is_paused() { " paused" } else { "" };
        let speed = outgoing.speed();
        self.bar.set_message(format!("{speed}{paused}, tape {}, {rate} messages/s", &time[..8]));
    }
}

fn per_second(count: u64, elapsed: Duration) -> u128 {
    u128::from(count) * 1_000_000_000 / elapsed.as_nanos().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        let at = EventTime::at;
        for (text, time) in [
            ("9:30", at(9, 30, 0)),
            ("09:30:00", at(9, 30, 0)),
            ("16:00:01.5", EventTime(at(16, 0, 1).0 + 500_000_000)),
            ("25:00", at(25, 0, 0)),
        ] {
            assert_eq!(time_of_day(text), Ok(time), "{text}");
        }
        for text in
            ["", "9", "9:60", "9:30:60", "9:30:00.0000000001", "-1:00", "9:30:", "a:b", "1:2:3:4"]
        {
            assert!(time_of_day(text).is_err(), "{text}");
        }
    }
}
