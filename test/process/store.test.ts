import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { MIGRATIONS } from '../../host/store/migrations.ts'
import { openStore } from '../../host/store/store.ts'
import type { Incident } from '../../src/contract/generations.ts'

const STORE_URL = new URL('../../host/store/store.ts', import.meta.url).href
/** Opens the store, says so, and then writes exits until somebody ends it. */
const WRITER = `
  const { openStore } = await import(${JSON.stringify(STORE_URL)})
  const store = openStore(process.argv[1])
  store.pluginNumber('first')
  for (let i = 0; ; i += 1) {
    store.setFact('count', i)
    console.log(i)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }`

describe('openStore()', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-store-'))
  const children: ChildProcess[] = []
  let count = 0
  const newStateDirectory = () => path.join(folder, `state-${(count += 1)}`)

  after(() => {
    for (const child of children) child.kill('SIGKILL')
    fs.rmSync(folder, { recursive: true, force: true })
  })

  function startWriter(stateDirectory: string) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, stateDirectory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    return { child, lines: createInterface({ input: child.stdout }) }
  }

  it('makes a folder that nobody else may look into, and files of mode 0600', () => {
    const stateDirectory = newStateDirectory()
    using store = openStore(stateDirectory)
    store.setFact('a', 1)
    // Runners of a root daemon have uids of their own and pass through.
    const mode = process.getuid!() === 0 ? 0o711 : 0o700
    expect(fs.statSync(stateDirectory).mode & 0o777).to.equal(mode)
    const files = fs.readdirSync(stateDirectory)
    expect(files).to.include('state.db').and.to.include('state.db-wal').and.not.to.include('state.db-shm')
    // Nothing stands in it, and runners read it: it ends the package that the folder lies in.
    const modeOf = (file: string): number => (file === 'package.json' ? 0o644 : 0o600)
    for (const file of files)
      expect(fs.statSync(path.join(stateDirectory, file)).mode & 0o777, file).to.equal(modeOf(file))
  })

  it('refuses a folder that others may write into, and leaves its mode alone', () => {
    const stateDirectory = newStateDirectory()
    fs.mkdirSync(stateDirectory)
    fs.chmodSync(stateDirectory, 0o777)
    const error = thrownBy(() => openStore(stateDirectory))
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.contain(stateDirectory).and.to.contain('0777')
    expect(fs.statSync(stateDirectory).mode & 0o777).to.equal(0o777)
  })

  it('keeps numbers, states, exits and facts over a restart', () => {
    const stateDirectory = newStateDirectory()
    const exit = { class: 'crash', generation: 2, code: 1, signal: null, message: 'boom', at: 'now' } as const
    {
      using store = openStore(stateDirectory, () => new Date(0))
      expect(store.pluginNumber('first')).to.equal(1)
      store.savePluginState({ id: 'second', state: 'invalid', version: null, reason: 'plugin.toml:1:1' })
      for (let i = 0; i < 150; i += 1) store.recordExit('first', { ...exit, code: i })
      store.recordExit('second', exit)
      store.setFact('memory_base', { bytes: 9_000_000 })
    }
    using store = openStore(stateDirectory)
    expect([store.pluginNumber('third'), store.pluginNumber('second'), store.pluginNumber('first')]).to.eql([
      3, 2, 1,
    ])
    store.savePluginState({ id: 'first', state: 'enabled', version: '1.0.0', reason: null })
    expect(
      store.pluginStates().map(({ id, state, version, reason }) => ({ id, state, version, reason })),
    ).to.eql([
      { id: 'first', state: 'enabled', version: '1.0.0', reason: null },
      { id: 'second', state: 'invalid', version: null, reason: 'plugin.toml:1:1' },
      { id: 'third', state: 'discovered', version: null, reason: null },
    ])
    expect(store.pluginStates()[0]?.firstSeen).to.equal('1970-01-01T00:00:00.000Z')
    expect(store.lastExit('first')).to.eql({ ...exit, code: 149 })
    expect(store.lastExit('second')).to.eql(exit)
    expect(store.lastExit('third')).to.equal(null)
    expect(store.fact('memory_base')).to.eql({ bytes: 9_000_000 })
    expect(store.fact('none')).to.equal(undefined)
    store.close()
    expect(countRows(stateDirectory, "SELECT count(*) AS n FROM exits WHERE plugin_id = 'first'")).to.equal(
      100,
    )
  })

  it('keeps the last 200 incidents of each plugin over a restart, and tells the newest first', () => {
    const stateDirectory = newStateDirectory()
    const incident: Incident = {
      at: 'now',
      plugin_id: 'first',
      kind: 'exit',
      generation: 3,
      class: 'oom',
      workspace: '/w',
      message: 'out of memory',
      limits: { max_memory_mb: 64 },
      action: 'restarted after 200 ms',
      log: ['info: one', 'error: \u0000 two\n'],
    }
    const other: Incident = {
      ...incident,
      plugin_id: 'second',
      class: null,
      workspace: null,
      log: [],
      limits: {},
    }
    {
      using store = openStore(stateDirectory)
      for (let generation = 0; generation < 250; generation += 1)
        store.recordIncident({ ...incident, generation })
      store.recordIncident(other)
    }
    using store = openStore(stateDirectory)
    const incidents = store.incidents('first', 1000)
    expect(incidents.map(({ generation }) => generation)).to.eql(
      Array.from({ length: 200 }, (_, n) => 249 - n),
    )
    expect(incidents[0]).to.eql({ ...incident, generation: 249 })
    expect(store.incidents('first', 2)).to.have.length(2)
    expect(store.incidents('second', 10)).to.eql([other])
    expect(store.incidents('third', 10)).to.eql([])
  })

  it('writes what is saved together as a whole, and none of it where that fails', () => {
    using store = openStore(newStateDirectory())
    const save = (id: string) => store.savePluginState({ id, state: 'enabled', version: null, reason: null })
    store.together(() => ['first', 'second'].forEach(save))
    const failing = () =>
      store.together(() => {
        save('third')
        throw new Error('halfway')
      })
    expect(failing).to.throw('halfway')
    expect(store.pluginStates().map(({ id }) => id)).to.eql(['first', 'second'])
  })

  it('brings a database of version 1 to the newest, with what is in it', () => {
    const stateDirectory = newStateDirectory()
    fs.mkdirSync(stateDirectory, { mode: 0o700 })
    const database = new DatabaseSync(path.join(stateDirectory, 'state.db'))
    database.exec(`${MIGRATIONS[0]} PRAGMA user_version = 1;
      INSERT INTO plugins (id, state, first_seen, updated_at) VALUES ('old', 'enabled', 'then', 'then')`)
    database.close()
    using store = openStore(stateDirectory)
    expect(store.warnings).to.eql([])
    expect(store.pluginStates().map(({ id }) => id)).to.eql(['old'])
    expect(store.incidents('old', 10)).to.eql([])
    expect(store.executions.count).to.equal(0)
  })

  it('is the lock: a second daemon is refused while the first lives, and names folder and process', async () => {
    const stateDirectory = newStateDirectory()
    const { child, lines } = startWriter(stateDirectory)
    await once(lines, 'line')
    const error = thrownBy(() => openStore(stateDirectory))
    expect(error.code).to.equal('DAEMON_ALREADY_RUNNING')
    expect(error.message).to.contain(`"${stateDirectory}"`).and.to.contain('Connect to that one')
    expect(error.details['pid']).to.equal(child.pid)
  })

  it('leaves no lock and loses no acknowledged row when its daemon is killed by SIGKILL', async () => {
    const stateDirectory = newStateDirectory()
    for (let round = 0; round < 3; round += 1) {
      const { child, lines } = startWriter(stateDirectory)
      let acknowledged = -1
      lines.on('line', (line) => {
        acknowledged = Number(line)
        if (acknowledged === 20) child.kill('SIGKILL')
      })
      await once(lines, 'close')
      using store = openStore(stateDirectory)
      expect(store.fact('count')).to.be.at.least(acknowledged).and.at.least(20)
      expect(store.pluginNumber('first')).to.equal(1)
      expect(store.warnings).to.eql([])
    }
  })

  it('refuses a second store in the same process, and frees the lock at close', () => {
    const stateDirectory = newStateDirectory()
    const store = openStore(stateDirectory)
    expect(thrownBy(() => openStore(stateDirectory)).code).to.equal('DAEMON_ALREADY_RUNNING')
    store.close()
    store.close()
    openStore(stateDirectory).close()
  })

  it('refuses a newer version in words and leaves the file as it is', () => {
    const stateDirectory = newStateDirectory()
    openStore(stateDirectory).close()
    const database = new DatabaseSync(path.join(stateDirectory, 'state.db'))
    database.exec('PRAGMA user_version = 99')
    database.close()
    const error = thrownBy(() => openStore(stateDirectory))
    expect(error.code).to.equal('VERSION_UNSUPPORTED')
    expect(error.message).to.contain('version 99').and.to.contain(`up to ${MIGRATIONS.length}`)
    expect(fs.readdirSync(stateDirectory).filter((name) => name.includes('corrupt'))).to.eql([])
  })

  it('moves a file that is no database aside, says so, and begins a new one', () => {
    const stateDirectory = newStateDirectory()
    fs.mkdirSync(stateDirectory, { mode: 0o700 })
    fs.writeFileSync(path.join(stateDirectory, 'state.db'), 'not a database, but long enough '.repeat(100))
    using store = openStore(stateDirectory)
    expect(store.pluginNumber('first')).to.equal(1)
    const aside = fs.readdirSync(stateDirectory).filter((name) => name.startsWith('state.db.corrupt-'))
    expect(aside).to.have.length(1)
    expect(store.warnings).to.have.length(1)
    expect(store.warnings[0]).to.contain(aside[0]).and.to.contain('damaged')
  })

  it('sets a database with a trigger or a view aside: it would act at what is written', () => {
    for (const odd of [
      'CREATE TRIGGER again AFTER DELETE ON approvals BEGIN INSERT INTO plugins (id) VALUES (old.plugin_id); END',
      'CREATE VIEW seen AS SELECT * FROM plugins',
    ]) {
      const stateDirectory = newStateDirectory()
      openStore(stateDirectory).close()
      const database = new DatabaseSync(path.join(stateDirectory, 'state.db'))
      database.exec(odd)
      database.close()
      const store = openStore(stateDirectory)
      expect(store.warnings.join()).to.match(/it has the (?:trigger "again"|view "seen"), which is not ours/)
      store.close()
      expect(openStore(stateDirectory).warnings).to.deep.equal([])
    }
  })

  it('uses no folder with links in it: what is there is removed when nobody needs it', () => {
    const home = path.join(folder, 'home')
    for (const name of ['generations', 'libraries', 'logs', 'generations/mine']) {
      const stateDirectory = newStateDirectory()
      fs.mkdirSync(path.join(stateDirectory, 'generations'), { recursive: true, mode: 0o700 })
      fs.chmodSync(stateDirectory, 0o700)
      fs.mkdirSync(path.join(home, 'letters'), { recursive: true })
      if (name === 'generations') fs.rmdirSync(path.join(stateDirectory, name))
      fs.symlinkSync(home, path.join(stateDirectory, name))
      expect(() => openStore(stateDirectory), name)
        .to.throw(`"${name}" in it is a symbolic link`)
        .with.property('code', 'CONFIG_INVALID')
    }
  })

  it('follows a link to a state folder that was named, and none that a project has by default', () => {
    const project = path.join(folder, 'project')
    const elsewhere = path.join(folder, 'sketches')
    fs.mkdirSync(path.join(elsewhere, 'plugins'), { recursive: true })
    fs.mkdirSync(project)
    fs.symlinkSync(elsewhere, path.join(project, '.phantom'))
    fs.symlinkSync(elsewhere, path.join(project, 'named'))
    expect(() => openStore(path.join(project, '.phantom/plugins'))).to.throw('".phantom" is a symbolic link')
    fs.rmSync(path.join(project, '.phantom'))
    fs.mkdirSync(path.join(project, '.phantom'))
    fs.symlinkSync(elsewhere, path.join(project, '.phantom/plugins'))
    expect(() => openStore(path.join(project, '.phantom/plugins'))).to.throw('it is a symbolic link')
    expect(fs.readdirSync(elsewhere)).to.deep.equal(['plugins'])
    openStore(path.join(project, 'named')).close()
    expect(fs.existsSync(path.join(elsewhere, 'state.db'))).to.equal(true)
  })

  it('opens no database behind a link, and makes none there', () => {
    const stateDirectory = newStateDirectory()
    fs.mkdirSync(stateDirectory, { mode: 0o700 })
    const elsewhere = path.join(folder, 'elsewhere.db')
    fs.symlinkSync(elsewhere, path.join(stateDirectory, 'state.db'))
    expect(() => openStore(stateDirectory))
      .to.throw('it is a symbolic link')
      .with.property('code', 'CONFIG_INVALID')
    expect(fs.existsSync(elsewhere)).to.equal(false)
  })

  it('moves a database with a torn page aside', () => {
    const stateDirectory = newStateDirectory()
    {
      using store = openStore(stateDirectory)
      for (let i = 0; i < 300; i += 1) store.setFact(`key-${i}`, 'x'.repeat(500))
    }
    const file = path.join(stateDirectory, 'state.db')
    const bytes = fs.readFileSync(file)
    bytes.fill(0xff, 8192, 65_536)
    fs.writeFileSync(file, bytes)
    using store = openStore(stateDirectory)
    expect(store.warnings.join()).to.contain('corrupt-')
    expect(store.fact('key-1')).to.equal(undefined)
  })
})

function thrownBy(run: () => unknown): PhantomError {
  try {
    run()
  } catch (error) {
    return error as PhantomError
  }
  throw new Error('nothing was thrown')
}

function countRows(stateDirectory: string, sql: string): number {
  const database = new DatabaseSync(path.join(stateDirectory, 'state.db'))
  try {
    return Number(database.prepare(sql).get()?.['n'])
  } finally {
    database.close()
  }
}
