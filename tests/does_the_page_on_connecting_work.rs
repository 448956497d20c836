//! Every piece of docs/connect.md, as it stands there, against a venue of the example's configuration:
//! what it prints is what the page says. `quickfix` needs a Python that has it, which SPINDLE_INSTALL_PEERS=1 gets; where there
//! is none, that piece is skipped with a line that says so and why.

#[path = "../examples/first_order_fix.rs"]
mod first_order_fix;
#[path = "../examples/first_order_ouch.rs"]
mod first_order_ouch;

#[path = "../gateway/tests/peers/mod.rs"]
mod peers;
mod process;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use process::{Process, example};

const PAGE: &str = include_str!("../docs/connect.md");

/// The pieces of the page with this first line, each with the output that follows it, if one does.
fn pieces(kind: &str) -> Vec<(String, Option<String>)> {
    let mut blocks = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind.to_owned(), body.join("\n") + "\n"));
        }
    }
    let output_of = |at: usize| {
        blocks.get(at + 1).filter(|(kind, _)| kind == "output").map(|(_, text)| text.clone())
    };
    let wanted = blocks.iter().enumerate().filter(|(_, (of, _))| of == kind);
    wanted.map(|(at, (_, text))| (text.clone(), output_of(at))).collect()
}

struct Venue {
    process: Process,
    ouch: SocketAddr,
    fix: SocketAddr,
    folder: tempfile::TempDir,
}

impl Venue {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Process::venue(&example(folder.path(), ""));
        let ouch = process.address("ouch: listening on ");
        let fix = process.address("fix: listening on ");
        Self { process, ouch, fix, folder }
    }

    /// A piece with the venue's addresses in the place of the page's.
    fn here(&self, piece: &str) -> String {
        let (ouch, fix) = (self.ouch.port().to_string(), self.fix.port().to_string());
        piece.replace("8401", &ouch).replace("8402", &fix)
    }

    /// Runs a program and gives what it printed.
    fn run(&self, command: &mut Command) -> String {
        let output = command.current_dir(self.folder.path()).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Ends the venue, which has accepted one order.
    fn end_after_one_order(self) {
        let (summary, _) = self.process.end();
        let accepted = summary.lines().find(|line| line.starts_with("orders accepted"));
        assert_eq!(
            accepted.and_then(|line| line.split_whitespace().last()),
            Some("1"),
            "{summary}"
        );
    }
}

#[test]
fn the_pieces_for_the_client_work() {
    let pieces = pieces("console");
    assert_eq!(pieces.len(), 2);
    let program = Path::new(env!("CARGO_BIN_EXE_spindle"));
    let folder = program.parent().expect("a folder").to_owned();
    for (piece, output) in pieces {
        let venue = Venue::start();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", folder.display());
        let said =
            venue.run(Command::new("sh").args(["-c", &venue.here(&piece)]).env("PATH", path));
        assert_eq!(Some(said), output);
        venue.end_after_one_order();
    }
}

#[test]
fn the_pieces_in_rust_work() {
    let pieces = pieces("rust");
    let programs = [
        include_str!("../examples/first_order_ouch.rs"),
        include_str!("../examples/first_order_fix.rs"),
    ];
    assert_eq!(pieces.len(), programs.len());
    for ((piece, _), program) in pieces.iter().zip(programs) {
        assert!(program.contains(piece), "the page and the example differ:\n{piece}");
        assert!(piece.lines().count() <= 10, "ten lines for a first order");
    }
    let venue = Venue::start();
    first_order_ouch::first_order(venue.ouch).expect("an order over OUCH");
    venue.end_after_one_order();
    let venue = Venue::start();
    first_order_fix::first_order(venue.fix).expect("an order over FIX");
    venue.end_after_one_order();
}

#[test]
fn the_piece_in_python_works() {
    let pieces = pieces("python");
    let [(piece, output)] = &pieces[..] else { panic!("one piece") };
    if Command::new("python3").arg("-c").arg("").status().is_err() {
        println!("skipped: no python3");
        return;
    }
    let venue = Venue::start();
    let said = venue.run(Command::new("python3").args(["-c", &venue.here(piece)]));
    assert_eq!(Some(&said), output.as_ref());
    venue.end_after_one_order();
}

#[test]
fn the_piece_with_quickfix_works() {
    let pieces = pieces("python quickfix");
    let [(piece, output)] = &pieces[..] else { panic!("one piece") };
    let python = match peers::quickfix(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        Ok(python) => python,
        Err(why) => return println!("skipped: {why}"),
    };
    let venue = Venue::start();
    let said = venue.run(Command::new(python).args(["-c", &venue.here(piece)]));
    assert_eq!(Some(&said), output.as_ref());
    venue.end_after_one_order();
}
