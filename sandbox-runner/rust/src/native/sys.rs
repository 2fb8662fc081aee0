//! The three calls of the C library that the standard library does not offer. It is linked anyway.

use std::os::raw::{c_int, c_short, c_ulong};
use std::os::unix::io::RawFd;
use std::time::Duration;

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

const POLLIN: c_short = 1;
const F_GETFD: c_int = 1;
const F_SETFD: c_int = 2;
const FD_CLOEXEC: c_int = 1;
const MAX_TIMEOUT_MS: u128 = c_int::MAX as u128;

extern "C" {
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
}

/// Waits until one of the two can be read; which can. Without a timeout for ever.
pub(super) fn wait_readable(fds: [RawFd; 2], timeout: Option<Duration>) -> [bool; 2] {
    let entry = |fd| PollFd {
        fd,
        events: POLLIN,
        revents: 0,
    };
    let mut entries = fds.map(entry);
    // Rounded up: a timer that fires early only waits once more.
    let timeout_ms = timeout.map_or(-1, |time| {
        let up = time + Duration::from_micros(999);
        up.as_millis().min(MAX_TIMEOUT_MS) as c_int
    });
    // SAFETY: the array lives through the call and has as many entries as are named.
    let count = unsafe { poll(entries.as_mut_ptr(), entries.len() as c_ulong, timeout_ms) };
    if count <= 0 {
        return [false; 2];
    }
    entries.map(|entry| entry.revents != 0)
}

/// Whether it can be read without waiting.
pub(super) fn is_readable(fd: RawFd) -> bool {
    wait_readable([fd, -1], Some(Duration::ZERO))[0]
}

/// Keeps a descriptor from the programs that this one starts; false where there is no such descriptor.
pub(super) fn close_on_exec(fd: RawFd) -> bool {
    // SAFETY: fcntl with these commands touches no memory.
    unsafe {
        let flags = fcntl(fd, F_GETFD);
        flags != -1 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != -1
    }
}
