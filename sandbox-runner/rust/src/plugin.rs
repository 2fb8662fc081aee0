use async_trait::async_trait;
use serde_json::Value;

use crate::capability::PluginCapability;
use crate::context::PluginContext;
use crate::error::{PluginError, PluginResult};
use crate::execution::{AgentContext, PluginExecutionInput, PluginExecutionResult};
use crate::health::PluginHealth;
use crate::message::PluginMessage;
use crate::metadata::{PluginBase, PluginMetadata};

/// A plugin. [`execute`](Plugin::execute) is all that must be written; every other method has a default.
///
/// One thread runs them all, and takes another call, a hook or a ping when the one that runs waits (`.await`). Code that
/// blocks is right where the manifest leaves `runtime.concurrency` at 1; calls beside one another must wait by
/// `.await`, or start threads of their own.
#[async_trait]
pub trait Plugin: PluginBase + Send + Sync + 'static {
    /// Who it is; as `plugin.toml` says, unless overridden.
    fn metadata(&self) -> &PluginMetadata {
        &self.base().metadata
    }

    /// The operations that it has. Where it names them, a `plugin.toml` that declares another does not start, and a call
    /// of another is answered for it. Where it names none, `execute` gets whatever `plugin.toml` declares, and any name
    /// where that declares none.
    fn operations(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Runs once, before the first call. An error fails the start with its words.
    async fn initialize(&mut self, _context: PluginContext) -> PluginResult<()> {
        Ok(())
    }

    /// Runs an operation: `input.context.operation` says which.
    async fn execute(&self, input: PluginExecutionInput) -> PluginResult<PluginExecutionResult>;

    /// The types of messages that it takes. A `plugin.toml` that declares another does not start; what it does not
    /// declare never comes.
    fn messages(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Takes a message. An error is a line of the plugin's log: the sender hears of nothing.
    async fn on_message(&self, message: PluginMessage) -> PluginResult<()> {
        let kind = message.message_type;
        Err(PluginError::failed(format!(
            "Cannot take \"{kind}\": the plugin has no on_message()"
        )))
    }

    /// Runs once, after the last call.
    async fn shutdown(&mut self) -> PluginResult<()> {
        Ok(())
    }

    /// An error is a veto: the start, or the change of the configuration, is refused with its words. Runs before
    /// `initialize`, and before each new configuration.
    async fn validate_config(&self, _config: &Value) -> PluginResult<()> {
        Ok(())
    }

    /// Takes a new configuration while calls run, and answers whether it did: otherwise, and by an error, a new
    /// process starts with it. Calls see it in `input.context.config` from then on.
    async fn configure(&self, _config: &Value) -> PluginResult<bool> {
        Ok(false)
    }

    /// Says how it is.
    async fn health(&self) -> PluginHealth {
        PluginHealth::healthy()
    }

    /// Says what it can do; at most 64 KiB of JSON.
    fn capabilities(&self) -> Vec<PluginCapability> {
        Vec::new()
    }

    /// A reload is near: no call comes until [`resume`](Plugin::resume) or the end. Finishes what must be finished.
    async fn quiesce(&self) -> PluginResult<()> {
        Ok(())
    }

    /// The reload came to nothing: calls come again.
    async fn resume(&self) -> PluginResult<()> {
        Ok(())
    }

    /// What the next generation gets as `previous_state` in `initialize`; just under 1 MiB of JSON at most.
    async fn export_state(&self) -> PluginResult<Option<Value>> {
        Ok(None)
    }
}

/// A plugin that also works for agents. Name it to `plugin_main!(MyPlugin::new, agent)`: the operation `execute_agent`
/// is then answered by [`execute_agent`](AgentPlugin::execute_agent), and every other by `execute`.
#[async_trait]
pub trait AgentPlugin: Plugin {
    /// Does an agent's piece of work.
    async fn execute_agent(&self, context: AgentContext) -> PluginResult<PluginExecutionResult>;

    /// The kinds of agents that it works for. They stand among its capabilities.
    fn agent_compatibility(&self) -> Vec<String> {
        Vec::new()
    }
}
