//! A message held against the tables: what is wrong with it first, as the session layer rejects it.

use super::dictionary::{
    self, Group, HEADER_REQUIRED, Kind, Part, Version, body, characters, group, instructions,
    is_tag, kind, part,
};
use super::message::{Field, Message};
use super::{tag, value};

/// What is wrong with a message: what a session Reject says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A tag that the version does not have.
    InvalidTag(i32),
    /// A required tag is missing.
    RequiredMissing(u16),
    /// A tag that does not belong to this message.
    NotDefined(i32),
    /// A tag without a value.
    Empty(i32),
    /// A value out of range, or not one of those that the tag can have; 0 where no tag is told.
    OutOfRange(i32),
    /// A value in another form than its tag's.
    Format(i32),
    /// SenderCompID or TargetCompID is another than at logon.
    CompId,
    /// SendingTime is too far from now, or before OrigSendingTime.
    SendingTime,
    /// A message type that the version does not have.
    InvalidMsgType,
    /// A tag outside a group appears twice.
    Repeated(i32),
    /// A header or trailer tag in the body, or the other way round.
    OutOfOrder(i32),
    /// A group does not have as many entries as its count says.
    GroupCount(i32),
    /// More fields than are taken.
    TooManyFields,
}

impl Violation {
    /// Text, by convention of the public acceptance definitions where they have one.
    pub const fn text(self) -> &'static str {
        match self {
            Self::InvalidTag(_) => "Invalid tag number",
            Self::RequiredMissing(_) => "Required tag missing",
            Self::NotDefined(_) => "Tag not defined for this message type",
            Self::Empty(_) => "Tag specified without a value",
            Self::OutOfRange(_) => "Value is incorrect (out of range) for this tag",
            Self::Format(_) => "Incorrect data format for value",
            Self::CompId => "CompID problem",
            Self::SendingTime => "SendingTime accuracy problem",
            Self::InvalidMsgType => "Invalid MsgType",
            Self::Repeated(_) => "Tag appears more than once",
            Self::OutOfOrder(_) => "Tag specified out of required order",
            Self::GroupCount(_) => "Incorrect NumInGroup count for repeating group",
            Self::TooManyFields => "Too many fields",
        }
    }

    /// SessionRejectReason; `None` where the version has no number for it.
    pub const fn reason(self, version: Version) -> Option<u64> {
        match self {
            Self::InvalidTag(_) => Some(0),
            Self::RequiredMissing(_) => Some(1),
            Self::NotDefined(_) => Some(2),
            Self::Empty(_) => Some(4),
            Self::OutOfRange(_) => Some(5),
            Self::Format(_) => Some(6),
            Self::CompId => Some(9),
            Self::SendingTime => Some(10),
            Self::InvalidMsgType => Some(11),
            Self::Repeated(_) => since_44_of(version, 13),
            Self::OutOfOrder(_) => since_44_of(version, 14),
            Self::GroupCount(_) => since_44_of(version, 16),
            Self::TooManyFields => since_44_of(version, 99),
        }
    }

    /// RefTagID, where the reject names a tag.
    pub const fn tag(self) -> Option<i32> {
        match self {
            Self::RequiredMissing(tag) => Some(tag as i32),
            Self::OutOfRange(0)
            | Self::CompId
            | Self::SendingTime
            | Self::InvalidMsgType
            | Self::TooManyFields => None,
            Self::InvalidTag(tag)
            | Self::NotDefined(tag)
            | Self::Empty(tag)
            | Self::OutOfRange(tag)
            | Self::Format(tag)
            | Self::Repeated(tag)
            | Self::OutOfOrder(tag)
            | Self::GroupCount(tag) => Some(tag),
        }
    }
}

const fn since_44_of(version: Version, number: u64) -> Option<u64> {
    match version {
        Version::Fix42 => None,
        Version::Fix44 => Some(number),
    }
}

/// Holds a message against the tables of its version. Of messages that the venue does not take, header, trailer and the form of fields are looked at and the body is not.
///
/// # Errors
/// The first violation: order of the parts, type, required tags, then each field in turn, the
/// header's first.
#[inline]
pub fn validate(version: Version, message: &Message<'_>) -> Result<(), Violation> {
    if message.has_too_many() {
        return Err(Violation::TooManyFields);
    }
    check_order(version, message)?;
    let msg_type = message.msg_type();
    if msg_type.is_empty() {
        return Err(Violation::Empty(tag::MSG_TYPE.into()));
    }
    if !dictionary::is_msg_type(version, msg_type) {
        return Err(Violation::InvalidMsgType);
    }
    let body = body(version, msg_type);
    let required = body.map_or(&[][..], |body| body.required);
    for &tag in HEADER_REQUIRED.iter().chain(required) {
        if message.get(tag).is_none() {
            return Err(Violation::RequiredMissing(tag));
        }
    }
    let mut seen = Seen::default();
    for field in message.fields() {
        if part(version, field.tag) != Part::Body {
            seen.insert(field.tag)?;
            check_value(version, &field)?;
        }
    }
    let mut inside: Option<(&Group, u64)> = None;
    for field in message.fields() {
        if part(version, field.tag) != Part::Body {
            continue;
        }
        if let Some((of, entries)) = &mut inside {
            if field.tag == i32::from(of.first) {
                *entries += 1;
                check_field(version, body, &field)?;
                continue;
            }
            let is_member = of.members.iter().any(|&tag| i32::from(tag) == field.tag);
            if is_member && *entries > 0 {
                check_field(version, body, &field)?;
                continue;
            }
            check_count(message, inside.take())?;
        }
        seen.insert(field.tag)?;
        check_field(version, body, &field)?;
        if body.is_some() {
            inside = group(field.tag).map(|group| (group, 0));
        }
    }
    check_count(message, inside)
}

