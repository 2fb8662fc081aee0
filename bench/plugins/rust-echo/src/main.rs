//! Answers its input.

use phantom_ml_core::plugins::*;

struct Echo {
    base: BasePlugin,
}

impl Echo {
    fn new(metadata: PluginMetadata) -> Self {
        Self {
            base: BasePlugin::new(metadata),
        }
    }
}

impl_plugin_base!(Echo);

#[async_trait]
impl Plugin for Echo {
    async fn execute(&self, input: PluginExecutionInput) -> PluginResult<PluginExecutionResult> {
        match input.context.operation.as_str() {
            "echo" => Ok(PluginExecutionResult::ok(input.data)),
            other => Err(PluginError::unknown_operation(other, &["echo"])),
        }
    }
}

phantom_ml_core::plugin_main!(Echo::new);
