//! The floor of a feed: a socket that is read without pause, and packets that are walked from message to
//! message. No receive path of the product, no arbitration, no decoding.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;

use socket2::SockRef;
use spindle_feed::moldudp64::{Kind, PAYLOAD_MAX, Packet};

use super::Ticks;
use super::load::Plan;
use super::run::{IDLE_POLLS, Over, Run, RunError};

/// A socket with a buffer as the product's have it, where the system grants that.
pub(super) fn open(local: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    // The system caps it; a smaller one is as good for a floor.
    let _ = SockRef::from(&socket).set_recv_buffer_size(buffer);
    Ok(socket)
}

/// Reads until the session is over and the socket is empty.
pub(super) fn receive_all(
    socket: &UdpSocket,
    plan: &Plan,
    ticks: &Ticks,
    start: u64,
    over: &Over,
) -> Result<Run, RunError> {
    let mut run = Run::new();
    let deadline = plan.deadline(start);
    let mut bytes = [0; PAYLOAD_MAX];
    let mut idle = 0;
    while !run.ended || idle < IDLE_POLLS {
        let Ok(count) = socket.recv(&mut bytes) else {
            if ticks.now() > deadline {
                return Err(RunError::Stuck("time is up".to_owned()));
            }
            idle = if over.sent.load(Ordering::Acquire) { idle + 1 } else { 0 };
            continue;
        };
        idle = 0;
        run.stats.lines[0].datagrams += 1;
        let Ok(packet) = Packet::parse(&bytes[..count]) else { continue };
        if packet.kind() == Kind::EndOfSession {
            run.ended = true;
            over.received.store(true, Ordering::Release);
        }
        let first = usize::try_from(packet.sequence()).unwrap_or(0).saturating_sub(1);
        for (index, message) in (first..).zip(packet.messages()) {
            run.count(index, sent(message), plan, ticks, start);
        }
    }
    Ok(run)
}

/// When a message was sent, as the load writes it into the message's time.
fn sent(message: &[u8]) -> u64 {
    let Some([a, b, c, d, e, f]) = message.get(5..11).and_then(|time| time.first_chunk()) else {
        return 0;
    };
    u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f])
}
