//! `recvmmsg` and `recvmsg` into buffers that are set up once.

#![allow(unsafe_code, reason = "the two system calls, and the buffers they write into")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use super::arena::Arena;
use super::message::{CONTROL_LENGTH, NAME_LENGTH, NAME_SOCKLEN};

/// What the kernel wrote for one datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    /// The sender's address as a `sockaddr`.
    pub(super) name: &'a [u8],
    /// Control messages.
    pub(super) control: &'a [u8],
    /// The datagram, or as much of it as there was room for.
    pub(super) payload: &'a [u8],
    /// Whether the datagram was longer than that.
    pub(super) truncated: bool,
}

/// Buffers for a batch of datagrams.
#[derive(Debug)]
pub(super) struct Batch {
    /// The vectors that point at the payloads, then for each datagram name, control and payload.
    arena: Arena,
    headers: Box<[libc::mmsghdr]>,
    datagram_max: usize,
    /// Where the first datagram's buffers begin, and how far apart they are.
    first: usize,
    stride: usize,
}

// SAFETY: the pointers in `headers` all point into the arena, which the batch owns and which goes
// with it from thread to thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Buffers for `count` datagrams of up to `datagram_max` bytes.
    pub(super) fn new(count: usize, datagram_max: usize) -> Self {
        let first = (count * size_of::<libc::iovec>()).next_multiple_of(64);
        let stride = (NAME_LENGTH + CONTROL_LENGTH + datagram_max).next_multiple_of(64);
        let arena = Arena::new(first + count * stride);
        let header = |index: usize| {
            let at = first + index * stride;
            let payload = arena.at(at + NAME_LENGTH + CONTROL_LENGTH).as_ptr();
            let vector = arena.at(index * size_of::<libc::iovec>()).cast::<libc::iovec>();
            // SAFETY: the place lies inside the arena, before the first datagram's buffers, and is
            // aligned: the arena begins at a page and a vector's size is a multiple of its
            // alignment. Nobody else knows of it yet.
            unsafe {
                vector.write(libc::iovec { iov_base: payload.cast(), iov_len: datagram_max });
            }
            // SAFETY: a `msghdr` of zeros is valid: null pointers and zero lengths.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_name = arena.at(at).as_ptr().cast();
            header.msg_hdr.msg_iov = vector.as_ptr();
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = arena.at(at + NAME_LENGTH).as_ptr().cast();
            header
        };
        let headers = (0..count).map(header).collect();
        Self { arena, headers, datagram_max, first, stride }
    }

    /// Takes up to `most` datagrams in one call, without waiting. Returns how many; 0 when there
    /// are none.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        let most = most.min(self.headers.len());
        self.reset(most);
        // SAFETY: the descriptor is open for the time of the borrow. `headers` has at least `most`
        // entries; all pointers in them lead into the arena, with lengths that lie inside it; no
        // reference to those parts exists, because `get` borrows `self` and this call has it
        // exclusively. No timeout is given.
        let result = unsafe {
            #[allow(clippy::cast_possible_truncation, reason = "at most 4,096")]
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as libc::c_uint,
                libc::MSG_DONTWAIT,
                null_mut(),
            )
        };
        outcome(result as isize)
    }

    /// Takes one datagram, without waiting. Returns 1, or 0 when there is none.
    pub(super) fn receive_one(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.reset(1);
        let header = &mut self.headers[0];
        // SAFETY: as in `receive`, for the first entry alone.
        let result = unsafe {
            libc::recvmsg(socket.as_raw_fd(), &raw mut header.msg_hdr, libc::MSG_DONTWAIT)
        };
        // An empty datagram is a datagram.
        header.msg_len = u32::try_from(result).unwrap_or(0);
        outcome(if result >= 0 { 1 } else { -1 })
    }

    /// One of the datagrams that the last call took.
    ///
    /// # Panics
    /// When the batch has no such entry.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Raw<'_> {
        let header = &self.headers[index];
        let message = &header.msg_hdr;
        let at = self.first + index * self.stride;
        let name = NAME_LENGTH.min(message.msg_namelen as usize);
        let control = CONTROL_LENGTH.min(message.msg_controllen);
        let payload = self.datagram_max.min(header.msg_len as usize);
        // SAFETY: the kernel writes to these bytes only during a call, which needs `self`
        // exclusively; and nobody else writes to them at all.
        unsafe {
            Raw {
                name: self.arena.bytes(at, name),
                control: self.arena.bytes(at + NAME_LENGTH, control),
                payload: self.arena.bytes(at + NAME_LENGTH + CONTROL_LENGTH, payload),
                truncated: message.msg_flags & libc::MSG_TRUNC != 0,
            }
        }
    }

    /// The kernel writes the lengths that it used over those that it may use.
    fn reset(&mut self, count: usize) {
        for header in &mut self.headers[..count] {
            header.msg_hdr.msg_namelen = NAME_SOCKLEN;
            header.msg_hdr.msg_controllen = CONTROL_LENGTH;
            header.msg_hdr.msg_flags = 0;
        }
    }
}

fn outcome(result: isize) -> io::Result<usize> {
    usize::try_from(result).or_else(|_| {
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        }
    })
}
