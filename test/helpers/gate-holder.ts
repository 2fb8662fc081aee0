/** A daemon that holds a process at its gate until it is killed: spawns the plan that it reads, and says the pid. */
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { spawnRunner } from '../../host/process/spawn-runner.ts'
import type { RunnerPlan } from '../../host/sandbox/plan-runner.ts'

const plan = JSON.parse(await text(process.stdin)) as RunnerPlan
const { channel, stdout, stderr, located, findPid } = spawnRunner(plan, {
  cgroup: null,
  egress: null,
  startTimeoutMs: 30_000,
})
for (const stream of [stdout, stderr] as Socket[]) stream.resume()
channel.write('{"jsonrpc":"2.0","id":1,"method":"attest","params":{"connect":null}}\n')
channel.once('data', () => void located.then(() => process.stdout.write(`${findPid()}\n`)))
