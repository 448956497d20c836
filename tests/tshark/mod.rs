//! tshark, and what it is shown.

#![allow(unreachable_pub, reason = "it is a module of a test")]

pub mod capture;
pub mod ouch42;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program, if it is there or can be installed; otherwise says that the test is skipped, and why.
pub fn tshark() -> Option<PathBuf> {
    found().inspect_err(|why| println!("skipped: {why}")).ok()
}

fn found() -> Result<PathBuf, String> {
    let is_there = || {
        let mut version = Command::new("tshark");
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    };
    if is_there() {
        return Ok("tshark".into());
    }
    if std::env::var_os("SPINDLE_INSTALL_PEERS").is_none() {
        return Err("no tshark".to_owned());
    }
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "tshark"]] {
        let output = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .map_err(|error| format!("apt-get: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    if is_there() {
        Ok("tshark".into())
    } else {
        Err("tshark was installed and does not run".into())
    }
}

/// Runs tshark on a capture and gives its lines.
pub fn lines(tshark: &Path, capture: &Path, decode: &[String], more: &[&str]) -> Vec<String> {
    let mut command = Command::new(tshark);
    command.arg("-n").arg("-r").arg(capture);
    for rule in decode {
        command.args(["-d", rule]);
    }
    let output = command.args(more).output().expect("tshark runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}
