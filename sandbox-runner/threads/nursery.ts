import { join } from 'node:path'
import { Worker, workerData } from 'node:worker_threads'
import { toTaskFailure } from './task-failure.ts'
import type { NurseryData, NurseryEvent, NurseryOpen, NurseryRequest } from './thread-messages.ts'
import { ThreadRoom } from './thread-room.ts'

/**
 * The one thread of a plugin's process that may start threads; it runs no code of the plugin. The main thread gave that
 * right back before the plugin's code came, and each thread gives it back before it loads a task: a thread that is
 * started without Node's flags (`execArgv: []`) is rid of its whole permission model (tried, v26.10).
 */
const { maxThreads, threadBytes, resourceLimits, thread, port } = workerData as NurseryData
const THREAD_FILE = join(__dirname, 'thread.cjs')
const STREAMS = ['stdout', 'stderr'] as const
const LONGEST_TIMER_MS = 2 ** 31 - 1

interface Ward {
  worker: Worker | null
  /** What came before there was room for it. */
  readonly posts: Extract<NurseryRequest, { kind: 'post' }>[]
}

const wards = new Map<number, Ward>()
const room = new ThreadRoom(maxThreads, threadBytes)
let living = 0

function tell(event: NurseryEvent): void {
  port.postMessage(event)
}

/** One that was told to end takes its place until it has ended, which may be never. */
function startWaiting(): void {
  for (const [id, ward] of wards) {
    if (living >= maxThreads) return
    if (ward.worker === null) start(id, ward)
  }
}

function start(id: number, ward: Ward): void {
  living += 1
  room.leave()
  try {
    watch(id, (ward.worker = startThread()))
  } catch (error) {
    // The machine has no thread left, or no memory for its stack.
    tell({ kind: 'error', id, error: toTaskFailure(error) })
    ended(id, 1)
    return
  }
  for (const { message, transfer } of ward.posts.splice(0)) ward.worker.postMessage(message, transfer)
}

function startThread(): Worker {
  // Were its output piped on, the ends of the pipes would lie in the plugin's realm, and lead to this thread's own ports.
  return new Worker(THREAD_FILE, { workerData: thread, resourceLimits, stdout: true, stderr: true })
}

function watch(id: number, worker: Worker): void {
  worker.on('message', (message: unknown) => tell({ kind: 'message', id, message }))
  worker.on('error', (error) => tell({ kind: 'error', id, error: toTaskFailure(error) }))
  const passOn = STREAMS.map((name) => relay(id, worker, name))
  worker.on('exit', (code) => {
    for (const all of passOn) all()
    ended(id, code)
  })
}

/**
 * Hands on what it prints, one piece at a time: a busy main thread makes it wait, as a full pipe does.
 * @returns hands on the rest at once
 */
function relay(id: number, worker: Worker, name: (typeof STREAMS)[number]): () => void {
  let hasEnded = false
  const stream = worker[name]
  stream.on('data', (chunk: Uint8Array) => {
    if (!hasEnded) stream.pause()
    tell({ kind: 'printed', id, stream: name, chunk })
  })
  return () => {
    hasEnded = true
    stream.resume()
  }
}

function ended(id: number, code: number): void {
  wards.delete(id)
  regainRoom()
  tell({ kind: 'exit', id, code })
}

/**
 * After a thread has ended. Where its room was taken meanwhile, the plugin holds more than it may, and a thread that
 * finds no room when it starts ends the process (V8 does); one that finds some ends again, and leaves it to us.
 */
function regainRoom(): void {
  if (room.take()) {
    living -= 1
    startWaiting()
    return
  }
  try {
    const trial = startThread()
    trial.once('online', () => void trial.terminate()).once('exit', regainRoom)
  } catch {
    setTimeout(regainRoom, 1)
  }
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
    case 'printed':
      ward?.worker?.[request.stream].resume()
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

// The room that it keeps is lost with it, so it lives as long as the process, whatever the plugin's code makes of the
// ends of its ports: messages that can't be read or handed on, a port that is closed.
process.on('uncaughtException', () => undefined)
setInterval(() => undefined, LONGEST_TIMER_MS)
port.on('message', serve)
port.postMessage({ kind: 'open' } satisfies NurseryOpen)
