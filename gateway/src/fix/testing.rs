//! What the tests of this protocol share.

/// A message as it is written for people, with `|` for SOH.
pub(crate) fn wire(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte == b'|' { super::SOH } else { byte }).collect()
}

/// Bytes as they are written for people.
pub(crate) fn readable(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| if byte == super::SOH { '|' } else { char::from(byte) }).collect()
}
