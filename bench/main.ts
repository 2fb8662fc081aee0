/** `npm run bench`: measures, prints tables, writes JSON. See README.md beside it. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { DESIGN_NAMES, type DesignName } from './harness/design.ts'
import { Findings } from './harness/findings.ts'
import { judge, type Outcome } from './harness/judge.ts'
import { observeMachine, type Machine } from './harness/machine.ts'
import { measureBombs } from './harness/measure-bombs.ts'
import { measureCalls, measurePayloadMemory } from './harness/measure-calls.ts'
import { measureEgress } from './harness/measure-egress.ts'
import { measureIdle, measureInstalled } from './harness/measure-many.ts'
import { measureNative } from './harness/measure-native.ts'
import { measureNeighbours } from './harness/measure-neighbours.ts'
import { measureProcesses } from './harness/measure-processes.ts'
import { measureReload } from './harness/measure-reload.ts'
import { measureTakeOver } from './harness/measure-take-over.ts'
import { measureWasm } from './harness/measure-wasm.ts'
import { pinnedCore } from './harness/pinned-process.ts'
import type { Setting } from './harness/setting.ts'
import { figureTables, goalTable } from './harness/table.ts'

const LATEST = new URL('results/latest.json', import.meta.url).pathname
const USAGE = `usage: npm run bench -- [--rounds N] [--quick] [--json FILE] [--only NAME]... [--gate]`
const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130

const PARTS = {
  calls: measureCalls,
  'payload-memory': measurePayloadMemory,
  processes: measureProcesses,
  reload: measureReload,
  'take-over': measureTakeOver,
  idle: measureIdle,
  installed: measureInstalled,
  neighbours: measureNeighbours,
  egress: measureEgress,
  wasm: measureWasm,
  native: measureNative,
  bombs: measureBombs,
} as const
type PartName = keyof typeof PARTS
const PART_NAMES = Object.keys(PARTS) as PartName[]
/** What every design is measured by; the other parts have subjects of their own. */
const PARTS_OF_DESIGNS: readonly PartName[] = ['calls', 'payload-memory']

const options = readOptions()
// Not below /tmp, where no project lies: a sandbox has a /tmp of its own, and shows a place in it by two more mounts.
const folder = fs.mkdtempSync(
  path.join(fs.existsSync('/var/tmp') ? '/var/tmp' : os.tmpdir(), 'phantom-bench-'),
)
// Without namespaces a root daemon's plugins, which are not root, have to find their way to their own files.
fs.chmodSync(folder, 0o755)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Pinned processes end by themselves when this one, the other end of their channel, is gone.
  process.once(signal, () => {
    removeFolder()
    process.exit(EXIT_INTERRUPTED)
  })
}
try {
  await run()
} finally {
  removeFolder()
}

async function run(): Promise<void> {
  const core = pinnedCore()
  const describeMachine = observeMachine(core)
  const tell = (line: string): void => void process.stderr.write(`${line}\n`)
  const setting: Setting = { ...options, core, folder, tell }
  const findings = new Findings()
  for (const part of options.parts) {
    findings.begin(part)
    await PARTS[part](setting, findings)
  }
  const machine = describeMachine()
  const outcomes = judge(findings)
  report(machine, findings, outcomes)
  writeJson(machine, findings, outcomes)
  const unmet = outcomes.filter(({ met }) => met === 'no' || met === 'not measured')
  if (options.isGate && unmet.length > 0) process.exitCode = 1
}

function report(machine: Machine, findings: Findings, outcomes: Outcome[]): void {
  const { cpu, cores, kernel, node, pinned_core: core } = machine
  const place = core === null ? 'NOT pinned to one core (no taskset)' : `everything on core ${core}`
  const load = `load ${machine.load_before.toFixed(1)} to ${machine.load_after.toFixed(1)}`
  const stolen = `${(machine.stolen_share * 100).toFixed(1)} % of the processor stolen`
  console.log(`${cpu}, ${cores} cores, ${kernel}, Node ${node}, ${place}, ${load}, ${stolen}`)
  console.log(`isolation of ours: ${findings.tier ?? 'not measured'}`)
  if (options.isQuick) console.log('QUICK RUN: it proves that the bench runs, its figures mean nothing')
  console.log(`\n${goalTable(outcomes)}\n\n${figureTables(findings)}`)
  for (const { part, subject, round, message } of findings.failures) {
    console.log(`\nFAILED ${subject} (${part}, round ${round}): ${message}`)
  }
}

function writeJson(machine: Machine, { samples, failures, tier }: Findings, outcomes: Outcome[]): void {
  const { rounds, isQuick: quick, jsonFile } = options
  const content = {
    taken_at: new Date().toISOString(),
    rounds,
    quick,
    machine,
    tier,
    outcomes,
    failures,
    samples,
  }
  fs.mkdirSync(path.dirname(jsonFile), { recursive: true })
  fs.writeFileSync(jsonFile, `${JSON.stringify(content, null, 2)}\n`)
  console.log(`\nwritten to ${path.relative(process.cwd(), jsonFile)}`)
}

function readOptions(): {
  rounds: number
  isQuick: boolean
  isGate: boolean
  jsonFile: string
  designs: readonly DesignName[]
  parts: readonly PartName[]
} {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '7' },
        quick: { type: 'boolean', default: false },
        gate: { type: 'boolean', default: false },
        json: { type: 'string', default: LATEST },
        only: { type: 'string', multiple: true, default: [] },
      },
    })
    const rounds = values.quick ? 1 : Number(values.rounds)
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new TypeError(`--rounds wants a number from 1, not "${values.rounds}"`)
    return {
      rounds,
      isQuick: values.quick,
      isGate: values.gate,
      jsonFile: path.resolve(values.json),
      ...selection(values.only),
    }
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    process.exit(EXIT_USAGE)
  }
}

/** Names of designs, of parts, or of both; whatever kind is not named is taken whole. */
function selection(names: readonly string[]): { designs: readonly DesignName[]; parts: readonly PartName[] } {
  const known: readonly string[] = [...DESIGN_NAMES, ...PART_NAMES]
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new TypeError(`--only knows ${known.join(', ')}, not "${unknown}"`)
  const designs = DESIGN_NAMES.filter((name) => names.includes(name))
  const parts = PART_NAMES.filter((name) => names.includes(name))
  return {
    designs: designs.length > 0 ? designs : DESIGN_NAMES,
    parts: parts.length > 0 ? parts : designs.length > 0 ? PARTS_OF_DESIGNS : PART_NAMES,
  }
}

function removeFolder(): void {
  // A daemon whose client died may still be writing its last lines there.
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
}
