import { expect } from 'chai'
import { execFile, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { toChainLine } from '../../host/audit/audit-chain.ts'
import { verifyOffline } from '../../host/audit/verify-offline.ts'
import type { AuditProblem, AuditRecord, AuditVerification } from '../../src/contract/audit.ts'
import { anAct, AuditWorld } from '../helpers/audit-world.ts'

const CLI = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const COUNT = 10

/** What an attacker does to the lines of a closed log, and what must be found, where. */
const TAMPERINGS: Readonly<
  Record<string, { change: (lines: string[]) => string[]; finds: Partial<AuditProblem> }>
> = {
  'a word of a line was changed': {
    change: (lines) => lines.with(4, lines[4]!.replace('sample', 'other!')),
    finds: { kind: 'changed', line: 5 },
  },
  'a line was changed and its hash made anew': {
    change: (lines) => lines.with(4, forged(lines[4]!, { plugin_id: 'other' })),
    finds: { kind: 'forged', line: 6 },
  },
  'the last line was changed and its hash made anew': {
    change: (lines) => lines.with(COUNT - 1, forged(lines.at(-1)!, { plugin_id: 'other' })),
    finds: {
      kind: 'changed',
      line: COUNT,
      message: `record ${COUNT} is not the one that its checkpoint names`,
    },
  },
  'everything was written anew with hashes that fit': {
    change: (lines) => rewritten(lines),
    finds: { kind: 'changed', line: COUNT },
  },
  'a line was taken out': {
    change: (lines) => lines.toSpliced(4, 1),
    finds: { kind: 'missing', line: 5, message: 'record 5 is missing before record 6' },
  },
  'the first lines were taken out': {
    change: (lines) => lines.slice(3),
    finds: { kind: 'missing', line: 1, message: 'records 1 to 3 are missing' },
  },
  'two lines changed places': {
    change: (lines) => lines.with(4, lines[5]!).with(5, lines[4]!),
    finds: { kind: 'missing', line: 5 },
  },
  'the end was cut off': {
    change: (lines) => lines.slice(0, -2),
    finds: {
      kind: 'cut',
      line: COUNT - 2,
      message: `records ${COUNT - 1} to ${COUNT} are missing at the end`,
    },
  },
  'everything was cut off': { change: () => [], finds: { kind: 'cut', line: 0 } },
  'a line was added that follows in every way': {
    change: (lines) => [...lines, appended(lines)],
    finds: { kind: 'forged', line: COUNT + 1 },
  },
  'a line was written twice': {
    change: (lines) => lines.toSpliced(4, 0, lines[4]!),
    finds: { kind: 'reordered', line: 6 },
  },
  'a line lost its end': {
    change: (lines) => lines.with(4, lines[4]!.slice(0, 40)),
    finds: { kind: 'changed', line: 5, message: 'this is no record' },
  },
  'two lines became one': {
    change: (lines) => lines.toSpliced(4, 2, lines[4]! + lines[5]!),
    finds: { kind: 'changed', line: 5 },
  },
  'a line was made very long': {
    change: (lines) => lines.with(4, 'x'.repeat(3_000_000)),
    finds: { kind: 'changed', line: 5 },
  },
  'the file is another one': {
    change: () => ['{"sequence":1}', 'nonsense'],
    finds: { kind: 'changed', line: 1 },
  },
}

describe('verifying the audit log', () => {
  let world: AuditWorld

  beforeEach(async () => {
    world = new AuditWorld()
    world.open()
    await world.write(COUNT)
  })
  afterEach(() => world.remove())

  it('finds nothing where nothing was done, with and without a daemon', async () => {
    expect(await world.log.verify()).to.deep.include({ ok: true, records: COUNT, problems: [] })
    await world.close()
    const before = snapshotOf(world.folder)
    expect(await verifyOffline(world.folder)).to.deep.include({ ok: true, records: COUNT, notes: [] })
    expect(snapshotOf(world.folder), 'evidence is left alone').to.deep.equal(before)
  })

  for (const [what, { change, finds }] of Object.entries(TAMPERINGS)) {
    it(`says where ${what}, with and without a daemon`, async () => {
      const running = world.log
      world.setLines(change(world.lines()))
      expectFound(await running.verify(), finds)
      world.setLines([])
      await world.remove()

      world = new AuditWorld()
      world.open()
      await world.write(COUNT)
      await world.close()
      world.setLines(change(world.lines()))
      expectFound(await verifyOffline(world.folder), finds)
    })

    it(`still says so after a daemon went on with a log where ${what}`, async () => {
      await world.close()
      world.setLines(change(world.lines()))
      world.open()
      await world.write(3)
      await world.close()
      const { ok, problems } = await verifyOffline(world.folder)
      expect([ok, problems.length > 0]).to.deep.equal([false, true])
    })
  }

  it('finds an end that a killed daemon left unfinished', async () => {
    await world.close()
    fs.appendFileSync(path.join(world.folder, 'audit.jsonl'), '{"sequence":11')
    expectFound(await verifyOffline(world.folder), { kind: 'torn', line: COUNT + 1 })
  })

  it('reads no pipe that lies in the place of the file, and refuses acts', async () => {
    await world.close()
    fs.rmSync(path.join(world.folder, 'audit.jsonl'))
    execFileSync('mkfifo', [path.join(world.folder, 'audit.jsonl')])
    world.open()
    world.log.record(anAct)
    const refusal = await world.log.settled().catch((error: unknown) => error)
    expect(refusal).to.have.property('code', 'AUDIT_UNAVAILABLE')
    expect(refusal).to.have.property('message').that.includes('no regular file')
    fs.rmSync(path.join(world.folder, 'audit.jsonl'))
    await world.log.settled()
    await world.close()
    execFileSync('mkfifo', [path.join(world.folder, 'audit.000000000001.jsonl')])
    expect((await verifyOffline(world.folder)).files).to.deep.equal(['audit.jsonl'])
  })

  it('finds a file that was taken away, and says where no checkpoint could prove anything', async () => {
    await world.close()
    fs.rmSync(path.join(world.folder, 'audit.jsonl'))
    expectFound(await verifyOffline(world.folder), { kind: 'cut' })
    fs.rmSync(path.join(world.folder, 'state.db'))
    expect((await verifyOffline(world.folder)).notes[0]).to.include('no checkpoint')
  })

  it('is a command that ends with 1 and names file and line', async function () {
    this.timeout(30_000)
    await world.close()
    const whole = await run(['audit', 'verify', '--state', world.folder])
    expect([whole.code, whole.stdout]).to.deep.equal([
      0,
      `whole  records 1 to ${COUNT} (${COUNT}) in 1 file, 1 checkpoints\nlast hash  ${COUNT}:${lastHash(world)}\n`,
    ])
    world.setLines(world.lines().slice(0, -1))
    const cut = await run(['audit', 'verify', '--state', world.folder])
    expect(cut.code).to.equal(1)
    expect(cut.stdout).to.include(`audit.jsonl:${COUNT - 1}  cut: record ${COUNT} is missing`)
    const nowhere = await run(['audit', 'verify', '--state', path.join(world.folder, 'nowhere')])
    expect([nowhere.code, nowhere.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code === 8 && text.includes('there is no such folder'),
    )
  })
})

function expectFound({ ok, problems }: AuditVerification, finds: Partial<AuditProblem>): void {
  expect(ok).to.equal(false)
  const like = problems.some((problem) =>
    Object.entries(finds).every(([key, value]) => problem[key as keyof AuditProblem] === value),
  )
  expect(like, `${JSON.stringify(finds)} among ${JSON.stringify(problems)}`).to.equal(true)
}

/** The line as its attacker would have it, with a hash that is right for it. */
function forged(line: string, change: Partial<AuditRecord>): string {
  const { sequence, previous, hash: _hash, ...body } = JSON.parse(line) as AuditRecord
  return toChainLine({ ...body, ...change }, { sequence: sequence - 1, hash: previous }).line
}

function rewritten(lines: readonly string[]): string[] {
  let head = { sequence: 0, hash: '0'.repeat(64) }
  return lines.map((line) => {
    const { sequence: _sequence, previous: _previous, hash: _hash, ...body } = JSON.parse(line) as AuditRecord
    const next = toChainLine({ ...body, plugin_id: 'other' }, head)
    head = next.head
    return next.line
  })
}

function appended(lines: readonly string[]): string {
  const { sequence, hash, previous: _previous, ...body } = JSON.parse(lines.at(-1)!) as AuditRecord
  return toChainLine(body, { sequence, hash }).line
}

function lastHash(world: AuditWorld): string {
  return world.records().at(-1)!.hash
}

function snapshotOf(folder: string): [string, number, number][] {
  return fs.readdirSync(folder).map((name) => {
    const { mtimeMs, size } = fs.statSync(path.join(folder, name))
    return [name, mtimeMs, size]
  })
}

async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [CLI, ...args])) }
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }
  }
}
