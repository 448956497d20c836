//! The readers of recordings: what opens is read to its end or to its error, and described.

use std::io::Cursor;
use std::net::SocketAddr;

use spindle_replay::inspect::inspect_reader;
use spindle_replay::recording::{Batch, OpenOptions, Recording};

/// Bytes as a recording of whatever kind they look like: captures (pcap and pcapng), ITCH files,
/// MoldUDP64 packets, DBN, text, each also compressed. Nothing panics, and no more messages come
/// out than bytes went in.
pub fn recording(data: &[u8]) {
    let mut groups = Vec::new();
    // A compressed input may unfold into more; everything else gives at most a message a byte.
    let unpacked = matches!(data, [0x1f, 0x8b, ..] | [0x28, 0xb5, ..]);
    if let Ok(report) = inspect_reader(Cursor::new(data.to_vec()), |_, _| ()) {
        assert!(unpacked || report.messages <= data.len() as u64);
        assert!(!report.to_string().is_empty());
        groups.extend(
            report
                .to_string()
                .split_whitespace()
                .filter_map(|word| word.trim_end_matches(',').parse::<SocketAddr>().ok()),
        );
    }
    read(data, &[]);
    for group in groups.into_iter().take(2) {
        read(data, &[group]);
    }
}

fn read(data: &[u8], groups: &[SocketAddr]) {
    let options = OpenOptions { groups: groups.to_vec() };
    let Ok(mut recording) = Recording::from_reader(Cursor::new(data.to_vec()), &options) else {
        return;
    };
    let mut count = 0;
    while let Ok(Some(batch)) = recording.next_batch() {
        count += match batch {
            // An empty message is one that the feed refuses, not the reader.
            Batch::Itch(messages) => messages.iter().map(|_| 1).sum::<usize>(),
            Batch::Events(events) => events.events.len(),
        };
    }
    let unpacked = matches!(data, [0x1f, 0x8b, ..] | [0x28, 0xb5, ..]);
    assert!(unpacked || count <= data.len(), "{count} messages in {} bytes", data.len());
    recording.notes();
}
