//! Numbers of a session that is brought back from records.

use super::*;
use crate::fix::encode::envelope;
use crate::fix::message::Scratch;

const NOW: Now = Now { monotonic: 0, utc: 0 };

fn session() -> Session {
    let limits = SessionLimits {
        message_max: 1_024,
        store_bytes: 65_536,
        store_messages: 256,
        output_bytes: 6_000,
        ..SessionLimits::default()
    };
    let mut session = Session::new(&SessionConfig {
        version: Version::Fix44,
        our_comp_id: "V".to_owned(),
        their_comp_id: "C".to_owned(),
        reset_on_logon: false,
        limits,
    });
    receive(&mut session, "35=A", 1, "98=0|108=30|");
    for _ in 0..40 {
        session.send(b'8', false, NOW, |body| {
            body.field(58, &[b'x'; 200]);
        });
        session.written(session.output().len());
    }
    assert_eq!(session.next_out(), 42);
    session
}

fn receive(session: &mut Session, kind: &str, sequence: u64, body: &str) {
    let head = format!("{kind}|34={sequence}|49=C|52=19700101-00:00:00|56=V|").replace('|', "\x01");
    let mut space = [0; 1_024];
    let body = body.replace('|', "\x01");
    let count = envelope(&mut space, b"FIX.4.4", head.as_bytes(), body.as_bytes()).expect("room");
    let mut scratch = Scratch::new();
    let message = scratch.parse(&space[..count]).expect("a message");
    if session.is_taken() {
        session.receive(&message, NOW);
    } else {
        session.logon(&message, NOW).expect("a Logon");
    }
}

#[test]
fn a_question_that_waits_for_what_is_sent_again_takes_its_number_when_time_passes() {
    // However much the socket takes meanwhile.
    for (from, reads) in [(1, true), (1, false), (41, true), (41, false)] {
        let mut session = session();
        // Number 2 is missing.
        receive(&mut session, "35=2", 3, &format!("7={from}|16=0|"));
        assert_eq!(session.next_out(), 42, "from {from}");
        for _ in 0..20 {
            if reads {
                session.written(session.output().len());
            }
            session.tick(NOW).expect("it goes on");
        }
        assert_eq!(session.next_out(), if reads || from == 41 { 43 } else { 42 }, "from {from}");
    }
}

#[test]
fn a_gap_is_asked_for_again_in_a_session_that_was_sending_again_when_it_was_recorded() {
    let mut session = session();
    receive(&mut session, "35=2", 2, "7=1|16=0|");
    // A record of what came next: by then all was sent.
    session.assume_sent();
    receive(&mut session, "35=0", 4, "");
    assert_eq!(session.next_out(), 43, "the gap was asked for at once");
}
