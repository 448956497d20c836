//! What comes in: checked, put in order, answered.

use super::{Asked, Close, Now, Received, Replay, Session, State, Why};
use crate::fix::message::Message;
use crate::fix::validate::{Violation, validate};
use crate::fix::{tag, value};

/// Where a message's number stands.
enum Place {
    Next,
    Beyond,
    Before,
}

impl Session {
    fn place(&self, sequence: u64) -> Place {
        match sequence.cmp(&self.next_in) {
            std::cmp::Ordering::Equal => Place::Next,
            std::cmp::Ordering::Greater => Place::Beyond,
            std::cmp::Ordering::Less => Place::Before,
        }
    }

    fn count(&mut self) {
        self.next_in = self.next_in.saturating_add(1);
        if self.asked.is_some_and(|asked| self.next_in > asked.until) {
            self.asked = None;
        }
    }

    /// A Logon came on a connection that has nobody yet; its CompIDs are this session's and its
    /// credentials are good.
    ///
    /// # Errors
    /// A Logon that cannot be answered: close without a word. A number that is too low is answered
    /// with a Logout; the session is then closing.
    pub fn logon(&mut self, message: &Message<'_>, now: Now) -> Result<(), Close> {
        let refused = |why| Err(Close::LogonRefused(why));
        let Some(sequence) = message.sequence() else { return refused(Why::NoSequence) };
        if validate(self.version, message).is_err() {
            return refused(Why::Invalid);
        }
        if !self.is_timely(message, now) {
            return refused(Why::SendingTime);
        }
        if message.get(tag::ENCRYPT_METHOD) != Some(b"0") {
            return refused(Why::EncryptMethod);
        }
        let heartbeat = message.get(tag::HEART_BT_INT).and_then(value::uint);
        let Some(heartbeat) = heartbeat.filter(|&s| s <= self.limits.heartbeat_max) else {
            return refused(Why::HeartBtInt);
        };
        self.heartbeat_ns = heartbeat * super::SECOND;
        (self.received_at, self.test_request, self.ending) = (now.monotonic, false, false);
        self.state = State::Up;
        if self.reset_on_logon {
            self.reset();
        }
        self.answer_logon(message, sequence, heartbeat, now);
        Ok(())
    }

    fn answer_logon(&mut self, message: &Message<'_>, sequence: u64, heartbeat: u64, now: Now) {
        let reset = message.is_yes(tag::RESET_SEQ_NUM_FLAG);
        if reset {
            self.reset();
        }
        match self.place(sequence) {
            Place::Next => {
                self.send_logon(heartbeat, reset, now);
                self.count();
            }
            Place::Beyond => {
                self.send_logon(heartbeat, reset, now);
                self.wait(message, sequence, now);
            }
            Place::Before => self.too_low(sequence, now),
        }
    }

    /// A message came. It is whole and its fields are fields.
    #[inline]
    pub fn receive(&mut self, message: &Message<'_>, now: Now) -> Received {
        if matches!(self.state, State::Down | State::Closing(_)) {
            return Received::Nothing;
        }
        (self.received_at, self.test_request) = (now.monotonic, false);
        let Some(sequence) = message.sequence() else {
            self.logout(Why::NoSequence, false, now);
            return Received::Nothing;
        };
        if message.begin_string() != self.version.begin_string() {
            self.count();
            return self.leave(Why::BeginString, message, now);
        }
        if let Err(violation) = validate(self.version, message) {
            self.refuse(message, sequence, violation, now);
            return Received::Nothing;
        }
        if !self.is_timely(message, now) {
            self.refuse(message, sequence, Violation::SendingTime, now);
            return self.leave(Why::SendingTime, message, now);
        }
        let sender = message.get(tag::SENDER_COMP_ID);
        let target = message.get(tag::TARGET_COMP_ID);
        if sender != Some(&self.theirs) || target != Some(&self.ours) {
            self.refuse(message, sequence, Violation::CompId, now);
            return self.leave(Why::CompId, message, now);
        }
        if let State::LogonSent { .. } = self.state {
            self.receive_logon_answer(message, sequence, now);
            return Received::Nothing;
        }
        match message.msg_type() {
            b"A" => self.logon_again(message, sequence, now),
            b"5" => self.receive_logout(sequence, now),
            b"4" if !message.is_yes(tag::GAP_FILL_FLAG) => self.receive_reset(message, now),
            b"2" => self.receive_resend_request(message, sequence, now),
            _ => return self.in_order(message, sequence, now),
        }
        Received::Nothing
    }

