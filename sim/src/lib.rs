//! The simulator: a whole venue, engine, gateway and journal, in one thread with a simulated clock, network, disk and
//! clients. Everything that is drawn comes from one seed; what must hold is checked by code that knows nothing of the
//! venue's. docs/simulator.md says how it works.

pub mod check;
pub mod client;
pub mod feed;
pub mod ledger;
pub mod net;
pub mod plan;
pub mod random;
pub mod run;
pub mod trace;
pub mod watch;
pub mod world;
