import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import type { Question, Reply } from './questions.ts'

/** No question takes longer on a busy machine, the 64 MB payload included. */
const ANSWER_TIMEOUT_MS = 120_000
const EXIT_GRACE_MS = 5_000
const KEPT_STDERR_CHARS = 2_000

export interface PinnedProcess<Q extends { [K in keyof Q]: Question }> {
  ask<K extends keyof Q & string>(name: K, params: Q[K]['params']): Promise<Q[K]['answer']>
  /** Lets it close what it started, waits for its end, kills it if there is none. Never throws. */
  close(): Promise<void>
}

/**
 * The one core that every process of a design shares: the first that we may run on; null without `taskset`.
 * On two cores a wake-up across them would be most of what is measured, on a virtual machine above all.
 */
export function pinnedCore(): number | null {
  if (spawnSync('taskset', ['--version']).error !== undefined) return null
  const allowed = /^Cpus_allowed_list:\s+(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))
  return allowed === null ? null : Number(allowed[1])
}

/** A fresh Node process on `core`, in `folder`; what it starts inherits both. */
export function startPinned<Q extends { [K in keyof Q]: Question }>(
  entry: URL,
  name: string,
  place: { core: number | null; folder: string },
): PinnedProcess<Q> {
  const node = [process.execPath, entry.pathname, name]
  const [command = '', ...args] = place.core === null ? node : ['taskset', '-c', String(place.core), ...node]
  fs.mkdirSync(place.folder)
  const child = spawn(command, args, { cwd: place.folder, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT_STDERR_CHARS)
  })
  const ask = async (question: string, params: unknown): Promise<unknown> => {
    const reply = await replyOf(child, { name: question, params }, () => stderr)
    if (!reply.ok) throw new Error(reply.message)
    return reply.answer
  }
  return {
    ask,
    close: () => close(child, ask),
  }
}

async function replyOf(child: ChildProcess, message: object, stderr: () => string): Promise<Reply> {
  const settled = new AbortController()
  const options = { signal: settled.signal }
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  try {
    if (!child.connected) throw new Error(`its client process ended (${child.exitCode ?? child.signalCode})`)
    child.send(message)
    return await Promise.race([
      once(child, 'message', { signal: AbortSignal.any([settled.signal, timeout]) }).then(
        ([reply]) => reply as Reply,
      ),
      once(child, 'close', options).then(([code, signal]) => {
        throw new Error(`its client process ended (${code ?? signal}) ${stderr()}`.trim())
      }),
    ])
  } catch (error) {
    if (timeout.aborted) child.kill('SIGKILL')
    throw timeout.aborted
      ? new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`, { cause: error })
      : error
  } finally {
    settled.abort()
  }
}

async function close(
  child: ChildProcess,
  ask: (name: string, params: null) => Promise<unknown>,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  const grace = setTimeout(() => child.kill('SIGKILL'), EXIT_GRACE_MS)
  // A design that failed may fail to close as well; its failure was reported, and the grace ends the process.
  await ask('close', null).catch(() => child.kill('SIGKILL'))
  await gone
  clearTimeout(grace)
}
