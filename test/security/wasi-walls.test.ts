import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import type { Permission } from '../../src/contract/permission.ts'
import { skipBecause } from '../helpers/skip.ts'
import { SandboxWorld, type DaemonKind } from './sandbox-world.ts'

const READ_DATA: Permission = { kind: 'fs_read', declared: 'fs_read:./data', path: './data' }
const WRITE_OUT: Permission = { kind: 'fs_write', declared: 'fs_write:./out', path: './out' }
const permissions = [READ_DATA, WRITE_OUT]

interface Report {
  readonly said: Readonly<Record<string, string>>
  readonly denied: readonly string[]
}

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`WASI in the runner that a daemon of kind "${daemon}" starts`, function () {
    this.timeout(60_000)
    describe('in tier namespace', () => {
      const world = new SandboxWorld(daemon)
      before(async function () {
        await world.open()
        const { tier, reasonNoNamespace } = world.machine
        if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
      })
      after(() => world.close())
      servesWhatWasGranted(world)

      it('is not needed for the sandbox to hold: paths through an open folder lead to nothing', async () => {
        const folder = path.join(world.workspace, 'data')
        const names = [
          'given.txt',
          '../private/kept.txt',
          '../../secret.txt',
          'link/secret.txt',
          '../.phantom/state.db',
        ]
        const input = { folder, names }
        const said = await world.report<Record<string, string>>('through-open-folders.cjs', {
          input,
          permissions,
          isWasm: true,
        })
        expect(said).to.deep.equal({
          'given.txt': 'got given',
          '../private/kept.txt': 'ENOENT',
          // By its letters that is no path below the folder that Node was told of.
          '../../secret.txt': 'ERR_ACCESS_DENIED',
          'link/secret.txt': 'ENOENT',
          '../.phantom/state.db': 'ENOENT',
        })
      })

      it('is the only one that may look names up in open folders: a runner of JavaScript may not', async () => {
        const input = { folder: path.join(world.workspace, 'data'), names: ['given.txt'] }
        const said = await world.report('through-open-folders.cjs', { input, permissions })
        expect(said).to.deep.equal({ 'given.txt': 'ERR_ACCESS_DENIED' })
      })
    })

    describe('in tier process', () => {
      const world = new SandboxWorld(daemon, 'process')
      before(() => world.open())
      after(() => world.close())
      servesWhatWasGranted(world)
    })
  })
}

/** The same in both tiers: there the sandbox is around it, here nothing but the right to look up names. */
function servesWhatWasGranted(world: SandboxWorld): void {
  it('reads and writes what was granted, and nothing else', async () => {
    const { workspace, dataDir, pluginDir } = world
    const at = (name: string): string => path.join(workspace, name)
    const refused = [
      '/etc/passwd',
      world.secret,
      at('private/kept.txt'),
      at('data/../private/kept.txt'),
      at('data/link/secret.txt'),
      at('data/link'),
      path.join(pluginDir, 'link.txt'),
      at('.phantom/state.db'),
      '/proc/self/environ',
      '/proc/self/root/etc/passwd',
    ]
    const input = {
      workspace,
      grants: [
        { path: at('data'), write: false },
        { path: at('out'), write: true },
        { path: dataDir, write: true },
        { path: pluginDir, write: false },
      ],
      read: [at('data/given.txt'), 'data/given.txt', path.join(pluginDir, 'index.mjs'), ...refused],
      write: [
        at('out/new.txt'),
        path.join(dataDir, 'new.txt'),
        at('data/new.txt'),
        path.join(pluginDir, 'index.mjs'),
        world.secret,
      ],
      list: [at('data'), workspace, '/'],
    }
    const { said, denied } = await world.report<Report>('wasi-files.ts', { input, permissions, isWasm: true })
    expect(said[`read ${at('data/given.txt')}`]).to.equal('given')
    expect(said['read data/given.txt']).to.equal('given')
    expect(said[`read ${path.join(pluginDir, 'index.mjs')}`]).to.include('answer = word')
    for (const file of refused) expect(said[`read ${file}`], file).to.equal('notcapable')
    const written = input.write.map((file) => said[`write ${file}`])
    expect(written).to.deep.equal(['success', 'success', 'notcapable', 'notcapable', 'notcapable'])
    expect(input.list.map((folder) => said[`list ${folder}`])).to.deep.equal([
      'success',
      'notcapable',
      'notcapable',
    ])
    expect(denied).to.have.length(refused.length + 5)
    expect(denied[4]).to.equal(`FileSystemRead ${world.secret}`)
    expect(fs.readFileSync(at('out/new.txt'), 'utf8')).to.equal('written')
    expect(fs.readFileSync(world.secret, 'utf8')).to.equal('SECRET')
    fs.rmSync(at('out/new.txt'))
  })
}
