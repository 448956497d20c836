//! Passwords: as they are, or as argon2 hashes that a thread of their own verifies.
//!
//! Verifying a hash takes milliseconds on purpose. The gateway's thread hands the question to a
//! helper and asks for the answer in later turns; meanwhile the login waits and nobody else does.
//! Where one session has a hash, every login takes the same way and the same time, whether its user
//! exists or not.

use std::thread::JoinHandle;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher};
use rtrb::{Consumer, Producer, RingBuffer};
use thiserror::Error;
use zeroize::Zeroizing;

/// What a hashed password begins with.
pub const HASH_PREFIX: &str = "$argon2";

/// Questions under way at once at most; who comes later waits for a place.
const PLACES: usize = 64;

/// The longest password that is looked at whole; a longer one is wrong.
const PASSWORD_MAX: usize = 128;

/// A hash that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no argon2 hash in PHC form; `spindle password` makes one")]
pub struct BadHash;

/// Hashes a password with argon2id and a salt of its own: the PHC string for a configuration.
///
/// # Errors
/// The system gives no random numbers.
pub fn hash_password(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(password).map(|hash| hash.to_string())
}

/// Whether a configured password is a hash.
pub fn is_hash(password: &str) -> bool {
    password.starts_with(HASH_PREFIX)
}

/// Checks that a hash can be used.
///
/// # Errors
/// See [`BadHash`].
pub fn check_hash(text: &str) -> Result<(), BadHash> {
    let hash = PasswordHash::new(text).map_err(|_| BadHash)?;
    let known = ["argon2id", "argon2i", "argon2d"].contains(&hash.algorithm.as_str());
    let whole = hash.hash.is_some() && hash.salt.is_some();
    let params = argon2::Params::try_from(&hash);
    if known && whole && params.is_ok() { Ok(()) } else { Err(BadHash) }
}

/// Bytes that verifying a hash takes; 0 for what is none.
pub fn hash_bytes(text: &str) -> usize {
    let params = PasswordHash::new(text).ok().and_then(|hash| argon2::Params::try_from(&hash).ok());
    params.map_or(0, |params| params.m_cost() as usize * 1_024)
}

/// Compares without ending at the first difference.
pub(crate) fn is_same(right: &[u8], given: &[u8]) -> bool {
    let differ = right.iter().enumerate().fold(right.len() ^ given.len(), |all, (at, byte)| {
        all | usize::from(byte ^ given.get(at).copied().unwrap_or(0))
    });
    std::hint::black_box(differ) == 0
}

/// What a session's password is.
pub(crate) enum Secret {
    /// None is asked for.
    None,
    /// As it is.
    Plain(Zeroizing<Box<[u8]>>),
    /// The number of a hash in the [`Vault`].
    Hash(u16),
}

/// A question that was asked; its answer is to be fetched or dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket(usize);

struct Question {
    place: usize,
    hash: Option<u16>,
    password: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    Asked,
    Answered(bool),
    /// Nobody waits for the answer any more.
    Dropped,
}

/// Where questions are answered.
enum Way {
    /// Here and now: for machines without threads, which have time.
    Here(Verifier),
    /// On the helper's thread.
    Helper {
        questions: Producer<Question>,
        answers: Consumer<(usize, bool)>,
        thread: Option<JoinHandle<()>>,
    },
}

/// The hashes of a configuration and what verifies them.
pub(crate) struct Vault {
    hashes: Vec<String>,
    places: [Place; PLACES],
    way: Way,
}

impl Default for Vault {
    fn default() -> Self {
        let way = Way::Here(Verifier::default());
        Self { hashes: Vec::new(), places: [Place::Free; PLACES], way }
    }
}

impl Vault {
    /// Takes a configured password in: a hash is kept here, anything else stays with its session.
    pub(crate) fn take_in(&mut self, password: &[u8]) -> Secret {
        if password.is_empty() {
            return Secret::None;
        }
        match std::str::from_utf8(password) {
            Ok(text) if is_hash(text) => {
                let number = u16::try_from(self.hashes.len()).unwrap_or(u16::MAX);
                self.hashes.push(text.to_owned());
                self.way =
                    Way::Here(Verifier { hashes: self.hashes.clone(), ..Verifier::default() });
                Secret::Hash(number)
            }
            _ => Secret::Plain(Zeroizing::new(password.into())),
        }
    }

    /// Whether logins have to ask here.
    pub(crate) fn is_used(&self) -> bool {
        !self.hashes.is_empty()
    }

