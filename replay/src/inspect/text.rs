use std::fmt::{self, Display};

use super::{FaultKind, Inspection};

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
            Self::Unreadable => "unreadable",
        })
    }
}

/// What people read: one fact a line, then the types, then what is broken.
impl Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "format       {}", self.description)?;
        writeln!(f, "bytes        {}", grouped(self.bytes))?;
        writeln!(f, "messages     {}", grouped(self.messages))?;
        let (directory, seen) = (grouped(self.directory_entries), grouped(self.locates));
        let symbols = grouped(self.symbols);
        writeln!(f, "instruments  {directory} in the directory, {seen} seen, {symbols} by symbol")?;
        match (&self.first_time, &self.last_time) {
            (Some(first), Some(last)) => writeln!(f, "time         {first} to {last}")?,
            _ => writeln!(f, "time         none")?,
        }
        self.types(f)?;
        self.broken(f)
    }
}

impl Inspection {
    fn types(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.types.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&str, &str, String)> =
            self.types.iter().map(|t| (t.code.as_str(), t.name, grouped(t.count))).collect();
        let width = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
        let digits = rows.iter().map(|row| row.2.len()).max().unwrap_or(0).max(5);
        writeln!(f, "\n{:<4}  {:width$}  {:>digits$}  {:>6}", "type", "name", "count", "%")?;
        for ((code, name, count), entry) in rows.iter().zip(&self.types) {
            let hundredths = u128::from(entry.count) * 10_000 / u128::from(self.messages.max(1));
            let (whole, part) = (hundredths / 100, hundredths % 100);
            writeln!(f, "{code:<4}  {name:width$}  {count:>digits$}  {whole:>3}.{part:02}")?;
        }
        Ok(())
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
