import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fromWireError, PhantomError, type WireError } from '../contract/phantom-error.ts'
import { daemonCommand, type DaemonOptions } from './daemon-command.ts'

/** A cold start compiles the runner and calibrates its memory; a hung one must not hang its application. */
const START_TIMEOUT_MS = 60_000
const MAX_REPORT_CHARS = 64 * 1024

/** What a daemon says on fd 3 when it listens, or why it does not. */
type StartReport = { readonly socket: string } | { readonly error: WireError }

export interface StartedDaemon {
  socket: string
  /** Settles when the daemon has ended; from the call on, waiting for that keeps this process alive. */
  readonly exited: () => Promise<void>
}

/**
 * Starts a private daemon and waits until it listens. It is its own session leader, so a Ctrl-C in the application's
 * terminal does not reach it: it ends when its last application has left.
 *
 * @throws PhantomError RUNTIME_NOT_FOUND, DAEMON_UNREACHABLE, or what the daemon itself reports (CONFIG_INVALID, …)
 */
export async function startPrivateDaemon(options: DaemonOptions): Promise<StartedDaemon> {
  const command = await daemonCommand({ ...options, private: true })
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    const report = await readReport(child)
    if ('error' in report) throw fromWireError(report.error)
    return { socket: report.socket, exited: () => (child.ref(), exited) }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    child.stdio[2]?.destroy()
    child.stdio[3]?.destroy()
    child.unref()
  }
}

function readReport(child: ChildProcess): Promise<StartReport> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => fail(`it did not report within ${START_TIMEOUT_MS / 1000} s`),
      START_TIMEOUT_MS,
    )
    const fail = (what: string): void => {
      clearTimeout(timer)
      reject(
        new PhantomError(
          'DAEMON_UNREACHABLE',
          `Cannot start a daemon: ${what}. Run "phantom serve" to see why`,
        ),
      )
    }
    let text = ''
    let complaint = ''
    child
      .stderr!.setEncoding('utf8')
      .on('data', (chunk: string) => (complaint = (complaint + chunk).slice(-2000)))
    child.once('error', (error) => fail(error.message))
    const report = child.stdio[3] as Readable
    report.setEncoding('utf8')
    report.on('data', (chunk: string) => {
      if (text.length < MAX_REPORT_CHARS) text += chunk
      if (!text.includes('\n')) return
      clearTimeout(timer)
      try {
        resolve(JSON.parse(text.slice(0, text.indexOf('\n'))) as StartReport)
      } catch {
        fail(`it reported what is no JSON: ${text.slice(0, 200)}`)
      }
    })
    child.once('exit', (code, signal) =>
      fail(
        `it ended with ${signal ?? `exit code ${code}`}${complaint === '' ? '' : `: ${complaint.trim()}`}`,
      ),
    )
  })
}
