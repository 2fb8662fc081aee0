use serde_json::Value;

/// More than any host sends.
const MAX_PAYLOAD_BYTES: u64 = 1 << 40;

/// A message of the host.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame {
    /// Absent in a notification.
    pub(crate) id: Option<u64>,
    /// Empty in an answer.
    pub(crate) method: String,
    /// Of an answer the whole of it.
    pub(crate) params: Value,
    pub(crate) payload: Option<Vec<u8>>,
}

impl Frame {
    /// Of one line; with the length of the payload that it announces.
    pub(crate) fn of_line(line: &[u8]) -> Result<(Self, Option<u64>), String> {
        let mut message: Value =
            serde_json::from_slice(line).map_err(|error| format!("a line is no JSON: {error}"))?;
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        let method = match message["method"].as_str() {
            Some(method) => method.to_string(),
            None if is_answer => String::new(),
            None => return Err("a message has no method".to_string()),
        };
        let payload_bytes = match message.get("payload_bytes").map(Value::as_u64) {
            None => None,
            Some(Some(bytes)) if bytes <= MAX_PAYLOAD_BYTES => Some(bytes),
            Some(_) => return Err("payload_bytes is no length".to_string()),
        };
        let frame = Self {
            id: message["id"].as_u64(),
            params: if method.is_empty() {
                message
            } else {
                message["params"].take()
            },
            method,
            payload: None,
        };
        Ok((frame, payload_bytes))
    }
}
