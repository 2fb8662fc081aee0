import { join } from 'node:path'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { toTaskFailure } from './task-failure.ts'
import type { NurseryData, NurseryEvent, NurseryRequest } from './thread-messages.ts'

/**
 * The one thread of a plugin's process that may start threads; it runs no code of the plugin. The main thread gave that
 * right back before the plugin's code came, and each thread gives it back before it loads a task: a thread that is
 * started without Node's flags (`execArgv: []`) is rid of its whole permission model (tried, v26.10).
 */
const { maxThreads, resourceLimits, thread } = workerData as NurseryData
const THREAD_FILE = join(__dirname, 'thread.cjs')

interface Ward {
  worker: Worker | null
  /** What came before there was room for it. */
  readonly posts: Extract<NurseryRequest, { kind: 'post' }>[]
}

const wards = new Map<number, Ward>()
let living = 0

function tell(event: NurseryEvent): void {
  parentPort?.postMessage(event)
}

/** One that was told to end takes its place until it has ended, which may be never. */
function startWaiting(): void {
  for (const [id, ward] of wards) {
    if (living >= maxThreads) return
    if (ward.worker === null) start(id, ward)
  }
}

function start(id: number, ward: Ward): void {
  const worker = new Worker(THREAD_FILE, { workerData: thread, resourceLimits })
  living += 1
  ward.worker = worker
  worker.on('message', (message: unknown) => tell({ kind: 'message', id, message }))
  worker.on('error', (error) => tell({ kind: 'error', id, error: toTaskFailure(error) }))
  worker.on('exit', (code) => {
    living -= 1
    wards.delete(id)
    tell({ kind: 'exit', id, code })
    startWaiting()
  })
  for (const { message, transfer } of ward.posts.splice(0)) worker.postMessage(message, transfer)
}

function serve(request: NurseryRequest): void {
  const ward = wards.get(request.id)
  switch (request.kind) {
    case 'start':
      if (ward !== undefined) return
      wards.set(request.id, { worker: null, posts: [] })
      startWaiting()
      return
    case 'post':
      if (ward?.worker == null) ward?.posts.push(request)
      else ward.worker.postMessage(request.message, request.transfer)
      return
    case 'terminate':
      if (ward === undefined) return
      if (ward.worker !== null) {
        void ward.worker.terminate()
        return
      }
      wards.delete(request.id)
      tell({ kind: 'exit', id: request.id, code: 0 })
  }
}

parentPort?.on('message', serve)
