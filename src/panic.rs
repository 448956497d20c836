//! What becomes of a thread of the venue that panics: an error in this program. The venue ends, sessions are told and
//! closed, and one line says which thread it was, where and why.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::SIGUSR2;
use spindle_types::Agent;

/// What the threads that panicked said, while the venue runs.
#[derive(Clone, Default)]
pub(crate) struct Panics(Arc<Mutex<Vec<String>>>);

impl Panics {
    /// From now on a panic is kept for the line at the end. With `RUST_BACKTRACE` it is told at once as well.
    pub(crate) fn catch() -> Self {
        let panics = Self::default();
        let kept = panics.clone();
        let before = std::panic::take_hook();
        let at_once = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
        std::panic::set_hook(Box::new(move |info| {
            kept.keep(info);
            if at_once {
                before(info);
            }
        }));
        panics
    }

    fn keep(&self, info: &PanicHookInfo<'_>) {
        let thread = thread::current();
        let name = thread.name().unwrap_or("without a name");
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        let payload = info.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let why = text.unwrap_or("no reason").replace('\n', " ");
        let line = format!("the thread {name} panicked{place}: {why}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The line at the end.
    pub(crate) fn said(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}; the venue is closed; please report it", kept.join("; "))
    }
}

/// When a thread shall panic: what the tests of a panic have instead of an error.
pub(crate) struct Wanted(Arc<AtomicBool>);

/// Where this thread is named by `SPINDLE_PANIC` it panics after a SIGUSR2. Only in builds with debug assertions.
pub(crate) fn wanted(thread: &str) -> Option<Wanted> {
    let named =
        cfg!(debug_assertions) && std::env::var("SPINDLE_PANIC").is_ok_and(|name| name == thread);
    let flag = Arc::<AtomicBool>::default();
    let set = named && signal_hook::flag::register(SIGUSR2, Arc::clone(&flag)).is_ok();
    set.then_some(Wanted(flag))
}

/// An agent that panics when it is asked to.
pub(crate) struct Fragile<'a, A> {
    pub(crate) agent: &'a mut A,
    pub(crate) wanted: Wanted,
}

impl<A: Agent> Agent for Fragile<'_, A> {
    fn name(&self) -> &str {
        self.agent.name()
    }

    fn poll(&mut self) -> usize {
        assert!(!self.wanted.0.load(Ordering::Relaxed), "SPINDLE_PANIC asks for it");
        self.agent.poll()
    }

    fn is_done(&self) -> bool {
        self.agent.is_done()
    }
}
