//! The report: one page with everything in it, for people. It loads nothing, works without script, and
//! fits a phone, a sheet of paper, and light and dark.

mod charts;
mod facts;
mod parts;
mod plot;

use std::fmt::Write as _;

use crate::record::Record;
use crate::text::{REASONS, SHOWN, grouped, time, time_of};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("copy.js");

/// Text as it stands between tags and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(letter),
        }
    }
    out
}

/// A cell that shows a figure of the record, by the path at which the JSON has it.
fn figure(path: &str, shown: &str) -> String {
    format!("<td data-figure=\"{path}\">{shown}</td>")
}

/// A table that can be copied.
fn table(out: &mut String, id: &str, caption: &str, head: &[&str], rows: &[String]) {
    let _ = write!(
        out,
        "<p class=\"caption\" id=\"{id}-is\">{caption}</p><div class=\"scroll\" tabindex=\"0\"><table \
         id=\"{id}\" aria-describedby=\"{id}-is\"><thead><tr>"
    );
    for name in head {
        let _ = write!(out, "<th>{name}</th>");
    }
    let _ = write!(
        out,
        "</tr></thead><tbody>{}</tbody></table></div>\
         <button class=\"copy\" data-table=\"{id}\" hidden>copy this table</button>",
        rows.concat()
    );
}

/// The page of a record.
pub fn page(record: &Record) -> String {
    let mut out = String::new();
    let (config, wire) = (&record.config, &record.wire);
    let way = if config.tick_to_trade { "from tick to trade" } else { "on the wire" };
    let title = format!(
        "Latency {way}: {} requests a second over {}",
        grouped(config.rate),
        config.protocol.to_uppercase()
    );
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p class=\"soft\">Spindle {} ({}), {}, {} cores. Recorded {}.</p>",
        escape(&record.build.version),
        escape(&record.build.commit),
        escape(&record.machine.processor),
        record.machine.cores,
        facts::date(record.begun),
    );
    banner(&mut out, "void", "This run is void; its figures do not count:", &wire.void_reasons);
    banner(&mut out, "noisy", "The machine was noisy, trust the tails less:", &record.noise.why);
    let _ = write!(out, "<p class=\"lead\">{}</p>", charts::verdict(record));
    tiles(&mut out, record);
    parts::parts(&mut out, record);
    percentiles(&mut out, record);
    time_and_load(&mut out, record);
    hops(&mut out, record);
    facts::circumstances(&mut out, record);
    let _ = writeln!(
        out,
        "<h2>How to read this</h2><p>Requests are sent by a schedule that was made beforehand, whether or \
         not answers have come, and each latency counts from when its request was <em>due</em>. So a venue \
         that stops for a moment is charged with every request that would have come in that moment. The \
         floor is measured in the same run and by turns with the venue: the same threads, sockets and \
         schedule, with a program in the venue's place that sends back what it gets. What lies between the \
         two is the venue's own. Each figure is the median of its rounds, with the least and the most of \
         them beside it; warm-up is in none.</p><p class=\"soft\">A percentile says how many of a hundred \
         requests were at most so late: p99 is what one in a hundred exceeds. Times axes are logarithmic: \
         each line up is ten times the one below.</p></main><script>{SCRIPT}</script></body></html>"
    );
    out
}

fn banner(out: &mut String, class: &str, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "<div class=\"banner {class}\"><strong>{title}</strong><ul>");
    for line in lines.iter().take(REASONS) {
        let _ = write!(out, "<li>{}</li>", escape(line));
    }
    if lines.len() > REASONS {
        let _ = write!(out, "<li>and {} more, in the record</li>", lines.len() - REASONS);
    }
    out.push_str("</ul></div>");
}

fn tiles(out: &mut String, record: &Record) {
    let wire = &record.wire;
    let mut tiles = vec![
        (time_of(wire.p50_ns), "p50, half are faster".to_owned()),
        (time_of(wire.p99_ns), "p99, one in 100 is slower".to_owned()),
        (
            format!("{:.2} / {:.2}", wire.p50_ratio, wire.p99_ratio),
            "times the floor, p50 / p99".to_owned(),
        ),
    ];
    if wire.engine_p50_ns > 0 {
        let engine = format!("the engine's own part; p99 {}", time_of(wire.engine_p99_ns));
        tiles.push((time_of(wire.engine_p50_ns), engine));
    }
    out.push_str("<div class=\"tiles\">");
    for (value, label) in tiles {
        let _ = write!(out, "<div class=\"tile\"><b>{value}</b><span>{label}</span></div>");
    }
    out.push_str("</div>");
}

const KEY: &str = "<ul class=\"key\"><li><i style=\"border-color:var(--venue)\"></i>venue</li>\
    <li><i class=\"floor\" style=\"border-color:var(--floor)\"></i>floor: bare echo</li>";

