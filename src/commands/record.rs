//! `spindle record`: a live feed to a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use spindle_feed::receive::{LineConfig, ReceiveConfig, Receiver};
use spindle_replay::record::Recorder;
use spindle_types::ReceiveTime;

use crate::exit::Exit;
use crate::report::grouped;

/// Write a live feed to a pcapng capture, with the kernel's receive times in nanoseconds.
///
/// It ends with Ctrl-C, after --seconds, or with --until-end when the session has ended on each line.
#[derive(Args)]
pub(crate) struct Record {
    /// The file to write; `-` is standard output
    out: PathBuf,
    /// Line A: a multicast group or an address of this machine, with the port
    #[arg(long, value_name = "ADDR:PORT")]
    from: SocketAddr,
    /// Line B
    #[arg(long, value_name = "ADDR:PORT")]
    and: Option<SocketAddr>,
    /// The interface on which the packets arrive, by name
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// The only sender that is accepted
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    /// End when the session has ended on each line
    #[arg(long)]
    until_end: bool,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Write the summary as JSON to standard output, or to standard error where OUT is `-`
    #[arg(long)]
    json: bool,
}

/// What was recorded.
#[derive(Serialize)]
struct Summary {
    out: String,
    bytes: u64,
    elapsed_ns: u64,
    lines: Vec<LineSummary>,
}

#[derive(Serialize)]
struct LineSummary {
    from: String,
    datagrams: u64,
    bytes: u64,
    messages: u64,
    foreign: u64,
    ended: bool,
    kernel_drops: u64,
    too_long: u64,
    wrong_source: u64,
}

/// How long the thread sleeps when nothing has come: short against what a receive buffer holds.
const NAP: Duration = Duration::from_micros(100);

impl Record {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let shown = self.out.display();
        let mut receiver = Receiver::open(&self.receive_config()).map_err(Exit::usage)?;
        let output: Box<dyn Write> = if self.out == Path::new("-") {
            Box::new(std::io::stdout().lock())
        } else {
            Box::new(
                File::create(&self.out)
                    .map_err(|error| Exit::usage(format!("{shown}: cannot be written: {error}")))?,
            )
        };
        let lines = self.addresses(&receiver);
        let failed = |error| Exit::failed(format!("{shown}: writing stopped: {error}"));
        let output = BufWriter::with_capacity(1 << 20, output);
        let mut recorder = Recorder::new(output, lines).map_err(failed)?;
        eprintln!("recording: {}", receiver.chosen());
        let started = Instant::now();
        self.drive(&mut receiver, &mut recorder, started).map_err(failed)?;
        recorder.flush().map_err(failed)?;
        let summary = self.summary(&receiver, &recorder, started.elapsed());
        self.print(&summary)?;
        match receiver.fault() {
            None => Ok(()),
            Some(fault) => Err(Exit::failed(format!("{shown}: receiving stopped: {fault}"))),
        }
    }

    /// Where each line is sent to, with the port that the kernel chose where 0 was asked for.
    fn addresses(&self, receiver: &Receiver) -> Vec<SocketAddr> {
        let lines = [Some(self.from), self.and].into_iter().flatten().enumerate();
        lines
            .map(|(line, mut address)| {
                if let Some(bound) = receiver.address(line).filter(|_| address.port() == 0) {
                    address.set_port(bound.port());
                }
                address
            })
            .collect()
    }

    fn receive_config(&self) -> ReceiveConfig {
        let line = |address| LineConfig {
            address,
            interface: self.interface.clone(),
            source: self.source,
        };
        let lines = [Some(self.from), self.and].into_iter().flatten().map(line).collect();
        ReceiveConfig { datagram_max: u16::MAX, buffers: 256, ..ReceiveConfig::new(lines) }
    }

    /// Records until the end.
    fn drive<W: Write>(
        &self,
        receiver: &mut Receiver,
        recorder: &mut Recorder<W>,
        started: Instant,
    ) -> std::io::Result<()> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let limit = self.seconds.map(Duration::from_secs);
        let bar = ProgressBar::new_spinner().with_style(
            ProgressStyle::with_template("{spinner} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let mut written = Ok(());
        loop {
            let taken = receiver.poll(|datagram| {
                if written.is_ok() {
                    let time = or_now(datagram.received);
                    written = recorder.datagram(datagram.line, time, datagram.bytes);
                }
            });
            std::mem::replace(&mut written, Ok(()))?;
            if taken == 0 {
                let over = self.until_end && recorder.is_over();
                let late = limit.is_some_and(|limit| started.elapsed() >= limit);
                let stopped = receiver.fault().is_some();
                if over || late || stopped || interrupted.load(Ordering::Relaxed) {
                    break;
                }
                if !bar.is_hidden() {
                    let datagrams: u64 = recorder.counters().iter().map(|c| c.datagrams).sum();
                    let bytes = grouped(recorder.bytes());
                    bar.set_message(format!("{} packets, {bytes} bytes", grouped(datagrams)));
                }
                thread::sleep(NAP);
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn summary<W: Write>(
        &self,
        receiver: &Receiver,
        recorder: &Recorder<W>,
        elapsed: Duration,
    ) -> Summary {
        let stats = receiver.stats();
        let lines = recorder.counters().iter().enumerate().zip(stats.lines);
        let addresses = self.addresses(receiver);
        let lines = lines.map(|((line, counters), stats)| LineSummary {
            from: addresses.get(line).map(ToString::to_string).unwrap_or_default(),
            datagrams: counters.datagrams,
            bytes: counters.bytes,
            messages: counters.messages,
            foreign: counters.foreign,
            ended: counters.ended,
            kernel_drops: receiver.kernel_drops(line).map_or(stats.kernel_drops, u64::from),
            too_long: stats.truncated,
            wrong_source: stats.wrong_source,
        });
        Summary {
            out: self.out.display().to_string(),
            bytes: recorder.bytes(),
            elapsed_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
            lines: lines.collect(),
        }
    }

    fn print(&self, summary: &Summary) -> Result<(), Exit> {
        if self.json {
            let json = serde_json::to_string_pretty(summary).map_err(Exit::failed)?;
            if self.out == Path::new("-") {
                eprintln!("{json}");
            } else {
                println!("{json}");
            }
            return Ok(());
        }
        eprintln!("{}: {} bytes", summary.out, grouped(summary.bytes));
        for line in &summary.lines {
            eprintln!(
                "{}: {} packets with {} messages, {} dropped by the kernel, {} too long, {} of \
                 other senders",
                line.from,
                grouped(line.datagrams),
                grouped(line.messages),
                grouped(line.kernel_drops),
                grouped(line.too_long),
                grouped(line.wrong_source)
            );
        }
        Ok(())
    }
}

/// The kernel's time, or the clock's where the kernel gave none.
fn or_now(received: ReceiveTime) -> ReceiveTime {
    if received.0 > 0 {
        return received;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ReceiveTime(u64::try_from(now.as_nanos()).unwrap_or(0))
}
