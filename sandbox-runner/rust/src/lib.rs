#![doc = include_str!("../README.md")]
#![deny(missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(target_family = "wasm", allow(clippy::missing_safety_doc))]

mod block_on;
mod capability;
mod context;
mod error;
mod execution;
mod fetch;
mod frame;
mod guard;
mod health;
mod io_codes;
mod log;
mod maker;
mod message;
mod metadata;
mod plugin;
pub mod plugins;
mod report;
mod session;
mod wire;

#[cfg(not(target_family = "wasm"))]
#[path = "native/mod.rs"]
mod runtime;
#[cfg(target_family = "wasm")]
#[path = "wasm/mod.rs"]
mod runtime;

/// What the macros of this crate expand to. No part of its interface.
#[doc(hidden)]
pub mod entry {
    pub use crate::maker::Maker;
    pub use crate::runtime::*;
}

/// Writes the `main` of a native plugin: `plugin_main!(MyPlugin::new);`, or `plugin_main!(MyPlugin::new, agent);` for an
/// [`AgentPlugin`](plugins::AgentPlugin). It takes anything that makes a plugin of its
/// [`PluginMetadata`](plugins::PluginMetadata). In a WebAssembly build it writes an empty `main`.
///
/// A panic inside an operation is its call's failure, as long as panics unwind: leave `panic = "abort"` out of
/// `Cargo.toml`.
#[macro_export]
macro_rules! plugin_main {
    ($make:expr) => {
        $crate::plugin_main!(@ $crate::entry::Maker::plugin($make));
    };
    ($make:expr, agent) => {
        $crate::plugin_main!(@ $crate::entry::Maker::agent($make));
    };
    (@ $maker:expr) => {
        fn main() {
            #[cfg(not(target_family = "wasm"))]
            $crate::entry::serve($maker)
        }
    };
}

/// Exports a plugin from a WebAssembly module: `export_wasm_plugin!(MyPlugin::new);`, or with `, agent` for an
/// [`AgentPlugin`](plugins::AgentPlugin). It belongs into the library (`crate-type = ["cdylib", "rlib"]`) and writes
/// nothing in a native build, so one source makes both.
#[macro_export]
macro_rules! export_wasm_plugin {
    ($make:expr) => {
        $crate::export_wasm_plugin!(@ $crate::entry::Maker::plugin($make));
    };
    ($make:expr, agent) => {
        $crate::export_wasm_plugin!(@ $crate::entry::Maker::agent($make));
    };
    (@ $maker:expr) => {
        #[cfg(target_family = "wasm")]
        mod phantom_exports {
            #[allow(unused_imports)]
            use super::*;

            #[global_allocator]
            static ALLOCATOR: $crate::entry::Allocator = $crate::entry::Allocator;

            #[no_mangle]
            extern "C" fn phantom_abi_version() -> u32 {
                1
            }

            #[no_mangle]
            extern "C" fn phantom_alloc(length: usize) -> *mut u8 {
                $crate::entry::allocate(length)
            }

            #[no_mangle]
            unsafe extern "C" fn phantom_free(at: *mut u8, length: usize) {
                $crate::entry::free(at, length)
            }

            #[no_mangle]
            unsafe extern "C" fn phantom_handle(at: *const u8, length: usize) -> u64 {
                $crate::entry::handle(at, length, || $maker)
            }
        }
    };
}