fn percentiles(out: &mut String, record: &Record) {
    let _ = write!(
        out,
        "<h2>How late answers came</h2><figure>{}{KEY}</ul></figure>",
        charts::percentiles(record)
    );
    let rows: Vec<_> = SHOWN
        .iter()
        .map(|(key, name)| {
            let get = |name: &str| record.figures.get(name).cloned().unwrap_or_default();
            let (venue_name, floor_name) =
                (format!("wire.{key}_ns"), format!("wire.floor_{key}_ns"));
            let (venue, floor) = (get(&venue_name), get(&floor_name));
            let ratio = venue.median / floor.median.max(1.0);
            format!(
                "<tr><td>{name}</td>{}{}<td>{ratio:.2}</td><td>{}</td><td>{}</td></tr>",
                figure(&venue_name, &time(venue.median)),
                figure(&floor_name, &time(floor.median)),
                charts::range(venue.least, venue.most),
                charts::range(floor.least, floor.most)
            )
        })
        .collect();
    let head = ["", "venue", "floor", "ratio", "venue, rounds", "floor, rounds"];
    let caption = format!(
        "Medians over {} rounds; on the right the least and the most of the rounds.",
        record.config.rounds
    );
    table(out, "latencies", &caption, &head, &rows);
}

fn time_and_load(out: &mut String, record: &Record) {
    let _ = write!(
        out,
        "<h2>Over the time of the run</h2><figure>{}<figcaption>Thick: p50 of each part of a round. Thin: \
         p99. Dots: the longest. Vertical lines part the rounds.</figcaption></figure>",
        charts::over_time(record)
    );
    if record.sweep.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h2>With more load</h2><figure>{}{KEY}</ul><figcaption>Thick: p50. Thin: p99. The knee is the \
         highest rate that was held: the sender kept its schedule and p99 was below five times that of \
         the lowest rate.</figcaption></figure>",
        charts::load(record)
    );
    let rows: Vec<_> = record
        .sweep
        .iter()
        .map(|point| {
            let void = point.void.as_deref().map_or("yes", |_| "void");
            let [a, b, c, d] =
                [point.venue.p50, point.venue.p99, point.floor.p50, point.floor.p99].map(time_of);
            format!(
                "<tr><td>{}</td><td>{}</td><td>{a}</td><td>{b}</td><td>{c}</td><td>{d}</td><td>{void}</td></tr>",
                grouped(point.offered),
                grouped(point.reached)
            )
        })
        .collect();
    let head = ["offered", "reached", "p50", "p99", "floor p50", "floor p99", "counts"];
    table(out, "sweep", "Requests a second, and medians of the rounds.", &head, &rows);
}

fn hops(out: &mut String, record: &Record) {
    if record.hops.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h2>Where the time goes</h2><figure>{}<ul class=\"key\">",
        charts::hops(record)
    );
    for (nth, (hop, p50, _)) in charts::parts(record).iter().enumerate() {
        let _ = write!(
            out,
            "<li><i class=\"box\" style=\"background:var(--h{})\"></i>{hop} {}</li>",
            nth % 9,
            time_of(*p50)
        );
    }
    out.push_str(
        "</ul><figcaption>From the gateway having read a request's bytes to the answer's being written. \
         Percentiles of parts do not add up to that of the whole; the bar shows proportions.</figcaption>\
         </figure>",
    );
    let rows: Vec<_> = record
        .hops
        .iter()
        .enumerate()
        .map(|(nth, hop)| {
            let p = &hop.percentiles;
            let cells: Vec<_> = p
                .named()
                .iter()
                .filter(|(name, _)| *name != "p90")
                .map(|(name, value)| {
                    figure(&format!("hops/{nth}/percentiles/{name}"), &time_of(*value))
                })
                .collect();
            format!(
                "<tr><td>{}<small>{}</small></td><td>{}</td>{}</tr>",
                escape(&hop.name),
                escape(&hop.what),
                grouped(p.count),
                cells.concat()
            )
        })
        .collect();
    let head = ["hop", "count", "p50", "p99", "p99.9", "p99.99", "max"];
    table(out, "hops", "All rounds together. The last rows are sums, not parts.", &head, &rows);
    let wire = &record.wire;
    let _ = write!(
        out,
        "<p>Floors: a ring there and back between the same cores takes {} at p50 and {} at p99, one reading \
         of the clock {}.",
        time_of(wire.ring_floor_p50_ns),
        time_of(wire.ring_floor_p99_ns),
        time(wire.clock_read_ns)
    );
    out.push_str("</p>");
    if let Some(stamps) = &record.stamps {
        let _ = write!(out, "<p>Stamps of hops: {}.</p>", stamps.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
