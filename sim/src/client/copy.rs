//! What a drop copy says of a session, held against what the session was told.

use super::ouch::{self, Edition};
use super::soup::SoupClient;
use crate::ledger::Report;

/// What is the same of a message in any edition: its kind, and its shares.
fn gist(report: Report) -> Option<(u8, u32)> {
    match report {
        Report::Accepted { quantity, .. } => Some((b'A', quantity)),
        Report::Replaced { open, .. } => Some((b'U', open)),
        Report::Canceled { quantity, .. } => Some((b'C', quantity)),
        Report::Executed { quantity, .. } => Some((b'E', quantity)),
        Report::Open { open, .. } => Some((b'M', open)),
        Report::Rejected { .. } => Some((b'J', 0)),
        Report::Answered { .. } | Report::Nothing => None,
    }
}

/// Holds the records of a session against its stream: byte for byte where it speaks OUCH 5.0. A
/// copy that is full is a beginning of it.
///
/// # Errors
/// The first that differs.
pub fn compare(client: &SoupClient, copied: &[&[u8]], is_full: bool) -> Result<(), String> {
    let Some(edition) = client.edition() else { return Ok(()) };
    let symbols = client.symbols();
    let own = client.log().iter().filter(|told| {
        ouch::read(edition, &told.bytes, symbols).is_some_and(|report| gist(report).is_some())
    });
    let copied: Vec<_> = copied
        .iter()
        .filter(|bytes| {
            let report = ouch::read(Edition::V50, bytes, symbols);
            report.is_none_or(|report| gist(report).is_some())
        })
        .collect();
    let own: Vec<_> = own.collect();
    for (at, (own, copy)) in own.iter().zip(&copied).enumerate() {
        let read = |edition, bytes| ouch::read(edition, bytes, symbols).and_then(gist);
        let same = match edition {
            Edition::V50 => own.bytes == **copy,
            Edition::V42 => read(edition, &own.bytes) == read(Edition::V50, copy),
        };
        if !same {
            return Err(format!(
                "message {at} is {}, the copy has {}",
                own.bytes.escape_ascii(),
                copy.escape_ascii()
            ));
        }
    }
    match own.len() == copied.len() || is_full && own.len() > copied.len() {
        true => Ok(()),
        false => Err(format!("{} messages, the copy has {}", own.len(), copied.len())),
    }
}
