//! Doing something to a feed while it runs.

use std::str::FromStr;

use thiserror::Error;

use super::pace::Speed;

/// What can be done to a feed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The tape stands still; heartbeats and requests go on.
    Pause,
    /// It goes on from where it stands.
    Resume,
    /// So many messages come while it stands still; ignored while it runs.
    Step(u64),
    /// It runs at another speed from now on.
    Speed(Speed),
    /// The session ends after what is out by now, and no pass follows.
    Stop,
}

/// Why a line is no control.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is none of: pause, resume, step [MESSAGES], speed max|xN, stop, status")]
pub struct ControlError(String);

impl FromStr for Control {
    type Err = ControlError;

    /// Reads a line as the control socket takes it.
    fn from_str(line: &str) -> Result<Self, ControlError> {
        let shown: String = line.chars().take(40).flat_map(char::escape_default).collect();
        let refuse = || ControlError(shown.clone());
        let mut words = line.split_whitespace();
        let control = match (words.next(), words.next()) {
            (Some("pause"), None) => Self::Pause,
            (Some("resume"), None) => Self::Resume,
            (Some("stop"), None) => Self::Stop,
            (Some("step"), None) => Self::Step(1),
            (Some("step"), Some(count)) => Self::Step(count.parse().map_err(|_| refuse())?),
            (Some("speed"), Some(speed)) => Self::Speed(speed.parse().map_err(|_| refuse())?),
            _ => return Err(refuse()),
        };
        if words.next().is_some() {
            return Err(refuse());
        }
        Ok(control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        for (line, control) in [
            ("pause", Control::Pause),
            (" resume ", Control::Resume),
            ("stop", Control::Stop),
            ("step", Control::Step(1)),
            ("step 25", Control::Step(25)),
            ("speed x1", Control::Speed(Speed::REAL)),
            ("speed max", Control::Speed(Speed::Max)),
        ] {
            assert_eq!(line.parse(), Ok(control), "{line}");
        }
        for line in ["", "go", "step x", "step -1", "step 1 2", "speed", "speed 5", "pause now"] {
            let error = line.parse::<Control>().expect_err(line);
            assert!(error.to_string().contains("is none of: pause, resume"), "{error}");
        }
        let error = "\x1b[2J".parse::<Control>().expect_err("no control");
        assert!(!error.to_string().contains('\x1b'));
    }
}
