//! What a gateway takes at most, from its configuration alone.

use std::mem::size_of;

use crate::config::{GatewayConfig, OuchEdition};
use crate::notice::GatewayNotice;
use crate::soup::stream::CHUNK_BYTES;
use crate::tls::CONNECTION_BYTES;
use crate::transport::Connection;
use crate::vault::hash_bytes;

/// Bytes of a session's tables beside its stream: what is under way, times, names.
const SESSION_BYTES: u64 = 256 * 1_024;

/// Bytes of a token of OUCH 4.2, with its place in a table that is at most half full.
const TOKEN_BYTES: u64 = 160;

/// Bytes of an order that drop copies know, in a table that is at most half full.
const COPIED_ORDER_BYTES: u64 = 320;

/// Histograms, tables by session and account, the list of connections.
const FIXED_BYTES: u64 = 4 << 20;

/// Bytes that a gateway takes at most. Most of it is touched only when it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayMemory {
    /// What sessions keep: their streams, and the tables of FIX.
    pub sessions: u64,
    /// What connections read into, and TLS.
    pub connections: u64,
    /// Everything else.
    pub fixed: u64,
}

impl GatewayMemory {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.sessions + self.connections + self.fixed
    }
}

impl GatewayConfig {
    /// What a gateway with this configuration takes at most.
    pub fn memory(&self) -> GatewayMemory {
        let limits = &self.limits;
        let chunk = CHUNK_BYTES as u64;
        let kept = limits.stream_bytes_max + limits.stream_reserve_bytes;
        // Chunks end before the message that does not fit; one is not full, one is spare.
        let stream = kept + kept / 64 + 2 * chunk;
        let of_fix = self.fix.as_ref();
        let of_42 = self.users.iter().filter(|user| user.protocol == OuchEdition::V42).count();
        let tokens = (of_42 * limits.tokens_max) as u64 * TOKEN_BYTES;
        let of_ouch = self.users.len() as u64 * (stream + SESSION_BYTES) + tokens;
        let sessions = of_ouch + of_fix.map_or(0, |fix| fix.bytes() as u64);
        let block = of_fix.map_or(0, |fix| 2 * fix.limits.message_max);
        let has_tls = self.door.tls.is_some() || of_fix.is_some_and(|fix| fix.door.tls.is_some());
        let tls = if has_tls { CONNECTION_BYTES } else { 0 };
        let connection = limits.read_bytes_max.max(block) + tls + 2 * size_of::<Connection>();
        let copies = self.options.values().any(|options| options.copy.is_some());
        let copied = if copies { limits.copied_orders_max as u64 * COPIED_ORDER_BYTES } else { 0 };
        let of_fix = of_fix.iter().flat_map(|fix| &fix.sessions).map(|user| &user.password);
        let passwords = self.users.iter().map(|user| &user.password).chain(of_fix);
        // One is verified at a time.
        let hash = passwords.map(|password| hash_bytes(password)).max().unwrap_or(0) as u64;
        let notices = 1_024 * size_of::<GatewayNotice>() as u64;
        GatewayMemory {
            sessions,
            connections: (limits.connections_max * connection) as u64,
            fixed: FIXED_BYTES + copied + hash + notices,
        }
    }
}
