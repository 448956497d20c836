//! A venue whose journal cannot be written any more: intake stops, clients are told, nothing is tried again, the exit status is 3 with a line
//! that names file and cause, and nothing that was acknowledged is missing afterwards. And one that cannot begin: each reason
//! in one line that says what to do.

mod process;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use process::Process;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::{ClientEvent, Login, NewOrder, OuchClient};
use spindle_gateway::ouch::outbound::Message;
use spindle_journal::disk::PlainDisk;
use spindle_journal::{Identity, Journal, Settings, Venue, read};
use spindle_types::{OrderToken, Price, Quantity, Symbol};

/// How long anything is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    folder: tempfile::TempDir,
    config: PathBuf,
    journal: PathBuf,
}

fn place(durability: &str) -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).expect("made");
    let config = configured(folder.path(), &journal, durability);
    Place { folder, config, journal }
}

fn configured(folder: &Path, journal: &Path, durability: &str) -> PathBuf {
    let config = folder.join("venue.toml");
    let text = format!(
        r#"
[venue]
name = "HALTED"
[engine]
orders_max = 100_000
levels_max = 10_000
own_orders_max = 65_536
instruments_max = 8
[threads]
idle = "yield"
[gateway]
ouch_listen = "127.0.0.1:0"
[[instrument]]
symbol = "X"
[[account]]
name = "A"
order_size_max = 10_000
order_value_max = "5000000.00"
collar_percent = "50"
open_orders_max = 60_000
[[session]]
user = "alice"
password = "a"
account = "A"
[[session]]
user = "bob"
password = "b"
account = "A"
[journal]
directory = {journal:?}
durability = "{durability}"
segment_bytes = 1048576
"#
    );
    std::fs::write(&config, text).expect("written");
    config
}

/// What a client of OUCH has seen.
#[derive(Default)]
struct Seen {
    accepted: BTreeSet<u32>,
    is_gone: bool,
}

impl Seen {
    fn hear(&mut self, event: &ClientEvent<'_>) {
        match event {
            ClientEvent::Message { message: Message::Accepted(accepted, _), .. } => {
                self.accepted.insert(accepted.user_ref_num.get());
            }
            ClientEvent::Disconnected(_) => self.is_gone = true,
            _ => {}
        }
    }
}

fn order(number: u32) -> NewOrder {
    let symbol: Symbol = "X".parse().expect("a symbol");
    NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(1_0000 + number % 7 * 100))
}

fn connect(process: &mut Process) -> (OuchClient, SocketAddr) {
    let address = process.address("ouch: listening on ");
    let login = Login::new("alice", "a").expect("a login");
    (OuchClient::connect(address, login).expect("a connection"), address)
}

/// Somebody who logs in and listens until the connection ends; all bytes that came.
fn listen(address: SocketAddr) -> JoinHandle<Vec<u8>> {
    let mut socket = TcpStream::connect(address).expect("a connection");
    let login = format!("\0\x2fL{:<6}{:<10}{:<10}{:>20}", "bob", "b", "", 1);
    socket.write_all(login.as_bytes()).expect("sent");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut bytes = [0];
    socket.read_exact(&mut bytes).expect("an answer");
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all);
        all
    })
}

fn until(client: &mut OuchClient, seen: &mut Seen, mut done: impl FnMut(&Seen) -> bool) {
    let begin = Instant::now();
    while !done(seen) {
        client.poll(&mut |event| seen.hear(&event));
        assert!(begin.elapsed() < PATIENCE, "{} accepted", seen.accepted.len());
    }
}

