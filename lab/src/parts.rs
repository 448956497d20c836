//! All parts of a venue in one table, each beside its floor.

use std::fmt::Write as _;

use crate::record::{Part, Record};
use crate::stats::Figure;
use crate::text::{grouped, time, whole};

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// Which part, and what of it.
    pub part: &'a Part,
    /// The figure.
    pub value: &'a Figure,
    /// What nothing here can be faster than, where there is such a thing.
    pub floor: Option<&'a Figure>,
}

impl Row<'_> {
    /// The figure over its floor, both medians.
    pub fn ratio(&self) -> Option<f64> {
        let floor = self.floor.filter(|floor| floor.median > 0.0)?;
        Some(self.value.median / floor.median)
    }
}

/// The lines of a record, those left out whose figure it does not have.
pub fn rows(record: &Record) -> Vec<Row<'_>> {
    let row = |part| row(record, part);
    record.parts.iter().filter_map(row).collect()
}

fn row<'a>(record: &'a Record, part: &'a Part) -> Option<Row<'a>> {
    let (value, floor) = (record.figures.get(&part.figure)?, record.figures.get(&part.floor));
    Some(Row { part, value, floor })
}

/// A value as people read it, in the unit of its figure.
pub fn shown(unit: &str, value: f64) -> String {
    match unit {
        "ns" => time(value),
        "ratio" => format!("{value:.2}"),
        "1/s" => format!("{}/s", grouped(whole(value))),
        _ => format!("{value:.0} {unit}"),
    }
}

/// The least and the most of the rounds; the one round where there is one.
pub fn range(figure: &Figure) -> String {
    let [least, most] = [figure.least, figure.most].map(|value| shown(&figure.unit, value));
    match figure.rounds.len() {
        0 | 1 => "one round".to_owned(),
        _ => format!("{least} to {most}"),
    }
}

/// The table for a terminal.
pub fn table(record: &Record) -> String {
    let mut out = String::new();
    let rows = rows(record);
    if rows.is_empty() {
        return out;
    }
    let _ = writeln!(
        out,
        "{:<9} {:<49}{:>13}{:>10}{:>8}   {:<23}floor",
        "part", "what, median", "", "floor", "ratio", "least to most"
    );
    let mut last = "";
    for row in &rows {
        let Part { part, what, floor_what, .. } = row.part;
        let name = if part == last { "" } else { part };
        last = part;
        let unit = &row.value.unit;
        let value = shown(unit, row.value.median);
        let floor = row.floor.map_or(String::new(), |floor| shown(unit, floor.median));
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let range = range(row.value);
        let line = format!(
            "{name:<9} {what:<49}{value:>13}{floor:>10}{ratio:>8}   {range:<23}{floor_what}"
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_ratio_where_there_is_a_floor() {
        let mut record = Record::default();
        let part = |name: &str, figure: &str, floor: &str| Part {
            part: name.to_owned(),
            what: "a message".to_owned(),
            figure: figure.to_owned(),
            floor: floor.to_owned(),
            floor_what: if floor.is_empty() { "" } else { "decoded alone" }.to_owned(),
        };
        record.parts = vec![
            part("books", "books.message_ns", "books.floor_ns"),
            part("books", "books.nothing_ns", ""),
            part("journal", "journal.replay", ""),
        ];
        let figures = [
            ("books.message_ns", Figure::of("ns", vec![90.0, 100.0, 130.0])),
            ("books.floor_ns", Figure::of("ns", vec![8.0])),
            ("journal.replay", Figure::of("1/s", vec![1_234_567.4])),
        ];
        record.figures = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
        let rows = rows(&record);
        assert_eq!(rows.len(), 2, "what was not measured has no line");
        assert_eq!((rows[0].ratio(), rows[1].ratio()), (Some(12.5), None));
        let table = table(&record);
        for said in ["100 ns", "8.0 ns", "12.50", "90 ns to 130 ns", "decoded alone"] {
            assert!(table.contains(said), "{said} in {table}");
        }
        assert!(table.contains("1,234,567/s") && table.contains("one round"), "{table}");
        assert_eq!(super::table(&Record::default()), "");
    }
}
