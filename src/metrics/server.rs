//! The endpoint: HTTP/1.1, one request a connection, on a cold thread. Connections are bounded, and who reads
//! or writes too slowly is closed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use thiserror::Error;

use super::text;
use crate::status::Snapshot;

/// Connections at once; one that comes on top is closed at once.
const CONNECTIONS_MAX: usize = 16;

/// The longest head of a request.
const HEAD_MAX: usize = 8_192;

/// Header fields of a request at most.
const FIELDS_MAX: usize = 64;

/// How long a client may take for its request, the venue for its answer, and the client to read it, together.
const TIME_MAX: Duration = Duration::from_secs(5);

/// How long the thread sleeps where nothing is to be done.
const PAUSE: Duration = Duration::from_millis(20);

/// What OpenMetrics text calls itself.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why there are no metrics.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// The address cannot be listened on.
    #[error("[metrics] address {address}: {}", hint(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No thread.
    #[error("no thread for metrics: {0}")]
    Thread(io::Error),
}

fn hint(source: &io::Error) -> String {
    match source.kind() {
        ErrorKind::AddrInUse => {
            "the port is in use; stop the program that has it or give another port".to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; give one of its own, such as 127.0.0.1:9464"
                .to_owned()
        }
        ErrorKind::PermissionDenied => "not permitted; give a port of 1024 or above".to_owned(),
        _ => format!("{source}; give another address"),
    }
}

/// Where a snapshot that was asked for is to be sent.
pub type Ask = Sender<Snapshot>;

/// The endpoint. It ends when it is dropped.
pub struct MetricsServer {
    address: SocketAddr,
    wanted: Receiver<Ask>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Listens and serves from a thread of its own.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn open(address: SocketAddr) -> Result<Self, MetricsError> {
        let listen = |source| MetricsError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let ((ask, wanted), ends) = (unbounded(), Arc::<AtomicBool>::default());
        let flag = Arc::clone(&ends);
        let serve = move || {
            let mut clients = Vec::new();
            while !flag.load(Ordering::Relaxed) {
                accept(&listener, &mut clients);
                let now = Instant::now();
                clients.retain_mut(|client: &mut Client| client.turn(&ask, now));
                thread::sleep(PAUSE);
            }
        };
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(serve);
        let thread = Some(thread.map_err(MetricsError::Thread)?);
        Ok(Self { address, wanted, ends, thread })
    }

    /// Where it listens, port 0 resolved.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next snapshot that is wanted.
    pub fn next_ask(&self) -> Option<Ask> {
        self.wanted.try_recv().ok()
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, clients: &mut Vec<Client>) {
    // As many as may come in one turn: the rest waits in the kernel.
    for _ in 0..CONNECTIONS_MAX {
        match listener.accept() {
            Ok((stream, _)) if clients.len() < CONNECTIONS_MAX => {
                if stream.set_nonblocking(true).is_ok() {
                    clients.push(Client::new(stream));
                }
            }
            // No place: dropped, which closes it.
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

enum Step {
    /// The head of the request is coming.
    Reads(Vec<u8>),
    /// The venue is asked.
    Waits(Receiver<Snapshot>, bool),
    /// The answer is leaving.
    Writes(Vec<u8>, usize),
}

struct Client {
    stream: TcpStream,
    until: Instant,
    step: Step,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        let until = Instant::now() + TIME_MAX;
        Self { stream, until, step: Step::Reads(Vec::new()) }
    }

    /// Goes as far as it can without waiting; false when the connection is over.
    fn turn(&mut self, ask: &Sender<Ask>, now: Instant) -> bool {
        if now >= self.until {
            return false;
        }
        if let Step::Reads(head) = &mut self.step {
            match read(&mut self.stream, head) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            match request(head) {
                Request::Incomplete => return true,
                Request::Wrong(status, text) => {
                    self.step = Step::Writes(answer(status, "text/plain", text, true), 0);
                }
                Request::Metrics { body } => {
                    let (tell, told) = bounded(1);
                    if ask.send(tell).is_err() {
                        return false;
                    }
                    self.step = Step::Waits(told, body);
                }
            }
        }
        if let Step::Waits(told, body) = &self.step
            && let Ok(snapshot) = told.try_recv()
        {
            self.step = Step::Writes(answer("200 OK", CONTENT_TYPE, &text(snapshot), *body), 0);
        }
        if let Step::Writes(bytes, written) = &mut self.step {
            return match self.stream.write(&bytes[*written..]) {
                Ok(count) if count > 0 => {
                    *written += count;
                    *written < bytes.len()
                }
                Err(error) => {
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
                }
                Ok(_) => false,
            };
        }
        true
    }
}

fn read(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 1_024];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&bytes[..count]),
        }
        if head.len() > HEAD_MAX {
            return Ok(());
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Request {
    Incomplete,
    /// Metrics, with their text or only the head of the answer.
    Metrics {
        body: bool,
    },
    Wrong(&'static str, &'static str),
}

fn request(head: &[u8]) -> Request {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Partial) if head.len() > HEAD_MAX => {
            Request::Wrong("431 Request Header Fields Too Large", "at most 8192 bytes\n")
        }
        Ok(httparse::Status::Partial) => Request::Incomplete,
        Err(_) => Request::Wrong("400 Bad Request", "this is HTTP/1.1: GET /metrics\n"),
        Ok(httparse::Status::Complete(_)) => {
            let path = request.path.unwrap_or_default();
            let path = path.split_once('?').map_or(path, |(path, _)| path);
            match (request.method.unwrap_or_default(), path) {
                ("GET", "/metrics") => Request::Metrics { body: true },
                ("HEAD", "/metrics") => Request::Metrics { body: false },
                ("GET" | "HEAD", _) => Request::Wrong("404 Not Found", "metrics are at /metrics\n"),
                _ => Request::Wrong("405 Method Not Allowed", "GET /metrics\n"),
            }
        }
    }
}

