import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { nodeFlags } from '../../host/sandbox/node-flags.ts'
import { runnerScript, type BundleName } from '../../sandbox-runner/runner-script.ts'
import { buildRunner } from './runner-driver.ts'

const SCRIPT = new URL('../../sandbox-runner/runner-script.ts', import.meta.url).href

const WASM_REQUEST = {
  readPaths: ['/'],
  writePaths: [],
  allowNet: false,
  process: false,
  runtime: { addons: false, sqlite: false, inspector: false, ffi: false, eval: false },
  isWasm: true,
  threads: 0,
  observe: false,
}

describe('the compiled code of the runner', () => {
  let folder: string

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-script-'))
    fs.cpSync(path.dirname(buildRunner()), folder, { recursive: true })
  })
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('is what V8 takes as it was built', () => {
    expect(isRejected('runner.cjs')).to.equal('false')
  })

  it('is what V8 takes under the flags of a plugin of WebAssembly, whatever its limits, the loader included', () => {
    for (const maxMemoryMb of [64, 100]) {
      const flags = nodeFlags({ ...WASM_REQUEST, maxMemoryMb })
      expect(flags.join(' ')).to.include('--wasm-max-mem-pages')
      expect(isRejected('runner.cjs', flags)).to.equal('false')
      expect(isRejected('wasm.cjs', flags)).to.equal('false')
    }
  })

  /** In a process of its own: another test may have set a flag of V8's, which it counts. */
  function isRejected(bundle: BundleName, flags: readonly string[] = []): string {
    const source = `import { runnerScript } from ${JSON.stringify(SCRIPT)}
      process.stdout.write(String(runnerScript(${JSON.stringify(folder)}, '${bundle}').cachedDataRejected))`
    const args = [...flags, '--input-type=module', '-e', source]
    return execFileSync(process.execPath, args, { encoding: 'utf8' })
  }

  it('is left alone when the bundle is another one of the same length', () => {
    const bundle = path.join(folder, 'runner.cjs')
    const source = fs.readFileSync(bundle, 'utf8')
    // A build stamps what it wrote; the old file is still there.
    fs.writeFileSync(
      bundle,
      source.replace(/^\/\/ ./, (start) => (start.endsWith('0') ? '// 1' : '// 0')),
    )
    expect(runnerScript(folder).cachedDataRejected).to.equal(undefined)
  })

  it('is no need: without it the bundle is compiled', () => {
    for (const name of cachesIn(folder)) fs.rmSync(path.join(folder, name))
    expect(runnerScript(folder).runInThisContext()).to.be.a('function')
  })

  it('is no danger when it is not whole', () => {
    for (const name of cachesIn(folder)) fs.truncateSync(path.join(folder, name), 1000)
    const script = runnerScript(folder)
    expect(script.cachedDataRejected).to.equal(true)
    expect(script.runInThisContext()).to.be.a('function')
  })
})

function cachesIn(folder: string): string[] {
  return fs.readdirSync(folder).filter((name) => name.endsWith('.cache'))
}
