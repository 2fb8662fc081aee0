import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { line } from '../helpers/raw-client.ts'
import { addCode, addSections } from '../helpers/supervised.ts'
import { skipBecause } from '../helpers/skip.ts'

const QUEUE = 100
const FLOOD = 10_000

describe('A plugin that sends messages to do harm', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: 'limits: {max_payload_mb: 4}\nrestart: {backoff_max_ms: 50}\n',
      plugins: ['passes-it-on as first', 'passes-it-on as second', 'forges-messages', 'echoes'],
      prepare: (world) => {
        for (const id of ['first', 'second']) addSections(world, id, `[runtime]\nmax_queued_calls = ${QUEUE}`)
        addCode(world, 'wants_more', 'export default { operations: {}, messages: { note() {} } }', WANTS_MORE)
      },
    })
  })
  after(() => daemon.stop())
  afterEach('every other plugin goes on', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  const waitingOf = async (id: string): Promise<number> =>
    (await daemon.system.get_plugin_health(id)).queue.waiting

  it('is taken for itself, whatever sender it names', async () => {
    const request = { id: 1, method: 'send_message' }
    const forged = [
      { ...request, params: { recipient: 'second', type: 'note', sender: 'first' } },
      { ...request, params: { recipient: 'second', type: 'note', origin: 'application' } },
      { ...request, params: { recipient: 'second', type: 'from_a_friend' } },
      { ...request, params: { recipient: 'second', type: 'from_applications' } },
      { ...request, params: ['second', 'note'] },
      { ...request, params: { recipient: { id: 'second' }, type: 'note' } },
      { ...request, params: { recipient: 'second', type: '__proto__' } },
      { ...request, params: { recipient: 'second', type: 'note' } },
    ]
    await daemon.call('forges_messages', 'forge', { text: forged.map(line).join('') })
    await until(async () => (await daemon.call('second', 'count')).result === 1, 'the one that is right')
    const { result } = await daemon.call<{ sender: string; origin: string }[]>('second', 'notes')
    expect(result![0]).to.deep.include({ sender: 'forges_messages', origin: 'plugin' })
  })

  it('fills no more than the queue of its recipient', async () => {
    const before = (await daemon.call<number>('second', 'count')).result!
    const startedMb = daemon.memoryMb()
    const { result } = await daemon.call<Record<string, number>>('first', 'flood', {
      recipient: 'second',
      type: 'note',
      times: FLOOD,
    })
    const { ok = 0, QUEUE_FULL: full = 0 } = result!
    expect(ok + full, JSON.stringify(result)).to.equal(FLOOD)
    expect(ok).to.be.within(QUEUE, FLOOD - 1)
    expect(daemon.memoryMb() - startedMb).to.be.below(100)
    await until(async () => (await waitingOf('second')) === 0, 'the queue to be empty')
    await until(
      async () => (await daemon.call('second', 'count')).result === before + ok,
      'each that was taken',
    )
  })

  it('can answer every answer with two, and try until they are taken: the queues hold it', async () => {
    await daemon.system.send_plugin_message('second', 'first', 'ping_pong')
    await until(
      async () => (await waitingOf('first')) + (await waitingOf('second')) > QUEUE,
      'queues that fill',
    )
    const startedMb = daemon.memoryMb()
    for (let look = 0; look < 20; look += 1) {
      expect(await waitingOf('first')).to.be.at.most(QUEUE)
      expect(await waitingOf('second')).to.be.at.most(QUEUE)
      expect((await daemon.call('echoes', 'echo', look)).result).to.equal(look)
    }
    expect(daemon.memoryMb() - startedMb).to.be.below(100)
    await daemon.system.update_plugin_config('second', { enabled: false })
    await until(async () => (await waitingOf('first')) === 0, 'the end of it')
    expect((await daemon.call('first', 'fine')).result).to.equal('fine')
    await daemon.system.update_plugin_config('second', { enabled: true })
  })

  it('is read at a rate when it floods, and others are served', async () => {
    const startedMb = daemon.memoryMb()
    const text = line({ id: 1, method: 'send_message', params: { recipient: 'second', type: 'not' } })
    const flood = daemon.refusal('forges_messages', 'flood', { text, times: 1000 }, { timeout_ms: 2000 })
    for (let call = 0; call < 50; call += 1)
      expect((await daemon.call('echoes', 'echo', call)).result).to.equal(call)
    expect((await flood).code).to.be.oneOf(['LIMIT_EXCEEDED', 'CALL_TIMEOUT'])
    expect(daemon.memoryMb() - startedMb).to.be.below(100)
  })

  it('is ended when it announces more than a payload may have', async () => {
    await daemon.call('forges_messages', 'fine')
    const params = { recipient: 'second', type: 'note' }
    const text = line({ id: 424_242, method: 'send_message', params, payload_bytes: 5 * 1024 * 1024 })
    const error = await daemon.refusal('forges_messages', 'forge', { text })
    expect(error.details, error.message).to.deep.include({ exit_class: 'protocol' })
  })

  it('reaches nobody that is not approved', async () => {
    const { result } = await daemon.call('first', 'send', { recipient: 'wants_more', type: 'note' })
    expect(result).to.deep.include({ code: 'PLUGIN_BLOCKED' })
  })
})

const WANTS_MORE = `[permissions]
permissions = ["fs_read:/"]

[[messages]]
type = "note"
from = ["*"]
`

describe('Messages at the end', function () {
  this.timeout(30_000)

  it('of the daemon are refused', async () => {
    const code = `
      import { writeFileSync } from 'node:fs'
      let context
      export default {
        operations: { fine: () => 'fine' },
        initialize(given) { context = given },
        async shutdown() {
          const outcome = await context.send_message('second', 'note').then(() => 'ok', ({ code }) => code)
          writeFileSync(context.data_dir + '/outcome', outcome)
        },
      }`
    const daemon = await TestDaemon.start({
      plugins: ['passes-it-on as second'],
      prepare: (world) => addCode(world, 'late', code),
    })
    const outcome = daemon.world.path('outcome')
    try {
      await daemon.call('late', 'fine')
      await daemon.call('second', 'fine')
      fs.symlinkSync(daemon.world.path('.phantom/plugins/data/late/outcome'), outcome)
      await daemon.system.shutdown()
      await until(() => !isAlive(daemon.pid), 'the end of the daemon')
      expect(fs.readFileSync(outcome, 'utf8')).to.equal('DAEMON_SHUTTING_DOWN')
    } finally {
      await daemon.stop()
    }
  })

  it('do not come to a plugin of protocol 1.0, which goes on working without', async function () {
    needPython.call(this)
    const daemon = await TestDaemon.start({
      plugins: ['native-of-1-0 as old', 'native-of-1-0 as wrong', 'passes-it-on as first'],
      prepare: (world) => addSections(world, 'wrong', '[[messages]]\ntype = "note"\nfrom = ["*"]'),
    })
    try {
      const { tier } = await daemon.system.get_status()
      if (tier === 'process') skipBecause.call(this, 'without a sandbox no native plugin starts')
      expect((await daemon.call('old', 'shout', 'a')).success).to.equal(true)
      const { result } = await daemon.call('first', 'send', { recipient: 'old', type: 'note' })
      expect(result).to.deep.include({ code: 'MESSAGE_REFUSED' })
      const error = await daemon.refusal('wrong', 'shout', 'a')
      expect(error.message).to.contain(
        'plugin.toml declares messages that its program does not name in its answer to "initialize": "note". It names none',
      )
    } finally {
      await daemon.stop()
    }
  })
})
