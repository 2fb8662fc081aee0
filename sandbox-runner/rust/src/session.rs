//! A started plugin, and what the messages of contract Runner mean to it: the same for a process and a module.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::{json, Map, Value};

use crate::capability::PluginCapability;
use crate::context::{PluginContext, PluginExecutionContext, Surroundings};
use crate::error::{PluginError, PluginResult};
use crate::execution::{AgentContext, PluginExecutionInput};
use crate::guard::{guarded, Guarded};
use crate::log::{LogLevel, Logger};
use crate::maker::{Agent, Maker};
use crate::message::{MessageOrigin, PluginMessage};
use crate::metadata::PluginMetadata;
use crate::plugin::Plugin;
use crate::report::{messages_of, operations_of, reply_of, with_common_keys, within};
use crate::runtime::{Call, Host};
use crate::wire::{Reply, WireError};

pub(crate) const PROTOCOL_VERSION: &str = "1.2";
const AGENT_OPERATION: &str = "execute_agent";
const MAX_REPORT_BYTES: usize = 64 * 1024;
/// The answer is one line of 1 MiB, with the envelope around the state.
const MAX_STATE_BYTES: usize = 1024 * 1024 - 1024;
const HOOKS: [&str; 6] = [
    "health",
    "validate_config",
    "configure",
    "quiesce",
    "resume",
    "export_state",
];

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(crate) struct Session<P> {
    plugin: Arc<P>,
    agent: Option<Agent<P>>,
    surroundings: Arc<Surroundings>,
    config: Arc<Mutex<Arc<Value>>>,
    /// Those that may be called; empty where any name may be.
    operations: Vec<String>,
    /// Those that may come.
    messages: Vec<String>,
    host: Arc<Host>,
}

impl<P: Plugin> Session<P> {
    /// Whether this crate can serve a host of that version.
    pub(crate) fn check_version(params: &Value) -> Result<(), WireError> {
        let found = &params["protocol_version"];
        let major = |version: &str| version.split('.').next().map(str::to_string);
        if found.as_str().and_then(major) == major(PROTOCOL_VERSION) {
            return Ok(());
        }
        Err(WireError::version(found, PROTOCOL_VERSION))
    }

    /// Makes the plugin and runs `validate_config` and `initialize`; with the answer.
    pub(crate) async fn start(
        maker: Arc<Mutex<Maker<P>>>,
        params: Value,
        host: Arc<Host>,
    ) -> Result<(Self, Value), WireError> {
        let text = |name: &str| params[name].as_str().unwrap_or("").to_string();
        let number = |name: &str| params[name].as_u64();
        host.set_level(LogLevel::of(&text("log_level")));
        host.set_prefix(text("execution_id_prefix"));
        let metadata = PluginMetadata::of(&params);
        let config = params["config"].clone();
        let (mut plugin, agent) = {
            let maker = maker
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            (guarded(|| (maker.make)(metadata))?, maker.agent)
        };
        let operations = guarded(|| operations_of(&plugin.operations(), &params))??;
        let messages = guarded(|| messages_of(&plugin.messages(), &params))??;
        plugin.base_mut().config = config.clone();
        if let Some(veto) = veto_of(&plugin, &config).await {
            let message = format!("its validate_config() refused the configuration: {veto}");
            return Err(WireError::deterministic(message));
        }
        let surroundings = Arc::new(Surroundings {
            plugin_id: text("plugin_id"),
            data_dir: text("data_dir"),
            workspace: text("workspace"),
            generation: number("generation").unwrap_or(0),
            max_payload_bytes: number("max_payload_bytes")
                .map_or(usize::MAX, |limit| limit as usize),
        });
        let context = PluginContext {
            plugin_id: text("plugin_id"),
            config: config.clone(),
            data_dir: text("data_dir"),
            workspace: text("workspace"),
            generation: surroundings.generation,
            previous_state: params.get("previous_state").cloned(),
            log: Logger::new(host.clone(), None),
        };
        Guarded(plugin.initialize(context)).await??;
        let session = Self {
            plugin: Arc::new(plugin),
            agent,
            surroundings,
            config: Arc::new(Mutex::new(Arc::new(config))),
            operations,
            messages,
            host,
        };
        let answer = session.introduction()?;
        Ok((session, answer))
    }

