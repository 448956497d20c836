//! What it costs a venue to be followed by `spindle top`: rounds with one beside it and without, by turns.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use spindle_lab::followed::Followed;
use spindle_lab::stats::Percentiles;

use super::rounds::Bench;
use super::side::Serve;
use super::wire::Progress;
use super::{LabError, WireOptions};
use crate::runner::{Idle, Place, spawn};

/// How long the first frame is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that starts and ends `spindle top`. It is started before any other is pinned: a process runs on the cores of
/// the thread that starts it.
pub(super) struct Companion {
    wanted: Sender<bool>,
    done: Receiver<Result<(), LabError>>,
    frames: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Companion {
    /// Ready to follow the venue at this socket.
    pub(super) fn start(program: PathBuf, control: &Path) -> Result<Self, LabError> {
        let (wanted, orders) = bounded::<bool>(1);
        let (tell, done) = bounded(1);
        let frames = Arc::<AtomicU64>::default();
        let (control, count) = (control.to_owned(), Arc::clone(&frames));
        let place = Place { core: None, idle: Idle::Park };
        let thread = spawn("companion", place, move || {
            let mut top: Option<Top> = None;
            while let Ok(follows) = orders.recv() {
                drop(top.take());
                let begun = match follows {
                    true => Top::start(&program, &control, &count).map(|it| top = Some(it)),
                    false => Ok(()),
                };
                if tell.send(begun).is_err() {
                    return;
                }
            }
        });
        let thread = thread.map_err(|error| LabError::Thread(error.to_string()))?;
        Ok(Self { wanted, done, frames, thread })
    }

    /// From now on it follows, and has drawn its first frame; or it does not, and is gone.
    fn set(&self, follows: bool) -> Result<(), LabError> {
        let gone = || LabError::Thread("what starts `spindle top` is gone".to_owned());
        self.wanted.send(follows).map_err(|_| gone())?;
        self.done.recv().map_err(|_| gone())?
    }

    fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(super) fn finish(self) {
        drop((self.wanted, self.done));
        let _ = self.thread.join();
    }
}

/// `spindle top` as a process of its own, whose frames are counted.
struct Top {
    process: Child,
    reader: Option<JoinHandle<()>>,
}

impl Top {
    fn start(program: &Path, control: &Path, frames: &Arc<AtomicU64>) -> Result<Self, LabError> {
        let failed = |error: std::io::Error| LabError::Thread(format!("spindle top: {error}"));
        let mut process = Command::new(program)
            .args(["top", "--batch", "--size", "200x60", "--control"])
            .arg(control)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let out = process.stdout.take();
        let (first, drawn) = bounded::<()>(1);
        let count = Arc::clone(frames);
        let place = Place { core: None, idle: Idle::Park };
        let reader = spawn("frames", place, move || {
            for byte in out.into_iter().flat_map(|out| BufReader::new(out).bytes()) {
                // A form feed is behind each frame.
                if matches!(byte, Ok(0x0c)) {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = first.try_send(());
                }
            }
        });
        let mut top = Self { process, reader: None };
        top.reader = Some(reader.map_err(failed)?);
        match drawn.recv_timeout(PATIENCE) {
            Ok(()) => Ok(top),
            Err(_) => Err(LabError::Thread(
                "spindle top drew nothing within 10 s; where this runs in real time it gets no core: leave chrt out"
                    .to_owned(),
            )),
        }
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// Pairs of rounds on the venue, followed and not; which is first changes from pair to pair. A pair of which a round does
/// not count is left out.
pub(super) fn followed(
    options: &WireOptions,
    bench: &mut Bench,
    companion: &Companion,
    pairs: u64,
    progress: Progress<'_>,
) -> Result<Option<Followed>, LabError> {
    let lengths = (options.warm_up_ms, options.milliseconds * 1_000_000 / options.rounds.max(1));
    let (mut measured, mut frames) = (Vec::new(), 0);
    for pair in 0..pairs {
        let mut found = [None, None];
        for follows in [pair % 2 == 0, pair % 2 != 0] {
            progress(&format!(
                "pair {} of {pairs}, {} spindle top",
                pair + 1,
                if follows { "with" } else { "without" }
            ));
            companion.set(follows)?;
            let before = companion.frames();
            let seed = options.seed.wrapping_add(pair);
            let round =
                bench.round(Serve::Venue, &options.arrivals, options.rate, lengths, seed)?;
            frames += if follows { companion.frames() - before } else { 0 };
            if round.outcome.void.is_empty() {
                found[usize::from(follows)] = Some(Percentiles::of(&round.latencies()));
            }
        }
        if let [Some(without), Some(with)] = found {
            measured.push((with, without));
        }
    }
    companion.set(false)?;
    Ok(Followed::of(&measured, frames))
}
