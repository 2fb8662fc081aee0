/** A pinned process, the floor of a call beside trouble: a bare pair beside processes that spin. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { sampleLatency } from '../harness/measure.ts'
import { setNice } from '../harness/nice.ts'
import type { PingPongQuestions } from '../harness/questions.ts'
import { serveQuestions } from '../harness/serve-questions.ts'
import { openBarePair, type BarePair } from './bare-pair.ts'

const SPINNER_ENTRY = new URL('spinner.cjs', import.meta.url).pathname

const spinners: ChildProcess[] = []
let pair: BarePair

serveQuestions<PingPongQuestions>({
  start: async ({ niceValues }) => {
    pair = await openBarePair()
    await sampleLatency(pair.pingPong, { warmUpMs: 0, measureMs: 500, minCalls: 1 })
    for (const nice of niceValues) await startSpinner(nice)
    signalSpinners('SIGSTOP')
    return null
  },
  turn: async ({ slot }) => {
    signalSpinners('SIGCONT')
    const timesUs = await sampleLatency(pair.pingPong, slot)
    signalSpinners('SIGSTOP')
    return { timesUs }
  },
  close: async () => {
    pair.process.kill('SIGKILL')
    signalSpinners('SIGKILL')
    return null
  },
})

// Also when the bench is interrupted: one that is stopped does not see that its starter is gone.
process.once('exit', () => signalSpinners('SIGKILL'))

function signalSpinners(signal: NodeJS.Signals): void {
  for (const spinner of spinners) spinner.kill(signal)
}

/** In a session of its own, as a sandbox is. */
async function startSpinner(nice: number): Promise<void> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const spinner = spawn(process.execPath, [SPINNER_ENTRY], { detached: true, stdio: [...stdio] })
  spinners.push(spinner)
  await once(spinner.stdout, 'data')
  setNice(spinner.pid ?? 0, nice)
}
