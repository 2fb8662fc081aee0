import { mkdtempSync, realpathSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { readManifest } from '../../host/registry/read-manifest.ts'
import { manifestText, write } from '../helpers/plugin-folders.ts'
import { pluginModule } from '../helpers/wasm-module.ts'

describe('The module of a WebAssembly plugin, before anything of it runs', () => {
  let root = ''
  before(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'phantom-modules-')))
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  let made = 0
  async function findings(content: Uint8Array | string | null, more = ''): Promise<string[]> {
    made += 1
    const directory = join(root, `p${made}`)
    const text = manifestText('sample', more)
      .replace('"javascript"', '"wasm"')
      .replace('index.js', 'plugin.wasm')
    write(join(directory, 'plugin.toml'), text)
    if (content !== null) write(join(directory, 'plugin.wasm'), Buffer.from(content))
    const { issues, manifest } = await readManifest(directory)
    expect(manifest === null).to.equal(issues.length > 0)
    return issues.map(({ line, column, message }) => `${line}:${column} ${message}`)
  }

  it('is in order when it keeps to the rules', async () => {
    expect(await findings(pluginModule())).to.deep.equal([])
  })

  it('is refused with each thing that is wrong, at the line that names it', async () => {
    const module = pluginModule({ imports: ['env abort iiii>'], memoryPages: 300, exports: [] })
    const found = await findings(module, '[resource_limits]\nmax_memory_mb = 16\n')
    expect(found.map((one) => one.replace(/\. .*/, ''))).to.deep.equal([
      '6:1 Cannot use "plugin.entry_point": "plugin.wasm": it imports "env.abort" (function)',
      '6:1 Cannot use "plugin.entry_point": "plugin.wasm": it does not export "memory"',
      '6:1 Cannot use "plugin.entry_point": "plugin.wasm": its memory begins with 19 MB, and the limit is 16',
    ])
    expect(found[2]).to.match(/Set max_memory_mb = 19 or more under \[resource_limits\]/)
  })

  const files: readonly (readonly [string, Uint8Array | string | null, RegExp])[] = [
    ['there is none', null, /"plugin\.wasm": it does not exist\. Build the module, or name the one/],
    ['it is text', '(module)', /it is WebAssembly as text\. Make a binary of it: wat2wasm/],
    ['it is a component', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), /come with a later version/],
    ['it was cut off', pluginModule().subarray(0, 40), /ends too early/],
  ]
  for (const [what, content, words] of files) {
    it(`is refused when ${what}`, async () => {
      const [finding, ...more] = await findings(content)
      expect(more).to.deep.equal([])
      expect(finding).to.match(words)
    })
  }

  it('is held in memory one at a time, however many plugins there are', async () => {
    const folders: string[] = []
    for (let each = 0; each < 6; each += 1) {
      await findings(pluginModule())
      folders.push(join(root, `p${made}`))
      truncateSync(join(root, `p${made}`, 'plugin.wasm'), 40_000_000)
    }
    const before = process.memoryUsage().arrayBuffers
    let mostBytes = 0
    const done = new Set<string>()
    const reading = folders.map(async (directory) => {
      const { issues } = await readManifest(directory)
      done.add(directory)
      return issues.length
    })
    while (done.size < folders.length) {
      mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers - before)
      await setImmediate()
    }
    expect(await Promise.all(reading)).to.deep.equal([1, 1, 1, 1, 1, 1])
    // The pieces of one and their whole, and one that is not collected yet.
    expect(mostBytes).to.be.within(30_000_000, 170_000_000)
  })

  it('is not read when it is larger than what is read', async () => {
    await findings(pluginModule())
    const directory = join(root, `p${made}`)
    truncateSync(join(directory, 'plugin.wasm'), 70_000_000)
    const before = process.memoryUsage().arrayBuffers
    const { issues } = await readManifest(directory)
    expect(issues[0]?.message).to.match(
      /it has 70000000 bytes, at most 67108864 are allowed\. Put .* 64 MiB: built without debug information/,
    )
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(5_000_000)
  })
})
