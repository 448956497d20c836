//! A journal as a day would leave it: messages of a synthetic market with strategies' orders among them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use spindle_engine::command::OrderSide;
use spindle_engine::input::{encode_command, kind};
use spindle_gateway::client::{NewOrder, cancel_message};
use spindle_gateway::record::kind as session_kind;
use spindle_journal::disk::PlainDisk;
use spindle_journal::{Identity, Journal, Record, Settings, Venue, read};
use spindle_replay::generate::{GenerateConfig, Generator};
use spindle_types::{EventTime, InstrumentId, OrderToken, Price, Quantity, Side};
use zerocopy::IntoBytes;

use super::{BenchError, said};
use crate::config::Config;
use crate::journal::{RecordKind, Replica, shape};

/// Strategies, each with a session.
const SESSIONS: u16 = 8;

/// Instruments of the market.
const SYMBOLS: u16 = 200;

/// An order for every so many messages of the market.
const MESSAGES_AN_ORDER: u64 = 9;

/// Orders after which one is cancelled that is still open.
const AGE: u32 = 2_000;

/// A journal that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    /// Inputs of the engine that were asked for.
    pub inputs: u64,
    /// How long making it took, in seconds; 0 where it was there.
    pub seconds: f64,
}

/// The configuration of the venue whose journal it is.
///
/// # Errors
/// The directory's name is none for a configuration.
pub(super) fn config(directory: &Path) -> Result<Config, BenchError> {
    let mut text = format!(
        "[venue]\nname = \"BENCH\"\n[engine]\norders_max = 2_000_000\nlevels_max = 200_000\n\
         own_orders_max = 65_536\ninstruments_max = 256\n[gateway]\nouch_listen = \"127.0.0.1:0\"\n\
         [feed]\nquarantine_percent = \"0\"\n[[feed.line]]\naddress = \"127.0.0.1:0\"\n\
         [journal]\ndirectory = {directory:?}\n",
    );
    for session in 0..SESSIONS {
        let _ = write!(
            text,
            "[[account]]\nname = \"S{session}\"\norder_size_max = 10_000\n\
             order_value_max = \"100000000.00\"\nposition_max = 1_000_000_000\n\
             open_orders_max = 60_000\ncollar_percent = \"90\"\n[[session]]\nuser = \"s{session}\"\npassword = \"s\"\n\
             account = \"S{session}\"\n"
        );
    }
    Config::parse(&text, "the bench's own configuration").map_err(said)
}

/// Writes records and applies each, so that what follows from it is known.
struct Maker {
    journal: Journal<PlainDisk>,
    replica: Replica,
    head: Vec<u8>,
    clock: u64,
}

impl Maker {
    fn put(&mut self, kind: u16, time: u64, payload: &[u8]) -> Result<(), BenchError> {
        let sequence = self.journal.append(kind, time, payload).map_err(said)?;
        if self.journal.waiting() > 1 << 20 {
            self.journal.commit().map_err(said)?;
        }
        let (previous, checksum, durable) = (0, 0, 0);
        let record = Record { kind, sequence, durable, time, payload, previous, checksum };
        self.replica.apply(&record).map_err(said)
    }

    /// A message of a client, and the request that the engine carries out for it.
    fn message(&mut self, session: u16, message: &[u8], time: EventTime) -> Result<(), BenchError> {
        self.clock += 1_000;
        let told = self.replica.replayer.now().told.events;
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        head.extend(session.to_le_bytes());
        for word in [self.clock, self.clock, 0, 0, told] {
            head.extend(word.to_le_bytes());
        }
        head.extend_from_slice(message);
        self.put(session_kind::OUCH_MESSAGE, self.clock, &head)?;
        self.head = head;
        let command = self.replica.replayer.pending().last().copied();
        if let Some(command) = command {
            let mut payload = Vec::with_capacity(128);
            encode_command(&mut payload, &command);
            self.put(kind::COMMAND, time.0, &payload)?;
        }
        Ok(())
    }
}

