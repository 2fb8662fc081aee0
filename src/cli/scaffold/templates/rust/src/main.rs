use phantom_ml_core::plugins::*;

pub struct Greeter {
    base: BasePlugin,
}

impl Greeter {
    pub fn new(metadata: PluginMetadata) -> Self {
        Self {
            base: BasePlugin::new(metadata),
        }
    }
}

impl_plugin_base!(Greeter);

#[async_trait]
impl Plugin for Greeter {
    async fn execute(&self, input: PluginExecutionInput) -> PluginResult<PluginExecutionResult> {
        match input.context.operation.as_str() {
            "greet" => {
                let name = input.data["name"].as_str().unwrap_or("you");
                input.context.log().info(format!("greeting {name}"));
                Ok(PluginExecutionResult::ok(serde_json::json!({
                    "message": format!("Hello, {name}!"),
                })))
            }
            other => Err(PluginError::unknown_operation(other, &["greet"])),
        }
    }
}

plugin_main!(Greeter::new);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greets_by_name() {
        let input = PluginExecutionInput::detached("greet", serde_json::json!({"name": "Ada"}));
        let answer = block_on(Greeter::new(PluginMetadata::default()).execute(input)).unwrap();
        assert_eq!(answer.result, Some(serde_json::json!({"message": "Hello, Ada!"})));
    }
}
