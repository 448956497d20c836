//! The venue that a measurement starts: every check of the risk gate on, with limits that its load keeps.

use std::fmt::Write as _;

use spindle_gateway::client::{FixLogin, Login};
use spindle_gateway::fix::Version;
use spindle_types::{Price, Symbol};

use super::{LabError, Protocol};
use crate::config::Config;

/// Instruments of the venue.
const SYMBOLS: [&str; 4] = ["LABA", "LABB", "LABC", "LABD"];

/// The middle of their markets, in 1/10,000 dollar.
pub(super) const MIDDLE: Price = Price(1_000_000);

/// How each check is switched on, as a line of a configuration. Reducing, warnings and kills are no checks.
const LIMITS: &str = r#"
may_short = false
message_rate_max = 4_000_000_000
order_rate_max = 4_000_000_000
order_size_max = 1_000
order_value_max = "1000000000.00"
luld = true
collar_ticks = 1_000
collar_percent = "5"
collar_money = "1.00"
duplicate_max = 4
duplicate_window_ms = 1
executions_max = 1_000
executions_window_ms = 1
order_to_trade_max = 100
order_to_trade_free = 4_000_000_000
open_orders_max = 1_000_000
position_max = 1_000_000_000
bought_quantity_max = 1_000_000_000_000
sold_quantity_max = 1_000_000_000_000
bought_value_max = "100000000000000.00"
sold_value_max = "100000000000000.00"
gross_exposure_max = "100000000000000.00"
net_exposure_max = "100000000000000.00"
credit_max = "100000000000000.00"
loss_max = "100000000000000.00"
"#;

/// One line on the checks that are on.
pub(super) const RISK: &str = "every check on, by account: side, message rate, order rate, order size, order value, \
    price band, collar in ticks, percent and money, duplicates, repeated executions, orders to trades, \
    open orders, position, quantity and value of the day, gross and net exposure, credit, loss";

/// The configuration, with one account for each session; `requests` are sent in all.
pub(super) fn config(
    sessions: u16,
    protocol: Protocol,
    requests: u64,
    feed: bool,
) -> Result<Config, LabError> {
    let mut text = String::from(
        "[venue]\nname = \"LAB\"\n[engine]\norders_max = 1_000_000\nlevels_max = 100_000\n\
         own_orders_max = 65_536\ninstruments_max = 64\nmeasure = true\n\
         [gateway]\nouch_listen = \"127.0.0.1:0\"\nconnections_max = 64\n",
    );
    // What a session is told in a run is kept for the day: some hundred bytes a request.
    let bytes = (requests / u64::from(sessions.max(1))).saturating_mul(100);
    let stream_mib = (bytes >> 20).clamp(256, 16_384);
    let _ = writeln!(text, "stream_mib = {stream_mib}");
    if feed {
        text.push_str("[feed]\n[[feed.line]]\naddress = \"127.0.0.1:0\"\n");
    } else {
        for symbol in SYMBOLS {
            let _ = write!(
                text,
                "[[instrument]]\nsymbol = \"{symbol}\"\nreference_price = \"100.00\"\n\
                 band_low = \"50.00\"\nband_high = \"150.00\"\n"
            );
        }
    }
    for session in 0..sessions {
        let _ = write!(
            text,
            "[[account]]\nname = \"LAB{session}\"\n{LIMITS}[[session]]\nuser = \"lab{session}\"\n\
             password = \"lab\"\naccount = \"LAB{session}\"\n"
        );
    }
    if protocol == Protocol::Fix {
        let orders = (requests / u64::from(sessions) + 100_000).next_power_of_two().min(1 << 24);
        let _ = write!(
            text,
            "[fix]\nlisten = \"127.0.0.1:0\"\ncomp_id = \"LAB\"\norders_max = {orders}\n"
        );
        for session in 0..sessions {
            let _ = write!(
                text,
                "[[fix.session]]\ncomp_id = \"LAB{session}\"\nversion = \"4.4\"\n\
                 account = \"LAB{session}\"\n"
            );
        }
    }
    Config::parse(&text, "the laboratory's own configuration")
        .map_err(|error| LabError::Venue(error.to_string()))
}

/// The instruments by symbol.
pub(super) fn symbols() -> Vec<Symbol> {
    SYMBOLS.iter().filter_map(|symbol| symbol.parse().ok()).collect()
}

/// The login of a session over OUCH.
pub(super) fn ouch_login(session: u16) -> Result<Login, LabError> {
    Login::new(&format!("lab{session}"), "lab").map_err(|error| LabError::Venue(error.to_string()))
}

/// The login of a session over FIX.
pub(super) fn fix_login(session: u16) -> FixLogin {
    FixLogin::new(Version::Fix44, &format!("LAB{session}"), "LAB")
}
