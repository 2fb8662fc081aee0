/**
 * npm test: every test file, in two runs of mocha beside each other; then, in one run by themselves, the files that
 * measure how long something takes, or change what the others stand on. What is passed goes to mocha.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = path.dirname(import.meta.dirname)
const MOCHA = path.join(ROOT, 'node_modules/mocha/bin/mocha.js')

/** Whose verdict depends on a clock, on the processor or on the peace of the machine. */
const MEASURING = [
  'test/e2e/{cpu-percent,queue,reload-load,supervision*}.test.ts',
  'test/process/{made-nicer,snapshot}.test.ts',
  'test/security/{hostile-flow,hostile-resources,killed-daemon,limit-*,native-limits,probes-*,programs,selftest,thread*}.test.ts',
  'test/unit/host/execution/timing-wheel.test.ts',
  'test/unit/host/metrics/resource-monitor.test.ts',
  'test/unit/host/monitor/*.test.ts',
  'test/unit/host/observe/line-capture.test.ts',
  'test/unit/host/validation/schema-compiler.test.ts',
]

/** They pack the package, which builds `dist/` anew under whatever runs. */
const BUILDING = ['test/e2e/{first-use,pack}.test.ts']

/** About half of the rest. Those that run cargo are all in it: they share a folder of built things. */
const FIRST_HALF = [
  'test/conformance/*.test.ts',
  'test/e2e/{[a-q]*,rust-*}.test.ts',
  'test/pins/pinned-runtime.test.ts',
  'test/process/rust-*.test.ts',
]

const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/
/** Lines of the reporter that belong to the end of the whole. */
const OF_THE_END = /^(?:Skipped|Failed in): /

/** @typedef {{ counts: readonly number[] | null, notes: readonly string[], problem: string | null }} Outcome */

const files = new Set(fs.globSync('test/**/*.test.ts', { cwd: ROOT }).toSorted())
const alone = take([...MEASURING, ...BUILDING])
const firstHalf = take(FIRST_HALF)

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
let isStopped = false
// A terminal sends Ctrl-C to each process by itself; mocha's hook then ends what its tests started.
process.on('SIGINT', () => (isStopped = true))
process.on('SIGTERM', () => {
  isStopped = true
  for (const mocha of running) mocha.kill('SIGTERM')
})

/** @type {string[]} */
const held = []
const halves = await Promise.all([
  runMocha(firstHalf, print),
  runMocha([...files], (line) => held.push(line)),
])
for (const line of held) print(line)
process.exitCode = summarize(isStopped ? halves : [...halves, await runMocha(alone, print)])

/**
 * Takes files out of those that are left.
 * @param {readonly string[]} patterns each of them must fit a file
 */
function take(patterns) {
  return patterns.flatMap((pattern) => {
    const found = fs.globSync(pattern, { cwd: ROOT })
    if (found.length === 0)
      throw new Error(`Cannot find "${pattern}": no test file is named so. Correct ${import.meta.filename}`)
    return found.filter((file) => files.delete(file)).toSorted()
  })
}

/**
 * @param {readonly string[]} chosen
 * @param {(line: string) => void} tell gets all that is not for the end
 * @returns {Promise<Outcome>}
 */
async function runMocha(chosen, tell) {
  const colour = process.stdout.isTTY ? ['--color'] : []
  const args = [MOCHA, ...colour, ...process.argv.slice(2), ...chosen]
  const mocha = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(mocha)
  const closed = once(mocha, 'close')
  const notes = []
  let counts = null
  for await (const line of createInterface(mocha.stdout)) {
    const summary = SUMMARY.exec(line)
    if (summary !== null) counts = summary.slice(1).map(Number)
    else if (OF_THE_END.test(line)) notes.push(line)
    else tell(line)
  }
  const [code, signal] = await closed
  running.delete(mocha)
  const isExplained = counts !== null && (code === 0 || counts[1] !== 0)
  return { counts, notes, problem: isExplained ? null : `mocha ended with ${signal ?? code}` }
}

/**
 * Says how all ended, as one run would; where one of them did not come to its end, no more than that.
 * @param {readonly Outcome[]} outcomes
 * @returns {number} the exit code
 */
function summarize(outcomes) {
  const problem = outcomes.find((outcome) => outcome.problem !== null)?.problem
  if (problem !== undefined || isStopped) {
    process.stderr.write(`Cannot tell how the tests ended: ${problem ?? 'they were stopped'}\n`)
    return 1
  }
  for (const kind of ['Skipped', 'Failed in'])
    for (const note of outcomes.flatMap(({ notes }) => notes)) if (note.startsWith(kind)) print(note)
  const [passed, failed, skipped] = [0, 1, 2].map((at) =>
    outcomes.reduce((sum, { counts }) => sum + (counts?.[at] ?? 0), 0),
  )
  print(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  return failed === 0 ? 0 : 1
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`)
}
