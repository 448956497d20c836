//! What is fuzzed of FIX: the parser, and a session under a list of operations.

use std::collections::HashMap;

use spindle_gateway::fix::frame::{check_sum, three_digits};
use spindle_gateway::fix::session::{Now, Received, Session, SessionConfig, SessionLimits};
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{Frame, Message, Scratch, Version, frame, validate};

const BODY_MAX: usize = 1_024;
const BLOCK_MAX: usize = 2 * BODY_MAX;

/// Bytes are cut into messages to their end, and every step uses some up. A message that passes the
/// tables has its header and a number where the session looks for them.
pub fn fix_message(data: &[u8]) {
    let mut scratch = Scratch::new();
    let mut bytes = data;
    loop {
        match frame(bytes, BODY_MAX, BLOCK_MAX) {
            Frame::More { skip } => {
                assert!(skip <= bytes.len() && bytes.len() - skip < BLOCK_MAX);
                return;
            }
            Frame::Garbled { used, .. } => {
                assert!(used > 0);
                bytes = &bytes[used..];
            }
            Frame::Whole { start, end } => {
                if let Ok(message) = scratch.parse(&bytes[start..end]) {
                    assert!(!message.has_too_many() || message.fields().count() == 256);
                    for version in Version::ALL {
                        if validate(version, &message).is_ok() {
                            assert!(message.sequence().is_some() && !message.msg_type().is_empty());
                        }
                    }
                }
                bytes = &bytes[end..];
            }
        }
    }
}

const NOON: u64 = 1_795_176_000_000_000_000;

/// A session, what its peer has seen, and what the application has sent.
struct Bench {
    session: Session,
    scratch: Scratch,
    now: u64,
    /// Bytes that the peer has not yet taken apart.
    seen: Vec<u8>,
    /// The number that the next new message must have, once a connection has begun.
    next: Option<u64>,
    /// Bodies of application messages by number, since numbers began anew.
    sent: HashMap<u64, Vec<u8>>,
}

/// A session under whatever the data says: each operation is two bytes. Whatever comes, what goes out
/// is whole messages; new ones are numbered without a gap; what is sent again is marked, and is what
/// was sent first.
pub fn fix_session(data: &[u8]) {
    let Some((&first, operations)) = data.split_first() else { return };
    let version = if first & 1 == 0 { Version::Fix42 } else { Version::Fix44 };
    let limits = SessionLimits {
        message_max: BODY_MAX,
        store_bytes: 16 * BODY_MAX,
        store_messages: 64,
        queue_bytes: BODY_MAX,
        queue_messages: 4,
        output_bytes: 0,
        ..SessionLimits::default()
    };
    let mut bench = Bench {
        session: Session::new(&SessionConfig {
            version,
            our_comp_id: "V".to_owned(),
            their_comp_id: "P".to_owned(),
            reset_on_logon: first & 2 != 0,
            limits,
        }),
        scratch: Scratch::new(),
        now: 1_000_000_000,
        seen: Vec::new(),
        next: None,
        sent: HashMap::new(),
    };
    for operation in operations.chunks_exact(2) {
        bench.step(operation[0], operation[1]);
    }
    bench.drain(usize::MAX);
}

impl Bench {
    fn now(&self) -> Now {
        Now { monotonic: self.now, utc: NOON + self.now }
    }

    fn step(&mut self, what: u8, with: u8) {
        match what % 8 {
            0 => {
                self.now += u64::from(with) * 200_000_000;
                let now = self.now();
                if self.session.tick(now).is_err() {
                    self.disconnect();
                }
            }
            1 if !self.session.is_taken() => self.logon(with),
            1..=3 => self.receive(what >> 3, with),
            4 if self.session.next_out() < 60_000 => {
                let body = format!("58={}\x01", "x".repeat(usize::from(with.max(1))));
                self.sent.insert(self.session.next_out(), body.clone().into_bytes());
                let now = self.now();
                self.session.send(b'8', false, now, |writer| {
                    writer.raw(body.as_bytes());
                });
            }
            5 => self.drain(usize::from(with) * 16),
            6 if with < 32 => self.disconnect(),
            _ => self.queued(),
        }
        if self.session.is_taken() {
            let now = self.now();
            if self.session.tick(now).is_err() {
                self.disconnect();
            }
        }
    }

    fn disconnect(&mut self) {
        self.drain(usize::MAX);
        self.session.disconnected();
        self.seen.clear();
        self.next = None;
    }

    fn logon(&mut self, with: u8) {
        let reset = with & 1 == 1;
        let sequence = if reset { 1 } else { near(self.session.next_in(), with >> 1) };
        let body = format!("98=0|108={}|{}", with & 7, if reset { "141=Y|" } else { "" });
        let bytes = self.message("A", sequence, "", &body);
        let message = self.scratch.parse(&bytes).expect("a message");
        let now = Now { monotonic: self.now, utc: NOON + self.now };
        let before = self.session.next_out();
        if self.session.logon(&message, now).is_err() {
            self.session.disconnected();
        } else if self.session.next_out() <= before && before > 1 {
            self.sent.clear();
        }
    }

