//! What must hold when everything has settled, from what clients were told and from nothing of the venue's own reckoning.

use std::collections::BTreeMap;

use spindle_engine::OrderKey;
use spindle_risk::Target;
use spindle_types::{AccountId, InstrumentId, OrderReference};

use crate::feed::Market;
use crate::ledger::{Fill, Way};
use crate::world::World;

/// Shares and money, bought and sold.
type Sums = [u64; 2];

/// Everything of this.
///
/// # Errors
/// What does not hold.
pub fn all(world: &World) -> Result<(), String> {
    conservation(world)?;
    match &world.market {
        None => crossed(world)?,
        Some(market) => tape(world, market)?,
    }
    accounts(world)?;
    copies(world)?;
    inside(world)
}

/// What was bought was sold, at every price of every instrument, and whatever carries a number carries it twice.
fn conservation(world: &World) -> Result<(), String> {
    let mut sums: BTreeMap<(usize, u64), Sums> = BTreeMap::new();
    let mut matches: BTreeMap<u64, Vec<Fill>> = BTreeMap::new();
    for client in &world.clients {
        let ledger = client.ledger();
        for fill in &ledger.fills {
            let sum = sums.entry((fill.symbol, fill.price)).or_default();
            sum[fill.way as usize] += u64::from(fill.quantity);
            if fill.matched != 0 {
                matches.entry(fill.matched).or_default().push(*fill);
            }
        }
    }
    for ((symbol, price), [bought, sold]) in sums {
        // Beside a market the other side may be the market's: the venue's ledger has to balance, and is asked always.
        if bought != sold && world.market.is_none() {
            return Err(format!(
                "instrument {symbol} at {price}: {bought} shares bought, {sold} sold"
            ));
        }
    }
    for (number, fills) in matches {
        if let [one, other] = fills[..] {
            let same = (one.quantity, one.price, one.symbol)
                == (other.quantity, other.price, other.symbol);
            if one.way == other.way || !same {
                return Err(format!("match {number}: {one:?} and {other:?}"));
            }
        } else if fills.len() > 2 {
            return Err(format!("match {number} was told {} times", fills.len()));
        }
    }
    Ok(())
}

/// The market's orders stand as the tape says, where nothing of it was lost.
fn tape(world: &World, market: &Market) -> Result<(), String> {
    let Some(venue) = &world.venue else { return Err("the venue is down".to_owned()) };
    if venue.engine.feed_counters().lost > 0 || world.counts.lost > 0 {
        return Ok(());
    }
    let books = venue.engine.engine().books();
    let mut standing = 0;
    for (reference, order) in market.orders() {
        let key = OrderKey::market(OrderReference(reference));
        let found = key.and_then(|key| books.find(key)).map(|slot| books.order(slot));
        let has = found.map(|found| (found.instrument().0, found.quantity()));
        let due = (u16::try_from(order.symbol + 1).unwrap_or(0), order.shares);
        if has != Some(due) {
            return Err(format!(
                "order {reference} of the market is {has:?}, by the tape {order:?}"
            ));
        }
        standing += 1;
    }
    let own: usize = world.clients.iter().map(|client| client.ledger().open.len()).sum();
    if books.live_orders() != standing + own {
        return Err(format!(
            "{} orders stand, {standing} by the tape and {own} of clients",
            books.live_orders()
        ));
    }
    Ok(())
}

/// No order that is open could trade with another.
fn crossed(world: &World) -> Result<(), String> {
    for symbol in 0..world.plan.symbols {
        let orders = || {
            let all = world.clients.iter().flat_map(|client| client.ledger().orders.values());
            all.filter(|order| order.symbol == symbol && order.open() > 0)
        };
        let bids = orders().filter(|order| order.way == Way::Buy).map(|order| order.price);
        let asks = orders().filter(|order| order.way == Way::Sell).map(|order| order.price);
        if let (Some(bid), Some(ask)) = (bids.max(), asks.min())
            && bid >= ask
        {
            return Err(format!(
                "instrument {symbol}: {bid} is bid and {ask} asked, and nothing trades"
            ));
        }
    }
    Ok(())
}

