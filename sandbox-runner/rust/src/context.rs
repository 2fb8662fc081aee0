use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::error::{PluginError, PluginResult};
use crate::fetch::{HttpRequest, HttpResponse};
use crate::log::Logger;
use crate::runtime::{Call, Host};

/// What `initialize` gets.
#[derive(Debug)]
#[non_exhaustive]
pub struct PluginContext {
    /// `plugin.id`
    pub plugin_id: String,
    /// The configuration, checked against its schema and filled with its defaults.
    pub config: Value,
    /// A folder of the plugin's own, kept between starts.
    pub data_dir: String,
    /// The folder that this process works for: relative paths mean it.
    pub workspace: String,
    /// Counts the versions of the plugin that were loaded, from 1.
    pub generation: u64,
    /// What `export_state` of the generation before answered.
    pub previous_state: Option<Value>,
    /// The plugin's log.
    pub log: Logger,
}

/// What is the same for all calls of a process.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) plugin_id: String,
    pub(crate) data_dir: String,
    pub(crate) workspace: String,
    pub(crate) generation: u64,
    pub(crate) max_payload_bytes: usize,
}

/// What an operation knows of its call and its plugin, and what it may do meanwhile.
#[non_exhaustive]
pub struct PluginExecutionContext {
    /// Names the call.
    pub execution_id: String,
    /// The operation that was asked for; of a message its type.
    pub operation: String,
    /// The newest configuration.
    pub config: Arc<Value>,
    surroundings: Arc<Surroundings>,
    call: Arc<Call>,
}

impl PluginExecutionContext {
    pub(crate) fn new(
        operation: String,
        config: Arc<Value>,
        surroundings: Arc<Surroundings>,
        call: Arc<Call>,
    ) -> Self {
        Self {
            execution_id: call.execution_id().to_string(),
            operation,
            config,
            surroundings,
            call,
        }
    }

    pub(crate) fn detached(operation: String) -> Self {
        let call = Arc::new(Call::detached(Host::detached()));
        let surroundings = Arc::new(Surroundings {
            plugin_id: String::new(),
            data_dir: String::new(),
            workspace: String::new(),
            generation: 0,
            max_payload_bytes: usize::MAX,
        });
        Self::new(operation, Arc::new(Value::Null), surroundings, call)
    }

    /// `plugin.id`
    pub fn plugin_id(&self) -> &str {
        &self.surroundings.plugin_id
    }

    /// A folder of the plugin's own, kept between starts.
    pub fn data_dir(&self) -> &str {
        &self.surroundings.data_dir
    }

    /// The folder that this process works for: relative paths mean it.
    pub fn workspace(&self) -> &str {
        &self.surroundings.workspace
    }

    /// Counts the versions of the plugin that were loaded, from 1.
    pub fn generation(&self) -> u64 {
        self.surroundings.generation
    }

    /// The log; its lines belong to this call.
    pub fn log(&self) -> Logger {
        self.call.log()
    }

    /// Tells the caller how far the call is: a fraction from 0 to 1, or `None` where that is not known, and what is
    /// being done; an empty text says nothing. About 20 a second go out, the last one always.
    pub fn progress(&self, fraction: impl Into<Option<f64>>, message: impl AsRef<str>) {
        let message = Some(message.as_ref()).filter(|text| !text.is_empty());
        self.call.progress(fraction.into(), message);
    }

    /// Whether the answer is no longer wanted. Cheap enough for every turn of a loop.
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }

    /// `Err(PluginError::Cancelled)` when the answer is no longer wanted, for `?` in loops.
    pub fn check_cancelled(&self) -> PluginResult<()> {
        if self.is_cancelled() {
            Err(PluginError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Duration {
        self.call.remaining()
    }

    /// Waits, and lets other calls run meanwhile. `Err(PluginError::Cancelled)` as soon as the call is.
    pub async fn sleep(&self, duration: Duration) -> PluginResult<()> {
        self.call.sleep(duration).await
    }

    /// A file's bytes. An error says what was not granted.
    pub fn read_file(&self, path: impl AsRef<str>) -> PluginResult<Vec<u8>> {
        self.call.read_file(path.as_ref())
    }

    /// A file's text, which must be UTF-8.
    pub fn read_text(&self, path: impl AsRef<str>) -> PluginResult<String> {
        let path = path.as_ref();
        let bytes = self.read_file(path)?;
        String::from_utf8(bytes).map_err(|error| {
            PluginError::failed(format!("Cannot read \"{path}\" as text: {error}"))
        })
    }

    /// Writes a file anew.
    pub fn write_file(&self, path: impl AsRef<str>, bytes: impl AsRef<[u8]>) -> PluginResult<()> {
        self.call.write_file(path.as_ref(), bytes.as_ref(), false)
    }

    /// Writes behind a file's end; makes it where it is not there.
    pub fn append_file(&self, path: impl AsRef<str>, bytes: impl AsRef<[u8]>) -> PluginResult<()> {
        self.call.write_file(path.as_ref(), bytes.as_ref(), true)
    }

    /// An environment variable that the manifest grants; `None` where it is not set or not granted.
    pub fn env(&self, name: impl AsRef<str>) -> Option<String> {
        self.call.env(name.as_ref())
    }

    /// Writes to another plugin, whose `[[messages]]` must take it from this one. Answers its id as soon as it waits
    /// there: whether it is ever taken, nobody tells. `Err(PluginError::MessageRefused { code, .. })` says why it is not
    /// taken. Outside of a daemon it goes to stderr.
    pub async fn send_message(
        &self,
        recipient: impl AsRef<str>,
        message_type: impl AsRef<str>,
        payload: impl Into<Value>,
    ) -> PluginResult<String> {
        let (recipient, message_type) = (recipient.as_ref(), message_type.as_ref());
        let payload = serde_json::to_vec(&payload.into())?;
        let (measured, limit) = (payload.len(), self.surroundings.max_payload_bytes);
        if measured > limit {
            return Err(PluginError::MessageRefused {
                code: "PAYLOAD_TOO_LARGE".to_string(),
                message: format!(
                    "Cannot send \"{message_type}\": its payload is {measured} bytes of JSON, at most {limit} are allowed"
                ),
            });
        }
        let sent = self.call.send_message(recipient, message_type, &payload);
        sent.await
    }

    /// Sends an HTTP request through the daemon's proxy, and blocks until the answer is there, the call is cancelled or
    /// its time is over. Redirects are followed. A native plugin reaches `http:` alone by it: `https:` needs a crate
    /// with TLS that honours `HTTPS_PROXY` (ureq and reqwest do). A WebAssembly plugin reaches both.
    pub fn fetch(&self, request: HttpRequest) -> PluginResult<HttpResponse> {
        self.call.fetch(&request)
    }
}

impl fmt::Debug for PluginExecutionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginExecutionContext")
            .field("execution_id", &self.execution_id)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
