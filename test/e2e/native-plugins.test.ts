import fs from 'node:fs'
import { expect } from 'chai'
import type { PluginSystemApi } from '../../src/index.ts'
import { isAlive, outcomeOf, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { elfFile } from '../helpers/elf-file.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections, readyPid, standbyPid } from '../helpers/supervised.ts'

const ID = 'native_python'

interface Told {
  readonly config: { readonly depth: number }
  readonly metadata: Readonly<Record<string, string>>
  readonly entry: string
  readonly generation: number
  readonly count: number
}

describe('A native plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(needPython)
  before(async function () {
    daemon = await TestDaemon.start({
      plugins: [
        'native-python',
        'native-of-1-0',
        'native-python as spare',
        'native-python as granted',
        'native-python as starter',
        'echoes',
      ],
      files: { 'data/given.txt': 'given', 'secret.txt': 'secret', 'config/plugins/spare.yaml': 'depth: 2\n' },
      config: 'execution: {cancel_grace_ms: 500}\n',
      environment: { GIVEN_TO_PLUGIN: 'given', NOT_GIVEN: 'no' },
      prepare: (world) => {
        const manifest = world.path('plugins/spare/plugin.toml')
        fs.writeFileSync(
          manifest,
          fs.readFileSync(manifest, 'utf8').replace('concurrency = 4', 'concurrency = 4\nstandby = 1'),
        )
        addSections(world, 'starter', '[permissions]\npermissions = ["process"]')
        addSections(
          world,
          'granted',
          '[permissions]\npermissions = ["fs_read:./data", "fs_write:./out", "env:GIVEN_TO_PLUGIN"]',
        )
      },
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
    await daemon.approve('granted')
    await daemon.approve('starter')
  })
  after(() => daemon?.stop())

  const call = async <Result = unknown>(operation: string, input?: unknown, id = ID): Promise<Result> =>
    (await daemon!.call<Result>(id, operation, input)).result as Result
  const refusal = (operation: string, input?: unknown, id = ID) => daemon!.refusal(id, operation, input)

  it('answers, knows what its manifest says of it, and was told what every runner is told', async () => {
    expect(await call('count', 'two words')).to.deep.equal({ words: 2, characters: 9 })
    const told = await call<Told>('told')
    expect(told.metadata).to.deep.equal({
      id: ID,
      name: 'Native Python',
      version: '1.0.0',
      description:
        "A native plugin by Python's standard library alone, which does what it is asked to, and what it may not.",
      author: 'Ada',
    })
    expect(told).to.deep.include({ generation: 1, config: { depth: 1 } })
    expect(told.entry).to.equal(daemon!.world.path('plugins', ID, 'main.py'))
  })

  it('carries large inputs and results', async () => {
    const text = 'x'.repeat(3_000_000)
    expect(await call('echo', text)).to.equal(text)
  })

  it('runs calls beside one another, with progress, and is asked for its health meanwhile', async () => {
    const seen: unknown[] = []
    const waiting = outcomeOf(daemon!.call(ID, 'wait', null, { timeout_ms: 500 }))
    const ticking = daemon!.call(ID, 'tick', 4, { on_progress: (progress) => seen.push(progress.message) })
    expect((await ticking).result).to.equal(4)
    expect(seen).to.include('tick 4')
    const health = await daemon!.system.get_plugin_health(ID)
    expect(JSON.stringify(health.reported)).to.contain('"status":"healthy"')
    expect(await waiting).to.equal('CALL_TIMEOUT')
    await until(async () => (await call<number>('echo', 1)) === 1, 'its next answer')
  })

  it('fails in its own words, and that is a result', async () => {
    const { success, error } = await daemon!.call(ID, 'fail', 'no luck')
    expect([success, error]).to.deep.equal([false, 'no luck'])
  })

  it('is told what it has not', async () => {
    const error = await refusal('absent')
    expect(error.code).to.equal('OPERATION_NOT_FOUND')
  })

  it('prints and logs, and a log line names its call', async () => {
    const { execution_id: executionId, logs } = await daemon!.call(ID, 'say', 'spoken')
    expect(logs).to.include('warn: spoken')
    const lines = await daemon!.system.get_plugin_logs({ plugin_id: ID })
    const said = lines.filter(({ message }) => message === 'spoken')
    expect(said.map(({ source }) => source)).to.include.members(['log', 'stdout', 'stderr'])
    expect(said.find(({ source }) => source === 'log')?.execution_id).to.equal(executionId)
  })

  it('has of its log no more than its level says, which may change, whatever it sends', async () => {
    const levels = ['debug', 'info', 'warn', 'error']
    const logged = async (round: string): Promise<string[]> => {
      const found = []
      for (const level of levels)
        found.push(...(await daemon!.call(ID, 'log', { level, message: round })).logs)
      const kept = await daemon!.system.get_plugin_logs({ plugin_id: ID })
      expect(kept.filter(({ message }) => message === round)).to.have.length(found.length)
      return found
    }
    expect(await logged('first')).to.deep.equal(['info: first', 'warn: first', 'error: first'])
    await daemon!.system.update_plugin_config(ID, { log_level: 'error' })
    expect(await logged('second')).to.deep.equal(['error: second'])
    await daemon!.system.update_plugin_config(ID, { log_level: 'debug' })
    expect(await logged('third')).to.have.length(levels.length)
  })

  it('of an older minor version of the protocol goes on working', async () =>
    expect(await call('shout', 'hello', 'native_of_1_0')).to.equal('HELLO'))

  describe('is held by its sandbox:', () => {
    it('what holds it was read back from the kernel before a line of it ran', async () => {
      await call('echo', 1)
      const { items } = await daemon!.system.verify_plugin(ID)
      const names = items.map(({ name }) => name)
      expect(names).to.include.members([
        'seccomp',
        'mounts',
        'canary.read',
        'canary.signal',
        'canary.connect',
        'canary.start',
      ])
      expect(names).not.to.include('canary.node')
      expect(items.filter(({ verdict }) => verdict === 'differs')).to.deep.equal([])
      expect(items.map(({ mechanism }) => mechanism).join()).not.to.contain('node')
    })

    it('nothing that is said to hold it is of Node', async () => {
      const { permissions, limits } = await daemon!.info('granted')
      expect(permissions.filter(({ refused }) => refused === null)).to.have.length(3)
      const held = [...permissions, ...limits].map(({ mechanism }) => mechanism)
      expect(held).to.include('mount namespace')
      expect(held.join()).not.to.contain('node')
      expect(limits.find(({ name }) => name === 'threads')).to.include({ effective: null, mechanism: null })
    })

    it('of the system it sees what it needs, and nothing of Node', async () => {
      expect(await call('names', '/.phantom-runner')).to.deep.equal(['enter'])
      expect(await call('names', '/usr/bin')).to.satisfy((names: string[]) =>
        names.every((name) => name.startsWith('python')),
      )
      expect(await call('names', '/')).not.to.include.members(['etc', 'home', 'root', 'var'])
      expect(await call('names', '/dev')).to.deep.equal([
        'fd',
        'null',
        'random',
        'stderr',
        'stdin',
        'stdout',
        'urandom',
      ])
    })

    it('files are those that were granted, and the line that would be needed is named', async () => {
      expect(await call('read', 'data/given.txt', 'granted')).to.equal('given')
      const { created_files: created } = await daemon!.call('granted', 'write', {
        path: 'out/new.txt',
        text: 'new',
      })
      expect(created).to.deep.equal([daemon!.world.path('out/new.txt')])
      const read = await refusal('read', daemon!.world.path('secret.txt'), 'granted')
      expect(read.code).to.equal('PERMISSION_DENIED')
      expect(read.details).to.deep.include({ missing: ['fs_read:./secret.txt'], kind: 'fs_read' })
      const written = await refusal('write', { path: 'data/given.txt', text: '' }, 'granted')
      expect(written.details).to.deep.include({ missing: ['fs_write:./data/given.txt'], kind: 'fs_write' })
      const missing = await daemon!.call('granted', 'read', 'data/nothing.txt')
      expect([missing.success, missing.error]).to.satisfy(
        ([success, error]: [boolean, string]) => !success && error.includes('No such file'),
      )
    })

    it('its environment has what was granted, and nothing else', async () => {
      expect(await call('environment', null, 'granted')).to.deep.include({
        HOME: '/tmp',
        LANG: 'C.UTF-8',
        GIVEN_TO_PLUGIN: 'given',
      })
      expect(Object.keys(await call<object>('environment'))).to.have.members(['HOME', 'LANG', 'PATH', 'PWD'])
    })

    it('it starts no process, signals none, and reaches no network', async () => {
      expect(await call('fork')).to.equal('EPERM')
      expect(await call('signal_process', daemon!.pid)).to.equal('ESRCH')
      expect(await call('connect', ['127.0.0.1', 1])).to.equal('EAFNOSUPPORT')
    })
  })

  it('with the right to start programs has those of the system, inside the same walls', async () => {
    expect(await call('fork', null, 'starter')).to.equal('forked')
    expect(await call('run', ['/bin/sh', '-c', 'echo $0 && cat /etc/passwd'], 'starter')).to.match(
      /^\/bin\/sh\n.*exit [12]$/s,
    )
    expect(await call('names', '/usr', 'starter')).to.include('lib')
  })

  it('that cannot run is a finding of validate_plugin, at the line of its entry point', async () => {
    const folder = daemon!.world.path('elsewhere')
    daemon!.world.write(
      'elsewhere/plugin.toml',
      fs.readFileSync(daemon!.world.path('plugins', ID, 'plugin.toml')),
    )
    const foreign = process.arch === 'arm64' ? 62 : 183
    daemon!.world.write('elsewhere/main.py', elfFile({ machine: foreign }))
    fs.chmodSync(`${folder}/main.py`, 0o755)
    const { valid, issues } = await daemon!.system.validate_plugin(folder)
    expect([valid, issues[0]?.line, issues[0]?.field]).to.deep.equal([false, 8, 'plugin.entry_point'])
    expect(issues[0]?.message).to.match(
      /"main\.py": it is for (?:aarch64|x86-64), this machine is .*\. Build it for/,
    )
  })

  describe('meets its limits:', () => {
    it('memory', async () => {
      expect(await call('grow', 10)).to.equal(10)
      const error = await refusal('grow', 500)
      expect(error.code).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit: 'max_memory_mb', declared: 48 })
      expect(error.details['measured']).to.be.within(30, 80)
      await until(async () => (await daemon!.info(ID)).last_exit?.class === 'oom', 'the end of its process')
      await until(async () => (await outcomeOf(daemon!.call(ID, 'echo', 1))) === 'ok', 'its next answer')
    })

    it('time, though it lets go of nothing', async () => {
      expect(await outcomeOf(daemon!.call(ID, 'spin', null, { timeout_ms: 300 }))).to.equal('CALL_TIMEOUT')
      await until(async () => (await outcomeOf(daemon!.call(ID, 'echo', 1))) === 'ok', 'its next answer')
    })
  })

  it('that dies under a call is a crash, by code or by signal, and the next call starts it anew', async () => {
    const left = await refusal('leave', 3)
    expect(left.code).to.equal('PLUGIN_CRASHED')
    expect(left.details).to.deep.include({ exit_class: 'crash', exit_code: 3 })
    expect(await call('echo', 1)).to.equal(1)
    const aborted = await refusal('crash')
    expect(aborted.code).to.equal('PLUGIN_CRASHED')
    expect(aborted.details).to.deep.include({ exit_class: 'crash' })
    expect(await call('echo', 1)).to.equal(1)
  })

  it('has a standby that is held before its first line, and takes over when the process is killed', async () => {
    await call('echo', 1, 'spare')
    const active = await readyPid(daemon!, 'spare')
    const standby = await standbyPid(daemon!, 'spare')
    await until(
      () => fs.readFileSync(`/proc/${standby}/cmdline`, 'latin1').startsWith('/.phantom-runner/enter\0'),
      'the entry program of the standby',
    )
    process.kill(active, 'SIGKILL')
    expect(await readyPid(daemon!, 'spare', active)).to.equal(standby)
    expect(fs.readFileSync(`/proc/${standby}/cmdline`, 'latin1')).to.match(/python3?\0/)
    expect(await call('echo', 2, 'spare')).to.equal(2)
  })

  it('takes a new configuration by its hook, and refuses one in its own words', async () => {
    await call('echo', 1)
    const pid = await readyPid(daemon!, ID)
    await daemon!.system.update_plugin_config(ID, { depth: 3 })
    await until(async () => (await call<Told>('told')).config.depth === 3, 'the new configuration')
    expect(await readyPid(daemon!, ID)).to.equal(pid)
    const report = await daemon!.system.validate_plugin_config(ID, { depth: 0 })
    expect(JSON.stringify(report)).to.contain('depth must be at least 1')
  })

  it('is reloaded with another executable, hands over its state, and a broken one leaves the old one serving', async () => {
    await call('add', 5)
    const file = daemon!.world.path('plugins', ID, 'main.py')
    const source = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(
      file,
      source.replace("'echo': lambda value, call: value", "'echo': lambda value, call: [value, 'two']"),
    )
    await daemon!.system.reload_plugin(ID)
    expect(await call('echo', 1)).to.deep.equal([1, 'two'])
    expect((await call<Told>('told')).count).to.equal(5)
    fs.chmodSync(file, 0o644)
    const noBit = await daemon!.system.reload_plugin(ID).catch((error: Error) => error.message)
    expect(noBit).to.match(/"main\.py": it has no run bit\. Set it: chmod \+x/)
    fs.chmodSync(file, 0o755)
    fs.writeFileSync(file, '#!/usr/bin/env python3\nraise SystemExit("not today")\n')
    const broken = await daemon!.system.reload_plugin(ID).catch((error: Error) => error.message)
    expect(broken).to.match(/its process ended before it was ready; it last said: not today/)
    expect(await call('echo', 1)).to.deep.equal([1, 'two'])
    await daemon!.system.rollback_plugin(ID)
    await until(async () => (await call('echo', 1)) === 1, 'the first executable')
  })

  it('leaves in order when it is unloaded', async () => {
    await call('shout', 'x', 'native_of_1_0')
    const pid = await readyPid(daemon!, 'native_of_1_0')
    await daemon!.system.unload_plugin('native_of_1_0')
    expect(isAlive(pid)).to.equal(false)
  })
})