/// What clients know of themselves is what the venue's risk gate has of their accounts.
fn accounts(world: &World) -> Result<(), String> {
    let Some(venue) = &world.venue else { return Err("the venue is down".to_owned()) };
    let gate = venue.engine.engine().gate();
    for account in 0..world.plan.accounts {
        let target = Target::Account(AccountId(u16::try_from(account).unwrap_or(0)));
        let of_account = || {
            let clients = world.clients.iter().zip(&world.plan.clients);
            clients.filter(move |(_, plan)| plan.account == account && plan.trades())
        };
        for symbol in 0..world.plan.symbols {
            let (mut open, mut traded, mut orders) = ([0, 0], [0, 0], 0);
            for (client, _) in of_account() {
                let ledger = client.ledger();
                for order in ledger.orders.values().filter(|order| order.symbol == symbol) {
                    open[order.way as usize] += u64::from(order.open());
                    orders += u64::from(order.open() > 0);
                }
                for fill in ledger.fills.iter().filter(|fill| fill.symbol == symbol) {
                    traded[fill.way as usize] += u64::from(fill.quantity);
                }
            }
            let instrument = InstrumentId(u16::try_from(symbol + 1).unwrap_or(0));
            let totals = gate.totals_in(target, instrument);
            let known = (open, traded, orders);
            let kept = (totals.open, totals.traded, totals.open_orders);
            if known != kept {
                return Err(format!(
                    "account {account}, instrument {symbol}: (open, traded, orders) are {known:?} by its \
                     clients, {kept:?} by the venue"
                ));
            }
            let held =
                i128::from(traded[Way::Buy as usize]) - i128::from(traded[Way::Sell as usize]);
            if held != i128::from(totals.position) {
                return Err(format!(
                    "account {account}, instrument {symbol}: holds {held} by its clients, {} by the venue",
                    totals.position
                ));
            }
        }
    }
    Ok(())
}

/// A drop copy has what each session was told, in its order.
fn copies(world: &World) -> Result<(), String> {
    let copies = world.clients.iter().filter_map(|client| client.as_soup());
    for copy in copies.filter(|client| client.edition().is_none()) {
        let mut last = 0;
        // A copy whose stream is full says so, and ends there.
        let is_full = copy
            .log()
            .last()
            .is_some_and(|told| told.bytes.last() == Some(&b'F') && told.bytes.len() == 10);
        let mut by_session: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
        for told in copy.log() {
            let bytes = &told.bytes[..];
            if bytes.first() != Some(&b'W') {
                continue;
            }
            let (Some(head), Some(message)) = (bytes.get(..93), bytes.get(93..)) else {
                return Err("a record of a drop copy is too short".to_owned());
            };
            let number = head[1..9].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
            if number <= last {
                return Err(format!("drop copy: event {number} behind {last}"));
            }
            last = number;
            let session = String::from_utf8_lossy(&head[9..41]).trim_end().to_owned();
            by_session.entry(session).or_default().push(message);
        }
        for client in &world.clients {
            let Some(client) = client.as_soup().filter(|client| client.edition().is_some()) else {
                // What is told over FIX has another form; its records are in their order at least.
                by_session.remove(client.name());
                continue;
            };
            let name = crate::client::Client::name(client);
            let copied = by_session.remove(name).unwrap_or_default();
            crate::client::copy::compare(client, &copied, is_full)
                .map_err(|why| format!("drop copy of {name}: {why}"))?;
        }
        if let Some((session, _)) = by_session.pop_first() {
            return Err(format!("drop copy: nobody is {session}"));
        }
    }
    Ok(())
}

/// The engine's own checks of its whole state.
fn inside(world: &World) -> Result<(), String> {
    let Some(venue) = &world.venue else { return Err("the venue is down".to_owned()) };
    let engine = venue.engine.engine();
    engine.check().map_err(|fault| format!("the engine's state: {fault:?}"))?;
    engine.check_risk().map_err(|fault| format!("the engine's risk state: {fault}"))
}
