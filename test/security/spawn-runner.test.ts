import { once } from 'node:events'
import fs from 'node:fs'
import { expect } from 'chai'

import { spawnRunner } from '../../host/process/spawn-runner.ts'
import { skipBecause } from '../helpers/skip.ts'
import { NO_POWERS, SandboxWorld } from './sandbox-world.ts'

const BLOCKED_MS = 400

describe('spawnRunner()', () => {
  const world = new SandboxWorld(process.getuid?.() === 0 ? 'root' : 'ordinary')
  before(async function () {
    await world.open()
    const { tier, reasonNoNamespace } = world.machine
    if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
  })
  after(() => world.close())

  it('knows the process by the time that matters, also where the loop stood still while it started', async () => {
    const runner = spawnRunner(world.plan('spin.cjs'), NO_POWERS)
    runner.stdout.resume()
    runner.stderr.resume()
    try {
      const spoke = once(runner.channel, 'data')
      const until = performance.now() + BLOCKED_MS
      while (performance.now() < until);
      await spoke
      await runner.located
      const command = fs.readFileSync(`/proc/${runner.findPid()}/cmdline`, 'utf8')
      expect(command).to.include('/node\0--permission\0')
    } finally {
      runner.signal('SIGKILL')
      await runner.exited
      runner.channel.destroy()
    }
  })

  it('knows that there is none where nothing could be started', async () => {
    const runner = spawnRunner({ ...world.plan('spin.cjs'), file: '/bin/false' }, NO_POWERS)
    runner.stdout.resume()
    runner.stderr.resume()
    runner.channel.on('error', () => {}).destroy()
    await runner.located
    expect(runner.findPid()).to.equal(null)
    await runner.exited
  })
})
