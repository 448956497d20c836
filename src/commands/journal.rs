//! `spindle journal`: what is in a journal, whether it is whole, and whether it leads to where it led.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use rtrb::RingBuffer;
use serde_json::{Value, json};
use spindle_gateway::desk::Desk;
use spindle_journal::disk::PlainDisk;
use spindle_journal::{JournalError, Record, Scanned, read};
use spindle_types::Side;

use crate::accounting::StrategyBooks;
use crate::config::Config;
use crate::exit::Exit;
use crate::journal::{RecordKind, Replayer, Sessions, shape};
use crate::venue::{engine_of, gateway_config};

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
    /// Run it again: every checkpoint of what was told, every request of every session and the state hash are compared
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

/// Reads a journal; one that is refused is a failure that was found.
fn each(
    directory: &Path,
    visit: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Result<Scanned, Exit> {
    let mut disk = PlainDisk::open(directory)
        .map_err(|error| Exit::usage(format!("{}: {error}", directory.display())))?;
    let scanned = read(&mut disk, None, &mut |_, record| visit(record));
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
    let scanned = each(directory, &mut |record| {
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
    let scanned = each(directory, &mut |_| ControlFlow::Continue(()))?;
    let mut answer = found(&scanned);
    answer["whole"] = json!(scanned.torn.is_none());
    Ok(answer)
}

/// Runs a journal again up to a record: what was compared, and the state there.
fn replay(directory: &Path, config: &Path, until: u64) -> Result<(Value, Value), Exit> {
    let config = Config::read(config).map_err(Exit::usage)?;
    let mut engine = engine_of(&config);
    let (mut books, _) = StrategyBooks::new(&config);
    let mut began = None;
    each(directory, &mut |record| {
        began = spindle_engine::input::Cursor::new(record.payload).u64("time").ok();
        ControlFlow::Break(())
    })?;
    let (commands_in, mut commands) = RingBuffer::new(1 << 16);
    let (_events, events) = RingBuffer::new(1);
    let time = spindle_types::EventTime(began.unwrap_or_default());
    let mut desk = Desk::new(&gateway_config(&config), time, commands_in, events)
        .map_err(|error| Exit::usage(format!("gateway: {error}")))?;
    let mut sessions = Sessions { desk: &mut desk, commands: &mut commands };
    let mut replayer = Replayer::new(shape(&config));
    let started = Instant::now();
    let mut wrong = None;
    let scanned = each(directory, &mut |record| {
        let applied = replayer.apply(record, &mut engine, Some(&mut books), Some(&mut sessions));
        wrong = applied.err();
        match wrong.is_some() || record.sequence >= until {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if let Some(error) = wrong {
        return Err(Exit::failed(format!("{}: {error}", directory.display())));
    }
    let now = replayer.now();
    let took = started.elapsed().as_secs_f64();
    let mut summary = found(&scanned);
    let fields = json!({
        "inputs": now.inputs,
        "events": now.events,
        "digest": format!("{:016x}", now.digest),
        "checkpoints_compared": replayer.checkpoints,
        "state_hashes_compared": replayer.hashes,
        "restarts": replayer.restarts,
        "requests_not_taken": replayer.pending().count(),
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
        each(directory, &mut |record| {
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
