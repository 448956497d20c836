//! TLS 1.3 on the gateway's own thread: bytes through a `rustls` connection, without waiting.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use thiserror::Error;

use crate::wire::Wire;

/// Bytes that wait to be encrypted and sent at most; with more, writes have to wait.
const BUFFER_MAX: usize = 64 * 1_024;

/// Records taken from the socket in one read at most.
const RECORDS_MAX: usize = 4;

/// Bytes that a connection's TLS takes at most, handshake and records in both directions included.
pub const CONNECTION_BYTES: usize = 2 * BUFFER_MAX + 96 * 1_024;

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds nothing of what it should.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Certificate and key do not go together, or one of them is of a kind that is not taken.
    #[error("{} with {}: {source}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What `rustls` says.
        source: rustls::Error,
    },
}

/// A port's certificate and what it asks of its clients. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads PEM files: the certificate with its chain, its key and, where clients have to show a
    /// certificate, the authorities that theirs must come from.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn read(
        certificate: &Path,
        key: &Path,
        client_authority: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            wrong(key, &format!("no private key: {}; give one in PEM form", plain(&error)))
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pair = |source| TlsError::Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(pair)?;
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|error| wrong(path, &error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .build()
                    .map_err(|error| wrong(path, &error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, private).map_err(pair)?;
        // Nothing is kept for clients that come again: a session here lasts the day.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }

    /// A connection over a stream that does not block.
    pub(crate) fn accept(&self, under: Box<dyn Wire>) -> io::Result<Secure> {
        let mut connection =
            ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(BUFFER_MAX));
        Ok(Secure { connection, under, ended: false, broken: None })
    }
}

fn wrong(path: &Path, message: &str) -> TlsError {
    TlsError::File { path: path.to_owned(), message: message.replace('\n', " ") }
}

fn plain(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => "none is in the file".to_owned(),
        error => error.to_string().replace('\n', " "),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let complain =
        |error| wrong(path, &format!("no certificate: {}; give one in PEM form", plain(&error)));
    let found = CertificateDer::pem_file_iter(path).map_err(complain)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(complain)?;
    if found.is_empty() {
        return Err(complain(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// A TLS connection over a stream that does not block.
pub(crate) struct Secure {
    connection: ServerConnection,
    under: Box<dyn Wire>,
    /// Whether the sending side is closed; the stream below follows when all has left.
    ended: bool,
    /// The stream below failed for good while something else was asked for.
    broken: Option<ErrorKind>,
}

impl Secure {
    /// Sends what is encrypted, as far as the stream below takes it.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.under) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.ended {
            self.under.end()?;
        }
        Ok(())
    }

    /// Whether encrypted bytes wait for the stream below.
    pub(crate) fn waits(&self) -> bool {
        self.connection.wants_write()
    }

    fn pull(&mut self) -> io::Result<()> {
        self.connection.read_tls(&mut self.under)?;
        if let Err(error) = self.connection.process_new_packets() {
            // The alert that says why goes out if it can.
            let _ = self.push();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        if self.connection.wants_write()
            && let Err(error) = self.push()
            && error.kind() != ErrorKind::WouldBlock
        {
            self.broken = Some(error.kind());
        }
        Ok(())
    }
}

impl Read for Secure {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        for _ in 0..RECORDS_MAX {
            match self.connection.reader().read(space) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The peer went without a word of it: the same as going.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            if let Some(kind) = self.broken {
                return Err(kind.into());
            }
            self.pull()?;
        }
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.broken {
            return Err(kind.into());
        }
        if self.connection.is_handshaking() {
            self.push()?;
            return Err(ErrorKind::WouldBlock.into());
        }
        match self.push() {
            Ok(()) => {}
            // What is encrypted has to leave first, or nobody would notice a client that takes nothing.
            Err(error) => return Err(error),
        }
        let count = self.connection.writer().write(bytes)?;
        match self.push() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.broken = Some(error.kind()),
            Ok(()) | Err(_) => {}
        }
        if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()
    }
}

impl Secure {
    /// Closes the sending side once all has left; see [`Secure::push`].
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if !self.ended {
            self.ended = true;
            self.connection.send_close_notify();
        }
        match self.push() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            done => done,
        }
    }
}
