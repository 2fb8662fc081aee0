use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{json, Value};

use super::call::Call;
use super::host::Host;
use crate::block_on::block_on;
use crate::maker::Maker;
use crate::plugins::*;
use crate::session::Session;
use crate::wire::{answer, Reply};

struct Sample {
    base: BasePlugin,
}

impl_plugin_base!(Sample);

impl Sample {
    fn new(metadata: PluginMetadata) -> Self {
        let base = BasePlugin::new(metadata);
        Self { base }
    }
}

#[async_trait]
impl Plugin for Sample {
    fn messages(&self) -> Vec<&str> {
        vec!["note", "never"]
    }

    async fn on_message(&self, message: PluginMessage) -> PluginResult<()> {
        let (sender, origin) = (&message.sender, message.origin);
        match message.payload.as_str() {
            Some("bad") => Err("not that".into()),
            payload => {
                Err(format!("{payload:?} of {origin} {sender}, {}", message.message_id).into())
            }
        }
    }

    async fn execute(&self, input: PluginExecutionInput) -> PluginResult<PluginExecutionResult> {
        let PluginExecutionInput { context, data } = input;
        match context.operation.as_str() {
            "config" => Ok(PluginExecutionResult::ok((*context.config).clone())),
            "started_with" => Ok(PluginExecutionResult::ok(self.base.config.clone())),
            "tells" => Ok(PluginExecutionResult {
                warnings: vec!["careful".to_string()],
                logs: vec!["done".to_string()],
                execution_time_ms: 999,
                ..PluginExecutionResult::failed("in vain")
            }),
            "cancelled" => Err(PluginError::Cancelled),
            "memory" => Err(PluginError::OutOfMemory("no room".to_string())),
            "denied" => Err(PluginError::denied("Net", "a.example:80")),
            other => Err(format!("no {other} of {data}").into()),
        }
    }

    async fn configure(&self, config: &Value) -> PluginResult<bool> {
        match config["refuse"].as_bool() {
            Some(true) => Err("not that one".into()),
            _ => Ok(config["take"] == json!(true)),
        }
    }

    async fn export_state(&self) -> PluginResult<Option<Value>> {
        match self.base.config["state_bytes"].as_u64() {
            Some(bytes) => Ok(Some(json!("x".repeat(bytes as usize)))),
            None => Ok(None),
        }
    }

    fn capabilities(&self) -> Vec<PluginCapability> {
        let details = json!("x".repeat(70_000));
        let name = "large".to_string();
        vec![PluginCapability::Custom { name, details }]
    }
}

#[async_trait]
impl AgentPlugin for Sample {
    async fn execute_agent(&self, context: AgentContext) -> PluginResult<PluginExecutionResult> {
        let AgentContext {
            project_path,
            target_files,
            dry_run,
            call,
            ..
        } = context;
        let seen = json!({"path": project_path, "files": target_files, "dry": dry_run, "operation": call.operation});
        Ok(PluginExecutionResult::ok(seen))
    }

    fn agent_compatibility(&self) -> Vec<String> {
        vec!["reviewer".to_string()]
    }
}

/// A started plugin, and what it told the daemon.
struct Started {
    session: Session<Sample>,
    introduction: Value,
    host: Arc<Host>,
    told: BufReader<UnixStream>,
}

fn start(maker: Maker<Sample>, config: Value) -> Started {
    let (daemon, own) = UnixStream::pair().unwrap();
    daemon
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let host = Host::attached(own);
    let messages = json!([{"name": "note"}]);
    let params = json!({"protocol_version": "1.2", "plugin_id": "sample", "config": config, "messages": messages});
    let started = Session::start(Arc::new(Mutex::new(maker)), params, host.clone());
    let (session, introduction) = block_on(started).unwrap_or_else(|_| panic!("it did not start"));
    Started {
        session,
        introduction,
        host,
        told: BufReader::new(daemon),
    }
}

impl Started {
    fn execute(&self, operation: &str, input: Value) -> Value {
        let call = Arc::new(Call::new(
            7,
            self.host.clone(),
            &json!({"timeout_ms": 1000}),
        ));
        let payload = Some(input.to_string().into_bytes());
        let params = json!({ "operation": operation });
        read(block_on(self.session.execute(&params, payload, call)))
    }

    fn message(&self, params: Value, payload: Option<&str>) -> Value {
        let call = Arc::new(Call::new(7, self.host.clone(), &params));
        let payload = payload.map(|text| text.as_bytes().to_vec());
        read(block_on(self.session.message(&params, payload, call)))
    }

    fn hook(&self, method: &str, params: Value) -> Value {
        read(block_on(self.session.hook(method, &params).unwrap()))
    }

    fn told(&mut self) -> Vec<Value> {
        let lines = self.told.by_ref().lines().map_while(Result::ok);
        lines
            .map(|line| serde_json::from_str::<Value>(&line).unwrap()["params"].take())
            .collect()
    }
}

/// The result with its payload in its place, or the error.
fn read(reply: Reply) -> Value {
    let frame = answer(1, reply);
    let end = frame.iter().position(|byte| *byte == b'\n').unwrap();
    let mut message: Value = serde_json::from_slice(&frame[..end]).unwrap();
    if frame.len() > end + 1 {
        return serde_json::from_slice(&frame[end + 1..]).unwrap();
    }
    let error = message["error"].take();
    if error.is_null() {
        message["result"].take()
    } else {
        error
    }
}