    fn introduction(&self) -> Result<Value, WireError> {
        let mut answer = Map::new();
        answer.insert("protocol_version".to_string(), json!(PROTOCOL_VERSION));
        answer.insert("operations".to_string(), json!(self.operations));
        answer.insert("hooks".to_string(), json!(HOOKS));
        if !self.messages.is_empty() {
            answer.insert("messages".to_string(), json!(self.messages));
        }
        let metadata = guarded(|| self.plugin.metadata().to_json())?;
        let mut capabilities = guarded(|| self.plugin.capabilities())?;
        if let Some(agent) = &self.agent {
            let agent_types = guarded(|| (agent.types)(&self.plugin))?;
            capabilities.push(PluginCapability::Agent { agent_types });
        }
        let capabilities = capabilities.iter().map(PluginCapability::to_json).collect();
        for (name, report) in [("metadata", metadata), ("capabilities", capabilities)] {
            match within(report, MAX_REPORT_BYTES) {
                Ok(report) => {
                    answer.insert(name.to_string(), report);
                }
                Err(why) => {
                    let message = format!("What {name}() says is not passed on: {why}");
                    self.host.log(LogLevel::Warn, &message, None);
                }
            }
        }
        Ok(Value::Object(answer))
    }

    /// Runs an operation.
    pub(crate) fn execute(
        &self,
        params: &Value,
        payload: Option<Vec<u8>>,
        call: Arc<Call>,
    ) -> BoxFuture<'static, Reply> {
        let input = match self.input_of(params, payload, &call) {
            Ok(input) => input,
            Err(error) => return Box::pin(std::future::ready(Reply::Error(error))),
        };
        let (plugin, agent, max_bytes) = (
            self.plugin.clone(),
            self.agent,
            self.surroundings.max_payload_bytes,
        );
        Box::pin(async move {
            let outcome = match agent {
                Some(agent) if input.context.operation == AGENT_OPERATION => {
                    Guarded((agent.execute)(&plugin, AgentContext::of(input))).await
                }
                _ => Guarded(plugin.execute(input)).await,
            };
            let outcome = outcome.and_then(|outcome| outcome);
            call.report_panic();
            reply_of(outcome, &call, max_bytes).unwrap_or_else(Reply::Error)
        })
    }

    fn input_of(
        &self,
        params: &Value,
        payload: Option<Vec<u8>>,
        call: &Arc<Call>,
    ) -> Result<PluginExecutionInput, WireError> {
        let operation = params["operation"].as_str().unwrap_or("").to_string();
        if !self.operations.is_empty() && !self.operations.contains(&operation) {
            return Err(WireError::unknown_operation(
                operation,
                self.operations.clone(),
            ));
        }
        let data = json_of(payload)?;
        let context = self.context_of(operation, call);
        Ok(PluginExecutionInput { data, context })
    }

    /// Hands a message over: what comes of it is the plugin's affair, but for an error.
    pub(crate) fn message(
        &self,
        params: &Value,
        payload: Option<Vec<u8>>,
        call: Arc<Call>,
    ) -> BoxFuture<'static, Reply> {
        let message = match self.message_of(params, payload, &call) {
            Ok(message) => message,
            Err(error) => return Box::pin(std::future::ready(Reply::Error(error))),
        };
        let plugin = self.plugin.clone();
        Box::pin(async move {
            let outcome = Guarded(plugin.on_message(message)).await;
            call.report_panic();
            match outcome.and_then(|outcome| outcome) {
                Ok(()) => Reply::Result(Value::Null),
                Err(PluginError::Cancelled) if call.is_cancelled() => {
                    Reply::Error(WireError::cancelled())
                }
                Err(error) => Reply::Error(WireError::from(error)),
            }
        })
    }

    fn message_of(
        &self,
        params: &Value,
        payload: Option<Vec<u8>>,
        call: &Arc<Call>,
    ) -> Result<PluginMessage, WireError> {
        let text = |name: &str| params[name].as_str().unwrap_or("").to_string();
        let message_type = text("type");
        if !self.messages.contains(&message_type) {
            return Err(WireError::unknown_message(&message_type));
        }
        Ok(PluginMessage {
            payload: json_of(payload)?,
            context: self.context_of(message_type.clone(), call),
            message_type,
            sender: text("sender"),
            origin: MessageOrigin::of(params["origin"].as_str()),
            message_id: text("message_id"),
        })
    }

    fn context_of(&self, operation: String, call: &Arc<Call>) -> PluginExecutionContext {
        let surroundings = self.surroundings.clone();
        PluginExecutionContext::new(operation, self.config(), surroundings, call.clone())
    }

    fn config(&self) -> Arc<Value> {
        lock(&self.config).clone()
    }

    /// Runs a hook; `None` where the contract has none of that name.
    pub(crate) fn hook(&self, method: &str, params: &Value) -> Option<BoxFuture<'static, Reply>> {
        let plugin = self.plugin.clone();
        let config = params["config"].clone();
        Some(match method {
            "health" => answered(async move {
                let health = Guarded(plugin.health()).await?.into_json();
                let health = within(health, MAX_REPORT_BYTES)?;
                Ok(json!({ "health": health }))
            }),
            "validate_config" => answered(async move {
                let veto = veto_of(&*plugin, &config).await;
                Ok(json!({ "veto": veto }))
            }),
            "configure" => {
                let level = params["log_level"].as_str();
                self.host.set_level(LogLevel::of(level.unwrap_or("info")));
                // What every plugin has acts at once, whatever becomes of the rest.
                let current = self.config.clone();
                let merged = Arc::new(with_common_keys(&self.config(), &config));
                *lock(&current) = merged;
                answered(async move {
                    let applied = Guarded(plugin.configure(&config)).await??;
                    if applied {
                        *lock(&current) = Arc::new(config);
                    }
                    Ok(json!({ "applied": applied }))
                })
            }
            "quiesce" => answered(async move {
                Guarded(plugin.quiesce()).await??;
                Ok(Value::Null)
            }),
            "resume" => answered(async move {
                Guarded(plugin.resume()).await??;
                Ok(Value::Null)
            }),
            "export_state" => answered(async move {
                let state = Guarded(plugin.export_state()).await??;
                let state = match state {
                    None => return Ok(json!({})),
                    Some(state) => within(state, MAX_STATE_BYTES),
                };
                let state = state.map_err(|why| {
                    format!("Cannot hand over what export_state() returned: {why}. Return JSON of at most {MAX_STATE_BYTES} bytes")
                })?;
                Ok(json!({ "state": state }))
            }),
            _ => return None,
        })
    }

    /// Runs `shutdown`, when no call holds the plugin any more.
    pub(crate) async fn leave(self) {
        let Self { plugin, host, .. } = self;
        let mut plugin = match Arc::try_unwrap(plugin) {
            Ok(plugin) => plugin,
            Err(_) => {
                return host.log(
                    LogLevel::Error,
                    "shutdown() did not run: a call still holds the plugin",
                    None,
                )
            }
        };
        let left = Guarded(plugin.shutdown()).await;
        if let Err(error) = left.and_then(|left| left) {
            host.log(
                LogLevel::Error,
                &format!("shutdown() failed: {error}"),
                None,
            );
        }
    }
}

fn json_of(payload: Option<Vec<u8>>) -> Result<Value, WireError> {
    payload.map_or(Ok(Value::Null), |payload| {
        serde_json::from_slice(&payload).map_err(|error| {
            WireError::input_invalid(format!("input: Cannot read JSON: {error}"), "json")
        })
    })
}

fn answered(
    hook: impl Future<Output = PluginResult<Value>> + Send + 'static,
) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match hook.await {
            Ok(result) => Reply::Result(result),
            Err(error) => Reply::Error(WireError::from(error)),
        }
    })
}

async fn veto_of<P: Plugin>(plugin: &P, config: &Value) -> Option<String> {
    let verdict = Guarded(plugin.validate_config(config)).await;
    let veto = verdict.and_then(|verdict| verdict).err()?;
    Some(crate::wire::cut(&veto.to_string()).to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
