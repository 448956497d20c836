//! The venue as a process that is killed at any moment, with clients of OUCH and FIX that come back and go on: what
//! was acknowledged is there, each thing once, and streams go on at the next number.
//!
//! By hand, with more kills: `SPINDLE_KILLS=10000 cargo test --release --test does_a_killed_venue_lose_nothing`.

mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use process::{Process, free_port};
use spindle::journal::Replica;
use spindle_engine::command::OrderSide;
use spindle_engine::input::Cursor;
use spindle_gateway::client::{
    ClientEvent, FixClient, FixEvent, FixLogin, FixOrder, Login, NewOrder, OuchClient,
};
use spindle_gateway::fix::Version;
use spindle_gateway::ouch::outbound::Message;
use spindle_journal::disk::PlainDisk;
use spindle_journal::{Record, read};
use spindle_types::keep::{Pen, State};
use spindle_types::{EventTime, OrderToken, Price, Quantity, Symbol};

/// How long anything is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    _folder: tempfile::TempDir,
    config: PathBuf,
    journal: PathBuf,
    ouch: SocketAddr,
    fix: SocketAddr,
}

impl Place {
    fn new(durability: &str) -> Self {
        Self::with(durability, "")
    }

    /// With more keys of the journal.
    fn with(durability: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (ouch, fix) = (free_port(), free_port());
        let config = folder.path().join("venue.toml");
        let journal = folder.path().join("journal");
        std::fs::create_dir(&journal).expect("made");
        let text = format!(
            r#"
[venue]
name = "KILLED"
[engine]
orders_max = 100_000
levels_max = 10_000
own_orders_max = 65_536
instruments_max = 8
[threads]
idle = "yield"
[gateway]
ouch_listen = "{ouch}"
[fix]
listen = "{fix}"
comp_id = "SPINDLE"
[[fix.session]]
comp_id = "FIXER"
account = "B"
version = "4.4"
username = "fixer"
password = "secret77"
[[fix.session]]
comp_id = "WATCHER"
version = "4.4"
username = "watcher"
password = "secret78"
drop_copy = true
accounts = ["A", "B"]
[[instrument]]
symbol = "X"
[[account]]
name = "A"
order_size_max = 10_000
order_value_max = "5000000.00"
collar_percent = "50"
open_orders_max = 60_000
[[account]]
name = "B"
order_size_max = 10_000
order_value_max = "5000000.00"
collar_percent = "50"
open_orders_max = 60_000
[[session]]
user = "alice"
password = "a"
account = "A"
[journal]
directory = "{}"
durability = "{durability}"
segment_bytes = 1048576
{more}
"#,
            journal.display()
        );
        std::fs::write(&config, text).expect("written");
        Self { _folder: folder, config, journal, ouch, fix }
    }

    fn start(&self) -> Process {
        let mut process = Process::venue(&self.config);
        process.after("fix: listening");
        process.forget_log();
        process
    }
}

/// What a client knows of its orders.
#[derive(Default)]
struct Known {
    /// Every answer to an OUCH order, by its number: accepted, executed shares, cancelled.
    accepted: BTreeMap<u32, u32>,
    open: BTreeMap<u32, u32>,
    sequence: u64,
    /// FIX: executed shares by ClOrdID, and how often each was reported new.
    new: BTreeMap<u64, u32>,
    fix_executed: u64,
    ouch_executed: u64,
    /// The drop copy: orders reported new, and executed shares.
    copy_new: usize,
    copy_executed: u64,
    copy_sequence: u64,
}

