//! TLS 1.3 on real sockets with a real TLS client: sessions trade, whoever is not what the port asks
//! for is refused, and files that are no certificates are named in one line.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{World, config};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use spindle_engine::command::OrderSide;
use spindle_gateway::client::NewOrder;
use spindle_gateway::tls::Tls;
use spindle_types::{OrderToken, Price, Quantity};
use zerocopy::IntoBytes;

/// An authority and what it has signed, as files.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).expect("a file");
        Self { folder, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a name, and its key.
    fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("a file");
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("a file");
    }

    fn tls(&self, name: &str, client_authority: Option<&Path>) -> Tls {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        Tls::read(&self.path(&certificate), &self.path(&key), client_authority).expect("good files")
    }
}

/// What a client asks of the venue, and what it shows.
fn client(trusts: &Authority, shows: Option<(&Authority, &str)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusts.issuer.der().clone()).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    Arc::new(match shows {
        None => builder.with_no_client_auth(),
        Some((authority, name)) => {
            let certificate = authority.path(&format!("{name}.pem"));
            let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
            let key = authority.path(&format!("{name}.key"));
            let key = PrivateKeyDer::from_pem_file(key).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("a pair")
        }
    })
}

/// A TLS client that does not block.
struct Client {
    connection: ClientConnection,
    socket: TcpStream,
    got: Vec<u8>,
    closed: bool,
    error: Option<String>,
}

impl Client {
    fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(address).expect("the gateway listens");
        socket.set_nonblocking(true).expect("a socket");
        let name = "venue.test".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::clone(config), name).expect("a client");
        Self { connection, socket, got: Vec::new(), closed: false, error: None }
    }

    fn turn(&mut self) {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.closed = true;
                    break;
                }
            }
        }
        match self.connection.read_tls(&mut self.socket) {
            Ok(0) => self.closed = true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => self.closed = true,
        }
        if let Err(error) = self.connection.process_new_packets() {
            self.error = Some(error.to_string());
            self.closed = true;
        }
        let mut space = [0; 4_096];
        while let Ok(count @ 1..) = self.connection.reader().read(&mut space) {
            self.got.extend_from_slice(&space[..count]);
        }
    }

    /// Turns until so many bytes have come, or the other side has closed.
    fn until(&mut self, world: &mut World, bytes: usize) {
        for _ in 0..2_000_000 {
            world.turn();
            self.turn();
            if self.got.len() >= bytes || self.closed {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{} of {bytes} bytes came", self.got.len());
    }
}

const LOGIN: &[u8] = b"\x00\x2fLALICE PASS                                   1";

/// Login accepted and the day's begin.
const ANSWER: usize = 33 + 13;

#[test]
fn a_session_over_tls_is_as_any_other_and_gets_all_at_its_end() {
    let authority = Authority::new();
    authority.sign("venue.test", |_| {});
    let mut config = config();
    config.door.tls = Some(authority.tls("venue.test", None));
    let mut world = World::new(&config);
    let mut alice = Client::connect(world.address, &client(&authority, None));
    alice.connection.writer().write_all(LOGIN).expect("room");
    alice.until(&mut world, ANSWER);
    assert_eq!(alice.got[2], b'A');
    assert_eq!(alice.connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3),);
    // More than fits TLS's own buffers and the socket's, each way.
    let order = |number: u32| {
        let symbol = "REST".parse().expect("a symbol");
        let order = NewOrder::limit(OrderSide::Buy, Quantity(1), symbol, Price(10_000));
        [&[0, 48, b'U'][..], order.message(OrderToken(number)).as_bytes()].concat()
    };
    for number in 1..=4_000 {
        alice.connection.writer().write_all(&order(number)).expect("room");
        if number % 50 == 0 {
            world.turn();
            alice.turn();
        }
    }
    alice.until(&mut world, ANSWER + 4_000 * 67);
    assert_eq!(alice.got.len(), ANSWER + 4_000 * 67);
    let accepted = alice.got[ANSWER..].chunks(67).zip(1_u32..);
    for (packet, number) in accepted {
        assert_eq!((packet[3], &packet[12..16]), (b'A', &number.to_be_bytes()[..]));
    }
    // What is sent last arrives before the end, and TLS is ended as it should be.
    world.gateway.shutdown_handle().request();
    alice.until(&mut world, usize::MAX);
    let end = &alice.got[ANSWER + 4_000 * 67..];
    assert_eq!((end.len(), &end[13..]), (16, &b"\0\x01Z"[..]));
    assert_eq!(alice.error, None);
    assert_eq!(world.log().iter().filter(|line| line.contains("failed")).count(), 0);
}