fn answer(status: &str, content_type: &str, text: &str, body: bool) -> Vec<u8> {
    let length = text.len();
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{allow}\
         Connection: close\r\n\r\n"
    );
    if body {
        bytes.push_str(text);
    }
    bytes.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metrics_are_served() {
        let wrong = |head: &str| match request(head.as_bytes()) {
            Request::Wrong(status, _) => status[..3].parse::<u16>().expect("a status"),
            other => panic!("{other:?}"),
        };
        let whole = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(request(whole.as_bytes()), Request::Metrics { body: true });
        for length in 0..whole.len() {
            assert_eq!(request(&whole.as_bytes()[..length]), Request::Incomplete, "{length}");
        }
        let head = "HEAD /metrics?x=1 HTTP/1.1\r\n\r\n";
        assert_eq!(request(head.as_bytes()), Request::Metrics { body: false });
        assert_eq!(wrong("GET / HTTP/1.1\r\n\r\n"), 404);
        assert_eq!(wrong("POST /metrics HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(wrong("\x16\x03\x01 TLS\r\n\r\n"), 400);
        assert_eq!(wrong(&format!("GET /metrics HTTP/1.1\r\nA: {}", "x".repeat(9_000))), 431);
    }

    /// A snapshot whose text is larger than what a system keeps for a connection.
    fn large() -> Snapshot {
        let position = |nth: usize| crate::status::Position {
            account: format!("ACCOUNT{nth}"),
            symbol: "AAPL".to_owned(),
            ..Default::default()
        };
        Snapshot { positions: (0..200_000).map(position).collect(), ..Snapshot::default() }
    }

    #[test]
    fn who_reads_a_byte_a_second_is_closed_and_holds_up_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ask, wanted) = unbounded::<Ask>();
        let connect = || {
            let mut far = TcpStream::connect(address).expect("a connection");
            let (near, _) = listener.accept().expect("a connection");
            near.set_nonblocking(true).expect("set");
            far.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("written");
            (far, Client::new(near))
        };
        let (mut slow, mut client) = connect();
        let begun = Instant::now();
        let mut snapshot = Some(large());
        while !matches!(client.step, Step::Writes(..)) {
            assert!(client.turn(&ask, begun), "it is there");
            if let Some(snapshot) =
                wanted.try_recv().ok().and_then(|ask| Some((ask, snapshot.take()?)))
            {
                snapshot.0.send(snapshot.1).expect("it waits");
            }
        }
        let kept = |client: &Client| match &client.step {
            Step::Writes(bytes, written) => (bytes.capacity(), bytes.len() - written),
            _ => panic!("the answer is on its way"),
        };
        let (room, _) = kept(&client);
        let mut last = usize::MAX;
        for second in 0..TIME_MAX.as_secs() {
            assert!(client.turn(&ask, begun + Duration::from_secs(second)), "it has time left");
            let (room_now, left) = kept(&client);
            assert_eq!(room_now, room, "no memory on top");
            assert!(left > 0 && left <= last, "the rest waits, {left} of {last}");
            last = left;
            slow.read_exact(&mut [0]).expect("a byte");
            // Somebody else is served in one second.
            let (mut other, mut beside) = connect();
            let now = begun + Duration::from_secs(second);
            while beside.turn(&ask, now) {
                if let Ok(ask) = wanted.try_recv() {
                    ask.send(Snapshot::default()).expect("it waits");
                }
            }
            drop(beside);
            let mut told = String::new();
            other.read_to_string(&mut told).expect("text");
            assert!(told.starts_with("HTTP/1.1 200 OK") && told.ends_with("# EOF\n"), "{told}");
        }
        assert!(!client.turn(&ask, client.until), "its time is over");
    }
}
