//! From a captured frame to the datagram or segment inside.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

use super::packets::Captured;

/// Which transport protocol carries a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A byte stream; each packet holds a piece of it.
    Tcp,
}

impl Transport {
    /// `udp` or `tcp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// What was inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) transport: Transport,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) payload: &'a [u8],
    /// Whether the capture holds only a part of it. Such a payload must not be decoded.
    pub(crate) cut: bool,
}

/// Why a frame has no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Without {
    /// Something else than UDP or TCP over IP, or of a link type that is not known here.
    OtherProtocol,
    /// A part of a fragmented IP packet: it cannot be decoded alone.
    Fragment,
}

/// A dissected frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dissected<'a> {
    /// VLAN tags before the IP packet.
    pub(crate) vlan_tags: usize,
    pub(crate) datagram: Result<Datagram<'a>, Without>,
}

/// Takes a frame apart. Lengths come from the headers, since short frames are padded and switches
/// append trailers.
pub(crate) fn dissect<'a>(frame: &Captured<'a>) -> Dissected<'a> {
    match sliced(frame.link, frame.bytes) {
        None => Dissected { vlan_tags: 0, datagram: Err(Without::OtherProtocol) },
        Some(packet) => {
            Dissected { vlan_tags: packet.vlan_ids().len(), datagram: datagram(&packet) }
        }
    }
}

/// Link types: <https://www.tcpdump.org/linktypes.html>.
fn sliced(link: Linktype, bytes: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    const RAW: [i32; 5] = [101, 12, 14, 228, 229];
    const LOOPBACK: [i32; 2] = [0, 108];
    const LINUX_COOKED: i32 = 113;
    const LINUX_COOKED_2: i32 = 276;
    match link.0 {
        1 => LaxSlicedPacket::from_ethernet(bytes).ok(),
        link if RAW.contains(&link) => LaxSlicedPacket::from_ip(bytes).ok(),
        link if LOOPBACK.contains(&link) => LaxSlicedPacket::from_ip(bytes.get(4..)?).ok(),
        LINUX_COOKED => {
            let (header, rest) = bytes.split_first_chunk::<16>()?;
            let protocol = u16::from_be_bytes([header[14], header[15]]);
            Some(LaxSlicedPacket::from_ether_type(EtherType(protocol), rest))
        }
        LINUX_COOKED_2 => {
            let (header, rest) = bytes.split_first_chunk::<20>()?;
            let protocol = u16::from_be_bytes([header[0], header[1]]);
            Some(LaxSlicedPacket::from_ether_type(EtherType(protocol), rest))
        }
        _ => None,
    }
}

fn datagram<'a>(packet: &LaxSlicedPacket<'a>) -> Result<Datagram<'a>, Without> {
    let (source, destination): (IpAddr, IpAddr) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        _ => return Err(Without::OtherProtocol),
    };
    let ip_payload = packet.net.as_ref().and_then(LaxNetSlice::ip_payload_ref);
    if ip_payload.is_some_and(|payload| payload.fragmented) {
        return Err(Without::Fragment);
    }
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => {
            let length = usize::from(udp.length()).saturating_sub(8);
            let payload = udp.payload();
            Ok(Datagram {
                transport: Transport::Udp,
                source: (source, udp.source_port()).into(),
                destination: (destination, udp.destination_port()).into(),
                payload,
                cut: payload.len() < length,
            })
        }
        Some(TransportSlice::Tcp(tcp)) => Ok(Datagram {
            transport: Transport::Tcp,
            source: (source, tcp.source_port()).into(),
            destination: (destination, tcp.destination_port()).into(),
            payload: tcp.payload(),
            cut: ip_payload.is_some_and(|payload| payload.incomplete),
        }),
        _ => Err(Without::OtherProtocol),
    }
}
