//! The HdrHistogram log format, so that its own tools read what was measured.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

/// Writes one interval for each histogram, tagged with its name; `begun` is in seconds since 1970.
/// Values are nanoseconds.
///
/// # Errors
/// What the writer says; a name that cannot be a tag is left out as such, with its histogram untagged.
pub fn write(
    out: &mut impl Write,
    begun: u64,
    length: Duration,
    histograms: &[(String, Histogram<u64>)],
) -> std::io::Result<()> {
    let mut serializer = V2Serializer::new();
    let begin: SystemTime = UNIX_EPOCH + Duration::from_secs(begun);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("Values are nanoseconds from when a request was due; hops: see the tag")
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(1_000_000.0)
        .begin_log_with(out, &mut serializer)?;
    for (name, histogram) in histograms {
        log.write_histogram(histogram, Duration::ZERO, length, Tag::new(name))
            .map_err(|error| std::io::Error::other(format!("{name}: {error:?}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn the_librarys_own_reader_reads_it() {
        let mut histogram = crate::recorder::histogram();
        (1..=1_000_u64).for_each(|value| histogram.saturating_record(value * 1_000));
        let mut bytes = Vec::new();
        let histograms = [("ring-in".to_owned(), histogram.clone())];
        write(&mut bytes, 1_700_000_000, Duration::from_secs(5), &histograms).expect("a log");
        let mut read = 0;
        for entry in IntervalLogIterator::new(&bytes) {
            if let LogEntry::Interval(interval) = entry.expect("an entry") {
                assert_eq!(
                    interval.tag().map(|tag| tag.as_str().to_owned()).as_deref(),
                    Some("ring-in")
                );
                assert_eq!(interval.max(), 1.0, "milliseconds");
                let encoded = base64_of(interval.encoded_histogram());
                let decoded: Histogram<u64> =
                    Deserializer::new().deserialize(&mut encoded.as_slice()).expect("a histogram");
                assert_eq!(decoded, histogram);
                read += 1;
            }
        }
        assert_eq!(read, 1);
    }

    /// The bytes behind a text in base 64.
    fn base64_of(text: &str) -> Vec<u8> {
        let digit = |byte: u8| match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let digits: Vec<_> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
        let mut bytes = Vec::new();
        for four in digits.chunks(4) {
            let bits = four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
            let bits = bits << (6 * (4 - four.len()));
            bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
        }
        bytes
    }
}
