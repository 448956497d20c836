//! A report as people read it.

use std::fmt::{self, Display};

use super::report::{CaptureReport, FaultKind, GroupReport, Inspection, Instruments, TypeCount};

/// A number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::UnknownType => "unknown message type",
            Self::ShortMessage => "message too short",
            Self::Truncated => "cut short",
            Self::ZeroPrefix => "zero length prefix",
            Self::AfterEnd => "data after the end",
            Self::MalformedPacket => "malformed packet",
            Self::CutPacket => "packet cut short",
            Self::MalformedRow => "malformed row",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        })
    }
}

/// A line of a name and a value, the values below one another.
fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{name:<16} {value}")
}

/// What people read: one fact a line, then the groups, the types, and what is broken.
impl Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packed: String = self.compression.iter().map(|name| format!(", in {name}")).collect();
        line(f, "format", format_args!("{}{packed}", self.description))?;
        match self.unpacked_bytes {
            None => line(f, "bytes", grouped(self.bytes))?,
            Some(unpacked) => {
                let (bytes, unpacked) = (grouped(self.bytes), grouped(unpacked));
                line(f, "bytes", format_args!("{bytes}, unpacked {unpacked}"))?;
            }
        }
        if let Some(remark) = &self.remark {
            line(f, if self.decoded { "note" } else { "not decoded" }, remark)?;
        }
        for fact in &self.facts {
            line(f, fact.name, &fact.value)?;
        }
        let undecoded_capture = self.capture.is_some() && !self.decoded;
        if !undecoded_capture {
            self.totals(f)?;
        }
        if let Some(capture) = &self.capture {
            capture.write(f)?;
        }
        types(f, "", &self.types, self.messages)?;
        self.broken(f)
    }
}

impl Inspection {
    fn totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "messages", grouped(self.messages))?;
        line(f, "instruments", self.instruments)?;
        span(f, "time", self.first_time.as_deref(), self.last_time.as_deref())
    }

    fn broken(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nbroken")?;
        for fault in &self.faults {
            let (kind, count) = (fault.kind, grouped(fault.count));
            let (record, byte) = (grouped(fault.first_record), fault.first_byte);
            writeln!(f, "  {kind:<20}  {count:>9}  first: record {record}, byte {byte}")?;
            writeln!(f, "  {:<20}  {:>9}  {}", "", "", fault.first)?;
        }
        Ok(())
    }
}

impl Display for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (directory, numbers, symbols) =
            (grouped(self.directory_entries), grouped(self.numbers), grouped(self.symbols));
        write!(f, "{directory} in the directory, {numbers} seen, {symbols} by symbol")
    }
}

fn span(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    first: Option<&str>,
    last: Option<&str>,
) -> fmt::Result {
    match (first, last) {
        (Some(first), Some(last)) => line(f, name, format_args!("{first} to {last}")),
        _ => line(f, name, "none"),
    }
}

fn types(
    f: &mut fmt::Formatter<'_>,
    indent: &str,
    types: &[TypeCount],
    messages: u64,
) -> fmt::Result {
    if types.is_empty() {
        return Ok(());
    }
    let rows: Vec<(&str, &str, String)> =
        types.iter().map(|t| (t.code.as_str(), t.name, grouped(t.count))).collect();
    let codes = rows.iter().map(|row| row.0.len()).max().unwrap_or(0).max(4);
    let width = rows.iter().map(|row| row.1.len()).max().unwrap_or(0).max(4);
    let digits = rows.iter().map(|row| row.2.len()).max().unwrap_or(0).max(5);
    let (code, name, count) = ("type", "name", "count");
    writeln!(f, "\n{indent}{code:<codes$}  {name:width$}  {count:>digits$}  {:>6}", "%")?;
    for ((code, name, count), entry) in rows.iter().zip(types) {
        let hundredths = u128::from(entry.count) * 10_000 / u128::from(messages.max(1));
        let (whole, part) = (hundredths / 100, hundredths % 100);
        writeln!(
            f,
            "{indent}{code:<codes$}  {name:width$}  {count:>digits$}  {whole:>3}.{part:02}"
        )?;
    }
    Ok(())
}

impl CaptureReport {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = [
            (self.udp, "UDP"),
            (self.tcp, "TCP"),
            (self.other, "other"),
            (self.fragments, "fragments"),
            (self.vlan_tagged, "VLAN-tagged"),
            (self.cut, "cut"),
        ];
        let parts: Vec<String> = frames
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{} {name}", grouped(*count)))
            .collect();
        line(f, "packets", format_args!("{}: {}", grouped(self.frames), parts.join(", ")))?;
        line(f, "resolution", self.resolution)?;
        span(f, "captured", self.first_time.as_deref(), self.last_time.as_deref())?;
        for group in &self.groups {
            group.write(f)?;
        }
        if self.ungrouped > 0 {
            writeln!(f, "\n{} packets to further groups", grouped(self.ungrouped))?;
        }
        Ok(())
    }
}

impl GroupReport {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ngroup {} {}", self.transport, self.address)?;
        line(f, "  protocol", &self.protocol)?;
        let (packets, bytes) = (grouped(self.packets), grouped(self.bytes));
        line(f, "  packets", format_args!("{packets}, {bytes} bytes"))?;
        span(f, "  captured", self.first_time.as_deref(), self.last_time.as_deref())?;
        if let Some(messages) = self.messages {
            line(f, "  messages", grouped(messages))?;
            line(f, "  idle packets", grouped(self.idle_packets))?;
        }
        if let (Some(first), Some(last)) = (self.first_sequence, self.last_sequence) {
            let breaks = grouped(self.sequence_breaks);
            line(f, "  numbers", format_args!("{first} to {last}, {breaks} jumps"))?;
        }
        if !self.sessions.is_empty() {
            line(f, "  sessions", self.sessions.join(", "))?;
        }
        if self.decoded {
            line(f, "  instruments", self.instruments)?;
            let (first, last) = (&self.first_message_time, &self.last_message_time);
            span(f, "  time", first.as_deref(), last.as_deref())?;
        } else if self.messages.is_some() {
            types(f, "  ", &self.types, self.messages.unwrap_or(0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
