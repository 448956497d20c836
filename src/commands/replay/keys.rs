//! Keys of the terminal, one at a time and without waiting.

use std::fs::File;
use std::io::{IsTerminal, Read};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use spindle_replay::publish::{Control, Outgoing, Speed};

/// The terminal, set to give each key at once and to show none. It is set back when this goes.
pub(super) struct Keys {
    terminal: File,
    before: Termios,
}

impl Keys {
    /// The terminal, where the program has one to itself: not in a pipe, not in the background.
    pub(super) fn open() -> Option<Self> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let terminal = File::open("/dev/tty").ok()?;
        // A background process that touches the terminal is stopped by the kernel.
        if tcgetpgrp(&terminal).ok()? != rustix::process::getpgrp() {
            return None;
        }
        let before = tcgetattr(&terminal).ok()?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &raw).ok()?;
        Some(Self { terminal, before })
    }

    /// What the next key asks for; `None` where none was pressed, or one without a meaning.
    pub(super) fn next(&mut self, feed: &Outgoing) -> Option<Control> {
        let mut key = [0];
        match self.terminal.read(&mut key) {
            Ok(1) => meaning(key[0], feed.is_paused(), feed.speed()),
            _ => None,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // Nothing can be done where the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

fn meaning(key: u8, paused: bool, speed: Speed) -> Option<Control> {
    Some(match key {
        b' ' if paused => Control::Resume,
        b' ' => Control::Pause,
        b's' => Control::Step(1),
        b'+' | b'=' => Control::Speed(scaled(speed, 2, 1)),
        b'-' => Control::Speed(scaled(speed, 1, 2)),
        b'm' => Control::Speed(Speed::Max),
        b'1' => Control::Speed(Speed::REAL),
        b'q' => Control::Stop,
        _ => return None,
    })
}

/// A multiple of a speed, within what a speed can be. Full speed stays what it is.
fn scaled(speed: Speed, times: u64, over: u64) -> Speed {
    match speed {
        Speed::Max => Speed::Max,
        Speed::Times { thousandths } => {
            Speed::Times { thousandths: (thousandths * times / over).clamp(1, 1_000_000_000) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_meanings() {
        let speed: Speed = "x2".parse().expect("a speed");
        let at = |text: &str| Some(Control::Speed(text.parse().expect("a speed")));
        assert_eq!(meaning(b' ', false, speed), Some(Control::Pause));
        assert_eq!(meaning(b' ', true, speed), Some(Control::Resume));
        assert_eq!(meaning(b'+', false, speed), at("x4"));
        assert_eq!(meaning(b'-', false, speed), at("x1"));
        assert_eq!(meaning(b'-', false, "x0.001".parse().expect("a speed")), at("x0.001"));
        assert_eq!(meaning(b'+', false, Speed::Max), at("max"));
        assert_eq!(meaning(b's', true, speed), Some(Control::Step(1)));
        assert_eq!(meaning(b'q', true, speed), Some(Control::Stop));
        assert_eq!(meaning(b'x', true, speed), None);
    }
}
