//! Strategies' sessions: SoupBinTCP and OUCH, the gateway that serves them, and the client side.

pub mod ouch;
pub mod soup;

#[cfg(test)]
mod testing;
