//! What tests share.

/// The bytes that a text of hexadecimal digits stands for; spaces are for the reader.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}
