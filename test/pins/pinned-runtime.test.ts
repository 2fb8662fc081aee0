import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import pinned from '../../src/client/runtime/pinned-runtime.json' with { type: 'json' }
import { RUNTIME_SOURCES } from '../../src/contract/runtime-source.ts'
import { columnsOf, wordOf } from '../helpers/docs-pages.ts'
import { packPinnedNode, pinnedHere } from '../helpers/npm-registry.ts'
import { skipBecause } from '../helpers/skip.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

describe('the pinned runtime', () => {
  it('is the Node of the checkout: in package.json, in the lock file, and running here', () => {
    const manifest = readJson('package.json') as { devDependencies: { node: string } }
    const lock = readJson('package-lock.json') as { packages: Record<string, { version: string }> }
    const versions = {
      manifest: manifest.devDependencies.node,
      lock: lock.packages['node_modules/node']?.version,
      running: process.versions.node,
    }
    expect(versions).to.deep.equal({
      manifest: pinned.version,
      lock: pinned.version,
      running: pinned.version,
    })
  })

  it('has a SHA-512 for each platform', () => {
    expect(Object.keys(pinned.packages)).to.include.members(['linux-x64', 'linux-arm64'])
    for (const [platform, { name, integrity }] of Object.entries(pinned.packages)) {
      expect(name).to.match(new RegExp(`^node(-bin)?-${platform}$`))
      expect(integrity).to.match(/^sha512-[A-Za-z0-9+/]{86}==$/)
    }
  })

  it('stands in docs/operations.md with all that may come before or after it, in their order', () => {
    const documented = columnsOf('docs/operations.md', 'runtime-sources').map(([source]) => wordOf(source))
    expect(documented).to.deep.equal(Object.keys(RUNTIME_SOURCES))
  })

  it("is what npm's package of this platform hashes to", async function () {
    this.timeout(150_000)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-pin-'))
    try {
      const tarball = await packPinnedNode(folder)
      if (tarball === null)
        return skipBecause.call(this, 'npm has it neither in its cache nor from its registry')
      const digest = createHash('sha512').update(fs.readFileSync(tarball)).digest('base64')
      expect(pinnedHere().integrity).to.equal(`sha512-${digest}`)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})

function readJson(file: string): unknown {
  return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'))
}
