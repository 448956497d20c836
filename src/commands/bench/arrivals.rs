//! Arrival times by name or from a recording.

use std::path::Path;

use spindle_lab::schedule::{Arrivals, REQUESTS_MAX};
use spindle_replay::recording::{Batch, Recording};

use crate::exit::Exit;

/// Requests of a burst unless a size is given.
const BURST: u32 = 32;

/// Reads what `--arrivals` says.
pub(super) fn parse(text: &str) -> Result<Arrivals, Exit> {
    match text {
        "constant" => return Ok(Arrivals::Constant),
        "poisson" => return Ok(Arrivals::Poisson),
        "bursts" => return Ok(Arrivals::Bursts { size: BURST }),
        _ => {}
    }
    if let Some(size) = text.strip_prefix("bursts:") {
        let size = size.parse().ok().filter(|size| (1..=100_000).contains(size));
        let wrong = || Exit::usage(format!("--arrivals {text}: give bursts:SIZE, 1 to 100000"));
        return size.map(|size| Arrivals::Bursts { size }).ok_or_else(wrong);
    }
    let path = Path::new(text);
    if !path.exists() {
        return Err(Exit::usage(format!(
            "--arrivals {text}: give constant, poisson, bursts, bursts:SIZE or a recording that is there"
        )));
    }
    recorded(path)
}

/// The times of a recording's messages, as many as one round can use.
fn recorded(path: &Path) -> Result<Arrivals, Exit> {
    let wrong = |error: String| Exit::usage(format!("--arrivals {}: {error}", path.display()));
    let mut recording = Recording::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut times = Vec::new();
    while (times.len() as u64) < REQUESTS_MAX {
        let batch = recording.next_batch().map_err(|error| wrong(error.to_string()))?;
        match batch {
            None => break,
            Some(Batch::Events(events)) => {
                times.extend(events.events.iter().map(|event| event.time.0));
            }
            Some(Batch::Itch(messages)) => times.extend(messages.iter().filter_map(time_of)),
        }
    }
    times.sort_unstable();
    if times.len() < 2 {
        return Err(wrong("fewer than two messages say nothing of their spacing".to_owned()));
    }
    Ok(Arrivals::Recorded(times))
}

/// The time in the header of a message of ITCH, in nanoseconds since midnight.
fn time_of(message: &[u8]) -> Option<u64> {
    let [a, b, c, d, e, f] = *message.get(5..11)?.first_chunk::<6>()?;
    Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
}
