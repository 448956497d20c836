//! Drop copies: read-only sessions that are told what happens to the orders of others, as it is
//! told to those who entered them, and in the engine's order.
//!
//! An event goes to its own session first and then to each copy that may see it: as a record in the
//! copy's stream over SoupBinTCP, as an ExecutionReport over FIX. Both streams are those of any
//! other session, so a copy can be read again from any number.

mod book;
pub mod record;
pub(crate) mod report;

use spindle_engine::event::Event;
use spindle_types::{AccountId, keep};

use self::book::Book;
pub(crate) use self::book::Order;
use crate::config::GatewayConfig;
use crate::fix::desk::FixDesk;
use crate::options::CopyScope;
use crate::ouch::desk::OuchDesk;
use crate::port::Port;

/// What a copy is told beside the event itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The order after the event.
    pub(crate) order: &'a Order,
    /// The client's name for what it was before, where it was replaced.
    pub(crate) original: Option<&'a [u8; 20]>,
    /// The session that entered it: user or CompID.
    pub(crate) session: &'a str,
    /// Its account.
    pub(crate) account: &'a str,
}

#[derive(Clone, Copy, Debug)]
enum Reader {
    Ouch(usize),
    Fix(usize),
}

/// All drop copies of a gateway.
#[derive(keep::State)]
pub(crate) struct Copies {
    #[keep(skip)]
    readers: Vec<(CopyScope, Reader)>,
    book: Book,
    /// By the session's number.
    #[keep(skip)]
    sessions: Vec<String>,
    /// By the account's number.
    #[keep(skip)]
    accounts: Vec<String>,
}

impl Copies {
    pub(crate) fn new(config: &GatewayConfig) -> Self {
        let scope = |session| config.options.get(&session).and_then(|options| options.copy.clone());
        let ouch = config.users.iter().enumerate();
        let ouch = ouch.map(|(at, user)| (scope(user.session), Reader::Ouch(at)));
        let fix = config.fix.iter().flat_map(|fix| &fix.sessions);
        let fix = fix.clone().enumerate().map(|(at, user)| (scope(user.session), Reader::Fix(at)));
        let readers = ouch.chain(fix).filter_map(|(scope, reader)| Some((scope?, reader)));
        let readers: Vec<_> = readers.collect();
        let orders_max = if readers.is_empty() { 0 } else { config.limits.copied_orders_max };
        let of_ouch = config.users.iter().map(|user| (user.session, &user.username));
        let of_fix = config.fix.iter().flat_map(|fix| &fix.sessions);
        let of_fix = of_fix.map(|user| (user.session, &user.comp_id));
        let mut sessions = Vec::new();
        for (session, name) in of_ouch.chain(of_fix) {
            put(&mut sessions, session.index(), name);
        }
        let mut accounts = Vec::new();
        for (account, name) in &config.account_names {
            put(&mut accounts, account.index(), name);
        }
        Self { readers, book: Book::new(orders_max), sessions, accounts }
    }

    /// Whether nobody reads along.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Tells an event to every copy that may see it.
    pub(crate) fn tell(
        &mut self,
        event: &Event,
        ouch: &mut OuchDesk,
        fix: &mut FixDesk,
        port: &mut Port,
    ) {
        let Some((order, original)) = self.book.follow(event) else { return };
        let mut number = [0; 5];
        let session = self.sessions.get(event.session.index()).map_or("", String::as_str);
        let account = match self.accounts.get(event.account.index()) {
            Some(name) if !name.is_empty() => name,
            Some(_) | None => digits(event.account, &mut number),
        };
        let told = Told { order: &order, original: original.as_ref(), session, account };
        let mut record = None;
        for (scope, reader) in &self.readers {
            if !scope.sees(event.session, event.account) {
                continue;
            }
            match *reader {
                Reader::Ouch(at) => {
                    let record = record.get_or_insert_with(|| record::Record::of(event, &told));
                    ouch.copy(at, record.as_bytes(), event.time, port);
                }
                Reader::Fix(at) => fix.copy(at, event, &told, port),
            }
        }
    }
}

fn put(names: &mut Vec<String>, at: usize, name: &str) {
    if names.len() <= at {
        names.resize(at + 1, String::new());
    }
    names[at] = name.to_owned();
}

/// An account's number in digits.
fn digits(account: AccountId, space: &mut [u8; 5]) -> &str {
    let mut number = account.0;
    let mut at = space.len();
    loop {
        at -= 1;
        space[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 || at == 0 {
            return std::str::from_utf8(&space[at..]).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_without_a_name_is_called_by_its_number() {
        for number in [0, 7, 10, 65_535] {
            assert_eq!(digits(AccountId(number), &mut [0; 5]), number.to_string());
        }
    }
}
