//! Requests on their way to the engine, as the cold thread knows them.

use spindle_engine::command::Command;
use spindle_engine::input::encode_command;

/// Bytes of requests that are done with, beyond which the others move to the front.
const DONE_MAX: usize = 1 << 20;

/// What was asked, in the order in which it was passed on, until the engine says that it was carried out.
#[derive(Debug, Default)]
pub(super) struct PassedOn {
    /// Length (u32) and bytes of each.
    bytes: Vec<u8>,
    /// Where the first begins.
    at: usize,
}

impl PassedOn {
    /// One more was passed on.
    pub(super) fn push(&mut self, request: &[u8]) {
        let length = u32::try_from(request.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(request);
    }

    /// One that was passed on before anybody recorded that.
    pub(super) fn push_command(&mut self, command: &Command) {
        let mut request = Vec::new();
        encode_command(&mut request, command);
        self.push(&request);
    }

    /// The first was carried out: what it was, or nothing where there is none.
    pub(super) fn pop(&mut self) -> Option<&[u8]> {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        } else if self.at >= DONE_MAX {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk()?;
        let request = rest.get(..u32::from_le_bytes(*length) as usize)?;
        self.at += 4 + request.len();
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_its_order() {
        let mut passed = PassedOn::default();
        let (mut put, mut taken) = (0_u32, 0_u32);
        for round in 0..100_u32 {
            for _ in 0..=round * 37 % 1_000 {
                passed.push(&put.to_le_bytes().repeat(1 + put as usize % 20));
                put += 1;
            }
            for _ in 0..round * 41 % 1_000 {
                let Some(request) = passed.pop() else { break };
                assert_eq!(request, taken.to_le_bytes().repeat(1 + taken as usize % 20));
                taken += 1;
            }
            assert!(passed.bytes.len() <= 2 * DONE_MAX);
        }
        while let Some(request) = passed.pop() {
            assert_eq!(request, taken.to_le_bytes().repeat(1 + taken as usize % 20));
            taken += 1;
        }
        assert!(put == taken && put > 10_000, "{put} {taken}");
    }
}
