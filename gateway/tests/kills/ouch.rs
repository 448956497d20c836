//! A client of OUCH, 5.0 or 4.2.

use spindle_engine::event::Event;
use spindle_gateway::ouch::outbound::Message;
use spindle_gateway::ouch42;
use spindle_gateway::soup::codec::{LoginRequest, Packet, format_number, padded_right, split};

use super::{Client, Random, in_ouch};

/// The client.
pub struct OuchClient {
    user: &'static str,
    is_42: bool,
    out: Vec<u8>,
    input: Vec<u8>,
    live: bool,
    /// The number of the next message.
    next: u64,
    told: Vec<String>,
    number: u32,
    /// Requests without an answer, to be sent again.
    unanswered: Vec<(u32, Vec<u8>)>,
    /// Orders that may be open.
    open: Vec<u32>,
}

impl OuchClient {
    pub fn new(user: &'static str, is_42: bool) -> Self {
        Self {
            user,
            is_42,
            out: Vec::new(),
            input: Vec::new(),
            live: false,
            next: 1,
            told: Vec::new(),
            number: 1,
            unanswered: Vec::new(),
            open: Vec::new(),
        }
    }

    fn packet(&mut self, packet: Packet<'_>) {
        let mut bytes = vec![0; packet.wire_length()];
        packet.write(&mut bytes).expect("it fits");
        self.out.extend_from_slice(&bytes);
    }

    fn name(&self, number: u32) -> Vec<u8> {
        match self.is_42 {
            true => format!("T{number:013}").into_bytes(),
            false => number.to_be_bytes().to_vec(),
        }
    }

    fn price(&self, price: u32) -> Vec<u8> {
        match self.is_42 {
            true => price.to_be_bytes().to_vec(),
            false => u64::from(price).to_be_bytes().to_vec(),
        }
    }

    fn enter(&self, number: u32, side: u8, price: u32) -> Vec<u8> {
        let (name, price) = (self.name(number), self.price(price));
        let mut bytes =
            [&b"O"[..], &name, &[side], &10_u32.to_be_bytes(), b"AAPL    ", &price].concat();
        match self.is_42 {
            true => {
                bytes.extend_from_slice(&99_998_u32.to_be_bytes());
                bytes.extend_from_slice(b"    YPN\0\0\0\0N ");
            }
            false => bytes.extend_from_slice(b"0YPNN              \0\0"),
        }
        bytes
    }

    fn replace(&self, original: u32, number: u32, shares: u32, price: u32) -> Vec<u8> {
        let (from, to, price) = (self.name(original), self.name(number), self.price(price));
        let mut bytes = [&b"U"[..], &from, &to, &shares.to_be_bytes(), &price].concat();
        match self.is_42 {
            true => {
                bytes.extend_from_slice(&99_998_u32.to_be_bytes());
                bytes.extend_from_slice(b"YN\0\0\0\0");
            }
            false => bytes.extend_from_slice(b"0YN              \0\0"),
        }
        bytes
    }

    fn ask(&mut self, message: &[u8]) {
        self.packet(Packet::Unsequenced(message));
    }

    fn tell(&mut self, message: &[u8]) {
        let told = match self.is_42 {
            true => text_42(message),
            false => text_50(message),
        };
        let Some(told) = told else { return };
        let numbers: Vec<u32> =
            told.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
        let answered = match (told.as_bytes()[0], &numbers[..]) {
            (b'A' | b'J', &[number]) => number,
            (b'U', &[from, number]) => {
                self.open.retain(|open| *open != from);
                self.open.push(number);
                number
            }
            _ => 0,
        };
        if told.starts_with('A') {
            self.open.push(answered);
        }
        self.unanswered.retain(|(number, _)| *number > answered);
        if self.open.len() > 40 {
            self.open.remove(0);
        }
        self.told.push(told);
    }
}

fn text_50(message: &[u8]) -> Option<String> {
    Some(match Message::decode(message).expect("OUCH 5.0") {
        Message::Accepted(m, _) => format!("A {}", m.user_ref_num),
        Message::Rejected(m, _) => format!("J {}", m.user_ref_num),
        Message::Replaced(m, _) => format!("U {} {}", m.original, m.user_ref_num),
        Message::Canceled(m, _) => format!("C {} {}", m.user_ref_num, m.quantity),
        Message::Executed(m, _) => {
            format!("E {} {} {}", m.user_ref_num, m.quantity, m.match_number)
        }
        _ => return None,
    })
}

fn text_42(message: &[u8]) -> Option<String> {
    let number = |token: &[u8; 14]| -> u32 {
        std::str::from_utf8(&token[1..]).expect("digits").parse().expect("a number")
    };
    use ouch42::outbound::Message;
    Some(match Message::decode(message).expect("OUCH 4.2") {
        Message::Accepted(m) => format!("A {}", number(&m.token)),
        Message::Rejected(m) => format!("J {}", number(&m.token)),
        Message::Replaced(m) => format!("U {} {}", number(&m.previous), number(&m.token)),
        Message::Canceled(m) => format!("C {} {}", number(&m.token), m.decrement),
        Message::Executed(m) => {
            format!("E {} {} {}", number(&m.token), m.shares, m.match_number)
        }
        _ => return None,
    })
}

impl Client for OuchClient {
    fn connected(&mut self, _: u64) {
        self.out.clear();
        self.input.clear();
        self.live = false;
        let login = LoginRequest {
            username: padded_right(self.user).expect("short"),
            password: *b"PASS      ",
            session: [b' '; 10],
            sequence: format_number(self.next),
        };
        self.packet(Packet::LoginRequest(&login));
    }

    fn trade(&mut self, random: &mut Random, _: u64) {
        if !self.live {
            return;
        }
        let price = 100_000 + random.below(5) as u32 * 100;
        match random.below(8) {
            0..=3 => {
                let side = if random.below(2) == 0 { b'B' } else { b'S' };
                let message = self.enter(self.number, side, price);
                self.ask(&message);
                self.unanswered.push((self.number, message));
                self.number += 1;
            }
            kind @ 4..=6 if !self.open.is_empty() => {
                let at = random.below(self.open.len() as u64) as usize;
                let order = self.open[at];
                if kind == 4 {
                    let shares = 5 + random.below(20) as u32;
                    let message = self.replace(order, self.number, shares, price);
                    self.ask(&message);
                    self.unanswered.push((self.number, message));
                    self.number += 1;
                } else {
                    let shares = (random.below(3) as u32 * 4).to_be_bytes();
                    let message = [&b"X"[..], &self.name(order), &shares].concat();
                    self.ask(&message);
                }
            }
            _ => self.packet(Packet::ClientHeartbeat),
        }
    }

    fn take(&mut self, bytes: &[u8], _: u64) {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some((packet, length)) = split(rest, 65_535).expect("SoupBinTCP") {
            match packet {
                Packet::LoginAccepted(accepted) => {
                    assert_eq!(
                        accepted.next_sequence(),
                        Some(self.next),
                        "it goes on where it was"
                    );
                    self.live = true;
                    for (_, message) in self.unanswered.clone() {
                        self.ask(&message);
                    }
                }
                Packet::Sequenced(message) => {
                    self.next += 1;
                    self.tell(message);
                }
                // The venue does not know yet that the last connection is gone.
                Packet::LoginRejected(b'S') | Packet::ServerHeartbeat => {}
                other => panic!("{other}"),
            }
            rest = &rest[length..];
        }
        self.input = rest.to_vec();
    }

    fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    fn told(&self) -> &[String] {
        &self.told
    }

    fn expected(&self, event: &Event) -> Option<String> {
        in_ouch(event)
    }
}
