import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { BUILD_TIMEOUT_MS, CRATE, openCargo, type Cargo } from '../helpers/cargo.ts'
import { resultOf, RunnerDriver } from './runner-driver.ts'

const SPECIFICATION = path.resolve(import.meta.dirname, '../../docs/specification.md')

/** All that a scaffold adds: the name of the crate, and a `main`. */
const CARGO_TOML = `[package]
name = "my_custom_plugin"
version = "1.0.0"
edition = "2021"

[dependencies]
phantom_ml_core = { path = "../${CRATE}" }

[workspace]
`
const MAIN = `phantom_ml_core::plugin_main!(MyCustomPlugin::new);
phantom_ml_core::export_wasm_plugin!(MyCustomPlugin::new);
`

describe("the specification's Rust plugin", () => {
  let cargo: Cargo
  let plugin: RunnerDriver | null = null

  before(async function () {
    cargo = await openCargo(this)
    const folder = path.join(cargo.folder, 'my_custom_plugin')
    fs.mkdirSync(path.join(folder, 'src'), { recursive: true })
    fs.writeFileSync(path.join(folder, 'Cargo.toml'), CARGO_TOML)
    fs.writeFileSync(path.join(folder, 'src/main.rs'), `${sample()}\n${MAIN}`)
  })
  afterEach(() => plugin?.stop())

  it('compiles verbatim and answers as it says', async function () {
    this.timeout(BUILD_TIMEOUT_MS)
    await cargo.run('my_custom_plugin', 'build', '--release', '--quiet')
    plugin = new RunnerDriver({ runner: null, entry: path.join(cargo.built, 'my_custom_plugin') })
    const { capabilities } = resultOf(await plugin.start()) as { capabilities: unknown }
    expect(capabilities).to.deep.equal([
      { kind: 'data_processing', input_formats: ['json'], output_formats: ['json'] },
    ])
    const answer = await plugin.execute('anything', { rows: [1, 2] })
    expect(resultOf(answer)).to.deep.equal({
      message: 'Hello from custom plugin!',
      input_received: { rows: [1, 2] },
    })
  })
})

function sample(): string {
  const [, code] = /```rust\n(.*?)```/s.exec(fs.readFileSync(SPECIFICATION, 'utf8')) ?? []
  if (code === undefined) throw new Error('docs/specification.md has no Rust sample any more')
  return code
}
