import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { anAct, AuditWorld } from '../helpers/audit-world.ts'
import { until } from '../helpers/daemon.ts'

const HELPER_URL = new URL('../helpers/audit-world.ts', import.meta.url).href
/** Writes acts until somebody ends it, and says of each that it is on the disk. */
const WRITER = `
  const { AuditWorld } = await import(${JSON.stringify(HELPER_URL)})
  const world = new AuditWorld(process.argv[1])
  world.open()
  for (let i = 1; ; i += 1) { await world.write(1); console.log(i) }`

describe('AuditLog', () => {
  const worlds: AuditWorld[] = []
  const newWorld = (): AuditWorld => {
    const world = new AuditWorld()
    worlds.push(world)
    return world
  }

  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.remove()
  })

  it('chains its lines by hashes that anybody can compute', async () => {
    const world = newWorld()
    world.open()
    await world.write(3)
    let previous = '0'.repeat(64)
    for (const [at, line] of world.lines().entries()) {
      const record = JSON.parse(line) as { sequence: number; previous: string; hash: string }
      expect(record.sequence).to.equal(at + 1)
      expect(record.previous).to.equal(previous)
      const text = line.replace(`,"hash":"${record.hash}"}`, '}')
      expect(createHash('sha256').update(text).digest('hex')).to.equal(record.hash)
      previous = record.hash
    }
    expect(fs.statSync(path.join(world.folder, 'audit.jsonl')).mode & 0o777).to.equal(0o600)
  })

  it('is whole after a clean end and a new start', async () => {
    const world = newWorld()
    world.open()
    await world.write(5)
    await world.close()
    world.open()
    await world.write(5)
    await world.close()
    const found = await world.reopenAndVerify()
    expect(found).to.deep.include({ ok: true, problems: [], notes: [], records: 10, last_sequence: 10 })
  })

  it('takes secrets out of everything it is told, and bounds it', async () => {
    const world = newWorld()
    world.open()
    const actor = { ...anAct.actor!, command: 'phantom --key hunter22' }
    await world.write(1, { actor, details: { hunter22: ['hunter22'], long: 'x'.repeat(100_000) } })
    const [line = ''] = world.lines()
    expect(line).to.not.include('hunter22')
    expect(line).to.include('"[secret]":["[secret]"]')
    expect(line.length).to.be.below(4_000)
  })

  it('keeps control characters of others out of a terminal that shows the file', async () => {
    const world = newWorld()
    world.open()
    await world.write(1, { details: { name: '\u001b[2J\u202e\n' } })
    expect(world.lines()).to.have.length(1)
    expect(world.lines()[0]).to.not.match(/[\u001b\u202e]/)
    expect((await world.log.verify()).ok).to.equal(true)
  })

  it('finds the lines that were asked for, across files', async () => {
    const world = newWorld()
    world.open({ maxFileBytes: 2_000 })
    await world.write(20)
    await world.write(1, { action: 'call.denied', plugin_id: 'other' })
    await world.write(20)
    const { log } = world
    expect(await log.query({ pluginId: 'other', limit: 10 })).to.have.length(1)
    expect(await log.query({ action: 'call.', limit: 10 })).to.have.length(1)
    expect(await log.query({ action: 'call', limit: 10 })).to.have.length(0)
    const last = await log.query({ action: 'admin.reload_plugin', limit: 3 })
    expect(last.map(({ details }) => details['i'])).to.deep.equal([17, 18, 19])
    expect(await log.query({ since: '2026-01-02T00:00:00Z', limit: 10 })).to.have.length(0)
  })

  describe('its files', () => {
    it('turn over with the chain unbroken, and the oldest is retired by a record of it', async () => {
      const world = newWorld()
      world.open({ maxFileBytes: 2_000, maxFiles: 3 })
      for (let i = 0; i < 30; i += 1) await world.write(1)
      const names = world.files().toSorted()
      expect(names).to.have.length(3)
      expect(names.at(-1)).to.equal('audit.jsonl')
      const found = await world.log.verify()
      expect(found.problems).to.deep.equal([])
      expect(found.first_sequence).to.be.above(1)
      expect(await world.log.query({ action: 'audit.retired', limit: 100 })).to.not.have.length(0)
    })

    it('are missed when one was taken away that was not retired', async () => {
      const world = newWorld()
      world.open({ maxFileBytes: 2_000, maxFiles: 5 })
      for (let i = 0; i < 30; i += 1) await world.write(1)
      const [oldest = '', second = ''] = world.files().toSorted()
      fs.rmSync(path.join(world.folder, second))
      expect((await world.log.verify()).problems[0]).to.include({ kind: 'missing' })
      fs.rmSync(path.join(world.folder, oldest))
      const { problems } = await world.log.verify()
      expect(problems[0]).to.include({ kind: 'missing', line: 1 })
    })
  })

  describe('when its daemon is killed', () => {
    it('has every line that was acknowledged, and goes on with the chain (5 kills)', async function () {
      this.timeout(60_000)
      const world = newWorld()
      for (let kill = 0; kill < 5; kill += 1) {
        const acknowledged = await killWriter(world.folder, 5)
        const found = await world.reopenAndVerify()
        expect(found.problems).to.deep.equal([])
        expect(found.records).to.be.at.least(acknowledged)
      }
    })

    it('is no less whole when that was before its first checkpoint', async () => {
      const world = newWorld()
      world.open()
      world.log.record(anAct)
      await until(() => world.files().includes('audit.jsonl') && world.lines()[0] !== '', 'its first line')
      const killed = newWorld()
      fs.cpSync(world.folder, killed.folder, { recursive: true })
      const found = await killed.reopenAndVerify()
      expect(found).to.deep.include({ ok: true, records: 1 })
    })

    it('sets a line aside that was not finished, says so in the chain, and goes on', async () => {
      const world = newWorld()
      await killWriter(world.folder, 3)
      fs.appendFileSync(path.join(world.folder, 'audit.jsonl'), '{"sequence":99,"time":"20')
      world.open()
      await world.write(1)
      const records = world.records()
      const torn = records.find(({ action }) => action === 'audit.torn_line')!
      expect(torn.details).to.include({ bytes: 25 })
      expect(fs.readFileSync(path.join(world.folder, torn.details['file'] as string), 'utf8')).to.equal(
        '{"sequence":99,"time":"20',
      )
      expect((await world.log.verify()).problems).to.deep.equal([])
    })
  })

  describe('under a flood', () => {
    const refusal = { action: 'egress.refused', plugin_id: 'loud', outcome: 'refused', actor: null } as const

    it('writes the first refusals in full and counts the rest, in ever longer windows', async () => {
      const world = newWorld()
      world.open()
      for (let second = 0; second < 600; second += 1) {
        for (let i = 0; i < 100; i += 1) world.log.record({ ...refusal, details: { host: `h${i}.test` } })
        world.nowMs += 1_000
        // The log's own timer looks after each second: here the clock is ours.
        if (second % 10 === 9) await world.log.settled()
      }
      await world.close()
      const records = world.records()
      expect(records.length).to.be.below(40)
      const folded = records.map(({ details }) => (details['folded'] as number | undefined) ?? 1)
      expect(folded.reduce((sum, count) => sum + count, 0)).to.equal(60_000)
    })

    it('does not fold the acts of people, nor one plugin with another', async () => {
      const world = newWorld()
      world.open()
      for (let i = 0; i < 100; i += 1) world.log.record({ ...refusal, details: {} })
      await world.write(50)
      world.log.record({ ...refusal, plugin_id: 'quiet', details: {} })
      await world.log.settled()
      const records = world.records()
      expect(records.filter(({ plugin_id: id }) => id === 'sample')).to.have.length(50)
      expect(records.filter(({ plugin_id: id }) => id === 'quiet')).to.have.length(1)
      expect(records.filter(({ plugin_id: id }) => id === 'loud')).to.have.length(20)
    })
  })

  it('notices that its file was moved away, and goes on in a new one', async () => {
    const world = newWorld()
    world.open()
    await world.write(3)
    fs.rmSync(path.join(world.folder, 'audit.jsonl'))
    await world.write(1)
    expect(world.records()[0]).to.include({ action: 'audit.broken', sequence: 4 })
    const { problems } = await world.log.verify()
    expect(problems.map(({ kind }) => kind)).to.have.members(['broken', 'missing'])
  })

  async function killWriter(folder: string, afterLines: number): Promise<number> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = 0
    createInterface({ input: child.stdout }).on('line', (line) => (acknowledged = Number(line)))
    await until(() => acknowledged >= afterLines, 'lines to be acknowledged')
    child.kill('SIGKILL')
    await once(child, 'close')
    return acknowledged
  }
})
