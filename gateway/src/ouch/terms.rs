//! What an order asks for with options: read from a chain, kept while the order lives, repeated in
//! answers.

use std::collections::HashMap;

use spindle_engine::command::{Modifiers, OrderKind, OrderSide};
use spindle_engine::event::RejectReason;
use spindle_types::{Quantity, keep};

use super::appendage::{Appendage, AppendageWriter, TagValue};
use super::tag::{Tag, TagSet};
use super::validate::Invalid;

/// Options that an acceptance repeats, when they were given.
const REPEATED_ACCEPTED: [Tag; 8] = [
    Tag::Firm,
    Tag::MinQuantity,
    Tag::MaxFloor,
    Tag::PriceType,
    Tag::PegOffset,
    Tag::PostOnly,
    Tag::ExpireTime,
    Tag::SharesLocated,
];

/// Options that a replacement's answer repeats: those of them that it may carry.
const REPEATED_REPLACED: [Tag; 5] =
    [Tag::Firm, Tag::MaxFloor, Tag::PriceType, Tag::PostOnly, Tag::ExpireTime];

/// What an order asks for with options, and with the fields that a replacement cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, keep::Value)]
pub struct Terms {
    given: TagSet,
    firm: [u8; 4],
    minimum: u32,
    floor: u32,
    price_type: u8,
    offset: i32,
    post_only: u8,
    located: u8,
    /// Seconds to live, with time in force 6.
    pub(super) seconds: u32,
    /// Whether it is not shown at all.
    pub(super) hidden: bool,
    /// N, or the auction that it is for.
    pub(super) cross: u8,
}

impl Terms {
    /// A displayed limit or market order without options.
    pub const PLAIN: Self = Self {
        given: TagSet::EMPTY,
        firm: [b' '; 4],
        minimum: 0,
        floor: 0,
        price_type: b'L',
        offset: 0,
        post_only: b'N',
        located: b'N',
        seconds: 0,
        hidden: false,
        cross: b'N',
    };

