//! A cable that remembers what passed, and the capture that is made of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use etherparse::PacketBuilder;

/// What passed a tap: from the client or to it.
pub struct Segment {
    pub from_client: bool,
    pub bytes: Vec<u8>,
}

/// A cable that remembers.
pub struct Tap {
    listener: TcpListener,
    venue: SocketAddr,
    pair: Option<(TcpStream, TcpStream)>,
    pub segments: Vec<Segment>,
}

impl Tap {
    pub fn new(venue: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        Self { listener, venue, pair: None, segments: Vec::new() }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    pub fn poll(&mut self) {
        if let Ok((client, _)) = self.listener.accept() {
            let venue = TcpStream::connect(self.venue).expect("the venue listens");
            for socket in [&client, &venue] {
                socket.set_nonblocking(true).expect("a socket");
            }
            self.pair = Some((client, venue));
        }
        let Some((client, venue)) = &self.pair else { return };
        let mut bytes = [0; 4_096];
        for (mut from, mut to, from_client) in [(client, venue, true), (venue, client, false)] {
            match from.read(&mut bytes) {
                Ok(count) if count > 0 => {
                    to.write_all(&bytes[..count]).expect("a few bytes have room");
                    self.segments.push(Segment { from_client, bytes: bytes[..count].to_vec() });
                }
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }
}

/// A capture as tcpdump writes it: frames of Ethernet.
pub struct Capture(pub Vec<u8>);

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

impl Capture {
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        // Magic, version 2.4, zone, accuracy, most bytes of a frame, Ethernet.
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        Self(bytes)
    }

    fn frame(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).expect("short");
        for word in [1_700_000_000, 0, length, length] {
            self.0.extend_from_slice(&word.to_le_bytes());
        }
        self.0.extend_from_slice(frame);
    }

    /// A whole TCP connection: the handshake, then each segment.
    pub fn tcp(&mut self, client: u16, server: u16, segments: &[Segment]) {
        let ends = |from_client| if from_client { (client, server) } else { (server, client) };
        let mut next = [1_000_u32, 9_000_u32];
        let mut put = |from_client: bool, syn: bool, ack: bool, bytes: &[u8]| {
            let (from, to) = ends(from_client);
            let (own, other) = (usize::from(!from_client), usize::from(from_client));
            let local = Ipv4Addr::LOCALHOST.octets();
            let mut builder = PacketBuilder::ethernet2(MAC, MAC)
                .ipv4(local, local, 64)
                .tcp(from, to, next[own], 65_535);
            if syn {
                builder = builder.syn();
            }
            if ack {
                builder = builder.ack(next[other]);
            }
            if !bytes.is_empty() {
                builder = builder.psh();
            }
            let mut frame = Vec::new();
            builder.write(&mut frame, bytes).expect("a frame");
            self.frame(&frame);
            next[own] += u32::from(syn) + u32::try_from(bytes.len()).expect("short");
        };
        put(true, true, false, &[]);
        put(false, true, true, &[]);
        put(true, false, true, &[]);
        for segment in segments {
            put(segment.from_client, false, true, &segment.bytes);
        }
    }

    pub fn udp(&mut self, from: u16, to: u16, bytes: &[u8]) {
        let local = Ipv4Addr::LOCALHOST.octets();
        let builder = PacketBuilder::ethernet2(MAC, MAC).ipv4(local, local, 64).udp(from, to);
        let mut frame = Vec::new();
        builder.write(&mut frame, bytes).expect("a frame");
        self.frame(&frame);
    }
}

/// The packets of one direction: type and message.
pub fn soup_packets(segments: &[Segment], from_client: bool) -> Vec<(u8, Vec<u8>)> {
    let bytes: Vec<u8> = segments
        .iter()
        .filter(|segment| segment.from_client == from_client)
        .flat_map(|segment| segment.bytes.clone())
        .collect();
    let mut rest = &bytes[..];
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        packets.push((packet[0], packet[1..].to_vec()));
        rest = after;
    }
    packets
}
