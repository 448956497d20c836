/// What a message type of ITCH 5.0 is called.
pub(crate) const fn of(message_type: u8) -> &'static str {
    match message_type {
        b'S' => "system event",
        b'R' => "stock directory",
        b'H' => "stock trading action",
        b'Y' => "Reg SHO restriction",
        b'L' => "market participant position",
        b'V' => "circuit breaker decline level",
        b'W' => "circuit breaker status",
        b'K' => "IPO quoting period update",
        b'J' => "LULD auction collar",
        b'h' => "operational halt",
        b'A' => "add order",
        b'F' => "add order with attribution",
        b'E' => "order executed",
        b'C' => "order executed with price",
        b'X' => "order cancel",
        b'D' => "order delete",
        b'U' => "order replace",
        b'P' => "trade",
        b'Q' => "cross trade",
        b'B' => "broken trade",
        b'I' => "net order imbalance",
        b'N' => "retail interest",
        b'O' => "direct listing price discovery",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_type_has_a_name() {
        for &message_type in spindle_feed::itch::MESSAGE_TYPES {
            assert_ne!(super::of(message_type), "unknown");
        }
    }
}
