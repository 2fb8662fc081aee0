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

/// The operations that may be called, of those in code and those that the manifest declares; none where any name may be.
pub(crate) fn operations_of(in_code: &[&str], params: &Value) -> Result<Vec<String>, WireError> {
    let declared = declared_in(params, "operations");
    if declared.is_empty() {
        return Ok(in_code.iter().map(|name| (*name).to_string()).collect());
    }
    if !in_code.is_empty() {
        refuse_missing("operations", in_code, &declared)?;
    }
    Ok(declared.into_iter().map(str::to_string).collect())
}

/// The messages that may come: those that the manifest declares, which the code must have.
pub(crate) fn messages_of(in_code: &[&str], params: &Value) -> Result<Vec<String>, WireError> {
    let declared = declared_in(params, "messages");
    refuse_missing("messages", in_code, &declared)?;
    Ok(declared.into_iter().map(str::to_string).collect())
}

fn declared_in<'a>(params: &'a Value, key: &str) -> Vec<&'a str> {
    let declared = params[key].as_array();
    let names = declared.map(|all| all.iter().filter_map(|one| one["name"].as_str()));
    names.map_or_else(Vec::new, Iterator::collect)
}

fn refuse_missing(key: &str, in_code: &[&str], declared: &[&str]) -> Result<(), WireError> {
    let missing = declared.iter().filter(|name| !in_code.contains(*name));
    let missing: Vec<_> = missing.map(|name| format!("{name:?}")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let known = match in_code {
        [] => "none".to_string(),
        _ => in_code.join(", "),
    };
    let missing = missing.join(", ");
    Err(WireError::deterministic(format!(
        "plugin.toml declares {key} that the code lacks: {missing}. The code has {known}. Add them to {key}(), or take them out of plugin.toml"
    )))
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
