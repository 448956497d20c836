//! `spindle journal`: what is in a journal, whether it is whole, and whether it leads to where it led.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use spindle_engine::input::Cursor;
use spindle_journal::disk::PlainDisk;
use spindle_journal::{JournalError, Record, Scanned, Snapshot, Start, read, read_from, snapshot};
use spindle_types::{EventTime, Side};

use crate::config::{Config, JournalConfig};
use crate::exit::Exit;
use crate::journal::{FollowError, Follower, Foreword, RecordKind, Replica, describe, layout};

/// Look into a venue's journal. Nothing is changed, and the venue may run meanwhile.
#[derive(Args)]
pub(crate) struct Journal {
    #[command(subcommand)]
    what: What,
    /// Write the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// What is in it: records by kind, segments, times
    Inspect {
        /// The journal's directory
        directory: PathBuf,
    },
    /// Whether it is whole: status 1 where it is damaged, with file, offset and sequence
    Verify {
        /// The journal's directory
        directory: PathBuf,
    },
    /// Run it again: every digest of what was told, every request of every session and the state hash are compared
    Replay {
        /// The journal's directory
        directory: PathBuf,
        /// The configuration that it was begun with
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Where two journals part: the first record that differs
    Diff {
        /// The one journal's directory
        directory: PathBuf,
        /// The other's
        other: PathBuf,
    },
    /// Apply it behind the venue that writes it, and make snapshots: what the venue does by itself with
    /// `snapshot_inputs`. Until the day is over
    Follow {
        /// The journal's directory
        directory: PathBuf,
        /// The configuration that it was begun with
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Inputs between two snapshots; left out as in the configuration, or 1,000,000
        #[arg(long, value_name = "INPUTS")]
        every: Option<u64>,
        /// Make one snapshot of what is there and end
        #[arg(long)]
        once: bool,
    },
    /// Stop behind a record and print books, orders, positions and sessions there
    Until {
        /// The number of the record
        sequence: u64,
        /// The journal's directory
        directory: PathBuf,
        /// The configuration that it was begun with
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

impl Journal {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let answer = match &self.what {
            What::Inspect { directory } => inspect(directory)?,
            What::Verify { directory } => verify(directory)?,
            What::Replay { directory, config } => replay(directory, config, u64::MAX)?.0,
            What::Follow { directory, config, every, once } => {
                follow(directory, config, *every, *once)?
            }
            What::Diff { directory, other } => diff(directory, other)?,
            What::Until { sequence, directory, config } => {
                let (summary, state) = replay(directory, config, *sequence)?;
                json!({"replay": summary, "state": state})
            }
        };
        match self.json {
            true => println!("{answer:#}"),
            false => tell(&answer, 0),
        }
        Ok(())
    }
}

/// Prints an answer for people: a line for each value, what is within something behind it.
fn tell(value: &Value, depth: usize) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(_) => {
                println!("{indent}{name}");
                tell(value, depth + 1);
            }
            Value::Array(items) => {
                println!("{indent}{name}");
                items.iter().for_each(|item| println!("{indent}  {item}"));
            }
            Value::String(text) => println!("{indent}{name:<24}{text}"),
            value => println!("{indent}{name:<24}{value}"),
        }
    }
}

fn open(directory: &Path) -> Result<PlainDisk, Exit> {
    PlainDisk::open(directory)
        .map_err(|error| Exit::usage(format!("{}: {error}", directory.display())))
}

