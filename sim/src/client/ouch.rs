//! The bytes of OUCH 5.0 and 4.2 and of SoupBinTCP, written and read here by their tables and by nothing of the product.

use crate::ledger::{Report, Way};

/// The editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// 5.0.
    V50,
    /// 4.2.
    V42,
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enter {
    /// The client's number.
    pub id: u64,
    /// Its side.
    pub way: Way,
    /// Shares.
    pub quantity: u32,
    /// The instrument.
    pub symbol: [u8; 8],
    /// The limit in 1/10,000; 0 is a market order.
    pub price: u32,
    /// Whether what does not execute at once is cancelled.
    pub at_once: bool,
}

const MARKET: u32 = 0x7fff_ffff;

/// A packet of a type with a payload.
pub fn packet(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 1).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], &[kind], payload].concat()
}

/// A login.
pub fn login(user: &str, password: &str, session: &str, sequence: u64) -> Vec<u8> {
    packet(b'L', format!("{user:<6}{password:<10}{session:>10}{sequence:>20}").as_bytes())
}

fn token(id: u64) -> Vec<u8> {
    format!("{:<14}", format!("T{id}")).into_bytes()
}

fn number(id: u64) -> [u8; 4] {
    u32::try_from(id).unwrap_or(u32::MAX).to_be_bytes()
}

const fn letter(way: Way) -> u8 {
    match way {
        Way::Buy => b'B',
        Way::Sell => b'S',
    }
}

/// The message of a new order.
pub fn enter(edition: Edition, order: &Enter) -> Vec<u8> {
    let price = if order.price == 0 { MARKET } else { order.price };
    let mut bytes = vec![b'O'];
    match edition {
        Edition::V50 => {
            bytes.extend(number(order.id));
            bytes.push(letter(order.way));
            bytes.extend(order.quantity.to_be_bytes());
            bytes.extend(order.symbol);
            bytes.extend(u64::from(price).to_be_bytes());
            bytes.push(if order.at_once { b'3' } else { b'0' });
            bytes.extend(b"YPNN              ");
            bytes.extend([0, 0]);
        }
        Edition::V42 => {
            bytes.extend(token(order.id));
            bytes.push(letter(order.way));
            bytes.extend(order.quantity.to_be_bytes());
            bytes.extend(order.symbol);
            bytes.extend(price.to_be_bytes());
            let life: u32 = if order.at_once { 0 } else { 99_998 };
            bytes.extend(life.to_be_bytes());
            bytes.extend(b"    YPN");
            bytes.extend([0; 4]);
            bytes.extend(b"N ");
        }
    }
    bytes
}

/// The message of a replacement: shares of the whole chain, a limit.
pub fn replace(edition: Edition, old: u64, new: u64, quantity: u32, price: u32) -> Vec<u8> {
    let mut bytes = vec![b'U'];
    match edition {
        Edition::V50 => {
            bytes.extend(number(old));
            bytes.extend(number(new));
            bytes.extend(quantity.to_be_bytes());
            bytes.extend(u64::from(price).to_be_bytes());
            bytes.extend(b"0YN              ");
            bytes.extend([0, 0]);
        }
        Edition::V42 => {
            bytes.extend(token(old));
            bytes.extend(token(new));
            bytes.extend(quantity.to_be_bytes());
            bytes.extend(price.to_be_bytes());
            bytes.extend(99_998_u32.to_be_bytes());
            bytes.extend(b"YN");
            bytes.extend([0; 4]);
        }
    }
    bytes
}

/// The message of a cancel down to a size; 0 for all that is open.
pub fn cancel(edition: Edition, id: u64, quantity: u32) -> Vec<u8> {
    let name = match edition {
        Edition::V50 => number(id).to_vec(),
        Edition::V42 => token(id),
    };
    [&b"X"[..], &name, &quantity.to_be_bytes()].concat()
}

