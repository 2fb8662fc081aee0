use serde_json::{json, Value};

/// What a plugin can do, for those who choose among plugins (`get_plugin_info` shows it).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PluginCapability {
    /// Turns data into other data.
    DataProcessing {
        /// `json`, `csv`, …
        input_formats: Vec<String>,
        /// `json`, `csv`, …
        output_formats: Vec<String>,
    },
    /// Reads logs and says what stands in them.
    LogAnalysis {
        /// `json`, `syslog`, …
        log_formats: Vec<String>,
    },
    /// Looks for what should not be there.
    SecurityScanning {
        /// `secrets`, `dependencies`, …
        checks: Vec<String>,
    },
    /// Does a part of an agent's work.
    Agent {
        /// The kinds of agents that it works for.
        agent_types: Vec<String>,
    },
    /// Takes messages of other plugins.
    Messaging {
        /// The kinds of messages.
        message_types: Vec<String>,
    },
    /// Anything else.
    Custom {
        /// What it is called.
        name: String,
        /// What there is to know of it.
        details: Value,
    },
}

impl PluginCapability {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::DataProcessing {
                input_formats,
                output_formats,
            } => {
                json!({"kind": "data_processing", "input_formats": input_formats, "output_formats": output_formats})
            }
            Self::LogAnalysis { log_formats } => {
                json!({"kind": "log_analysis", "log_formats": log_formats})
            }
            Self::SecurityScanning { checks } => {
                json!({"kind": "security_scanning", "checks": checks})
            }
            Self::Agent { agent_types } => json!({"kind": "agent", "agent_types": agent_types}),
            Self::Messaging { message_types } => {
                json!({"kind": "messaging", "message_types": message_types})
            }
            Self::Custom { name, details } => {
                json!({"kind": "custom", "name": name, "details": details})
            }
        }
    }
}