impl Known {
    fn hear_ouch(&mut self, event: &ClientEvent<'_>) {
        let ClientEvent::Message { sequence, message } = event else { return };
        assert_eq!(*sequence, self.sequence + 1, "the stream has a hole or says something twice");
        self.sequence = *sequence;
        match message {
            Message::Accepted(accepted, _) => {
                let number = accepted.user_ref_num.get();
                *self.accepted.entry(number).or_default() += 1;
                assert_eq!(self.accepted[&number], 1, "order {number} was accepted twice");
                self.open.insert(number, accepted.quantity.get());
            }
            Message::Executed(executed, _) => {
                let number = executed.user_ref_num.get();
                let open = self.open.get_mut(&number).expect("it was accepted before");
                *open = open.checked_sub(executed.quantity.get()).expect("that much was open");
                self.ouch_executed += u64::from(executed.quantity.get());
            }
            Message::Canceled(canceled, _) => {
                let open = self.open.get_mut(&canceled.user_ref_num.get()).expect("it was open");
                *open = open.checked_sub(canceled.quantity.get()).expect("that much was open");
            }
            _ => {}
        }
    }

    fn hear_fix(&mut self, event: &FixEvent<'_>) {
        if let FixEvent::Report(report) = event {
            match report.exec_type {
                b'0' => {
                    let times = self.new.entry(report.id.expect("its name")).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "order {:?} was reported new twice", report.id);
                }
                b'F' => self.fix_executed += u64::from(report.last_quantity.0),
                _ => {}
            }
        }
    }
}

impl Known {
    fn hear_copy(&mut self, event: &FixEvent<'_>) {
        if let FixEvent::Report(report) = event {
            assert!(report.sequence > self.copy_sequence, "the copy says something twice");
            self.copy_sequence = report.sequence;
            match report.exec_type {
                b'0' => self.copy_new += 1,
                b'F' => self.copy_executed += u64::from(report.last_quantity.0),
                _ => {}
            }
        }
    }

    /// Whether the drop copy has told all that the sessions were told.
    fn copy_is_whole(&self) -> bool {
        self.copy_new == self.accepted.len() + self.new.len()
            && self.copy_executed == self.ouch_executed + self.fix_executed
    }
}

/// What a snapshot keeps of a venue: how far it is told, engine, accounts, sessions.
fn parts(replica: &mut Replica) -> [Vec<u8>; 4] {
    replica.whole(|whole| {
        let mut pens: [Pen; 4] = Default::default();
        State::save(&*whole.replayer, &mut pens[0]);
        whole.engine.save(&mut pens[1]);
        State::save(&*whole.books, &mut pens[2]);
        whole.sessions.desk.save(&mut pens[3]);
        pens.map(Pen::into_bytes)
    })
}

