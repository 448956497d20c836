//! The cold thread of a measured venue that can be looked at meanwhile.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::LabError;
use crate::accounting::RecordDesk;
use crate::log::Log;
use crate::operator::Operator;
use crate::risk::{ControlPort, RiskDesk};
use crate::runner::{Idle, Place, Stop, spawn};
use crate::status::StatusDesk;

/// Between two turns, as in a venue.
const PAUSE: Duration = Duration::from_millis(20);

/// A thread that waits for a venue to look after. It is started before any other is pinned, so that it runs where
/// there is room, as in a venue.
pub(super) struct Watch {
    port: ControlPort,
    hand: Sender<(Operator, RecordDesk)>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Watch {
    /// Opens the socket.
    pub(super) fn start(path: &Path) -> Result<Self, LabError> {
        let port = ControlPort::open(path)
            .map_err(|error| LabError::Session(format!("--control {}: {error}", path.display())))?;
        let (hand, taken): (_, Receiver<(Operator, RecordDesk)>) = bounded(1);
        let stop = Stop::default();
        let flag = stop.clone();
        let place = Place { core: None, idle: Idle::Park };
        let thread = spawn("operator", place, move || {
            let Ok((mut operator, mut records)) = taken.recv() else {
                return;
            };
            while !flag.is_stopped() {
                operator.turn(&mut records, Instant::now());
                std::thread::sleep(PAUSE);
            }
        });
        let thread = thread.map_err(|error| LabError::Thread(error.to_string()))?;
        Ok(Self { port, hand, stop, thread })
    }

    /// Looks after this venue from now on.
    pub(super) fn over(self, risk: RiskDesk, status: StatusDesk, records: RecordDesk) -> Watching {
        let Self { port, hand, stop, thread } = self;
        let operator = Operator::new(risk, status, Some(port), None, Log::default());
        // The thread waits for it.
        let _ = hand.send((operator, records));
        Watching { stop, thread }
    }
}

/// A venue that is looked after.
pub(super) struct Watching {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Watching {
    /// Ends it, and with it the socket.
    pub(super) fn finish(self) -> Result<(), LabError> {
        self.stop.stop();
        let panicked = |_| LabError::Thread("the cold thread panicked".to_owned());
        self.thread.join().map_err(panicked)
    }
}
