use serde_json::{json, Map, Value};

/// How a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works, and something is less than it should be.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// What a plugin says of its health: `{"status": "healthy"}`, the message where there is one, and the details beside.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginHealth {
    /// How it is.
    pub status: HealthStatus,
    /// Why, or what else is to be said; may be empty.
    pub message: String,
    /// Anything more, at most 64 KiB of JSON with the rest.
    pub details: Map<String, Value>,
}

impl PluginHealth {
    /// All is well.
    pub fn healthy() -> Self {
        Self::new(HealthStatus::Healthy, "")
    }

    /// It works, and something is less than it should be.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    /// It does not work.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Unhealthy, message)
    }

    /// Says one thing more.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            details: Map::new(),
        }
    }

    pub(crate) fn into_json(self) -> Value {
        let status = match self.status {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        };
        let mut report = self.details;
        report.insert("status".to_string(), json!(status));
        if !self.message.is_empty() {
            report.insert("message".to_string(), json!(self.message));
        }
        Value::Object(report)
    }
}
