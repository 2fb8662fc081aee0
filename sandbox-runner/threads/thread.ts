import { subscribe } from 'node:diagnostics_channel'
import { workerData } from 'node:worker_threads'
import { markMovable } from '../../node_modules/piscina/dist/common.js'
// Takes tasks from the pool and hands them to what this module exports as its default.
// oxlint-disable-next-line import/no-unassigned-import -- it exports nothing
import '../../node_modules/piscina/dist/worker.js'
import { forbidEval } from '../forbid-eval.ts'
import { registerPluginModules } from '../javascript/plugin-modules.ts'
import { deniedIn, PERMISSION_CHANNELS } from '../permission-channels.ts'
import { dropFolderRight, dropWorkerRight } from './drop-rights.ts'
import { ByteMover } from './move-bytes.ts'
import { toTaskFailure } from './task-failure.ts'
import type { Denied, ThreadAnswer, ThreadData, ThreadOutcome, ThreadTask } from './thread-messages.ts'

type Handler = (item: unknown, context: { readonly index: number }) => unknown

/** Told with each answer; the main thread bounds by itself what it passes on. */
const MAX_DENIED = 64
const denied: Denied[] = []

lockDownThread(workerData as ThreadData)

/** The same as the main thread has: what is the process's (files, network, variables) holds here by itself. */
function lockDownThread({ eval: mayEval, unreadableFolder }: ThreadData): void {
  dropWorkerRight()
  if (unreadableFolder !== null) dropFolderRight(unreadableFolder)
  for (const channel of PERMISSION_CHANNELS) {
    subscribe(channel, (message) => {
      const one = deniedIn(message)
      if (one !== null && denied.length < MAX_DENIED) denied.push(one)
    })
  }
  registerPluginModules()
  if (!mayEval) forbidEval()
}

export default async function runTask(task: ThreadTask): Promise<unknown> {
  // What Node looks for while a thread starts is no doing of the plugin's.
  denied.length = 0
  const outcome = await outcomeOf(task)
  const told = denied.splice(0)
  if (outcome.kind === 'failed') return { ...outcome, denied: told } satisfies ThreadAnswer
  const { packed, transfer } = new ByteMover(outcome.results).pack(outcome.results)
  return movable({ kind: 'done', results: packed, denied: told }, transfer)
}

async function outcomeOf({ module, handler: name, items, firstIndex }: ThreadTask): Promise<ThreadOutcome> {
  let index: number | null = null
  try {
    const handler = await loadHandler(module, name)
    const results: unknown[] = []
    for (const [at, item] of items.entries()) {
      index = firstIndex + at
      results.push(await handler(item, { index }))
    }
    return { kind: 'done', results }
  } catch (error) {
    return { kind: 'failed', index, failure: toTaskFailure(error) }
  }
}

async function loadHandler(module: string, name: string): Promise<Handler> {
  const exported = (await import(module)) as Record<string, unknown>
  const handler = exported[name]
  if (typeof handler === 'function') return handler as Handler
  const names = Object.keys(exported).join(', ') || 'nothing'
  throw new TypeError(`it exports no function "${name}" (it exports ${names})`)
}

/** As piscina's `move()`, without the pool that comes with it. */
function movable(answer: ThreadAnswer, transfer: readonly unknown[]): unknown {
  const moved = {
    [Symbol.for('Piscina.transferable')]: transfer,
    [Symbol.for('Piscina.valueOf')]: answer,
  }
  markMovable(moved)
  return moved
}
