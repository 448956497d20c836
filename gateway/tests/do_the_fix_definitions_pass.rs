//! The session layer and order entry of FIX against acceptance definitions: the public ones, where
//! `SPINDLE_FIX_DEFINITIONS` names the folder that has `fix42` and `fix44`, and our own in
//! `tests/fix`. In process, with a clock that only waiting moves.

#[allow(missing_docs, unreachable_pub, reason = "two tests have the same runner")]
mod definitions;

use std::path::{Path, PathBuf};

use definitions::venue::Venue;
use definitions::{Cut, files, run};
use spindle_gateway::fix::{Application, CancelOn, FixConfig, FixUser, Version};
use spindle_types::{AccountId, SessionId};

/// Every way of cutting what is sent.
const CUTS: [Cut; 5] =
    [Cut::Lines, Cut::Bytes, Cut::Together, Cut::AtHundredth(3), Cut::AtHundredth(60)];

/// Definitions that expect orders to be sent back, which no venue does: they are run against the
/// same sessions with an application that echoes.
const ECHOED: [&str; 14] = [
    "14e_IncorrectEnumValue",
    "15_HeaderAndBodyFieldsOrderedDifferently",
    "19a_PossResendMessageThatHAsAlreadyBeenSent",
    "19b_PossResendMessageThatHasNotBeenSent",
    "20_SimultaneousResendRequest",
    "21_RepeatingGroupSpecifierWithValueOfZero",
    "2d_GarbledMessage",
    "2f_PossDupOrigSendingTimeTooHigh",
    "2g_PossDupNoOrigSendingTime",
    "2m_BodyLengthValueNotCorrect",
    "3b_InvalidChecksum",
    "3c_GarbledMessage",
    "8_AdminAndApplicationMessages",
    "8_OnlyApplicationMessages",
];

/// The session that the public definitions speak to.
fn public(version: Version, theirs: &str, application: Application) -> FixConfig {
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "ISLD");
    fix.sessions.push(FixUser {
        reset_on_logon: true,
        application,
        ..FixUser::new(version, theirs, SessionId(0), AccountId(0))
    });
    fix
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Runs files in every way of cutting; the failures, and how many runs there were.
fn run_all(files: &[PathBuf], config: impl Fn(&Path) -> FixConfig) -> (Vec<String>, usize) {
    run_cut(files, |_| CUTS.to_vec(), config)
}

/// The same with other ways of cutting a file.
fn run_cut(
    files: &[PathBuf],
    cuts: impl Fn(&[u8]) -> Vec<Cut>,
    config: impl Fn(&Path) -> FixConfig,
) -> (Vec<String>, usize) {
    let mut failures = Vec::new();
    let mut runs = 0;
    for path in files {
        let text = std::fs::read(path).expect("a definition");
        for cut in cuts(&text) {
            let mut venue = Venue::new(config(path));
            if let Err(error) = run(&text, &mut venue, cut) {
                failures.push(format!("{} ({cut:?}): {error}", name(path)));
            }
            runs += 1;
        }
    }
    (failures, runs)
}

fn public_definitions(version: Version, folder: &str, theirs: &str, count: usize) {
    let Some(definitions) = std::env::var_os("SPINDLE_FIX_DEFINITIONS") else {
        println!("skipped: SPINDLE_FIX_DEFINITIONS does not name the public definitions");
        return;
    };
    let files = files(&Path::new(&definitions).join(folder));
    assert_eq!(files.len(), count, "another number of files in {folder}");
    let is_echoed = |path: &Path| ECHOED.contains(&name(path).as_str());
    let echoed = files.iter().filter(|path| is_echoed(path)).count();
    let (failures, runs) = run_all(&files, |path| {
        let application = if is_echoed(path) { Application::Echo } else { Application::Venue };
        public(version, theirs, application)
    });
    assert!(failures.is_empty(), "{} of {runs} fail:\n{}", failures.len(), failures.join("\n"));
    let venue = files.len() - echoed;
    println!(
        "{folder}: {} files pass, {venue} against the venue, {echoed} echoed; {runs} runs",
        files.len()
    );
}

#[test]
fn the_public_definitions_of_4_2_pass() {
    public_definitions(Version::Fix42, "fix42", "TW42", 58);
}

#[test]
fn the_public_definitions_of_4_4_pass() {
    public_definitions(Version::Fix44, "fix44", "TW44", 59);
}

/// The sessions that our own definitions speak to. A, B, O and P are of 4.2, the others of 4.4.
fn own() -> FixConfig {
    let mut fix = FixConfig::new(([127, 0, 0, 1], 0).into(), "SPIN");
    fix.limits.queue_messages = 8;
    let user = |version, theirs: &str, session, account| {
        FixUser::new(version, theirs, SessionId(session), AccountId(account))
    };
    let (fix42, fix44) = (Version::Fix42, Version::Fix44);
    fix.sessions = vec![
        user(fix42, "A", 0, 0),
        user(fix42, "B", 1, 1),
        FixUser {
            username: "carol".to_owned(),
            password: "secret".to_owned(),
            ..user(fix44, "C", 2, 0)
        },
        user(fix44, "D", 3, 0),
        FixUser { cancel_on: CancelOn::Loss, ..user(fix44, "L", 4, 0) },
        FixUser { cancel_on: CancelOn::Logout, ..user(fix42, "O", 5, 0) },
        FixUser { cancel_on: CancelOn::Both, grace_ns: 5_000_000_000, ..user(fix44, "G", 6, 0) },
        FixUser { password: "pw".to_owned(), ..user(fix42, "P", 7, 0) },
        FixUser { reset_on_logon: true, ..user(fix44, "R", 8, 0) },
        FixUser { application: Application::Echo, ..user(fix44, "E", 9, 0) },
    ];
    fix
}

#[test]
fn our_own_definitions_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fix");
    let files = files(&folder);
    assert!(files.len() >= 60, "only {} definitions of our own", files.len());
    let (failures, runs) = run_all(&files, |_| own());
    assert!(failures.is_empty(), "{} of {runs} fail:\n{}", failures.len(), failures.join("\n"));
    println!("our own: {} files pass; {runs} runs", files.len());
}

/// Every message cut in two at each of its bytes, or each so many: `SPINDLE_CUT_STEP`, by hand 1. The begin of a line and
/// what is filled in (checksums, times) make a message longer than its line by less than the margin.
#[test]
fn our_own_definitions_pass_wherever_their_messages_are_cut() {
    const MARGIN: usize = 64;
    let step = std::env::var("SPINDLE_CUT_STEP").ok().and_then(|text| text.parse().ok());
    let step = step.unwrap_or(5_usize).max(1);
    let cuts = |text: &[u8]| {
        let longest = text.split(|&byte| byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
        (1..longest + MARGIN).step_by(step).map(Cut::AtByte).collect()
    };
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fix"));
    let (failures, runs) = run_cut(&files, cuts, |_| own());
    assert!(failures.is_empty(), "{} of {runs} fail:\n{}", failures.len(), failures.join("\n"));
    println!("SPINDLE_CUT_STEP={step}: {} files pass; {runs} runs", files.len());
}
