import { openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { RunnerParams, RunnerResults } from '../src/contract/runner-methods.ts'

/** Scopes of Node's permission model that a runner asks for beside files. */
const SCOPES = ['child', 'worker', 'net', 'addon', 'wasi', 'inspector', 'ffi'] as const
/** Nobody in an own network, or behind a filter, waits that long. */
const CONNECT_TIMEOUT_MS = 250

/** Tries what must fail, before any code of the plugin is in this realm that could make it look so. */
export async function runCanary(asked: RunnerParams['attest']): Promise<RunnerResults['attest']> {
  const { read, signal, connect, start } = asked
  return {
    read: failureOf(() => openSync(read, 'r')),
    signal: signal === null ? null : failureOf(() => process.kill(signal, 0)),
    connect: connect === null ? null : await failureOfConnect(connect),
    start: start ? failureOfStart() : null,
    node: SCOPES.filter((scope) => isGranted(scope)),
  }
}

/** The code of the error that an attempt ends with; empty where it succeeds. */
function failureOf(attempt: () => unknown): string {
  try {
    attempt()
    return ''
  } catch (error) {
    return codeOf(error)
  }
}

function failureOfConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = new Socket()
    const end = (code: string): void => {
      socket.destroy()
      resolve(code)
    }
    socket.on('error', (error) => end(codeOf(error)))
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => end('ETIMEDOUT'))
    try {
      socket.connect({ host: '127.0.0.1', port }, () => end(''))
    } catch (error) {
      end(codeOf(error))
    }
  })
}

/** There is no such program: that it is missing is found by a process that was made to look for it. */
function failureOfStart(): string {
  return failureOf(() => {
    // Not imported above: it costs half a millisecond, and few starts try this.
    const { spawnSync } = process.getBuiltinModule('node:child_process')
    const { error } = spawnSync('/nonexistent/program')
    if (error !== undefined && codeOf(error) !== 'ENOENT') throw error
  })
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error'
}

/** Without the model everything is. */
function isGranted(scope: string): boolean {
  return process.permission === undefined || process.permission.has(scope)
}