/// The message that makes an order smaller in its place.
pub fn modify(edition: Edition, id: u64, way: Way, quantity: u32) -> Vec<u8> {
    let name = match edition {
        Edition::V50 => number(id).to_vec(),
        Edition::V42 => token(id),
    };
    [&b"M"[..], &name, &[letter(way)], &quantity.to_be_bytes()].concat()
}

/// The message that cancels all, in 5.0.
pub fn mass_cancel(id: u64) -> Vec<u8> {
    [&b"C"[..], &number(id), b"    ", b"        ", &[0, 0]].concat()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|word| word.first_chunk()).map(|word| u32::from_be_bytes(*word))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|word| word.first_chunk()).map(|word| u64::from_be_bytes(*word))
}

fn named(bytes: &[u8], at: usize) -> Option<u64> {
    let text = std::str::from_utf8(bytes.get(at..at + 14)?).ok()?;
    text.trim_end().strip_prefix('T')?.parse().ok()
}

fn way(bytes: &[u8], at: usize) -> Option<Way> {
    match bytes.get(at)? {
        b'B' => Some(Way::Buy),
        b'S' | b'T' | b'E' => Some(Way::Sell),
        _ => None,
    }
}

/// What a message of the venue says; `None` where it is none.
pub fn read(edition: Edition, bytes: &[u8], symbols: &[[u8; 8]]) -> Option<Report> {
    let is_new = edition == Edition::V50;
    // What names an order, and what stands behind the name.
    let id = |at| if is_new { word(bytes, at).map(u64::from) } else { named(bytes, at) };
    let name = if is_new { 4 } else { 14 };
    let after = 9 + name;
    let symbol = |at: usize| {
        let found = bytes.get(at..at + 8)?;
        symbols.iter().position(|symbol| symbol == found)
    };
    let lengths: &[usize] = match (bytes.first()?, is_new) {
        (b'S', _) => &[10],
        (b'A', true) => &[64],
        (b'A', false) => &[66],
        (b'U', true) => &[68],
        (b'U', false) => &[80],
        (b'C', true) => &[18],
        (b'C', false) => &[28],
        (b'E', true) => &[36],
        (b'E', false) => &[40],
        (b'J', true) => &[29],
        (b'J', false) => &[24],
        (b'M', true) => &[18],
        (b'M', false) => &[28],
        (b'X', true) => &[27],
        (b'Q', true) => &[13],
        _ => return None,
    };
    if !lengths.contains(&bytes.len()) {
        return None;
    }
    Some(match bytes[0] {
        b'A' => Report::Accepted {
            id: id(9)?,
            way: way(bytes, after)?,
            quantity: word(bytes, after + 1)?,
            symbol: symbol(after + 5)?,
            is_live: *bytes.get(if is_new { 47 } else { 64 })? == b'L',
        },
        b'U' if is_new => Report::Replaced {
            old: id(9)?,
            new: id(13)?,
            open: word(bytes, 18)?,
            is_live: *bytes.get(51)? == b'L',
        },
        b'U' => Report::Replaced {
            old: id(65)?,
            new: id(9)?,
            open: word(bytes, 24)?,
            is_live: *bytes.get(64)? == b'L',
        },
        b'C' => Report::Canceled { id: id(9)?, quantity: word(bytes, after)? },
        b'E' if is_new => Report::Executed {
            id: id(9)?,
            quantity: word(bytes, 13)?,
            price: long(bytes, 17)?,
            matched: long(bytes, 26)?,
        },
        b'E' => Report::Executed {
            id: id(9)?,
            quantity: word(bytes, 23)?,
            price: word(bytes, 27)?.into(),
            matched: long(bytes, 32)?,
        },
        b'J' => Report::Rejected { id: id(9)? },
        b'M' => Report::Open { id: id(9)?, open: word(bytes, after + 1)? },
        b'X' => Report::Answered { id: id(9)? },
        _ => Report::Nothing,
    })
}
