import { expect } from 'chai'
import { outcomeOf, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { line, type RawClient } from '../helpers/raw-client.ts'
import { withoutProcess } from '../helpers/supervised.ts'

const MIB = 1024 * 1024

describe('Plugins for many workspaces', function () {
  this.timeout(60_000)
  const limits = (maxWorkspaces: number, idleMs: number): string =>
    `execution: { max_workspaces: ${maxWorkspaces}, idle_timeout_ms: ${idleMs} }\nreload: { watch: false }\n`
  let daemon: TestDaemon

  beforeEach(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'counter-state', 'depends-on-counter'],
      files: { 'one/file': '', 'two/file': '', 'three/file': '' },
      config: limits(2, 60_000),
    })
  })
  afterEach(() => daemon.stop())

  const inWorkspace = (name: string) => ({ workspace: daemon.world.path(name) })
  const echoIn = (name: string) => outcomeOf(daemon.call('echoes', 'echo', name, inWorkspace(name)))

  async function configure(text: string): Promise<void> {
    daemon.world.write('config/default.yaml', text)
    await daemon.system.reload_config()
  }

  it('are refused beyond execution.max_workspaces, in words, and taken when processes have stopped', async () => {
    expect(await Promise.all([echoIn('one'), echoIn('two')])).to.deep.equal(['ok', 'ok'])
    const error = await daemon.refusal('echoes', 'echo', 3, inWorkspace('three'))
    expect(error).to.deep.include({ code: 'QUEUE_FULL', retryable: true })
    expect(error.details).to.deep.include({ plugin_id: 'echoes', open: 2, limit: 2 })
    expect(error.message).to.contain('"echoes"').and.to.contain(daemon.world.path('three'))
    expect(error.message).to.contain('execution.max_workspaces allows 2').and.to.contain('raise it')
    expect(await echoIn('two'), 'one that is there').to.equal('ok')
    const verified = refusalOf(daemon.system.verify_plugin('echoes', daemon.world.path('three')))
    expect((await verified).code).to.equal('QUEUE_FULL')
    await configure(limits(2, 200))
    await withoutProcess(daemon, 'echoes')
    expect(await echoIn('three')).to.equal('ok')
  })

  it('follow a limit that is raised at once', async () => {
    await Promise.all([echoIn('one'), echoIn('two')])
    expect(await echoIn('three')).to.equal('QUEUE_FULL')
    await configure(limits(3, 60_000))
    expect(await echoIn('three')).to.equal('ok')
  })

  it('count those that another plugin needs, and hold none of them after a refusal', async () => {
    expect(await echoIn('one')).to.equal('ok')
    const error = await daemon.refusal('depends_on_counter', 'fine', null, inWorkspace('one'))
    expect(error.code).to.equal('QUEUE_FULL')
    expect(error.message).to.contain('"counter_state"')
    expect(await daemon.system.get_incidents('depends_on_counter')).to.deep.equal([])
    expect(await echoIn('two'), 'its place').to.equal('ok')
  })
})

describe('The inputs that the daemon holds', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'takes-turns'],
      config: 'limits: { max_payload_mb: 1 }\n',
    })
    await daemon.call('takes_turns', 'turns')
  })
  after(() => daemon.stop())

  it('are bounded over all connections together, and let go of with the answers and with the connection', async () => {
    const end = new AbortController()
    const first = { name: 'first', ms: 60_000 }
    const running = outcomeOf(daemon.call('takes_turns', 'take', first, { signal: end.signal }))
    const clients = await Promise.all(Array.from({ length: 3 }, () => daemon.connect()))
    for (const client of clients) await client.handshake()
    for (const client of clients.slice(0, 2)) for (const id of [1, 2]) sendLarge(client, id)
    await waiting(daemon, 4)

    sendLarge(clients[2]!, 1)
    expect((await clients[2]!.answer(1)).error!.data!.name).to.equal('QUEUE_FULL')
    const error = await daemon.refusal('echoes', 'echo', 'input')
    expect(error).to.deep.include({ code: 'QUEUE_FULL', retryable: true })
    expect(error.message).to.contain('4 times limits.max_payload_mb (4194304 bytes)')
    expect(error.details['held']).to.be.within(4 * MIB, 5 * MIB)
    const withoutInput = { plugin_id: 'echoes', operation: 'kind' }
    expect((await clients[2]!.request('execute_plugin', withoutInput)).error).to.equal(undefined)

    clients[0]!.destroy()
    await waiting(daemon, 2)
    expect(await outcomeOf(daemon.call('echoes', 'echo', 'input'))).to.equal('ok')
    for (const id of [2, 3]) sendLarge(clients[2]!, id)
    await waiting(daemon, 4)
    expect(await outcomeOf(daemon.call('echoes', 'echo', 'input'))).to.equal('QUEUE_FULL')

    end.abort()
    expect(await running).to.equal('CALL_CANCELLED')
    await Promise.all([clients[1]!.answer(2), clients[2]!.answer(3)])
    expect(await outcomeOf(daemon.call('echoes', 'echo', 'input'))).to.equal('ok')
  })

  it('are bounded while they still arrive: what finds no room is read past, and refused when it is whole', async () => {
    const end = new AbortController()
    const first = { name: 'first', ms: 60_000 }
    const running = outcomeOf(daemon.call('takes_turns', 'take', first, { signal: end.signal }))
    const [one, two, slow, late] = await Promise.all(Array.from({ length: 4 }, () => daemon.connect()))
    for (const client of [one!, two!, slow!, late!]) await client.handshake()
    for (const id of [1, 2]) sendLarge(one!, id)
    sendLarge(two!, 1)
    await waiting(daemon, 3)
    const large = JSON.stringify('x'.repeat(MIB - 2))
    const params = { plugin_id: 'echoes', operation: 'echo' }
    const small = (): Promise<string> => outcomeOf(daemon.call('echoes', 'echo', 'input'))
    const sendMost = (id: number): void =>
      slow!.send(
        line({ id, method: 'execute_plugin', params, payload_bytes: MIB }),
        Buffer.from(large.slice(0, -1)),
      )

    sendMost(1)
    await until(async () => (await small()) === 'QUEUE_FULL', 'what arrives to be counted')
    late!.sendFrame({ id: 1, method: 'execute_plugin', params }, large)
    expect((await late!.answer(1)).error?.data?.name).to.equal('QUEUE_FULL')
    slow!.send('"')
    expect((await slow!.answer(1)).error).to.equal(undefined)
    late!.sendFrame({ id: 2, method: 'execute_plugin', params }, large)
    expect((await late!.answer(2)).error, 'there is room again').to.equal(undefined)

    sendMost(2)
    await until(async () => (await small()) === 'QUEUE_FULL', 'what arrives to be counted')
    slow!.destroy()
    await until(async () => (await small()) === 'ok', 'room that a client who left gives back')
    end.abort()
    expect(await running).to.equal('CALL_CANCELLED')
    await Promise.all([one!.answer(2), two!.answer(1)])
  })
})

async function waiting(daemon: TestDaemon, count: number): Promise<void> {
  await until(async () => {
    const { queue } = await daemon.system.get_plugin_health('takes_turns')
    return queue.waiting === count && queue.in_flight === 1
  }, `${count} calls that wait`)
}

/** Of the largest size there is. */
function sendLarge(client: RawClient, id: number): void {
  const input = { name: `large ${id}`, pad: '' }
  input.pad = 'x'.repeat(MIB - JSON.stringify(input).length)
  const params = { plugin_id: 'takes_turns', operation: 'take' }
  client.sendFrame({ id, method: 'execute_plugin', params }, JSON.stringify(input))
}