/// Reads a journal; one that is refused is a failure that was found.
fn each(
    directory: &Path,
    start: Option<&Start>,
    visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Result<Scanned, Exit> {
    let mut disk = open(directory)?;
    let scanned = read_from(&mut disk, None, start, &mut |_, record| visit(record));
    let scanned = scanned.map_err(|error| match error {
        JournalError::Refused(refusal) => Exit::failed(refusal),
        other => Exit::usage(other),
    })?;
    if scanned.identity.is_none() {
        return Err(Exit::usage(format!("{}: no journal is here", directory.display())));
    }
    Ok(scanned)
}

fn found(scanned: &Scanned) -> Value {
    let (first, last) = scanned.segments;
    json!({
        "venue": scanned.identity.map(|identity| identity.venue.to_string()),
        "journal": scanned.identity.map(|identity| identity.journal),
        "segments": format!("{first} to {last}"),
        "records": scanned.records,
        "first": scanned.first,
        "last": scanned.chain.next - 1,
        "torn": scanned.torn.as_ref().map(ToString::to_string),
    })
}

fn inspect(directory: &Path) -> Result<Value, Exit> {
    let mut kinds = BTreeMap::<u16, (u64, u64)>::new();
    let mut times = (u64::MAX, 0);
    let scanned = each(directory, None, &mut |record| {
        let (count, bytes) = kinds.entry(record.kind).or_default();
        *count += 1;
        *bytes += record.bytes() as u64;
        if matches!(record.kind, RecordKind::BEGIN | RecordKind::RESTART | 16..=27) {
            times = (times.0.min(record.time), times.1.max(record.time));
        }
        ControlFlow::Continue(())
    })?;
    let kinds: BTreeMap<_, _> = kinds
        .into_iter()
        .map(|(kind, (count, bytes))| {
            (RecordKind::name(kind), json!({"records": count, "bytes": bytes}))
        })
        .collect();
    let mut answer = found(&scanned);
    answer["kinds"] = json!(kinds);
    answer["utc_ns"] = json!([times.0, times.1]);
    Ok(answer)
}

fn verify(directory: &Path) -> Result<Value, Exit> {
    let scanned = each(directory, None, &mut |_| ControlFlow::Continue(()))?;
    let mut answer = found(&scanned);
    answer["whole"] = json!(scanned.torn.is_none());
    Ok(answer)
}

/// Applies a journal behind its writer, and makes snapshots.
fn follow(directory: &Path, config: &Path, every: Option<u64>, once: bool) -> Result<Value, Exit> {
    let file = config;
    let config = Config::read(config).map_err(Exit::usage)?;
    let Some(kept) = &config.journal else {
        return Err(Exit::usage(format!("{}: it has no [journal]", file.display())));
    };
    let directory = directory.to_owned();
    let every = every.unwrap_or(match kept.snapshot_inputs {
        0 => FOLLOW_INPUTS,
        inputs => inputs,
    });
    let kept = JournalConfig { directory: directory.clone(), ..kept.clone() };
    let said = |error: FollowError| Exit::failed(format!("{}: {error}", directory.display()));
    let (mut follower, mut made, mut last) = (None, 0, None);
    loop {
        let Some(follower) = &mut follower else {
            follower = Follower::begin(&config, &kept).map_err(said)?;
            if follower.is_none() {
                if once {
                    return Err(Exit::usage(format!(
                        "{}: no journal is here",
                        directory.display()
                    )));
                }
                std::thread::sleep(PAUSE);
            }
            continue;
        };
        let taken = follower.follow().map_err(said)?;
        let is_due = follower.inputs_since() >= every.max(1) || (once && taken == 0);
        if is_due && !follower.is_over() {
            let one = follower.snapshot().map_err(said)?;
            eprintln!("{}", describe(&one));
            (made, last) = (made + 1, Some(one));
        }
        if follower.is_over() && taken == 0 || once && made > 0 {
            return Ok(json!({
                "snapshots": made,
                "last": last.map(|one| one.sequence),
                "inputs": last.map(|one| one.inputs),
                "bytes": last.map(|one| one.bytes),
                "segments_put_away": last.map(|one| one.put_away),
                "day_over": follower.is_over(),
            }));
        }
        if taken == 0 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Inputs between two snapshots where nothing is said.
const FOLLOW_INPUTS: u64 = 1_000_000;

/// How long a follower waits for more.
const PAUSE: Duration = Duration::from_millis(10);

/// Snapshots of a journal by their last record.
fn snapshots_of(disk: &mut PlainDisk) -> Result<BTreeMap<u64, Snapshot>, Exit> {
    let identity = read::identity(disk).map_err(Exit::usage)?;
    let mut found = BTreeMap::new();
    for sequence in snapshot::snapshots(disk).map_err(Exit::usage)? {
        match snapshot::read_snapshot(disk, sequence, identity.as_ref(), layout()) {
            Ok(snapshot) => drop(found.insert(sequence, snapshot)),
            Err(passed) => eprintln!("{passed}"),
        }
    }
    Ok(found)
}

/// Runs a journal again up to a record: what was compared, and the state there. Where its first segments are gone, from the
/// oldest snapshot.
fn replay(directory: &Path, config: &Path, until: u64) -> Result<(Value, Value), Exit> {
    let config = Config::read(config).map_err(Exit::usage)?;
    let mut disk = open(directory)?;
    let snapshots = snapshots_of(&mut disk)?;
    let is_whole = read::segments(&mut disk).map_err(Exit::usage)?.0 <= 1;
    let from = snapshots.values().next().filter(|_| !is_whole);
    let mut began = from.and_then(|from| Foreword::of(&from.state).ok()).map(|one| one.day_began);
    if began.is_none() {
        each(directory, None, &mut |record| {
            began = Cursor::new(record.payload).u64("time").ok().map(EventTime);
            ControlFlow::Break(())
        })?;
    }
    let mut replica = Replica::new(&config, began.unwrap_or_default()).map_err(Exit::usage)?;
    let started = Instant::now();
    if let Some(from) = from {
        let loaded = replica.whole(|whole| whole.load(&from.state));
        loaded.map_err(|error| Exit::failed(format!("{}: {error}", directory.display())))?;
    }
    let (mut wrong, mut compared) = (None, 0);
    let start = from.map(|from| from.start);
    let scanned = each(directory, start.as_ref(), &mut |record| {
        wrong = replica.apply(record).err().map(|error| error.to_string());
        if let Some(snapshot) = snapshots.get(&record.sequence) {
            let (then, now) = (snapshot.hash, replica.engine.state_hash());
            compared += 1;
            if then != now && wrong.is_none() {
                let sequence = record.sequence;
                wrong = Some(format!(
                    "record {sequence}: the snapshot has state hash {then:016x}, it is {now:016x}"
                ));
            }
        }
        match wrong.is_some() || record.sequence >= until {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let Replica { engine, desk, replayer, .. } = &replica;
    if let Some(error) = wrong {
        return Err(Exit::failed(format!("{}: {error}", directory.display())));
    }
    let now = replayer.now();
    let took = started.elapsed().as_secs_f64();
    let mut summary = found(&scanned);
    let fields = json!({
        "inputs": now.inputs,
        "events": now.told.events,
        "digest": format!("{:016x}", now.told.digest.value()),
        "digests_compared": replayer.digests,
        "state_hashes_compared": replayer.hashes,
        "snapshots_compared": compared,
        "from_snapshot": from.map(|from| from.start.chain.next - 1),
        "restarts": replayer.restarts,
        "requests_not_taken": replayer.pending().count(),
        "published": replayer.stream.as_ref().map(|stream| stream.next_sequence() - 1),
        "state_hash": format!("{:016x}", engine.state_hash()),
        "seconds": format!("{took:.3}"),
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        summary[name] = value.clone();
    }
    let positions: Vec<Value> = engine
        .gate()
        .positions()
        .map(|(target, instrument, totals)| {
            json!({"of": format!("{target:?}"), "instrument": instrument.0, "position": totals.position,
                "open_orders": totals.open_orders})
        })
        .collect();
    let mut levels = Vec::new();
    for (instrument, known) in engine.instruments().iter() {
        for side in [Side::Buy, Side::Sell] {
            for level in engine.books().levels_of(instrument, side).take(10) {
                levels.push(json!({"symbol": known.symbol.to_string(), "side": side.name(),
                    "price": level.price.0, "shares": level.quantity, "orders": level.orders}));
            }
        }
    }
    let orders: Vec<Value> = engine
        .open_orders()
        .map(|order| {
            json!({"session": order.session.0, "account": order.account.0, "token": order.token.0,
                "instrument": order.instrument.0, "side": order.side.name(), "open": order.open})
        })
        .collect();
    let standing: Vec<Value> = desk
        .standing()
        .iter()
        .map(|one| {
            let protocol = if one.is_fix { "fix" } else { "ouch" };
            json!({"protocol": protocol, "place": one.place, "next_in": one.next_in,
                "next_out": one.next_out, "logged_in": one.is_taken})
        })
        .collect();
    let state = json!({
        "time": engine.time().to_string(),
        "books": levels,
        "orders": orders,
        "positions": positions,
        "sessions": standing,
    });
    Ok((summary, state))
}

fn diff(one: &Path, other: &Path) -> Result<Value, Exit> {
    type Digest = (u64, u16, u64, u32);
    let digests = |directory: &Path| -> Result<Vec<Digest>, Exit> {
        let mut all = Vec::new();
        each(directory, None, &mut |record| {
            // Marks say how a journal was written, not what was.
            if record.kind != 0 {
                let sum = record.payload.iter().fold(0x811c_9dc5_u32, |sum, byte| {
                    (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
                });
                all.push((record.sequence, record.kind, record.time, sum));
            }
            ControlFlow::Continue(())
        })?;
        Ok(all)
    };
    let (one, other) = (digests(one)?, digests(other)?);
    let same = |a: &Digest, b: &Digest| (a.1, a.2, a.3) == (b.1, b.2, b.3);
    let alike = one.iter().zip(&other).take_while(|(a, b)| same(a, b)).count();
    let side = |all: &[Digest]| {
        all.get(alike).map(|(sequence, kind, time, _)| {
            json!({"sequence": sequence, "kind": RecordKind::name(*kind), "time": time})
        })
    };
    Ok(json!({"alike": alike, "first_differs": side(&one), "other_differs": side(&other)}))
}
