import { expect } from 'chai'
import fs from 'node:fs'
import { METHOD_ROLES } from '../../src/contract/method-roles.ts'
import type { SystemMethod } from '../../src/contract/system-methods.ts'
import type { AuditRecord } from '../../src/contract/audit.ts'
import { until, TestDaemon } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import type { RawClient, RawMessage } from '../helpers/raw-client.ts'

const PLUGIN = { plugin_id: 'echoes' }

/** Params that fit, for every method: what it then answers is no matter here. */
const PARAMS: Readonly<Record<SystemMethod, object>> = {
  handshake: { protocol_version: '1.0', client: { name: 'raw', version: '9' } },
  list_plugins: {},
  get_plugin_info: PLUGIN,
  execute_plugin: { ...PLUGIN, operation: 'echo', input: 'hello' },
  send_plugin_message: { sender: 'ci', recipient: 'echoes', type: 'any' },
  cancel: { id: 'nothing' },
  get_status: {},
  get_plugin_health: PLUGIN,
  get_metrics: {},
  get_execution_history: {},
  get_plugin_logs: PLUGIN,
  get_incidents: PLUGIN,
  verify_plugin: PLUGIN,
  get_generations: PLUGIN,
  reload_plugin: PLUGIN,
  rollback_plugin: PLUGIN,
  load_plugin: PLUGIN,
  reset_plugin: PLUGIN,
  set_plugin_limits: { ...PLUGIN, limits: {} },
  get_learned_permissions: { plugin_id: 'echoes' },
  get_permissions: PLUGIN,
  approve_plugin: { ...PLUGIN, digest: `sha256:${'0'.repeat(64)}` },
  revoke_plugin: PLUGIN,
  get_plugin_config: PLUGIN,
  update_plugin_config: { ...PLUGIN, updates: { verbose: true } },
  validate_plugin_config: { ...PLUGIN, config: {} },
  get_plugin_config_history: PLUGIN,
  rollback_plugin_config: { ...PLUGIN, revision: 1 },
  explain_config: {},
  reload_config: {},
  validate_plugin: { path: '/nowhere' },
  get_doctor_report: {},
  get_audit_log: {},
  verify_audit_log: {},
  unload_plugin: PLUGIN,
  shutdown: {},
}
/** Says that it began, and then waits until it is cancelled. */
const PATIENT = `
export default {
  operations: {
    fine: () => 'fine',
    fail: (message) => { throw new Error(message) },
    wait: (_input, { progress, signal }) =>
      new Promise((_resolve, reject) => {
        progress(0.5, 'began')
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  },
}`
const METHODS = Object.keys(PARAMS) as SystemMethod[]

