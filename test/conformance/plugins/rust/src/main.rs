phantom_ml_core::plugin_main!(conformance::Conformance::new);
