//! What is taken and what is complained of.

use spindle_risk::{Key, OFF, Target};
use spindle_types::{AccountId, SessionId};

use super::*;

const GOOD: &str = r#"
[venue]
name = "SPINDLE"
[gateway]
ouch_listen = "127.0.0.1:0"
[[instrument]]
symbol = "AAA"
[[account]]
name = "MAKER"
order_size_max = 500
order_value_max = "10000.00"
collar_percent = "5"
open_orders_max = 10
[[session]]
user = "maker"
password = "secret"
account = "MAKER"
"#;

fn complaint(text: &str) -> String {
    Config::parse(text, "venue.toml").expect_err("a complaint").to_string()
}

#[test]
fn a_good_file_is_taken() {
    let config = Config::parse(GOOD, "venue.toml").expect("a configuration");
    assert_eq!(config.accounts[0].limits.get(Key::OrderValueMax, 0), 100_000_000);
    assert_eq!(config.accounts[0].limits.get(Key::CollarPercent, 0), 500);
    assert_eq!(config.instruments, ["AAA".parse().unwrap()]);
    assert_eq!(config.engine.first_number, 1);
}

#[test]
fn complaints_name_place_and_remedy() {
    let cases = [
        ("name = \"SPINDLE\"", "nam = \"SPINDLE\"", "line 3: unknown field `nam`"),
        ("500", "-5", "line 10: order_size_max: give a whole number"),
        ("500", "0", "line 10: order_size_max is 0 and would refuse"),
        ("\"10000.00\"", "\"-1\"", "line 11: order_value_max: it is negative"),
        ("\"10000.00\"", "\"ten\"", "line 11: order_value_max: give a decimal"),
        ("\"5\"", "\"5.123\"", "line 12: collar_percent: give at most two"),
        ("\"AAA\"", "\"TOOLONGSYM\"", "'TOOLONGSYM' is not a symbol"),
        ("account = \"MAKER\"", "account = \"X\"", "no [[account]] is named 'X'"),
        ("\"secret\"", "\"with space\"", "maker, password: give 1 to 10 ASCII"),
        ("127.0.0.1:0", "localhost", "ouch_listen: 'localhost' is no address and port"),
        ("SPINDLE", "ELEVENCHARS", "[venue] name: give 1 to 10 ASCII"),
        ("", "[lockstep]\ntape_listen = 'x'\n", "[lockstep] tape_listen: 'x' is no address"),
        (
            "",
            "[lockstep]\ntape_listen = '127.0.0.1:0'\nsessions = ['x']\n",
            "[lockstep] sessions: no [[session]] has the user 'x'",
        ),
        (
            "open_orders_max = 10",
            "open_orders_max = 10\nfees = { maker = '0.00000001' }",
            "[[account]] MAKER, fees.maker: give an amount for each share",
        ),
        (
            "account = \"MAKER\"",
            "account = \"MAKER\"\nlatency = { entry = { model = 'log_normal', median_ns = 1, sigma = '9' } }",
            "[[session]] maker, latency.entry: give sigma from",
        ),
        (
            "account = \"MAKER\"",
            "account = \"MAKER\"\nlatency = { entry = { model = 'file', path = 'none.txt' } }",
            "[[session]] maker, latency.entry: none.txt: No such file",
        ),
        (
            "account = \"MAKER\"",
            "account = \"MAKER\"\nlatency = { entry = { model = 'uniform' } }",
            "unknown variant `uniform`",
        ),
    ];
    for (good, bad, expected) in cases {
        let text = GOOD.replacen(good, bad, 1);
        let complaint = complaint(&text);
        assert!(complaint.starts_with("venue.toml"), "{complaint}");
        assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
        assert!(!complaint.contains('\n'), "{complaint:?}");
    }
}

