import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { spawnRunner, type SpawnPowers, type SpawnedRunner } from '../../host/process/spawn-runner.ts'
import { EgressDoors, type EgressDoor } from '../../host/egress/egress-doors.ts'
import { Attestor } from '../../host/sandbox/attest/attestor.ts'
import { closeInheritedDescriptors } from '../../host/sandbox/inherited-descriptors.ts'
import type { RunnerPlan } from '../../host/sandbox/plan-runner.ts'
import type { AttestationItem } from '../../src/contract/attestation.ts'
import { SILENT_LIMITS } from '../../src/contract/manifest/silent-limits.ts'
import { isAlive, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { NO_POWERS, SandboxWorld, type DaemonKind, type ProbeOptions } from './sandbox-world.ts'

const HOLDER = path.join(import.meta.dirname, '../helpers/gate-holder.ts')
const NEXT = '{"jsonrpc":"2.0","id":2,"method":"initialize","params":{}}\n'

interface Attested {
  readonly runner: SpawnedRunner
  readonly items: readonly AttestationItem[]
  /** Names of what is not as it was declared. */
  readonly differing: readonly string[]
}

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`a program behind the gate, started by a daemon of kind "${daemon}"`, () => {
    const world = new SandboxWorld(daemon)
    const running: SpawnedRunner[] = []
    let attestor: Attestor

    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
      // What whoever starts the tests left open, as the daemon does.
      closeInheritedDescriptors()
      attestor = new Attestor({ forbiddenFile: path.join(world.stateDir, 'state.db'), baitKeptMs: 0 })
    })
    afterEach(async () => {
      for (const runner of running.splice(0)) {
        runner.signal('SIGKILL')
        await runner.exited
        runner.channel.destroy()
      }
    })
    after(() => world.close())

    function plan(options: ProbeOptions = {}): RunnerPlan {
      const planned = world.plan('first-words.cjs', {
        gate: attestor.gate({ waits: true }),
        kernelOnly: true,
        ...options,
      })
      // An ordinary daemon that root stands for has another group than root.
      return {
        ...planned,
        expected: { ...planned.expected, gid: planned.expected.gid ?? planned.expected.uid },
      }
    }

    async function attest(of: RunnerPlan, powers: Partial<SpawnPowers> = {}): Promise<Attested> {
      const runner = spawnRunner(of, { ...NO_POWERS, ...powers })
      running.push(runner)
      runner.channel.on('error', () => {})
      const attestation = attestor.begin({}, of.expected, () => runner.findPid())
      const differences = await attestation.run(async (params) => {
        runner.channel.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'attest', params })}\n`)
        let said = ''
        while (!said.endsWith('\n')) said += String((await once(runner.channel, 'data'))[0])
        await runner.located
        return JSON.parse(said) as { result: unknown }
      })
      return { runner, items: attestation.items, differing: differences.map(({ name }) => name) }
    }

    it('is held as declared before it runs, and gets the message after that', async () => {
      const { runner, items, differing } = await attest(plan())
      expect(differing).to.deep.equal([])
      const found = new Map(items.map(({ name, effective }) => [name, effective]))
      expect(found.get('canary.read')).to.be.oneOf(['ENOENT', 'EACCES'])
      expect(found.get('canary.signal')).to.equal('ESRCH')
      expect(found.get('canary.connect')).to.equal('EAFNOSUPPORT')
      expect(found.get('canary.start')).to.equal('EPERM')
      expect(found.get('descriptors')).to.equal('4 open, all of them so')
      expect(found.has('canary.node'), 'it asks no model of Node').to.equal(false)
      expect(fs.readFileSync(`/proc/${runner.findPid()}/cmdline`, 'utf8')).to.match(
        /^\/\.phantom-runner\/enter\0/,
      )
      const printed = text(runner.stdout)
      runner.stderr.resume()
      runner.channel.end(NEXT)
      expect(await printed).to.equal(NEXT)
      expect(await runner.exited).to.deep.include({ code: 0, signal: null })
    })

    it('with a right to the network tries the network itself', async () => {
      const { items, differing } = await attest(plan({ opened: { network: ['example.org:443'] } }))
      expect(differing).to.deep.equal([])
      expect(items.find(({ name }) => name === 'canary.connect')?.effective).to.equal('ECONNREFUSED')
    })

    describe('with a way out', () => {
      const doors = new EgressDoors({ config: () => ({ resolve: [], nameServers: [] }), record: () => {} })
      const request = { pluginId: 'mine', workspace: '/srv', rules: ['example.org:80'] }
      const withWayOut = (): RunnerPlan => plan({ opened: { network: ['example.org:80'] }, hasEgress: true })
      const openDoor = (): EgressDoor =>
        doors.open({ ...request, total: { requests: 0, connections: 0, bytes: 0 } })
      after(() => doors.close())

      it('passes the socket to the daemon, and keeps neither it nor the channel', async () => {
        const { runner, items, differing } = await attest(withWayOut(), { egress: openDoor() })
        expect(differing).to.deep.equal([])
        const found = new Map(items.map(({ name, effective }) => [name, effective]))
        expect(found.get('descriptors')).to.equal('4 open, all of them so')
        expect(found.get('environment')).to.include('HTTP_PROXY').and.not.include('NODE_CHANNEL')
        expect(await runner.seal(SILENT_LIMITS), 'the daemon accepts there').to.equal(null)
        const tables = fs.readFileSync(`/proc/${runner.findPid()}/net/tcp`, 'latin1').split('\n')
        // 127.0.0.1:3128, and 0A is LISTEN: it lies in the sandbox's own network.
        expect(tables.filter((line) => /^ *\d+: 0100007F:0C38 00000000:0000 0A /.test(line))).to.have.length(
          1,
        )
        expect(tables.filter((line) => line.includes(' 0A '))).to.have.length(1)
      })

      it('is found out where the channel stays open, and where nothing comes by it', async () => {
        const planned = withWayOut()
        if (planned.entry === null) throw new TypeError('a sandbox has an entry program')
        const silent = { ...planned, entry: { ...planned.entry, listener: null } }
        const powers = { egress: openDoor(), startTimeoutMs: 300 }
        const { runner, differing } = await attest(silent, powers)
        expect(differing).to.deep.equal(['descriptors'])
        expect((await runner.seal(SILENT_LIMITS))?.code).to.equal('SANDBOX_UNAVAILABLE')
      })
    })

    it('with a right to programs is not asked whether it can start one', async () => {
      const { items, differing } = await attest(plan({ opened: { process: true } }))
      expect(differing).to.deep.equal([])
      expect(items.some(({ name }) => name === 'canary.start')).to.equal(false)
    })

    for (const { what, refusedAs, change } of walls(world)) {
      it(`is found out, and never runs, where ${what}`, async () => {
        const changed = change(plan({ opened: { network: ['example.org:443'] } }))
        const { runner, differing } = await attest(changed)
        expect(differing).to.include(refusedAs)
        const printed = text(runner.stdout)
        runner.signal('SIGKILL')
        expect(await printed).to.equal('')
      })
    }

    it('ends without a trace of the program where it is killed while it waits', async () => {
      const { runner } = await attest(plan())
      const printed = Promise.all([text(runner.stdout), text(runner.stderr)])
      runner.signal('SIGKILL')
      await runner.exited
      runner.channel.end(NEXT)
      expect(await printed).to.deep.equal(['', ''])
    })

    it('is gone when the daemon is killed while it waits', async () => {
      const holder = spawn(process.execPath, [HOLDER], { stdio: ['pipe', 'pipe', 'inherit'] })
      const ended = once(holder, 'exit')
      holder.stdin.end(JSON.stringify(plan()))
      const pid = Number(await firstLine(holder.stdout as Socket))
      expect(isAlive(pid), `${pid} waits`).to.equal(true)
      holder.kill('SIGKILL')
      await ended
      await until(() => !isAlive(pid), 'the end of the process at the gate')
    })
  })
}

interface Wall {
  readonly what: string
  readonly refusedAs: string
  readonly change: (plan: RunnerPlan) => RunnerPlan
}

/** Each with one wall less than was declared. */
function walls(world: SandboxWorld): Wall[] {
  const without =
    (...options: readonly string[]) =>
    (plan: RunnerPlan) => ({ ...plan, args: plan.args.filter((one) => !options.includes(one)) })
  const addsMount = (plan: RunnerPlan): RunnerPlan => {
    const at = plan.args.indexOf('--chdir')
    const mount = ['--ro-bind', world.stateDir, world.stateDir]
    return { ...plan, args: [...plan.args.slice(0, at), ...mount, ...plan.args.slice(at)] }
  }
  const allowsFork = (plan: RunnerPlan): RunnerPlan => {
    const { entry } = plan
    if (entry === null) throw new TypeError('a sandbox has an entry program')
    return { ...plan, entry: { ...entry, filter: { ...entry.filter, process: true } } }
  }
  return [
    { what: 'the network is shared', refusedAs: 'canary.connect', change: without('--unshare-net') },
    {
      what: 'the processes are shared',
      refusedAs: 'canary.signal',
      change: without('--unshare-pid', '--as-pid-1'),
    },
    { what: "the daemon's state is mounted", refusedAs: 'canary.read', change: addsMount },
    { what: 'the filter lets it make processes', refusedAs: 'canary.start', change: allowsFork },
  ]
}

async function firstLine(stream: Socket): Promise<string> {
  let said = ''
  while (!said.includes('\n')) said += String((await once(stream, 'data'))[0])
  return said
}
