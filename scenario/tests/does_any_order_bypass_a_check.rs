//! Every type of order against every check: what the check forbids does not pass, whatever kind of
//! order asks for it, as a new order and as a replacement.

use spindle_scenario::{Line, Matcher, Op, Size, Twin, Venue};

const SIZE: Size = Size { instruments: 2, accounts: 8, orders: 512 };

/// Orders by name: the fields of a buy, and whether it is for an auction.
const TYPES: [(&str, &str); 16] = [
    ("limit", r#""type":"limit","price":"10.00""#),
    ("market", r#""type":"market""#),
    ("market_to_limit", r#""type":"market_to_limit""#),
    ("stop", r#""type":"stop","stop_price":"10.50""#),
    ("stop_limit", r#""type":"stop_limit","stop_price":"10.50","price":"10.50""#),
    ("trailing_stop", r#""type":"trailing_stop","trail":"0.50""#),
    ("trailing_stop_limit", r#""type":"trailing_stop","trail":"0.50","price":"10.50""#),
    ("midpoint_peg", r#""type":"midpoint_peg","price":"10.00""#),
    ("primary_peg", r#""type":"primary_peg","price":"10.00""#),
    ("iceberg", r#""type":"limit","price":"10.00","display":10"#),
    ("hidden", r#""type":"limit","price":"10.00","hidden":true"#),
    ("post_only", r#""type":"limit","price":"9.00","post_only":true"#),
    ("ioc", r#""type":"limit","price":"10.00","tif":"ioc""#),
    ("fok", r#""type":"limit","price":"10.00","tif":"fok""#),
    ("at_close", r#""type":"limit","price":"10.00","tif":"at_close""#),
    ("gtc", r#""type":"limit","price":"10.00","tif":"gtc""#),
];

/// Checks with what makes every buy of 100 at about 10.00 fail: operations before the order.
fn checks() -> Vec<(&'static str, Vec<String>)> {
    let limits = |fields: &str| format!(r#"{{"op":"limits","account":"A",{fields}}}"#);
    // One before, in the other session, which fills.
    let traded = || {
        vec![
            r#"{"op":"new","id":50,"account":"M","symbol":"X","side":"sell","type":"limit","price":"9.95","quantity":1}"#.to_string(),
            r#"{"op":"new","id":51,"account":"A","symbol":"X","side":"buy","type":"limit","price":"9.95","quantity":1}"#.to_string(),
        ]
    };
    let after_trade = |fields: &str| {
        let mut ops = vec![limits(fields)];
        ops.extend(traded());
        ops
    };
    let lost = {
        let mut ops = traded();
        // What was bought at 9.95 is worth 9.00 now: the bid.
        ops.push(limits(r#""loss_max":"0.10""#));
        ops
    };
    vec![
        ("killed", vec![r#"{"op":"kill","account":"A"}"#.into()]),
        ("restricted", vec![limits(r#""restricted":true"#)]),
        ("side", vec![limits(r#""may_buy":false"#)]),
        ("message_rate", after_trade(r#""message_rate_max":1,"message_burst":1"#)),
        ("order_rate", after_trade(r#""order_rate_max":1,"order_burst":1"#)),
        ("order_size", vec![limits(r#""order_size_max":99"#)]),
        ("order_value", vec![limits(r#""order_value_max":"899.99""#)]),
        ("repeated_execution", after_trade(r#""executions_max":1,"executions_window_ms":1000"#)),
        ("order_to_trade", after_trade(r#""order_to_trade_max":1,"order_to_trade_free":0"#)),
        ("position", vec![limits(r#""position_max":99"#)]),
        ("bought_quantity", vec![limits(r#""bought_quantity_max":99"#)]),
        ("bought_value", vec![limits(r#""bought_value_max":"899.99""#)]),
        ("gross_exposure", vec![limits(r#""gross_exposure_max":"899.99""#)]),
        ("net_exposure", vec![limits(r#""net_exposure_max":"899.99""#)]),
        ("credit", vec![limits(r#""credit_max":"899.99""#)]),
        ("loss", lost),
        ("firm's position", vec![r#"{"op":"limits","firm":"F","position_max":99}"#.into()]),
        ("session's position", vec![r#"{"op":"limits","session":"A","position_max":99}"#.into()]),
        (
            "instrument's position",
            vec![r#"{"op":"limits","account":"A","symbol":"X","position_max":99}"#.into()],
        ),
    ]
}

fn begin(matcher: &mut dyn Matcher) {
    for op in [
        r#"{"op":"instrument","symbol":"X","tick":"0.01"}"#,
        r#"{"op":"account","account":"A","firm":"F"}"#,
        r#"{"op":"new","id":1,"account":"M","symbol":"X","side":"sell","type":"limit","price":"10.00","quantity":1}"#,
        r#"{"op":"new","id":2,"account":"N","symbol":"X","side":"buy","type":"limit","price":"10.00","quantity":1}"#,
        r#"{"op":"new","id":3,"account":"M","symbol":"X","side":"sell","type":"limit","price":"10.00","quantity":1000}"#,
        r#"{"op":"new","id":4,"account":"M","symbol":"X","side":"buy","type":"limit","price":"9.00","quantity":1000}"#,
    ] {
        apply(matcher, op);
    }
}

fn apply(matcher: &mut dyn Matcher, op: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    matcher.apply(&Op::parse(op).unwrap_or_else(|why| panic!("{op}: {why}")), &mut lines);
    lines
}

fn order(id: u64, quantity: u64, fields: &str) -> String {
    format!(
        r#"{{"op":"new","id":{id},"account":"A","symbol":"X","side":"buy","quantity":{quantity},{fields}}}"#
    )
}

fn reason(lines: &[Line]) -> Option<&'static str> {
    match lines.first() {
        Some(Line::Rejected(rejected)) => Some(rejected.reason),
        _ => None,
    }
}

fn matchers() -> [(&'static str, Box<dyn Matcher>); 2] {
    [("engine", Box::new(Venue::new(SIZE))), ("twin", Box::new(Twin::new()))]
}

#[test]
fn no_type_of_order_passes_what_a_check_forbids() {
    let mut pairs = 0;
    for (name, fields) in TYPES {
        // Without the limit it passes.
        for (who, mut matcher) in matchers() {
            begin(&mut *matcher);
            let lines = apply(&mut *matcher, &order(9, 100, fields));
            assert!(matches!(lines[0], Line::Accepted { .. }), "{who}: {name}: {lines:?}");
        }
        for (check, before) in checks() {
            let expected = check.rsplit(' ').next().unwrap_or(check);
            for (who, mut matcher) in matchers() {
                begin(&mut *matcher);
                for op in &before {
                    apply(&mut *matcher, op);
                }
                let lines = apply(&mut *matcher, &order(9, 100, fields));
                assert_eq!(
                    reason(&lines),
                    Some(expected),
                    "{who}: {name} against {check}: {lines:?}"
                );
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 2 * TYPES.len() * checks().len());
}

#[test]
fn what_refuses_the_second_alike_refuses_it_of_every_type() {
    for (check, limit) in [
        ("duplicate", r#""duplicate_max":1,"duplicate_window_ms":1"#),
        ("open_orders", r#""open_orders_max":1"#),
    ] {
        for (name, fields) in TYPES {
            // What never stays open cannot be the second that is.
            let passes = matches!(name, "market" | "market_to_limit" | "ioc" | "fok" | "limit");
            let passes = passes || matches!(name, "iceberg" | "hidden" | "gtc" | "midpoint_peg");
            if check == "open_orders" && (passes || name == "primary_peg") {
                continue;
            }
            for (who, mut matcher) in matchers() {
                begin(&mut *matcher);
                apply(&mut *matcher, &format!(r#"{{"op":"limits","account":"A",{limit}}}"#));
                apply(&mut *matcher, &order(8, 100, fields));
                let lines = apply(&mut *matcher, &order(9, 100, fields));
                assert_eq!(reason(&lines), Some(check), "{who}: {name}: {lines:?}");
            }
        }
    }
}

#[test]
fn no_replacement_passes_what_a_check_forbids() {
    for (name, fields) in TYPES {
        // What stays open after its entry.
        let stays = ["stop", "stop_limit", "trailing_stop", "trailing_stop_limit", "post_only"];
        if !stays.contains(&name) && name != "at_close" {
            continue;
        }
        let price = match name {
            "stop" | "trailing_stop" => "null",
            "post_only" => r#""9.00""#,
            "at_close" => r#""10.00""#,
            _ => r#""10.50""#,
        };
        for (check, before) in checks() {
            // These judge new orders and replacements alike, but an order beside it fills here.
            let expected = check.rsplit(' ').next().unwrap_or(check);
            for (who, mut matcher) in matchers() {
                begin(&mut *matcher);
                apply(&mut *matcher, &order(9, 1, fields));
                for op in &before {
                    apply(&mut *matcher, op);
                }
                let replace = format!(
                    r#"{{"op":"replace","id":9,"new_id":10,"price":{price},"quantity":100}}"#
                );
                let lines = apply(&mut *matcher, &replace);
                // What was stopped rests no more.
                let expected = if check == "killed" { "unknown_id" } else { expected };
                assert_eq!(
                    reason(&lines),
                    Some(expected),
                    "{who}: {name} against {check}: {lines:?}"
                );
            }
        }
    }
}

/// Bands and collars: an order with a limit is refused, one without goes no further, and a stop is
/// held to them when it is triggered.
#[test]
fn no_type_of_order_trades_beyond_collar_or_band() {
    for (check, set) in [
        ("collar", r#"{"op":"limits","account":"A","collar_money":"0.10"}"#),
        ("collar", r#"{"op":"limits","firm":"F","collar_ticks":10}"#),
        ("collar", r#"{"op":"limits","account":"A","symbol":"X","collar_percent":"1"}"#),
        ("luld_band", r#"{"op":"reference","symbol":"X","high":"10.10"}"#),
    ] {
        for (name, fields) in TYPES {
            // The same order, far through the other side.
            let fields = fields
                .replace(r#""price":"10.00""#, r#""price":"12.00""#)
                .replace(r#""price":"10.50""#, r#""price":"12.00""#);
            for (who, mut matcher) in matchers() {
                let matcher = &mut *matcher;
                begin(matcher);
                apply(matcher, r#"{"op":"limits","account":"A"}"#);
                apply(matcher, set);
                apply(
                    matcher,
                    r#"{"op":"new","id":5,"account":"M","symbol":"X","side":"sell","type":"limit","price":"11.00","quantity":5000}"#,
                );
                let mut lines = apply(matcher, &order(9, 2000, &fields));
                if name.contains("stop") {
                    assert!(matches!(lines[0], Line::Accepted { .. }), "{who}: {name}: {lines:?}");
                    // Somebody trades at 10.50, which elects it.
                    for op in [
                        r#"{"op":"new","id":6,"account":"N","symbol":"X","side":"buy","type":"limit","price":"10.00","quantity":1000}"#,
                        r#"{"op":"new","id":7,"account":"M","symbol":"X","side":"sell","type":"limit","price":"10.60","quantity":10}"#,
                        r#"{"op":"new","id":70,"account":"N","symbol":"X","side":"buy","type":"limit","price":"10.60","quantity":5}"#,
                    ] {
                        lines.extend(apply(matcher, op));
                    }
                    assert!(lines.contains(&Line::Triggered { id: 9 }), "{who}: {name}: {lines:?}");
                }
                let ends = lines.iter().find_map(|line| match line {
                    Line::Rejected(rejected) => Some(rejected.reason),
                    Line::Canceled { id: 9, reason, .. } => Some(*reason),
                    _ => None,
                });
                let protected = ["market", "stop", "trailing_stop"].contains(&name);
                let rests = ["market_to_limit", "post_only"].contains(&name);
                let is_band = check == "luld_band";
                if protected {
                    let is_fine = matches!(ends, Some("protection" | "no_liquidity"));
                    assert!(is_fine, "{who}: {name}, {check}: {lines:?}");
                } else if !rests {
                    assert_eq!(ends, Some(check), "{who}: {name} {is_band}: {lines:?}");
                }
                let highest = lines.iter().filter_map(|line| match line {
                    Line::Trade { taker: Some(9), price, .. } => Some(price.units),
                    _ => None,
                });
                assert!(highest.max().unwrap_or(0) <= 107_000, "{who}: {name}: {lines:?}");
            }
        }
    }
}

/// Pegs without a limit, and market orders for an auction, have no price that anything holds them to.
#[test]
fn what_cannot_be_protected_is_refused_under_a_collar() {
    for fields in [
        r#""type":"midpoint_peg""#,
        r#""type":"primary_peg","offset":"0.01""#,
        r#""type":"market","tif":"at_close""#,
    ] {
        for side in ["buy", "sell"] {
            for (who, mut matcher) in matchers() {
                let matcher = &mut *matcher;
                begin(matcher);
                apply(matcher, r#"{"op":"limits","account":"A","collar_percent":"50"}"#);
                let order = order(9, 1, fields).replace("buy", side);
                assert_eq!(reason(&apply(matcher, &order)), Some("collar"), "{who}: {order}");
            }
        }
    }
}

#[test]
fn short_sales_of_every_type_need_a_locate() {
    for (name, fields) in TYPES {
        let fields = fields.replace("10.50", "9.50").replace(r#""9.00""#, r#""11.00""#);
        for (who, mut matcher) in matchers() {
            let matcher = &mut *matcher;
            begin(matcher);
            apply(matcher, r#"{"op":"limits","account":"A","locate":true}"#);
            apply(matcher, r#"{"op":"limits","account":"A","symbol":"X","locate_shares":99}"#);
            let short = order(9, 100, &fields).replace(r#""buy""#, r#""sell","sale":"short""#);
            assert_eq!(reason(&apply(matcher, &short)), Some("locate"), "{who}: {name}");
        }
    }
}

/// What a sale alone is held to, and what one that rests already leaves no room for: of every type.
#[test]
fn sales_and_second_orders_of_every_type_are_refused() {
    let resting = r#"{"op":"new","id":8,"account":"A","symbol":"X","side":"buy","type":"limit","price":"8.00","quantity":1}"#;
    for (check, limit) in [
        ("sold_quantity", r#""sold_quantity_max":99"#),
        ("sold_value", r#""sold_value_max":"899.99""#),
        ("side", r#""may_sell":false"#),
        ("open_orders", r#""open_orders_max":1"#),
    ] {
        for (name, fields) in TYPES {
            let fields = fields.replace("10.50", "9.50").replace(r#""9.00""#, r#""11.00""#);
            for (who, mut matcher) in matchers() {
                let matcher = &mut *matcher;
                begin(matcher);
                apply(matcher, resting);
                apply(matcher, &format!(r#"{{"op":"limits","account":"A",{limit}}}"#));
                let sale = order(9, 100, &fields).replace(r#""buy""#, r#""sell""#);
                let lines = apply(matcher, &sale);
                assert_eq!(reason(&lines), Some(check), "{who}: {name}: {lines:?}");
            }
        }
    }
}
