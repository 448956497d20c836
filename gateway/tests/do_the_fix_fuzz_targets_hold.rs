//! Do the fuzz targets of FIX hold, on a machine without a fuzzer? The same functions, over a corpus
//! and a bounded number of random mutations of it.

#[allow(missing_docs, unreachable_pub, reason = "a test includes what the fuzzer calls")]
#[path = "../../fuzz/src/fix.rs"]
mod targets;

#[allow(missing_docs, unreachable_pub, reason = "several tests include what mutates")]
#[path = "../../fuzz/src/mutations.rs"]
mod mutations;

use std::path::Path;

use mutations::run;
use spindle_gateway::fix::frame::{check_sum, three_digits};

/// Every message of our own definitions, whole.
fn messages() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fix");
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(folder).expect("our definitions") {
        let text = std::fs::read_to_string(entry.expect("a file").path()).expect("text");
        for line in text.lines().filter(|line| line.starts_with(['I', 'E'])) {
            let Some((begin, rest)) = line.split_once("|35=") else { continue };
            let Some((_, begin)) = begin.split_once("8=") else { continue };
            let rest =
                format!("35={rest}").replace('|', "\x01").replace("<TIME>", "20261120-12:00:00");
            let mut bytes = format!("8={begin}\x019={}\x01{rest}", rest.len()).into_bytes();
            let sum = three_digits(check_sum(&bytes));
            bytes.extend_from_slice(b"10=");
            bytes.extend_from_slice(&sum);
            bytes.push(1);
            messages.push(bytes);
        }
    }
    assert!(messages.len() > 500, "the corpus is too small");
    messages
}

#[test]
fn any_bytes_are_cut_into_messages() {
    run("fix_message", targets::fix_message, &messages(), 100_000, 2_048);
}

#[test]
fn a_session_keeps_its_word_whatever_comes() {
    // Two bytes an operation: log on, send, receive, read, ask again, be cut off, come back.
    let live = |operations: &[u8]| [&[0, 1, 1][..], operations].concat();
    // More than the output holds, read bit by bit, while some of it is asked for again.
    let held = [[4, 250].repeat(24), vec![5, 100, 5, 100], [5, 255, 0, 0].repeat(6)].concat();
    let asked =
        [[4, 250].repeat(14), vec![5, 255, 5, 255, 2 | 2 << 3, 0], [4, 250].repeat(6)].concat();
    let corpus = [
        live(&held),
        live(&[asked, [5, 60, 0, 0].repeat(40)].concat()),
        live(&[4, 9, 4, 200, 5, 255, 2 | 2 << 3, 0, 5, 255]),
        live(&[4, 9, 6, 0, 4, 20, 1, 0, 2 | 2 << 3, 0, 5, 255, 7, 0]),
        live(&[2, 4, 2, 0, 7, 0, 2 | 6 << 3, 0, 5, 255, 1, 0]),
        live(&[
            4,
            255,
            4,
            255,
            4,
            255,
            4,
            255,
            4,
            255,
            4,
            255,
            3 | 3 << 3,
            0,
            4,
            10,
            5,
            20,
            5,
            255,
        ]),
        live(&[0, 60, 0, 30, 0, 90, 1, 1, 2 | 7 << 3, 8, 5, 255]),
        [&[3][..], &[1, 0, 4, 50, 6, 0, 1, 4, 5, 255]].concat(),
    ];
    run("fix_session", targets::fix_session, &corpus, 200_000, 600);
}
