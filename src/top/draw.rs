//! A frame of the view.

use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Table, TableState};

use super::app::{App, Typing};
use super::panes::{Pane, time};
use super::sheet::{Sheet, Sorting, Tone};
use crate::report::grouped;

/// From this size on all panes are shown at once.
const WALL: (u16, u16) = (160, 45);

/// What keys do.
const HELP: [(&str, &str); 11] = [
    ("q  Esc", "end"),
    ("?  h", "this help"),
    ("Tab  Left  Right  1-7", "another pane"),
    ("Up  Down  PgUp  PgDn  Home  End", "another row"),
    ("/", "show rows with a text; Esc shows all again"),
    ("s", "sort by the next column"),
    ("r", "the other way round"),
    ("p  Space", "hold what is shown, and go on"),
    ("l", "the ladder of an instrument"),
    ("Enter", "the ladder of the instrument in this row"),
    ("", "any key closes this"),
];

/// Draws the view.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let is_wall = area.width >= WALL.0 && area.height >= WALL.1;
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head_lines(app)), head);
    frame.render_widget(Paragraph::new(tab_line(app)), tabs);
    if app.pair().is_none() {
        let text = app.trouble.as_deref().unwrap_or("waiting for the venue");
        frame.render_widget(Paragraph::new(text).alignment(Alignment::Center), body);
    } else if is_wall {
        draw_wall(app, body, frame);
    } else {
        draw_pane(app, app.pane(), body, frame);
    }
    frame.render_widget(Paragraph::new(foot_line(app)), foot);
    if app.help {
        draw_help(area, frame);
    }
}

/// One frame as text, a line for each of the terminal's.
pub fn frame_text(app: &App, width: u16, height: u16) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(app, frame));
    text_of(terminal.backend().buffer())
}

fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn style(app: &App, tone: Tone) -> Style {
    let plain = Style::new();
    match tone {
        Tone::Plain => plain,
        Tone::Dim => plain.add_modifier(Modifier::DIM),
        Tone::Good if app.colors => plain.fg(Color::Green),
        Tone::Warn if app.colors => plain.fg(Color::Yellow),
        Tone::Bad if app.colors => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Good => plain,
        Tone::Warn | Tone::Bad => plain.add_modifier(Modifier::BOLD),
    }
}

fn uptime(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

fn head_lines(app: &App) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let Some(pair) = app.pair() else {
        return vec![Line::from(Span::styled("spindle top", bold))];
    };
    let now = pair.now;
    let (bad, good) = (style(app, Tone::Bad), style(app, Tone::Good));
    let mut first = vec![
        Span::styled(format!("spindle top  {}", now.venue), bold),
        Span::styled(if app.paused { "  PAUSED" } else { "" }, bold),
        Span::raw(format!("  up {}", uptime(now.uptime_ms))),
        Span::raw(format!(
            "  sessions {}/{}",
            now.sessions.iter().filter(|session| session.up).count(),
            now.sessions.len()
        )),
    ];
    match &now.feed {
        None => first.push(Span::raw("  no feed")),
        Some(feed) if feed.silent => first.push(Span::styled("  FEED SILENT", bad)),
        Some(_) => first.push(Span::styled("  feed live", good)),
    }
    if now.journal.is_some_and(|journal| journal.failed) {
        first.push(Span::styled("  JOURNAL FAILED", bad));
    }
    if now.books.stale > 0 {
        first.push(Span::styled(format!("  {} stale", grouped(now.books.stale)), bad));
    }
    if !now.stopped.is_empty() {
        first.push(Span::styled(format!("  {} stopped", now.stopped.len()), bad));
    }
    let rate = |count: fn(&crate::status::Snapshot) -> u64| {
        pair.rate(count).map_or("-".to_owned(), grouped)
    };
    let second = format!(
        "a second: market {}  requests {}  fills {}  refused {}",
        rate(|of| of.orders.market_messages),
        rate(|of| of.orders.requests),
        rate(|of| of.orders.fills),
        rate(|of| of.orders.rejected),
    );
    let hop = |name: &str| match now.hop(name).map(|hop| hop.recent) {
        Some(recent) if recent.count > 0 => {
            format!("p50 {} p99 {}", time(recent.p50_ns), time(recent.p99_ns))
        }
        _ => "-".to_owned(),
    };
    let third = format!(
        "engine {}   order in to answer out {}",
        hop("engine"),
        hop("order in to answer out")
    );
    vec![Line::from(first), Line::from(second), Line::from(third)]
}

