//! An application that sends back what comes: for testing a session layer.

use spindle_types::keep;
use std::collections::HashSet;

use super::dictionary::{Part, part};
use super::message::{FIELDS_MAX, Field, Message};
use super::session::{Now, Session};
use super::tag;
use super::text::Text;

/// What it remembers of new orders, so that a possible resend is known.
#[derive(Debug, keep::State)]
pub(crate) struct Echo {
    known: HashSet<Text<20>>,
    #[keep(skip)]
    known_max: usize,
}

impl Echo {
    pub(crate) fn new(known_max: usize) -> Self {
        Self { known: HashSet::with_capacity(known_max), known_max }
    }

    /// A new connection begins: what came before it is forgotten.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Sends back a new order or a security definition, its fields in the order of their tags. False for other messages.
    pub(crate) fn request(
        &mut self,
        message: &Message<'_>,
        session: &mut Session,
        now: Now,
    ) -> bool {
        let &[msg_type @ (b'D' | b'd')] = message.msg_type() else {
            return false;
        };
        let again = message.is_yes(tag::POSS_RESEND);
        if msg_type == b'D'
            && let Some(id) = message.get(tag::CL_ORD_ID).and_then(Text::new)
        {
            if again && self.known.contains(&id) {
                return true;
            }
            if self.known.len() < self.known_max {
                self.known.insert(id);
            }
        }
        let version = session.version();
        let mut fields = [Field { tag: 0, value: b"" }; FIELDS_MAX];
        let mut count = 0;
        for field in message.fields().filter(|field| part(version, field.tag) == Part::Body) {
            fields[count] = field;
            count += 1;
        }
        // The place of its bytes keeps the order of equal tags.
        fields[..count].sort_unstable_by_key(|field| (field.tag, field.value.as_ptr() as usize));
        session.send(msg_type, again, now, |body| {
            for field in &fields[..count] {
                body.field(u16::try_from(field.tag).unwrap_or(0), field.value);
            }
        });
        true
    }
}
