//! What a gateway counts and measures.

use spindle_engine::latency::Latency;

/// Counters and latencies of one gateway. Recording allocates nothing.
#[derive(Clone, Debug)]
pub struct GatewayStats {
    /// Nanoseconds from the engine putting an event into the ring to the gateway taking it out.
    pub ring_out: Latency,
    /// Nanoseconds from taking an event out of the ring to its message standing in the session's
    /// stream, for the first answer to a request over OUCH.
    pub encode: Latency,
    /// Nanoseconds from that to its bytes being written to the socket.
    pub send: Latency,
    /// Nanoseconds from a request's bytes read from the socket to the bytes of its first answer
    /// written to the socket.
    pub order_in_to_answer_out: Latency,
    /// Nanoseconds that slices of time took which went to newcomers, to connections without a login and to sessions
    /// that are served aside.
    pub aside: Latency,
    /// Connections taken.
    pub connections: u64,
    /// Connections turned away because all places were taken.
    pub turned_away: u64,
    /// Logins accepted.
    pub logins: u64,
    /// Logins refused.
    pub refused_logins: u64,
    /// Requests put into the ring.
    pub commands: u64,
    /// Requests ignored because their number was not higher than the last.
    pub retransmissions: u64,
    /// Requests ignored because the venue does not offer them and the protocol has no refusal.
    pub ignored: u64,
    /// Events taken from the ring.
    pub events: u64,
    /// Messages put into streams.
    pub messages: u64,
    /// Events for sessions that this gateway does not have.
    pub unrouted: u64,
    /// Turns in which reading stopped because the ring to the engine was full.
    pub ring_full: u64,
    /// Requests beyond a session's throttle.
    pub throttled: u64,
    /// Clients disconnected because they read too slowly.
    pub slow_consumers: u64,
    /// Answers whose time was not recorded because too many were waiting to be written.
    pub unmeasured: u64,
    /// Notices lost because nobody read their ring.
    pub notices_lost: u64,
    /// Blocks of bytes that were no FIX message.
    pub garbled: u64,
}

impl Default for GatewayStats {
    fn default() -> Self {
        Self::new()
    }
}

impl GatewayStats {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            ring_out: Latency::new(),
            encode: Latency::new(),
            send: Latency::new(),
            order_in_to_answer_out: Latency::new(),
            aside: Latency::new(),
            connections: 0,
            turned_away: 0,
            logins: 0,
            refused_logins: 0,
            commands: 0,
            retransmissions: 0,
            ignored: 0,
            events: 0,
            messages: 0,
            unrouted: 0,
            ring_full: 0,
            throttled: 0,
            slow_consumers: 0,
            unmeasured: 0,
            notices_lost: 0,
            garbled: 0,
        }
    }
}