fn tab_line(app: &App) -> Line<'static> {
    let spans = Pane::ALL.iter().zip(1..).flat_map(|(pane, number)| {
        let name = format!("{number} {}", pane.name());
        let style = match *pane == app.pane() {
            true => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            false => Style::new(),
        };
        let (open, close) = if *pane == app.pane() { ("[", "]") } else { (" ", " ") };
        [Span::styled(format!("{open}{name}{close}"), style), Span::raw(" ")]
    });
    Line::from(spans.collect::<Vec<_>>())
}

fn foot_line(app: &App) -> Line<'static> {
    let prompt = |name: &str, text: &str| Line::from(format!("{name}: {text}▏"));
    match &app.typing {
        Some((Typing::Filter, text)) => return prompt("show rows with", text),
        Some((Typing::Ladder, text)) => return prompt("ladder of", text),
        None => {}
    }
    if let Some(trouble) = &app.trouble {
        return Line::from(Span::styled(trouble.clone(), style(app, Tone::Bad)));
    }
    if let Some(missing) = app.pair().and_then(|pair| pair.now.missing.first().cloned()) {
        return Line::from(Span::styled(missing, style(app, Tone::Warn)));
    }
    let filter = match app.filter.as_str() {
        "" => String::new(),
        filter => format!("rows with '{filter}'  Esc all rows  "),
    };
    Line::from(format!(
        "{filter}q end  ? help  Tab pane  / filter  s sort  r reverse  p pause  l ladder"
    ))
}

/// A pane alone: its tables one above the other, the first with the room that the others leave.
fn draw_pane(app: &App, pane: Pane, area: Rect, frame: &mut Frame<'_>) {
    let sheets = app.sheets(pane);
    let is_active = pane == app.pane();
    let below: Vec<u16> = sheets.iter().skip(1).map(height).collect();
    let below_max = area.height / 2;
    let constraints = sheets.iter().enumerate().map(|(at, _)| match at {
        0 => Constraint::Fill(1),
        _ => Constraint::Length(below[at - 1].min(below_max)),
    });
    let areas = Layout::vertical(constraints).split(area);
    for (at, (sheet, area)) in sheets.iter().zip(areas.iter()).enumerate() {
        let keyed = is_active && at == 0;
        draw_sheet(app, sheet, app.sorting(pane), keyed, *area, frame);
    }
}

/// Lines that a table takes: a border, its head, its rows.
fn height(sheet: &Sheet) -> u16 {
    u16::try_from(sheet.rows.len().max(1)).unwrap_or(u16::MAX).saturating_add(3)
}

/// All panes at once.
fn draw_wall(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(18), Constraint::Length(14), Constraint::Fill(1)])
            .areas(area);
    let two = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let [latency, flow] = Layout::horizontal(two).areas(top);
    let [feed, sessions] = Layout::horizontal(two).areas(middle);
    let three =
        [Constraint::Percentage(34), Constraint::Percentage(36), Constraint::Percentage(30)];
    let [positions, limits, ladder] = Layout::horizontal(three).areas(bottom);
    let areas = [
        (Pane::Latency, latency),
        (Pane::Flow, flow),
        (Pane::Feed, feed),
        (Pane::Sessions, sessions),
        (Pane::Positions, positions),
        (Pane::Limits, limits),
        (Pane::Ladder, ladder),
    ];
    for (pane, area) in areas {
        draw_pane(app, pane, area, frame);
    }
}

