//! Looking ahead where messages come one by one: each is looked at when it is known and three more times before its turn.

use spindle_feed::itch::OrderReplace;
use spindle_types::Price;
use zerocopy::FromBytes;

use crate::book::Place;
use crate::engine::Engine;

/// Messages between two looks at one.
const STEP: usize = 8;

/// Messages that are kept: the last look is at one that was known three steps before.
const KEPT: usize = 32;
const _: () = assert!(KEPT.is_power_of_two() && KEPT > 3 * STEP);

/// A message that was looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    place: Place,
    /// Of an order that replaces another: its reference; otherwise 0.
    replacement: u64,
    price: Price,
}

/// Messages of the market that were looked at. One whose turn comes as many messages later as are kept has had all looks.
#[derive(Debug)]
pub(crate) struct Lookout {
    seen: [Seen; KEPT],
    count: usize,
}

impl Default for Lookout {
    fn default() -> Self {
        let nothing = Seen { place: Place::default(), replacement: 0, price: Price(0) };
        Self { seen: [nothing; KEPT], count: 0 }
    }
}

impl Engine {
    /// Looks at a message that will be applied some time after those before it, and once more at three of those: asks for
    /// the memory that they will need. `bytes` begin with the message; what lies behind it is read and means nothing.
    #[inline]
    pub fn look_out(&mut self, bytes: &[u8]) {
        let place = self.look_first(bytes);
        let (replacement, price) = match OrderReplace::ref_from_prefix(bytes) {
            Ok((replace, _)) if replace.header.message_type == b'U' => {
                (replace.new_reference.get(), Price(replace.price.get()))
            }
            _ => (0, Price(0)),
        };
        let Self { lookout, books, .. } = self;
        let at = lookout.count;
        lookout.count = at.wrapping_add(1);
        lookout.seen[at % KEPT] = Seen { place, replacement, price };
        let before = |steps: usize| at.wrapping_sub(steps * STEP) % KEPT;
        books.ask_for_orders(lookout.seen[before(1)].place);
        let third = &mut lookout.seen[before(2)];
        books.ask_for_more(third.place);
        if third.replacement != 0 {
            third.place = books.ask_for_replacement(third.place, third.replacement, third.price);
        }
        books.ask_for_tail(lookout.seen[before(3)].place);
    }
}