describe('A native plugin that nothing would hold is refused by name', function () {
  this.timeout(60_000)
  before(needPython)

  it('in tier process, and that says nothing against the plugin', async () => {
    const daemon = await TestDaemon.start({
      plugins: ['native-python', 'echoes'],
      environment: { PHANTOM_BWRAP: '/nonexistent' },
    })
    try {
      for (let times = 0; times < 7; times += 1) {
        const error = await daemon.refusal(ID, 'echo', 1)
        expect(error.code).to.equal('SANDBOX_UNAVAILABLE')
        expect(error.message).to.match(
          /a native plugin runs in tier "namespace" alone and this machine gives tier "process" \(bubblewrap .*phantom doctor/,
        )
      }
      expect((await daemon.info(ID)).state).to.equal('enabled')
      expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    } finally {
      await daemon.stop()
    }
  })

  it('where its executable went bad since it was loaded: once, and not tried again', async function () {
    const daemon = await TestDaemon.start({
      plugins: ['native-python'],
      config: 'reload: { watch: false }\n',
    })
    try {
      if ((await daemon.system.get_status()).tier !== 'namespace')
        skipBecause.call(this, 'native plugins need namespaces')
      fs.chmodSync(daemon.world.path('plugins', ID, 'main.py'), 0o644)
      const error = await daemon.refusal(ID, 'echo', 1)
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.equal(
        `Cannot start "${ID}": its executable "main.py": it has no run bit. Set it: chmod +x`,
      )
      expect((await daemon.info(ID)).state).to.equal('failed')
      fs.chmodSync(daemon.world.path('plugins', ID, 'main.py'), 0o755)
      await daemon.system.reload_plugin(ID)
      expect((await daemon.call(ID, 'echo', 1)).result).to.equal(1)
    } finally {
      await daemon.stop()
    }
  })

  it('where permissions are observed', async function () {
    const world = new World({ plugins: ['native-python'], config: 'permissions: { mode: observe }\n' })
    let system: PluginSystemApi | null = null
    try {
      system = await world.attach(world.folder, 'development')
      const error = await refusalOf(system.execute_plugin(ID, 'echo', 1))
      expect(error.code).to.equal('PLUGIN_RUNTIME_UNAVAILABLE')
      expect(error.message).to.contain('nothing tells what a native plugin reaches for')
    } catch (error) {
      if (String(error).includes('tier')) skipBecause.call(this, 'only a namespace may be observed')
      throw error
    } finally {
      await system?.shutdown()
      world.remove()
    }
  })
})
