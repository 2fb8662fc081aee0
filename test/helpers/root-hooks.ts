import { setTimeout as delay } from 'node:timers/promises'
import { findProcessesOf } from './left-processes.ts'
import { enterRunFolder, entriesOf, removeRunFolder } from './run-folder.ts'

/** What ends a moment after its test: a killed process, a closing socket. */
const GRACE_MS = 3_000
const POLL_MS = 20
const EXIT_INTERRUPTED = 130

/** Resources that come and go with Node's own work and keep no process alive for long. */
const TRANSIENT_RESOURCES =
  /^(Timeout|Immediate|TickObject|FSReq.*|.*ReqWrap|.*RequestWrap|CloseReq|TTYWrap)$/

const folder = enterRunFolder()
const warnings: string[] = []
const reported = new Set<string>()

let resourcesAtStart = new Map<string, number>()
/** Made while the test files were loaded, so in use until the last of them has run. */
let filesInUse: readonly string[] = []

process.on('exit', () => removeRunFolder(folder))
// Ctrl-C runs no hook and no exit handler by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endProcesses()
    process.exit(EXIT_INTERRUPTED)
  })
}
process.on('warning', (warning) => warnings.push(`${warning.name}: ${warning.message}`))

/**
 * Fails the run at the end of the test file that left something behind: a process, a file in the temporary
 * folder, an open handle, or a process warning. Each is reported once, and processes are then ended, so that
 * the next file starts clean.
 */
export const mochaHooks = {
  beforeAll(this: Mocha.Context) {
    resourcesAtStart = countResources()
    filesInUse = entriesOf(folder)
    const root = this.test?.parent
    for (const last of lastSuitesOfFiles(root?.suites ?? [])) {
      last.afterAll('leaves nothing behind', failOnLeftovers)
    }
  },
  async afterAll() {
    filesInUse = []
    await failOnLeftovers()
  },
}

async function failOnLeftovers(): Promise<void> {
  const deadline = performance.now() + GRACE_MS
  let leftovers = findLeftovers()
  while (leftovers.length > 0 && performance.now() < deadline) {
    await delay(POLL_MS)
    leftovers = findLeftovers()
  }
  const found = [...leftovers, ...warnings.splice(0).map((text) => `warning: ${text}`)]
  endProcesses()
  for (const leftover of found) reported.add(leftover)
  if (found.length > 0) {
    throw new Error(`Tests left something behind. Close it in after():\n  ${found.join('\n  ')}`)
  }
}

function findLeftovers(): string[] {
  const processes = findProcessesOf(folder).map(({ pid, commandLine }) => `process ${pid}: ${commandLine}`)
  const files = entriesOf(folder)
    .filter((name) => !filesInUse.includes(name))
    .map((name) => `file: ${folder.path}/${name}`)
  const handles = [...countResources()]
    .filter(([kind, count]) => count > (resourcesAtStart.get(kind) ?? 0))
    .map(
      ([kind, count]) => `handle: ${kind} (${count} open, ${resourcesAtStart.get(kind) ?? 0} at the start)`,
    )
  return [...processes, ...files, ...handles].filter((leftover) => !reported.has(leftover))
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (!TRANSIENT_RESOURCES.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** By id, and only what the run itself started; any of them may have ended since it was seen. */
function endProcesses(): void {
  for (const { pid } of findProcessesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ESRCH: gone already. EPERM: another user's, and reported all the same.
    }
  }
}

/** Suites run in the order of their files, so the last top-level suite of a file ends the file. */
function lastSuitesOfFiles(suites: readonly Mocha.Suite[]): Mocha.Suite[] {
  return [...new Map(suites.map((suite) => [suite.file, suite])).values()]
}
