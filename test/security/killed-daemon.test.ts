import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import { processesNaming } from '../../src/cli/selftest/arena-processes.ts'
import { isAlive, until } from '../helpers/daemon.ts'
import {
  makeTemporary,
  removeTemporary,
  testUsers,
  whyNotReadable,
  type TestUser,
} from '../helpers/ordinary-user.ts'
import { skipBecause } from '../helpers/skip.ts'

const APPLICATION = path.join(import.meta.dirname, '../helpers/busy-application.ts')
/** The promise. */
const GONE_MS = 1_000
const TRIES = 20
const TRIES_WITHOUT_NAMESPACES = 5
/** Each in a world of its own: while one daemon is being killed, another one starts. */
const LANES = 2

interface Busy {
  readonly world: string
  readonly daemon: number
  readonly tier: string
  readonly runners: readonly number[]
  /** Programs that a plugin left behind: detached, in sessions of their own, orphaned. */
  readonly left: number
}

for (const user of testUsers()) {
  for (const tier of ['namespace', 'process']) {
    describe(`SIGKILL to a daemon of ${user.name} in tier ${tier}`, function () {
      this.timeout(300_000)

      before(function () {
        const reason = whyNotReadable(user, APPLICATION)
        if (reason !== null) skipBecause.call(this, reason)
        makeTemporary(user)
      })
      after(() => removeTemporary(user))

      const tries = tier === 'namespace' ? TRIES : TRIES_WITHOUT_NAMESPACES
      it(`leaves no process of any plugin, nor of any program that one left behind, after one second, ${tries} times of ${tries}`, async function () {
        const took = await killAgainAndAgain(tries, () => killOnce(user, tier))
        if (took === null) return skipBecause.call(this, `this machine gives no tier ${tier}`)
        expect(took).to.have.length(tries)
        expect(Math.max(...took), `${took.map(Math.round).join(', ')} ms`).to.be.below(GONE_MS)
      })
    })
  }
}

/** In lanes; null as soon as one says so. */
async function killAgainAndAgain(
  tries: number,
  kill: () => Promise<number | null>,
): Promise<number[] | null> {
  let left = tries
  const lanes = Array.from({ length: LANES }, async () => {
    const took: number[] = []
    while (left-- > 0) {
      const goneMs = await kill()
      if (goneMs === null) return null
      took.push(goneMs)
    }
    return took
  })
  // Each has ended what it started before the first failure is told.
  await Promise.allSettled(lanes)
  const all = await Promise.all(lanes)
  return all.every((took) => took !== null) ? all.flat() : null
}

/** How long the last process of a plugin outlived its daemon; null where the machine has no such tier. */
async function killOnce(user: TestUser, tier: string): Promise<number | null> {
  const [file, ...args] = [...user.prefix, process.execPath, APPLICATION]
  const application = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      HOME: user.temporary,
      TMPDIR: user.temporary,
      ...(tier === 'process' ? { PHANTOM_BWRAP: '' } : {}),
    },
  })
  const ended = once(application, 'exit')
  let world: string | null = null
  try {
    const line = await firstLine(application.stdout, ended)
    const busy = JSON.parse(line) as Busy
    world = busy.world
    if (busy.tier !== tier) return null
    expect(
      busy.runners.filter((pid) => !isAlive(pid)),
      `all of ${line} run`,
    ).to.deep.equal([])
    expect(busy.left, 'programs of a plugin').to.be.at.least(tier === 'namespace' ? 2 : 0)
    const startedMs = performance.now()
    process.kill(busy.daemon, 'SIGKILL')
    await until(
      () => !busy.runners.some((pid) => isAlive(pid)) && processesNaming(busy.world).length === 0,
      `the end of ${busy.runners.join(', ')}, of ${processesNaming(busy.world).join(', ')}`,
    )
    return performance.now() - startedMs
  } finally {
    application.kill('SIGKILL')
    await ended
    if (world !== null) {
      await until(() => processesNaming(world!).length === 0, 'the end of the daemon')
      fs.rmSync(world, { recursive: true, force: true })
    }
  }
}

/** Waits for no line of a process that has ended without one. */
async function firstLine(stdout: Readable, ended: Promise<unknown>): Promise<string> {
  const line = once(createInterface(stdout), 'line') as Promise<[string]>
  const gone = ended.then((exit) => {
    throw new Error(`the application ended with ${JSON.stringify(exit)} before it said where it runs`)
  })
  return (await Promise.race([line, gone]))[0]
}
