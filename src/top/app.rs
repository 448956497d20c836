//! The state of the view: what is shown, and what a key does to it.

use super::panes::{Pair, Pane};
use super::sheet::{Sheet, Sorting};
use crate::status::{Snapshot, Wish};

/// Levels of the ladder that are asked for.
const LEVELS: usize = 32;

/// Rows of a page.
const PAGE: usize = 10;

/// The longest text that is typed.
const TYPED_MAX: usize = 32;

/// A key, of whatever terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
}

/// What is to be done after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing but drawing.
    Draw,
    /// Something else is wanted of the venue: ask at once.
    Ask,
    /// The end.
    Quit,
}

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    Filter,
    Ladder,
}

/// What is shown.
#[derive(Debug, Default)]
pub struct App {
    now: Option<Snapshot>,
    before: Option<Snapshot>,
    /// The place of the pane in [`Pane::ALL`].
    pane: usize,
    sorting: [Sorting; Pane::ALL.len()],
    selected: usize,
    pub(super) filter: String,
    pub(super) typing: Option<(Typing, String)>,
    pub(super) help: bool,
    pub(super) paused: bool,
    /// Why nothing new comes.
    pub(super) trouble: Option<String>,
    ladder: Option<String>,
    /// Whether colours are used.
    pub(super) colors: bool,
}

impl App {
    /// An empty view, in colours or without.
    pub fn new(colors: bool) -> Self {
        Self { colors, ..Self::default() }
    }

    /// What is wanted of the venue.
    pub fn wish(&self) -> Wish {
        let levels = if self.ladder.is_some() { LEVELS } else { 0 };
        Wish { ladder: self.ladder.clone(), levels }
    }

    /// Shows the ladder of an instrument from now on.
    pub fn set_ladder(&mut self, symbol: &str) {
        self.ladder = Some(symbol.to_owned());
    }

    /// Shows a pane by its place.
    pub(super) const fn set_pane(&mut self, pane: usize) {
        self.pane = pane;
        self.selected = 0;
    }

    /// A new snapshot; while the view is paused it is passed over.
    pub fn take(&mut self, snapshot: Snapshot) {
        self.trouble = None;
        if !self.paused || self.now.is_none() {
            self.before = self.now.replace(snapshot);
        }
    }

    /// The venue did not answer.
    pub fn trouble(&mut self, why: impl Into<String>) {
        self.trouble = Some(why.into());
    }

