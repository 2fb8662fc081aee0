//! What travels: answers and notifications as lines, with the payload behind the line that announces it.

use serde_json::{json, Value};

use crate::error::PluginError;

/// The daemon cuts there, too.
const MAX_TEXT_CHARS: usize = 8192;

pub(crate) enum Reply {
    Result(Value),
    /// JSON text that goes behind the line.
    Payload(Vec<u8>),
    Error(WireError),
}

pub(crate) struct WireError {
    code: i64,
    name: &'static str,
    message: String,
    details: Value,
}

impl WireError {
    pub(crate) fn fault(message: impl Into<String>) -> Self {
        let message = message.into();
        let details = json!({"name": "Error", "message": cut(&message)});
        Self::new(("fault", -34001), message, details)
    }

    /// The same files would fail the same way.
    pub(crate) fn deterministic(message: impl Into<String>) -> Self {
        let mut error = Self::fault(message);
        error.details["deterministic"] = json!(true);
        error
    }

    pub(crate) fn input_invalid(message: impl Into<String>, keyword: &str) -> Self {
        let details = json!({"path": "input", "keyword": keyword});
        Self::new(("input_invalid", -34002), message, details)
    }

    pub(crate) fn unknown_operation(operation: String, known: Vec<String>) -> Self {
        let error = PluginError::OperationNotFound { operation, known };
        Self::from(error)
    }

    pub(crate) fn unknown_message(kind: &str) -> Self {
        let message = format!("Cannot take \"{kind}\": the plugin has no such message");
        Self::new(("operation_not_found", -34003), message, json!({}))
    }

    pub(crate) fn cancelled() -> Self {
        let message = PluginError::Cancelled.to_string();
        Self::new(("cancelled", -34004), message, json!({}))
    }

    pub(crate) fn too_large(measured: usize, limit: usize) -> Self {
        let message = format!(
            "Cannot return the result: it is {measured} bytes of JSON, at most {limit} bytes are allowed"
        );
        let details = json!({"limit": limit, "measured": measured});
        Self::new(("payload_too_large", -34006), message, details)
    }

    pub(crate) fn unknown_method(method: &str) -> Self {
        let message = format!("Cannot call \"{method}\": the runner has no such method");
        Self::new(("METHOD_NOT_FOUND", -32601), message, json!({}))
    }

    pub(crate) fn version(found: &Value, spoken: &str) -> Self {
        let message = format!(
            "Cannot serve protocol {found}: this runner speaks {spoken}. Build the plugin against a phantom_ml_core of the daemon's version"
        );
        Self::new(("VERSION_UNSUPPORTED", -33055), message, json!({}))
    }

    fn new((name, code): (&'static str, i64), message: impl Into<String>, details: Value) -> Self {
        let message = message.into();
        Self {
            code,
            name,
            message: cut(&message).to_string(),
            details,
        }
    }
}

impl From<PluginError> for WireError {
    fn from(error: PluginError) -> Self {
        let message = error.to_string();
        match error {
            PluginError::Failed(_) | PluginError::Cancelled => Self::fault(message),
            PluginError::InvalidInput(_) => Self::input_invalid(message, "plugin"),
            PluginError::OperationNotFound { known, .. } => Self::new(
                ("operation_not_found", -34003),
                message,
                json!({"operations": known, "nearest": null}),
            ),
            PluginError::OutOfMemory(_) => Self::new(
                ("out_of_memory", -34005),
                message.clone(),
                json!({"name": "Error", "message": message}),
            ),
            PluginError::Denied {
                permission,
                resource,
                ..
            } => Self::new(
                ("access_denied", -34007),
                message,
                json!({"permission": permission, "resource": resource}),
            ),
            PluginError::MessageRefused { code, .. } => {
                let details = json!({"name": "PhantomError", "message": message, "code": code});
                Self::new(("fault", -34001), message, details)
            }
            PluginError::System {
                code,
                path,
                syscall,
                ..
            } => {
                let kind = if code == "ENOMEM" {
                    ("out_of_memory", -34005)
                } else {
                    ("fault", -34001)
                };
                let details = json!({"name": "Error", "message": message, "code": code, "path": path, "syscall": syscall});
                Self::new(kind, message, details)
            }
        }
    }
}

/// An answer as it goes out.
pub(crate) fn answer(id: u64, reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Payload(payload) => {
            let length = payload.len();
            let line = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":null,\"payload_bytes\":{length}}}\n"
            );
            let mut frame = Vec::with_capacity(line.len() + length);
            frame.extend_from_slice(line.as_bytes());
            frame.extend_from_slice(&payload);
            frame
        }
        Reply::Result(result) => line(&json!({"jsonrpc": "2.0", "id": id, "result": result})),
        Reply::Error(error) => line(&json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": {
                "code": error.code,
                "message": error.message,
                "data": {"name": error.name, "details": error.details},
            },
        })),
    }
}

/// A request with JSON behind it as it goes out.
pub(crate) fn request(id: u64, method: &str, params: &Value, payload: Option<&[u8]>) -> Vec<u8> {
    let announced = payload.map_or(String::new(), |payload| {
        format!(",\"payload_bytes\":{}", payload.len())
    });
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}{announced}}}\n"
    );
    let mut frame = line.into_bytes();
    frame.extend_from_slice(payload.unwrap_or_default());
    frame
}

/// A message without a payload as it goes out.
pub(crate) fn line(message: &Value) -> Vec<u8> {
    let mut text = message.to_string().into_bytes();
    text.push(b'\n');
    text
}

/// Of what the daemon answered to `send_message`.
pub(crate) fn message_id_of(sent: &Value) -> String {
    sent["message_id"].as_str().unwrap_or("").to_string()
}

/// What names a call: the prefix and its request's id to base 36.
pub(crate) fn execution_id(prefix: &str, mut id: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = std::char::from_digit((id % 36) as u32, 36);
        digits.push(digit.unwrap_or('0'));
        id /= 36;
        if id == 0 {
            break;
        }
    }
    let mut text = prefix.to_string();
    text.extend(digits.iter().rev());
    text
}

/// At most what the daemon keeps of a text.
pub(crate) fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_TEXT_CHARS) {
        Some((end, _)) if text.len() > MAX_TEXT_CHARS => &text[..end],
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_calls_to_base_36() {
        assert_eq!(execution_id("0f-", 0), "0f-0");
        assert_eq!(execution_id("0f-", 35), "0f-z");
        assert_eq!(execution_id("0f-", 36 * 36 + 11), "0f-10b");
    }

    #[test]
    fn cuts_texts_between_characters() {
        let long = "é".repeat(MAX_TEXT_CHARS + 1);
        assert_eq!(cut(&long).chars().count(), MAX_TEXT_CHARS);
        assert_eq!(cut("short"), "short");
    }
}