    /// Whether there is nothing to remember.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.given == TagSet::EMPTY && !self.hidden && self.cross == b'N'
    }

    /// Reads the options of an Enter: strictly, and nothing that the venue does not offer.
    pub(super) fn read(
        options: Appendage<'_>,
        allowed: TagSet,
        firms: &[[u8; 4]],
    ) -> Result<Self, Invalid> {
        options.check(allowed).map_err(|error| refused(error.number()))?;
        let mut terms = Self::PLAIN;
        for option in options.iter() {
            if !terms.take(option) && !asks_for_nothing(option, firms) {
                return Err(refused(option.number));
            }
        }
        Ok(terms)
    }

    /// The terms of a replacement of an order with these: what it leaves out stays as it was. A value that
    /// would change what the engine keeps of the order is refused.
    pub(super) fn replaced(
        &self,
        options: Appendage<'_>,
        allowed: TagSet,
        firms: &[[u8; 4]],
    ) -> Result<Self, Invalid> {
        options.check(allowed).map_err(|error| refused(error.number()))?;
        let mut terms = *self;
        for option in options.iter() {
            if !terms.take(option) && !asks_for_nothing(option, firms) {
                return Err(refused(option.number));
            }
        }
        // A minimum was for the entry.
        let changed = [
            (terms.minimum != self.minimum && terms.minimum != 0, Tag::MinQuantity),
            (terms.floor != self.floor, Tag::MaxFloor),
            (terms.price_type != self.price_type, Tag::PriceType),
            (terms.offset != self.offset, Tag::PegOffset),
            (terms.post_only != self.post_only, Tag::PostOnly),
        ];
        match changed.into_iter().find(|(is_changed, _)| *is_changed) {
            Some((_, tag)) => Err(refused(tag as u8)),
            None => Ok(Self { minimum: 0, ..terms }),
        }
    }

    /// Takes an option that the venue offers into account; false for any other.
    fn take(&mut self, option: TagValue<'_>) -> bool {
        let Some(tag) = option.tag() else { return false };
        let (letter, number) = (option.value.first().copied().unwrap_or(0), as_u32(&option));
        match tag {
            Tag::MinQuantity => self.minimum = number,
            Tag::MaxFloor => self.floor = number,
            Tag::PriceType if matches!(letter, b'L' | b'R' | b'M') => self.price_type = letter,
            Tag::PegOffset => self.offset = number.cast_signed(),
            Tag::PostOnly => self.post_only = letter,
            Tag::ExpireTime => self.seconds = number,
            Tag::SharesLocated => self.located = letter,
            _ => return false,
        }
        self.given.insert(tag);
        true
    }

    /// Remembers the firm that was named.
    pub(super) fn named(mut self, options: Appendage<'_>) -> Self {
        if let Some(option) = options.get(Tag::Firm)
            && let Some(firm) = option.value.first_chunk()
        {
            self.firm = *firm;
            self.given.insert(Tag::Firm);
        }
        self
    }

    /// The firm that was named.
    pub(super) fn firm(&self) -> Option<[u8; 4]> {
        Some(self.firm).filter(|firm| *firm != [b' '; 4])
    }

    /// Whether it has a place between or beside the best prices.
    pub(super) const fn is_midpoint(&self) -> bool {
        self.price_type == b'M'
    }

    /// What the order is besides having a limit or none. The protocol's offset is added to the price, the
    /// engine's counts towards the other side.
    pub(super) fn kind(&self, side: OrderSide) -> Result<OrderKind, Invalid> {
        let offset = match side {
            OrderSide::Buy => self.offset,
            _ => self.offset.checked_neg().ok_or(refused(Tag::PegOffset as u8))?,
        };
        match self.price_type {
            b'R' => Ok(OrderKind::PrimaryPeg { offset }),
            b'M' => Ok(OrderKind::MidpointPeg { offset }),
            _ if self.offset != 0 => Err(refused(Tag::PegOffset as u8)),
            _ => Ok(OrderKind::Plain),
        }
    }

    /// How it is shown, and what it does on entry.
    pub(super) fn modifiers(&self) -> Modifiers {
        Modifiers {
            display: Quantity(self.floor),
            hidden: self.hidden,
            post_only: self.post_only == b'P',
            minimum: Quantity(self.minimum),
            check_only: false,
        }
    }

    /// The options that an acceptance repeats.
    pub(super) fn of_accepted(&self) -> AppendageWriter {
        self.chain(&REPEATED_ACCEPTED)
    }

    /// The options that the answer to a replace repeats.
    pub(super) fn of_replaced(&self) -> AppendageWriter {
        self.chain(&REPEATED_REPLACED)
    }

    fn chain(&self, tags: &[Tag]) -> AppendageWriter {
        let mut chain = AppendageWriter::new();
        for &tag in tags.iter().filter(|&&tag| self.given.contains(tag)) {
            let number = |value: u32| value.to_be_bytes();
            let written = match tag {
                Tag::Firm => chain.push(tag, &self.firm),
                Tag::MinQuantity => chain.push(tag, &number(self.minimum)),
                Tag::MaxFloor => chain.push(tag, &number(self.floor)),
                Tag::PriceType => chain.push(tag, &[self.price_type]),
                Tag::PegOffset => chain.push(tag, &self.offset.to_be_bytes()),
                Tag::PostOnly => chain.push(tag, &[self.post_only]),
                Tag::ExpireTime => chain.push(tag, &number(self.seconds)),
                _ => chain.push(tag, &[self.located]),
            };
            debug_assert!(written.is_ok(), "the values were read from such options");
        }
        chain
    }
}

const fn refused(number: u8) -> Invalid {
    Invalid { reason: RejectReason::InvalidOption, observed: number as u64 }
}

#[allow(clippy::cast_possible_truncation, reason = "only values of four bytes are asked for")]
fn as_u32(option: &TagValue<'_>) -> u32 {
    option.as_number() as u32
}

/// Checks the options of a message that may have a channel at most.
pub(super) fn check(options: Appendage<'_>, allowed: TagSet) -> Result<(), Invalid> {
    options.check(allowed).map_err(|error| refused(error.number()))?;
    let mut asking = options.iter().filter(|option| option.tag() != Some(Tag::Side));
    match asking.find(|option| !asks_for_nothing(*option, &[])) {
        Some(option) => Err(refused(option.number)),
        None => Ok(()),
    }
}

/// Whether the value is the one that a message without this option has too, or is information that
/// changes nothing here.
fn asks_for_nothing(option: TagValue<'_>, firms: &[[u8; 4]]) -> bool {
    let value = option.value;
    match option.tag() {
        Some(Tag::Firm) => value == b"    " || firms.iter().any(|firm| value == firm),
        Some(
            Tag::DiscretionPrice
            | Tag::DiscretionPegOffset
            | Tag::RandomReserves
            | Tag::GroupId
            | Tag::UserRefIdx,
        ) => option.as_number() == 0,
        Some(Tag::CustomerType | Tag::TradeNow) => matches!(value, b"N" | b" "),
        Some(Tag::DiscretionPriceType) => value == b"L",
        Some(Tag::Route) => value == b"    ",
        Some(Tag::HandleInstruction) => value == b" ",
        Some(Tag::AiqStrategy) => matches!(value, b"*" | b"N"),
        Some(Tag::AiqGroup) => value == b"**",
        Some(Tag::SharesLocated | Tag::LocateBroker) => true,
        _ => false,
    }
}

