//! A run from its seed to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check;
use crate::client::Act;
use crate::plan::Plan;
use crate::world::{Counts, Crash, World};

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A hash of everything that could be seen.
    pub trace: u64,
    /// What was counted.
    pub counts: Counts,
}

fn state(world: &World) -> Option<u64> {
    world.venue.as_ref().map(|venue| venue.engine.engine().state_hash())
}

fn play(seed: u64, prints: bool) -> Result<Outcome, String> {
    let plan = Plan::new(seed);
    if prints {
        println!("{plan:#?}");
    }
    let mut world = World::new(plan, prints)?;
    let outcome = lead(&mut world);
    if prints && outcome.is_err() {
        world.print_journal();
    }
    outcome
}

/// Leads a world from its begin to its end.
fn lead(world: &mut World) -> Result<Outcome, String> {
    world.trade()?;
    world.trace.say(|| "everything settles".to_owned());
    world.settle(Act::Settle)?;
    check::all(world)?;
    if world.has_journal() {
        // The journal alone has to lead to the same state, and to the same streams from their beginning.
        let before = state(world);
        world.crash(Crash::Power);
        for client in &mut world.clients {
            client.read_all_again();
        }
        world.trace.say(|| "everything is read again".to_owned());
        world.settle_after_restart(before)?;
        check::all(world)?;
    }
    world.settle(Act::Cancel)?;
    check::all(world)?;
    for client in &world.clients {
        let ledger = client.ledger();
        world.counts.fills += ledger.fills.len() as u64;
        world.counts.messages += client.as_soup().map_or(0, |client| client.log().len() as u64);
    }
    let hash = state(world).unwrap_or_default();
    world.trace.note(hash);
    Ok(Outcome { trace: world.trace.hash(), counts: world.counts })
}

/// Runs a seed.
///
/// # Errors
/// What must not be, in one line.
pub fn run(seed: u64, prints: bool) -> Result<Outcome, String> {
    match catch_unwind(AssertUnwindSafe(|| play(seed, prints))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("a panic: {}", text.unwrap_or_default()))
        }
    }
}
