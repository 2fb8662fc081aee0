//! `use phantom_ml_core::plugins::*;` brings everything that a plugin needs into scope.

pub use std::collections::HashMap;
pub use std::time::Duration;

pub use async_trait::async_trait;
pub use serde_json;

pub use crate::block_on::block_on;
pub use crate::capability::PluginCapability;
pub use crate::context::{PluginContext, PluginExecutionContext};
pub use crate::error::{PluginError, PluginResult};
pub use crate::execution::{AgentContext, PluginExecutionInput, PluginExecutionResult};
pub use crate::fetch::{HttpRequest, HttpResponse};
pub use crate::health::{HealthStatus, PluginHealth};
pub use crate::log::{LogLevel, Logger};
pub use crate::message::{MessageOrigin, PluginMessage};
pub use crate::metadata::{BasePlugin, PluginBase, PluginMetadata};
pub use crate::plugin::{AgentPlugin, Plugin};
pub use crate::{export_wasm_plugin, impl_plugin_base, plugin_main};