/// The terms of the orders of one session that are under way or open and have any. Room is taken at
/// the start.
#[derive(Clone, Debug, keep::State)]
pub(super) struct Standing {
    terms: HashMap<u32, Terms>,
    most: usize,
}

impl Standing {
    pub(super) fn new(most: usize) -> Self {
        Self { terms: HashMap::with_capacity(most), most }
    }

    /// The terms of the order with this number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Terms {
        match self.terms.is_empty() {
            true => Terms::PLAIN,
            false => self.terms.get(&number).copied().unwrap_or(Terms::PLAIN),
        }
    }

    /// Remembers the terms of an order; false where there is no room.
    #[inline]
    pub(super) fn keep(&mut self, number: u32, terms: Terms) -> bool {
        if terms.is_plain() {
            return true;
        }
        let has_room = self.terms.len() < self.most;
        if has_room {
            self.terms.insert(number, terms);
        }
        has_room
    }

    /// Forgets an order that is gone.
    #[inline]
    pub(super) fn forget(&mut self, number: u32) {
        if !self.terms.is_empty() {
            self.terms.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::allowed;
    use super::*;
    use crate::testing::bytes;

    fn read(hex: &str) -> Result<Terms, Invalid> {
        let chain = bytes(hex);
        let options = Appendage::parse(&chain).expect(hex);
        Terms::read(options, allowed::ENTER, &[*b"FIRM"]).map(|terms| terms.named(options))
    }

    #[test]
    fn what_was_given_is_repeated_in_the_order_of_the_tags() {
        let terms = read("020c50 050f0000003c 05024649524d 050500000064").expect("offered");
        let chain = "05024649524d 050500000064 020c50 050f0000003c";
        assert_eq!(terms.of_accepted().appendage().as_bytes(), bytes(chain));
        assert_eq!(terms.of_replaced().appendage().as_bytes(), bytes(chain));
        let terms = read("020652 0507ffffff9c 050300000064 021959").expect("offered");
        let chain = "050300000064 020652 0507ffffff9c 021959";
        assert_eq!(terms.of_accepted().appendage().as_bytes(), bytes(chain));
        assert_eq!(terms.of_replaced().appendage().as_bytes(), bytes("020652"));
        assert!(read("").expect("nothing").is_plain());
    }

    #[test]
    fn an_offset_is_added_to_the_price() {
        let terms = read("020652 0507ffffff9c").expect("offered");
        assert_eq!(terms.kind(OrderSide::Buy), Ok(OrderKind::PrimaryPeg { offset: -100 }));
        assert_eq!(terms.kind(OrderSide::Sell), Ok(OrderKind::PrimaryPeg { offset: 100 }));
        let terms = read("02064d 050700000064").expect("offered");
        assert_eq!(terms.kind(OrderSide::SellShort), Ok(OrderKind::MidpointPeg { offset: -100 }));
        let offset = Err(Invalid::option(Tag::PegOffset));
        assert_eq!(read("0507 00000064").expect("offered").kind(OrderSide::Buy), offset);
    }

    #[test]
    fn a_replacement_keeps_what_it_leaves_out_and_changes_nothing_that_stays() {
        let terms = read("020652 050300000064 050f0000003c").expect("offered");
        let replaced = |hex: &str| {
            let chain = bytes(hex);
            terms.replaced(Appendage::parse(&chain).expect(hex), allowed::REPLACE, &[*b"FIRM"])
        };
        let kept = replaced("").expect("it keeps everything");
        assert_eq!((kept.price_type, kept.minimum, kept.seconds), (b'R', 0, 60));
        assert_eq!(replaced("050f0000000a").expect("other seconds").seconds, 10);
        assert_eq!(replaced("020652 050300000064"), Ok(kept));
        assert_eq!(replaced("02064d"), Err(Invalid::option(Tag::PriceType)));
        assert_eq!(replaced("0507 00000001"), Err(Invalid::option(Tag::PegOffset)));
        assert_eq!(replaced("0505 00000001"), Err(Invalid::option(Tag::MaxFloor)));
        assert_eq!(replaced("020c50"), Err(Invalid::option(Tag::PostOnly)));
        assert_eq!(replaced("0503 00000065"), Err(Invalid::option(Tag::MinQuantity)));
        assert_eq!(replaced("021b53"), Err(Invalid::option(Tag::Side)));
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let special = read("020c50").expect("offered");
        let mut standing = Standing::new(1);
        assert!(standing.keep(1, Terms::PLAIN) && standing.keep(1, special));
        assert!(!standing.keep(2, special));
        assert_eq!((standing.get(1), standing.get(2)), (special, Terms::PLAIN));
        standing.forget(1);
        assert!(standing.keep(2, special));
    }
}
