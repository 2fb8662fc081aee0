use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use super::host::{lock, CancelFlag, Host};
use super::http;
use crate::error::{PluginError, PluginResult};
use crate::fetch::{HttpRequest, HttpResponse};
use crate::guard;
use crate::log::{LogLevel, Logger};
use crate::wire;

/// About 20 reports a second and call: what a person can follow.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);
/// Looking costs a system call.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// One call, as its operation sees it.
pub(crate) struct Call {
    id: u64,
    execution_id: Arc<str>,
    host: Arc<Host>,
    flag: Arc<CancelFlag>,
    deadline: Instant,
    /// Absent where nobody wants any.
    progress: Option<Mutex<Progress>>,
    looked_at: Mutex<Instant>,
}

#[derive(Default)]
struct Progress {
    sent_at: Option<Instant>,
    waiting: Option<Value>,
    is_over: bool,
}

impl Call {
    pub(super) fn new(id: u64, host: Arc<Host>, params: &Value) -> Self {
        let now = Instant::now();
        let timeout = params["timeout_ms"].as_f64().filter(|time| *time >= 0.0);
        let timeout = timeout.map_or(MAX_TIME, |time| {
            Duration::from_secs_f64((time / 1000.0).min(1e9))
        });
        let wants_progress = params["progress"].as_bool() == Some(true);
        Self {
            id,
            execution_id: host.execution_id(id).into(),
            flag: host.flag(id),
            deadline: now + timeout,
            progress: wants_progress.then(Mutex::default),
            looked_at: Mutex::new(now),
            host,
        }
    }

    pub(crate) fn detached(host: Arc<Host>) -> Self {
        Self::new(0, host, &Value::Null)
    }

    #[cfg(test)]
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    pub(crate) fn execution_id(&self) -> &str {
        &self.execution_id
    }

    pub(crate) fn log(&self) -> Logger {
        Logger::new(self.host.clone(), Some(self.execution_id.clone()))
    }

    /// Where its code panicked, for who reads lines of level `debug`.
    pub(crate) fn report_panic(&self) {
        if let Some(place) = guard::take_place() {
            self.host
                .log(LogLevel::Debug, &place, Some(&self.execution_id));
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        if !self.flag.load(Ordering::SeqCst) {
            let now = Instant::now();
            let mut looked_at = lock(&self.looked_at);
            if now - *looked_at >= LOOK_INTERVAL {
                *looked_at = now;
                drop(looked_at);
                self.host.look();
            }
        }
        self.flag.load(Ordering::SeqCst)
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(crate) fn progress(&self, fraction: Option<f64>, message: Option<&str>) {
        let mut progress = match &self.progress {
            Some(progress) => lock(progress),
            None => return,
        };
        if progress.is_over {
            return;
        }
        let mut params = json!({"id": self.id});
        if let Some(fraction) = fraction.filter(|fraction| !fraction.is_nan()) {
            params["fraction"] = json!(fraction.clamp(0.0, 1.0));
        }
        if let Some(message) = message {
            params["message"] = json!(wire::cut(message));
        }
        progress.waiting = Some(params);
        let is_due = progress.due().map_or(true, |due| due <= Instant::now());
        if is_due {
            progress.flush(&self.host);
        }
    }

    /// When what waits may go out.
    pub(super) fn progress_due(&self) -> Option<Instant> {
        let progress = lock(self.progress.as_ref()?);
        progress.waiting.as_ref()?;
        progress.due()
    }

    pub(super) fn flush_progress(&self) {
        if let Some(progress) = &self.progress {
            lock(progress).flush(&self.host);
        }
    }

    /// Right before the answer: the last progress goes out, none comes after it.
    pub(super) fn end(&self) {
        if let Some(progress) = &self.progress {
            let mut progress = lock(progress);
            progress.flush(&self.host);
            progress.is_over = true;
        }
        self.host.forget(self.id);
    }

    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        Sleep {
            call: self.clone(),
            until: Instant::now() + duration.min(MAX_TIME),
            wait: None,
        }
    }

    pub(crate) fn read_file(&self, path: &str) -> PluginResult<Vec<u8>> {
        std::fs::read(path).map_err(|error| PluginError::from_read(path, error))
    }

    pub(crate) fn write_file(&self, path: &str, bytes: &[u8], append: bool) -> PluginResult<()> {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(append)
            .truncate(!append);
        let written = options
            .open(path)
            .and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| PluginError::from_write(path, error))
    }

    pub(crate) fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    pub(crate) async fn send_message(
        &self,
        recipient: &str,
        message_type: &str,
        payload: &[u8],
    ) -> PluginResult<String> {
        let params = json!({"recipient": recipient, "type": message_type});
        let mut answer = match self.host.ask("send_message", &params, payload) {
            Some(question) => question.await,
            None => {
                let text = String::from_utf8_lossy(payload);
                eprintln!("message {message_type} to {recipient}: {text}");
                return Ok("detached".to_string());
            }
        };
        match answer.get("error") {
            None => Ok(wire::message_id_of(&answer["result"].take())),
            Some(error) => {
                let text = |value: &Value| value.as_str().unwrap_or("").to_string();
                Err(PluginError::MessageRefused {
                    code: text(&error["data"]["name"]),
                    message: text(&error["message"]),
                })
            }
        }
    }

    pub(crate) fn fetch(&self, request: &HttpRequest) -> PluginResult<HttpResponse> {
        http::fetch(request, self)
    }
}

impl Progress {
    fn due(&self) -> Option<Instant> {
        self.sent_at.map(|sent| sent + PROGRESS_INTERVAL)
    }

    fn flush(&mut self, host: &Host) {
        if let Some(params) = self.waiting.take() {
            self.sent_at = Some(Instant::now());
            host.notify("progress", params);
        }
    }
}

/// Ends at its time, or when the call is cancelled.
pub(crate) struct Sleep {
    call: Arc<Call>,
    until: Instant,
    /// Who is to be woken, and the number of that wait.
    wait: Option<(Waker, u64)>,
}

impl Future for Sleep {
    type Output = PluginResult<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PluginResult<()>> {
        let host = self.call.host.clone();
        if host.is_detached() {
            // Nobody would wake it.
            std::thread::sleep(self.until.saturating_duration_since(Instant::now()));
        }
        if self.call.flag.load(Ordering::SeqCst) {
            return Poll::Ready(Err(PluginError::Cancelled));
        }
        if self.until <= Instant::now() {
            return Poll::Ready(Ok(()));
        }
        let waker = context.waker();
        let is_known = matches!(&self.wait, Some((known, _)) if known.will_wake(waker));
        if !is_known {
            self.stop_waiting();
            let number = host.wait_for(self.call.id, self.until, waker);
            self.wait = Some((waker.clone(), number));
        }
        // Another thread may have heard of it just before.
        if self.call.flag.load(Ordering::SeqCst) {
            return Poll::Ready(Err(PluginError::Cancelled));
        }
        Poll::Pending
    }
}

impl Sleep {
    fn stop_waiting(&mut self) {
        if let Some((_, number)) = self.wait.take() {
            self.call.host.forget_wait(number);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}
