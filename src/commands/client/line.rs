//! What is typed at `spindle client`: a line in, what it asks for out.

use std::fmt;

use rust_decimal::Decimal;
use spindle_engine::command::{OrderSide, TimeInForce};
use spindle_gateway::client::{Order, OrderId};
use spindle_types::{Price, PriceUnit, Quantity};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An empty line.
    Nothing,
    Enter(Order),
    Cancel(OrderId),
    Replace(OrderId, Quantity, Price),
    /// Which orders are open.
    Orders,
    /// Go on when the venue has said all.
    Wait,
    Help,
    Quit,
}

/// What can be typed.
pub(super) const HELP: &str = "\
buy 100 AAPL 10.00         a limit order for the day; sell and short likewise
buy 100 AAPL 10.00 ioc     what does not execute at once is cancelled
buy 100 AAPL market        a market order
cancel 1                   cancel order 1
replace 1 50 10.01         order 1 becomes 50 shares in all at 10.01, under a new number
orders                     what is open
wait                       go on when the venue has said all: for scripts
help                       this
quit                       log out and end; so does the end of the input";

/// Why a line means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineError(String);

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn wrong<T>(message: impl Into<String>) -> Result<T, LineError> {
    Err(LineError(message.into()))
}

/// Reads a line. Words are parted by blanks; upper and lower case are the same, but for the symbol, which is
/// taken as upper case.
pub(super) fn read(line: &str) -> Result<Asked, LineError> {
    let words: Vec<_> = line.split_whitespace().collect();
    let lower: Vec<_> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let lower: Vec<_> = lower.iter().map(String::as_str).collect();
    match lower[..] {
        [] => Ok(Asked::Nothing),
        ["buy" | "sell" | "short", ..] => enter(lower[0], &words[1..]),
        ["cancel", number] => Ok(Asked::Cancel(id(number)?)),
        ["replace", number, shares, limit] => {
            Ok(Asked::Replace(id(number)?, quantity(shares)?, price(limit)?))
        }
        ["orders"] => Ok(Asked::Orders),
        ["wait"] => Ok(Asked::Wait),
        ["help" | "?"] => Ok(Asked::Help),
        ["quit" | "exit"] => Ok(Asked::Quit),
        ["cancel", ..] => wrong("give the number of an order: cancel 1"),
        ["replace", ..] => wrong("give order, shares and limit: replace 1 50 10.01"),
        [word, ..] => {
            let word: String = word.chars().take(20).collect();
            wrong(format!("'{}' is not known; help lists what is", word.escape_default()))
        }
    }
}

fn enter(side: &str, words: &[&str]) -> Result<Asked, LineError> {
    let (shares, symbol, limit, rest) = match words {
        [shares, symbol, limit] => (shares, symbol, limit, None),
        [shares, symbol, limit, rest] => (shares, symbol, limit, Some(*rest)),
        _ => return wrong(format!("give shares, symbol and limit: {side} 100 AAPL 10.00 [ioc]")),
    };
    let side = match side {
        "buy" => OrderSide::Buy,
        "sell" => OrderSide::Sell,
        _ => OrderSide::SellShort,
    };
    let is_market = limit.eq_ignore_ascii_case("market");
    let time_in_force = match rest.map(str::to_ascii_lowercase).as_deref() {
        Some("ioc") => TimeInForce::ImmediateOrCancel,
        Some("day") | None if !is_market => TimeInForce::Day,
        None => TimeInForce::ImmediateOrCancel,
        Some(_) => return wrong("after the limit comes nothing, ioc or day"),
    };
    let Ok(symbol) = symbol.to_ascii_uppercase().parse() else {
        return wrong(format!("'{}' is no symbol: 1 to 8 letters", symbol.escape_default()));
    };
    let quantity = quantity(shares)?;
    let limit = if is_market { None } else { Some(price(limit)?) };
    Ok(Asked::Enter(Order { side, quantity, symbol, limit, time_in_force }))
}

fn id(text: &str) -> Result<OrderId, LineError> {
    match text.parse() {
        Ok(number) => Ok(OrderId(number)),
        Err(_) => wrong(format!("'{}' is no number of an order", text.escape_default())),
    }
}

fn quantity(text: &str) -> Result<Quantity, LineError> {
    match text.parse() {
        Ok(shares) if shares > 0 => Ok(Quantity(shares)),
        _ => wrong(format!("'{}' is no number of shares: at least 1", text.escape_default())),
    }
}

fn price(text: &str) -> Result<Price, LineError> {
    let decimal: Option<Decimal> = text.parse().ok();
    match decimal.map(|decimal| PriceUnit::TEN_THOUSANDTH.price(decimal)) {
        Some(Ok(price)) if price.0 > 0 => Ok(price),
        Some(Err(error)) => wrong(error.to_string()),
        _ => wrong(format!("'{}' is no price such as 10.00", text.escape_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let symbol = "AAPL".parse().expect("a symbol");
        let order = Order::buy(100, symbol, Price(100_000));
        assert_eq!(read("buy 100 aapl 10.00"), Ok(Asked::Enter(order)));
        assert_eq!(read("BUY 100 AAPL 10 day"), Ok(Asked::Enter(order)));
        let taken = order.immediate_or_cancel();
        assert_eq!(read(" buy  100 AAPL 10.0000 IOC "), Ok(Asked::Enter(taken)));
        let market = Order { limit: None, side: OrderSide::Sell, ..taken };
        assert_eq!(read("sell 100 AAPL market"), Ok(Asked::Enter(market)));
        assert_eq!(read("cancel 7"), Ok(Asked::Cancel(OrderId(7))));
        let replaced = Asked::Replace(OrderId(7), Quantity(50), Price(100_100));
        assert_eq!(read("replace 7 50 10.01"), Ok(replaced));
        assert_eq!(
            (read(""), read("quit"), read("?")),
            (Ok(Asked::Nothing), Ok(Asked::Quit), Ok(Asked::Help))
        );
    }

    #[test]
    fn what_means_nothing_says_what_would() {
        for (line, expected) in [
            ("by 100 AAPL 10", "'by' is not known; help lists what is"),
            ("buy 100 AAPL", "give shares, symbol and limit: buy 100 AAPL 10.00 [ioc]"),
            ("buy 0 AAPL 10", "'0' is no number of shares: at least 1"),
            ("buy -5 AAPL 10", "'-5' is no number of shares: at least 1"),
            ("buy 5 TOOLONGSYM 10", "'TOOLONGSYM' is no symbol: 1 to 8 letters"),
            ("buy 5 AAPL ten", "'ten' is no price such as 10.00"),
            ("buy 5 AAPL 10.00001", "the price has more than 4 decimal places"),
            ("buy 5 AAPL -1", "the price is negative; it must be at least 0"),
            ("buy 5 AAPL 0", "'0' is no price such as 10.00"),
            ("buy 5 AAPL 10 gtc", "after the limit comes nothing, ioc or day"),
            ("sell 5 AAPL market day", "after the limit comes nothing, ioc or day"),
            ("cancel", "give the number of an order: cancel 1"),
            ("cancel x", "'x' is no number of an order"),
            ("replace 1 50", "give order, shares and limit: replace 1 50 10.01"),
            ("\u{1b}[2J", "'\\u{1b}[2j' is not known; help lists what is"),
        ] {
            assert_eq!(read(line).map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
    }
}
