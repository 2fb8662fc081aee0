//! What a plugin says, as it travels.

use serde_json::Value;

use crate::error::{PluginError, PluginResult};
use crate::execution::PluginExecutionResult;
use crate::runtime::Call;
use crate::wire::{Reply, WireError};

/// The answer of a call.
pub(crate) fn reply_of(
    outcome: PluginResult<PluginExecutionResult>,
    call: &Call,
    max_bytes: usize,
) -> Result<Reply, WireError> {
    let answer = match outcome {
        Err(PluginError::Cancelled) if call.is_cancelled() => return Err(WireError::cancelled()),
        outcome => outcome?,
    };
    let log = call.log();
    answer.warnings.iter().for_each(|line| log.warn(line));
    answer.logs.iter().for_each(|line| log.info(line));
    if !answer.success {
        let error = answer.error.filter(|error| !error.is_empty());
        return Err(WireError::fault(
            error.unwrap_or_else(|| "no message".to_string()),
        ));
    }
    let text =
        serde_json::to_vec(&answer.result).map_err(|error| WireError::fault(error.to_string()))?;
    if text.len() > max_bytes {
        return Err(WireError::too_large(text.len(), max_bytes));
    }
    Ok(Reply::Payload(text))
}

/// Names that the manifest declares.
pub(crate) fn operations_in(params: &Value) -> Vec<String> {
    let declared = params["operations"].as_array();
    let names = declared.map(|all| all.iter().filter_map(|one| one["name"].as_str()));
    names.map_or_else(Vec::new, |names| names.map(str::to_string).collect())
}

/// What a plugin says about itself, if it is small enough to travel in a line.
pub(crate) fn within(report: Value, max_bytes: usize) -> Result<Value, String> {
    let bytes = report.to_string().len();
    if bytes <= max_bytes {
        return Ok(report);
    }
    Err(format!(
        "it is {bytes} bytes of JSON, at most {max_bytes} are allowed"
    ))
}

/// The configuration of before, with `log_level` and `verbose` as the new one has them.
pub(crate) fn with_common_keys(before: &Value, new: &Value) -> Value {
    let mut merged = before.as_object().cloned().unwrap_or_default();
    for name in ["log_level", "verbose"] {
        match new.get(name) {
            Some(value) => merged.insert(name.to_string(), value.clone()),
            None => merged.remove(name),
        };
    }
    Value::Object(merged)
}