/// Applies the journal from its first record, and from a snapshot of every so-manieth: both must be the same at each.
fn every_point_leads_to_the_same(place: &Place) {
    let config = spindle::config::Config::read(&place.config).expect("the configuration");
    let mut disk = PlainDisk::open(&place.journal).expect("the journal");
    let (mut records, mut number) = (Vec::new(), 0_usize);
    read(&mut disk, None, &mut |_, record| {
        records.push((record.kind, record.time, record.payload.to_vec()));
        ControlFlow::Continue(())
    })
    .expect("it is whole");
    let began = Cursor::new(&records[0].2).u64("time").map(EventTime).expect("the begin");
    let replica = || Replica::new(&config, began).expect("a replica");
    let (mut one, mut other) = (replica(), replica());
    let saved = |replica: &mut Replica| replica.whole(|whole| whole.save(began));
    let step = (records.len() / 24).max(1);
    for piece in records.chunks(step) {
        let bytes = saved(&mut one);
        other.whole(|whole| whole.load(&bytes)).expect("it is a state");
        for (kind, time, payload) in piece {
            number += 1;
            let record = Record {
                kind: *kind,
                sequence: number as u64,
                durable: 0,
                time: *time,
                payload,
                previous: 0,
                checksum: 0,
            };
            for replica in [&mut one, &mut other] {
                replica.apply(&record).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        let (alone, again) = (parts(&mut one), parts(&mut other));
        for (at, (one, other)) in alone.iter().zip(&again).enumerate() {
            let differs = one.iter().zip(other).position(|(one, other)| one != other);
            let lengths = (one.len(), other.len());
            assert!(one == other, "record {number}, part {at}, byte {differs:?} of {lengths:?}");
        }
    }
    println!("{number} records, a snapshot every {step}: the same each time");
}

fn order(number: u32) -> NewOrder {
    let symbol: Symbol = "X".parse().expect("a symbol");
    // Sells that rest, at prices that rise: FIX buys take from the lowest.
    NewOrder::limit(OrderSide::Sell, Quantity(10), symbol, Price(100_0000 + number % 7 * 100))
}

/// Lives with the venue until it is killed, at a moment that no one chose.
fn live(
    ouch: &mut OuchClient,
    fix: &mut FixClient,
    copy: &mut FixClient,
    known: &mut Known,
    sent: &mut u32,
    until: Instant,
) {
    let symbol: Symbol = "X".parse().expect("a symbol");
    let mut turn = 0_u32;
    // On a machine that is busy with other things a life lasts until something has happened in it.
    let least = if *sent < 49_000 { known.accepted.len() + 5 } else { 0 };
    while Instant::now() < until || known.accepted.len() < least || known.ouch_executed == 0 {
        assert!(Instant::now() < until + PATIENCE, "nothing happens");
        // No more than the venue has room for, however long it lives.
        let may = *sent < 50_000 && (*sent as usize) < known.accepted.len() + 20;
        if ouch.is_live() && may {
            *sent += 1;
            let _ = ouch.enter_as(OrderToken(*sent), &order(*sent));
        }
        turn += 1;
        if turn.is_multiple_of(50) {
            let buy = FixOrder::limit(OrderSide::Buy, Quantity(7), symbol, Price(101_0000));
            let _ = fix.enter(&buy);
        }
        ouch.poll(&mut |event| known.hear_ouch(&event));
        fix.poll(&mut |event| known.hear_fix(&event));
        copy.poll(&mut |event| known.hear_copy(&event));
        std::thread::yield_now();
    }
}

fn come_back(
    ouch: &mut OuchClient,
    fix: &mut FixClient,
    copy: &mut FixClient,
    known: &mut Known,
    sent: u32,
) {
    let begin = Instant::now();
    ouch.reconnect();
    fix.reconnect().expect("a connection");
    copy.reconnect().expect("a connection");
    while !ouch.is_live() {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < PATIENCE, "no login over OUCH");
    }
    // What has no answer is sent again under its own number: known ones are ignored.
    for number in 1..=sent {
        if !known.accepted.contains_key(&number) {
            ouch.enter_as(OrderToken(number), &order(number)).expect("sent");
        }
    }
    while known.accepted.len() < sent as usize {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        fix.poll(&mut |event| known.hear_fix(&event));
        copy.poll(&mut |event| known.hear_copy(&event));
        assert!(begin.elapsed() < PATIENCE, "{} of {sent} accepted", known.accepted.len());
    }
}

#[test]
fn what_was_acknowledged_is_there_after_every_kill() {
    let kills = std::env::var("SPINDLE_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills: u32 = kills.unwrap_or(6);
    let place = Place::with("sync", "snapshot_inputs = 300");
    let mut process = place.start();
    let login = Login::new("alice", "a").expect("a login");
    let mut ouch = OuchClient::connect(place.ouch, login).expect("a connection");
    let login = FixLogin::new(Version::Fix44, "FIXER", "SPINDLE").with("fixer", "secret77");
    let mut fix = FixClient::connect(place.fix, login).expect("a connection");
    let login = FixLogin::new(Version::Fix44, "WATCHER", "SPINDLE").with("watcher", "secret78");
    let mut copy = FixClient::connect(place.fix, login).expect("a connection");
    let (mut known, mut sent) = (Known::default(), 0);
    for kill in 0..kills {
        let life = Duration::from_millis(60 + u64::from(kill * 37 % 90));
        live(&mut ouch, &mut fix, &mut copy, &mut known, &mut sent, Instant::now() + life);
        process.kill();
        // What had left the venue is still read.
        ouch.poll(&mut |event| known.hear_ouch(&event));
        fix.poll(&mut |event| known.hear_fix(&event));
        copy.poll(&mut |event| known.hear_copy(&event));
        process = place.start();
        come_back(&mut ouch, &mut fix, &mut copy, &mut known, sent);
        println!(
            "kill {kill}: {} accepted, {} shares executed over OUCH, {} over FIX",
            known.accepted.len(),
            known.ouch_executed,
            known.fix_executed
        );
    }
    // Every share that one side was told of, the other was told of too; a cancel finds every order that is open.
    let begin = Instant::now();
    while known.ouch_executed != known.fix_executed || !known.copy_is_whole() {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        fix.poll(&mut |event| known.hear_fix(&event));
        copy.poll(&mut |event| known.hear_copy(&event));
        let told = (known.ouch_executed, known.fix_executed, known.copy_executed);
        assert!(begin.elapsed() < PATIENCE, "executed: {told:?}");
    }
    for (number, _) in known.open.clone().into_iter().filter(|(_, open)| *open > 0) {
        while ouch.cancel(OrderToken(number)).is_err() {
            ouch.poll(&mut |event| known.hear_ouch(&event));
        }
    }
    while known.open.values().any(|open| *open > 0) {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        fix.poll(&mut |event| known.hear_fix(&event));
        copy.poll(&mut |event| known.hear_copy(&event));
        assert!(begin.elapsed() < PATIENCE, "an order that was acknowledged is gone");
    }
    assert!(known.ouch_executed > 0 && known.accepted.len() > 20);
    process.kill();
    // The journal leads to the same again, and holds no password.
    let said = tool(&place, &["replay", "--json", "--config"], true);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    if std::env::var_os("SPINDLE_KILLS").is_none() {
        every_point_leads_to_the_same(&place);
    }
    println!("{said:#}");
    for entry in std::fs::read_dir(&place.journal).expect("the journal") {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("its bytes");
        assert!(!bytes.windows(7).any(|window| window == b"secret7"), "a password is in it");
    }
}

/// Runs `spindle journal`.
fn tool(place: &Place, arguments: &[&str], is_good: bool) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.arg("journal").args(arguments);
    if arguments.contains(&"--config") {
        command.arg(&place.config);
    }
    let output = command.arg(&place.journal).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.success(), is_good, "{arguments:?}: {said}");
    said
}

