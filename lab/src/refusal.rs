//! What a refusal says to whoever runs a load, and what would work.

use spindle_engine::event::RejectReason;
use spindle_gateway::ouch::codes::reject_code;

/// A refusal over `protocol` (`ouch`, `fix`) with this code, and what to do; over FIX the report says more than its code, and
/// the code of an order is 0.
pub fn said(protocol: &str, code: u64) -> String {
    if protocol != "ouch" {
        return "the venue's log and the report's text say why".to_owned();
    }
    let names: Vec<_> = RejectReason::all()
        .filter(|reason| reject_code(*reason, 0).map(u64::from) == Some(code))
        .map(RejectReason::name)
        .collect();
    let advice = match code {
        0x20 => "give --open less than the account's open_orders_max, or a --mix with less trade",
        0x29 => "give a lower --rate, or more sessions",
        0x2a => "give a lower --rate, or a --mix with less trade",
        0x26 | 0x1d => "give the --price at which the instrument trades",
        0x17 => "give a --symbol that the venue has",
        0x0c => "the account is stopped, or not allowed to trade",
        0x1e | 0x1f => "the account's limits refuse an order for 100 shares at this --price",
        _ => "docs/protocols.md has the codes",
    };
    match names.is_empty() {
        true => format!("code {code:#04x}; {advice}"),
        false => format!("code {code:#04x}, which is {}; {advice}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_refusal_names_its_reasons_and_what_would_work() {
        let said = |code| super::said("ouch", code);
        let open = said(0x20);
        assert!(open.starts_with("code 0x20, which is ") && open.contains("open_orders"), "{open}");
        assert!(open.contains("--open"), "{open}");
        assert!(said(0x29).contains("message_rate") && said(0x29).contains("--rate"));
        assert!(said(0x17).contains("unknown_instrument"));
        assert_eq!(said(0x7777), "code 0x7777; docs/protocols.md has the codes");
        assert!(super::said("fix", 0).contains("say why"));
    }
}
