//! Whatever bytes come, the FIX parser gives an answer: every prefix of messages, every byte of
//! them changed, and random bytes.

use proptest::prelude::*;
use spindle_gateway::fix::frame::{check_sum, three_digits};
use spindle_gateway::fix::{Frame, Scratch, Version, frame, validate};

const BODY_MAX: usize = 4_096;
const BLOCK_MAX: usize = 8_192;

fn whole(begin: &str, rest: &str) -> Vec<u8> {
    let text = format!("8={begin}|9={}|{rest}", rest.len()).replace('|', "\x01");
    let mut bytes = text.into_bytes();
    let sum = three_digits(check_sum(&bytes));
    bytes.extend_from_slice(b"10=");
    bytes.extend_from_slice(&sum);
    bytes.push(1);
    bytes
}

fn messages() -> Vec<Vec<u8>> {
    let header = "34=2|49=A|56=B|52=20261120-23:23:38.123|";
    let bodies = [
        "35=A|H98=0|108=30|141=Y|95=3|96=a|b|553=u|554=p|",
        "35=0|H112=TEST|",
        "35=2|H7=1|16=0|",
        "35=4|H36=20|123=Y|",
        "35=D|H11=id|21=1|55=AAPL|54=1|38=100|40=2|44=150.25|60=20261120-23:23:38|386=2|336=A|336=B|",
        "35=D|H11=id|55=AAPL|54=1|60=20261120-23:23:38|40=P|18=R M|453=1|448=x|447=D|452=1|",
        "35=G|H41=id|11=id2|21=1|55=AAPL|54=1|38=100|40=2|44=1|60=20261120-23:23:38|",
        "35=q|H11=m|530=7|60=20261120-23:23:38|",
    ];
    let versions = ["FIX.4.2", "FIX.4.4"];
    versions
        .iter()
        .flat_map(|begin| bodies.iter().map(move |body| whole(begin, &body.replace('H', header))))
        .collect()
}

/// Takes bytes as a receiver does, to the end. Every step uses bytes up, or waits for more.
fn receive(mut bytes: &[u8], scratch: &mut Scratch) -> usize {
    let mut taken = 0;
    loop {
        match frame(bytes, BODY_MAX, BLOCK_MAX) {
            Frame::More { skip } => {
                assert!(skip <= bytes.len());
                return taken;
            }
            Frame::Garbled { used, .. } => {
                assert!(used > 0 && used <= bytes.len());
                bytes = &bytes[used..];
            }
            Frame::Whole { start, end } => {
                assert!(start < end && end <= bytes.len());
                if let Ok(message) = scratch.parse(&bytes[start..end]) {
                    taken += 1;
                    for version in Version::ALL {
                        let _ = validate(version, &message);
                    }
                }
                bytes = &bytes[end..];
            }
        }
    }
}

#[test]
fn every_prefix_and_every_changed_byte_is_answered() {
    let mut scratch = Scratch::new();
    for message in messages() {
        assert_eq!(receive(&message, &mut scratch), 1);
        for length in 0..message.len() {
            assert_eq!(receive(&message[..length], &mut scratch), 0);
        }
        for at in 0..message.len() {
            for byte in 0..=u8::MAX {
                let mut changed = message.clone();
                changed[at] = byte;
                receive(&changed, &mut scratch);
                // With a checksum that fits, so that the change is seen by what comes after it.
                let end = changed.len() - 7;
                let sum = three_digits(check_sum(&changed[..end]));
                changed[end + 3..end + 6].copy_from_slice(&sum);
                receive(&changed, &mut scratch);
            }
        }
    }
}

#[test]
fn a_stream_is_cut_the_same_however_it_comes() {
    let stream = messages().concat();
    let mut scratch = Scratch::new();
    let count = receive(&stream, &mut scratch);
    assert_eq!(count, messages().len());
    let (mut buffer, mut taken) = (Vec::new(), 0);
    for byte in stream {
        buffer.push(byte);
        match frame(&buffer, BODY_MAX, BLOCK_MAX) {
            Frame::More { skip } => assert_eq!(skip, 0),
            Frame::Whole { start: 0, end } if end == buffer.len() => {
                taken += 1;
                buffer.clear();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(taken, count);
}

proptest! {
    #[test]
    fn random_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        receive(&bytes, &mut Scratch::new());
        let framed = whole("FIX.4.2", &format!("35=D|{}", String::from_utf8_lossy(&bytes)));
        receive(&framed, &mut Scratch::new());
    }

    #[test]
    fn random_fields_are_answered(
        fields in prop::collection::vec((-2_i32..1_000, "[A-Z0-9 .:-]{0,21}"), 0..40)
    ) {
        let body: String = fields.iter().map(|(tag, value)| format!("{tag}={value}|")).collect();
        for begin in ["FIX.4.2", "FIX.4.4"] {
            for kind in ["D", "0", "A", "q", "8"] {
                prop_assert_eq!(receive(&whole(begin, &format!("35={kind}|{body}")), &mut Scratch::new()), 1);
            }
        }
    }
}
