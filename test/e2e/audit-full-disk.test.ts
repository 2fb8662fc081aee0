import { expect } from 'chai'
import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { AuditRecord, AuditVerification } from '../../src/contract/audit.ts'
import { World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const DRIVER = path.resolve(import.meta.dirname, '../fixtures/audit/full-disk.ts')
const DISK = 'size=6m'

interface Outcome {
  readonly before: readonly string[]
  readonly during: readonly string[]
  readonly after: readonly string[]
  readonly verified: AuditVerification
  readonly acts: { readonly records: readonly AuditRecord[] }
  readonly isAlive: boolean
}

describe('a full disk under the audit log', function () {
  this.timeout(120_000)
  let world: World
  let outcome: Outcome

  before(async function () {
    world = new World({ plugins: ['echoes'] })
    const state = world.path('state')
    fs.mkdirSync(state, { mode: 0o700 })
    // An ordinary user is root in a namespace of his own, and a daemon that thinks so can start no plugin there.
    if (process.getuid?.() !== 0) skipBecause.call(this, 'only root can give a daemon a disk of its own')
    const unshare = ['--mount', '--propagation', 'private', 'sh', '-ec']
    if (spawnSync('unshare', [...unshare, 'mount -t tmpfs tmpfs "$0"', state]).status !== 0)
      skipBecause.call(this, 'this machine lets nobody mount a tmpfs in a namespace of its own')
    const script = `mount -t tmpfs -o ${DISK},mode=0700 tmpfs "$0" && exec "$1" "$2" "$3" "$0"`
    const command = [state, process.execPath, DRIVER, world.plugins]
    const { stdout } = await promisify(execFile)('unshare', [...unshare, script, ...command])
    outcome = JSON.parse(stdout) as Outcome
  })
  after(() => world.remove())

  it('refuses what operators do, and nothing else', () => {
    const { before, during, after } = outcome
    expect(before).to.deep.equal(['ok', 'ok'])
    expect(during).to.deep.equal(['AUDIT_UNAVAILABLE', 'AUDIT_UNAVAILABLE', 'ok', 'PERMISSION_DENIED', 'ok'])
    expect(after).to.deep.equal(['ok', 'ok'])
  })

  it('leaves the daemon running and its log whole, with what waited for room', () => {
    expect(outcome.isAlive).to.equal(true)
    expect(outcome.verified.problems).to.deep.equal([])
    const words = outcome.acts.records.map(({ action, outcome: ended }) => `${action} ${ended}`)
    expect(words).to.include('method.denied refused')
    expect(words.filter((word) => word.startsWith('admin.unload_plugin'))).to.deep.equal([
      'admin.unload_plugin begun',
      'admin.unload_plugin refused',
    ])
    expect(words.filter((word) => word === 'admin.reset_plugin done')).to.have.length(2)
  })
})
