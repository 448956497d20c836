//! What the kernel writes beside a datagram: the sender's address and control messages. Read here
//! as plain bytes in the layout of 64-bit Linux, so that nothing depends on alignment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use spindle_types::ReceiveTime;

/// Room for a sender's address: `sockaddr_in6` is 28 bytes.
pub(super) const NAME_LENGTH: usize = 32;

/// The same as the kernel takes it.
#[allow(clippy::cast_possible_truncation, reason = "32")]
pub(super) const NAME_SOCKLEN: libc::socklen_t = NAME_LENGTH as libc::socklen_t;

/// Room for control messages: a time stamp takes 32 bytes, a drop count 24.
pub(super) const CONTROL_LENGTH: usize = 96;

const HEADER_LENGTH: usize = 16;

/// What control messages said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// When the kernel received the datagram; 0 where it did not say.
    pub(super) received: ReceiveTime,
    /// Datagrams that the socket has dropped since it was opened, where the kernel said so.
    pub(super) dropped: Option<u32>,
}

/// Reads the control messages that are known and passes over all others.
#[inline]
pub(super) fn control(mut bytes: &[u8]) -> Control {
    let mut control = Control::default();
    while let Some((length, level, kind)) = header(bytes) {
        let Some(data) = bytes.get(HEADER_LENGTH..length) else {
            break;
        };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                control.received = stamp(data).unwrap_or_default();
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                control.dropped = data.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    control
}

/// Length with header, level and type.
#[inline]
fn header(bytes: &[u8]) -> Option<(usize, i32, i32)> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (level, rest) = rest.split_first_chunk::<4>()?;
    let kind = rest.first_chunk::<4>()?;
    let length = usize::from_ne_bytes(*length);
    // A length below the header's own would go round in circles.
    (length >= HEADER_LENGTH && length <= bytes.len())
        .then(|| (length, i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)))
}

#[inline]
fn stamp(data: &[u8]) -> Option<ReceiveTime> {
    let (seconds, rest) = data.split_first_chunk::<8>()?;
    let nanoseconds = rest.first_chunk::<8>()?;
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).ok()?;
    let nanoseconds = u64::try_from(i64::from_ne_bytes(*nanoseconds)).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds).map(ReceiveTime)
}

/// The sender's address. IPv4 addresses that came over an IPv6 socket are given as IPv4.
#[inline]
pub(super) fn sender(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    let address = match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*rest.first_chunk::<4>()?)),
        libc::AF_INET6 => {
            let address = rest.get(4..)?.first_chunk::<16>()?;
            IpAddr::V6(Ipv6Addr::from(*address)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (HEADER_LENGTH + data.len()).to_ne_bytes().to_vec();
        bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn stamp_data(seconds: i64, nanoseconds: i64) -> Vec<u8> {
        [seconds.to_ne_bytes(), nanoseconds.to_ne_bytes()].concat()
    }

    #[test]
    fn stamps_and_drop_counts_are_found_in_any_order() {
        let time = message(libc::SCM_TIMESTAMPNS, &stamp_data(3, 7));
        let drops = message(libc::SO_RXQ_OVFL, &9_u32.to_ne_bytes());
        let other = message(77, &[1; 3]);
        let expected = Control { received: ReceiveTime(3_000_000_007), dropped: Some(9) };
        assert_eq!(control(&[&time[..], &drops, &other].concat()), expected);
        assert_eq!(control(&[&other[..], &drops, &time].concat()), expected);
        assert_eq!(control(&[]), Control::default());
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        let time = message(libc::SCM_TIMESTAMPNS, &stamp_data(3, 7));
        for length in [0_usize, 15, 33, usize::MAX] {
            let mut bytes = time.clone();
            bytes[..8].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(control(&bytes), Control::default(), "{length}");
        }
        for cut in 0..time.len() {
            control(&time[..cut]);
        }
        let negative = message(libc::SCM_TIMESTAMPNS, &stamp_data(-1, 7));
        assert_eq!(control(&negative), Control::default());
    }

    fn family(family: i32) -> Vec<u8> {
        u16::try_from(family).expect("a small number").to_ne_bytes().to_vec()
    }

    #[test]
    fn senders_of_both_families_are_read() {
        let mut name = family(libc::AF_INET);
        name.extend([0x12, 0x34, 127, 0, 0, 1]);
        assert_eq!(sender(&name), Some("127.0.0.1:4660".parse().expect("an address")));
        assert_eq!(sender(&name[..7]), None);
        let mut name = family(libc::AF_INET6);
        name.extend([0, 80, 0, 0, 0, 0]);
        name.extend(Ipv6Addr::LOCALHOST.octets());
        assert_eq!(sender(&name), Some("[::1]:80".parse().expect("an address")));
        assert_eq!(sender(&name[..23]), None);
        assert_eq!(sender(&[]), None);
    }
}