#[test]
fn limits_that_are_wrong_are_refused_with_the_line() {
    let after = |text: &str| format!("{GOOD}{text}");
    let of_account = |text: &str| GOOD.replacen("open_orders_max = 10", text, 1);
    let cases = [
        (of_account(""), "line 8: missing field `open_orders_max`"),
        (GOOD.replacen("collar_percent = \"5\"", "", 1), "missing field `collar_percent`"),
        (of_account("open_orders_max = \"10\""), "line 13: open_orders_max: give a whole"),
        (of_account("open_orders_max = 10\nluld = 1"), "line 14: luld: give true or false"),
        (
            of_account("open_orders_max = 10\nbought_quantity_max = 499"),
            "line 10: order_size_max is above bought_quantity_max",
        ),
        (of_account("open_orders_max = 10\norders = 1"), "line 14: unknown field `orders`"),
        (after("[[limits]]\naccount = \"X\"\n"), "line 19: no [[account]] is named 'X'"),
        (after("[[limits]]\nsession = \"X\"\n"), "line 19: no [[session]] has the user 'X'"),
        (after("[[limits]]\nfirm = \"X\"\n"), "line 19: no [[account]] belongs to firm 'X'"),
        (after("[[limits]]\nposition_max = 1\n"), "line 18: give one of account, session"),
        (
            after("[[limits]]\nsession = \"maker\"\nsymbol = \"AAA\"\n"),
            "line 20: only an account has limits in one",
        ),
        (
            after("[[limits]]\naccount = \"MAKER\"\nsymbol = \"ZZZ\"\n"),
            "line 20: no [[instrument]] has the symbol 'ZZZ'",
        ),
        (
            after("[[limits]]\nsession = \"maker\"\ncurrency = \"EUR\"\n"),
            "line 20: [risk] currencies does not name 'EUR'",
        ),
        (
            after("[[limits]]\nsession = \"maker\"\nduplicate_max = 1\n"),
            "line 20: duplicate_max needs duplicate_window_ms",
        ),
        (
            after("[[limits]]\naccount = \"MAKER\"\norder_size_max = 400\n"),
            "line 20: order_size_max is set before for the same owner",
        ),
        (
            after(
                "[[limits]]\nsession = \"maker\"\nposition_max = 1\n\
                 [[limits]]\nsession = \"maker\"\nposition_max = 2\n",
            ),
            "line 23: position_max is set before for the same owner",
        ),
        (after("[risk]\ncurrencies = []\n"), "[risk] currencies: give 1 to 4"),
        (after("[risk]\ncells_max = 0\n"), "[risk] cells_max: 0 is out of range"),
    ];
    for (text, expected) in cases {
        let complaint = complaint(&text);
        assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
        assert!(!complaint.contains('\n'), "{complaint:?}");
    }
}

#[test]
fn limits_are_read_at_every_level() {
    let text = GOOD.replacen("name = \"MAKER\"", "name = \"MAKER\"\nfirm = \"F\"", 1)
        + "[risk]\ncurrencies = [\"USD\", \"EUR\"]\n\
           [[limits]]\nfirm = \"F\"\ncurrency = \"EUR\"\ncredit_max = \"10.00\"\n\
           [[limits]]\naccount = \"MAKER\"\nsymbol = \"AAA\"\nposition_max = 7\n\
           [[limits]]\nsession = \"maker\"\nmessage_rate_max = 5\n\
           [[limits]]\nfirm = \"F\"\nwarn_percent = 50\n";
    let config = Config::parse(&text, "venue.toml").expect("a configuration");
    assert_eq!((config.accounts[0].firm, &*config.risk.firms), (Some(0), &["F".to_owned()][..]));
    let limits = |target, symbol: Option<&str>| {
        let symbol = symbol.map(|symbol| symbol.parse().expect("a symbol"));
        let found = config.risk.limits.iter();
        let found = found.filter(|one| one.target == target && one.symbol == symbol);
        found.map(|one| one.limits).collect::<Vec<_>>()
    };
    let [firm] = limits(Target::Firm(0), None)[..] else { panic!("one") };
    assert_eq!(firm.get(Key::CreditMax, 1), 100_000);
    assert_eq!(firm.get(Key::CreditMax, 0), OFF);
    assert_eq!(firm.get(Key::WarnPercent, 0), 50);
    let own = limits(Target::Account(AccountId(0)), Some("AAA"));
    assert_eq!(own[0].get(Key::PositionMax, 0), 7);
    assert_eq!(limits(Target::Session(SessionId(0)), None)[0].get(Key::MessageRateMax, 0), 5);
}

#[test]
fn fix_sessions_are_numbered_behind_the_others() {
    let fix = "[fix]\nlisten = \"127.0.0.1:0\"\ncomp_id = \"SPINDLE\"\n[[fix.session]]\n\
        comp_id = \"CLIENT\"\nversion = \"4.4\"\npassword = \"secret\"\naccount = \"MAKER\"\n\
        cancel_on = \"loss\"\ngrace_ms = 20\n";
    let config = Config::parse(&format!("{GOOD}{fix}"), "venue.toml").expect("a configuration");
    let session = &config.fix.expect("a FIX side").sessions[0];
    assert_eq!((session.session, session.grace_ns), (SessionId(1), 20_000_000));
    let cases = [
        ("\"4.4\"", "\"4.3\"", "unknown variant `4.3`"),
        ("CLIENT", "A=B", "comp_id: give 1 to 32 visible ASCII characters"),
        ("\"MAKER\"", "\"X\"", "CLIENT, account: no [[account]] is named 'X'"),
        ("\"loss\"", "\"death\"", "unknown variant `death`"),
    ];
    for (good, bad, expected) in cases {
        let complaint = complaint(&format!("{GOOD}{}", fix.replacen(good, bad, 1)));
        assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
    }
    let cut = GOOD.find("[[session]]").unwrap();
    let only_fix = format!("{}{fix}", &GOOD[..cut]);
    assert!(Config::parse(&only_fix, "venue.toml").is_ok(), "OUCH needs nobody then");
}

