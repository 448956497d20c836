//! Writing what was received to a packet capture.

mod pcapng;
mod recorder;

pub use pcapng::PcapngWriter;
pub use recorder::{Recorder, RecorderCounters};
