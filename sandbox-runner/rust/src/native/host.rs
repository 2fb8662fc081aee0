use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::io::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use super::frames::FrameDecoder;
use super::questions::{Question, Questions};
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
    waits: Mutex<Vec<Wait>>,
    next_wait: AtomicU64,
}

struct Channel {
    stream: UnixStream,
    input: Mutex<Input>,
    output: Mutex<()>,
    /// Of the calls that are open, queued ones included.
    flags: Mutex<HashMap<u64, Arc<CancelFlag>>>,
    questions: Questions,
}

struct Input {
    decoder: FrameDecoder,
    buffer: Vec<u8>,
}

/// Set when a call's answer is no longer wanted.
pub(super) type CancelFlag = AtomicBool;

/// Something that waits for its time, or for its call to be cancelled.
struct Wait {
    number: u64,
    call: u64,
    time: Instant,
    waker: Waker,
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
            questions: Questions::default(),
        })))
    }

    fn new(channel: Option<Channel>) -> Self {
        Self {
            channel,
            level: AtomicU8::new(LogLevel::Info as u8),
            prefix: Mutex::default(),
            waits: Mutex::default(),
            next_wait: AtomicU64::new(0),
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

    /// Asks the daemon; with what there is to wait for. `None` where nobody is attached.
    pub(super) fn ask(
        self: &Arc<Self>,
        method: &str,
        params: &Value,
        payload: &[u8],
    ) -> Option<Question> {
        let questions = self.questions()?;
        let id = questions.open();
        self.send(&wire::request(id, method, params, Some(payload)));
        Some(Question::new(self.clone(), id))
    }

    pub(super) fn questions(&self) -> Option<&Questions> {
        self.channel.as_ref().map(|channel| &channel.questions)
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
        self.read(channel, &mut input);
    }

    /// Reads what is there, so that a cancellation is heard while code runs that never waits. By any thread.
    pub(super) fn look(&self) {
        if let Some(channel) = &self.channel {
            if let Ok(mut input) = channel.input.try_lock() {
                while sys::is_readable(channel.stream.as_raw_fd()) {
                    self.read(channel, &mut input);
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
            let ids: Vec<u64> = lock(&channel.flags).keys().copied().collect();
            ids.into_iter().for_each(|id| self.cancel(id));
        }
    }

    fn cancel(&self, call: u64) {
        self.flag(call).store(true, Ordering::SeqCst);
        let waits = lock(&self.waits);
        let meant = waits.iter().filter(|wait| wait.call == call);
        let meant: Vec<Waker> = meant.map(|wait| wait.waker.clone()).collect();
        drop(waits);
        meant.into_iter().for_each(Waker::wake);
    }

    /// Wakes at that time, or when the call is cancelled, until it is forgotten. Its number.
    pub(super) fn wait_for(&self, call: u64, time: Instant, waker: &Waker) -> u64 {
        let number = self.next_wait.fetch_add(1, Ordering::SeqCst);
        let waker = waker.clone();
        lock(&self.waits).push(Wait {
            number,
            call,
            time,
            waker,
        });
        number
    }

    pub(super) fn forget_wait(&self, number: u64) {
        lock(&self.waits).retain(|wait| wait.number != number);
    }

    pub(super) fn next_wait(&self) -> Option<Instant> {
        lock(&self.waits).iter().map(|wait| wait.time).min()
    }

    /// Each once: what is not polled then does not keep the loop awake.
    pub(super) fn wake_due(&self) {
        let now = Instant::now();
        let mut waits = lock(&self.waits);
        let (due, later): (Vec<_>, Vec<_>) = waits.drain(..).partition(|wait| wait.time <= now);
        *waits = later;
        drop(waits);
        due.into_iter().for_each(|wait| wait.waker.wake());
    }

    fn read(&self, channel: &Channel, input: &mut Input) {
        let Input { decoder, buffer } = input;
        let count = loop {
            match (&channel.stream).read(buffer) {
                Ok(0) => std::process::exit(HOST_GONE),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => std::process::exit(HOST_GONE),
            }
        };
        let pushed = decoder.push(&buffer[..count], |frame| self.is_kept(channel, frame));
        if let Err(why) = pushed {
            broken_off(&why);
        }
    }

    /// A cancellation counts at once, also of a call that waits for its turn.
    fn is_kept(&self, channel: &Channel, frame: &Frame) -> bool {
        match (frame.method.as_str(), frame.id) {
            ("execute" | "message", Some(id)) => {
                lock(&channel.flags).insert(id, Arc::default());
            }
            ("", id) => {
                channel.questions.answered(id, &frame.params);
                return false;
            }
            ("cancel", _) => {
                frame.params["id"]
                    .as_u64()
                    .into_iter()
                    .for_each(|id| self.cancel(id));
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
