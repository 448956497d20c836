//! Many market messages at once: while one is applied, the memory that the next ones need is
//! already on its way.
//!
//! What a message touches hangs together: its record names its level, its level names the last
//! order of the queue. So each message is looked at four times before its turn, each time with
//! what the look before has brought into the cache. The looks take no decision that depends on the
//! kind of message, as far as that can be avoided: a wrong guess of the processor there would cost
//! as much as one when the message is applied.

use spindle_feed::event::MarketAction;
use spindle_feed::itch::{
    self, AddOrder, DecodeError, Message, OrderCancel, OrderDelete, OrderExecuted, OrderReplace,
};
use spindle_types::{
    EventTime, InstrumentId, OrderReference, Price, Quantity, Sequence, Side, Symbol,
};
use zerocopy::FromBytes;

use crate::book::{Place, Placement};
use crate::engine::Engine;

/// Messages that are looked at together. A message is looked at four, three, two and one groups
/// before its own. That looking ahead pays is in docs/measuring.md.
const GROUP: usize = 8;
/// Groups between the first look and the turn.
const AHEAD: usize = 4;

/// Groups that are kept.
const RING: usize = 8;
const _: () = assert!(RING.is_power_of_two() && RING > AHEAD);

/// A message that waits for its turn.
#[derive(Clone, Copy)]
struct Waiting<'a> {
    /// The message and the bytes behind it.
    bytes: &'a [u8],
    length: usize,
    place: Place,
}

impl Engine {
    /// Applies `count` ITCH messages. For each number from 0 on, `sequence` gives the message's number
    /// in its stream, and `message` the bytes from its first on as far as there are any, and how
    /// many of them are the message; what lies behind is read and means nothing. After each
    /// message, `each` is told whether it could be decoded; one that could not is left out.
    #[inline]
    pub fn on_messages<'a>(
        &mut self,
        count: usize,
        sequence: impl Fn(usize) -> Sequence,
        message: impl Fn(usize) -> (&'a [u8], usize),
        mut each: impl FnMut(&mut Self, usize, Result<(), DecodeError>),
    ) {
        let nothing = Waiting { bytes: &[], length: 0, place: Place::default() };
        let mut ring = [[nothing; GROUP]; RING];
        let groups = count.div_ceil(GROUP);
        let size = |group: usize| GROUP.min(count - group * GROUP);
        for turn in 0..groups + AHEAD {
            let behind = |by: usize| turn.checked_sub(by).filter(|&group| group < groups);
            if let Some(group) = behind(0) {
                for (at, waiting) in (group * GROUP..).zip(&mut ring[group % RING][..size(group)]) {
                    let (bytes, length) = message(at);
                    *waiting = Waiting { bytes, length, place: self.look_first(bytes) };
                }
            }
            if let Some(group) = behind(1) {
                for waiting in &ring[group % RING][..size(group)] {
                    self.books.ask_for_orders(waiting.place);
                }
            }
            if let Some(group) = behind(2) {
                for waiting in &mut ring[group % RING][..size(group)] {
                    self.look_third(waiting);
                }
            }
            if let Some(group) = behind(3) {
                for waiting in &ring[group % RING][..size(group)] {
                    self.books.ask_for_tail(waiting.place);
                }
            }
            if let Some(group) = behind(AHEAD) {
                for (at, waiting) in (group * GROUP..).zip(&ring[group % RING][..size(group)]) {
                    let bytes = &waiting.bytes[..waiting.length.min(waiting.bytes.len())];
                    let decoded = self.on_message(sequence(at), bytes);
                    each(self, at, decoded);
                }
            }
        }
    }

