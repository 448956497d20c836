//! Where an order's time goes. A probe watches the engine from outside: nothing it sees or says
//! changes an output.

/// A point on the way of an order through the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The risk gate has decided.
    Risk,
    /// Matching is done and the answers are written.
    Match,
}

/// Something that is told when an order passes a point.
pub trait Probe {
    /// The order has passed this point now.
    fn passed(&mut self, step: Step);
}

/// Nobody watches.
impl Probe for () {
    #[inline]
    fn passed(&mut self, _: Step) {}
}
