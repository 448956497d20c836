//! The threads of a measurement: the engine's, and the one on the other side of the sockets, which serves
//! the venue in one round and the bare echo in the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use spindle_engine::latency::LatencyReader;
use spindle_gateway::Gateway;
use spindle_lab::machine::this_thread;
use spindle_lab::wire::EchoServer;
use spindle_types::Agent;

use super::LabError;
use super::tick::FloorLine;
use crate::runner::{Layout, Stop, run, spawn};
use crate::venue::VenueEngine;

/// That a thread runs, on its own core. A thread begins on the core of the one that made it, and where both
/// are scheduled in real time it gets there only while that one sleeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Started(Arc<AtomicU64>);

impl Started {
    /// Said by the thread.
    pub(super) fn say(&self) {
        self.0.store(this_thread().max(1), Ordering::Release);
    }

    /// The system's number of the thread; 0 before it runs.
    pub(super) fn thread(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps until the thread runs.
    pub(super) fn wait(&self) -> Result<(), LabError> {
        for _ in 0..5_000 {
            if self.thread() != 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(LabError::Thread("a thread got no core within 5 s".to_owned()))
    }
}

/// Who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Serve {
    /// The gateway.
    Venue,
    /// The echo.
    Echo,
}

/// The engine, with a switch for its stamps, and one that lets others have its core between rounds.
pub(super) struct EngineSide {
    pub(super) engine: VenueEngine,
    stamps: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
    stamped: bool,
    /// What is received instead in rounds of the floor, and who is served.
    floor: Option<(FloorLine, Arc<AtomicU8>)>,
}

impl EngineSide {
    pub(super) fn new(
        engine: VenueEngine,
        stamps: Arc<AtomicBool>,
        rest: Arc<AtomicBool>,
        floor: Option<(FloorLine, Arc<AtomicU8>)>,
    ) -> Self {
        Self { engine, stamps, rest, stamped: true, floor }
    }
}

impl Agent for EngineSide {
    fn name(&self) -> &str {
        "engine"
    }

    #[inline]
    fn poll(&mut self) -> usize {
        // Relaxed: each switch stands for itself.
        if self.rest.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_micros(500));
        }
        if let Some((line, serve)) = &mut self.floor
            && serve.load(Ordering::Relaxed) == Serve::Echo as u8
        {
            return line.poll();
        }
        let wanted = self.stamps.load(Ordering::Relaxed);
        if wanted != self.stamped {
            self.stamped = wanted;
            self.engine.set_measure(wanted);
        }
        self.engine.poll()
    }
}

/// Gateway and echo, of which one is polled.
pub(super) struct ServerSide {
    pub(super) gateway: Option<Gateway>,
    echo: EchoServer,
    serve: Arc<AtomicU8>,
    stamps: Arc<AtomicBool>,
    stamped: bool,
}

impl ServerSide {
    pub(super) fn new(
        gateway: Option<Gateway>,
        echo: EchoServer,
        serve: Arc<AtomicU8>,
        stamps: Arc<AtomicBool>,
    ) -> Self {
        Self { gateway, echo, serve, stamps, stamped: true }
    }
}

impl Agent for ServerSide {
    fn name(&self) -> &str {
        "gateway"
    }

    #[inline]
    fn poll(&mut self) -> usize {
        if self.serve.load(Ordering::Relaxed) == Serve::Echo as u8 {
            return self.echo.poll();
        }
        let Some(gateway) = &mut self.gateway else { return 0 };
        let wanted = self.stamps.load(Ordering::Relaxed);
        if wanted != self.stamped {
            self.stamped = wanted;
            gateway.set_stamps(wanted);
        }
        gateway.poll()
    }
}

/// The server's side: polled by the load's own thread where there are two cores, otherwise by a thread of
/// its own.
pub(super) enum Beside {
    /// On the load's thread.
    Shared(Box<ServerSide>),
    /// On its own.
    Thread { thread: JoinHandle<ServerSide>, stop: Stop },
}

impl Beside {
    pub(super) fn start(side: ServerSide, layout: &Layout) -> Result<Self, LabError> {
        if layout.others.is_none() {
            return Ok(Self::Shared(Box::new(side)));
        }
        let (stop, place, started) = (Stop::default(), layout.gateway, Started::default());
        let (flag, says) = (stop.clone(), started.clone());
        let thread = spawn("gateway", place, move || {
            says.say();
            let mut side = side;
            run(&mut [&mut side], place.idle, &flag);
            side
        })
        .map_err(|error| LabError::Thread(error.to_string()))?;
        started.wait()?;
        Ok(Self::Thread { thread, stop })
    }

    /// A turn of it, where it has no thread of its own.
    #[inline]
    pub(super) fn turn(&mut self) {
        if let Self::Shared(side) = self {
            side.poll();
        }
    }

    /// Ends it.
    pub(super) fn finish(self) -> Result<ServerSide, LabError> {
        match self {
            Self::Shared(side) => Ok(*side),
            Self::Thread { thread, stop } => {
                stop.stop();
                let panicked = |_| LabError::Thread("the gateway's thread panicked".to_owned());
                thread.join().map_err(panicked)
            }
        }
    }
}

/// Where the time of each hop is read.
pub(crate) struct HopReader {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) thread: &'static str,
    pub(crate) reader: LatencyReader,
}

/// The hops of an order, in the order of its way; the last two are sums, not parts.
pub(crate) fn hop_readers(engine: &VenueEngine, gateway: &Gateway) -> Vec<HopReader> {
    let (of_engine, of_gateway) = (engine.latency(), gateway.stats());
    let hop = |name, thread, what, reader| HopReader { name, what, thread, reader };
    vec![
        hop(
            "receive",
            "engine",
            "kernel's receive stamp of a market packet to the engine having it",
            of_engine.receive.reader(),
        ),
        hop(
            "book",
            "engine",
            "a market message decoded and applied to its book, its top published",
            of_engine.book.reader(),
        ),
        hop(
            "decode",
            "gateway",
            "bytes read from the socket to the command in the ring",
            of_engine.decode.reader(),
        ),
        hop("ring in", "ring", "the ring to the engine", of_engine.ring_in.reader()),
        hop("risk", "engine", "looked up, and past every risk check", of_engine.risk.reader()),
        hop("match", "engine", "matched, answers written", of_engine.matching.reader()),
        hop("ring out", "ring", "the ring back to the gateway", of_gateway.ring_out.reader()),
        hop(
            "encode",
            "gateway",
            "the answer encoded into the session's stream",
            of_gateway.encode.reader(),
        ),
        hop(
            "send",
            "gateway",
            "to its bytes being written to the socket",
            of_gateway.send.reader(),
        ),
        hop(
            "engine",
            "sum",
            "the engine has the command to its answers being in the ring out",
            of_engine.engine.reader(),
        ),
        hop(
            "ring to ring",
            "sum",
            "the command put into the ring to its answers being in the ring out",
            of_engine.ring_to_ring.reader(),
        ),
        hop(
            "order in to answer out",
            "sum",
            "bytes read from the socket to the answer's bytes being written",
            of_gateway.order_in_to_answer_out.reader(),
        ),
    ]
}
