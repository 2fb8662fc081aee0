use std::io::{self, Read, Write};
use std::os::unix::io::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::Wake;

/// The one waker of all futures. Few run at once, so each wake looks at every one of them.
pub(super) struct Wakeup {
    is_woken: AtomicBool,
    sender: UnixStream,
    receiver: UnixStream,
}

impl Wakeup {
    pub(super) fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self {
            is_woken: AtomicBool::new(false),
            sender,
            receiver,
        })
    }

    /// Readable after a wake.
    pub(super) fn fd(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }

    pub(super) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Whether there was a wake since the last time.
    pub(super) fn take(&self) -> bool {
        if !self.is_woken() {
            return false;
        }
        let mut bytes = [0; 16];
        while matches!((&self.receiver).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        self.is_woken.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            // Full means that a byte is there, which is all that it takes.
            let _ = (&self.sender).write(&[1]);
        }
    }
}
