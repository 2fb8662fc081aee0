//! What the module asks its host, by `call` of `phantom:host/v1`.

use serde_json::Value;

use super::call_host;
use crate::error::{PluginError, PluginResult};
use crate::wire;

pub(super) fn ask(method: &str, params: &Value) -> PluginResult<(Value, Vec<u8>)> {
    ask_with(method, params, None)
}

/// The result and the payload behind it.
pub(super) fn ask_with(
    method: &str,
    params: &Value,
    payload: Option<&[u8]>,
) -> PluginResult<(Value, Vec<u8>)> {
    let mut answer = call_host(&wire::request(1, method, params, payload));
    let end = answer
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(answer.len());
    let mut message: Value = serde_json::from_slice(&answer[..end])?;
    if let Some(error) = message.get("error") {
        return Err(error_of(error));
    }
    answer.drain(..(end + 1).min(answer.len()));
    Ok((message["result"].take(), answer))
}

/// As the host named it, so that it goes back unchanged.
fn error_of(error: &Value) -> PluginError {
    let details = &error["data"]["details"];
    let text = |value: &Value| value.as_str().unwrap_or("").to_string();
    let message = text(&error["message"]);
    match error["data"]["name"].as_str() {
        Some("cancelled") => PluginError::Cancelled,
        Some("out_of_memory") => PluginError::OutOfMemory(message),
        Some("access_denied") => {
            let mut resource = text(&details["resource"]);
            if let Some(port) = details["port"].as_u64().filter(|_| !resource.contains(':')) {
                resource = format!("{resource}:{port}");
            }
            PluginError::Denied {
                permission: text(&details["permission"]),
                resource,
                message,
            }
        }
        _ if details["code"].is_string() && details["path"].is_string() => PluginError::System {
            message,
            code: text(&details["code"]),
            path: text(&details["path"]),
            syscall: text(&details["syscall"]),
        },
        _ if details["name"] == "PhantomError" && details["code"].is_string() => {
            let code = text(&details["code"]);
            PluginError::MessageRefused { code, message }
        }
        _ => PluginError::Failed(message),
    }
}
