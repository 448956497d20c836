//! A scenario line by line: read, carry out, answer.

use std::io::{self, BufRead, Read, Write};

use crate::Matcher;
use crate::line::Line;
use crate::op::Op;

/// Longest line that is read, in bytes.
const LINE_MAX: usize = 1 << 20;

/// Why a scenario ended early.
#[derive(Debug)]
pub enum RunError {
    /// It cannot be read any further.
    Read(io::Error),
    /// Its answers cannot be written any more.
    Write(io::Error),
}

/// Carries out every line and writes its answers, flushed before the next line is read, so that a
/// program can converse over pipes. An empty line is passed over. Gives how many lines were no
/// operation; each was answered by an error line.
///
/// # Errors
/// When input or output end with an error.
pub fn run(
    mut input: impl BufRead,
    mut output: impl Write,
    matcher: &mut dyn Matcher,
) -> Result<u64, RunError> {
    let mut errors = 0;
    let mut answer = Vec::new();
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        text.clear();
        let limit = LINE_MAX as u64 + 1;
        let read = input.by_ref().take(limit).read_until(b'\n', &mut text);
        if read.map_err(RunError::Read)? == 0 {
            return Ok(errors);
        }
        if text.len() > LINE_MAX && !text.ends_with(b"\n") {
            input.skip_until(b'\n').map_err(RunError::Read)?;
        }
        number += 1;
        answer.clear();
        match parse(&text) {
            Ok(Some(op)) => matcher.apply(&op, &mut answer),
            Ok(None) => {}
            Err(message) => {
                errors += 1;
                answer.push(Line::Error { line: number, message });
            }
        }
        for line in &answer {
            writeln!(output, "{}", line.to_json()).map_err(RunError::Write)?;
        }
        output.flush().map_err(RunError::Write)?;
    }
}

fn parse(text: &[u8]) -> Result<Option<Op>, String> {
    if text.len() > LINE_MAX {
        return Err(format!("longer than {LINE_MAX} bytes"));
    }
    let text = std::str::from_utf8(text).map_err(|error| format!("not UTF-8: {error}"))?.trim();
    if text.is_empty() { Ok(None) } else { Op::parse(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Twin;

    #[test]
    fn a_line_without_end_is_answered_and_not_kept() {
        let long = vec![b'x'; 3 * LINE_MAX];
        let input = [&long, &b"\n{\"op\":\"time\",\"ns\":1}\n{}"[..]].concat();
        let mut output = Vec::new();
        let errors = run(&*input, &mut output, &mut Twin::new()).expect("a run");
        let output = String::from_utf8(output).expect("text");
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(errors, 2, "{output}");
        assert_eq!(lines[0], r#"{"event":"error","line":1,"message":"longer than 1048576 bytes"}"#);
        assert!(lines[1].contains("\"line\":3"), "{}", lines[1]);
    }

    #[test]
    fn a_bad_line_is_answered_and_the_run_goes_on() {
        let input = "{\"op\":\"instrument\",\"symbol\":\"X\"}\n\nnonsense\n";
        let input = [input.as_bytes(), b"\xff\n{\"op\":\"book\",\"symbol\":\"X\"}"].concat();
        let mut output = Vec::new();
        let errors = run(&*input, &mut output, &mut Twin::new()).expect("a run");
        let output = String::from_utf8(output).expect("text");
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(errors, 2, "{output}");
        assert!(lines[0].starts_with(r#"{"event":"error","line":3,"message":"not JSON"#));
        assert!(lines[1].starts_with(r#"{"event":"error","line":4,"message":"not UTF-8"#));
        assert_eq!(lines[2..], [r#"{"event":"book","symbol":"X","bids":[],"asks":[]}"#]);
    }
}
