//! Where the tests find a Python with the package `quickfix`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package and its version, as pip takes it.
const QUICKFIX: &str = "quickfix==1.16.0";

/// The one that SPINDLE_PYTHON names, python3, or the one in `target/peers` of the workspace, which is made where
/// SPINDLE_INSTALL_PEERS is set (it compiles for minutes). Otherwise why there is none, in one line.
pub(crate) fn quickfix(workspace: &Path) -> Result<PathBuf, String> {
    let peers = workspace.join("target/peers");
    let own = peers.join("bin/python");
    let named = std::env::var_os("SPINDLE_PYTHON").map(PathBuf::from);
    let candidates = named.into_iter().chain([PathBuf::from("python3"), own.clone()]);
    if let Some(python) = candidates.into_iter().find(|python| has_quickfix(python)) {
        return Ok(python);
    }
    if std::env::var_os("SPINDLE_INSTALL_PEERS").is_none() {
        return Err(
            "no Python with the package quickfix: SPINDLE_PYTHON names one, SPINDLE_INSTALL_PEERS=1 gets one"
                .to_owned(),
        );
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&peers))?;
    run(Command::new(&own).args(["-m", "pip", "install", "--quiet", QUICKFIX]))?;
    if has_quickfix(&own) {
        Ok(own)
    } else {
        Err(format!("{QUICKFIX} was installed and cannot be imported"))
    }
}

fn has_quickfix(python: &Path) -> bool {
    let mut import = Command::new(python);
    import.args(["-c", "import quickfix"]).stdout(Stdio::null()).stderr(Stdio::null());
    import.status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{QUICKFIX} cannot be had: {error}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    if output.status.success() { Ok(()) } else { Err(format!("{QUICKFIX} cannot be had: {last}")) }
}
