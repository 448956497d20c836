//! Two records side by side, and records that cannot be.

mod made;

use spindle_lab::compare::{differences, table};
use spindle_lab::record::Record;

#[test]
fn a_record_is_read_as_it_was_written() {
    let record = made::record(10_000);
    let text = record.text().expect("JSON");
    let read = Record::parse(&text, "run.json").expect("a record");
    // A number with a fraction may come back changed in its last bit.
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs();
    assert!(read.hops == record.hops && read.over_time == record.over_time);
    assert!(read.sweep == record.sweep && read.machine == record.machine);
    assert!(read.config == record.config && read.build == record.build);
    assert_eq!((read.wire.p50_ns, read.knee), (record.wire.p50_ns, record.knee));
    assert!(read.figures.keys().eq(record.figures.keys()));
    for (name, figure) in &record.figures {
        let other = &read.figures[name];
        assert!(close(figure.median, other.median), "{name}: {} {}", figure.median, other.median);
        assert_eq!(figure.rounds.len(), other.rounds.len(), "{name}");
    }
}

#[test]
fn a_difference_is_told_with_its_chance_and_none_where_there_is_none() {
    let (slow, fast) = (made::record(12_000), made::record(10_000));
    let of = |name: &str, other: &Record| {
        let all = differences(&fast, other);
        all.into_iter().find(|difference| difference.name == name).expect("the figure")
    };
    let difference = of("wire.p50_ns", &slow);
    assert!(difference.significant && difference.ratio > 1.1, "{difference:?}");
    assert!(
        (difference.p - 2.0 / 252.0).abs() < 1e-9,
        "wholly apart, 5 against 5: {}",
        difference.p
    );
    let same = of("wire.p50_ns", &fast);
    assert!(!same.significant && same.p > 0.9, "{same:?}");
    let text = table(&fast, &slow, false);
    assert!(text.contains("wire.p50_ns") && text.contains("the first run was noisy"), "{text}");
}

#[test]
fn a_record_of_another_version_is_refused_with_what_to_do() {
    let text = made::record(10_000).text().expect("JSON");
    let other = text.replacen("\"version\": 1", "\"version\": 7", 1);
    let error = Record::parse(&other, "old.json").expect_err("another version").to_string();
    assert!(
        error.starts_with("old.json: a record of version 7, this program reads version 1; run"),
        "{error}"
    );
    for (text, said) in [
        ("{", "old.json: no record of a run"),
        ("{}", "old.json: no record of a run (\"format\" is not \"spindle-lab\")"),
        (
            "{\"format\":\"spindle-lab\",\"version\":1}",
            "old.json: no record of a run (missing field",
        ),
    ] {
        let error = Record::parse(text, "old.json").expect_err("no record").to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
