//! io_uring: one multishot receive for each line, into a ring of provided buffers.
//!
//! A request stays armed and makes a completion for every datagram. It ends when its buffers are
//! exhausted, when the completion queue is full, or by an error; then it is armed again in the same
//! poll. Datagrams that find no buffer stay in the socket's own buffer, so nothing is lost by that
//! alone.
//!
//! The ring is set up disabled and restricted: once enabled it can do nothing but receive on the
//! registered sockets into provided buffers. It is enabled at the first poll, because deferred
//! completions bind it to the thread that enables it.

#![allow(unsafe_code, reason = "memory shared with the kernel, and submissions that point into it")]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, CancelBuilder, Fixed, RecvMsgOut};
use io_uring::{IoUring, cqueue, opcode, register::Restriction, squeue};
use socket2::Socket;

use super::arena::Arena;
use super::batch::Raw;
use super::message::{CONTROL_LENGTH, NAME_LENGTH, NAME_SOCKLEN};
use super::stats::RingStats;
use super::{Fault, Refusal, RingMode};

/// The header that the kernel writes before the name: `io_uring_recvmsg_out`.
const OUT_LENGTH: usize = 16;

/// Submission entries: each line is armed with one.
const SUBMISSIONS: u32 = 4;

/// `IORING_ENTER_GETEVENTS`.
const GET_EVENTS: u32 = 1;

/// `IORING_REGISTER_SYNC_CANCEL`.
const SYNC_CANCEL: u8 = 24;

/// What a ring is built from, again when it has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingSetup {
    pub(super) buffers: u16,
    pub(super) datagram_max: u16,
    pub(super) completions: Option<u32>,
    pub(super) mode: RingMode,
}

/// The ring and its buffers.
pub(super) struct Ring {
    /// Before the buffers, so that it is dropped before them.
    uring: IoUring,
    lines: Vec<Buffers>,
    mode: RingMode,
    started: bool,
    /// Completions that the kernel had dropped when last looked at.
    dropped: u32,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring for these sockets, in their order. It receives from the first poll on. The sockets
    /// stay the caller's, who keeps them open as long as the ring.
    pub(super) fn new(sockets: &[&Socket], setup: RingSetup) -> Result<Self, Refusal> {
        let buffers = setup.buffers.next_power_of_two();
        let lines = sockets.len();
        let completions = setup.completions.unwrap_or_else(|| {
            // One for each buffer, and one for the end of each line's request.
            (u32::from(buffers) + 1) * u32::try_from(lines).unwrap_or(u32::MAX)
        });
        let uring = build(completions.max(SUBMISSIONS), setup.mode)?;
        let descriptors: Vec<_> = sockets.iter().map(|socket| socket.as_raw_fd()).collect();
        let submitter = uring.submitter();
        submitter.register_files(&descriptors).map_err(failed("registering sockets"))?;
        submitter
            .register_restrictions(&mut restrictions())
            .map_err(lacks("restrictions", "restricting the ring"))?;
        let lines: Vec<_> = (0..lines).map(|_| Buffers::new(buffers, setup.datagram_max)).collect();
        for (group, line) in (0..).zip(&lines) {
            // SAFETY: the address is that of the arena's beginning, where `Buffers` lays out as many
            // entries as it says; the arena lives as long as the ring, which is dropped before it.
            unsafe { submitter.register_buf_ring_with_flags(line.address(), buffers, group, 0) }
                .map_err(lacks("provided-buffer rings", "registering buffers"))?;
        }
        Ok(Self { uring, lines, mode: setup.mode, started: false, dropped: 0 })
    }

