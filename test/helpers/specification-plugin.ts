import fs from 'node:fs'
import path from 'node:path'
import { CRATE, type Cargo } from './cargo.ts'

const SPECIFICATION = path.resolve(import.meta.dirname, '../../docs/specification.md')
const PACKAGE = 'my_custom_plugin'

/** All that a scaffold adds to the specification's Rust sample: a package, a `main`, and a line for modules. */
const CARGO_TOML = `[package]
name = "${PACKAGE}"
version = "1.0.0"
edition = "2021"

[lib]
crate-type = ["cdylib", "rlib"]

[[bin]]
name = "main"
path = "src/main.rs"

[dependencies]
phantom_ml_core = { path = "../${CRATE}" }

[workspace]
`
const MAIN = `phantom_ml_core::plugin_main!(${PACKAGE}::MyCustomPlugin::new);\n`
const EXPORT = `phantom_ml_core::export_wasm_plugin!(MyCustomPlugin::new);\n`
const WASM_TARGET = 'wasm32-unknown-unknown'

/** Builds the plugin as it stands in the specification; its folder, ready to be a plugin's. */
export async function buildSpecificationPlugin(cargo: Cargo): Promise<string> {
  writeSpecificationPlugin(cargo)
  await cargo.run(PACKAGE, 'build', '--release', '--quiet')
  cargo.write(`built/${PACKAGE}/plugin.toml`, sampleOf('toml', `id = "${PACKAGE}"`))
  const built = path.join(cargo.folder, 'built', PACKAGE)
  fs.copyFileSync(path.join(cargo.built, 'main'), path.join(built, 'main'))
  return built
}

/** The same as a module. */
export async function buildSpecificationModule(cargo: Cargo): Promise<Buffer> {
  writeSpecificationPlugin(cargo)
  await cargo.run(PACKAGE, 'build', '--release', '--quiet', '--lib', '--target', WASM_TARGET)
  return fs.readFileSync(path.join(cargo.built, '..', WASM_TARGET, `release/${PACKAGE}.wasm`))
}

function writeSpecificationPlugin(cargo: Cargo): void {
  cargo.write(`${PACKAGE}/Cargo.toml`, CARGO_TOML)
  cargo.write(`${PACKAGE}/src/main.rs`, MAIN)
  cargo.write(`${PACKAGE}/src/lib.rs`, `${sampleOf('rust', 'impl Plugin for')}\n${EXPORT}`)
}

function sampleOf(language: string, words: string): string {
  const samples = fs.readFileSync(SPECIFICATION, 'utf8').matchAll(/```(\w+)\n(.*?)```/gs)
  for (const [, found, text = ''] of samples) if (found === language && text.includes(words)) return text
  throw new Error(`docs/specification.md has no sample in ${language} with "${words}" any more`)
}
