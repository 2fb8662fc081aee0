/** A pinned process: the client of one design. argv: the design's name. */
import type { Design, DesignName, RunningDesign } from './design.ts'
import { measureLatency, measureThroughput } from './measure.ts'
import { isEchoOf, recordsPayload, textPayload, type Payload } from './payload.ts'
import { cpuMs, processTree } from './process-cpu.ts'
import { peakBytes } from './process-memory.ts'
import type { DesignQuestions } from './questions.ts'
import { serveQuestions } from './serve-questions.ts'

/** Imported on demand: a design that cannot be loaded fails alone, and weighs on no other. */
const DESIGNS: Record<DesignName, () => Promise<{ design: Design }>> = {
  'raw-relay': () => import('../floors/raw-relay.ts'),
  'json-relay': () => import('../floors/json-relay.ts'),
  'json-relay-batched': () => import('../floors/json-relay-batched.ts'),
  naive: () => import('../naive/naive.ts'),
  unsandboxed: () => import('../ours/unsandboxed.ts'),
  ours: () => import('../ours/phantom.ts'),
}

let running: RunningDesign | undefined

serveQuestions<DesignQuestions>({
  start: async () => {
    const { design } = await DESIGNS[process.argv[2] as DesignName]()
    running = await design.start(process.cwd())
    running.lost.catch(() => undefined)
    return { tier: running.tier }
  },
  latency: async ({ payloadBytes, slot }) => {
    const call = await checkedCall(recordsPayload(payloadBytes))
    return await orLost(measureLatency(call, slot))
  },
  throughput: async ({ payloadBytes, slot, inFlight }) => {
    const call = await checkedCall(recordsPayload(payloadBytes))
    const all = processTree(process.pid)
    return await orLost(measureThroughput(call, slot, { inFlight, cpuMs: () => cpuMs(all) }))
  },
  payloadMemory: async ({ payloadBytes }) => {
    const { daemonPid } = started()
    await checkedCall(recordsPayload(100))
    const beforeBytes = peakBytes(daemonPid)
    await checkedCall(textPayload(payloadBytes))
    return { beforeBytes, peakBytes: peakBytes(daemonPid) }
  },
  close: async () => {
    await running?.close()
    return null
  },
})

/** A design that does not echo would look fast: the first answer is compared. */
async function checkedCall(payload: Payload): Promise<() => Promise<unknown>> {
  const design = started()
  const call = (): Promise<unknown> => design.call(payload)
  if (!isEchoOf(payload, await orLost(call())))
    throw new Error('Cannot measure: the answer is not the payload')
  return call
}

function orLost<T>(work: Promise<T>): Promise<T> {
  return Promise.race([work, started().lost])
}

function started(): RunningDesign {
  if (running === undefined) throw new Error('Cannot measure: the design was not started')
  return running
}