/// Makes a journal of so many inputs, unless one is there.
///
/// # Errors
/// The system refuses.
#[allow(clippy::cast_possible_truncation, reason = "numbers of orders and instruments are small")]
pub fn make(directory: &Path, inputs: u64) -> Result<Day, BenchError> {
    let mut disk = PlainDisk::open(directory).map_err(said)?;
    if read::segments(&mut disk).map_err(said)?.1 > 0 {
        return Ok(Day { inputs, seconds: 0.0 });
    }
    let config = config(directory)?;
    let started = Instant::now();
    let venue = Venue::named(&config.name);
    let nothing = read::read(&mut disk, None, &mut |_, _| std::ops::ControlFlow::Continue(()));
    let nothing = nothing.map_err(said)?;
    let identity = Identity { venue, journal: 1 };
    let journal = Journal::open(disk, identity, Settings::default(), &nothing).map_err(said)?;
    let replica = Replica::new(&config, EventTime(0)).map_err(said)?;
    let mut maker = Maker { journal, replica, head: Vec::new(), clock: 0 };
    let mut payload = 0_u64.to_le_bytes().to_vec();
    payload.extend(shape(&config).as_bytes());
    maker.put(RecordKind::BEGIN, 0, &payload)?;
    let changes = crate::venue::changes(&config, &[]);
    let mut payload = Vec::new();
    spindle_engine::input::encode_changes(&mut payload, &changes);
    maker.put(kind::RISK, 0, &payload)?;
    let market = (inputs - inputs / (MESSAGES_AN_ORDER + 1)).max(10_000);
    let mut generator =
        Generator::new(GenerateConfig::new(market + market / 10, SYMBOLS, 7).map_err(said)?);
    let (mut sequence, mut orders) = (0_u64, 0_u32);
    let mut payload = Vec::new();
    while maker.replica.replayer.now().inputs < inputs
        && let Some(message) = generator.next_message()
    {
        sequence += 1;
        payload.clear();
        payload.extend(sequence.to_le_bytes());
        payload.extend_from_slice(message);
        let time = maker.replica.engine.time();
        maker.put(kind::MARKET, time.0, &payload)?;
        if sequence.is_multiple_of(MESSAGES_AN_ORDER) {
            orders += 1;
            order(&mut maker, orders)?;
        }
    }
    maker.journal.mark(maker.clock).map_err(said)?;
    maker.journal.mark(maker.clock + 1).map_err(said)?;
    Ok(Day { inputs, seconds: started.elapsed().as_secs_f64() })
}

/// The next order of somebody: near the best price of some instrument; every second one is cancelled later.
#[allow(clippy::cast_possible_truncation, reason = "below the number of sessions and instruments")]
fn order(maker: &mut Maker, number: u32) -> Result<(), BenchError> {
    let (session, token) =
        ((number % u32::from(SESSIONS)) as u16, number / u32::from(SESSIONS) + 1);
    let time = maker.replica.engine.time();
    if number.is_multiple_of(3) && token > AGE {
        let message = cancel_message(OrderToken(token - AGE), Quantity(0));
        return maker.message(session, message.as_bytes(), time);
    }
    let scattered = number.wrapping_mul(0x9e37_79b1);
    let instrument = InstrumentId((1 + (scattered >> 8) % u32::from(SYMBOLS)) as u16);
    let side = if scattered & 1 == 0 { Side::Buy } else { Side::Sell };
    let engine = &maker.replica.engine;
    let symbol = engine.instruments().get(instrument).symbol;
    let best = engine.books().best(instrument, side).map_or(Price(10_000), |best| best.price);
    let away = scattered % 7 * 100;
    let (side, price) = match side {
        Side::Buy => (OrderSide::Buy, best.0.saturating_sub(away).max(100)),
        Side::Sell => (OrderSide::SellShort, best.0 + away),
    };
    let order = NewOrder::limit(side, Quantity(100), symbol, Price(price));
    let order = if number.is_multiple_of(3) { order } else { order.immediate_or_cancel() };
    maker.message(session, order.message(OrderToken(token)).as_bytes(), time)
}
