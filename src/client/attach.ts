import { existsSync, realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'
import { socketPathOf, stateDirectoryOf } from '../rpc/endpoint.ts'
import type { DaemonOptions } from './daemon-command.ts'
import { DaemonSession } from './daemon-session.ts'
import { startPrivateDaemon } from './start-private-daemon.ts'

/**
 * Two applications that start at once both start a daemon; the one without the lock then attaches. And a daemon on
 * its way out holds the lock until its last plugin is gone.
 */
const RETRY_FOR_MS = 30_000
const RETRY_AFTER_MS = 50

/** An attached session, and the end of the daemon where this process started it. */
export interface Attached {
  session: DaemonSession
  /** Waits for the end of the private daemon that we started; null when it is somebody else's. */
  daemonExited: (() => Promise<void>) | null
}

/**
 * Attaches to the daemon that serves a plugin directory, null when none does.
 *
 * @throws PhantomError PLUGIN_DIRECTORY_NOT_FOUND, VERSION_UNSUPPORTED
 */
export async function attachSession(options: {
  plugin_directory: string
  state_directory?: string
  workspace: string
}): Promise<DaemonSession | null> {
  const state = options.state_directory ?? stateDirectoryOf(checkDirectory(options.plugin_directory))
  try {
    return await DaemonSession.open(socketPathOf(state), { workspace: options.workspace })
  } catch (error) {
    if (isPhantomError(error) && (error.code === 'DAEMON_UNREACHABLE' || error.code === 'DAEMON_LOST'))
      return null
    throw error
  }
}

/** Attaches, or starts a private daemon and attaches to that. */
export async function attachOrStart(
  options: Omit<DaemonOptions, 'private'> & { workspace: string },
): Promise<Attached> {
  const directory = checkDirectory(options.plugin_directory)
  const giveUpAtMs = performance.now() + RETRY_FOR_MS
  for (;;) {
    const session = await attachSession(options)
    if (session !== null) return { session, daemonExited: null }
    try {
      const daemon = await startPrivateDaemon({ ...options, plugin_directory: directory, private: true })
      const started = await DaemonSession.open(daemon.socket, { workspace: options.workspace })
      return { session: started, daemonExited: daemon.exited }
    } catch (error) {
      if (!isPassing(error) || performance.now() > giveUpAtMs) throw error
      await delay(RETRY_AFTER_MS)
    }
  }
}

/** Another daemon won the race for the lock, or one that was just ending went away under us. */
function isPassing(error: unknown): boolean {
  return (
    isPhantomError(error) &&
    (error.code === 'DAEMON_ALREADY_RUNNING' ||
      error.code === 'DAEMON_LOST' ||
      error.code === 'DAEMON_UNREACHABLE')
  )
}

function checkDirectory(directory: string): string {
  const path = resolve(directory)
  if (existsSync(path) && statSync(path).isDirectory()) return realpathSync(path)
  throw new PhantomError(
    'PLUGIN_DIRECTORY_NOT_FOUND',
    `Cannot open plugin directory "${directory}": ${path} is ${existsSync(path) ? 'no folder' : 'not there'}. ` +
      `Create it (mkdir -p ${path}) or name another one`,
    { details: { path } },
  )
}
