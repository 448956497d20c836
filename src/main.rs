//! The program `spindle`.

use std::process::ExitCode;

fn main() -> ExitCode {
    spindle::run()
}