    /// Whether a message that waited is next; [`Session::take_queued`] gives it.
    #[inline]
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty() && self.is_up() && self.queue.has(self.next_in)
    }

    /// Takes the message that waited and is next into `space`: how many bytes. Hand it to
    /// [`Session::receive_queued`].
    pub fn take_queued(&mut self, space: &mut [u8]) -> Option<usize> {
        self.queue.take(self.next_in, space)
    }

    /// A message that waited has its turn. It was checked when it came.
    pub fn receive_queued(&mut self, message: &Message<'_>, now: Now) -> Received {
        match message.msg_type() {
            // They were answered when they came.
            b"A" | b"2" => {
                self.count();
                Received::Nothing
            }
            _ => self.act(message, now),
        }
    }

    /// A message whose number decides when it is dealt with.
    #[inline]
    fn in_order(&mut self, message: &Message<'_>, sequence: u64, now: Now) -> Received {
        match self.place(sequence) {
            Place::Next => {
                if message.is_yes(tag::POSS_DUP_FLAG)
                    && !self.is_good_repetition(message, sequence, now)
                {
                    return Received::Nothing;
                }
                self.act(message, now)
            }
            Place::Beyond => {
                self.wait(message, sequence, now);
                Received::Nothing
            }
            Place::Before => {
                if message.is_yes(tag::POSS_DUP_FLAG) {
                    self.is_good_repetition(message, sequence, now);
                } else {
                    self.too_low(sequence, now);
                }
                Received::Nothing
            }
        }
    }

    /// Acts on a message that is next.
    #[inline]
    fn act(&mut self, message: &Message<'_>, now: Now) -> Received {
        match message.msg_type() {
            b"0" | b"3" => self.count(),
            b"1" => {
                let id = message.get(tag::TEST_REQ_ID).unwrap_or_default();
                self.send_heartbeat(Some(id), now);
                self.count();
            }
            b"4" => self.fill_gap(message, now),
            _ => {
                // After a Logout no more requests are taken: they are asked for at the next logon.
                if self.is_up() {
                    self.count();
                    return Received::Application;
                }
            }
        }
        Received::Nothing
    }

    /// Whether a repetition says when it was sent first. A gap fill need not.
    fn is_good_repetition(&mut self, message: &Message<'_>, sequence: u64, now: Now) -> bool {
        if message.msg_type() == b"4" {
            return true;
        }
        let Some(first) = message.get(tag::ORIG_SENDING_TIME).and_then(value::timestamp) else {
            let missing = Violation::RequiredMissing(tag::ORIG_SENDING_TIME);
            self.refuse(message, sequence, missing, now);
            return false;
        };
        if message.get(tag::SENDING_TIME).and_then(value::timestamp).is_some_and(|now| first > now)
        {
            self.refuse(message, sequence, Violation::SendingTime, now);
            self.leave(Why::SendingTime, message, now);
            return false;
        }
        true
    }

    /// Keeps a message beyond a gap and asks for what is missing.
    fn wait(&mut self, message: &Message<'_>, sequence: u64, now: Now) {
        if !self.queue.push(sequence, message.bytes()) {
            self.logout(Why::QueueFull, false, now);
            return;
        }
        // Asked once for each gap; again only when what is sent again has a hole itself.
        let again = message.is_yes(tag::POSS_DUP_FLAG);
        let ask = self.asked.is_none_or(|asked| again && self.next_in > asked.from);
        if ask {
            self.ask(sequence, now);
        }
    }

    pub(super) fn ask(&mut self, until: u64, now: Now) {
        if self.replay.is_some() {
            self.ask_later = Some(until);
            return;
        }
        self.asked = Some(Asked { from: self.next_in, until });
        self.send_resend_request(now);
    }

    fn too_low(&mut self, received: u64, now: Now) {
        let why = Why::TooLow { expected: self.next_in, received };
        self.logout(why, false, now);
    }

    /// Rejects a message; if it is next, its number counts.
    fn refuse(&mut self, message: &Message<'_>, sequence: u64, violation: Violation, now: Now) {
        self.reject(message, violation, now);
        if sequence == self.next_in && !matches!(message.msg_type(), b"A" | b"4") {
            self.count();
        }
    }

    /// Logs out for a reason; where the message is a Logout itself, or one went out already, it is
    /// over.
    fn leave(&mut self, why: Why, message: &Message<'_>, now: Now) -> Received {
        match self.state {
            State::LogoutSent { why, .. } if message.msg_type() == b"5" => {
                self.state = State::Closing(Close::LoggedOut(why));
            }
            State::LogoutSent { .. } => {}
            State::Down | State::LogonSent { .. } | State::Up | State::Closing(_) => {
                self.logout(why, message.msg_type() != b"5", now);
            }
        }
        Received::Nothing
    }

    /// The client's side: the answer to its Logon.
    fn receive_logon_answer(&mut self, message: &Message<'_>, sequence: u64, now: Now) {
        match message.msg_type() {
            b"A" => {
                self.state = State::Up;
                match self.place(sequence) {
                    Place::Next => self.count(),
                    Place::Beyond => self.wait(message, sequence, now),
                    Place::Before => self.too_low(sequence, now),
                }
            }
            b"5" => self.state = State::Closing(Close::Logout),
            _ => self.state = State::Closing(Close::NoLogon),
        }
    }

    /// A Logon on a session that is logged on: numbers begin anew, where that is asked for.
    fn logon_again(&mut self, message: &Message<'_>, sequence: u64, now: Now) {
        let heartbeat = message.get(tag::HEART_BT_INT).and_then(value::uint);
        match heartbeat.filter(|&seconds| seconds <= self.limits.heartbeat_max) {
            Some(heartbeat) if self.is_up() && message.is_yes(tag::RESET_SEQ_NUM_FLAG) => {
                self.heartbeat_ns = heartbeat * super::SECOND;
                self.answer_logon(message, sequence, heartbeat, now);
            }
            _ => self.logout(Why::LogonTwice, false, now),
        }
    }

    fn receive_logout(&mut self, sequence: u64, now: Now) {
        let close = match self.state {
            State::LogoutSent { why, .. } => Close::LoggedOut(why),
            State::Down | State::LogonSent { .. } | State::Up | State::Closing(_) => {
                self.answer_logout(now);
                Close::Logout
            }
        };
        if sequence == self.next_in {
            self.count();
        }
        self.state = State::Closing(close);
    }

    fn receive_reset(&mut self, message: &Message<'_>, now: Now) {
        let next = message.get(tag::NEW_SEQ_NO).and_then(value::uint).unwrap_or(0);
        if next < self.next_in {
            self.reject(message, Violation::OutOfRange(0), now);
            return;
        }
        self.jump(next);
    }

    fn fill_gap(&mut self, message: &Message<'_>, now: Now) {
        let next = message.get(tag::NEW_SEQ_NO).and_then(value::uint).unwrap_or(0);
        if next <= self.next_in {
            self.reject(message, Violation::OutOfRange(0), now);
            return;
        }
        self.jump(next);
    }

    fn jump(&mut self, next: u64) {
        self.next_in = next;
        self.queue.forget_before(next);
        if self.asked.is_some_and(|asked| next > asked.until) {
            self.asked = None;
        }
    }

    /// Asked for messages again: answered wherever its own number stands, so that two gaps do not
    /// wait for each other.
    fn receive_resend_request(&mut self, message: &Message<'_>, sequence: u64, now: Now) {
        let number = |tag| message.get(tag).and_then(value::uint).unwrap_or(0);
        let (begin, end) = (number(tag::BEGIN_SEQ_NO), number(tag::END_SEQ_NO));
        if begin == 0 {
            return self.refuse(
                message,
                sequence,
                Violation::OutOfRange(tag::BEGIN_SEQ_NO.into()),
                now,
            );
        }
        if end != 0 && end < begin {
            return self.refuse(
                message,
                sequence,
                Violation::OutOfRange(tag::END_SEQ_NO.into()),
                now,
            );
        }
        let last = self.next_out - 1;
        let end = if end == 0 { last } else { end.min(last) };
        if begin <= end {
            self.replay = Some(Replay { next: begin, end });
        }
        match self.place(sequence) {
            Place::Next => self.count(),
            Place::Beyond => self.wait(message, sequence, now),
            Place::Before => {}
        }
        self.pump(now);
    }

    /// Whether SendingTime is near enough to now.
    fn is_timely(&self, message: &Message<'_>, now: Now) -> bool {
        let sent = message.get(tag::SENDING_TIME).and_then(value::timestamp);
        sent.is_some_and(|sent| sent.abs_diff(now.utc) <= self.limits.latency_ns)
    }
}