fn flip_a_byte(directory: &Path) {
    let path = directory.join("00000001.segment");
    let mut bytes = std::fs::read(&path).expect("a segment");
    bytes[4_096 + 60] ^= 4;
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_day_that_has_ended_is_verified_put_aside_and_damage_is_refused() {
    let place = Place::new("async");
    let process = place.start();
    let login = Login::new("alice", "a").expect("a login");
    let mut ouch = OuchClient::connect(place.ouch, login).expect("a connection");
    let mut known = Known::default();
    for number in 1..=30 {
        ouch.enter_as(OrderToken(number), &order(number)).expect("sent");
    }
    let begin = Instant::now();
    while known.accepted.len() < 30 {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < PATIENCE);
    }
    // A second venue on the same journal.
    let second = Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(["run", "--config"])
        .arg(&place.config)
        .output()
        .expect("it runs");
    assert_eq!(second.status.code(), Some(2));
    let line = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(line.contains("another venue that runs has this journal"), "{line}");
    process.end();
    let said = tool(&place, &["verify", "--json"], true);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["whole"], true);
    let said = tool(&place, &["inspect"], true);
    assert!(said.contains("ouch_message") && said.contains("day_ended"), "{said}");
    let said = tool(&place, &["replay", "--json", "--config"], true);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["state_hashes_compared"], &said["inputs"]), (&1.into(), &31.into()));
    let said = tool(&place, &["until", "60", "--config"], true);
    assert!(said.contains("\"open\":10") && said.contains("next_out"), "{said}");
    // The next day begins a new journal.
    let mut process = place.start();
    process.kill();
    assert_eq!(std::fs::read_dir(place.journal.join("archive")).expect("a folder").count(), 1);
    flip_a_byte(&place.journal);
    let said = tool(&place, &["verify"], false);
    assert!(said.contains("00000001.segment, offset 4096: record 1 is damaged"), "{said}");
    let refused = Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(["run", "--config"])
        .arg(&place.config)
        .output()
        .expect("it runs");
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
}

