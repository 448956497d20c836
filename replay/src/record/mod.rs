//! Writing what was received to a packet capture.

mod pcapng;

pub use pcapng::PcapngWriter;
