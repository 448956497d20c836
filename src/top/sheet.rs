//! A table of a pane: named columns, rows of cells, and how they are sorted and filtered.

/// How a cell is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Beside the point.
    Dim,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// What is shown.
    pub(super) text: String,
    /// How.
    pub(super) tone: Tone,
    /// By what rows are sorted; without it by the text.
    pub(super) rank: Option<i128>,
}

impl Cell {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A text that stands for a number.
    pub(super) fn number(text: impl Into<String>, rank: impl Into<i128>) -> Self {
        Self { text: text.into(), rank: Some(rank.into()), ..Self::default() }
    }

    /// In this tone.
    #[must_use]
    pub(super) const fn toned(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its head.
    pub(super) name: &'static str,
    /// Whether its cells are numbers, which stand at the right.
    pub(super) right: bool,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// One for each column.
    pub(super) cells: Vec<Cell>,
    /// The instrument that it is about, if it is about one.
    pub(super) symbol: Option<String>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    /// What it is.
    pub(super) title: String,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
    /// What is said where there are none.
    pub(super) empty: &'static str,
    /// Whether its order says something, so that it is never sorted.
    pub(super) fixed: bool,
}

/// By which column rows are sorted, and which are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sorting {
    /// The column; `None` leaves rows as they are.
    pub(super) column: Option<usize>,
    /// The least first.
    pub(super) ascending: bool,
}

impl Sheet {
    /// An empty table with columns; a name that ends with `>` is that of numbers.
    pub(super) fn new(
        title: impl Into<String>,
        columns: &[&'static str],
        empty: &'static str,
    ) -> Self {
        let column = |name: &&'static str| match name.strip_suffix('>') {
            Some(name) => Column { name, right: true },
            None => Column { name, right: false },
        };
        let columns = columns.iter().map(column).collect();
        Self { title: title.into(), columns, empty, ..Self::default() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells, symbol: None });
    }

    /// Adds a row about an instrument.
    pub(super) fn row_of(&mut self, symbol: &str, cells: Vec<Cell>) {
        self.rows.push(Row { cells, symbol: Some(symbol.to_owned()) });
    }

    /// Leaves the rows of which a cell has this text, in any case of letters.
    pub(super) fn filter(&mut self, text: &str) {
        if text.is_empty() || self.fixed {
            return;
        }
        let wanted = text.to_lowercase();
        self.rows
            .retain(|row| row.cells.iter().any(|cell| cell.text.to_lowercase().contains(&wanted)));
    }

    /// Sorts the rows; equal ones stay as they are.
    pub(super) fn sort(&mut self, by: &Sorting) {
        let Some(column) = by.column.filter(|column| *column < self.columns.len()) else {
            return;
        };
        if self.fixed {
            return;
        }
        self.rows.sort_by(|one, other| {
            let (one, other) = (&one.cells[column], &other.cells[column]);
            let order = match (one.rank, other.rank) {
                (Some(one), Some(other)) => one.cmp(&other),
                _ => one.text.cmp(&other.text),
            };
            if by.ascending { order } else { order.reverse() }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filtered_and_sorted() {
        let mut sheet = Sheet::new("x", &["name", "count>"], "");
        for (name, count) in [("Beta", 9_u64), ("alpha", 10), ("betamax", 9)] {
            sheet.row(vec![Cell::text(name), Cell::number(count.to_string(), count)]);
        }
        let names = |sheet: &Sheet| {
            sheet.rows.iter().map(|row| row.cells[0].text.clone()).collect::<Vec<_>>()
        };
        sheet.sort(&Sorting { column: Some(1), ascending: false });
        assert_eq!(names(&sheet), ["alpha", "Beta", "betamax"], "as numbers");
        sheet.sort(&Sorting { column: Some(0), ascending: true });
        assert_eq!(names(&sheet), ["Beta", "alpha", "betamax"]);
        sheet.filter("BETA");
        assert_eq!(names(&sheet), ["Beta", "betamax"]);
        sheet.filter("9");
        assert_eq!(names(&sheet).len(), 2, "in any column");
        sheet.sort(&Sorting { column: Some(7), ascending: true });
    }
}