#[test]
fn clients_without_the_right_certificate_are_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    for name in ["venue.test", "alice.test"] {
        authority.sign(name, |_| {});
        other.sign(name, |_| {});
    }
    authority.sign("late.test", |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let mut config = config();
    config.door.tls = Some(authority.tls("venue.test", Some(&authority.path("authority.pem"))));
    let mut world = World::new(&config);
    for (what, config, taken) in [
        ("a good one", client(&authority, Some((&authority, "alice.test"))), true),
        ("none", client(&authority, None), false),
        ("one of another authority", client(&authority, Some((&other, "alice.test"))), false),
        ("one that is over", client(&authority, Some((&authority, "late.test"))), false),
        (
            "a client that does not trust the venue",
            client(&other, Some((&authority, "alice.test"))),
            false,
        ),
    ] {
        let mut client = Client::connect(world.address, &config);
        client.connection.writer().write_all(LOGIN).expect("room");
        client.until(&mut world, ANSWER);
        assert_eq!(client.got.len(), if taken { ANSWER } else { 0 }, "{what}");
        assert_eq!(client.closed, !taken, "{what}");
        drop(client);
        world.quiet(&mut []);
    }
    assert_eq!(world.gateway.connections_open(), 0);
    assert_eq!(world.gateway.stats().logins, 1);
}

#[test]
fn plain_text_garbage_and_silence_on_a_tls_port_do_no_harm() {
    let authority = Authority::new();
    authority.sign("venue.test", |_| {});
    let mut config = config();
    config.door.tls = Some(authority.tls("venue.test", None));
    let mut world = World::new(&config);
    let mut plain = TcpStream::connect(world.address).expect("the gateway listens");
    plain.write_all(LOGIN).expect("room");
    let mut noise = TcpStream::connect(world.address).expect("the gateway listens");
    noise.write_all(&[0xff; 4_096]).expect("room");
    let silent = TcpStream::connect(world.address).expect("the gateway listens");
    for _ in 0..2_000 {
        world.turn();
        if world.gateway.stats().connections == 3 && world.gateway.connections_open() == 1 {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(world.gateway.connections_open(), 1, "only who is silent is still there");
    world.clock.advance(31 * common::SECOND);
    world.quiet(&mut []);
    assert_eq!(world.gateway.connections_open(), 0, "a handshake has the time of a login");
    drop(silent);
    // It gets TLS's alert and the end.
    let mut got = Vec::new();
    let _ = plain.read_to_end(&mut got);
    assert!(got.is_empty() || got[0] == 0x15, "{got:?}");
    assert_eq!(world.gateway.stats().logins, 0);
}

#[test]
fn files_that_are_no_certificates_are_named_in_one_line() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.sign("venue.test", |_| {});
    other.sign("venue.test", |_| {});
    std::fs::write(authority.path("empty.pem"), "nothing\n").expect("a file");
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    std::fs::write(authority.path("broken.pem"), broken).expect("a file");
    let good = (authority.path("venue.test.pem"), authority.path("venue.test.key"));
    let cases = [
        (authority.path("none.pem"), good.1.clone(), "none.pem: no certificate: No such file"),
        (
            authority.path("empty.pem"),
            good.1.clone(),
            "empty.pem: no certificate: none is in the file",
        ),
        (authority.path("broken.pem"), good.1.clone(), "broken.pem: no certificate: "),
        (good.0.clone(), authority.path("none.key"), "none.key: no private key: No such file"),
        (good.0.clone(), good.0.clone(), "venue.test.pem: no private key: none is in the file"),
        (good.0.clone(), other.path("venue.test.key"), "venue.test.key: "),
    ];
    for (certificate, key, expected) in cases {
        let error = Tls::read(&certificate, &key, None).expect_err("wrong").to_string();
        assert!(error.contains(expected), "{error} does not contain {expected}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    let error = Tls::read(&good.0, &good.1, Some(&authority.path("empty.pem"))).expect_err("wrong");
    assert!(error.to_string().contains("empty.pem: no certificate"), "{error}");
}
