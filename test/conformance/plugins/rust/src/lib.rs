//! The plugin of the conformance suite: what its siblings in other languages do, operation for operation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use phantom_ml_core::plugins::*;
use serde_json::{json, Value};

const OPERATIONS: [&str; 16] = [
    "echo",
    "word_count",
    "read_file",
    "write_file",
    "fetch_url",
    "read_env",
    "sleep",
    "spin",
    "grow",
    "panic",
    "log",
    "report_progress",
    "wait_for_cancel",
    "count",
    "send",
    "noted",
];
const CHUNK_BYTES: usize = 1 << 20;

pub struct Conformance {
    base: BasePlugin,
    count: AtomicU64,
    noted: Mutex<Value>,
}

impl Conformance {
    pub fn new(metadata: PluginMetadata) -> Self {
        Self {
            base: BasePlugin::new(metadata),
            count: AtomicU64::new(0),
            noted: Mutex::new(json!({"count": 0, "last": null})),
        }
    }
}

impl_plugin_base!(Conformance);
export_wasm_plugin!(Conformance::new);

#[async_trait]
impl Plugin for Conformance {
    fn operations(&self) -> Vec<&str> {
        OPERATIONS.to_vec()
    }

    fn messages(&self) -> Vec<&str> {
        vec!["note"]
    }

    async fn on_message(&self, message: PluginMessage) -> PluginResult<()> {
        if message.payload["text"] == "unlucky" {
            return Err("unlucky is no note".into());
        }
        let origin = message.origin.to_string();
        let last = json!({"sender": message.sender, "origin": origin, "payload": message.payload});
        let mut noted = self.noted.lock().map_err(|error| error.to_string())?;
        let count = noted["count"].as_u64().unwrap_or(0) + 1;
        *noted = json!({"count": count, "last": last});
        Ok(())
    }

    async fn initialize(&mut self, context: PluginContext) -> PluginResult<()> {
        if let Some(state) = &context.previous_state {
            *self.count.get_mut() = state["count"].as_u64().unwrap_or(0);
        }
        Ok(())
    }

    async fn execute(&self, input: PluginExecutionInput) -> PluginResult<PluginExecutionResult> {
        let PluginExecutionInput { data, context } = input;
        let result = match context.operation.as_str() {
            "echo" => data,
            "word_count" => {
                let text = text_of(&data, "text")?;
                json!({"words": text.split_whitespace().count(), "chars": text.chars().count()})
            }
            "read_file" => json!({"text": context.read_text(text_of(&data, "path")?)?}),
            "write_file" => {
                let text = text_of(&data, "text")?;
                context.write_file(text_of(&data, "path")?, text)?;
                json!({"bytes": text.len()})
            }
            "fetch_url" => {
                let response = context.fetch(HttpRequest::get(text_of(&data, "url")?))?;
                json!({"status": response.status, "text": response.text()?})
            }
            "read_env" => json!({"value": context.env(text_of(&data, "name")?)}),
            "sleep" => {
                let duration_ms = data["duration_ms"].as_u64().unwrap_or(0);
                context.sleep(Duration::from_millis(duration_ms)).await?;
                json!({"slept_ms": duration_ms})
            }
            "spin" => spin(),
            "grow" => grow(),
            "panic" => panic!("{}", text_of(&data, "message")?),
            "log" => {
                let level = match text_of(&data, "level")? {
                    "debug" => LogLevel::Debug,
                    "warn" => LogLevel::Warn,
                    "error" => LogLevel::Error,
                    _ => LogLevel::Info,
                };
                context.log().log(level, text_of(&data, "message")?);
                Value::Null
            }
            "report_progress" => {
                let steps = data["steps"].as_u64().unwrap_or(0);
                for step in 1..=steps {
                    let fraction = step as f64 / steps as f64;
                    context.progress(fraction, format!("step {step} of {steps}"));
                }
                json!({ "steps": steps })
            }
            "wait_for_cancel" => loop {
                context.sleep(Duration::from_secs(3600)).await?;
            },
            "count" => json!({"count": self.count.fetch_add(1, Ordering::SeqCst) + 1}),
            "send" => {
                let (recipient, kind) = (text_of(&data, "recipient")?, text_of(&data, "type")?);
                let payload = data["payload"].clone();
                let id = context.send_message(recipient, kind, payload).await?;
                json!({"sent": !id.is_empty()})
            }
            "noted" => {
                let noted = self.noted.lock().map_err(|error| error.to_string())?;
                noted.clone()
            }
            other => return Err(PluginError::unknown_operation(other, &OPERATIONS)),
        };
        Ok(PluginExecutionResult::ok(result))
    }

    async fn validate_config(&self, config: &Value) -> PluginResult<()> {
        match config["depth"].as_f64() {
            Some(depth) if depth > 10.0 => Err("depth must be at most 10".into()),
            _ => Ok(()),
        }
    }

    async fn health(&self) -> PluginHealth {
        PluginHealth::healthy().with("count", self.count.load(Ordering::SeqCst))
    }

    async fn export_state(&self) -> PluginResult<Option<Value>> {
        Ok(Some(json!({"count": self.count.load(Ordering::SeqCst)})))
    }
}

fn text_of<'a>(data: &'a Value, name: &str) -> PluginResult<&'a str> {
    let text = data[name].as_str();
    text.ok_or_else(|| PluginError::invalid_input(format!("input.{name}: must be string")))
}

fn spin() -> Value {
    loop {
        std::hint::spin_loop();
    }
}

fn grow() -> Value {
    let mut chunks = Vec::new();
    loop {
        chunks.push(vec![1_u8; CHUNK_BYTES]);
        keep(&chunks);
    }
}

/// Not taken out by the optimiser.
#[inline(never)]
fn keep(chunks: &[Vec<u8>]) {
    if chunks.last().map_or(0, Vec::len) == 1 {
        eprintln!("a chunk of one byte");
    }
}
