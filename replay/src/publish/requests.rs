//! The request server: missed messages for whoever asks.

use std::collections::HashMap;
use std::net::SocketAddr;

use spindle_feed::moldudp64::{END_OF_SESSION, HEADER_LENGTH, Header, Session, header};
use zerocopy::{FromBytes, IntoBytes};

use super::limit::RateLimit;
use super::store::Store;

/// Askers whose rate is watched; further ones share what the first of them leave.
const ASKERS_MAX: usize = 256;

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounters {
    /// Datagrams that came.
    pub received: u64,
    /// Answered, each with one packet.
    pub answered: u64,
    /// Messages in the answers.
    pub messages: u64,
    /// Not answered: no request, another session, or numbers that were never sent.
    pub invalid: u64,
    /// Not answered: the messages are no longer kept.
    pub forgotten: u64,
    /// Not answered: the asker asks too often.
    pub limited: u64,
}

/// Answers requests from the store. As the protocol has it, an answer is one ordinary packet with as
/// many of the wanted messages as fit, and a request that cannot be answered gets nothing at all.
pub(crate) struct RequestServer {
    payload_max: usize,
    per_second: u64,
    limits: HashMap<SocketAddr, RateLimit>,
    answer: Vec<u8>,
    pub(crate) counters: RequestCounters,
}

impl RequestServer {
    pub(crate) fn new(payload_max: usize, per_second: u64) -> Self {
        Self {
            payload_max,
            per_second,
            limits: HashMap::new(),
            answer: Vec::with_capacity(payload_max),
            counters: RequestCounters::default(),
        }
    }

    /// The answer to a datagram, or `None`. `end` is the number after the last that was sent.
    pub(crate) fn answer(
        &mut self,
        request: &[u8],
        from: SocketAddr,
        now: u64,
        (session, store, end): (Session, &Store, u64),
    ) -> Option<&[u8]> {
        self.counters.received += 1;
        let wanted = Header::ref_from_bytes(request).ok().filter(|wanted| {
            let count = wanted.count.get();
            let known = (1..end).contains(&wanted.sequence.get());
            wanted.session == session && known && count != 0 && count != END_OF_SESSION
        });
        let Some(wanted) = wanted else {
            self.counters.invalid += 1;
            return None;
        };
        if !self.admit(from, now) {
            self.counters.limited += 1;
            return None;
        }
        let first = wanted.sequence.get();
        self.answer.clear();
        self.answer.extend_from_slice(&[0; HEADER_LENGTH]);
        let room = self.payload_max - HEADER_LENGTH;
        let count = store.fill(first, end, wanted.count.get(), room, &mut self.answer);
        if count == 0 {
            self.counters.forgotten += 1;
            return None;
        }
        self.answer[..HEADER_LENGTH].copy_from_slice(header(session, first, count).as_bytes());
        self.counters.answered += 1;
        self.counters.messages += u64::from(count);
        Some(&self.answer)
    }

    fn admit(&mut self, from: SocketAddr, now: u64) -> bool {
        let from = match self.limits.len() < ASKERS_MAX || self.limits.contains_key(&from) {
            true => from,
            false => SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        let limit = self.limits.entry(from).or_insert_with(|| RateLimit::new(self.per_second));
        if limit.allowance(now) == 0 {
            return false;
        }
        limit.spend(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use spindle_feed::moldudp64::Packet;

    use super::*;

    const SESSION: Session = *b"DAY       ";

    fn store() -> Store {
        let mut store = Store::new(0);
        for number in 1_u64..=100 {
            store.push(&number.to_be_bytes());
        }
        store
    }

    fn asker(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_request_is_answered_with_what_fits() {
        let (store, mut server) = (store(), RequestServer::new(120, 1_000_000));
        for (first, count, wanted) in
            [(1, 3, 1..4), (98, 20, 98..101), (50, 9, 50..59), (50, 1_000, 50..60)]
        {
            let request = header(SESSION, first, count);
            let place = (SESSION, &store, 101);
            let answer = server.answer(request.as_bytes(), asker(1), 0, place).expect("an answer");
            let packet = Packet::parse(answer).expect("a packet");
            assert_eq!((packet.sequence(), packet.next_sequence()), (wanted.start, wanted.end));
            let numbers: Vec<u64> = packet
                .messages()
                .map(|message| u64::from_be_bytes(*message.first_chunk().expect("8 bytes")))
                .collect();
            assert_eq!(numbers, wanted.collect::<Vec<_>>());
        }
        assert_eq!(server.counters.answered, 4);
    }

    #[test]
    fn what_cannot_be_answered_gets_nothing() {
        let (store, mut server) = (store(), RequestServer::new(120, 1_000_000));
        let mut ask = |request: &[u8], end| {
            server.answer(request, asker(1), 0, (SESSION, &store, end)).is_some()
        };
        let good = header(SESSION, 5, 1);
        assert!(ask(good.as_bytes(), 101));
        assert!(!ask(good.as_bytes(), 5), "not sent yet");
        assert!(!ask(&good.as_bytes()[..19], 101));
        assert!(!ask(&[good.as_bytes(), &[0]].concat(), 101));
        for bad in [
            header(*b"OTHER     ", 5, 1),
            header(SESSION, 0, 1),
            header(SESSION, 101, 1),
            header(SESSION, u64::MAX, 1),
            header(SESSION, 5, 0),
            header(SESSION, 5, END_OF_SESSION),
        ] {
            assert!(!ask(bad.as_bytes(), 101), "{bad:?}");
        }
        assert_eq!(server.counters.invalid, 9);
        assert_eq!(server.counters.received, 10);
    }

    #[test]
    fn who_asks_too_often_is_not_answered() {
        let (store, mut server) = (store(), RequestServer::new(120, 100));
        let request = header(SESSION, 5, 1);
        let mut ask = |port, now| {
            server.answer(request.as_bytes(), asker(port), now, (SESSION, &store, 101)).is_some()
        };
        assert_eq!((0..200).filter(|_| ask(1, 0)).count(), 64);
        assert!(ask(2, 0), "another asker is");
        assert!(ask(1, 10_000_000), "and after a while the first again");
        for port in 3..2_000 {
            ask(port, 0);
        }
        assert!(server.limits.len() <= ASKERS_MAX + 1);
    }
}
