import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import { line, type RawClient } from '../helpers/raw-client.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections, incidentOf, readyPid, timed } from '../helpers/supervised.ts'

const stopped = new Set<number>()

describe('A process that was stopped by SIGSTOP', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'echoes as busy'],
      config: 'execution: { liveness_interval_ms: 200, liveness_timeout_ms: 300, cancel_grace_ms: 100 }\n',
    })
  })
  afterEach(() => {
    for (const pid of stopped) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    stopped.clear()
  })
  after(() => daemon.stop())

  it('is found by a ping while it is idle, and replaced', async () => {
    await daemon.call('echoes', 'echo')
    const pid = await readyPid(daemon, 'echoes')
    stop(pid)
    expect(await readyPid(daemon, 'echoes', pid)).to.be.above(0)
    expect(isAlive(pid)).to.equal(false)
    const { class: ended, message, action } = await incidentOf(daemon, 'echoes', 'exit')
    expect({ ended, action }).to.deep.equal({ ended: 'wall_limit', action: 'started again at once' })
    expect(message).to.contain('it did not answer a ping')
    expect((await daemon.call('echoes', 'echo', 'again')).result).to.equal('again')
  })

  it('is not asked while it is busy, and ends at its call’s deadline', async () => {
    await daemon.call('busy', 'echo')
    const pid = await readyPid(daemon, 'busy')
    const call = timed(daemon.refusal('busy', 'wait', 60_000, { timeout_ms: 2_000 }))
    await until(async () => (await daemon.system.get_status()).calls.in_flight === 1, 'the call in flight')
    stop(pid)
    const { value: error, ms } = await call
    expect(error.code).to.equal('CALL_TIMEOUT')
    expect(ms).to.be.within(1_900, 8_000)
    await until(() => !isAlive(pid), 'the end of the process')
    expect((await daemon.call('busy', 'echo', 'again')).result).to.equal('again')
    expect((await incidentOf(daemon, 'busy', 'exit')).message).to.contain('did not let go')
  })

  it('does not trouble one that answers', async () => {
    const pid = await readyPid(daemon, 'busy')
    await until(async () => (await daemon.system.get_plugin_health('busy')).uptime_ms! > 1_500, 'some pings')
    expect(await readyPid(daemon, 'busy')).to.equal(pid)
  })
})

describe('A call whose process dies', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['idempotent-crash', 'counts-attempts', 'echoes'] })
  })
  after(() => daemon.stop())

  it('is run once more where its operation is idempotent, and says so', async () => {
    const { result, warnings, metadata } = await daemon.call('idempotent_crash', 'repeatable')
    expect(result).to.deep.equal({ attempts: 2 })
    expect(warnings.join('\n')).to.contain('run again').and.to.contain('idempotent')
    expect(metadata.generation).to.equal(1)
  })

  it('is not run again where it is not', async () => {
    expect((await daemon.refusal('idempotent_crash', 'unrepeatable')).code).to.equal('PLUGIN_CRASHED')
    expect((await daemon.call('idempotent_crash', 'unrepeatable')).result).to.deep.equal({ attempts: 2 })
  })

  it('is not run a third time', async () => {
    expect((await daemon.refusal('counts_attempts', 'doomed')).code).to.equal('PLUGIN_CRASHED')
    expect((await daemon.call('counts_attempts', 'attempts', 'doomed')).result).to.equal(2)
  })

  it('is run again with the same 5 MB', async () => {
    const { createHash, randomBytes } = await import('node:crypto')
    const text = randomBytes(2_500_000).toString('hex')
    const { result } = await daemon.call('counts_attempts', 'digest', text)
    expect(result).to.equal(createHash('sha256').update(text).digest('hex'))
    expect((await daemon.call('counts_attempts', 'attempts', 'digest')).result).to.equal(2)
  })

  it('keeps its deadline when it is run again', async () => {
    const { value: error, ms } = await timed(
      daemon.refusal('counts_attempts', 'slow_end', 1_500, { timeout_ms: 2_500 }),
    )
    expect(error.code).to.equal('CALL_TIMEOUT')
    expect(ms).to.be.within(2_400, 3_700)
    expect((await daemon.call('counts_attempts', 'attempts', 'slow_end')).result).to.equal(2)
  })

  it('has exactly one answer, as the 63 beside it', async () => {
    const client = await daemon.connect()
    await daemon.call('echoes', 'echo')
    const pid = await readyPid(daemon, 'echoes')
    for (let id = 0; id < 64; id += 1) client.send(callLine(id, 'echoes', 'wait', 30_000))
    await until(async () => (await daemon.system.get_status()).calls.in_flight === 64, '64 calls in flight')
    process.kill(pid, 'SIGKILL')
    for (let id = 0; id < 64; id += 1)
      expect((await client.answer(id)).error?.data?.name).to.equal('PLUGIN_CRASHED')
    await readyPid(daemon, 'echoes', pid)
    await client.request('get_status', {}, 'last')
    expect(client.messages).to.have.length(65)
    expect((await daemon.system.get_status()).calls).to.deep.include({ in_flight: 0, queued: 0 })
    // One death is one incident, however many calls it took along.
    await incidentOf(daemon, 'echoes', 'exit')
    const incidents = await daemon.system.get_incidents('echoes')
    expect(incidents.map(({ kind, class: ended }) => `${kind} ${ended}`)).to.deep.equal(['exit crash'])
    expect(incidents[0]?.message).to.match(/SIGKILL|signal 9/)
  })
})

