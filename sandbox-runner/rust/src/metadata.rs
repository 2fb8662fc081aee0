use serde_json::{json, Value};

/// Who a plugin is, from its `plugin.toml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginMetadata {
    /// `plugin.id`
    pub id: String,
    /// `plugin.name`
    pub name: String,
    /// `plugin.version`
    pub version: String,
    /// `plugin.description`, empty where there is none.
    pub description: String,
    /// `plugin.author`, empty where there is none.
    pub author: String,
}

impl PluginMetadata {
    /// Of `initialize`; a host of protocol 1.0 sends no more than id and version.
    pub(crate) fn of(params: &Value) -> Self {
        let metadata = &params["metadata"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        let or = |value: String, other: &Value| if value.is_empty() { text(other) } else { value };
        let id = or(text(&metadata["id"]), &params["plugin_id"]);
        Self {
            name: or(text(&metadata["name"]), &json!(id)),
            version: or(text(&metadata["version"]), &params["plugin_version"]),
            description: text(&metadata["description"]),
            author: text(&metadata["author"]),
            id,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "author": self.author,
        })
    }
}

/// What every plugin has. Keep one in a field `base` and write `impl_plugin_base!(MyPlugin)`.
#[derive(Debug, Clone, Default)]
pub struct BasePlugin {
    /// Who it is.
    pub metadata: PluginMetadata,
    /// The configuration it was started with; `input.context.config` of an operation has the newest one.
    pub config: Value,
}

impl BasePlugin {
    /// Before `initialize`, so without a configuration.
    pub fn new(metadata: PluginMetadata) -> Self {
        Self {
            metadata,
            config: Value::Null,
        }
    }
}

/// Where a plugin keeps its [`BasePlugin`]. Written by [`impl_plugin_base!`](crate::impl_plugin_base).
pub trait PluginBase {
    /// To read it.
    fn base(&self) -> &BasePlugin;
    /// To change it.
    fn base_mut(&mut self) -> &mut BasePlugin;
}

/// Says where a plugin keeps its [`BasePlugin`]: in its field `base`, or in the one that is named.
///
/// ```
/// use phantom_ml_core::plugins::*;
/// struct Counter { about: BasePlugin }
/// impl_plugin_base!(Counter, about);
/// ```
#[macro_export]
macro_rules! impl_plugin_base {
    ($plugin:ty) => {
        $crate::impl_plugin_base!($plugin, base);
    };
    ($plugin:ty, $field:ident) => {
        impl $crate::plugins::PluginBase for $plugin {
            fn base(&self) -> &$crate::plugins::BasePlugin {
                &self.$field
            }
            fn base_mut(&mut self) -> &mut $crate::plugins::BasePlugin {
                &mut self.$field
            }
        }
    };
}
