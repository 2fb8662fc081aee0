use std::fmt;
use std::io;
use std::path::Path;

use crate::io_codes::{code_of, words_of};

/// What the kernel says of a file that was not granted, or not for writing: the sandbox does not show it.
const REFUSALS: [&str; 4] = ["ENOENT", "EACCES", "EPERM", "EROFS"];
/// There a plugin has a folder of its own, and what is missing is really missing.
const PRIVATE: &str = "/tmp/";

/// What every fallible function of a plugin returns.
pub type PluginResult<T> = Result<T, PluginError>;

/// Why an operation, or a hook, failed. Its caller gets what the variant says; `error` of a result is its text.
///
/// Texts become [`Failed`](PluginError::Failed) by `?` or `.into()`, and so do `std::io::Error`, errors of parsing
/// and boxed errors. Keep an error of a file whole with [`from_read`](PluginError::from_read) and its siblings: then
/// the caller is told which line of `plugin.toml` was missing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PluginError {
    /// The plugin's own failure: the caller gets a result with `success: false` and these words.
    Failed(String),
    /// The input makes no sense: the caller gets `INPUT_INVALID`.
    InvalidInput(String),
    /// There is no such operation: the caller gets `OPERATION_NOT_FOUND`.
    OperationNotFound {
        /// What was asked for.
        operation: String,
        /// The operations that there are.
        known: Vec<String>,
    },
    /// The operation ended because its call was cancelled. Counts as a failure where it was not.
    Cancelled,
    /// Memory for the work is not to be had (`Vec::try_reserve` says so): the caller gets `LIMIT_EXCEEDED`, and the
    /// process is replaced. An allocation that aborts the process ends in the same answer.
    OutOfMemory(String),
    /// Something was refused. A claim: the daemon makes `PERMISSION_DENIED` of it, with the line that `plugin.toml`
    /// would need, where it knows that it granted no such thing, and a failure with this message else.
    Denied {
        /// As Node's permission model names it: `FileSystemRead`, `FileSystemWrite`, `Net`, `ChildProcess`.
        permission: String,
        /// The absolute path, `host:port`, or the program.
        resource: String,
        /// In words.
        message: String,
    },
    /// The daemon did not take a message: [`send_message`](crate::plugins::PluginExecutionContext::send_message) says
    /// so.
    MessageRefused {
        /// `MESSAGE_REFUSED`, `QUEUE_FULL`, `PLUGIN_NOT_FOUND` and the like.
        code: String,
        /// In words.
        message: String,
    },
    /// A call of the system failed on something that has a name. Where nothing of that name was granted, the daemon
    /// makes `PERMISSION_DENIED` of it: a sandbox does not show what it does not grant.
    System {
        /// In words.
        message: String,
        /// `ENOENT` and the like.
        code: String,
        /// The absolute path, or the program.
        path: String,
        /// What was tried: `open`, `write`, `spawn`.
        syscall: String,
    },
}

impl PluginError {
    /// The plugin's own failure in words.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// The input makes no sense, and why.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// There is no such operation, and which there are.
    pub fn unknown_operation(operation: impl Into<String>, known: &[&str]) -> Self {
        Self::OperationNotFound {
            operation: operation.into(),
            known: known.iter().map(|name| (*name).to_string()).collect(),
        }
    }

    /// Something was refused: `permission` as Node's permission model names it, `resource` the absolute path,
    /// `host:port`, or the program.
    pub fn denied(permission: impl Into<String>, resource: impl Into<String>) -> Self {
        let (permission, resource) = (permission.into(), resource.into());
        let message = format!("Cannot access \"{resource}\": {permission} is not granted there");
        Self::Denied {
            permission,
            resource,
            message,
        }
    }

    /// Why a file or folder could not be read.
    ///
    /// ```
    /// use phantom_ml_core::plugins::*;
    /// fn read(path: &str) -> PluginResult<String> {
    ///     std::fs::read_to_string(path).map_err(|error| PluginError::from_read(path, error))
    /// }
    /// let error = read("/no/such/file").unwrap_err();
    /// assert_eq!(error.to_string(), "ENOENT: no such file or directory, open '/no/such/file'");
    /// ```
    pub fn from_read(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::from_system("open", path, error)
    }

    /// Why a file or folder could not be made, changed or removed.
    pub fn from_write(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self::from_system("write", path, error)
    }

    /// Why a program could not be started.
    pub fn from_spawn(program: impl AsRef<Path>, error: io::Error) -> Self {
        let program = program.as_ref();
        let code = error.raw_os_error().and_then(code_of);
        if code == Some("EPERM") || code == Some("EACCES") {
            return Self::denied("ChildProcess", program.to_string_lossy());
        }
        let code = code.unwrap_or_default();
        let path = program.to_string_lossy().into_owned();
        Self::System {
            message: in_words(code, &error, &format!("spawn '{path}'")),
            code: code.to_string(),
            path,
            syscall: "spawn".to_string(),
        }
    }

    /// `syscall` is `write` of whatever changes files.
    fn from_system(syscall: &str, path: impl AsRef<Path>, error: io::Error) -> Self {
        let given = path.as_ref().to_string_lossy().into_owned();
        // A relative path means what it means in this process now.
        let absolute = match std::env::current_dir() {
            Ok(folder) => folder.join(path).to_string_lossy().into_owned(),
            Err(_) => given.clone(),
        };
        let code = error.raw_os_error().and_then(code_of).unwrap_or_default();
        let message = in_words(code, &error, &format!("open '{given}'"));
        if REFUSALS.contains(&code) && !absolute.starts_with(PRIVATE) {
            let kind = if syscall == "open" { "Read" } else { "Write" };
            return Self::Denied {
                permission: format!("FileSystem{kind}"),
                resource: absolute,
                message,
            };
        }
        Self::System {
            message,
            code: code.to_string(),
            path: absolute,
            syscall: syscall.to_string(),
        }
    }
}

fn in_words(code: &str, error: &io::Error, what: &str) -> String {
    match words_of(code) {
        Some(words) => format!("{code}: {words}, {what}"),
        None => format!("{error}, {what}"),
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(message)
            | Self::InvalidInput(message)
            | Self::OutOfMemory(message)
            | Self::Denied { message, .. }
            | Self::MessageRefused { message, .. }
            | Self::System { message, .. } => f.write_str(message),
            Self::OperationNotFound { operation, known } => {
                let known = if known.is_empty() {
                    "none".to_string()
                } else {
                    known.join(", ")
                };
                write!(
                    f,
                    "Cannot run \"{operation}\": the plugin has no such operation. It has {known}"
                )
            }
            Self::Cancelled => f.write_str("The operation ended because its call was cancelled"),
        }
    }
}

impl std::error::Error for PluginError {}

impl From<String> for PluginError {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for PluginError {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_string())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for PluginError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Failed(error.to_string())
    }
}

macro_rules! from_errors {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for PluginError {
            fn from(error: $error) -> Self {
                Self::Failed(error.to_string())
            }
        }
    )*};
}

from_errors!(
    io::Error,
    fmt::Error,
    serde_json::Error,
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::time::SystemTimeError,
);