#[test]
fn a_venue_needs_something_to_trade_and_someone_who_trades() {
    let without = GOOD.replace("[[instrument]]\nsymbol = \"AAA\"", "");
    assert!(complaint(&without).contains("give at least one [[instrument]], or a [feed]"));
    let cut = GOOD.find("[[session]]").unwrap();
    assert!(complaint(&GOOD[..cut]).contains("give at least one [[session]]"));
}

/// "secret" as `spindle password ouch` might hash it, with little memory so that tests are quick.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
                    Bl8hpg1uu1hrmyhO3xO3rw0zRvhX3VCmJ6HnAMBxyIY";

#[test]
fn who_may_come_is_checked() {
    let session =
        |text: &str| GOOD.replacen("user = \"maker\"", &format!("user = \"maker\"\n{text}"), 1);
    let gateway = |text: &str| {
        GOOD.replacen("ouch_listen = \"127.0.0.1:0\"", &format!("ouch_listen = {text}"), 1)
    };
    let hashed = |text: String| text.replacen("\"secret\"", &format!("\"{HASH}\""), 1);
    let cases = [
        (session("allow = ['x']"), "[[session]] maker, allow: 'x' is no address or network"),
        (session("throttle = { rate = 0 }"), "throttle: a rate or burst of 0 lets nothing"),
        (session("accounts = ['X']"), "maker, accounts: no [[account]] is named 'X'"),
        (session("firms = ['X']"), "maker, firms: this is for a drop copy"),
        (session("drop_copy = true\nfirms = ['X']"), "firms: no [[account]] belongs to firm 'X'"),
        (session("drop_copy = true\nsessions = ['X']"), "no session has the user or CompID 'X'"),
        (
            session("drop_copy = true").replacen("account = \"MAKER\"\n", "", 1),
            "maker, drop_copy: it would see nothing; give accounts",
        ),
        (GOOD.replacen("account = \"MAKER\"\n", "", 1), "maker, account: give the account that"),
        (GOOD.replacen("secret", "$argon2id$x", 1), "maker, password: no argon2 hash in PHC form"),
        (
            GOOD.replacen("\"MAKER\"\n", "\"MAKER\"\nouch_firm = \"lime\"\n", 1),
            "give up to 4 capitals",
        ),
        (gateway("'10.0.0.1:1'"), "maker, password: beyond loopback a session has a password"),
        (hashed(gateway("'10.0.0.1:1'")), "10.0.0.1:1 is no loopback address and everything could"),
        (gateway("'127.0.0.1:0'\nallow = ['1.2.3']"), "[gateway] allow: '1.2.3' is no address"),
        (gateway("'127.0.0.1:0'\nstream_mib = 0"), "[gateway] stream_mib: give a number from 1"),
        (
            gateway("'127.0.0.1:0'\nconnections_by_address_max = 65"),
            "connections_by_address_max: give a number from 1 to connections_max, 64",
        ),
        (
            gateway("'127.0.0.1:0'\ntls = { certificate = 'none.pem', key = 'none.key' }"),
            "[gateway.tls]: none.pem: no certificate: No such file or directory",
        ),
    ];
    for (text, expected) in cases {
        let complaint = complaint(&text);
        assert!(complaint.contains(expected), "{complaint} does not contain {expected}");
        assert!(!complaint.contains('\n'), "{complaint:?}");
    }
    let taken = |text: String| Config::parse(&text, "venue.toml").expect("a configuration").access;
    assert_eq!(taken(GOOD.to_owned()).plain_passwords, 1);
    assert_eq!(taken(hashed(gateway("'10.0.0.1:1'\nplain_text = true"))).plain_passwords, 0);
    let access = taken(session("drop_copy = true\nsessions = ['MAKER']\nallow = ['127.0.0.1']"));
    let options = &access.options[&SessionId(0)];
    let copy = options.copy.as_ref().expect("a drop copy");
    assert_eq!((&*copy.accounts, &*copy.sessions), (&[AccountId(0)][..], &[SessionId(0)][..]));
    assert!(!options.allow.admits([127, 0, 0, 2].into()));
    let access = taken(session("drop_copy = true\naccounts = ['*']"));
    assert!(access.options[&SessionId(0)].copy.as_ref().is_some_and(|copy| copy.all));
    assert_eq!(access.account_names[&AccountId(0)], "MAKER");
    assert_eq!(access.refusal_ns, 1_000_000_000);
}
