//! Does `auto` fall back and say why, where the kernel refuses io_uring? A seccomp filter on one
//! thread refuses it here, as containers do.

#![allow(unsafe_code, reason = "installing a seccomp filter needs prctl")]

use std::net::UdpSocket;

use spindle_feed::receive::{
    LineConfig, OpenError, Path, PathChoice, ReceiveConfig, Receiver, Refusal,
};

/// From now on `io_uring_setup` fails on this thread with `errno`; all else is allowed.
fn refuse_io_uring(errno: u32) {
    let setup = u32::try_from(libc::SYS_io_uring_setup).expect("a small number");
    let statement = |code: u32, jump_false: u8, value: u32| libc::sock_filter {
        code: u16::try_from(code).expect("16 bits"),
        jt: 0,
        jf: jump_false,
        k: value,
    };
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, setup),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno),
        statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: the first call passes integers; the second a program of four statements that lives
    // over the call, which copies it. Both concern this thread alone.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64), 0);
        let mode = u64::from(libc::SECCOMP_MODE_FILTER);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

#[test]
fn a_refused_ring_becomes_recvmmsg_and_the_reason_is_told() {
    let table = [
        (libc::EPERM, Refusal::NotPermitted, "seccomp"),
        (libc::ENOSYS, Refusal::Absent, "has no io_uring"),
        (libc::EINVAL, Refusal::Lacks("deferred completions"), "lacks deferred completions"),
    ];
    for (errno, expected, text) in table {
        let test = move || {
            refuse_io_uring(errno.unsigned_abs());
            let line = LineConfig::new("127.0.0.1:0".parse().expect("an address"));
            let mut config =
                ReceiveConfig { path: PathChoice::Auto, ..ReceiveConfig::new(vec![line]) };
            let mut receiver = Receiver::open(&config).expect("it falls back");
            let chosen = receiver.chosen();
            assert_eq!(chosen.path, Path::Recvmmsg);
            let disabled = matches!(chosen.refused, Some(Refusal::Disabled(_)));
            if !disabled {
                assert_eq!(chosen.refused, Some(expected));
                assert!(chosen.to_string().contains(text), "{chosen}");
            }
            assert!(!chosen.to_string().contains('\n'));

            let to = receiver.address(0).expect("bound");
            let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            sender.send_to(b"packet", to).expect("sent");
            let mut seen = 0;
            receiver.poll(|datagram| seen += usize::from(datagram.bytes == b"packet"));
            assert_eq!(seen, 1);

            config.path = PathChoice::Only(Path::IoUring);
            let refused = Receiver::open(&config).expect_err("asked for this path alone");
            assert!(matches!(refused, OpenError::Refused { path: Path::IoUring, .. }));
            assert!(refused.to_string().ends_with("path auto takes another"), "{refused}");
        };
        std::thread::spawn(test).join().expect("the thread's assertions");
    }
}
