//! Whether the sets are whole: the part of [`Engine::check`] that knows them.

use super::forest::{Forest, Key, Root};
use super::{Kind, Place};
use crate::engine::Engine;
use crate::own::Stay;

fn members(forest: &Forest, root: Root) -> Vec<u32> {
    let mut members = Vec::new();
    let mut next = forest.first(root);
    while let Some(index) = next {
        members.push(index);
        next = forest.after(root, forest.key(index));
    }
    members
}

impl Engine {
    /// Whether an order is in exactly the sets that it belongs to, with its weight.
    pub(crate) fn check_special(&self, index: u32) -> Result<(), String> {
        let order = self.own.get(index);
        let special = &self.extras.specials[index as usize];
        let pools = &self.extras.pools[order.instrument.index()];
        let side = order.side.book_side().index();
        let open = self.books.order(order.slot).quantity();
        let (set, weight) = match special.place {
            Place::Shown if special.display > 0 => (Some(pools.icebergs[side]), special.reserve),
            Place::Shown if special.kind == Kind::Primary => (Some(pools.primaries[side]), open),
            Place::Shown | Place::Waiting => (None, 0),
            Place::Hidden => (Some(pools.hidden[side]), open),
            Place::Stop => (Some(pools.stops[side]), open),
            Place::Elected => (Some(pools.elected), open),
            Place::Close => (Some(pools.close[side]), open),
            Place::Open => (Some(pools.open[side]), open),
            Place::Market => (Some(pools.market[side]), open),
        };
        if let Some(set) = set {
            let places = &self.extras.places;
            if !members(places, set).contains(&index) {
                return Err(format!("it is not in the set of {:?}", special.place));
            }
            if places.weight(index) != weight {
                return Err(format!("it weighs {}, not {weight}", places.weight(index)));
            }
            if special.place != Place::Shown && places.key(index).time != special.time {
                return Err("its set has it at another time".to_owned());
            }
        }
        if special.reserve > 0 && special.display == 0 {
            return Err("a reserve without a display size".to_owned());
        }
        Ok(())
    }

    /// Whether the sets have nobody who does not belong there.
    pub(crate) fn check_sets(&self) -> Result<(), String> {
        let extras = &self.extras;
        let (mut placed, mut following) = (0, 0);
        for pools in &extras.pools {
            let sets = [pools.hidden, pools.close, pools.open, pools.market, pools.icebergs]
                .into_iter()
                .chain([pools.primaries, pools.stops, [pools.elected, super::forest::NONE]]);
            for set in sets.flatten() {
                let members = members(&extras.places, set);
                let sum = members.iter().map(|&index| u64::from(extras.places.weight(index)));
                if sum.sum::<u64>() != extras.places.sum(set) {
                    return Err("a set does not sum up".to_owned());
                }
                placed += members.len();
            }
            following += members(&extras.followers, pools.trailing).len();
            following += members(&extras.followers, pools.pegs).len();
        }
        let specials = || {
            let special = |index: u32| &extras.specials[index as usize];
            self.own
                .iter()
                .filter(|(_, order)| order.special)
                .map(move |(i, order)| (order, special(i)))
        };
        let in_sets = specials().filter(|(_, special)| match special.place {
            Place::Shown => special.display > 0 || special.kind == Kind::Primary,
            place => place != Place::Waiting,
        });
        let follow = specials().filter(|(_, special)| {
            special.kind.is_peg()
                || (special.kind == Kind::Trailing && special.place == Place::Stop)
        });
        let expire = self.own.iter().filter(|(_, order)| order.stay == Stay::GoodTillDate);
        let expiring = members(&extras.expiries, extras.expiring);
        if in_sets.count() != placed || follow.count() != following {
            return Err("a set has a member that is gone".to_owned());
        }
        if expire.count() != expiring.len() {
            return Err("what expires is miscounted".to_owned());
        }
        Ok(())
    }

    /// Whether pegs stand right, no elected stop waits and no print has passed a stop that waits.
    pub(crate) fn check_settled(
        &self,
        instrument: spindle_types::InstrumentId,
    ) -> Result<(), String> {
        let pools = &self.extras.pools[instrument.index()];
        if self.extras.places.first(pools.elected).is_some() {
            return Err("an elected stop was left waiting".to_owned());
        }
        if pools.market != [super::forest::NONE; 2] {
            return Err("a market order stands in continuous trading".to_owned());
        }
        let mut from = Key::default();
        while let Some(index) = self.extras.followers.after(pools.pegs, from) {
            from = self.extras.followers.key(index);
            let special = &self.extras.specials[index as usize];
            let now = (special.place != Place::Waiting).then_some(special.price);
            let right = self.peg_price(instrument, index);
            if now != right {
                return Err(format!("a peg stands at {now:?}, not at {right:?}"));
            }
        }
        Ok(())
    }
}