    /// From now on a thread of its own answers, if there is anything to verify.
    pub(crate) fn start_helper(&mut self) -> std::io::Result<()> {
        if !self.is_used() {
            return Ok(());
        }
        let (questions, mut asked) = RingBuffer::<Question>::new(PLACES);
        let (mut answer, answers) = RingBuffer::new(PLACES);
        let mut verifier = Verifier { hashes: self.hashes.clone(), ..Verifier::default() };
        let thread = std::thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            while !asked.is_abandoned() {
                match asked.pop() {
                    Ok(question) => {
                        let right = verifier.verify(question.hash, &question.password);
                        // There is a place for each question.
                        let _ = answer.push((question.place, right));
                    }
                    Err(_) => std::thread::park(),
                }
            }
        })?;
        self.way = Way::Helper { questions, answers, thread: Some(thread) };
        Ok(())
    }

    /// Asks whether a password is that of a hash; without a hash the answer is no, after the same
    /// time. `None` while all places are taken: ask again.
    pub(crate) fn ask(&mut self, hash: Option<u16>, password: &[u8]) -> Option<Ticket> {
        self.collect();
        let place = self.places.iter().position(|&place| place == Place::Free)?;
        // One that is too long costs as much and is wrong.
        let hash = hash.filter(|_| password.len() <= PASSWORD_MAX);
        let password = &password[..password.len().min(PASSWORD_MAX)];
        match &mut self.way {
            Way::Here(verifier) => {
                self.places[place] = Place::Answered(verifier.verify(hash, password));
            }
            Way::Helper { questions, thread, .. } => {
                let password = Zeroizing::new(password.to_vec());
                questions.push(Question { place, hash, password }).ok()?;
                self.places[place] = Place::Asked;
                if let Some(thread) = thread {
                    thread.thread().unpark();
                }
            }
        }
        Some(Ticket(place))
    }

    /// The answer, once it is there; the ticket is used up with it.
    pub(crate) fn answer(&mut self, ticket: &Ticket) -> Option<bool> {
        self.collect();
        match self.places[ticket.0] {
            Place::Answered(right) => {
                self.places[ticket.0] = Place::Free;
                Some(right)
            }
            Place::Free | Place::Asked | Place::Dropped => None,
        }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn forget(&mut self, ticket: &Ticket) {
        let place = &mut self.places[ticket.0];
        *place = if *place == Place::Asked { Place::Dropped } else { Place::Free };
    }

    fn collect(&mut self) {
        if let Way::Helper { answers, .. } = &mut self.way {
            while let Ok((place, right)) = answers.pop() {
                let place = &mut self.places[place];
                *place = if *place == Place::Asked { Place::Answered(right) } else { Place::Free };
            }
        }
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let way = std::mem::replace(&mut self.way, Way::Here(Verifier::default()));
        if let Way::Helper { questions, thread: Some(thread), .. } = way {
            // It ends when it wakes up and nobody can ask any more.
            drop(questions);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Verifies, on whatever thread it is.
#[derive(Default)]
struct Verifier {
    hashes: Vec<String>,
    memory: Vec<argon2::Block>,
    /// Passwords that were hashed.
    done: u64,
}

impl Verifier {
    fn verify(&mut self, hash: Option<u16>, password: &[u8]) -> bool {
        let known = hash.and_then(|number| self.hashes.get(usize::from(number)));
        let is_known = known.is_some();
        // Who is unknown is held against the first hash, so that it takes as long.
        let Some(text) = known.or_else(|| self.hashes.first()).cloned() else { return false };
        self.is_of(&text, password).unwrap_or(false) & is_known
    }

    /// Whether a password is that of a hash. The memory that it takes is taken once and kept: logins
    /// shall not make the program grow.
    fn is_of(&mut self, text: &str, password: &[u8]) -> Option<bool> {
        let hash = PasswordHash::new(text).ok()?;
        let params = argon2::Params::try_from(&hash).ok()?;
        let algorithm = argon2::Algorithm::new(hash.algorithm.as_str()).ok()?;
        let version = argon2::Version::try_from(hash.version.unwrap_or(19)).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        self.done += 1;
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, argon2::Block::new());
        }
        let mut output = Zeroizing::new(vec![0; expected.as_bytes().len()]);
        Argon2::new(algorithm, version, params)
            .hash_password_into_with_memory(
                password,
                salt.as_ref(),
                &mut output,
                &mut self.memory[..blocks],
            )
            .ok()?;
        Some(is_same(expected.as_bytes(), &output))
    }
}

/// One login on its way to an answer.
#[derive(Debug, Default)]
pub(crate) struct Knock {
    ticket: Option<Ticket>,
    right: Option<bool>,
    /// Until when a refusal is held back.
    held_until: Option<u64>,
    /// The turn in which it first found that its session has a connection.
    found_taken: Option<u64>,
}

impl Knock {
    /// A login came: should it be refused, then `refusal_ns` from here, however long its answer took to find.
    pub(crate) fn begin(&mut self, refusal_ns: u64, now: u64) {
        self.held_until.get_or_insert(now.saturating_add(refusal_ns));
    }

    /// Whether the password given is that of `secret`, where `None` is a user who does not exist.
    /// `None` while the answer is not there yet: ask again with the same.
    pub(crate) fn ask(
        &mut self,
        vault: &mut Vault,
        secret: Option<&Secret>,
        given: &[u8],
    ) -> Option<bool> {
        if self.right.is_none() {
            let (plain, hash) = match secret {
                None => (false, None),
                Some(Secret::None) => (true, None),
                Some(Secret::Plain(password)) => (is_same(password, given), None),
                Some(Secret::Hash(number)) => (false, Some(*number)),
            };
            self.right = Some(if vault.is_used() {
                let ticket = match self.ticket.take() {
                    Some(ticket) => ticket,
                    None => vault.ask(hash, given)?,
                };
                match vault.answer(&ticket) {
                    Some(right) => right | plain,
                    None => {
                        self.ticket = Some(ticket);
                        return None;
                    }
                }
            } else {
                plain
            });
        }
        self.right
    }

    /// Whether a refusal has to wait, so that guessing takes time.
    pub(crate) fn holds_back(&self, now: u64) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Whether this login came before the session's other connection, last read from in the turn `looked_at`, could show
    /// its end.
    pub(crate) fn is_before(&mut self, looked_at: u64, turn: u64) -> bool {
        looked_at <= *self.found_taken.get_or_insert(turn)
    }

    /// The connection is gone.
    pub(crate) fn leave(&mut self, vault: &mut Vault) {
        if let Some(ticket) = self.ticket.take() {
            vault.forget(&ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash of "secret" that takes little time.
    fn cheap() -> String {
        let params = argon2::Params::new(64, 1, 1, None).expect("small");
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        argon2.hash_password(b"secret").expect("random numbers").to_string()
    }

    fn ask(vault: &mut Vault, hash: Option<u16>, password: &[u8]) -> bool {
        let ticket = vault.ask(hash, password).expect("a place");
        loop {
            if let Some(right) = vault.answer(&ticket) {
                return right;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_hash_admits_its_password_alone_here_and_on_the_helper() {
        let mut vault = Vault::default();
        assert!(matches!(vault.take_in(b""), Secret::None));
        assert!(matches!(vault.take_in(b"plain"), Secret::Plain(_)));
        assert!(!vault.is_used());
        let Secret::Hash(number) = vault.take_in(cheap().as_bytes()) else { panic!("a hash") };
        for helper in [false, true] {
            if helper {
                vault.start_helper().expect("a thread");
            }
            assert!(ask(&mut vault, Some(number), b"secret"));
            assert!(!ask(&mut vault, Some(number), b"Secret"));
            assert!(!ask(&mut vault, None, b"secret"), "nobody has this password");
            assert!(!ask(&mut vault, Some(number), &[b's'; 1_000]));
            assert!(!ask(&mut vault, Some(9), b"secret"));
        }
    }

    /// However a login comes to its refusal, and where it is admitted: one password is hashed, with the same parameters, and
    /// what came is compared to its end.
    #[test]
    fn every_cause_of_a_refusal_costs_the_same_work() {
        let mut vault = Vault::default();
        let hashed = vault.take_in(cheap().as_bytes());
        let other = vault.take_in(cheap().as_bytes());
        let (plain, none) = (vault.take_in(b"plain"), vault.take_in(b""));
        let long = [b's'; 1_000];
        let mut done = 0;
        for (what, secret, given, right) in [
            ("right", Some(&hashed), &b"secret"[..], true),
            ("wrong", Some(&hashed), b"Secret", false),
            ("wrong at its end", Some(&other), b"secres", false),
            ("empty", Some(&hashed), b"", false),
            ("too long", Some(&hashed), &long, false),
            ("nobody", None, b"secret", false),
            ("nobody, too long", None, &long, false),
            ("not hashed", Some(&plain), b"plain", true),
            ("not hashed, wrong", Some(&plain), b"secret", false),
            ("none is asked for", Some(&none), b"x", true),
        ] {
            let mut knock = Knock::default();
            assert_eq!(knock.ask(&mut vault, secret, given), Some(right), "{what}");
            // Asked again while its refusal is held back, it costs nothing more.
            assert_eq!(knock.ask(&mut vault, secret, given), Some(right), "{what}");
            done += 1;
            let Way::Here(verifier) = &vault.way else { panic!("no helper was started") };
            assert_eq!(verifier.done, done, "{what}");
        }
    }

    #[test]
    fn a_refusal_comes_at_its_time_however_long_its_answer_took() {
        let mut knock = Knock::default();
        knock.begin(1_000, 50);
        knock.begin(1_000, 400);
        assert!(knock.holds_back(1_049));
        assert!(!knock.holds_back(1_050));
    }

    #[test]
    fn places_are_bounded_and_come_back() {
        let mut vault = Vault::default();
        vault.take_in(cheap().as_bytes());
        vault.start_helper().expect("a thread");
        let tickets: Vec<_> = (0..PLACES).filter_map(|_| vault.ask(None, b"x")).collect();
        // Some may be answered, but none is fetched.
        assert_eq!(tickets.len(), PLACES);
        assert_eq!(vault.ask(None, b"x"), None);
        for ticket in &tickets {
            vault.forget(ticket);
        }
        while vault.ask(None, b"x").is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_no_hash_is_named() {
        assert_eq!(check_hash(&cheap()), Ok(()));
        assert_eq!(check_hash("$argon2id$v=19$m=64"), Err(BadHash));
        assert_eq!(check_hash("$argon2id$"), Err(BadHash));
        assert_eq!(hash_bytes(&cheap()), 64 * 1_024);
        assert!(is_hash(&hash_password(b"x").expect("random numbers")));
    }
}
