//! One number over the whole state of an engine, in a stated order, for comparing two runs. Slow: for cold paths.

use spindle_types::{InstrumentId, Side};

use crate::digest::Digest;
use crate::engine::Engine;

impl Engine {
    /// The digest of all that decides what comes next: times and numbers; the states of the market and of every
    /// instrument, by number, with what it owes the tape; every book, bids before asks, order by order in its priority;
    /// strategies' orders by their time of entry; the risk gate with all limits, positions and stops. What waits in the outbox
    /// is told already and does not count.
    pub fn state_hash(&self) -> u64 {
        let mut digest = Digest::default();
        digest.word(self.time.0);
        digest.word(self.market_sequence.0);
        digest.word(self.told());
        digest.debug(&self.next_numbers());
        digest.debug(&(self.phase, self.whole, self.gap_open, self.feed_silent));
        for number in 0..self.books.instruments() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,536 instruments")]
            self.hash_instrument(InstrumentId(number as u16), &mut digest);
        }
        let mut own: Vec<_> = self.own.iter().collect();
        own.sort_unstable_by_key(|(_, order)| order.entry);
        for (index, order) in own {
            let crate::own::OwnOrder {
                session,
                account,
                token,
                instrument,
                side,
                special,
                limit,
                valued,
                stay,
                executed,
                slot: _,
                entry,
                attributes,
            } = order;
            digest.debug(&(session, account, token, instrument, side, special));
            digest.debug(&(limit, valued, stay, executed, entry, attributes));
            digest.word(self.open_of(index).into());
            if *special {
                digest.debug(&self.extras.specials[index as usize]);
            }
        }
        digest.debug(&self.extras.accounts);
        self.gate.show_state(&mut |part| digest.debug(part));
        digest.value()
    }

    fn hash_instrument(&self, instrument: InstrumentId, digest: &mut Digest) {
        let known = self.instruments.get(instrument);
        if !known.known && !known.stale {
            return;
        }
        digest.word(instrument.0.into());
        digest.debug(&known);
        digest.debug(&self.instruments.state(instrument));
        digest.debug(&self.divergence_of(instrument));
        for side in [Side::Buy, Side::Sell] {
            digest.word(side.index() as u64);
            let mut next = self.books.first(instrument, side);
            while let Some(slot) = next {
                let order = self.books.order(slot);
                digest.debug(&order.key());
                let shares =
                    u64::from(order.quantity()) << 32 | u64::from(self.books.price_of(slot).0);
                digest.word(shares);
                digest.word(if order.is_own() { u64::MAX } else { order.taken().into() });
                next = self.books.behind(slot);
            }
        }
    }
}
