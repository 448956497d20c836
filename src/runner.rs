//! Runs agents on threads: which thread, which core, and what it does while there is nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use core_affinity::CoreId;
use serde::Deserialize;
use spindle_types::Agent;

use crate::config::ThreadsTable;

/// What a thread does in a turn in which no agent had work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Asks again at once: the lowest latency, and a core of its own.
    Spin,
    /// Lets another thread run first: for threads that share a core.
    Yield,
    /// Sleeps 50 microseconds: for machines that do other work too.
    Park,
}

impl Idle {
    fn wait(self) {
        match self {
            Self::Spin => std::hint::spin_loop(),
            Self::Yield => thread::yield_now(),
            Self::Park => thread::park_timeout(Duration::from_micros(50)),
        }
    }
}

/// Tells threads to end. Cheap to clone; all clones are one flag.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The flag itself, for signal handlers.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// Polls agents in turn until they are all done or the end is asked for.
pub fn run(agents: &mut [&mut dyn Agent], idle: Idle, stop: &Stop) {
    while !stop.is_stopped() {
        let mut work = 0;
        let mut done = true;
        for agent in agents.iter_mut().filter(|agent| !agent.is_done()) {
            work += agent.poll();
            done = false;
        }
        if done {
            return;
        }
        if work == 0 {
            idle.wait();
        }
    }
}

/// Where a thread runs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The core it is pinned to; `None` leaves it to the scheduler.
    pub core: Option<CoreId>,
    /// What it does without work.
    pub idle: Idle,
}

/// Starts a named thread, pinned where `place` says, that runs `body`.
///
/// # Errors
/// The system gives no thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    place: Place,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Some(core) = place.core {
            core_affinity::set_for_current(core);
        }
        body()
    })
}

/// How the venue's threads are laid out over the cores there are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Cores that this process may use.
    pub cores: usize,
    /// The engine's thread.
    pub engine: Place,
    /// The gateway's thread.
    pub gateway: Place,
    /// Whatever else runs in this process beside the venue: on two cores it shares the gateway's
    /// thread, so that no two threads that spin meet on one core.
    pub others: Option<Place>,
}

impl Layout {
    /// Fits the threads to the cores that this process may use. A chosen core that is not there is
    /// ignored, which shows in the description.
    pub fn fit(threads: &ThreadsTable) -> Self {
        // Asked once, before anything is pinned: the answer is the calling thread's own mask.
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let mut layout = Self::over(&cores, threads.engine_core, threads.gateway_core);
        if let Some(idle) = threads.idle {
            layout.engine.idle = idle;
            layout.gateway.idle = idle;
        }
        layout
    }

    fn over(cores: &[CoreId], engine: Option<usize>, gateway: Option<usize>) -> Self {
        let named = |id: Option<usize>| cores.iter().copied().find(|core| Some(core.id) == id);
        let idle = if cores.len() >= 2 { Idle::Spin } else { Idle::Yield };
        let place = |core| Place { core, idle };
        let engine = named(engine).or(cores.first().copied()).filter(|_| cores.len() >= 2);
        let free = |taken: &[Option<CoreId>]| {
            cores.iter().copied().find(|core| !taken.contains(&Some(*core)))
        };
        let gateway = named(gateway).or_else(|| free(&[engine])).filter(|_| cores.len() >= 2);
        let third = free(&[engine, gateway]).filter(|_| cores.len() >= 3);
        Self {
            cores: cores.len(),
            engine: place(engine),
            gateway: place(gateway),
            others: third.map(|core| place(Some(core))),
        }
    }

    /// One line for each thread: where it runs and how it waits.
    pub fn describe(&self) -> String {
        let place = |place: &Place| {
            let core = place.core.map_or("any core".to_owned(), |core| format!("core {}", core.id));
            let idle = match place.idle {
                Idle::Spin => "spinning",
                Idle::Yield => "yielding",
                Idle::Park => "parking",
            };
            format!("{core}, {idle}")
        };
        let others = self.others.as_ref().map_or("with the gateway".to_owned(), place);
        format!(
            "{} cores: engine on {}; gateway on {}; clients and replay {others}",
            self.cores,
            place(&self.engine),
            place(&self.gateway),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(count: usize) -> Vec<CoreId> {
        (0..count).map(|id| CoreId { id }).collect()
    }

    fn ids(layout: &Layout) -> [Option<usize>; 3] {
        let others = layout.others.and_then(|place| place.core);
        [layout.engine.core, layout.gateway.core, others].map(|core| core.map(|core| core.id))
    }

    #[test]
    fn threads_fit_the_cores_there_are() {
        assert_eq!(ids(&Layout::over(&cores(1), None, None)), [None, None, None]);
        assert_eq!(Layout::over(&cores(1), None, None).engine.idle, Idle::Yield);
        assert_eq!(ids(&Layout::over(&cores(2), None, None)), [Some(0), Some(1), None]);
        assert_eq!(ids(&Layout::over(&cores(4), None, None)), [Some(0), Some(1), Some(2)]);
        assert_eq!(ids(&Layout::over(&cores(4), Some(3), Some(2))), [Some(3), Some(2), Some(0)]);
        assert_eq!(ids(&Layout::over(&cores(2), Some(1), None)), [Some(1), Some(0), None]);
        assert_eq!(ids(&Layout::over(&cores(2), Some(9), None)), [Some(0), Some(1), None]);
    }

    #[test]
    fn a_thread_ends_when_its_agents_are_done() {
        struct Countdown(u32);
        impl Agent for Countdown {
            fn name(&self) -> &str {
                "countdown"
            }
            fn poll(&mut self) -> usize {
                self.0 -= 1;
                1
            }
            fn is_done(&self) -> bool {
                self.0 == 0
            }
        }
        let (mut first, mut second) = (Countdown(3), Countdown(5));
        run(&mut [&mut first, &mut second], Idle::Spin, &Stop::default());
        assert_eq!((first.0, second.0), (0, 0));
    }
}
