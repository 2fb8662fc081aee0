use crate::error::PluginResult;
use crate::execution::{AgentContext, PluginExecutionResult};
use crate::metadata::PluginMetadata;
use crate::plugin::{AgentPlugin, Plugin};
use crate::session::BoxFuture;

/// How a plugin comes to be, and whether it works for agents.
pub struct Maker<P> {
    pub(crate) make: Box<dyn Fn(PluginMetadata) -> P + Send>,
    pub(crate) agent: Option<Agent<P>>,
}

pub(crate) struct Agent<P> {
    pub(crate) execute:
        for<'a> fn(&'a P, AgentContext) -> BoxFuture<'a, PluginResult<PluginExecutionResult>>,
    pub(crate) types: fn(&P) -> Vec<String>,
}

impl<P> Clone for Agent<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Agent<P> {}

impl<P: Plugin> Maker<P> {
    /// Of a plugin.
    pub fn plugin(make: impl Fn(PluginMetadata) -> P + Send + 'static) -> Self {
        Self {
            make: Box::new(make),
            agent: None,
        }
    }
}

impl<P: AgentPlugin> Maker<P> {
    /// Of one that works for agents.
    pub fn agent(make: impl Fn(PluginMetadata) -> P + Send + 'static) -> Self {
        Self {
            make: Box::new(make),
            agent: Some(Agent {
                execute: |plugin, context| plugin.execute_agent(context),
                types: |plugin| plugin.agent_compatibility(),
            }),
        }
    }
}
