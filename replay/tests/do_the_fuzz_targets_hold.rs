//! Does the fuzz target of the readers hold, on a machine without a fuzzer? The same function, over
//! captures and files of every dialect, and the real ones where they are at hand.

mod captures;

#[allow(missing_docs, unreachable_pub, reason = "a test includes what the fuzzer calls")]
#[path = "../../fuzz/src/recording.rs"]
mod target;

#[allow(missing_docs, unreachable_pub, reason = "two tests include what mutates")]
#[path = "../../fuzz/src/mutations.rs"]
mod mutations;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use captures::{Capture, Container, Link, day, frame, itch_file, mold};

fn capture(container: Container, link: Link) -> Vec<u8> {
    let group: SocketAddr = "233.54.12.111:26477".parse().expect("an address");
    let mut capture = Capture::new(container, link);
    for (time, packet) in (1_692_711_000_000_000_000..).zip(&mold(&day(80)[..6], 128)) {
        capture.frame(time, &frame(link, group, packet), usize::MAX);
    }
    capture.bytes
}

/// Small files below a folder.
fn small_files(folder: &Path, into: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            small_files(&path, into);
        } else if path.metadata().is_ok_and(|meta| meta.len() <= 4_096) {
            into.extend(std::fs::read(&path));
        }
    }
}

#[test]
fn recordings() {
    let vlan = Link::Ethernet { vlan_tags: 1 };
    let messages = &day(80)[..12];
    let mut corpus = vec![
        capture(Container::Pcap { big: false, nanoseconds: true }, vlan),
        capture(Container::Pcap { big: true, nanoseconds: false }, Link::Raw),
        capture(Container::Pcapng { big: false, resolution: 9 }, vlan),
        capture(Container::Pcapng { big: true, resolution: 6 }, Link::LinuxCooked),
        itch_file(messages),
        mold(messages, 128).concat(),
    ];
    let written = corpus.len();
    small_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")), &mut corpus);
    match corpus.len() - written {
        0 => println!("skipped: the real recordings are not here"),
        real => println!("{real} real recordings"),
    }
    mutations::run("recording", target::recording, &corpus, 30_000, 8_192);
}
