//! What was run, and on what.

use std::fmt::Write as _;

use time::OffsetDateTime;

use super::escape;
use crate::record::Record;
use crate::text::{grouped, time_of};

/// The circumstances of a run.
pub(super) fn circumstances(out: &mut String, record: &Record) {
    let (config, machine, noise) = (&record.config, &record.machine, &record.noise);
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { escape(text) };
    let list = |out: &mut String, title: &str, rows: &[(&str, String)]| {
        let _ = write!(out, "<h2>{title}</h2><dl>");
        for (name, value) in rows {
            let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
        }
        out.push_str("</dl>");
    };
    let percent = |part: f64| format!("{:.2} %", 100.0 * part);
    let run = [
        ("command", format!("<code>{}</code>", escape(&record.command))),
        (
            "load",
            format!(
                "{} a second, {}; {} sessions over {}",
                grouped(config.rate),
                escape(&config.arrivals),
                config.sessions,
                config.protocol
            ),
        ),
        (
            "mix",
            format!("{}; at most {} open a session", escape(&config.mix), grouped(config.open_max)),
        ),
        (
            "rounds",
            format!(
                "{} of {} ms, each after {} ms of warm-up; seed {}",
                config.rounds,
                config.milliseconds / config.rounds.max(1),
                config.warm_up_ms,
                config.seed
            ),
        ),
        ("threads", escape(&config.layout)),
        ("venue", escape(&config.venue)),
        ("risk gate", escape(&config.risk)),
        (
            "requests",
            format!(
                "{} accepted, {} cancelled, {} executions told, {} refused, warm-ups and sweeps among them",
                grouped(record.wire.tally.accepted),
                grouped(record.wire.tally.canceled),
                grouped(record.wire.tally.executed),
                grouped(record.wire.tally.rejected)
            ),
        ),
        (
            "sent late by",
            format!(
                "p50 {}, p99 {}, at most {}",
                time_of(record.wire.late_p50_ns),
                time_of(record.wire.late_p99_ns),
                time_of(record.wire.late_max_ns)
            ),
        ),
    ];
    list(out, "What was run", &run);
    let of_machine = [
        (
            "processor",
            format!(
                "{}, {} cores for this process, {} threads a core",
                escape(&machine.processor),
                machine.cores,
                machine.threads_per_core
            ),
        ),
        (
            "memory",
            format!(
                "{} MiB, transparent huge pages {}",
                grouped(machine.memory_mib),
                or_none(&machine.huge_pages)
            ),
        ),
        ("kernel", escape(&machine.kernel)),
        ("hypervisor", or_none(&machine.hypervisor)),
        ("isolated cores", or_none(&machine.isolated)),
        ("governor", or_none(&machine.governor)),
        ("clock source", or_none(&machine.clock_source)),
        ("scheduling", or_none(&machine.scheduling)),
        (
            "mitigations",
            machine.mitigations.iter().map(|line| escape(line)).collect::<Vec<_>>().join("<br>"),
        ),
        (
            "build",
            format!(
                "{}, stamps {}",
                record.build.profile,
                if record.build.stamps { "compiled in" } else { "left out" }
            ),
        ),
        ("stolen", format!("{} of the time, by the hypervisor", percent(noise.steal))),
        (
            "waited for a core",
            format!(
                "the load's thread {}, the engine's {}",
                percent(noise.load_waited),
                percent(noise.engine_waited)
            ),
        ),
        (
            "gaps",
            format!(
                "a spinning thread missed {} of {} ms, at most {} at once",
                percent(noise.gaps.part()),
                noise.gaps.spun_ms,
                time_of(noise.gaps.max_ns)
            ),
        ),
        ("load average", format!("{:.2}", noise.load_average)),
    ];
    list(out, "The machine", &of_machine);
}

/// A day and time in UTC, from seconds since 1970.
pub(super) fn date(seconds: u64) -> String {
    let at = i64::try_from(seconds).map(OffsetDateTime::from_unix_timestamp);
    let Ok(Ok(at)) = at else { return format!("{seconds} s after 1970") };
    let (year, month, day) = at.to_calendar_date();
    format!("{year:04}-{:02}-{day:02} {:02}:{:02} UTC", u8::from(month), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_278_660), "2026-11-21 16:31 UTC");
    }
}
