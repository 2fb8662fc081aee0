use std::fmt;

use serde_json::Value;

use crate::context::PluginExecutionContext;

/// What another plugin wrote to this one, or an application.
#[derive(Debug)]
#[non_exhaustive]
pub struct PluginMessage {
    /// Its type, one of those that `plugin.toml` declares.
    pub message_type: String,
    /// The plugin that sent it; the name that an application gave where `origin` says so.
    pub sender: String,
    /// Whose word the sender is.
    pub origin: MessageOrigin,
    /// The sender has it, too.
    pub message_id: String,
    /// What it says, checked against the `input_schema` of its type where there is one; null where it says nothing.
    pub payload: Value,
    /// As an operation has it: the time that is left, the log, files, and messages of its own.
    pub context: PluginExecutionContext,
}

impl PluginMessage {
    /// A message for a test of a plugin's own, outside of any daemon, from a plugin of that name.
    ///
    /// ```
    /// use phantom_ml_core::plugins::*;
    /// let message = PluginMessage::detached("builder", "build_done", serde_json::json!({"target": "x86"}));
    /// assert_eq!(message.sender, "builder");
    /// ```
    pub fn detached(
        sender: impl Into<String>,
        message_type: impl Into<String>,
        payload: Value,
    ) -> Self {
        let message_type = message_type.into();
        Self {
            context: PluginExecutionContext::detached(message_type.clone()),
            message_type,
            sender: sender.into(),
            origin: MessageOrigin::Plugin,
            message_id: "detached".to_string(),
            payload,
        }
    }
}

/// By which way a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageOrigin {
    /// A plugin sent it: the daemon knows which.
    Plugin,
    /// An application sent it, and could name any sender.
    Application,
}

impl MessageOrigin {
    pub(crate) fn of(name: Option<&str>) -> Self {
        match name {
            Some("plugin") => Self::Plugin,
            // Whatever it is, it is no plugin's word.
            _ => Self::Application,
        }
    }
}

impl fmt::Display for MessageOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plugin => "plugin",
            Self::Application => "application",
        })
    }
}