fn draw_sheet(
    app: &App,
    sheet: &Sheet,
    sorting: &Sorting,
    keyed: bool,
    area: Rect,
    frame: &mut Frame<'_>,
) {
    let emphasis = match keyed {
        true => Style::new().add_modifier(Modifier::BOLD),
        false => Style::new(),
    };
    let title = Span::styled(format!(" {} ", sheet.title), emphasis);
    let block = Block::new().borders(Borders::TOP).border_style(emphasis).title(title);
    if sheet.rows.is_empty() {
        let text = Span::styled(sheet.empty, style(app, Tone::Dim));
        return frame.render_widget(Paragraph::new(text).block(block), area);
    }
    let (widths, spacing) = widths(sheet, sorting, keyed, area.width);
    let aligned = |text: String, at: usize| {
        let is_right = sheet.columns.get(at).is_some_and(|column| column.right);
        let alignment = if is_right { Alignment::Right } else { Alignment::Left };
        Line::from(text).alignment(alignment)
    };
    let shown = widths.len();
    let head = (0..shown).map(|at| aligned(head_of(sheet, sorting, keyed, at), at));
    let head = Row::new(head).style(Style::new().add_modifier(Modifier::UNDERLINED));
    let rows = sheet.rows.iter().map(|row| {
        let cells = row.cells.iter().enumerate().take(shown);
        let cells =
            cells.map(|(at, cell)| aligned(cell.text.clone(), at).style(style(app, cell.tone)));
        Row::new(cells.collect::<Vec<_>>())
    });
    let constraints = widths.into_iter().map(Constraint::Length);
    let table = Table::new(rows, constraints)
        .header(head)
        .block(block)
        .column_spacing(spacing)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new();
    if keyed {
        state.select(Some(app.selected().min(sheet.rows.len() - 1)));
    }
    frame.render_stateful_widget(table, area, &mut state);
}

/// The head of a column, with an arrow where rows are sorted by it.
fn head_of(sheet: &Sheet, sorting: &Sorting, keyed: bool, at: usize) -> String {
    let sorted = sorting.column == Some(at) && keyed && !sheet.fixed;
    let arrow = match (sorted, sorting.ascending) {
        (false, _) => "",
        (true, true) => "▲",
        (true, false) => "▼",
    };
    format!("{}{arrow}", sheet.columns[at].name)
}

/// The widest cell of each column that is shown, and the space between two: where there is too little room, the
/// last columns are left out.
fn widths(sheet: &Sheet, sorting: &Sorting, keyed: bool, room: u16) -> (Vec<u16>, u16) {
    let width = |at: usize| {
        let name = head_of(sheet, sorting, keyed, at).chars().count();
        let cells = sheet.rows.iter().filter_map(|row| row.cells.get(at));
        let widest = cells.map(|cell| cell.text.chars().count()).max().unwrap_or_default();
        u16::try_from(name.max(widest)).unwrap_or(u16::MAX)
    };
    let mut widths: Vec<u16> = (0..sheet.columns.len()).map(width).collect();
    let needed = |widths: &[u16], spacing: usize| {
        widths.iter().map(|width| usize::from(*width)).sum::<usize>()
            + spacing * widths.len().saturating_sub(1)
    };
    if needed(&widths, 2) <= usize::from(room) {
        return (widths, 2);
    }
    while widths.len() > 1 && needed(&widths, 1) > usize::from(room) {
        widths.pop();
    }
    (widths, 1)
}

fn draw_help(area: Rect, frame: &mut Frame<'_>) {
    let lines: Vec<_> =
        HELP.iter().map(|(keys, what)| Line::from(format!(" {keys:<32} {what}"))).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(area.height);
    let width = 78.min(area.width);
    let over = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, over);
    let block = Block::new().borders(Borders::ALL).title(" Keys ");
    frame.render_widget(Paragraph::new(lines).block(block), over);
}
