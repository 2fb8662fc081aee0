import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { BUILD_TIMEOUT_MS, CRATE, oldestCargo, openCargo, type Cargo } from '../helpers/cargo.ts'
import { refusalOf, TestDaemon } from '../helpers/daemon.ts'
import { samplesOf } from '../helpers/docs-pages.ts'
import { skipBecause } from '../helpers/skip.ts'

const PACKAGE = 'docs/rust-words'

describe('the Rust plugin of docs/writing-plugins.md', function () {
  this.timeout(BUILD_TIMEOUT_MS)
  let cargo: Cargo
  let daemon: TestDaemon | null = null

  before(async function () {
    cargo = await openCargo(this)
    for (const { kind, name, text } of samplesOf('docs/writing-plugins.md')) {
      if (kind === 'file' && name.startsWith('rust-words/')) cargo.write(`docs/${name}`, text)
    }
    // Where npm puts it.
    const installed = path.join(cargo.folder, 'docs/node_modules/@phantom-ml/core/sandbox-runner/rust')
    fs.mkdirSync(path.dirname(installed), { recursive: true })
    fs.rmSync(installed, { force: true })
    fs.symlinkSync(path.join(cargo.folder, CRATE), installed)
  })
  afterEach(async () => {
    await daemon?.stop()
    daemon = null
  })

  it('passes its own test, and runs as a program', async function () {
    await cargo.run(PACKAGE, 'test', '--quiet')
    await cargo.run(PACKAGE, 'build', '--release', '--quiet')
    daemon = await start(manifest(), path.join(cargo.built, 'words'))
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
    await expectToCount(daemon)
  })

  it('runs as a module', async function () {
    const oldest = oldestCargo()
    if (oldest === null)
      return skipBecause.call(this, "Debian's Rust 1.63 is not there: .scripts/rust-toolchain.sh unpacks it")
    const target = 'wasm32-unknown-unknown'
    const older = cargo.with(oldest)
    await older.run(PACKAGE, 'build', '--release', '--lib', '--target', target, '--quiet')
    const module = path.join(older.built, '..', target, 'release/words.wasm')
    const asModule = manifest().replace('"native"', '"wasm"').replace('"words"', '"words.wasm"')
    daemon = await start(asModule, module)
    await expectToCount(daemon)
  })

  function manifest(): string {
    return fs.readFileSync(path.join(cargo.folder, PACKAGE, 'plugin.toml'), 'utf8')
  }
})

async function start(manifest: string, entry: string): Promise<TestDaemon> {
  const daemon = await TestDaemon.start({
    files: { 'plugins/rust_words/plugin.toml': manifest, 'texts/a.txt': 'one two', 'texts/b.txt': 'three' },
    prepare: (world) => fs.copyFileSync(entry, world.path('plugins/rust_words', path.basename(entry))),
  })
  await daemon.approve('rust_words')
  return daemon
}

async function expectToCount(daemon: TestDaemon): Promise<void> {
  expect((await daemon.call('rust_words', 'count', { text: 'two words' })).result).to.equal(2)
  const files = ['texts/a.txt', 'texts/b.txt']
  const { result, logs } = await daemon.call('rust_words', 'count_files', { files })
  expect(result).to.equal(3)
  expect(logs).to.deep.equal(['info: 3 words in 2 files'])
  const denied = await refusalOf(daemon.call('rust_words', 'count_files', { files: ['/etc/hostname'] }))
  expect(denied.details['missing']).to.deep.equal(['fs_read:/etc/hostname'])
  const wrong = await refusalOf(daemon.call('rust_words', 'count_files', {}))
  expect([wrong.code, wrong.message.includes('input.files: is missing')]).to.deep.equal([
    'INPUT_INVALID',
    true,
  ])
}