    /// The newest snapshot, with the one before it.
    pub(super) fn pair(&self) -> Option<Pair<'_>> {
        Some(Pair { now: self.now.as_ref()?, before: self.before.as_ref() })
    }

    /// The pane that keys act on.
    pub(super) const fn pane(&self) -> Pane {
        Pane::ALL[self.pane]
    }

    /// The row that is chosen.
    pub(super) const fn selected(&self) -> usize {
        self.selected
    }

    /// By what a pane is sorted.
    pub(super) fn sorting(&self, pane: Pane) -> &Sorting {
        let at = Pane::ALL.iter().position(|one| *one == pane).unwrap_or_default();
        &self.sorting[at]
    }

    /// The tables of a pane, filtered and sorted.
    pub(super) fn sheets(&self, pane: Pane) -> Vec<Sheet> {
        let Some(pair) = self.pair() else {
            return Vec::new();
        };
        let mut sheets = pair.sheets(pane);
        for (at, sheet) in sheets.iter_mut().enumerate() {
            sheet.filter(&self.filter);
            // The first table is the one that keys act on.
            if at == 0 {
                sheet.sort(self.sorting(pane));
            }
        }
        sheets
    }

    fn rows(&self) -> usize {
        self.sheets(self.pane()).first().map_or(0, |sheet| sheet.rows.len())
    }

    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> Outcome {
        if let Some((typing, text)) = self.typing.take() {
            return self.typed(typing, text, key);
        }
        if self.help {
            self.help = false;
            return if key == Key::Char('q') { Outcome::Quit } else { Outcome::Draw };
        }
        let count = Pane::ALL.len();
        match key {
            Key::Char('q') => return Outcome::Quit,
            Key::Escape if self.filter.is_empty() => return Outcome::Quit,
            Key::Escape => self.filter.clear(),
            Key::Char('?' | 'h') => self.help = true,
            Key::Char('p' | ' ') => self.paused = !self.paused,
            Key::Char('/') => self.typing = Some((Typing::Filter, self.filter.clone())),
            Key::Char('l') => self.typing = Some((Typing::Ladder, String::new())),
            Key::Char('s') => self.sort_by_next(),
            Key::Char('r') => {
                let sorting = &mut self.sorting[self.pane];
                sorting.ascending = !sorting.ascending;
            }
            Key::Char(digit @ '1'..='7') => self.set_pane(usize::from(digit as u8 - b'1')),
            Key::Tab | Key::Right => self.set_pane((self.pane + 1) % count),
            Key::BackTab | Key::Left => self.set_pane((self.pane + count - 1) % count),
            Key::Up | Key::Char('k') => self.selected = self.selected.saturating_sub(1),
            Key::Down | Key::Char('j') => self.selected += 1,
            Key::PageUp => self.selected = self.selected.saturating_sub(PAGE),
            Key::PageDown => self.selected += PAGE,
            Key::Home => self.selected = 0,
            Key::End => self.selected = usize::MAX,
            Key::Enter => return self.enter(),
            Key::Char(_) | Key::Backspace => {}
        }
        self.selected = self.selected.min(self.rows().saturating_sub(1));
        Outcome::Draw
    }

    fn sort_by_next(&mut self) {
        let columns = self.sheets(self.pane()).first().map_or(0, |sheet| sheet.columns.len());
        let sorting = &mut self.sorting[self.pane];
        // The largest first, as those who look at a busy venue want it.
        sorting.column = match sorting.column {
            None if columns > 0 => Some(0),
            Some(column) if column + 1 < columns => Some(column + 1),
            _ => None,
        };
    }

    /// The ladder of the instrument that the chosen row is about.
    fn enter(&mut self) -> Outcome {
        let sheets = self.sheets(self.pane());
        let rows = sheets.iter().flat_map(|sheet| &sheet.rows);
        let symbol = rows.skip(self.selected).find_map(|row| row.symbol.clone());
        let Some(symbol) = symbol else {
            return Outcome::Draw;
        };
        self.show_ladder(symbol)
    }

    fn show_ladder(&mut self, symbol: String) -> Outcome {
        self.ladder = Some(symbol);
        self.set_pane(Pane::ALL.len() - 1);
        Outcome::Ask
    }

    fn typed(&mut self, typing: Typing, mut text: String, key: Key) -> Outcome {
        match (key, typing) {
            (Key::Escape, Typing::Filter) => self.filter.clear(),
            (Key::Escape, Typing::Ladder) => {}
            (Key::Enter, Typing::Filter) => {
                self.filter = text;
                self.selected = 0;
            }
            (Key::Enter, Typing::Ladder) => {
                if !text.is_empty() {
                    return self.show_ladder(text.to_uppercase());
                }
            }
            _ => {
                match key {
                    Key::Backspace => drop(text.pop()),
                    Key::Char(typed) if text.len() < TYPED_MAX && typed.is_ascii_graphic() => {
                        text.push(typed);
                    }
                    _ => {}
                }
                if typing == Typing::Filter {
                    // Seen while it is typed.
                    self.filter.clone_from(&text);
                    self.selected = 0;
                }
                self.typing = Some((typing, text));
            }
        }
        Outcome::Draw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Position, Session};

    fn app() -> App {
        let mut app = App::new(false);
        let session = |name: &str| Session { name: name.to_owned(), ..Session::default() };
        let position = |symbol: &str, shares| Position {
            symbol: symbol.to_owned(),
            shares,
            ..Position::default()
        };
        app.take(Snapshot {
            sessions: vec![session("alice"), session("bob"), session("carol")],
            positions: vec![position("AAPL", 5), position("MSFT", -7)],
            ..Snapshot::default()
        });
        app
    }

    fn press(app: &mut App, keys: &str) -> Outcome {
        let key = |c| match c {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\x1b' => Key::Escape,
            '\x08' => Key::Backspace,
            other => Key::Char(other),
        };
        keys.chars().map(|c| app.key(key(c))).last().expect("a key")
    }

    #[test]
    fn keys_do_what_they_do_in_other_tools() {
        let mut app = app();
        assert_eq!(press(&mut app, "\t"), Outcome::Draw);
        assert_eq!(app.pane(), Pane::Latency);
        assert_eq!((app.key(Key::Left), app.pane()), (Outcome::Draw, Pane::Flow));
        assert_eq!((app.key(Key::BackTab), app.pane()), (Outcome::Draw, Pane::Ladder));
        press(&mut app, "4");
        assert_eq!(app.pane(), Pane::Sessions);
        press(&mut app, "jjjjj");
        assert_eq!(app.selected(), 2, "no further than the last");
        app.key(Key::Home);
        assert_eq!(app.selected(), 0);
        press(&mut app, "?");
        assert!(app.help);
        press(&mut app, "x");
        assert!(!app.help);
        for end in ["q", "\x1b"] {
            assert_eq!(press(&mut self::app(), end), Outcome::Quit);
        }
    }

    #[test]
    fn a_filter_is_seen_while_it_is_typed_and_escape_takes_it_away() {
        let mut app = app();
        press(&mut app, "4/car");
        let names = |app: &App| app.sheets(Pane::Sessions)[0].rows.len();
        assert_eq!((names(&app), app.filter.as_str()), (1, "car"));
        press(&mut app, "\x08\n");
        assert_eq!((names(&app), app.filter.as_str()), (1, "ca"));
        assert_eq!(press(&mut app, "\x1b"), Outcome::Draw);
        assert_eq!(names(&app), 3);
        assert_eq!(press(&mut app, "/q"), Outcome::Draw, "q is a letter here");
    }

    #[test]
    fn rows_are_sorted_by_the_next_column() {
        let mut app = app();
        press(&mut app, "5sss");
        let shares = |app: &App| {
            let rows = &app.sheets(Pane::Positions)[0].rows;
            rows.iter().map(|row| row.cells[2].text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(shares(&app), ["5", "-7"]);
        press(&mut app, "r");
        assert_eq!(shares(&app), ["-7", "5"]);
        press(&mut app, "sss");
        assert_eq!(app.sorting(Pane::Positions).column, None, "after the last none");
    }

    #[test]
    fn a_ladder_is_typed_or_chosen() {
        let mut app = app();
        assert_eq!(press(&mut app, "lmsft\n"), Outcome::Ask);
        assert_eq!(app.wish(), Wish { ladder: Some("MSFT".to_owned()), levels: LEVELS });
        assert_eq!(app.pane(), Pane::Ladder);
        assert_eq!(press(&mut app, "5j\n"), Outcome::Ask);
        assert_eq!(app.wish().ladder.as_deref(), Some("MSFT"));
        assert_eq!(press(&mut app, "5\n"), Outcome::Ask);
        assert_eq!(app.wish().ladder.as_deref(), Some("AAPL"));
        assert_eq!(press(&mut app, "4\n"), Outcome::Draw, "a session is no instrument");
    }

    #[test]
    fn a_pause_keeps_what_is_shown() {
        let mut app = app();
        press(&mut app, "p");
        app.take(Snapshot::default());
        assert_eq!(app.sheets(Pane::Sessions)[0].rows.len(), 3);
        press(&mut app, "p");
        app.take(Snapshot::default());
        assert_eq!(app.sheets(Pane::Sessions)[0].rows.len(), 0);
    }
}