/// The parts come one after the other.
#[inline]
fn check_order(version: Version, message: &Message<'_>) -> Result<(), Violation> {
    let mut now = Part::Header;
    for field in message.fields() {
        match (now, part(version, field.tag)) {
            (_, Part::Trailer) => now = Part::Trailer,
            (Part::Header, Part::Body) => now = Part::Body,
            (Part::Header, Part::Header) | (Part::Body, Part::Body) => {}
            (Part::Body | Part::Trailer, Part::Header) | (Part::Trailer, Part::Body) => {
                return Err(Violation::OutOfOrder(field.tag));
            }
        }
    }
    Ok(())
}

fn check_count(message: &Message<'_>, group: Option<(&Group, u64)>) -> Result<(), Violation> {
    match group {
        Some((group, entries))
            if message.get(group.count).and_then(value::uint) != Some(entries) =>
        {
            Err(Violation::GroupCount(group.count.into()))
        }
        _ => Ok(()),
    }
}

#[inline]
fn check_field(
    version: Version,
    body: Option<&dictionary::Body>,
    field: &Field<'_>,
) -> Result<(), Violation> {
    check_value(version, field)?;
    if !is_tag(version, field.tag) {
        return Err(Violation::InvalidTag(field.tag));
    }
    match (body, u16::try_from(field.tag)) {
        (Some(body), Ok(tag)) if !body.allows(tag) => Err(Violation::NotDefined(field.tag)),
        _ => Ok(()),
    }
}

#[inline]
fn check_value(version: Version, field: &Field<'_>) -> Result<(), Violation> {
    let Field { tag, value } = *field;
    if value.is_empty() {
        return Err(Violation::Empty(tag));
    }
    let good = match kind(version, tag) {
        Kind::Text => true,
        Kind::Int => value::int(value).is_some(),
        Kind::Number => value::uint(value).is_some(),
        Kind::Decimal => value::is_decimal(value),
        Kind::Char => value.len() == 1,
        Kind::Boolean => matches!(value, b"Y" | b"N"),
        Kind::Timestamp => value::timestamp(value).is_some(),
        Kind::Date => value::date_day(value).is_some(),
    };
    if !good {
        return Err(Violation::Format(tag));
    }
    let in_range = match (characters(version, tag), tag) {
        (Some(set), _) => matches!(value, [byte] if set.contains(byte)),
        (None, 18) => {
            let set = instructions(version);
            let mut codes = value.split(|&byte| byte == b' ');
            codes.all(|code| matches!(code, [byte] if set.contains(byte)))
        }
        (None, 167) => dictionary::is_security_type(version, value),
        (None, _) => true,
    };
    if in_range { Ok(()) } else { Err(Violation::OutOfRange(tag)) }
}

/// Which tags have been there: a bit for each that the standard can have.
#[derive(Default)]
struct Seen([u64; 16]);

