use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{json, Value};

use super::requests::{ask, ask_with};
use crate::error::{PluginError, PluginResult};
use crate::fetch::{HttpRequest, HttpResponse};
use crate::log::{LogLevel, Logger};
use crate::wire;

const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What there is of the host outside of a call.
pub(crate) struct Host {
    level: AtomicU8,
    prefix: Mutex<String>,
}

impl Host {
    pub(crate) fn detached() -> Arc<Self> {
        Arc::new(Self {
            level: AtomicU8::new(LogLevel::Info as u8),
            prefix: Mutex::default(),
        })
    }

    pub(crate) fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::SeqCst);
    }

    pub(crate) fn set_prefix(&self, prefix: String) {
        if let Ok(mut known) = self.prefix.lock() {
            *known = prefix;
        }
    }

    /// The host knows which call runs.
    pub(crate) fn log(&self, level: LogLevel, message: &str, _execution_id: Option<&str>) {
        if level as u8 >= self.level.load(Ordering::SeqCst) {
            let params = json!({"level": level.name(), "message": wire::cut(message)});
            // A line that is lost is no reason to fail.
            let _ = ask("log", &params);
        }
    }
}

/// The call that runs: there is one at a time.
pub(crate) struct Call {
    execution_id: Arc<str>,
    host: Arc<Host>,
    was_told: AtomicBool,
}

impl Call {
    pub(super) fn new(id: u64, host: Arc<Host>) -> Self {
        let prefix = host.prefix.lock().map(|prefix| prefix.clone());
        let execution_id = wire::execution_id(&prefix.unwrap_or_default(), id);
        Self {
            execution_id: execution_id.into(),
            host,
            was_told: AtomicBool::new(false),
        }
    }

    pub(crate) fn detached(host: Arc<Host>) -> Self {
        Self::new(0, host)
    }

    pub(crate) fn execution_id(&self) -> &str {
        &self.execution_id
    }

    pub(crate) fn log(&self) -> Logger {
        Logger::new(self.host.clone(), Some(self.execution_id.clone()))
    }

    /// A panic traps: the hook has told of it.
    pub(crate) fn report_panic(&self) {}

    /// A host that ends a wait says that the call is cancelled.
    fn heard<T>(&self, answer: PluginResult<T>) -> PluginResult<T> {
        if matches!(answer, Err(PluginError::Cancelled)) {
            self.was_told.store(true, Ordering::SeqCst);
        }
        answer
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        if self.was_told.load(Ordering::SeqCst) {
            return true;
        }
        let answer = ask("is_cancelled", &json!({}));
        answer.map_or(false, |(result, _)| result["cancelled"] == json!(true))
    }

    pub(crate) fn remaining(&self) -> Duration {
        let answer = ask("remaining_ms", &json!({})).ok();
        let left = answer.and_then(|(result, _)| result["remaining_ms"].as_f64());
        left.map_or(MAX_TIME, |left| {
            Duration::from_secs_f64(left.max(0.0) / 1000.0)
        })
    }

    pub(crate) fn progress(&self, fraction: Option<f64>, message: Option<&str>) {
        let mut params = json!({});
        if let Some(fraction) = fraction.filter(|fraction| !fraction.is_nan()) {
            params["fraction"] = json!(fraction.clamp(0.0, 1.0));
        }
        if let Some(message) = message {
            params["message"] = json!(wire::cut(message));
        }
        let _ = ask("progress", &params);
    }

    /// The host suspends the whole module meanwhile.
    pub(crate) fn sleep(&self, duration: Duration) -> std::future::Ready<PluginResult<()>> {
        let duration_ms = duration.min(MAX_TIME).as_secs_f64() * 1000.0;
        let slept = self.heard(ask("sleep", &json!({ "duration_ms": duration_ms })));
        std::future::ready(slept.map(|_| ()))
    }

    pub(crate) fn read_file(&self, path: &str) -> PluginResult<Vec<u8>> {
        let (_, payload) = ask("read_file", &json!({ "path": path }))?;
        Ok(payload)
    }

    pub(crate) fn write_file(&self, path: &str, bytes: &[u8], append: bool) -> PluginResult<()> {
        let params = json!({"path": path, "append": append});
        ask_with("write_file", &params, Some(bytes)).map(|_| ())
    }

    pub(crate) fn env(&self, name: &str) -> Option<String> {
        super::environment::variable(name)
    }

    pub(crate) fn send_message(
        &self,
        recipient: &str,
        message_type: &str,
        payload: &[u8],
    ) -> std::future::Ready<PluginResult<String>> {
        let params = json!({"recipient": recipient, "type": message_type});
        let answer = self.heard(ask_with("send_message", &params, Some(payload)));
        std::future::ready(answer.map(|(sent, _)| wire::message_id_of(&sent)))
    }

    pub(crate) fn fetch(&self, request: &HttpRequest) -> PluginResult<HttpResponse> {
        let HttpRequest {
            method,
            url,
            headers,
            body,
        } = request;
        let headers: Value = headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let params = json!({"method": method, "url": url, "headers": headers});
        let sent = Some(body.as_slice()).filter(|body| !body.is_empty());
        let (result, body) = self.heard(ask_with("fetch", &params, sent))?;
        let headers = result["headers"].as_object().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        Ok(HttpResponse {
            status: result["status"].as_u64().unwrap_or(0) as u16,
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_lowercase(), text(value)))
                .collect(),
            body,
        })
    }
}