    /// Looks at messages that will be applied one by one soon: asks for all that they will need
    /// first, and then for what that leads to. What lies behind a message is read and means nothing; one
    /// with fewer than 36 bytes together with that is not looked at.
    #[inline]
    pub fn look_ahead<'a>(&self, messages: impl Iterator<Item = &'a [u8]> + Clone) {
        for message in messages.clone() {
            self.look_first(message);
        }
        for message in messages {
            let place = self.look_first(message);
            let mut waiting = Waiting { bytes: message, length: message.len(), place };
            self.books.ask_for_orders(place);
            self.look_third(&mut waiting);
        }
    }

    /// Asks for what the message leads to: the head of the book, the top of the book, and the
    /// record of an order that goes or of the level of one that comes. All fields are where they
    /// are in the messages that have them; what stands there in others is harmless.
    #[inline]
    pub(crate) fn look_first(&self, bytes: &[u8]) -> Place {
        let Some((message, _)) = bytes.split_first_chunk::<{ AddOrder::LENGTH }>() else {
            return Place::default();
        };
        let Ok(add) = AddOrder::ref_from_bytes(message) else {
            return Place::default();
        };
        let instrument = InstrumentId(add.header.locate.get());
        let comes = matches!(add.header.message_type, b'A' | b'F');
        let side = if add.side == b'B' { Side::Buy } else { Side::Sell };
        self.tops.ask_for(instrument);
        self.books.ask_for(comes, add.reference.get(), instrument, side, Price(add.price.get()))
    }

    /// Asks for what the record leads to.
    #[inline]
    fn look_third(&self, waiting: &mut Waiting<'_>) {
        self.books.ask_for_more(waiting.place);
        if waiting.bytes.first() == Some(&b'U')
            && let Ok((replace, _)) = OrderReplace::ref_from_prefix(waiting.bytes)
        {
            waiting.place = self.books.ask_for_replacement(
                waiting.place,
                replace.new_reference.get(),
                Price(replace.price.get()),
            );
        }
    }

    /// Applies one ITCH message, the `sequence`th of its stream. The messages that are nearly all
    /// of a day go straight from the wire to the books; the others by way of their event.
    ///
    /// # Errors
    /// It is no message of ITCH 5.0; nothing has changed then.
    #[inline(always)]
    pub fn on_message(&mut self, sequence: Sequence, bytes: &[u8]) -> Result<(), DecodeError> {
        match bytes.first() {
            // Both have the same fields as far as the price; only the length differs.
            Some(&kind @ (b'A' | b'F')) => {
                let whole = kind == b'A' || bytes.len() >= itch::AddOrderMpid::LENGTH;
                if let Ok((add, _)) = AddOrder::ref_from_prefix(bytes)
                    && whole
                    && matches!(add.side, b'B' | b'S')
                {
                    self.begin_message(EventTime(add.header.time.get()), sequence);
                    let placement = Placement {
                        instrument: InstrumentId(add.header.locate.get()),
                        side: if add.side == b'B' { Side::Buy } else { Side::Sell },
                        quantity: Quantity(add.shares.get()),
                        price: Price(add.price.get()),
                    };
                    let reference = OrderReference(add.reference.get());
                    self.on_add(reference, &placement, Symbol(add.stock), 0);
                    self.finish();
                    return Ok(());
                }
            }
            Some(b'D') => {
                if let Ok((delete, _)) = OrderDelete::ref_from_prefix(bytes) {
                    self.begin_message(EventTime(delete.header.time.get()), sequence);
                    let named = InstrumentId(delete.header.locate.get());
                    self.on_delete(named, OrderReference(delete.reference.get()));
                    self.finish();
                    return Ok(());
                }
            }
            Some(b'U') => {
                if let Ok((replace, _)) = OrderReplace::ref_from_prefix(bytes) {
                    self.begin_message(EventTime(replace.header.time.get()), sequence);
                    self.on_replace(
                        InstrumentId(replace.header.locate.get()),
                        OrderReference(replace.reference.get()),
                        OrderReference(replace.new_reference.get()),
                        Quantity(replace.shares.get()),
                        Price(replace.price.get()),
                    );
                    self.finish();
                    return Ok(());
                }
            }
            Some(b'E') => {
                if let Ok((executed, _)) = OrderExecuted::ref_from_prefix(bytes) {
                    self.begin_message(EventTime(executed.header.time.get()), sequence);
                    let reference = OrderReference(executed.reference.get());
                    let named = InstrumentId(executed.header.locate.get());
                    let quantity = Quantity(executed.shares.get());
                    self.on_execute(named, reference, quantity, None, true);
                    self.finish();
                    return Ok(());
                }
            }
            Some(b'X') => {
                if let Ok((cancel, _)) = OrderCancel::ref_from_prefix(bytes) {
                    self.begin_message(EventTime(cancel.header.time.get()), sequence);
                    let reference = OrderReference(cancel.reference.get());
                    let named = InstrumentId(cancel.header.locate.get());
                    self.on_reduce(named, reference, Quantity(cancel.shares.get()));
                    self.finish();
                    return Ok(());
                }
            }
            _ => {}
        }
        self.on_other_message(sequence, bytes)
    }

    #[cold]
    fn on_other_message(&mut self, sequence: Sequence, bytes: &[u8]) -> Result<(), DecodeError> {
        let event = itch::to_event(&Message::decode(bytes)?);
        if event.action == MarketAction::Other {
            self.begin_message(event.time, sequence);
            self.finish();
        } else {
            self.on_market(&event, sequence);
        }
        Ok(())
    }
}
