//! A venue with all that it can open by itself, as its examples and defaults have it: what the kernel says of the process's own
//! sockets. Every one is on loopback.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use process::{Process, example};

/// Addresses of sockets by their inode, as /proc/net/NAME has them: hexadecimal, in the machine's order of bytes.
fn table(pid: u32, name: &str) -> BTreeMap<u64, (String, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    let rows = text.lines().skip(1).filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (address, port) = words.get(1)?.split_once(':')?;
        Some((words.get(9)?.parse().ok()?, (address.to_owned(), port.to_owned())))
    });
    rows.collect()
}

/// The inodes of a process's sockets.
fn sockets(pid: u32) -> BTreeSet<u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process").flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    let inodes = links.filter_map(|link| {
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    inodes.collect()
}

#[test]
fn every_socket_of_a_venue_is_on_loopback_unless_its_file_says_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let control = folder.path().join("venue.control");
    let more = "[metrics]\naddress = \"127.0.0.1:0\"\n[publish]\nto = [\"239.1.1.3:26400\"]\n\
                requests = \"127.0.0.1:0\"\n";
    let config = example(folder.path(), more);
    let text = fs::read_to_string(&config).expect("the example");
    let text = text.replace("[risk]\n", &format!("[risk]\ncontrol = \"{}\"\n", control.display()));
    fs::write(&config, text).expect("a file");
    let mut venue = Process::venue(&config);
    let ouch = venue.address("ouch: listening on ");
    let fix = venue.address("fix: listening on ");
    let own = sockets(venue.id());
    let mut seen = BTreeMap::new();
    for name in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
        let table = table(venue.id(), name);
        for (inode, (address, port)) in table.into_iter().filter(|(inode, _)| own.contains(inode)) {
            // 127.x.y.z, or ::1, with the last byte first in each group of four. Who sends to groups has no port of
            // its own that anybody could send to.
            let is_loopback = match address.len() {
                8 => address.ends_with("7F"),
                _ => address == "00000000000000000000000001000000",
            };
            assert!(is_loopback, "{name} {address}:{port} of socket {inode}");
            seen.insert((name, u16::from_str_radix(&port, 16).expect("a port")), address);
        }
    }
    for port in [ouch.port(), fix.port()] {
        assert!(
            seen.contains_key(&("tcp", port)),
            "{port} is not seen: the test shows nothing: {seen:?}"
        );
    }
    assert!(seen.len() >= 4, "orders, metrics and requests: {seen:?}");
    println!("{} sockets, all on loopback: {seen:?}", seen.len());
    venue.end();
}