    fn receive(&mut self, kind: u8, with: u8) {
        if !self.session.is_taken() || !self.session.takes_requests() {
            return;
        }
        let sequence = near(self.session.next_in(), with);
        let again = with & 8 != 0;
        let time = String::from_utf8(format_timestamp(NOON + self.now).to_vec()).expect("ASCII");
        let header = if again { format!("43=Y|122={time}|") } else { String::new() };
        let out = self.session.next_out();
        let (kind, body) = match kind % 12 {
            0 => ("0", String::new()),
            1 => ("1", "112=t|".to_owned()),
            2 => ("2", format!("7={}|16=0|", near(out / 2, with))),
            3 => ("2", format!("7={}|16={}|", near(1, with), near(out, with >> 3))),
            4 => ("4", format!("36={}|123=Y|", near(sequence, with >> 4))),
            5 => ("4", format!("36={}|", near(sequence, with >> 4))),
            6 => ("5", String::new()),
            7 => ("A", format!("98=0|108=5|{}", if again { "141=Y|" } else { "" })),
            8 => ("3", "45=1|".to_owned()),
            9 => ("8", "37=x|".to_owned()),
            10 => ("0", "55=x|112=|".to_owned()),
            _ => ("*", String::new()),
        };
        let sequence = if kind == "A" && again { 1 } else { sequence };
        let mut bytes = self.message(kind, sequence, &header, &body);
        if with == 255 {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        }
        let Frame::Whole { start, end } = frame(&bytes, BODY_MAX, BLOCK_MAX) else { return };
        let Ok(message) = self.scratch.parse(&bytes[start..end]) else { return };
        let now = Now { monotonic: self.now, utc: NOON + self.now };
        let before = self.session.next_out();
        let received = self.session.receive(&message, now);
        if self.session.next_out() < before {
            self.sent.clear();
        }
        if received == Received::Application {
            self.refuse(&bytes[start..end]);
        }
    }

    /// Messages that waited beyond a gap.
    fn queued(&mut self) {
        let mut space = vec![0; BODY_MAX];
        while self.session.has_queued() && self.session.takes_requests() {
            let length = self.session.take_queued(&mut space).expect("it waits");
            let message = self.scratch.parse(&space[..length]).expect("a message");
            let now = Now { monotonic: self.now, utc: NOON + self.now };
            if self.session.receive_queued(&message, now) == Received::Application {
                self.refuse(&space[..length]);
            }
        }
    }

    /// The application does not know it.
    fn refuse(&mut self, bytes: &[u8]) {
        let now = self.now();
        let Ok(message) = self.scratch.parse(bytes) else { return };
        let sequence = message.sequence().unwrap_or(0);
        let number = self.session.next_out();
        let body = format!("45={sequence}\x0158=no\x01372=8\x01380=3\x01");
        self.sent.insert(number, body.into_bytes());
        self.session.reject_business(sequence, b"8", 3, None, b"no", now);
    }

    fn message(&self, kind: &str, sequence: u64, header: &str, body: &str) -> Vec<u8> {
        let time = String::from_utf8(format_timestamp(NOON + self.now).to_vec()).expect("ASCII");
        let begin = String::from_utf8_lossy(self.session.version().begin_string()).into_owned();
        let rest = format!("35={kind}|34={sequence}|49=P|56=V|52={time}|{header}{body}");
        let rest = rest.replace('|', "\x01");
        let mut bytes = format!("8={begin}\x019={}\x01{rest}", rest.len()).into_bytes();
        let sum = three_digits(check_sum(&bytes));
        bytes.extend_from_slice(b"10=");
        bytes.extend_from_slice(&sum);
        bytes.push(1);
        bytes
    }

    /// The peer reads so many bytes and looks at the messages that are whole.
    fn drain(&mut self, most: usize) {
        let count = self.session.output().len().min(most);
        self.seen.extend_from_slice(&self.session.output()[..count]);
        self.session.written(count);
        loop {
            match frame(&self.seen, 4 * BODY_MAX, 8 * BODY_MAX) {
                Frame::Whole { start: 0, end } => {
                    let bytes: Vec<u8> = self.seen.drain(..end).collect();
                    let mut scratch = Scratch::new();
                    let message = scratch.parse(&bytes).expect("fields");
                    validate(self.session.version(), &message).expect("it keeps to the tables");
                    self.look(&message);
                }
                Frame::More { skip: 0 } => return,
                other => panic!("{other:?}: {}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    fn look(&mut self, message: &Message<'_>) {
        let sequence = message.sequence().expect("a number");
        if message.is_yes(43) {
            let is_fill = message.msg_type() == b"4";
            assert!(is_fill || message.get(122).is_some());
            assert!(is_fill || matches!(message.msg_type(), b"8" | b"j"), "only those come again");
            return self.compare(sequence, message);
        }
        let begins = message.msg_type() == b"A" || self.next.is_none();
        // What had to go for newer messages before it could go out leaves a gap, and is counted.
        let gone = self.session.evicted() > 0 && self.next < Some(sequence);
        assert!(begins || gone || self.next == Some(sequence), "{:?} then {sequence}", self.next);
        self.next = Some(sequence + 1);
        self.compare(sequence, message);
    }

    fn compare(&self, sequence: u64, message: &Message<'_>) {
        if matches!(message.msg_type(), b"8" | b"j")
            && let Some(body) = self.sent.get(&sequence)
        {
            let bytes = message.bytes();
            let end = bytes.len() - 7;
            assert!(bytes[..end].ends_with(body), "another body under {sequence}");
        }
    }
}

/// A number near another: mostly itself.
fn near(number: u64, with: u8) -> u64 {
    match with & 7 {
        0..=3 => number,
        4 => number + 1,
        5 => number + 2,
        6 => number.saturating_sub(1),
        _ => number.saturating_sub(3),
    }
}