/// Files of the journal with this end.
fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let all =
        std::fs::read_dir(directory).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut found: Vec<_> = all.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    found.sort();
    found
}

#[test]
fn a_venue_comes_back_from_a_snapshot_when_the_segments_before_it_are_put_away() {
    let keys = "snapshot_inputs = 400\nold_segments = \"archive\"\nkeep_snapshots = 1";
    let place = Place::with("sync", keys);
    let mut process = place.start();
    let login = Login::new("alice", "a").expect("a login");
    let mut ouch = OuchClient::connect(place.ouch, login).expect("a connection");
    let (mut known, mut sent) = (Known::default(), 0_u32);
    let begin = Instant::now();
    // Until the first segment is full and a snapshot lies behind it.
    while place.journal.join("00000001.segment").exists() {
        if ouch.is_live() && sent < 50_000 && (sent as usize) < known.accepted.len() + 200 {
            sent += 1;
            ouch.enter_as(OrderToken(sent), &order(sent)).expect("sent");
        }
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < PATIENCE, "{sent} orders, and nothing was put away");
    }
    while known.accepted.len() < sent as usize {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < PATIENCE, "{} of {sent} accepted", known.accepted.len());
    }
    process.kill();
    let mut process = Process::venue(&place.config);
    let record = process.after("journal: snapshot of record ");
    assert!(record.contains("taken up"), "{record}");
    process.forget_log();
    ouch.reconnect();
    // The stream goes on at its next number, and every order is there.
    while !ouch.is_live() {
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < PATIENCE, "no login");
    }
    let open: Vec<_> = known.open.keys().copied().collect();
    let mut cancels = open.iter().peekable();
    while known.open.values().any(|open| *open > 0) {
        if let Some(&&number) = cancels.peek()
            && ouch.cancel(OrderToken(number)).is_ok()
        {
            cancels.next();
        }
        ouch.poll(&mut |event| known.hear_ouch(&event));
        assert!(begin.elapsed() < 2 * PATIENCE, "an order that was acknowledged is gone");
    }
    process.kill();
    // From the snapshot as from the journal: what the tool compares leads there.
    let said = tool(&place, &["replay", "--json", "--config"], true);
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert!(said["from_snapshot"].as_u64().is_some_and(|record| record > 1_000), "{said}");
    // One snapshot more, by hand: the newest alone stays.
    let said = tool(&place, &["follow", "--once", "--json", "--config"], true);
    assert!(said.contains("\"snapshots\": 1"), "{said}");
    let snapshots = files(&place.journal, ".snapshot");
    assert_eq!(snapshots.len(), 1, "{snapshots:?}");
    // Without it nothing leads to the begin of what is left.
    let mut bytes = std::fs::read(&snapshots[0]).expect("a snapshot");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&snapshots[0], bytes).expect("written");
    let refused = Command::new(env!("CARGO_BIN_EXE_spindle"))
        .args(["run", "--config"])
        .arg(&place.config)
        .output()
        .expect("it runs");
    let line = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(2) && line.contains("put the segments before it back"),
        "{line}"
    );
    // With them the whole journal leads there, and the snapshot is passed over.
    let archive = files(&place.journal.join("archive"), "").pop().expect("a folder");
    for segment in files(&archive, ".segment") {
        let name = segment.file_name().expect("a name");
        std::fs::rename(&segment, place.journal.join(name)).expect("moved");
    }
    let mut process = Process::venue(&place.config);
    process.after("this snapshot is passed over: its state is damaged");
    process.after("brought back in");
    process.kill();
}
