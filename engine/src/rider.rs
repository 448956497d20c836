//! What rides along with the engine on its thread: it sees time pass and events happen, and changes
//! nothing.

use spindle_types::EventTime;

use crate::engine::Engine;
use crate::event::Event;

/// Someone who looks on. What is called here runs on the engine thread: no allocation, no waiting.
pub trait Rider: Send {
    /// Whether it wants to be told of time at all.
    const WATCHES: bool = true;

    /// Time moves on to `to`: told before what happens then changes the books.
    #[inline]
    fn time(&mut self, engine: &Engine, to: EventTime) {
        let _ = (engine, to);
    }

    /// Something happened to an order. The books may have moved on within the same input.
    #[inline]
    fn event(&mut self, engine: &Engine, event: &Event) {
        let _ = (engine, event);
    }

    /// A turn of the duty cycle is over.
    #[inline]
    fn turn(&mut self, engine: &Engine) {
        let _ = engine;
    }
}

/// Nobody.
impl Rider for () {
    const WATCHES: bool = false;
}
