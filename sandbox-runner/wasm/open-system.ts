import { writeSync } from 'node:fs'
import type { RunnerParams } from '../../src/contract/runner-methods.ts'
import type { LastWords } from './last-words.ts'
import type { RefusedAccess } from './refused-access.ts'
import type { RunnerPowers } from './runner-powers.ts'
import { createWasi, type Wasi, type WasiOptions } from './wasi/create-wasi.ts'

/** Of what a plugin's process starts with, what means something to a module as well. */
const EVERYBODYS = ['TZ']
const DESCRIPTORS = { stdout: 1, stderr: 2 } as const

interface SystemPowers {
  readonly powers: RunnerPowers
  readonly words: LastWords
  readonly refused: RefusedAccess
  readonly sleep: WasiOptions['sleep']
}

/** What was granted, as a system that the module sees: nothing else is there. */
export function openSystem(
  { plugin_id: id, workspace, grants, observe }: RunnerParams['initialize'],
  { powers, words, refused, sleep }: SystemPowers,
): Wasi {
  const { read = [], write = [], env = [] } = grants ?? {}
  const options: WasiOptions = {
    args: [id],
    env: Object.fromEntries([...EVERYBODYS, ...env].flatMap(variable)),
    workspace,
    grants: [
      ...read.map((path) => ({ path, write: false })),
      ...write.map((path) => ({ path, write: true })),
    ],
    sleep,
    onDenied(permission, resource) {
      refused.add(permission, resource)
      powers.denied(permission, resource)
    },
    onReached: observe ? (permission, resource) => powers.denied(permission, resource) : undefined,
    onLine(stream, line) {
      if (stream === 'stderr') words.printed(line)
      print(stream, line)
    },
  }
  // That the folders of its grants are opened is no doing of the plugin's.
  return powers.unheard(() => createWasi(options))
}

function variable(name: string): [string, string][] {
  const value = process.env[name]
  return value === undefined ? [] : [[name, value]]
}

/** As every plugin's own printing: the host reads both streams as lines of its log. */
function print(stream: 'stdout' | 'stderr', line: string): void {
  try {
    writeSync(DESCRIPTORS[stream], `${line}\n`)
  } catch {
    // EAGAIN, EPIPE: the host does not take it now, or not any more. A line less, and no fault of the plugin's.
  }
}
