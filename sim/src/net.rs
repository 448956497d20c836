//! A simulated network of connections: streams of bytes with delay, cut anywhere, that stall, are reset, or end at one
//! side alone.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quanta::Mock;
use spindle_gateway::wire::Wire;

use crate::random::Random;

/// How a network behaves.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The longest delay of a write, in nanoseconds.
    pub delay_ns: u64,
    /// Bytes that a direction of a connection holds.
    pub buffer: usize,
    /// How often, in 10,000, a read or write takes a few bytes alone.
    pub split: u64,
    /// How often, in 10,000, a write is delayed for long.
    pub stall: u64,
    /// How long then.
    pub stall_ns: u64,
}

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    /// When the last piece arrives: none overtakes another.
    last: u64,
    /// When the end arrives behind it, once there is one.
    ends: Option<u64>,
    /// Nothing arrives any more, and nobody is told.
    is_dead: bool,
}

impl Pipe {
    fn write(&mut self, now: u64, bytes: &[u8], weather: &Weather, random: &mut Random) -> usize {
        let room = weather.buffer.saturating_sub(self.bytes).min(bytes.len());
        let count = match random.chance(weather.split) {
            true => room.min(random.count(1, 40)),
            false => room,
        };
        if count == 0 {
            return 0;
        }
        let mut delay = random.below(weather.delay_ns + 1);
        if random.chance(weather.stall) {
            delay += random.below(weather.stall_ns + 1);
        }
        self.last = self.last.max(now + delay);
        self.pieces.push_back((self.last, bytes[..count].to_vec()));
        self.bytes += count;
        count
    }

    /// Whether the end is there, and everything before it was read.
    fn is_over(&self, now: u64) -> bool {
        self.pieces.is_empty() && !self.is_dead && self.ends.is_some_and(|ends| ends <= now)
    }

    fn read(&mut self, now: u64, into: &mut [u8], weather: &Weather, random: &mut Random) -> usize {
        if self.is_dead {
            return 0;
        }
        let most = match random.chance(weather.split) {
            true => into.len().min(random.count(1, 60)),
            false => into.len(),
        };
        let mut count = 0;
        while count < most
            && let Some((at, piece)) = self.pieces.front_mut()
            && *at <= now
        {
            let take = piece.len().min(most - count);
            into[count..count + take].copy_from_slice(&piece[..take]);
            count += take;
            if take == piece.len() {
                self.pieces.pop_front();
            } else {
                piece.drain(..take);
            }
        }
        self.bytes -= count;
        count
    }
}

#[derive(Debug)]
struct State {
    up: Pipe,
    down: Pipe,
    weather: Weather,
    random: Random,
    clock: Arc<Mock>,
    /// Since when both sides see an error.
    reset: Option<u64>,
    /// The venue has closed.
    venue_gone: bool,
}

/// What a client finds when it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// So many bytes, maybe none.
    Bytes(usize),
    /// The other side has closed.
    End,
    /// The connection is broken.
    Reset,
}

/// A connection, as the client and the network have it.
#[derive(Clone, Debug)]
pub struct Link(Arc<Mutex<State>>);

/// The venue's end of a connection.
#[derive(Debug)]
pub struct VenueEnd(Arc<Mutex<State>>);

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    /// A new connection: the client's end, and the venue's.
    pub fn open(weather: Weather, random: Random, clock: Arc<Mock>) -> (Self, VenueEnd) {
        let state = State {
            up: Pipe::default(),
            down: Pipe::default(),
            weather,
            random,
            clock,
            reset: None,
            venue_gone: false,
        };
        let state = Arc::new(Mutex::new(state));
        (Self(Arc::clone(&state)), VenueEnd(state))
    }

    /// Sends what there is room for; gives how many bytes.
    pub fn send(&self, bytes: &[u8]) -> usize {
        let state = &mut *lock(&self.0);
        if state.reset.is_some() || bytes.is_empty() {
            return 0;
        }
        state.up.write(state.clock.value(), bytes, &state.weather, &mut state.random)
    }

    /// Reads what has come.
    pub fn receive(&self, into: &mut [u8]) -> Arrival {
        let state = &mut *lock(&self.0);
        let count = state.down.read(state.clock.value(), into, &state.weather, &mut state.random);
        if count > 0 {
            return Arrival::Bytes(count);
        }
        match state.reset {
            // What had left arrives still, where it was kept.
            Some(_) if !state.down.is_dead && !state.down.pieces.is_empty() => Arrival::Bytes(0),
            Some(_) => Arrival::Reset,
            None if state.down.is_over(state.clock.value()) => Arrival::End,
            None => Arrival::Bytes(0),
        }
    }

    /// The client closes.
    pub fn close(&self) {
        let state = &mut *lock(&self.0);
        let ends =
            state.up.last.max(state.clock.value() + state.random.below(state.weather.delay_ns + 1));
        state.up.ends.get_or_insert(ends);
    }

    /// Both sides see an error at once; what was under way to the client may still be read, or not.
    pub fn reset(&self, keeps_answers: bool) {
        let state = &mut *lock(&self.0);
        state.reset.get_or_insert(state.clock.value());
        state.up.pieces.clear();
        if !keeps_answers {
            state.down.pieces.clear();
            state.down.bytes = 0;
        }
    }

    /// Nothing arrives any more in either direction, and nobody is told.
    pub fn cut_cable(&self) {
        let state = &mut *lock(&self.0);
        (state.up.is_dead, state.down.is_dead) = (true, true);
    }

    /// When the connection broke, if it has.
    pub fn broken(&self) -> Option<u64> {
        lock(&self.0).reset
    }

    /// Whether the venue has closed its end.
    pub fn venue_gone(&self) -> bool {
        lock(&self.0).venue_gone
    }

    /// Whether bytes are under way to either side, which a stall may hold up long after they were sent.
    pub fn is_carrying(&self) -> bool {
        let state = lock(&self.0);
        [&state.up, &state.down].iter().any(|pipe| !pipe.is_dead && !pipe.pieces.is_empty())
    }

    /// From now on the weather is this.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.0).weather = weather;
    }
}

impl Read for VenueEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = &mut *lock(&self.0);
        if state.reset.is_some() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        match state.up.read(state.clock.value(), into, &state.weather, &mut state.random) {
            0 if state.up.is_over(state.clock.value()) => Ok(0),
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for VenueEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *lock(&self.0);
        if state.reset.is_some() || state.down.ends.is_some() {
            return Err(ErrorKind::ConnectionReset.into());
        }
        match state.down.write(state.clock.value(), bytes, &state.weather, &mut state.random) {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for VenueEnd {
    fn end(&mut self) -> io::Result<()> {
        let state = &mut *lock(&self.0);
        let ends = state.down.last.max(state.clock.value());
        state.down.ends.get_or_insert(ends);
        Ok(())
    }
}

impl Drop for VenueEnd {
    fn drop(&mut self) {
        let _ = self.end();
        lock(&self.0).venue_gone = true;
    }
}
