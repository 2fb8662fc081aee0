import type { Piscina } from 'piscina'

export interface CheckThreadOptions {
  readonly worker: URL
  readonly idleTimeoutMs: number
  readonly maxOldGenerationSizeMb: number
  readonly maxYoungGenerationSizeMb: number
}

/** One thread for what is hostile: a task that is aborted takes its thread along, and the next one gets a new one. */
export async function openCheckThread<Task, Outcome>({
  worker,
  idleTimeoutMs,
  ...limits
}: CheckThreadOptions): Promise<Piscina<Task, Outcome>> {
  // Loaded with the first thread: most daemons never need one.
  const { Piscina } = await import('piscina')
  const pool = new Piscina<Task, Outcome>({
    filename: worker.href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: idleTimeoutMs,
    atomics: 'disabled',
    env: {},
    execArgv: [],
    resourceLimits: { ...limits, stackSizeMb: 4 },
  })
  // A thread that dies after its task was aborted has nobody to tell: unheard, that would end the daemon.
  pool.on('error', () => undefined)
  return pool
}
