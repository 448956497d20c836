//! What a session sends: its own messages, the application's, and both again.

use super::{Close, Now, Replay, Session, State, Why};
use crate::fix::dictionary::Version;
use crate::fix::encode::{Writer, envelope};
use crate::fix::message::Message;
use crate::fix::store::Sent;
use crate::fix::tag;
use crate::fix::validate::Violation;
use crate::fix::value::Precision;

/// The longest header without BeginString and BodyLength: CompIDs and routes are bounded by what
/// configurations and [`Route`] take.
const HEAD_MAX: usize = 768;

/// Bytes of a text that is repeated to its sender at most.
const ECHO_MAX: usize = 64;

/// Stored messages that are sent again in one turn at most, so that others are served in between.
const AGAIN_MAX: usize = 8;

/// The longest OnBehalfOfCompID.
const BEHALF_MAX: usize = 32;

/// How a header is filled in.
#[derive(Clone, Copy, Default)]
struct Head<'a> {
    msg_type: u8,
    sequence: u64,
    /// When the message was sent first, where it is sent again.
    first_sent: Option<u64>,
    poss_resend: bool,
    route: Route<'a>,
    /// How many bytes at the front of the body are OnBehalfOfCompID.
    behalf: usize,
}

/// The routing fields of an answer: those of the question, turned round.
#[derive(Clone, Copy, Default)]
struct Route<'a> {
    on_behalf_of: [Option<&'a [u8]>; 3],
    deliver_to: [Option<&'a [u8]>; 3],
}

impl<'a> Route<'a> {
    /// The way back of a message.
    fn back(message: &Message<'a>) -> Self {
        let get = |tag| message.get(tag).filter(|v| (1..=ECHO_MAX).contains(&v.len()));
        Self {
            on_behalf_of: [
                get(tag::DELIVER_TO_COMP_ID),
                get(tag::DELIVER_TO_SUB_ID),
                get(tag::DELIVER_TO_LOCATION_ID),
            ],
            deliver_to: [
                get(tag::ON_BEHALF_OF_COMP_ID),
                get(tag::ON_BEHALF_OF_SUB_ID),
                get(tag::ON_BEHALF_OF_LOCATION_ID),
            ],
        }
    }
}

impl Session {
    /// Sends a message of the application: numbers it, stores it, and puts it out if somebody is connected. `write`
    /// writes the body. What does not fit [`message_max`](super::SessionLimits::message_max) is left
    /// out: the limit is chosen so that every message of the venue fits.
    #[inline]
    pub fn send(
        &mut self,
        msg_type: u8,
        poss_resend: bool,
        now: Now,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        self.send_for(b"", msg_type, poss_resend, now, write);
    }

    /// The same on behalf of another CompID, of at most 32 bytes; empty for nobody.
    #[inline]
    pub fn send_for(
        &mut self,
        behalf: &[u8],
        msg_type: u8,
        poss_resend: bool,
        now: Now,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        let behalf = &behalf[..behalf.len().min(BEHALF_MAX)];
        let behalf_length = behalf.len();
        let mut writer = Writer::new(&mut self.body);
        writer.raw(behalf);
        write(&mut writer);
        debug_assert!(writer.is_whole(), "the longest message of the venue fits");
        let length = writer.len();
        let sequence = self.next_out;
        self.next_out += 1;
        let count = u8::try_from(behalf_length).unwrap_or(0);
        let body = &self.body[..length];
        self.store.push_for(sequence, now.utc, msg_type, poss_resend, count, body);
        let through = self.replay.is_none() && self.held.is_none() && !self.ending;
        if self.is_up() {
            let head =
                Head { msg_type, sequence, poss_resend, behalf: behalf_length, ..Head::default() };
            if !through || !self.put(&head, length, now) {
                self.held.get_or_insert(sequence);
            }
        }
    }

    /// Puts what [`Session::body`] holds into the output; false where it has no room.
    #[inline]
    fn put(&mut self, head: &Head<'_>, length: usize, now: Now) -> bool {
        let mut space = [0; HEAD_MAX];
        let mut writer = Writer::new(&mut space);
        let (behalf, body) = self.body[..length].split_at(head.behalf);
        write_head(&mut writer, head, behalf, &self.ours, &self.theirs, now);
        let begin = self.version.begin_string();
        match envelope(self.output.space(), begin, writer.written(), body) {
            Some(count) => {
                self.output.commit(count);
                self.sent_at = now.monotonic;
                true
            }
            None => false,
        }
    }

    /// Sends a message of the session itself, which is never sent again.
    fn send_own(
        &mut self,
        msg_type: u8,
        route: Route<'_>,
        now: Now,
        write: impl FnOnce(&mut Writer<'_>),
    ) {
        let mut writer = Writer::new(&mut self.body);
        write(&mut writer);
        let length = writer.len();
        let sequence = self.next_out;
        self.next_out += 1;
        let head = Head { msg_type, sequence, route, ..Head::default() };
        let put = self.put(&head, length, now);
        debug_assert!(put, "room was asked for before the request was taken");
    }

    pub(super) fn send_logon(&mut self, heartbeat: u64, reset: bool, now: Now) {
        self.send_own(b'A', Route::default(), now, |body| {
            body.char(tag::ENCRYPT_METHOD, b'0').uint(tag::HEART_BT_INT, heartbeat);
            if reset {
                body.char(tag::RESET_SEQ_NUM_FLAG, b'Y');
            }
        });
    }

    pub(super) fn send_first_logon(
        &mut self,
        heartbeat: u64,
        reset: bool,
        username: &[u8],
        password: &[u8],
        now: Now,
    ) {
        let version = self.version;
        let given = |text: &[u8]| !text.is_empty();
        self.send_own(b'A', Route::default(), now, |body| {
            if version == Version::Fix42 && given(password) {
                body.uint(tag::RAW_DATA_LENGTH, password.len() as u64);
                body.field(tag::RAW_DATA, password);
            }
            body.char(tag::ENCRYPT_METHOD, b'0').uint(tag::HEART_BT_INT, heartbeat);
            if reset {
                body.char(tag::RESET_SEQ_NUM_FLAG, b'Y');
            }
            if version == Version::Fix44 {
                body.maybe(tag::USERNAME, Some(username).filter(|text| given(text)));
                body.maybe(tag::PASSWORD, Some(password).filter(|text| given(text)));
            }
        });
    }

    pub(super) fn send_heartbeat(&mut self, answers: Option<&[u8]>, now: Now) {
        self.send_own(b'0', Route::default(), now, |body| {
            body.maybe(tag::TEST_REQ_ID, answers);
        });
    }

    pub(super) fn send_test_request(&mut self, now: Now) {
        self.send_own(b'1', Route::default(), now, |body| {
            body.field(tag::TEST_REQ_ID, b"TEST");
        });
    }

    /// Asks for everything from the next number on.
    pub(super) fn send_resend_request(&mut self, now: Now) {
        let from = self.next_in;
        self.send_own(b'2', Route::default(), now, |body| {
            body.uint(tag::BEGIN_SEQ_NO, from).char(tag::END_SEQ_NO, b'0');
        });
    }

    /// Sends a Logout with a text, and then waits for the answer, or closes when it is out.
    pub(super) fn logout(&mut self, why: Why, wait: bool, now: Now) {
        let mut text = [0; 96];
        let mut writer = Writer::new(&mut text);
        match why {
            Why::TooLow { expected, received } => {
                writer.raw(b"MsgSeqNum too low, expecting ").digits(expected);
                writer.raw(b" but received ").digits(received);
            }
            Why::BeginString => drop(writer.raw(b"Incorrect BeginString")),
            Why::NoSequence => drop(writer.raw(b"MsgSeqNum missing")),
            Why::QueueFull => drop(writer.raw(b"Too many messages beyond a gap")),
            Why::Throttled => drop(writer.raw(b"Too many requests")),
            Why::LogonTwice => drop(writer.raw(b"Already logged on")),
            Why::EndOfDay => drop(writer.raw(b"The day is over")),
            // A Reject with a text has gone before, or nothing is said to a stranger.
            Why::CompId
            | Why::SendingTime
            | Why::Invalid
            | Why::HeartBtInt
            | Why::EncryptMethod => {}
        }
        let text = writer.written();
        self.send_own(b'5', Route::default(), now, |body| {
            body.maybe(tag::TEXT, (!text.is_empty()).then_some(text));
        });
        self.state = if wait {
            State::LogoutSent { since: now.monotonic, why }
        } else {
            State::Closing(Close::Fatal(why))
        };
    }

    pub(super) fn answer_logout(&mut self, now: Now) {
        self.send_own(b'5', Route::default(), now, |_| {});
    }

    /// Rejects a message. Whether its number counts is the caller's affair.
    pub fn reject(&mut self, message: &Message<'_>, violation: Violation, now: Now) {
        let version = self.version;
        let sequence = message.sequence().unwrap_or(0);
        let msg_type = message.msg_type();
        let msg_type = &msg_type[..msg_type.len().min(ECHO_MAX)];
        self.send_own(b'3', Route::back(message), now, |body| {
            body.uint(tag::REF_SEQ_NUM, sequence);
            body.field(tag::TEXT, violation.text().as_bytes());
            if let Some(tag) = violation.tag() {
                body.int(tag::REF_TAG_ID, tag.into());
            }
            body.maybe(tag::REF_MSG_TYPE, (!msg_type.is_empty()).then_some(msg_type));
            if let Some(reason) = violation.reason(version) {
                body.uint(tag::SESSION_REJECT_REASON, reason);
            }
        });
    }

    /// Refuses a message that the application cannot deal with. It is a message of the
    /// application itself, and is sent again when it is asked for.
    pub fn reject_business(
        &mut self,
        sequence: u64,
        msg_type: &[u8],
        reason: u64,
        ref_id: Option<&[u8]>,
        text: &[u8],
        now: Now,
    ) {
        self.send(b'j', false, now, |body| {
            body.uint(tag::REF_SEQ_NUM, sequence).field(tag::TEXT, text);
            body.field(tag::REF_MSG_TYPE, msg_type).maybe(tag::BUSINESS_REJECT_REF_ID, ref_id);
            body.uint(tag::BUSINESS_REJECT_REASON, reason);
        });
    }

    /// Sends what has waited for room: first what is sent again, then what was held meanwhile.
    #[inline]
    pub(super) fn pump(&mut self, now: Now) {
        if self.replay.is_some() {
            self.pump_replay(now);
        }
        if self.replay.is_none() && self.held.is_some() {
            self.pump_held(now);
        }
    }

    /// Asks for what had to wait until everything was sent again. Only time does this, never a message: how
    /// long sending takes is the socket's affair, and the number that the question uses up is recorded where time
    /// passes.
    pub(super) fn ask_at_last(&mut self, now: Now) {
        if self.replay.is_none()
            && self.held.is_none()
            && let Some(until) = self.ask_later.take()
        {
            self.ask(until, now);
        }
    }

    fn has_room(&self) -> bool {
        self.output.room() >= super::least_output(&self.limits)
    }

    fn pump_replay(&mut self, now: Now) {
        for _ in 0..=AGAIN_MAX {
            let Some(Replay { next, end }) = self.replay else { return };
            if next > end {
                self.replay = None;
                return;
            }
            if !self.has_room() {
                return;
            }
            match self.store.from(next) {
                Some(sent) if sent.sequence == next => {
                    self.send_stored(&sent, true, now);
                    self.replay = Some(Replay { next: next + 1, end });
                }
                found => {
                    let after = found.map_or(end + 1, |sent| sent.sequence.min(end + 1));
                    self.send_gap_fill(next, after, now);
                    self.replay = Some(Replay { next: after, end });
                }
            }
        }
    }

    fn pump_held(&mut self, now: Now) {
        for _ in 0..=AGAIN_MAX {
            let Some(held) = self.held else { return };
            if !self.is_up() || !self.has_room() {
                return;
            }
            let Some(sent) = self.store.from(held) else {
                self.held = None;
                return;
            };
            self.send_stored(&sent, false, now);
            self.held = Some(sent.sequence + 1);
        }
    }

    fn send_stored(&mut self, sent: &Sent, again: bool, now: Now) {
        let body = self.store.body(sent);
        let length = body.len();
        self.body[..length].copy_from_slice(body);
        let head = Head {
            msg_type: sent.msg_type,
            sequence: sent.sequence,
            first_sent: again.then_some(sent.time),
            poss_resend: sent.poss_resend,
            route: Route::default(),
            behalf: sent.behalf.into(),
        };
        self.put(&head, length, now);
    }

    /// A gap fill in the place of the messages `from..after`.
    fn send_gap_fill(&mut self, from: u64, after: u64, now: Now) {
        let mut writer = Writer::new(&mut self.body);
        writer.uint(tag::NEW_SEQ_NO, after).char(tag::GAP_FILL_FLAG, b'Y');
        let length = writer.len();
        let head =
            Head { msg_type: b'4', sequence: from, first_sent: Some(now.utc), ..Head::default() };
        self.put(&head, length, now);
    }
}

#[inline]
fn write_head(
    writer: &mut Writer<'_>,
    head: &Head<'_>,
    behalf: &[u8],
    ours: &[u8],
    theirs: &[u8],
    now: Now,
) {
    let milliseconds = Precision::Milliseconds;
    writer.char(tag::MSG_TYPE, head.msg_type).uint(tag::MSG_SEQ_NUM, head.sequence);
    if head.first_sent.is_some() {
        writer.char(tag::POSS_DUP_FLAG, b'Y');
    }
    writer.field(tag::SENDER_COMP_ID, ours).time(tag::SENDING_TIME, now.utc, milliseconds);
    writer.field(tag::TARGET_COMP_ID, theirs);
    if head.poss_resend {
        writer.char(tag::POSS_RESEND, b'Y');
    }
    let [comp, sub, location] = head.route.on_behalf_of;
    let comp = comp.or((!behalf.is_empty()).then_some(behalf));
    let [to_comp, to_sub, to_location] = head.route.deliver_to;
    writer.maybe(tag::ON_BEHALF_OF_COMP_ID, comp).maybe(tag::ON_BEHALF_OF_SUB_ID, sub);
    if let Some(first) = head.first_sent {
        writer.time(tag::ORIG_SENDING_TIME, first, milliseconds);
    }
    writer.maybe(tag::DELIVER_TO_COMP_ID, to_comp).maybe(tag::DELIVER_TO_SUB_ID, to_sub);
    writer.maybe(tag::ON_BEHALF_OF_LOCATION_ID, location);
    writer.maybe(tag::DELIVER_TO_LOCATION_ID, to_location);
}
