use std::collections::HashMap;

use serde_json::Value;

use crate::context::PluginExecutionContext;

/// What an operation gets.
#[derive(Debug)]
pub struct PluginExecutionInput {
    /// The caller's input, checked against the operation's `input_schema` where there is one; null where none came.
    pub data: Value,
    /// What the operation knows of its call and its plugin, and what it may do meanwhile.
    pub context: PluginExecutionContext,
}

impl PluginExecutionInput {
    /// An input for a test of a plugin's own, outside of any daemon: logs go to stderr, nothing is cancelled, and
    /// there is as much time as it takes.
    ///
    /// ```
    /// use phantom_ml_core::plugins::*;
    /// let input = PluginExecutionInput::detached("greet", serde_json::json!({"name": "Ada"}));
    /// assert_eq!(input.context.operation, "greet");
    /// ```
    pub fn detached(operation: impl Into<String>, data: Value) -> Self {
        let context = PluginExecutionContext::detached(operation.into());
        Self { data, context }
    }
}

/// What an operation answers. The caller gets a result of the same shape, in which `result`, `success` and `error` are
/// the plugin's, and whatever is measured is the daemon's: a plugin cannot report its own bill.
///
/// | field | what becomes of it |
/// | --- | --- |
/// | `result` | the caller's `result`; `None` is null |
/// | `success`, `error` | `success: false` is the plugin's own failure, in the words of `error`, and has no `result` |
/// | `warnings`, `logs` | lines of the plugin's log, at `warn` and `info`, that belong to this call |
/// | all others | nothing: the daemon knows the ids and measures the rest |
///
/// Most are made by [`ok`](Self::ok) or [`failed`](Self::failed).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginExecutionResult {
    /// Of the plugin.
    pub plugin_id: String,
    /// Of the call.
    pub execution_id: String,
    /// Whether it did what it was asked for.
    pub success: bool,
    /// What it returns.
    pub result: Option<Value>,
    /// Why it did not.
    pub error: Option<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// What else there is to say.
    pub logs: Vec<String>,
    /// Measured by the daemon.
    pub execution_time_ms: u64,
    /// Measured by the daemon.
    pub memory_used_bytes: u64,
    /// Measured by the daemon.
    pub cpu_time_ms: u64,
    /// Found by the daemon.
    pub created_files: Vec<String>,
    /// Counted by the daemon.
    pub network_requests: u64,
    /// Written by the daemon.
    pub metadata: HashMap<String, Value>,
}

impl PluginExecutionResult {
    /// It did, and this is what came of it.
    ///
    /// ```
    /// use phantom_ml_core::plugins::*;
    /// let result = PluginExecutionResult::ok(serde_json::json!({"words": 3}));
    /// assert!(result.success);
    /// ```
    pub fn ok(result: impl Into<Value>) -> Self {
        Self {
            success: true,
            result: Some(result.into()),
            ..Self::default()
        }
    }

    /// It did not, and why. The same as `Err(PluginError::failed(…))`, where warnings or logs go along.
    pub fn failed(error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::default()
        }
    }
}

impl From<Value> for PluginExecutionResult {
    fn from(result: Value) -> Self {
        Self::ok(result)
    }
}

/// What an agent asks a plugin for.
#[derive(Debug)]
pub struct AgentContext {
    /// The project that the agent works in.
    pub project_path: String,
    /// The files that it means, as patterns.
    pub target_files: Vec<String>,
    /// What the agent wants to be different.
    pub config: Value,
    /// What the agent says beside.
    pub metadata: Value,
    /// Whether nothing may be changed.
    pub dry_run: bool,
    /// Whether to say more.
    pub verbose: bool,
    /// What it knows of its call, and what it may do meanwhile.
    pub call: PluginExecutionContext,
}

impl AgentContext {
    pub(crate) fn of(input: PluginExecutionInput) -> Self {
        let PluginExecutionInput { data, context } = input;
        let files = data["target_files"].as_array();
        let patterns = files.map(|files| files.iter().filter_map(Value::as_str));
        Self {
            project_path: data["project_path"].as_str().unwrap_or("").to_string(),
            target_files: patterns
                .map(|patterns| patterns.map(str::to_string).collect())
                .unwrap_or_default(),
            config: data["config"].clone(),
            metadata: data["metadata"].clone(),
            dry_run: data["dry_run"].as_bool().unwrap_or(false),
            verbose: data["verbose"].as_bool().unwrap_or(false),
            call: context,
        }
    }
}
