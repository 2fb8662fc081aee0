use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::io::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use super::frames::FrameDecoder;
use super::sys;
use super::wakeup::Wakeup;
use crate::frame::Frame;
use crate::log::LogLevel;
use crate::wire;

const READ_BYTES: usize = 64 * 1024;
const LEVELS: [LogLevel; 4] = [
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Warn,
    LogLevel::Error,
];

/// The daemon closed the channel.
pub(super) const HOST_GONE: i32 = 80;
/// The daemon sent what the contract does not allow.
pub(super) const PROTOCOL: i32 = 81;

/// The process's end of the channel. Detached from one where an author tests a plugin.
pub(crate) struct Host {
    channel: Option<Channel>,
    level: AtomicU8,
    prefix: Mutex<String>,
    timers: Mutex<Vec<(Instant, Waker)>>,
}

struct Channel {
    stream: UnixStream,
    input: Mutex<Input>,
    output: Mutex<()>,
    /// Of the calls that are open, queued ones included.
    flags: Mutex<HashMap<u64, Arc<CancelFlag>>>,
}

struct Input {
    decoder: FrameDecoder,
    buffer: Vec<u8>,
}

/// Whether a call's answer is still wanted, and who waits to hear of it.
#[derive(Default)]
pub(super) struct CancelFlag {
    is_set: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl CancelFlag {
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *lock(&self.wakers));
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn wake_later(&self, waker: &Waker) {
        lock(&self.wakers).push(waker.clone());
    }
}

impl Host {
    pub(crate) fn detached() -> Arc<Self> {
        Arc::new(Self::new(None))
    }

    pub(super) fn attached(stream: UnixStream) -> Arc<Self> {
        Arc::new(Self::new(Some(Channel {
            stream,
            input: Mutex::new(Input {
                decoder: FrameDecoder::default(),
                buffer: vec![0; READ_BYTES],
            }),
            output: Mutex::new(()),
            flags: Mutex::default(),
        })))
    }

    fn new(channel: Option<Channel>) -> Self {
        Self {
            channel,
            level: AtomicU8::new(LogLevel::Info as u8),
            prefix: Mutex::default(),
            timers: Mutex::default(),
        }
    }

    pub(super) fn is_detached(&self) -> bool {
        self.channel.is_none()
    }

    pub(crate) fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::SeqCst);
    }

    pub(super) fn level(&self) -> LogLevel {
        LEVELS[usize::from(self.level.load(Ordering::SeqCst))]
    }

    pub(crate) fn set_prefix(&self, prefix: String) {
        *lock(&self.prefix) = prefix;
    }

    pub(super) fn execution_id(&self, id: u64) -> String {
        wire::execution_id(&lock(&self.prefix), id)
    }

    pub(crate) fn log(&self, level: LogLevel, message: &str, execution_id: Option<&str>) {
        if level < self.level() {
            return;
        }
        let message = wire::cut(message);
        if self.channel.is_none() {
            eprintln!("{}: {message}", level.name());
            return;
        }
        let mut params = json!({"level": level.name(), "message": message});
        if let Some(id) = execution_id {
            params["execution_id"] = json!(id);
        }
        self.notify("log", params);
    }

    pub(super) fn notify(&self, method: &str, params: Value) {
        self.send(&wire::line(
            &json!({"jsonrpc": "2.0", "method": method, "params": params}),
        ));
    }

    /// Blocks until the daemon takes it: it always reads.
    pub(super) fn send(&self, frame: &[u8]) {
        if let Some(channel) = &self.channel {
            let _turn = lock(&channel.output);
            if (&channel.stream).write_all(frame).is_err() {
                std::process::exit(HOST_GONE);
            }
        }
    }

    /// The next message, if one is there.
    pub(super) fn next_frame(&self) -> Option<Frame> {
        let channel = self.channel.as_ref()?;
        let frame = lock(&channel.input).decoder.next();
        frame
    }

    /// Waits for more to read, and with `wakeup` for a wake or the time.
    pub(super) fn wait(&self, wakeup: Option<(&Wakeup, Option<Duration>)>) {
        let channel = match &self.channel {
            Some(channel) => channel,
            None => return,
        };
        let mut input = lock(&channel.input);
        if let Some((wakeup, timeout)) = wakeup {
            if wakeup.is_woken() {
                return;
            }
            let fds = [channel.stream.as_raw_fd(), wakeup.fd()];
            if !sys::wait_readable(fds, timeout)[0] {
                return;
            }
        }
        channel.read(&mut input);
    }

    /// Reads what is there, so that a cancellation is heard while code runs that never waits. By any thread.
    pub(super) fn look(&self) {
        if let Some(channel) = &self.channel {
            if let Ok(mut input) = channel.input.try_lock() {
                while sys::is_readable(channel.stream.as_raw_fd()) {
                    channel.read(&mut input);
                }
            }
        }
    }

    /// Of a call that is open.
    pub(super) fn flag(&self, id: u64) -> Arc<CancelFlag> {
        let channel = self.channel.as_ref();
        let known = channel.and_then(|channel| lock(&channel.flags).get(&id).cloned());
        known.unwrap_or_default()
    }

    /// The call is answered.
    pub(super) fn forget(&self, id: u64) {
        if let Some(channel) = &self.channel {
            lock(&channel.flags).remove(&id);
        }
    }

    pub(super) fn cancel_all(&self) {
        if let Some(channel) = &self.channel {
            let flags: Vec<_> = lock(&channel.flags).values().cloned().collect();
            flags.iter().for_each(|flag| flag.set());
        }
    }

    pub(super) fn wake_at(&self, time: Instant, waker: &Waker) {
        lock(&self.timers).push((time, waker.clone()));
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        lock(&self.timers).iter().map(|(time, _)| *time).min()
    }

    pub(super) fn fire_timers(&self) {
        let now = Instant::now();
        let mut timers = lock(&self.timers);
        let (due, later) = timers.drain(..).partition(|(time, _)| *time <= now);
        *timers = later;
        drop(timers);
        let due: Vec<(Instant, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Channel {
    fn read(&self, input: &mut Input) {
        let Input { decoder, buffer } = input;
        let count = loop {
            match (&self.stream).read(buffer) {
                Ok(0) => std::process::exit(HOST_GONE),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => std::process::exit(HOST_GONE),
            }
        };
        let pushed = decoder.push(&buffer[..count], |frame| self.is_kept(frame));
        if let Err(why) = pushed {
            broken_off(&why);
        }
    }

    /// A cancellation counts at once, also of a call that waits for its turn.
    fn is_kept(&self, frame: &Frame) -> bool {
        match (frame.method.as_str(), frame.id) {
            ("execute", Some(id)) => {
                lock(&self.flags).insert(id, Arc::default());
            }
            ("cancel", _) => {
                let id = frame.params["id"].as_u64();
                let flag = id.and_then(|id| lock(&self.flags).get(&id).cloned());
                flag.iter().for_each(|flag| flag.set());
                return false;
            }
            _ => {}
        }
        true
    }
}

/// The daemon did what the contract does not allow.
pub(super) fn broken_off(why: &str) -> ! {
    eprintln!("Cannot follow the host: {why}");
    std::process::exit(PROTOCOL)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
