//! A client of FIX 4.4, as naive as it can be: it asks for what it misses, and fills the gaps that the
//! venue asks for with nothing.

use spindle_engine::event::{Event, Outcome};
use spindle_gateway::fix::frame::{check_sum, frame, three_digits};
use spindle_gateway::fix::value::format_timestamp;
use spindle_gateway::fix::{Frame, Message, Scratch};

use super::{Client, Random};

/// The client.
pub struct FixClient {
    out: Vec<u8>,
    input: Vec<u8>,
    live: bool,
    next_in: u64,
    next_out: u64,
    /// Whether what is missing was asked for.
    asked: bool,
    told: Vec<String>,
    /// Reports that came with the mark of what is sent again.
    pub marked: u64,
    id: u64,
    open: Vec<u64>,
}

impl FixClient {
    pub fn new() -> Self {
        Self {
            out: Vec::new(),
            input: Vec::new(),
            live: false,
            next_in: 1,
            next_out: 1,
            asked: false,
            told: Vec::new(),
            marked: 0,
            id: 0,
            open: Vec::new(),
        }
    }

    fn send(&mut self, kind: &str, body: &str, now: u64) {
        let sequence = self.next_out;
        self.next_out += 1;
        self.send_as(kind, sequence, "", body, now);
    }

    fn send_as(&mut self, kind: &str, sequence: u64, header: &str, body: &str, now: u64) {
        let time = String::from_utf8(format_timestamp(now).to_vec()).expect("ASCII");
        let header = header.replace("TIME", &time);
        let rest = format!("35={kind}|34={sequence}|49=FIONA|56=SPIN|52={time}|{header}{body}");
        let rest = rest.replace("TIME", &time).replace('|', "\x01");
        let mut bytes = format!("8=FIX.4.4\x019={}\x01{rest}", rest.len()).into_bytes();
        let sum = three_digits(check_sum(&bytes));
        bytes.extend_from_slice(b"10=");
        bytes.extend_from_slice(&sum);
        bytes.push(1);
        self.out.extend_from_slice(&bytes);
    }

    fn heed(&mut self, message: &Message<'_>, now: u64) {
        let sequence = message.sequence().expect("a number");
        let again = message.is_yes(43);
        if sequence < self.next_in {
            assert!(again, "{sequence} came again without its mark");
            return;
        }
        // A Logon tells that it is accepted, and a ResendRequest is answered, beyond a gap too.
        match message.msg_type() {
            b"A" => self.live = true,
            b"2" => {
                let from = message.get(7).and_then(number).expect("a number");
                if from < self.next_out {
                    let body = format!("123=Y|36={}|", self.next_out);
                    self.send_as("4", from, "43=Y|122=TIME|", &body, now);
                }
            }
            _ => {}
        }
        if sequence > self.next_in {
            if !self.asked {
                self.asked = true;
                let body = format!("7={}|16=0|", self.next_in);
                self.send("2", &body, now);
            }
            return;
        }
        self.next_in += 1;
        match message.msg_type() {
            b"4" => {
                self.next_in = message.get(36).and_then(number).expect("a number");
                self.asked = false;
            }
            b"1" => {
                let id = String::from_utf8_lossy(message.get(112).expect("an id")).into_owned();
                self.send("0", &format!("112={id}|"), now);
            }
            b"8" => {
                self.marked += u64::from(again);
                let exec_id = message.get(17).and_then(number).expect("a number");
                if message.char(150) == Some(b'0') {
                    self.open.push(message.get(11).and_then(number).expect("an id"));
                }
                if self.open.len() > 40 {
                    self.open.remove(0);
                }
                self.told.push(format!("{exec_id}"));
            }
            b"9" | b"0" | b"A" | b"2" => {}
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
        if !again {
            self.asked = false;
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Client for FixClient {
    fn connected(&mut self, now: u64) {
        self.out.clear();
        self.input.clear();
        (self.live, self.asked) = (false, false);
        self.send("A", "98=0|108=30|", now);
    }

    fn trade(&mut self, random: &mut Random, now: u64) {
        if !self.live {
            return;
        }
        self.id += 1;
        let id = self.id;
        let side = 1 + random.below(2);
        match random.below(6) {
            0..=3 => {
                let price = 1_000 + random.below(5);
                let body = format!(
                    "11={id}|38=10|40=2|44={}.{:02}|54={side}|55=AAPL|59=0|60=TIME|",
                    price / 100,
                    price % 100
                );
                self.send("D", &body, now);
            }
            _ if !self.open.is_empty() => {
                let at = random.below(self.open.len() as u64) as usize;
                let order = self.open[at];
                let body = format!("11={id}|41={order}|54=1|55=AAPL|60=TIME|");
                self.send("F", &body, now);
            }
            _ => {}
        }
    }

    fn take(&mut self, bytes: &[u8], now: u64) {
        self.input.extend_from_slice(bytes);
        loop {
            match frame(&self.input, 4_096, 8_192) {
                Frame::Whole { start: 0, end } => {
                    let bytes: Vec<u8> = self.input.drain(..end).collect();
                    let mut scratch = Scratch::new();
                    self.heed(&scratch.parse(&bytes).expect("fields"), now);
                }
                Frame::More { skip: 0 } => return,
                other => panic!("{other:?}: {}", String::from_utf8_lossy(&self.input)),
            }
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn told(&self) -> &[String] {
        &self.told
    }

    /// A report's ExecID is the number of its event.
    fn expected(&self, event: &Event) -> Option<String> {
        matches!(
            event.outcome,
            Outcome::Accepted { .. }
                | Outcome::Rejected { .. }
                | Outcome::Replaced { .. }
                | Outcome::Canceled { .. }
                | Outcome::Executed { .. }
        )
        .then(|| format!("{}", event.sequence))
    }
}
