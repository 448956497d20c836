//! An engine that was filled with the state of another goes on as that one does: the same events, the same state, the same
//! bytes again. Bytes that were changed are refused, or are another state; nothing panics over them.

mod chance;
mod desk;

use chance::{Course, Input, input};
use desk::Desk;
use proptest::prelude::*;
use spindle_engine::Engine;
use spindle_types::keep::{Pen, Reader, Unfit};

fn saved(engine: &Engine) -> Vec<u8> {
    let mut pen = Pen::new();
    engine.save(&mut pen);
    pen.into_bytes()
}

fn fill(engine: &mut Engine, bytes: &[u8]) -> Result<(), Unfit> {
    let mut reader = Reader::new(bytes);
    engine.load(&mut reader)?;
    reader.end()
}

/// Runs inputs and forgets what they tell.
fn run(engine: &mut Engine, course: &mut Course, inputs: &[Input]) {
    for input in inputs {
        course.apply(engine, input);
        engine.clear_outbox();
    }
}

fn goes_on_the_same(before: &[Input], after: &[Input], strange: &[Input]) {
    let (mut desk, mut course) = (Desk::new(), Course::default());
    run(&mut desk.engine, &mut course, before);
    let bytes = saved(&desk.engine);
    // One that has done something else is filled as well as one that is new.
    let mut other = Desk::new();
    run(&mut other.engine, &mut Course::default(), strange);
    fill(&mut other.engine, &bytes).expect("it is a state");
    assert_eq!(other.engine.state_hash(), desk.engine.state_hash());
    assert_eq!(saved(&other.engine), bytes);
    let mut again = course.clone();
    for input in after {
        course.apply(&mut desk.engine, input);
        again.apply(&mut other.engine, input);
        assert_eq!(desk.engine.outbox(), other.engine.outbox(), "{input:?}");
        desk.engine.clear_outbox();
        other.engine.clear_outbox();
    }
    assert_eq!(other.engine.state_hash(), desk.engine.state_hash());
    assert_eq!(saved(&other.engine), saved(&desk.engine));
    assert_eq!(other.engine.counters(), desk.engine.counters());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]
    #[test]
    fn a_filled_engine_goes_on_as_the_one_that_was_saved(
        before in prop::collection::vec(input(), 0..250),
        after in prop::collection::vec(input(), 1..150),
        strange in prop::collection::vec(input(), 0..60),
    ) {
        goes_on_the_same(&before, &after, &strange);
    }

    #[test]
    fn changed_bytes_are_refused_or_another_state(
        before in prop::collection::vec(input(), 0..150),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 40),
        lengths in prop::collection::vec(any::<prop::sample::Index>(), 10),
    ) {
        let mut desk = Desk::new();
        run(&mut desk.engine, &mut Course::default(), &before);
        let whole = saved(&desk.engine);
        for (at, to) in changes {
            let mut bytes = whole.clone();
            let at = at.index(bytes.len());
            bytes[at] = to;
            let _ = fill(&mut desk.engine, &bytes);
        }
        for length in lengths {
            let short = &whole[..length.index(whole.len())];
            prop_assert!(fill(&mut desk.engine, short).is_err());
        }
        fill(&mut desk.engine, &whole).expect("it is a state");
    }
}
