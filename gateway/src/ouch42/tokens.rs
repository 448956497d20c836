//! The tokens of one session and day, with what is known of their orders. Room is taken at the start;
//! nothing is forgotten before the day is over, so that every token is known again.

use std::collections::HashMap;

use spindle_types::{OrderToken, keep};

use super::Token;

/// What a client named with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub(super) struct Record {
    pub(super) token: Token,
    pub(super) firm: [u8; 4],
    pub(super) minimum: u32,
    /// As it is told.
    pub(super) time_in_force: u32,
    pub(super) display: u8,
    pub(super) cross: u8,
}

/// Whether a token is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
enum Use {
    /// It was that of a replacement which came to nothing.
    Free,
    /// Its request has no answer yet.
    UnderWay,
    Used,
}

/// What a token means for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new: the engine knows its order by this number.
    New(OrderToken),
    /// It is used up: the request is ignored.
    Used,
    /// It depends on answers that are under way: ask again after them.
    Unknown,
    /// There is no room for another.
    Full,
}

/// All of them. The engine's number is the place of a token, from 1.
#[derive(Clone, Debug, keep::State)]
#[keep(settle)]
pub(super) struct Tokens {
    records: Vec<(Record, Use)>,
    #[keep(skip)]
    by_name: HashMap<Token, u32>,
    #[keep(skip)]
    most: usize,
}

impl Tokens {
    /// Whether there is room for all. What finds them is made anew.
    fn settle_kept(&mut self) -> Result<(), keep::Unfit> {
        self.by_name.clear();
        for (number, (record, _)) in (1..).zip(&self.records) {
            self.by_name.insert(record.token, number);
        }
        match self.records.len() <= self.most && self.by_name.len() == self.records.len() {
            true => Ok(()),
            false => Err(keep::Unfit::new("Tokens", "too many, or one twice")),
        }
    }

    pub(super) fn new(most: usize) -> Self {
        Self { records: Vec::with_capacity(most), by_name: HashMap::with_capacity(most), most }
    }

    /// Takes up the token of a request.
    #[inline]
    pub(super) fn take(&mut self, record: Record) -> Verdict {
        if let Some(&number) = self.by_name.get(&record.token) {
            return match self.records.get_mut(number as usize - 1) {
                Some(place @ (_, Use::Free)) => {
                    *place = (record, Use::UnderWay);
                    Verdict::New(OrderToken(number))
                }
                Some((_, Use::UnderWay)) => Verdict::Unknown,
                _ => Verdict::Used,
            };
        }
        let number = u32::try_from(self.records.len() + 1).unwrap_or(u32::MAX);
        if self.records.len() >= self.most || number == u32::MAX {
            return Verdict::Full;
        }
        self.records.push((record, Use::UnderWay));
        self.by_name.insert(record.token, number);
        Verdict::New(OrderToken(number))
    }

    /// The number of a token that was seen.
    #[inline]
    pub(super) fn find(&self, token: &Token) -> Option<OrderToken> {
        self.by_name.get(token).map(|&number| OrderToken(number))
    }

    /// What a number names.
    #[inline]
    pub(super) fn get(&self, number: OrderToken) -> Option<&Record> {
        self.records.get((number.0 as usize).checked_sub(1)?).map(|(record, _)| record)
    }

    /// An answer has used the token up.
    #[inline]
    pub(super) fn used(&mut self, number: OrderToken) {
        self.answered(number, Use::Used);
    }

    /// An answer has left the token unused.
    pub(super) fn unused(&mut self, number: OrderToken) {
        self.answered(number, Use::Free);
    }

    #[inline]
    fn answered(&mut self, number: OrderToken, by: Use) {
        if let Some((_, place)) =
            (number.0 as usize).checked_sub(1).and_then(|at| self.records.get_mut(at))
        {
            *place = by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(token: &Token) -> Record {
        let (firm, minimum, time_in_force) = ([b' '; 4], 0, 99_998);
        Record { token: *token, firm, minimum, time_in_force, display: b'Y', cross: b'N' }
    }

    #[test]
    fn a_token_is_used_once_unless_its_replacement_came_to_nothing() {
        let mut tokens = Tokens::new(2);
        let (first, second) = (record(b"TOKEN000000001"), record(b"token000000001"));
        assert_eq!(tokens.take(first), Verdict::New(OrderToken(1)));
        assert_eq!(tokens.take(first), Verdict::Unknown);
        tokens.used(OrderToken(1));
        assert_eq!(tokens.take(first), Verdict::Used);
        assert_eq!(tokens.take(second), Verdict::New(OrderToken(2)), "case matters");
        assert_eq!(tokens.take(record(b"A             ")), Verdict::Full);
        tokens.unused(OrderToken(2));
        assert_eq!(tokens.find(&second.token), Some(OrderToken(2)));
        assert_eq!(tokens.take(second), Verdict::New(OrderToken(2)));
        assert_eq!(tokens.get(OrderToken(2)), Some(&second));
        assert_eq!((tokens.get(OrderToken(0)), tokens.get(OrderToken(3))), (None, None));
        tokens.used(OrderToken(0));
    }
}
