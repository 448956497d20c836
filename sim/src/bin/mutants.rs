//! Plants mistakes in a copy of the tree and sees whether the simulator finds each of them.
//!
//! All mistakes of `sim/mutants.toml` are planted at once, each behind a number that an environment variable chooses, so
//! that there is one build for all of them. Nothing of it is in the product.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Deserialize;

/// Plants mistakes and counts how many of them the simulator finds.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Where the copy goes; it keeps what was built there for the next time.
    copy: PathBuf,
    /// The table.
    #[arg(long, default_value = "sim/mutants.toml")]
    table: PathBuf,
    /// Seeds that a mistake may hide from.
    #[arg(long, default_value_t = 3_000)]
    seeds: u64,
    /// How long a hundred seeds may take, in seconds; a mistake with which they never end is found.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// The profile of the build.
    #[arg(long, default_value = "dev")]
    profile: String,
    /// Only these, by number.
    #[arg(long)]
    only: Vec<usize>,
    /// Plants and builds nothing: what is there is run.
    #[arg(long)]
    built: bool,
}

#[derive(Deserialize)]
struct Table {
    mutant: Vec<Mutant>,
}

/// A mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// What it breaks, in a line.
    breaks: String,
    /// In which file.
    file: PathBuf,
    /// A text of the file behind which it is; left out, the place is the only one.
    #[serde(default)]
    behind: String,
    /// An expression, or statements.
    old: String,
    /// What stands in its place.
    new: String,
}

const GUARD: &str = "//! Chooses a planted mistake.\n\nuse std::sync::OnceLock;\n\n\
    #[inline]\npub(crate) fn on(number: u32) -> bool {\n    \
    static CHOSEN: OnceLock<u32> = OnceLock::new();\n    \
    *CHOSEN.get_or_init(|| std::env::var(\"SPINDLE_MUTANT\").ok().and_then(|n| n.parse().ok()).unwrap_or(0)) == number\n}\n";

/// The file with a mistake in it.
fn plant(text: &str, number: usize, mutant: &Mutant) -> Result<String, String> {
    let place = || format!("mutant {number}, {}", mutant.file.display());
    let from = match mutant.behind.as_str() {
        "" => 0,
        behind => {
            let mut found = text.match_indices(behind);
            let (at, _) = found.next().ok_or_else(|| format!("{}: no {behind:?}", place()))?;
            if found.next().is_some() {
                return Err(format!("{}: {behind:?} is there twice", place()));
            }
            at + behind.len()
        }
    };
    let old = mutant.old.trim_end_matches('\n');
    let mut found = text[from..].match_indices(old);
    let (at, _) = found.next().ok_or_else(|| format!("{}: no {old:?}", place()))?;
    if mutant.behind.is_empty() && found.next().is_some() {
        return Err(format!("{}: {old:?} is there twice", place()));
    }
    let new = mutant.new.trim_end_matches('\n');
    let guarded = format!("if crate::planted::on({number}) {{ {new} }} else {{ {old} }}");
    let is_statement = old.ends_with([';', '}']);
    let guarded = if is_statement { guarded } else { format!("({guarded})") };
    let at = from + at;
    Ok(format!("{}{guarded}{}", &text[..at], &text[at + old.len()..]))
}

/// The tree that git knows, as it lies here, with all mistakes in it; by name. Links and what is no text stay out.
fn planted(table: &Table) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let listed = Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).output();
    let listed = listed.map_err(|error| format!("git: {error}"))?;
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for name in String::from_utf8_lossy(&listed.stdout).lines().map(PathBuf::from) {
        if let Ok(bytes) = std::fs::read(&name) {
            files.insert(name, bytes);
        }
    }
    let mut crates: Vec<PathBuf> = Vec::new();
    for (number, mutant) in (1..).zip(&table.mutant) {
        let file = &mutant.file;
        let bytes = files.get(file).ok_or_else(|| format!("{}: no such file", file.display()))?;
        let text = plant(&String::from_utf8_lossy(bytes), number, mutant)?;
        files.insert(file.clone(), text.into_bytes());
        let folder = file.ancestors().find(|folder| folder.ends_with("src"));
        let folder = folder.ok_or_else(|| format!("{} is in no crate", file.display()))?;
        if !crates.iter().any(|known| known == folder) {
            crates.push(folder.to_owned());
        }
    }
    for folder in crates {
        if let Some(lib) = files.get_mut(&folder.join("lib.rs")) {
            lib.extend(b"\nmod planted;\n");
        }
        files.insert(folder.join("planted.rs"), GUARD.as_bytes().to_vec());
    }
    Ok(files)
}

