//! A plugin as a process: contract Runner on descriptor 3.

mod call;
mod executor;
mod frames;
mod host;
mod http;
mod questions;
#[cfg(test)]
mod session_tests;
mod sys;
mod wakeup;

use std::os::unix::io::FromRawFd;
use std::os::unix::net::UnixStream;

pub(crate) use call::Call;
pub(crate) use host::Host;

use crate::guard;
use crate::maker::Maker;
use crate::plugin::Plugin;

const CHANNEL: i32 = 3;

/// Serves a plugin until the daemon closes the channel. [`plugin_main!`](crate::plugin_main) calls it.
pub fn serve<P: Plugin>(maker: Maker<P>) -> ! {
    if !sys::close_on_exec(CHANNEL) {
        eprintln!(
            "This is a plugin of @phantom-ml/core, and nobody talks to it: expected a channel on descriptor 3. Run it with \"phantom run\""
        );
        std::process::exit(host::PROTOCOL);
    }
    // SAFETY: the descriptor is there, and nothing else of this process knows of it.
    let stream = unsafe { UnixStream::from_raw_fd(CHANNEL) };
    let ready = stream
        .set_nonblocking(false)
        .and_then(|()| wakeup::Wakeup::new());
    let wakeup = match ready {
        Ok(wakeup) => wakeup,
        Err(error) => host::broken_off(&format!("its channel is of no use: {error}")),
    };
    guard::keep_panics();
    executor::Executor::new(Host::attached(stream), maker, wakeup).run()
}
