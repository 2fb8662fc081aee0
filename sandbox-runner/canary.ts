import { openSync } from 'node:fs'
import type { RunnerParams, RunnerResults } from '../src/contract/runner-methods.ts'

/** Scopes of Node's permission model that a runner asks for beside files. */
const SCOPES = ['child', 'worker', 'net', 'addon', 'wasi', 'inspector', 'ffi'] as const

/** Tries what must fail, before any code of the plugin is in this realm that could make it look so. */
export function runCanary({ read, signal }: RunnerParams['attest']): RunnerResults['attest'] {
  return {
    read: failureOf(() => openSync(read, 'r')),
    signal: signal === null ? null : failureOf(() => process.kill(signal, 0)),
    node: SCOPES.filter((scope) => isGranted(scope)),
  }
}

/** The code of the error that an attempt ends with; empty where it succeeds. */
function failureOf(attempt: () => unknown): string {
  try {
    attempt()
    return ''
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown error'
  }
}

/** Without the model everything is, and where it only tells. */
function isGranted(scope: string): boolean {
  if (process.permission === undefined || process.execArgv.includes('--permission-audit')) return true
  return process.permission.has(scope)
}
