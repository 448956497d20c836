//! `spindle match` as another program sees it: a file in, answers out, the exit status; and over two
//! pipes, each line answered before the next is written.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn spindle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_spindle"))
}

#[test]
fn each_line_is_answered_before_the_next() {
    let mut child = spindle()
        .args(["match", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut input = child.stdin.take().expect("its input");
    let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
    let order = |id: u32, side: &str, quantity: u32| {
        format!(
            r#"{{"op":"new","id":{id},"account":"A","symbol":"X","side":"{side}","type":"limit","price":10.5,"quantity":{quantity}}}"#
        )
    };
    let conversation = [
        (r#"{"op":"instrument","symbol":"X","tick":"0.01"}"#.to_string(), vec![]),
        (order(1, "sell", 10), vec![r#"{"event":"accepted","id":1}"#]),
        (
            order(2, "buy", 4),
            vec![
                r#"{"event":"accepted","id":2}"#,
                r#"{"event":"trade","symbol":"X","maker":1,"taker":2,"price":"10.50","quantity":4}"#,
            ],
        ),
        (
            "{".into(),
            vec![
                r#"{"event":"error","line":4,"message":"not JSON: EOF while parsing an object at line 1 column 1"}"#,
            ],
        ),
        (
            r#"{"op":"book","symbol":"X"}"#.into(),
            vec![
                r#"{"event":"book","symbol":"X","bids":[],"asks":[{"price":"10.50","quantity":6,"orders":1}]}"#,
            ],
        ),
    ];
    for (line, answers) in conversation {
        writeln!(input, "{line}").expect("it reads");
        for answer in answers {
            assert_eq!(output.next().expect("an answer").expect("text"), answer, "to {line}");
        }
    }
    drop(input);
    assert!(output.next().is_none(), "nothing more is said");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "a line was no operation");
}

#[test]
fn a_file_is_matched() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orders.jsonl");
    fs::write(
        &file,
        "{\"op\":\"instrument\",\"symbol\":\"X\"}\n{\"op\":\"book\",\"symbol\":\"X\"}",
    )
    .expect("a file");
    let output = spindle().arg("match").arg(&file).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "{\"event\":\"book\",\"symbol\":\"X\",\"bids\":[],\"asks\":[]}\n"
    );
    assert!(output.stderr.is_empty());
}
