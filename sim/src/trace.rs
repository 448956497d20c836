//! What happened in a run: a hash of everything that could be seen, and lines for people where they are asked for.

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    prints: bool,
    /// The time of the step.
    pub now: u64,
}

impl Trace {
    /// A trace that prints, or does not.
    pub const fn new(prints: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, prints, now: 0 }
    }

    /// The hash so far.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether lines are printed.
    pub const fn prints(&self) -> bool {
        self.prints
    }

    /// Notes a number.
    pub const fn note(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    /// Notes bytes.
    pub fn note_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.note(u64::from_le_bytes(word));
        }
        self.note(bytes.len() as u64);
    }

    /// Prints a line, if lines are wanted.
    pub fn say(&self, line: impl FnOnce() -> String) {
        if self.prints {
            println!("{:>14.6} {}", self.now as f64 / 1e6, line());
        }
    }
}