describe('A machine that gives no process', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  beforeEach(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'echoes as second', 'spinner as kept'],
      prepare: (world) => addSections(world, 'kept', '[restart]\npolicy = "permanent"\nintensity = 1'),
    })
    await Promise.all([daemon.call('echoes', 'echo'), daemon.call('kept', 'fine')])
  })
  afterEach(() => daemon.stop())

  it('(EMFILE) refuses the call in words, charges the plugin with nothing, and is asked again', async () => {
    // With what it holds already it can make a pipe or two, and no process.
    for (const spare of [0, 2, 5]) {
      const held = fs.readdirSync(`/proc/${daemon.pid}/fd`)
      limit(daemon.pid, 'nofile', held.length + spare)
      for (let time = 0; time < 8; time += 1) {
        const error = await daemon.refusal('second', 'echo')
        expect(error.message, `with ${spare} to spare`).to.match(/may open no more files|gave no process/)
        expect(error.message).to.match(/^Cannot start "second"/)
        expect(error.code).to.equal('PLUGIN_START_FAILED')
      }
      expect((await daemon.call('echoes', 'echo', 'on')).result).to.equal('on')
      limit(daemon.pid, 'nofile', 1024)
      expect((await daemon.info('second')).state).to.equal('enabled')
    }
    expect((await daemon.call('second', 'echo', 'at last')).result).to.equal('at last')
    const { action } = await incidentOf(daemon, 'second', 'start_failed')
    expect(action).to.equal('the next call starts it anew')
  })

  it('(EMFILE) gets the plugins back that run without calls as soon as there is room', async () => {
    const pid = await readyPid(daemon, 'kept')
    limit(daemon.pid, 'nofile', fs.readdirSync(`/proc/${daemon.pid}/fd`).length)
    process.kill(pid, 'SIGKILL')
    const { action } = await incidentOf(daemon, 'kept', 'start_failed', 2)
    expect(action).to.match(/^started again after \d+ ms$/)
    limit(daemon.pid, 'nofile', 1024)
    await readyPid(daemon, 'kept', pid)
  })

  it('(EAGAIN) refuses the call in words, and is asked again', async function () {
    if (process.getuid?.() === 0) skipBecause.call(this, 'RLIMIT_NPROC does not hold root, setrlimit(2)')
    limit(daemon.pid, 'nproc', 1)
    for (let time = 0; time < 8; time += 1) {
      const error = await daemon.refusal('second', 'echo')
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.match(/^Cannot start "second"/)
    }
    limit(daemon.pid, 'nproc', 10_000)
    expect((await daemon.call('echoes', 'echo', 'on')).result).to.equal('on')
    expect((await daemon.call('second', 'echo', 'at last')).result).to.equal('at last')
  })
})

describe('Clients that vanish with calls in flight', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes', 'takes-turns'] })
    await Promise.all([daemon.call('echoes', 'echo'), daemon.call('takes_turns', 'turns')])
  })
  after(() => daemon.stop())

  it('(100 of them) leave nothing behind: no call, no descriptor, no process more', async () => {
    await vanish(daemon, 10)
    const before = descriptorsOf(daemon.pid)
    const { instances } = await daemon.system.get_status()
    await vanish(daemon, 100)
    await until(
      () => descriptorsOf(daemon.pid).length <= before.length,
      'the end of their descriptors',
    ).catch(() => expect(descriptorsOf(daemon.pid)).to.have.members(before))
    const status = await daemon.system.get_status()
    expect(status.instances).to.equal(instances)
    expect(status.clients).to.equal(1)
    expect((await daemon.call('echoes', 'echo', 'well')).result).to.equal('well')
    expect((await daemon.call('takes_turns', 'turns')).success).to.equal(true)
    const { queue, calls } = await daemon.system.get_metrics()
    expect(queue).to.deep.include({ waiting: 0, in_flight: 0, oldest_ms: 0 })
    expect(calls.cancelled).to.be.at.least(100)
  })
})

/** Each leaves a call that runs and one that waits, by a reset as by an end of file. */
async function vanish(daemon: TestDaemon, count: number): Promise<void> {
  const clients: RawClient[] = []
  for (let at = 0; at < count; at += 1) {
    const client = await daemon.connect()
    await client.handshake()
    client.send(
      callLine('wait', 'echoes', 'wait', 60_000),
      callLine('turn', 'takes_turns', 'take', { ms: 60_000 }),
    )
    clients.push(client)
  }
  await until(
    async () => {
      const { in_flight: inFlight, queued } = (await daemon.system.get_status()).calls
      return inFlight + queued === 2 * count
    },
    `${2 * count} open calls`,
  )
  for (const [at, client] of clients.entries()) at % 2 === 0 ? client.destroy() : client.socket.end()
  await until(async () => {
    const { calls, clients: left } = await daemon.system.get_status()
    return calls.in_flight + calls.queued === 0 && left === 1
  }, 'the end of their calls')
  for (const client of clients) client.destroy()
}

function callLine(id: number | string, plugin_id: string, operation: string, input: unknown): string {
  return line({ id, method: 'execute_plugin', params: { plugin_id, operation, input } })
}

function stop(pid: number): void {
  stopped.add(pid)
  process.kill(pid, 'SIGSTOP')
}

/** What it holds open. Without the figures of processes: whoever samples them keeps their files for a while. */
function descriptorsOf(pid: number): string[] {
  return fs
    .readdirSync(`/proc/${pid}/fd`)
    .flatMap((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`) ?? [])
    .filter((target) => !target.startsWith('/proc/'))
}

/** Null for one that was closed meanwhile. */
function linkOf(path: string): string | null {
  try {
    return fs.readlinkSync(path)
  } catch {
    return null
  }
}

/** The soft limit alone: so nobody has to be root to raise it again. */
function limit(pid: number, resource: 'nofile' | 'nproc', value: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--${resource}=${value}:`])
}