    /// Handles up to `limit` completions and hands out their datagrams with their line. Returns how
    /// many completions there were. Enters the kernel only when the queue is empty and the kernel
    /// says that it has something for it, or when a request has to be armed.
    pub(super) fn poll(
        &mut self,
        limit: usize,
        stats: &mut RingStats,
        mut each: impl FnMut(usize, Raw<'_>),
    ) -> Result<usize, Fault> {
        if !self.started {
            self.start(stats)?;
        }
        if !self.has_completions(stats)? {
            return Ok(0);
        }
        let out_header = out_header();
        let mut handled = 0;
        let mut queue = self.uring.completion();
        while handled < limit
            && let Some(completion) = queue.next()
        {
            handled += 1;
            let Some((line, buffers)) = usize::try_from(completion.user_data())
                .ok()
                .and_then(|line| Some((line, self.lines.get_mut(line)?)))
            else {
                continue;
            };
            let flags = completion.flags();
            buffers.armed &= cqueue::more(flags);
            let result = completion.result();
            match (usize::try_from(result), cqueue::buffer_select(flags)) {
                (Ok(length), Some(buffer)) => {
                    buffers.with(buffer, length, |bytes| {
                        match RecvMsgOut::parse(bytes, &out_header) {
                            Ok(out) => each(line, raw(&out)),
                            Err(()) => stats.errors += 1,
                        }
                    });
                }
                _ if -result == libc::ENOBUFS => stats.buffers_exhausted += 1,
                _ => stats.errors += 1,
            }
        }
        drop(queue);
        if self.lines.iter().any(|line| !line.armed) {
            stats.rearmed += self.arm(stats)?;
        }
        Ok(handled)
    }

    /// Whether the kernel had to drop completions. Then nobody knows which buffers it still has,
    /// and only a new ring helps.
    pub(super) fn is_broken(&self) -> bool {
        self.dropped != 0
    }

    /// As if the kernel had dropped completions.
    #[cfg(test)]
    pub(super) fn pretend_dropped(&mut self) {
        self.dropped = 1;
    }

    fn start(&mut self, stats: &mut RingStats) -> Result<(), Fault> {
        self.uring
            .submitter()
            .register_enable_rings()
            .map_err(|error| Fault::Ring(failed("enabling the ring")(error)))?;
        self.started = true;
        self.arm(stats)?;
        Ok(())
    }

    /// Makes completions visible that wait in the kernel, and says whether there are any.
    fn has_completions(&mut self, stats: &mut RingStats) -> Result<bool, Fault> {
        let (submitter, submissions, mut completions) = self.uring.split();
        if !completions.is_empty() {
            return Ok(true);
        }
        let overflown = submissions.cq_overflow();
        if !overflown && !submissions.taskrun() {
            return Ok(false);
        }
        stats.completion_overflows += u64::from(overflown);
        stats.enters += 1;
        // SAFETY: no argument is passed, and nothing is submitted.
        let entered = unsafe { submitter.enter::<()>(0, 0, GET_EVENTS, None) };
        match entered {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => return Err(Fault::Thread),
            Err(error) if error.raw_os_error() == Some(libc::EBADR) => self.dropped = 1,
            // Interrupted, or out of memory for the moment: the flag is still there next time.
            Err(_) | Ok(_) => {}
        }
        completions.sync();
        self.dropped = self.dropped.max(completions.overflow());
        Ok(!completions.is_empty())
    }

    /// Arms the requests that have ended. Returns how many.
    fn arm(&mut self, stats: &mut RingStats) -> Result<u64, Fault> {
        let header = out_header();
        let mut armed = 0;
        for (index, line) in (0_u16..).zip(&mut self.lines) {
            if line.armed {
                continue;
            }
            let entry = opcode::RecvMsgMulti::new(Fixed(index.into()), &raw const header, index)
                .build()
                .user_data(index.into());
            // SAFETY: the kernel copies `header` while it takes the entry, in `submit` below, within
            // the header's life. The entry's buffers are those registered for the group, which live
            // as long as the ring.
            let pushed = unsafe { self.uring.submission().push(&entry) };
            // The queue has an entry for each line and is emptied by every submit.
            if pushed.is_err() {
                stats.errors += 1;
                continue;
            }
            line.armed = true;
            armed += 1;
        }
        stats.enters += 1;
        match self.uring.submit() {
            Ok(submitted) if submitted as u64 == armed => Ok(armed),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Err(Fault::Thread),
            // Entries left in the queue point at `header`, which ends here: after a fault nothing is
            // submitted any more.
            Ok(_) => Err(Fault::Ring(Refusal::Failed { what: "submitting", errno: libc::EAGAIN })),
            Err(error) => Err(Fault::Ring(failed("submitting")(error))),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if !self.started {
            return;
        }
        // The requests end before their buffers do. With deferred completions the kernel writes to
        // buffers only inside a call of the polling thread, so there it holds even when this call
        // is refused because another thread drops the ring.
        let canceled = self.uring.submitter().register_sync_cancel(None, CancelBuilder::any());
        let ended = match canceled {
            Ok(()) => true,
            Err(error) => error.raw_os_error() == Some(libc::ENOENT),
        };
        if !ended && self.mode != RingMode::Deferred {
            // Better lose the memory than let the kernel write into what others use by then.
            std::mem::forget(std::mem::take(&mut self.lines));
        }
    }
}

/// The ring of buffers of one line: the entries that the kernel reads, then the buffers.
struct Buffers {
    arena: Arena,
    count: u16,
    /// Bytes of one buffer, exactly as many as the longest datagram needs, and how far apart buffers
    /// lie.
    length: usize,
    stride: usize,
    /// Where the first buffer begins.
    first: usize,
    /// Entries ever added, counted with wrapping as the kernel does.
    tail: u16,
    /// Whether the line's request is with the kernel.
    armed: bool,
}

impl Buffers {
    /// `count` is a power of two.
    fn new(count: u16, datagram_max: u16) -> Self {
        let length = OUT_LENGTH + NAME_LENGTH + CONTROL_LENGTH + usize::from(datagram_max);
        let stride = length.next_multiple_of(64);
        let first = usize::from(count) * size_of::<BufRingEntry>();
        let first = first.next_multiple_of(64);
        let arena = Arena::new(first + usize::from(count) * stride);
        let mut buffers = Self { arena, count, length, stride, first, tail: 0, armed: false };
        for buffer in 0..count {
            buffers.give_back(buffer);
        }
        buffers
    }

    fn address(&self) -> u64 {
        self.arena.at(0).as_ptr().expose_provenance() as u64
    }

    fn offset(&self, buffer: u16) -> usize {
        self.first + usize::from(buffer) * self.stride
    }

    /// Lends out the first bytes of a buffer that the kernel has filled, then gives it back.
    #[inline]
    fn with(&mut self, buffer: u16, length: usize, work: impl FnOnce(&[u8])) {
        if buffer >= self.count {
            return;
        }
        // SAFETY: the kernel gave this buffer out with a completion and does not touch it again
        // until `give_back` adds it to the ring, after the slice is gone.
        work(unsafe { self.arena.bytes(self.offset(buffer), length.min(self.length)) });
        self.give_back(buffer);
    }

    /// Adds a buffer to the ring.
    #[inline]
    fn give_back(&mut self, buffer: u16) {
        let address = self.arena.at(self.offset(buffer)).as_ptr().expose_provenance() as u64;
        let slot = usize::from(self.tail & (self.count - 1));
        let entries = self.arena.at(0).cast::<BufRingEntry>();
        // SAFETY: the slot is one of `count`, for which the arena has room at its beginning, aligned
        // because it begins at a page. The kernel reads an entry only below the tail, and this one
        // is not: as many are with the kernel or with us as there are, so its turn is over. The
        // three setters leave the tail alone, which lies in the first entry's last two bytes.
        unsafe {
            let entry = &mut *entries.add(slot).as_ptr();
            entry.set_addr(address);
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 and the headers")]
            entry.set_len(self.length as u32);
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail's place lies inside the arena and is aligned for two bytes; besides this
        // store only the kernel accesses it, by reading.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(entries.as_ptr()).cast_mut()) };
        // Release: the kernel, which reads the tail with acquire, sees the entry.
        tail.store(self.tail, Ordering::Release);
    }
}

/// The lengths that the kernel leaves for name and control in every buffer.
fn out_header() -> libc::msghdr {
    // SAFETY: a `msghdr` of zeros is valid: null pointers and zero lengths.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_namelen = NAME_SOCKLEN;
    header.msg_controllen = CONTROL_LENGTH;
    header
}

fn raw<'a>(out: &'a RecvMsgOut<'_>) -> Raw<'a> {
    Raw {
        name: out.name_data(),
        control: out.control_data(),
        payload: out.payload_data(),
        truncated: out.is_payload_truncated(),
    }
}

fn build(completions: u32, mode: RingMode) -> Result<IoUring, Refusal> {
    let mut builder = IoUring::builder();
    builder.setup_r_disabled().setup_submit_all().setup_clamp().setup_cqsize(completions);
    match mode {
        RingMode::Interrupt => {}
        RingMode::Cooperative => {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        RingMode::Deferred => {
            builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
        }
    }
    builder.build(SUBMISSIONS).map_err(|error| refusal_of_setup(&error, disabled_by_sysctl()))
}

fn disabled_by_sysctl() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    text.trim().parse().ok().filter(|&value| value != 0)
}

fn refusal_of_setup(error: &io::Error, disabled: Option<u8>) -> Refusal {
    match (error.raw_os_error().unwrap_or(0), disabled) {
        (libc::EPERM, Some(value)) => Refusal::Disabled(value),
        (libc::EPERM | libc::EACCES, _) => Refusal::NotPermitted,
        (libc::ENOSYS, _) => Refusal::Absent,
        (libc::EINVAL, _) => Refusal::Lacks("deferred completions"),
        (errno, _) => Refusal::Failed { what: "io_uring_setup", errno },
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Refusal {
    move |error| Refusal::Failed { what, errno: error.raw_os_error().unwrap_or(0) }
}

fn lacks(feature: &'static str, what: &'static str) -> impl Fn(io::Error) -> Refusal {
    move |error| match error.raw_os_error() {
        Some(libc::EINVAL) => Refusal::Lacks(feature),
        _ => failed(what)(error),
    }
}

fn restrictions() -> [Restriction; 4] {
    let flags = (squeue::Flags::FIXED_FILE | squeue::Flags::BUFFER_SELECT).bits();
    [
        Restriction::sqe_op(opcode::RecvMsgMulti::CODE),
        Restriction::sqe_flags_allowed(flags),
        Restriction::sqe_flags_required(flags),
        Restriction::register_op(SYNC_CANCEL),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_cause() {
        let of = |errno, disabled| {
            refusal_of_setup(&io::Error::from_raw_os_error(errno), disabled).to_string()
        };
        assert_eq!(of(libc::EPERM, Some(2)), "sysctl kernel.io_uring_disabled is 2; 0 allows it");
        assert!(of(libc::EPERM, None).contains("seccomp"));
        assert!(of(libc::ENOSYS, None).contains("no io_uring"));
        assert!(of(libc::EINVAL, None).contains("Linux 6.1"));
        assert!(of(libc::ENOMEM, None).contains("error 12"));
    }

    #[test]
    fn an_enabled_ring_does_nothing_but_receive() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let socket = Socket::from(socket);
        let setup =
            RingSetup { buffers: 8, datagram_max: 64, completions: None, mode: RingMode::Deferred };
        let Ok(mut ring) = Ring::new(&[&socket], setup) else {
            println!("skipped: no io_uring here");
            return;
        };
        ring.start(&mut RingStats::default()).expect("it starts");
        let nop = opcode::Nop::new().build().user_data(9);
        // SAFETY: a Nop points at nothing.
        unsafe { ring.uring.submission().push(&nop) }.expect("room");
        ring.uring.submit().expect("submitted");
        let refused = ring.uring.completion().next().expect("a completion");
        assert_eq!((refused.user_data(), refused.result()), (9, -libc::EACCES));
        let files = ring.uring.submitter().unregister_files();
        assert_eq!(files.expect_err("refused").raw_os_error(), Some(libc::EACCES));
    }
}