/// No file of this process may become, or be written, longer than this from now on.
fn limit_files(process: &Process, bytes: u64) {
    let pid = Pid::from_raw(i32::try_from(process.id()).expect("a number"));
    assert!(pid.is_some());
    let limit = Rlimit { current: Some(bytes), maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("the limit is set");
}

#[test]
fn an_error_of_a_write_ends_the_venue_and_nothing_acknowledged_is_lost() {
    for durability in ["sync", "async"] {
        let place = place(durability);
        let mut process = Process::venue(&place.config);
        let ((mut client, address), mut seen) = (connect(&mut process), Seen::default());
        let listener = listen(address);
        for number in 1..=50 {
            client.enter_as(OrderToken(number), &order(number)).expect("sent");
        }
        until(&mut client, &mut seen, |seen| seen.accepted.len() == 50);
        // From here on every write into the segment fails.
        limit_files(&process, 4_096);
        let mut number = 50;
        let begin = Instant::now();
        while !seen.is_gone {
            if client.is_live() && number < 1_000 {
                number += 1;
                let _ = client.enter_as(OrderToken(number), &order(number));
            }
            client.poll(&mut |event| seen.hear(&event));
            assert!(begin.elapsed() < PATIENCE, "the client was never told");
        }
        let said = String::from_utf8_lossy(&listener.join().expect("heard")).into_owned();
        assert!(said.contains("halted: the journal cannot be written"), "{said:?}");
        let (status, log) = process.ended();
        assert_eq!(status, Some(3), "{log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("00000001.segment: cannot write: File too large"), "{last}");
        assert!(last.contains("intake was stopped"), "{last}");
        if durability == "sync" {
            assert!(seen.accepted.len() < number as usize, "some could not be acknowledged");
        }
        // It comes back with all that it had acknowledged, where that was promised.
        let mut process = Process::venue(&place.config);
        let ((mut client, _), mut again) = (connect(&mut process), Seen::default());
        // What comes back comes before the answer to an order of now.
        let last = 5_000;
        client.enter_as(OrderToken(last), &order(last)).expect("sent");
        until(&mut client, &mut again, |again| again.accepted.contains(&last));
        again.accepted.remove(&last);
        if durability == "sync" {
            assert!(again.accepted.is_superset(&seen.accepted));
        } else {
            // What came last may be lost, and nothing before it.
            let count = u32::try_from(again.accepted.len()).expect("few");
            assert_eq!(again.accepted, (1..=count).collect());
        }
        process.kill();
    }
}

#[test]
fn a_segment_that_cannot_be_made_ends_the_venue() {
    let place = place("sync");
    let mut process = Process::venue(&place.config);
    let ((mut client, _), mut seen) = (connect(&mut process), Seen::default());
    // What there is can be written to its end, and no further file made of this size.
    limit_files(&process, 1_048_576 - 4_096);
    let mut number = 0;
    let begin = Instant::now();
    while !seen.is_gone {
        if client.is_live() && number < seen.accepted.len() + 50 && number < 30_000 {
            number += 1;
            let token = u32::try_from(number).expect("few");
            let _ = client.enter_as(OrderToken(token), &order(token));
        }
        client.poll(&mut |event| seen.hear(&event));
        assert!(begin.elapsed() < PATIENCE, "{number} asked, {} accepted", seen.accepted.len());
    }
    let (status, log) = process.ended();
    assert_eq!(status, Some(3), "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains(".segment") && last.contains("File too large"), "{last}");
    let mut process = Process::venue(&place.config);
    let ((mut client, _), mut again) = (connect(&mut process), Seen::default());
    until(&mut client, &mut again, |again| again.accepted.is_superset(&seen.accepted));
    assert!(seen.accepted.len() > 500);
    process.kill();
}

/// The line with which a venue does not start.
fn refused(config: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    refusal(&command.args(["run", "--config"]).arg(config).output().expect("it runs"))
}

/// The one line of a program that has refused.
fn refusal(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    lines[0].to_owned()
}

fn journal_of(directory: &Path, venue: &str, journal: u64, records: u64) {
    let mut disk = PlainDisk::open(directory).expect("it opens");
    let scanned = read(&mut disk, None, &mut |_, _| ControlFlow::Continue(())).expect("empty");
    let identity = Identity { venue: Venue::named(venue), journal };
    let settings = Settings { segment_bytes: 64 << 10 };
    let mut journal = Journal::open(disk, identity, settings, &scanned).expect("begun");
    for number in 0..records {
        journal.append(2, number, &number.to_le_bytes().repeat(16)).expect("it fits");
    }
    journal.mark(1).expect("marked");
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_in_one_line() {
    let place = place("sync");
    let line = |text: &str, line: &str| assert!(line.contains(text), "{line}");
    // Segments of another venue, and of two.
    journal_of(&place.journal, "OTHER", 5, 3);
    line(
        "it belongs to venue 'OTHER', not to 'HALTED'; give each venue a directory",
        &refused(&place.config),
    );
    let second = "00000002.segment";
    for (venue, journal, said) in [
        (
            "OTHER",
            5,
            "00000002.segment, offset 0: it belongs to venue 'OTHER', not to 'HALTED'; give",
        ),
        (
            "HALTED",
            6,
            "00000002.segment, offset 0: segments of two journals are mixed; move those of",
        ),
    ] {
        std::fs::remove_dir_all(&place.journal).expect("gone");
        std::fs::create_dir(&place.journal).expect("made");
        journal_of(&place.journal, "HALTED", 5, 3);
        let other = place.folder.path().join(venue);
        std::fs::create_dir(&other).expect("made");
        journal_of(&other, venue, journal, 2_000);
        std::fs::copy(other.join(second), place.journal.join(second)).expect("copied");
        line(said, &refused(&place.config));
    }
    // Something that is none.
    std::fs::remove_dir_all(&place.journal).expect("gone");
    std::fs::create_dir(&place.journal).expect("made");
    std::fs::write(place.journal.join("notes.txt"), "x").expect("written");
    line(
        "notes.txt, offset 0: it is no part of a journal; give an empty directory",
        &refused(&place.config),
    );
    // None at all, and a file.
    std::fs::remove_dir_all(&place.journal).expect("gone");
    line("it does not exist; make the directory first", &refused(&place.config));
    std::fs::write(&place.journal, "x").expect("written");
    line("journal", &refused(&place.config));
    // That of a venue that runs.
    std::fs::remove_file(&place.journal).expect("gone");
    std::fs::create_dir(&place.journal).expect("made");
    let mut process = Process::venue(&place.config);
    process.address("ouch: listening on ");
    process.forget_log();
    line(
        "journal: another venue that runs has this journal; stop it or give another directory",
        &refused(&place.config),
    );
    process.kill();
}

/// Nobody: a user without any right of its own.
const NOBODY: u32 = 65_534;

#[test]
fn a_directory_without_permission_is_refused_in_one_line() {
    let place = place("sync");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.folder.path(), open).expect("opened");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(["run", "--config"]).arg(&place.config);
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere, so somebody else tries.
        command.uid(NOBODY).gid(NOBODY);
    }
    for mode in [0o555, 0o000] {
        let closed = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&place.journal, closed).expect("closed");
        match command.output() {
            Ok(output) => {
                let line = refusal(&output);
                let wanted = "journal: cannot ";
                let hint = "not permitted; give a directory that this user may write";
                assert!(line.contains(wanted) && line.ends_with(hint), "{line}");
            }
            Err(error) => println!("skipped: nobody else may run the program here: {error}"),
        }
    }
}

#[test]
fn a_file_system_that_may_not_be_written_is_refused_in_one_line() {
    let place = place("sync");
    let directory = &place.journal;
    // In a mount namespace of its own, which goes with the process.
    let script = format!(
        "mount --bind {directory:?} {directory:?} && mount -o remount,ro,bind {directory:?} || exit 77; \
         exec {:?} run --config {:?}",
        env!("CARGO_BIN_EXE_spindle"),
        place.config,
    );
    match Command::new("unshare").args(["--mount", "sh", "-c", &script]).output() {
        Ok(output) if output.status.code() == Some(2) => {
            let line = refusal(&output);
            let wanted = "the file system is mounted read-only; give another directory";
            assert!(line.ends_with(wanted), "{line}");
        }
        other => println!("skipped: nothing can be mounted here: {other:?}"),
    }
}

/// Lets the kernel refuse every sync of files, as a file system without them does: none that takes files at all was found
/// to do so. It holds from here on and in every program that is started.
#[allow(unsafe_code, reason = "two system calls that no library has")]
fn refuse_syncs() -> std::io::Result<()> {
    let step = |code: u32, value: u32, when: u8, otherwise: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: when,
        jf: otherwise,
        k: value,
    };
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    let refused = libc::SECCOMP_RET_ERRNO | u32::try_from(libc::EINVAL).unwrap_or_default();
    let mut steps = [
        // The number of the call is the first word of what a filter looks at.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(is, number(libc::SYS_fdatasync), 1, 0),
        step(is, number(libc::SYS_fsync), 0, 1),
        step(give, refused, 0, 0),
        step(give, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: 5, filter: steps.as_mut_ptr() };
    // SAFETY: the calls read the program and its steps, which live as long, and change this process alone.
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program),
        ]
    };
    match results {
        [0, 0] => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
#[allow(unsafe_code, reason = "what runs in the new process before its program")]
fn a_file_system_that_cannot_sync_is_refused_in_one_line() {
    let place = place("sync");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.args(["run", "--config"]).arg(&place.config);
    // SAFETY: system calls, and no memory that is allocated.
    unsafe { command.pre_exec(refuse_syncs) };
    match command.output() {
        Ok(output) => {
            let line = refusal(&output);
            assert!(
                line.contains("journal: this file system cannot sync (Invalid argument")
                    && line.ends_with("give a directory on one that can, or durability = \"off\""),
                "{line}"
            );
        }
        Err(error) => println!("skipped: the kernel takes no filter here: {error}"),
    }
}

#[test]
fn a_full_device_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("small");
    std::fs::create_dir(&small).expect("made");
    let config = configured(folder.path(), &small, "sync");
    // In a mount namespace of its own, which goes with the process.
    let script = format!(
        "mount -t tmpfs -o size=256k none {small:?} || exit 77; exec {:?} run --config {config:?}",
        env!("CARGO_BIN_EXE_spindle"),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    match command.output() {
        Ok(output) if output.status.code() == Some(2) => {
            let line = refusal(&output);
            assert!(
                line.contains("no room left on the device; make room or give another directory"),
                "{line}"
            );
        }
        other => println!("skipped: no small file system can be mounted here: {other:?}"),
    }
}

/// What `spindle journal` says.
fn tool(arguments: &[&str], directory: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    let output = command.arg("journal").args(arguments).arg(directory).output().expect("it runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn two_journals_are_compared_to_the_first_record_that_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, other, shorter] = ["one", "other", "shorter"].map(|name| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).expect("made");
        place
    });
    for (place, count, odd) in [(&one, 900, None), (&other, 900, Some(700)), (&shorter, 300, None)]
    {
        let mut disk = PlainDisk::open(place).expect("it opens");
        let scanned = read(&mut disk, None, &mut |_, _| ControlFlow::Continue(())).expect("empty");
        let identity = Identity { venue: Venue::named("V"), journal: 1 };
        let settings = Settings { segment_bytes: 64 << 10 };
        let mut journal = Journal::open(disk, identity, settings, &scanned).expect("begun");
        for number in 0..count {
            let payload = if odd == Some(number) { [1; 80] } else { [0; 80] };
            journal.append(2, number, &payload).expect("it fits");
            // How it was written does not matter.
            if number % 50 == 0 && odd.is_some() {
                journal.commit().expect("committed");
            }
        }
        journal.mark(1).expect("marked");
    }
    let compare = |other: &Path| {
        let one = one.to_string_lossy().into_owned();
        let said = tool(&["diff", "--json", &one], other);
        serde_json::from_str::<serde_json::Value>(&said).expect("JSON")
    };
    let said = compare(&other);
    assert_eq!(said["alike"], 700, "{said}");
    assert_eq!(
        (&said["first_differs"]["sequence"], &said["other_differs"]["sequence"]),
        (&701.into(), &701.into())
    );
    assert_eq!(said["first_differs"]["kind"], "market");
    let said = compare(&shorter);
    assert_eq!(
        (&said["alike"], &said["other_differs"]),
        (&300.into(), &serde_json::Value::Null),
        "{said}"
    );
    let said = compare(&one);
    assert_eq!(
        (&said["alike"], &said["first_differs"]),
        (&900.into(), &serde_json::Value::Null),
        "{said}"
    );
}
