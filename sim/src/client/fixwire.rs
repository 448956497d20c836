//! The bytes of FIX, written and read here by the standard's rules and by nothing of the product.

use crate::ledger::{Report, Way};

/// A field.
pub type Field = (u32, Vec<u8>);

/// Who talks with whom.
#[derive(Clone, Debug)]
pub struct Names {
    /// `FIX.4.2` or `FIX.4.4`.
    pub version: &'static str,
    /// Our CompID.
    pub ours: String,
    /// The venue's.
    pub venue: String,
}

/// A message: what stands in its header, and its body.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// MsgType.
    pub kind: u8,
    /// MsgSeqNum.
    pub sequence: u64,
    /// Whether it is sent again.
    pub again: bool,
    /// Everything else but times, lengths and names.
    pub body: Vec<Field>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let again = if self.again { " 43=Y" } else { "" };
        write!(f, "35={} 34={}{again}", char::from(self.kind), self.sequence)?;
        self.body.iter().try_for_each(|(tag, value)| write!(f, " {tag}={}", value.escape_ascii()))
    }
}

/// A time, from nanoseconds since the midnight of the simulated day.
pub fn time(nanoseconds: u64) -> String {
    let (seconds, millis) = (nanoseconds / 1_000_000_000, nanoseconds / 1_000_000 % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("20260105-{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

/// A message as it is sent; `original` is when it was sent first, where it is sent again.
pub fn write(
    names: &Names,
    kind: u8,
    sequence: u64,
    body: &[Field],
    now: &str,
    original: Option<&str>,
) -> Vec<u8> {
    let mut fields = format!("35={}\x0134={sequence}\x01", char::from(kind));
    if original.is_some() {
        fields += "43=Y\x01";
    }
    fields += &format!("49={}\x0152={now}\x0156={}\x01", names.ours, names.venue);
    if let Some(original) = original {
        fields += &format!("122={original}\x01");
    }
    let mut fields = fields.into_bytes();
    for (tag, value) in body {
        fields.extend(format!("{tag}=").bytes());
        fields.extend(value);
        fields.push(1);
    }
    let mut message = format!("8={}\x019={}\x01", names.version, fields.len()).into_bytes();
    message.extend(fields);
    let sum = message.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    message.extend(format!("10={sum:03}\x01").bytes());
    message
}

/// The first whole message of what came, and how many bytes it takes; `None` where more has to come.
///
/// # Errors
/// Bytes that are no message.
pub fn read(input: &[u8], names: &Names) -> Result<Option<(Message, usize)>, String> {
    let head = format!("8={}\x019=", names.version).into_bytes();
    if input.len() < head.len() + 8 {
        return Ok(None);
    }
    let wrong = |what: &str| format!("{what}: {}", input[..input.len().min(200)].escape_ascii());
    if !input.starts_with(&head) {
        return Err(wrong("no message begins here"));
    }
    let Some(end) = input[head.len()..].iter().position(|&byte| byte == 1) else { return Ok(None) };
    let text = std::str::from_utf8(&input[head.len()..head.len() + end]).unwrap_or_default();
    let length: usize = text.parse().map_err(|_| wrong("a wrong length"))?;
    let begin = head.len() + end + 1;
    let whole = begin + length + 7;
    if input.len() < whole {
        return Ok(None);
    }
    let sum = input[..begin + length].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if input[begin + length..whole] != *format!("10={sum:03}\x01").as_bytes() {
        return Err(wrong("a wrong checksum"));
    }
    let mut message = Message { kind: 0, sequence: 0, again: false, body: Vec::new() };
    for field in input[begin..begin + length].split(|&byte| byte == 1) {
        let Some(at) = field.iter().position(|&byte| byte == b'=') else { continue };
        let tag: u32 = std::str::from_utf8(&field[..at])
            .ok()
            .and_then(|tag| tag.parse().ok())
            .ok_or_else(|| wrong("a wrong tag"))?;
        let value = &field[at + 1..];
        let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        match tag {
            35 => message.kind = value.first().copied().unwrap_or(0),
            34 => message.sequence = number().ok_or_else(|| wrong("a wrong number"))?,
            43 => message.again = value == b"Y",
            52 | 122 => {}
            49 if value != names.venue.as_bytes() => return Err(wrong("another sender")),
            56 if value != names.ours.as_bytes() => return Err(wrong("another target")),
            49 | 56 => {}
            _ => message.body.push((tag, value.to_vec())),
        }
    }
    Ok(Some((message, whole)))
}

impl Message {
    /// A field.
    pub fn get(&self, tag: u32) -> Option<&[u8]> {
        self.body.iter().find(|(other, _)| *other == tag).map(|(_, value)| &value[..])
    }

    /// A field that is a number.
    pub fn number(&self, tag: u32) -> Option<u64> {
        std::str::from_utf8(self.get(tag)?).ok()?.parse().ok()
    }

    /// A price in ten-thousandths.
    fn price(&self, tag: u32) -> Option<u64> {
        let text = std::str::from_utf8(self.get(tag)?).ok()?;
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let rest: u64 = format!("{rest:0<4}").parse().ok()?;
        Some(whole.parse::<u64>().ok()? * 10_000 + rest)
    }

    /// Whether it is of the application, and so sent again when it is asked for.
    pub const fn is_application(&self) -> bool {
        !matches!(self.kind, b'0'..=b'5' | b'A')
    }

    /// What it says of orders, and how many shares of the order are open then.
    pub fn report(&self, symbols: &[[u8; 8]]) -> Option<(Report, Option<(u64, u32)>)> {
        let shares = |tag| u32::try_from(self.number(tag)?).ok();
        let own = self.number(11);
        match self.kind {
            b'9' | b'r' => Some((Report::Rejected { id: own? }, None)),
            b'j' => Some((Report::Rejected { id: self.number(379)? }, None)),
            b'8' => {
                let (exec, open) = (*self.get(150)?.first()?, shares(151)?);
                let order = self.number(41).or(own)?;
                Some(match exec {
                    b'0' => {
                        let symbol = self.get(55)?;
                        let is_it = |one: &[u8; 8]| one.trim_ascii_end() == symbol;
                        let report = Report::Accepted {
                            id: own?,
                            way: if self.get(54)? == b"1" { Way::Buy } else { Way::Sell },
                            symbol: symbols.iter().position(is_it)?,
                            quantity: shares(38)?,
                            is_live: open > 0,
                        };
                        (report, Some((own?, open)))
                    }
                    b'5' => {
                        let report = Report::Replaced {
                            old: self.number(41)?,
                            new: own?,
                            open,
                            is_live: open > 0,
                        };
                        (report, Some((own?, open)))
                    }
                    b'8' => (Report::Rejected { id: own? }, None),
                    b'1' | b'2' | b'F' => {
                        let report = Report::Executed {
                            id: own?,
                            quantity: shares(32)?,
                            price: self.price(31)?,
                            matched: 0,
                        };
                        (report, Some((own?, open)))
                    }
                    b'4' | b'C' | b'D' => (Report::Open { id: order, open }, Some((order, open))),
                    _ => return None,
                })
            }
            _ => Some((Report::Nothing, None)),
        }
    }
}

/// A field with a text.
pub fn field(tag: u32, value: impl std::fmt::Display) -> Field {
    (tag, value.to_string().into_bytes())
}

/// A price as FIX writes it.
pub fn decimal(price: u32) -> String {
    format!("{}.{:04}", price / 10_000, price % 10_000)
}