describe('the two sockets', () => {
  let daemon: TestDaemon
  let application: RawClient
  let operator: RawClient

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes'],
      files: {
        'plugins/patient/plugin.toml': manifestText('patient'),
        'plugins/patient/index.js': PATIENT,
        'plugins/greedy/plugin.toml': manifestText('greedy', '[permissions]\npermissions = ["process"]'),
        'plugins/greedy/index.js': PATIENT,
      },
    })
    application = await daemon.connect()
    operator = await daemon.connectOperator()
  })
  after(() => daemon.stop())

  const records = async (params: object = {}): Promise<readonly AuditRecord[]> =>
    ((await operator.request('get_audit_log', params)).result as { records: AuditRecord[] }).records

  it('are files of mode 0600 of the daemon', () => {
    for (const path of [daemon.socketPath, daemon.adminSocketPath]) {
      const { mode, uid } = fs.statSync(path)
      expect([mode & 0o777, uid]).to.deep.equal([0o600, process.getuid?.()])
    }
  })

  it('say at the handshake what each may', async () => {
    const roles = await Promise.all(
      [application, operator].map(async (client) => {
        const { result } = await client.request('handshake', PARAMS.handshake)
        const { role, admin_socket: path } = result as { role: string; admin_socket: string }
        return [role, path]
      }),
    )
    expect(roles).to.deep.equal([
      ['application', daemon.adminSocketPath],
      ['operator', daemon.adminSocketPath],
    ])
  })

  for (const method of METHODS) {
    const role = METHOD_ROLES[method]
    it(`"${method}" is the ${role}s'`, async () => {
      const asked = await application.request(method, PARAMS[method])
      if (role === 'application') expect(nameOf(asked)).to.not.equal('PERMISSION_DENIED')
      else {
        expect(nameOf(asked)).to.equal('PERMISSION_DENIED')
        expect(asked.error?.message).to.include(daemon.adminSocketPath).and.to.include('mode 0600')
      }
      expect(nameOf(await operator.request(method, PARAMS[method]))).to.not.equal('PERMISSION_DENIED')
    })
  }

  it('record each refused method with who asked', async () => {
    const denied = await records({ action: 'method.denied', limit: 1000 })
    const methods = denied.map(({ details }) => details['method'] ?? 'folded')
    expect(methods).to.include('reload_plugin')
    expect(denied[0]).to.deep.include({ outcome: 'refused' })
    const { actor } = denied[0]!
    expect(actor?.client).to.equal('raw 9')
    if (actor?.uid === null) expect(actor.identity).to.match(/^unknown \(socket file's owner uid \d+\)$/)
    else expect(actor).to.deep.include({ uid: process.getuid?.(), pid: process.pid, gid: process.getgid?.() })
  })

  it('record a plugin that came to be blocked, and a call that it refused for that', async () => {
    const call = { plugin_id: 'greedy', operation: 'fine', workspace: '/' }
    expect(nameOf(await application.request('execute_plugin', call))).to.equal('PLUGIN_BLOCKED')
    const [blocked] = await records({ action: 'plugin.blocked', plugin_id: 'greedy' })
    expect(blocked).to.deep.include({ outcome: 'refused', actor: null })
    const [refused] = await records({ action: 'request.refused', plugin_id: 'greedy' })
    expect(refused?.details).to.deep.include({ method: 'execute_plugin', code: 'PLUGIN_BLOCKED' })
    expect(refused?.actor?.client).to.equal('raw 9')
  })

  it('record each act twice: that it began, and how it ended', async () => {
    const acts = await records({ action: 'admin.unload_plugin' })
    expect(acts.map(({ outcome }) => outcome)).to.deep.equal(['begun', 'done'])
    const failed = await records({ action: 'admin.rollback_plugin_config' })
    expect(failed.map(({ outcome }) => outcome)).to.include('begun')
    const changed = await records({ action: 'admin.update_plugin_config' })
    expect(changed[0]?.details).to.deep.equal({ keys: ['verbose'] })
    expect(await records({ action: 'admin.get_plugin_logs' })).to.deep.equal([])
  })

  it("let an application cancel its own call by execution id, and nobody else's", async () => {
    const other = await daemon.connect()
    const running = await startLongCall(other)
    const byApplication = await application.request('cancel', { execution_id: running.executionId })
    expect(byApplication.result).to.deep.equal({ cancelled: false })
    const byOwner = await other.request('cancel', { execution_id: running.executionId })
    expect(byOwner.result).to.deep.equal({ cancelled: true })
    expect(nameOf(await running.answer)).to.equal('CALL_CANCELLED')
  })

  it("let an operator cancel anybody's call, and record that", async () => {
    const running = await startLongCall(application)
    const { result } = await operator.request('cancel', { execution_id: running.executionId })
    expect(result).to.deep.equal({ cancelled: true })
    expect(nameOf(await running.answer)).to.equal('CALL_CANCELLED')
    const [last] = (await records({ action: 'admin.cancel' })).slice(-1)
    expect(last?.details).to.deep.equal({ execution_id: running.executionId })
  })

  it('show an application the history of its own calls alone', async () => {
    const fresh = await daemon.connect()
    const history = async (client: RawClient): Promise<{ operation: string }[]> =>
      ((await client.request('get_execution_history')).result as { entries: { operation: string }[] }).entries
    expect(await history(fresh)).to.deep.equal([])
    await fresh.request('execute_plugin', { plugin_id: 'patient', operation: 'fine' })
    expect((await history(fresh)).map(({ operation }) => operation)).to.deep.equal(['fine'])
    expect((await history(operator)).length).to.be.above(2)
  })

  it("follow the audit log on the operators' one", async () => {
    const id = 'following'
    await operator.request('get_audit_log', { follow: true, action: 'admin.', limit: 1 }, id)
    const another = await daemon.connectOperator()
    await another.request('reload_config')
    await until(
      () => operator.messages.some(({ method, params }) => method === 'audit' && params?.['id'] === id),
      'a line of the audit log',
    )
    await operator.request('cancel', { id })
  })

  async function startLongCall(
    client: RawClient,
  ): Promise<{ executionId: string; answer: Promise<RawMessage> }> {
    const id = `long-${Math.random()}`
    const params = { plugin_id: 'patient', operation: 'wait', progress: true }
    const answer = client.request('execute_plugin', params, id)
    const progressOf = (): RawMessage | undefined =>
      client.messages.find(({ method, params: found }) => method === 'progress' && found?.['id'] === id)
    await until(() => progressOf() !== undefined, 'the call to report progress')
    return { executionId: progressOf()!.params!['execution_id'] as string, answer }
  }
})

function nameOf({ error }: RawMessage): string | undefined {
  return error?.data?.name
}