#[test]
fn tells_what_stands_in_a_result_beside_it_and_measures_nothing() {
    let mut started = start(Maker::plugin(Sample::new), json!({}));
    let error = started.execute("tells", Value::Null);
    assert_eq!(error["code"], -34001);
    assert_eq!(error["message"], "in vain");
    let told = started.told();
    let of_call = |level: &str, message: &str| json!({"level": level, "message": message, "execution_id": "7"});
    assert!(told[0]["message"]
        .as_str()
        .unwrap()
        .starts_with("What capabilities() says is not passed on: it is 7"));
    assert_eq!(
        told[1..],
        [of_call("warn", "careful"), of_call("info", "done")]
    );
    assert!(started.introduction.get("capabilities").is_none());
}

#[test]
fn names_each_failure_as_the_contract_does() {
    let started = start(Maker::plugin(Sample::new), json!({}));
    let named = |operation: &str| {
        let error = started.execute(operation, json!(1));
        (
            error["code"].as_i64().unwrap(),
            error["data"]["name"].as_str().unwrap().to_string(),
        )
    };
    assert_eq!(named("memory"), (-34005, "out_of_memory".to_string()));
    assert_eq!(named("denied"), (-34007, "access_denied".to_string()));
    // Nobody cancelled it.
    assert_eq!(named("cancelled"), (-34001, "fault".to_string()));
    assert_eq!(started.execute("luck", json!(1))["message"], "no luck of 1");
}

#[test]
fn takes_the_messages_that_the_manifest_declares() {
    let started = start(Maker::plugin(Sample::new), json!({}));
    assert_eq!(started.introduction["messages"], json!(["note"]));
    let of = |kind: &str, origin: &str| json!({"type": kind, "sender": "a", "origin": origin, "message_id": "m-1"});
    let words = |answer: Value| answer["message"].as_str().unwrap().to_string();
    let taken = started.message(of("note", "plugin"), Some("\"good\""));
    assert_eq!(words(taken), "Some(\"good\") of plugin a, m-1");
    let nothing = started.message(of("note", "forged"), None);
    assert_eq!(words(nothing), "None of application a, m-1");
    let undeclared = started.message(of("never", "plugin"), None);
    assert_eq!(undeclared["code"], -34003);
    let garbage = started.message(of("note", "plugin"), Some("{"));
    assert_eq!(garbage["code"], -34002);
}

#[test]
fn does_not_start_where_the_manifest_declares_a_message_that_the_code_lacks() {
    let params = json!({"protocol_version": "1.2", "config": {}, "messages": [{"name": "other"}]});
    let maker = Arc::new(Mutex::new(Maker::plugin(Sample::new)));
    let refused = block_on(Session::start(maker, params, Host::detached()));
    let error = read(Reply::Error(refused.err().unwrap()));
    let words = error["message"].as_str().unwrap();
    assert!(words.starts_with(
        "plugin.toml declares messages that the code lacks: \"other\". The code has note, never."
    ));
    assert_eq!(error["data"]["details"]["deterministic"], true);
}

#[test]
fn serves_agents_where_it_was_said() {
    let input = json!({"project_path": "/p", "target_files": ["*.rs"], "dry_run": true});
    let plain = start(Maker::plugin(Sample::new), json!({}));
    assert_eq!(
        plain.execute("execute_agent", input.clone())["code"],
        -34001
    );
    let agent = start(Maker::agent(Sample::new), json!({}));
    let expected =
        json!({"path": "/p", "files": ["*.rs"], "dry": true, "operation": "execute_agent"});
    assert_eq!(agent.execute("execute_agent", input), expected);
}

#[test]
fn takes_a_configuration_when_its_hook_did() {
    let before = json!({"a": 1, "verbose": false});
    let started = start(Maker::plugin(Sample::new), before.clone());
    let configure =
        |config: Value| started.hook("configure", json!({"config": config, "log_level": "warn"}));
    assert_eq!(
        configure(json!({"a": 2, "verbose": true})),
        json!({"applied": false})
    );
    assert_eq!(
        started.execute("config", Value::Null),
        json!({"a": 1, "verbose": true})
    );
    assert_eq!(
        configure(json!({"a": 3, "refuse": true}))["message"],
        "not that one"
    );
    assert_eq!(started.execute("config", Value::Null), json!({"a": 1}));
    assert_eq!(
        configure(json!({"a": 4, "take": true})),
        json!({"applied": true})
    );
    assert_eq!(
        started.execute("config", Value::Null),
        json!({"a": 4, "take": true})
    );
    assert_eq!(started.execute("started_with", Value::Null), before);
}

#[test]
fn hands_over_a_state_that_fits_into_a_line() {
    let state_of =
        |config: Value| start(Maker::plugin(Sample::new), config).hook("export_state", json!({}));
    assert_eq!(state_of(json!({})), json!({}));
    assert_eq!(state_of(json!({"state_bytes": 3})), json!({"state": "xxx"}));
    let error = state_of(json!({"state_bytes": 1 << 20}));
    let expected = "Cannot hand over what export_state() returned: it is 1048578 bytes of JSON, at most 1047552 are allowed. Return JSON of at most 1047552 bytes";
    assert_eq!(error["message"], expected);
}
