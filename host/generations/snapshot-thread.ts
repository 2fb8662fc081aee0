import { rm } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { copyError } from './snapshot-error.ts'
import type { Snapshot, SnapshotMessage, SnapshotTask } from './snapshot-task.ts'

/** 512 MiB of a slow disk take half of it; a source that the stripper does not get through takes all of it. */
const DEADLINE_MS = 30_000
/** One that takes long does not stop the others; more of them would only share the disk. */
const MAX_THREADS = 2
/** In the bundle everything of the host is one file in dist/host, the worker one below it. */
const WORKER_URL = new URL(
  import.meta.url.endsWith('.ts') ? './snapshot-worker.ts' : './generations/snapshot-worker.js',
  import.meta.url,
)

const waiting: (() => void)[] = []
let running = 0

/**
 * Copies a folder in a thread that lives for it alone.
 *
 * @throws PhantomError PLUGIN_START_FAILED
 */
export async function takeInThread(task: SnapshotTask, deadlineMs = DEADLINE_MS): Promise<Snapshot> {
  if (running >= MAX_THREADS) await new Promise<void>((resolve) => waiting.push(resolve))
  else running += 1
  try {
    return await runThread(task, deadlineMs)
  } finally {
    // Whoever waits takes the place over.
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }
}

async function runThread(task: SnapshotTask, deadlineMs: number): Promise<Snapshot> {
  const drafts: string[] = []
  let stripped: string | null = null
  const worker = startWorker(task)
  const outcome = Promise.withResolvers<Snapshot>()
  const fail = (why: string, next: string, cause?: unknown): void =>
    outcome.reject(copyError(stripped ?? task.directory, why, { next, cause }))
  const deadline = setTimeout(() => {
    fail(`it takes longer than ${deadlineMs / 1000} s`, 'Make it smaller or simpler')
  }, deadlineMs)
  worker.on('message', (message: SnapshotMessage) => {
    if (message.kind === 'drafts') drafts.push(message.draft)
    else if (message.kind === 'strips') stripped = message.path
    else if (message.kind === 'taken') outcome.resolve(message.snapshot)
    else outcome.reject(failureOf(message))
  })
  worker.on('error', (error) =>
    fail(`its thread ended with: ${messageOf(error)}`, 'Make it smaller or simpler', error),
  )
  worker.on('exit', (code) => fail(`its thread ended with exit code ${code}`, "See the daemon's log"))
  try {
    return await outcome.promise
  } finally {
    clearTimeout(deadline)
    await worker.terminate()
    for (const draft of drafts) await rm(draft, { recursive: true, force: true }).catch(() => undefined)
  }
}

function startWorker(task: SnapshotTask): Worker {
  const worker = new Worker(WORKER_URL, {
    workerData: task,
    env: {},
    // Of the stripper, and anew for every thread.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  })
  // A daemon that stops does not wait for it.
  worker.unref()
  return worker
}

function failureOf({ message, details, cause }: SnapshotMessage & { kind: 'failed' }): PhantomError {
  const { code } = cause
  const origin = Object.assign(new Error(cause.message), code === null ? {} : { code })
  return new PhantomError('PLUGIN_START_FAILED', message, { details, cause: origin })
}
