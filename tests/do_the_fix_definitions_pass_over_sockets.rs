//! `spindle run` with the two acceptance profiles of `examples/`, over TCP: a definition of our own
//! always; the public ones of FIX 4.2, which take a minute of waiting, with
//! `SPINDLE_FIX_DEFINITIONS=folder cargo test --test do_the_fix_definitions_pass_over_sockets -- --ignored`.

#[allow(missing_docs, unreachable_pub, reason = "the gateway's tests have the same runner")]
#[path = "../gateway/tests/definitions/mod.rs"]
mod definitions;
mod process;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use definitions::{Cut, Peer, files, run, show, whole};
use process::Process;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running venue, killed when the test is over.
struct Venue {
    _process: Process,
    address: SocketAddr,
}

impl Venue {
    fn start(example: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let text = std::fs::read_to_string(path).expect("the example");
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("venue.toml");
        let ports = ["8411", "8412", "8413", "8414"];
        let text = ports.iter().fold(text, |text, port| text.replace(&format!(":{port}"), ":0"));
        std::fs::write(&config, text).expect("a file");
        let mut process = Process::venue(&config);
        let address = process.address("fix: listening on ");
        process.forget_log();
        Self { _process: process, address }
    }
}

/// Connections to it.
struct Sockets {
    address: SocketAddr,
    open: HashMap<usize, (TcpStream, Vec<u8>)>,
}

impl Sockets {
    fn find(&mut self, id: usize) -> Result<&mut (TcpStream, Vec<u8>), String> {
        self.open.get_mut(&id).ok_or_else(|| format!("no connection {id}"))
    }

    /// Reads once, waiting; whether the other side has closed.
    fn read(&mut self, id: usize) -> Result<bool, String> {
        let (socket, bytes) = self.find(id)?;
        let mut space = [0; 4_096];
        match socket.read(&mut space) {
            Ok(0) => Ok(true),
            Ok(count) => {
                bytes.extend_from_slice(&space[..count]);
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
            Err(error) => Err(format!("nothing came: {error}")),
        }
    }
}

impl Peer for Sockets {
    fn connect(&mut self, id: usize) -> Result<(), String> {
        let socket = TcpStream::connect(self.address).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        self.open.insert(id, (socket, Vec::new()));
        Ok(())
    }

    fn disconnect(&mut self, id: usize) {
        self.open.remove(&id);
    }

    fn send(&mut self, id: usize, bytes: &[u8]) -> Result<(), String> {
        // What is sent to a connection that the other side has closed is lost, as it may be.
        let _ = self.find(id)?.0.write_all(bytes);
        Ok(())
    }

    fn receive(&mut self, id: usize) -> Result<Vec<u8>, String> {
        loop {
            let (_, bytes) = self.find(id)?;
            if let Some(length) = whole(bytes) {
                return Ok(bytes.drain(..length).collect());
            }
            if self.read(id)? {
                return Err("the connection is closed".to_owned());
            }
        }
    }

    fn expect_closed(&mut self, id: usize) -> Result<(), String> {
        loop {
            let (_, bytes) = self.find(id)?;
            if !bytes.is_empty() {
                return Err(format!("instead of the end came {}", show(bytes)));
            }
            if self.read(id)? {
                return Ok(());
            }
        }
    }

    fn utc(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or_default()
    }
}

/// The definitions that want an echo; the gateway's test has the same list.
const ECHOED: [&str; 14] = [
    "14e_",
    "15_",
    "19a_",
    "19b_",
    "20_",
    "21_",
    "2d_",
    "2f_",
    "2g_",
    "2m_",
    "3b_",
    "3c_",
    "8_AdminAndApplication",
    "8_OnlyApplication",
];

const OWN: &str = "\
iCONNECT
I8=FIX.4.2|35=A|34=1|49=TW42|52=<TIME>|56=ISLD|98=0|108=30|
E8=FIX.4.2|35=A|34=1|49=ISLD|52=00000000-00:00:00.000|56=TW42|98=0|108=30|
I8=FIX.4.2|35=1|34=2|49=TW42|52=<TIME>|56=ISLD|112=here|
E8=FIX.4.2|35=0|34=2|49=ISLD|52=00000000-00:00:00.000|56=TW42|112=here|
I8=FIX.4.2|35=5|34=3|49=TW42|52=<TIME>|56=ISLD|
E8=FIX.4.2|35=5|34=3|49=ISLD|52=00000000-00:00:00.000|56=TW42|
eDISCONNECT
";

#[test]
fn both_profiles_run_and_answer() {
    for (example, symbol) in [("fix-acceptance.toml", "INTC"), ("fix-acceptance-echo.toml", "ANY")]
    {
        let venue = Venue::start(example);
        for cut in [Cut::Lines, Cut::Bytes, Cut::Together] {
            let mut sockets = Sockets { address: venue.address, open: HashMap::new() };
            run(OWN.as_bytes(), &mut sockets, cut)
                .unwrap_or_else(|error| panic!("{example}: {error}"));
        }
        let order = format!(
            "iCONNECT\n\
            I8=FIX.4.2|35=A|34=1|49=TW42|52=<TIME>|56=ISLD|98=0|108=30|\n\
            E8=FIX.4.2|35=A|34=1|49=ISLD|52=00000000-00:00:00.000|56=TW42|98=0|108=30|\n\
            I8=FIX.4.2|35=D|34=2|49=TW42|52=<TIME>|56=ISLD|11=a|21=1|40=1|54=1|55={symbol}|60=<TIME>|\n"
        );
        let answer = if symbol == "INTC" {
            "E8=FIX.4.2|35=j|34=2|49=ISLD|52=00000000-00:00:00.000|56=TW42|45=2|\
            58=Conditionally Required Field Missing: tag 38|372=D|379=a|380=5|"
        } else {
            "E8=FIX.4.2|35=D|34=2|49=ISLD|52=00000000-00:00:00.000|56=TW42|\
            11=a|21=1|40=1|54=1|55=ANY|60=00000000-00:00:00|"
        };
        let mut sockets = Sockets { address: venue.address, open: HashMap::new() };
        let text = format!("{order}{answer}\n");
        run(text.as_bytes(), &mut sockets, Cut::Lines)
            .unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
#[ignore = "a minute of waiting; needs SPINDLE_FIX_DEFINITIONS"]
fn the_public_definitions_pass_over_sockets() {
    let Some(folder) = std::env::var_os("SPINDLE_FIX_DEFINITIONS") else {
        println!("skipped: SPINDLE_FIX_DEFINITIONS does not name the public definitions");
        return;
    };
    let files = files(&Path::new(&folder).join("fix42"));
    assert_eq!(files.len(), 58);
    let is_echoed = |path: &Path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        ECHOED.iter().any(|prefix| name.starts_with(prefix))
    };
    let mut failures = Vec::new();
    for (example, echoed) in [("fix-acceptance.toml", false), ("fix-acceptance-echo.toml", true)] {
        let venue = Venue::start(example);
        let mut count = 0;
        for path in files.iter().filter(|path| is_echoed(path) == echoed) {
            let mut sockets = Sockets { address: venue.address, open: HashMap::new() };
            let text = std::fs::read(path).expect("a definition");
            if let Err(error) = run(&text, &mut sockets, Cut::Lines) {
                failures.push(format!("{}: {error}", path.display()));
            }
            count += 1;
        }
        println!("{example}: {count} files");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
