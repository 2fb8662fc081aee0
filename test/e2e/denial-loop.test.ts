import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { isPhantomError } from '../../src/index.ts'
import { refusalOf, TestDaemon } from '../helpers/daemon.ts'
import { addAsking } from '../helpers/asking-plugin.ts'
import { skipBecause } from '../helpers/skip.ts'

const ID = 'reaches_out'
const MAX_ROUNDS = 4

/** What an author and an operator do with a denial, until the call works: paste the line, and approve it. */
describe('A denial, its line pasted and approved', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let manifest: string
  let port: number
  const server = http.createServer((_, response) => response.end('hello'))

  before(async function () {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    daemon = await TestDaemon.start({ plugins: ['reaches-out'], files: { 'data/given.txt': 'given' } })
    manifest = daemon.world.path('plugins/reaches_out/plugin.toml')
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'network and programs are opened in a namespace alone')
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await daemon.stop()
  })

  const ways: readonly [string, () => unknown, unknown][] = [
    ['read', () => 'data/given.txt', 'given'],
    ['read', () => '/etc/hostname', fs.readFileSync('/etc/hostname', 'utf8')],
    ['fetch', () => `http://127.0.0.1:${port}/`, 200],
    ['program', () => 'true', [0, null]],
    ['sqlite', () => null, 'DatabaseSync'],
    ['evaluate', () => '6 * 7', 42],
  ]
  for (const [operation, input, expected] of ways) {
    it(`lets ${operation} work`, async () => {
      const seen = await untilItWorks(operation, input())
      expect(seen.result).to.deep.equal(expected)
      expect(seen.denials, 'it was denied first').to.have.length.within(1, MAX_ROUNDS - 1)
    })
  }

  it('lets a folder be written to', async () => {
    const denied = await daemon.refusal(ID, 'make', 'made')
    await pasteAndApprove(denied)
    expect((await daemon.call(ID, 'write', 'made/file.txt')).success).to.equal(true)
    expect(fs.readFileSync(daemon.world.path('made/file.txt'), 'utf8')).to.equal('written')
  })

  it('has left each of them in the audit log', async () => {
    const records = await daemon.system.get_audit_log({ plugin_id: ID, limit: 100 })
    const denied = records.filter(({ action }) => action === 'call.denied')
    const missing = new Set(denied.flatMap(({ details }) => details['missing'] as string[]))
    expect([...missing]).to.include.members([
      'fs_read:./data/given.txt',
      'fs_read:/etc/hostname',
      `network:127.0.0.1:${port}`,
      'process',
      'runtime:sqlite',
      'fs_write:./made',
    ])
    for (const { outcome, details } of denied) {
      expect(outcome).to.equal('refused')
      expect(details).to.include.keys('kind', 'resource', 'operation', 'execution_id', 'workspace')
    }
  })

  async function untilItWorks(
    operation: string,
    input: unknown,
  ): Promise<{ result: unknown; denials: readonly PhantomError[] }> {
    const denials: PhantomError[] = []
    while (denials.length < MAX_ROUNDS) {
      const answer = await daemon.call(ID, operation, input).catch((error: unknown) => error)
      if (!isPhantomError(answer)) {
        expect(answer).to.include({ success: true })
        return { result: (answer as { result: unknown }).result, denials }
      }
      expect(answer.code, answer.message).to.equal('PERMISSION_DENIED')
      denials.push(answer)
      await pasteAndApprove(answer)
    }
    throw new Error(`denied ${MAX_ROUNDS} times: ${denials.map(({ message }) => message).join('\n')}`)
  }

  async function pasteAndApprove({ message, details }: PhantomError): Promise<void> {
    const { manifest_line: line, manifest_table: table } = details
    if (typeof line !== 'string') throw new Error(`no line to paste: ${message}`)
    const text = fs.readFileSync(manifest, 'utf8')
    const head = `[${String(table)}]`
    const withTable = text.includes(head) ? text : `${text.trimEnd()}\n\n${head}\n`
    const isThere = table === 'permissions' && /^permissions = .*$/m.test(withTable)
    const pasted = isThere
      ? withTable.replace(/^permissions = .*$/m, () => line)
      : withTable.replace(head, () => `${head}\n${line}`)
    fs.writeFileSync(manifest, pasted)
    // It asks for more than was approved: the update waits for a person.
    const gate = await refusalOf(daemon.system.reload_plugin(ID))
    expect(gate.details, gate.message).to.include({ gate: 'permissions' })
    const { problem } = await daemon.approve(ID)
    if (problem !== null) throw new Error(problem)
  }
})

describe('A denial of what the manifest asks for already', () => {
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      files: { 'data/public/a.txt': 'a', 'data/private/b.txt': 'b' },
      prepare: (world) => addAsking(world, 'asks', ['fs_read:./data'], '[runtime]\neval = true\n'),
    })
  })
  after(() => daemon.stop())

  it('names the approval that is missing, and no line', async () => {
    await daemon.approve('asks', ['fs_read:${workspace}/data/public'])
    expect((await daemon.call('asks', 'read', 'data/public/a.txt')).result).to.equal('a')
    const denied = await daemon.refusal('asks', 'read', 'data/private/b.txt')
    expect(denied.message).to.equal(
      'Cannot finish "read" of "asks": fs_read:./data is declared and not approved; to allow it run phantom approve asks',
    )
    expect(denied.details).to.deep.include({ missing: ['fs_read:./data/private/b.txt'], manifest_line: null })
    const computed = await daemon.refusal('asks', 'compute', 'return 1')
    expect(computed.message).to.contain(
      'runtime:eval is declared and not approved; to allow it run phantom approve asks',
    )
  })
})
