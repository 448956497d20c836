use time::OffsetDateTime;

/// `2023-08-22 13:30:00.000059123` for nanoseconds since the Unix epoch, in UTC.
pub(super) fn utc(nanoseconds: u64) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanoseconds)) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:09}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.nanosecond()
        ),
        Err(_) => format!("{nanoseconds} ns after 1970"),
    }
}

/// The first and the last of a series of times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    times: Option<(u64, u64)>,
}

impl Span {
    pub(super) fn note(&mut self, time: u64) {
        let (first, _) = self.times.unwrap_or((time, time));
        self.times = Some((first, time));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.times = match (self.times, other.times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }

    pub(super) fn show(self, show: impl Fn(u64) -> String) -> (Option<String>, Option<String>) {
        self.times.map_or((None, None), |(first, last)| (Some(show(first)), Some(show(last))))
    }
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_printed_in_utc() {
        assert_eq!(utc(0), "1970-01-01 00:00:00.000000000");
        assert_eq!(utc(1_692_711_000_000_059_001), "2023-08-22 13:30:00.000059001");
        assert_eq!(utc(u64::MAX), "2554-07-21 23:34:33.709551615");
    }
}