/// Writes what is not there yet, so that only what has changed is built again.
fn write_tree(files: &BTreeMap<PathBuf, Vec<u8>>, copy: &Path) -> Result<(), String> {
    for (name, bytes) in files {
        let to = copy.join(name);
        if std::fs::read(&to).is_ok_and(|there| there == *bytes) {
            continue;
        }
        let made = to.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = made.and_then(|()| std::fs::write(&to, bytes));
        written.map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

/// What a run with a mistake came to.
enum End {
    Holds,
    Found(String),
}

/// Seeds that are run at once, so that how many a mistake hides from does not depend on the machine.
const AT_ONCE: usize = 100;

fn look_for(number: usize, program: &Path, cli: &Cli) -> Result<(End, f64), String> {
    let begun = Instant::now();
    for from in (0..cli.seeds).step_by(AT_ONCE) {
        let to = cli.seeds.min(from + AT_ONCE as u64);
        if let End::Found(line) = look_among(number, from..to, program, cli)? {
            return Ok((End::Found(line), begun.elapsed().as_secs_f64()));
        }
    }
    Ok((End::Holds, begun.elapsed().as_secs_f64()))
}

fn look_among(number: usize, seeds: Range<u64>, program: &Path, cli: &Cli) -> Result<End, String> {
    let begun = Instant::now();
    let seeds = format!("{}..{}", seeds.start, seeds.end);
    let mut child = Command::new(program)
        .args(["--quiet", "--twice", "0", "--seeds", &seeds])
        .env("SPINDLE_MUTANT", number.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => break End::Holds,
            Some(status) => {
                let mut said = String::new();
                if let Some(mut out) = child.stdout.take() {
                    let _ = std::io::Read::read_to_string(&mut out, &mut said);
                }
                let line = said.lines().find(|line| line.starts_with("seed "));
                break End::Found(line.map_or(status.to_string(), ToString::to_string));
            }
            None if begun.elapsed() > Duration::from_secs(cli.seconds) => {
                let _ = child.kill();
                let _ = child.wait();
                break End::Found(format!("seeds {seeds} do not come to an end in time"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    })
}

fn run(cli: &Cli) -> Result<bool, String> {
    let text = std::fs::read_to_string(&cli.table).map_err(|error| {
        format!("{}: {error}; run it at the top of the tree", cli.table.display())
    })?;
    let table: Table = toml::from_str(&text).map_err(|error| error.to_string())?;
    let target = cli.copy.join("target");
    if !cli.built {
        std::fs::create_dir_all(&cli.copy).map_err(|error| error.to_string())?;
        write_tree(&planted(&table)?, &cli.copy)?;
        let built = Command::new("cargo")
            .args(["build", "-p", "spindle-sim", "--bin", "spindle-sim", "--profile", &cli.profile])
            .current_dir(&cli.copy)
            .env("CARGO_TARGET_DIR", std::path::absolute(&target).unwrap_or(target.clone()))
            .status()
            .map_err(|error| format!("cargo: {error}"))?;
        if !built.success() {
            return Err("what was planted does not compile".to_owned());
        }
    }
    let folder = if cli.profile == "dev" { "debug" } else { &cli.profile };
    let program = target.join(folder).join("spindle-sim");
    let mut found = 0;
    let mut planted = 0;
    // Number 0 is none: the tree itself has to hold.
    for number in 0..=table.mutant.len() {
        if number > 0 && !cli.only.is_empty() && !cli.only.contains(&number) {
            continue;
        }
        let what = match number.checked_sub(1).map(|at| &table.mutant[at]) {
            None => "nothing is planted".to_owned(),
            Some(mutant) => format!("{}: {}", mutant.file.display(), mutant.breaks),
        };
        planted += usize::from(number > 0);
        match look_for(number, &program, cli)? {
            (End::Holds, took) => println!("{number:3} holds  {took:6.1} s  {what}"),
            (End::Found(line), took) => {
                let line: String = line.chars().take(160).collect();
                println!("{number:3} FOUND  {took:6.1} s  {what}\n      {line}");
                if number == 0 {
                    return Err("the tree fails by itself".to_owned());
                }
                found += 1;
            }
        }
    }
    println!("{found} of {planted} found");
    Ok(found == planted)
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