impl Seen {
    #[inline]
    fn insert(&mut self, tag: i32) -> Result<(), Violation> {
        let Some(word) = usize::try_from(tag).ok().and_then(|tag| self.0.get_mut(tag / 64)) else {
            // No tag of the standard: it is refused as such.
            return Ok(());
        };
        let bit = 1 << (tag % 64);
        if *word & bit != 0 {
            return Err(Violation::Repeated(tag));
        }
        *word |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::message::Scratch;
    use crate::fix::testing::wire;

    const HEADER: &str = "34=2|49=A|56=B|52=20261120-23:23:38";

    fn verdict(version: Version, msg_type: &str, body: &str) -> Result<(), Violation> {
        let text = format!("8=F|9=1|35={msg_type}|{HEADER}|{body}10=000|");
        let bytes = wire(&text);
        validate(version, &Scratch::new().parse(&bytes).expect("fields"))
    }

    const NEW_42: &str = "11=a|21=1|55=X|54=1|60=20261120-23:23:38|40=2|";
    const NEW_44: &str = "11=a|55=X|54=1|60=20261120-23:23:38.123|40=2|";

    #[test]
    fn the_table_of_violations() {
        use Version::{Fix42, Fix44};
        let new = |more: &str| format!("{NEW_42}{more}");
        let table: [(Version, &str, String, Result<(), Violation>); 32] = [
            (Fix42, "D", new(""), Ok(())),
            (Fix44, "D", NEW_44.to_owned(), Ok(())),
            (Fix42, "0", String::new(), Ok(())),
            (Fix42, "0", "999=x|".into(), Err(Violation::InvalidTag(999))),
            (Fix42, "0", "0=x|".into(), Err(Violation::InvalidTag(0))),
            (Fix42, "0", "-1=x|".into(), Err(Violation::InvalidTag(-1))),
            (Fix42, "0", "5000=x|".into(), Err(Violation::InvalidTag(5_000))),
            (Fix42, "0", "55=x|".into(), Err(Violation::NotDefined(55))),
            (Fix42, "0", "112=|".into(), Err(Violation::Empty(112))),
            (Fix42, "1", String::new(), Err(Violation::RequiredMissing(112))),
            (Fix42, "D", NEW_42.replace("55=X|", ""), Err(Violation::RequiredMissing(55))),
            (Fix42, "D", NEW_42.replace("21=1|", ""), Err(Violation::RequiredMissing(21))),
            (Fix42, "D", NEW_42.replace("40=2", "40=w"), Err(Violation::OutOfRange(40))),
            (Fix42, "D", NEW_42.replace("40=2", "40=22"), Err(Violation::Format(40))),
            (Fix42, "D", NEW_42.replace("40=2", "40=K"), Err(Violation::OutOfRange(40))),
            (Fix44, "D", NEW_44.replace("40=2", "40=K"), Ok(())),
            (Fix42, "D", new("38=+200|"), Err(Violation::Format(38))),
            (Fix42, "D", new("126=20040415|"), Err(Violation::Format(126))),
            (Fix42, "D", new("40=1|"), Err(Violation::Repeated(40))),
            (Fix42, "D", new("97=Y|"), Err(Violation::OutOfOrder(97))),
            (Fix42, "D", new("167=BOO|"), Err(Violation::OutOfRange(167))),
            (Fix42, "D", new("167=FUT|"), Ok(())),
            (Fix42, "D", new("18=R 6|"), Ok(())),
            (Fix42, "D", new("18=R  6|"), Err(Violation::OutOfRange(18))),
            (Fix42, "D", new("386=2|336=A|336=B|"), Ok(())),
            (Fix42, "D", new("386=3|336=A|336=B|"), Err(Violation::GroupCount(386))),
            (Fix42, "D", new("386=3|336=A|336=B|15=USD|"), Err(Violation::GroupCount(386))),
            (Fix42, "D", new("386=0|"), Ok(())),
            (Fix44, "D", format!("{NEW_44}453=1|448=a|447=D|452=1|802=1|523=x|803=2|"), Ok(())),
            (Fix42, "*", String::new(), Err(Violation::InvalidMsgType)),
            (Fix42, "q", String::new(), Err(Violation::InvalidMsgType)),
            (Fix42, "8", "37=a|37=b|".into(), Err(Violation::Repeated(37))),
        ];
        for (version, msg_type, body, expected) in table {
            assert_eq!(verdict(version, msg_type, &body), expected, "{msg_type} {body}");
        }
    }

    #[test]
    fn parts_come_in_order_and_headers_are_complete() {
        let check = |text: &str| {
            let bytes = wire(text);
            validate(Version::Fix42, &Scratch::new().parse(&bytes).expect("fields"))
        };
        let missing = check("8=F|9=1|35=0|34=2|49=A|52=20261120-23:23:38|10=000|");
        assert_eq!(missing, Err(Violation::RequiredMissing(56)));
        let empty = check("8=F|9=1|35=0|34=2|49=A|52=20261120-23:23:38|56=|10=000|");
        assert_eq!(empty, Err(Violation::Empty(56)));
        let order = check("8=F|9=1|35=D|55=X|34=2|49=A|10=000|");
        assert_eq!(order, Err(Violation::OutOfOrder(34)));
        let trailer = check("8=F|9=1|35=D|34=2|93=1|55=X|10=000|");
        assert_eq!(trailer, Err(Violation::OutOfOrder(55)));
        let twice = check("8=F|9=1|35=0|34=2|34=3|49=A|52=20261120-23:23:38|56=B|10=000|");
        assert_eq!(twice, Err(Violation::Repeated(34)));
        let many = check(&format!("8=F|9=1|35=D|{}", "58=x|".repeat(300)));
        assert_eq!(many, Err(Violation::TooManyFields));
    }

    #[test]
    fn numbers_of_reasons_are_those_of_the_version() {
        let [fix42, fix44] = Version::ALL;
        assert_eq!(Violation::Repeated(1).reason(fix42), None);
        assert_eq!(Violation::Repeated(1).reason(fix44), Some(13));
        assert_eq!(Violation::OutOfOrder(1).reason(fix44), Some(14));
        assert_eq!(Violation::GroupCount(1).reason(fix44), Some(16));
        assert_eq!(Violation::SendingTime.reason(fix42), Some(10));
    }
}
