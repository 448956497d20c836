//! A journal applied again, and a venue that comes back from it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use spindle_journal::disk::{Disk, PlainDisk};
use spindle_journal::snapshot::{snapshot_name, snapshots};
use spindle_journal::{read, visit_from};

use super::day::config;
use super::{BenchError, said};
use crate::journal::{Again, Follower, Replayer, shape};
use crate::venue::{Venue, engine_of};

/// A journal's inputs applied to an engine again.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// Inputs.
    pub inputs: u64,
    /// Events that they led to.
    pub events: u64,
    /// The digest of all of them, as 16 hexadecimal digits: the same in every build.
    pub digest: String,
    /// The state hash at the end, likewise.
    pub state_hash: String,
    /// Reading, checking and applying, in seconds: the median of three.
    pub seconds: f64,
    /// Inputs a second.
    pub inputs_a_second: f64,
}

/// A venue that comes back.
#[derive(Clone, Debug, Serialize)]
pub struct Recovery {
    /// Inputs in the snapshot.
    pub snapshot_inputs: u64,
    /// Bytes of the snapshot's state.
    pub snapshot_bytes: usize,
    /// Making it, at the follower, in seconds.
    pub snapshot_seconds: f64,
    /// Following the whole journal up to there, sessions and accounts included, in seconds.
    pub follow_seconds: f64,
    /// From nothing to a venue that listens, with snapshot and tail, in seconds: each of three times.
    pub ready_seconds: Vec<f64>,
    /// The same without a snapshot, once.
    pub ready_seconds_without: f64,
}

fn open(directory: &Path) -> Result<PlainDisk, BenchError> {
    PlainDisk::open(directory).map_err(said)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Applies the inputs of a journal to an engine, three times.
///
/// # Errors
/// It cannot be read, or leads to something else than it should.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn replay(directory: &Path) -> Result<Replayed, BenchError> {
    let config = config(directory)?;
    let (mut took, mut found) = (Vec::new(), None);
    for _ in 0..3 {
        let (mut engine, mut replayer) = (engine_of(&config), Replayer::new(shape(&config)));
        let mut again = Again::new(&mut replayer, &mut engine, None, None);
        let started = Instant::now();
        visit_from(&mut open(directory)?, None, None, &mut again).map_err(said)?;
        took.push(started.elapsed().as_secs_f64());
        again.applied().map_err(said)?;
        found = Some((replayer.now(), engine.state_hash()));
    }
    let (now, hash) = found.unwrap_or_default();
    let seconds = median(took);
    Ok(Replayed {
        inputs: now.inputs,
        events: now.told.events,
        digest: format!("{:016x}", now.told.digest.value()),
        state_hash: format!("{hash:016x}"),
        seconds,
        inputs_a_second: now.inputs as f64 / seconds,
    })
}

fn forget_snapshots(directory: &Path) -> Result<(), BenchError> {
    let mut disk = open(directory)?;
    for sequence in snapshots(&mut disk).map_err(said)? {
        disk.remove(&snapshot_name(sequence)).map_err(said)?;
    }
    Ok(())
}

/// Makes a snapshot so many inputs before the end, and lets a venue come back from it and without it.
///
/// # Errors
/// The system refuses, or the journal leads to something else than it should.
pub fn recover(directory: &Path, tail: u64) -> Result<Recovery, BenchError> {
    let config = config(directory)?;
    let Some(kept) = config.journal.clone() else {
        return Err("the configuration has no journal".to_owned());
    };
    forget_snapshots(directory)?;
    let started = Instant::now();
    let ready_seconds_without = {
        let _venue = Venue::build(&config).map_err(said)?;
        started.elapsed().as_secs_f64()
    };
    // Where the snapshot belongs is known when all is counted.
    let mut inputs = 0;
    read(&mut open(directory)?, None, &mut |_, record| {
        inputs += u64::from((1..=4).contains(&record.kind));
        ControlFlow::Continue(())
    })
    .map_err(said)?;
    let started = Instant::now();
    let follower = Follower::begin(&config, &kept).map_err(said)?;
    let mut follower = follower.ok_or_else(|| "no journal is here".to_owned())?;
    while follower.replica().replayer.now().inputs + tail < inputs {
        if follower.follow().map_err(said)? == 0 {
            return Err("the journal ends too soon".to_owned());
        }
    }
    let follow_seconds = started.elapsed().as_secs_f64();
    let made = follower.snapshot().map_err(said)?;
    drop(follower);
    let mut ready_seconds = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        let _venue = Venue::build(&config).map_err(said)?;
        ready_seconds.push(started.elapsed().as_secs_f64());
    }
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let snapshot_seconds = made.took_ns as f64 / 1e9;
    Ok(Recovery {
        snapshot_inputs: made.inputs,
        snapshot_bytes: made.bytes,
        snapshot_seconds,
        follow_seconds,
        ready_seconds,
        ready_seconds_without,
    })
}
