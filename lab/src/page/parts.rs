//! All parts of the venue in one table.

use std::fmt::Write as _;

use super::{escape, figure, table};
use crate::parts::{range, rows, shown};
use crate::record::Record;

/// The table, where all parts were measured.
pub(super) fn parts(out: &mut String, record: &Record) {
    let rows = rows(record);
    if rows.is_empty() {
        return;
    }
    let _ = write!(out, "<h2>Part by part</h2>");
    let cell = |name: &str, unit: &str, value: f64| match unit {
        "ns" => figure(name, &shown(unit, value)),
        _ => format!("<td>{}</td>", shown(unit, value)),
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (part, unit) = (row.part, &row.value.unit);
            let floor = match row.floor {
                Some(floor) => cell(&part.floor, unit, floor.median),
                None => "<td></td>".to_owned(),
            };
            let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let beside = match part.floor_what.as_str() {
                "" => String::new(),
                what => format!("; floor: {what}"),
            };
            format!(
                "<tr><td>{}<small>{}{}</small></td>{}{floor}<td>{ratio}</td><td>{}</td></tr>",
                escape(&part.part),
                escape(&part.what),
                escape(&beside),
                cell(&part.figure, unit, row.value.median),
                range(row.value),
            )
        })
        .collect();
    let head = ["", "median", "floor", "ratio", "least to most"];
    let caption =
        "Each part by itself, in the same minutes; a ratio is to the floor of the same line.";
    table(out, "parts", caption, &head, &rows);
}
