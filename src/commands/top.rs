//! `spindle top`: a venue that runs, in a terminal.

use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::config::Config;
use crate::exit::Exit;
use crate::status::{LEVELS_MAX, Wish};
use crate::top::{App, Key, Outcome, Source, SourceError, ask, draw, frame_text};

/// How long a key is waited for before news are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Between the two snapshots of one frame, of which rates are the difference.
const APART: Duration = Duration::from_millis(500);

/// A venue that runs, in a terminal: rates, latencies, feed, sessions, positions, limits, a ladder.
#[derive(Args)]
pub(crate) struct Top {
    /// The venue's configuration, which names the control socket
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "control",
        required_unless_present = "control"
    )]
    config: Option<PathBuf>,
    /// The control socket itself
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Show the ladder of this instrument
    #[arg(long, value_name = "SYMBOL")]
    ladder: Option<String>,
    /// Between two looks at the venue
    #[arg(long, value_name = "MS", default_value_t = 1_000,
        value_parser = clap::value_parser!(u64).range(100..=60_000))]
    interval: u64,
    /// Print one frame and end
    #[arg(long, conflicts_with = "json")]
    once: bool,
    /// Print a frame at each interval, a form feed behind it, instead of taking a terminal
    #[arg(short, long, conflicts_with_all = ["json", "once"])]
    batch: bool,
    /// The size of printed frames
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "80x24", value_parser = size)]
    size: (u16, u16),
    /// Print how the venue stands as JSON, and end
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{text}': give columns and rows from 20x10 to 500x200, such as 80x24");
    let (columns, rows) = text.split_once('x').ok_or_else(wrong)?;
    let (columns, rows) =
        (columns.parse().map_err(|_| wrong())?, rows.parse().map_err(|_| wrong())?);
    let fits = (20..=500).contains(&columns) && (10..=200).contains(&rows);
    fits.then_some((columns, rows)).ok_or_else(wrong)
}

impl Top {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Exit> {
        let path = self.socket()?;
        // A venue that is not there is said before a screen is taken.
        let colors = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut app = App::new(colors);
        if let Some(symbol) = &self.ladder {
            if symbol.is_empty() || symbol.len() > 8 {
                return Err(Exit::usage(format!("--ladder {symbol}: give 1 to 8 characters")));
            }
            app.set_ladder(symbol);
        }
        let failed = |error: SourceError| match error {
            SourceError::Nobody { .. } | SourceError::Version { .. } => Exit::usage(error),
            _ => Exit::failed(error),
        };
        let mut wish = app.wish();
        wish.levels = wish.levels.min(LEVELS_MAX);
        let first = ask(&path, &wish).map_err(failed)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&first).map_err(Exit::failed)?);
            return Ok(());
        }
        app.take(first);
        if self.once {
            thread::sleep(APART);
            app.take(ask(&path, &wish).map_err(failed)?);
            print!("{}", frame_text(&app, self.size.0, self.size.1));
            return Ok(());
        }
        let interval = Duration::from_millis(self.interval);
        if self.batch {
            return self.frames(&path, &wish, app);
        }
        if !std::io::stdout().is_terminal() {
            return Err(Exit::usage("this is no terminal; give --once, --batch or --json"));
        }
        let source = Source::start(path, interval, wish).map_err(Exit::failed)?;
        let mut terminal = ratatui::try_init().map_err(Exit::failed)?;
        let result = show(&mut app, &source, &mut terminal);
        ratatui::restore();
        result.map_err(Exit::failed)
    }

    /// Prints frame after frame until whoever reads them goes away.
    fn frames(&self, path: &Path, wish: &Wish, mut app: App) -> Result<(), Exit> {
        let mut out = std::io::stdout().lock();
        loop {
            let frame = frame_text(&app, self.size.0, self.size.1);
            let printed = writeln!(out, "{frame}\x0c").and_then(|()| out.flush());
            match printed {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                other => other.map_err(Exit::failed)?,
            }
            thread::sleep(Duration::from_millis(self.interval));
            match ask(path, wish) {
                Ok(snapshot) => app.take(snapshot),
                Err(error) => app.trouble(format!("{error}; trying again")),
            }
        }
    }

    fn socket(&self) -> Result<PathBuf, Exit> {
        match (&self.control, &self.config) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(file)) => {
                let config = Config::read(file).map_err(Exit::usage)?;
                config.risk.control.ok_or_else(|| {
                    let file = file.display();
                    Exit::usage(format!("{file}: [risk] control names no socket; add one"))
                })
            }
            (None, None) => Err(Exit::usage("give --config FILE or --control PATH")),
        }
    }
}

/// Shows the view until somebody ends it.
fn show(
    app: &mut App,
    source: &Source,
    terminal: &mut ratatui::DefaultTerminal,
) -> std::io::Result<()> {
    let mut is_new = true;
    loop {
        while let Some(told) = source.next() {
            is_new = true;
            match told {
                Ok(snapshot) => app.take(snapshot),
                Err(error) => app.trouble(format!("{error}; trying again")),
            }
        }
        if std::mem::take(&mut is_new) {
            terminal.draw(|frame| draw(app, frame))?;
        }
        if !event::poll(LOOK)? {
            continue;
        }
        match event::read()? {
            Event::Key(event) if event.kind != KeyEventKind::Release => {
                let ends = event.modifiers.contains(KeyModifiers::CONTROL)
                    && event.code == KeyCode::Char('c');
                let outcome = match key(event.code) {
                    _ if ends => Outcome::Quit,
                    Some(key) => app.key(key),
                    None => continue,
                };
                match outcome {
                    Outcome::Quit => return Ok(()),
                    Outcome::Ask => source.want(app.wish()),
                    Outcome::Draw => {}
                }
                is_new = true;
            }
            Event::Resize(..) => is_new = true,
            _ => {}
        }
    }
}

const fn key(code: KeyCode) -> Option<Key> {
    Some(match code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}
