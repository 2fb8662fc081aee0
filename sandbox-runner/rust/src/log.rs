use std::fmt;
use std::sync::Arc;

use crate::runtime::Host;

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For who looks for a fault.
    Debug,
    /// What happened.
    Info,
    /// What the caller should know: it stands in the `warnings` of its result.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// `info` where the name is none.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "debug" => Self::Debug,
            "warn" => Self::Warn,
            "error" => Self::Error,
            _ => Self::Info,
        }
    }
}

/// Writes to the plugin's log. What is printed (`println!`) goes there too, without level and call; lines longer than
/// 8192 characters are cut.
#[derive(Clone)]
pub struct Logger {
    host: Arc<Host>,
    execution_id: Option<Arc<str>>,
}

impl Logger {
    pub(crate) fn new(host: Arc<Host>, execution_id: Option<Arc<str>>) -> Self {
        Self { host, execution_id }
    }

    /// For who looks for a fault; sent where `runtime.log_level` or the configuration says `debug`.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.log(LogLevel::Debug, message);
    }

    /// What happened.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(LogLevel::Info, message);
    }

    /// What the caller should know.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.log(LogLevel::Warn, message);
    }

    /// What went wrong.
    pub fn error(&self, message: impl AsRef<str>) {
        self.log(LogLevel::Error, message);
    }

    /// A line of any level.
    pub fn log(&self, level: LogLevel, message: impl AsRef<str>) {
        let id = self.execution_id.as_deref();
        self.host.log(level, message.as_ref(), id);
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger")
            .field("execution_id", &self.execution_id)
            .finish_non_exhaustive()
    }
}
