import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { endOrphans } from '../../host/process/end-orphans.ts'

describe('endOrphans()', () => {
  it('ends what is named bwrap and mounts a data folder of this state, and nothing else', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-orphans-'))
    const state = path.join(folder, 'state')
    // Stand-ins: only their names and arguments count.
    const start = (argv0: string, mount: string) =>
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', '--bind', mount], {
        argv0,
        stdio: 'ignore',
      })
    const children = [
      start('/usr/bin/bwrap', path.join(state, 'data/greeter')),
      start('/usr/bin/bwrap', path.join(folder, 'other/data/greeter')),
      start('node', path.join(state, 'data/greeter')),
    ]
    try {
      await Promise.all(children.map((child) => once(child, 'spawn')))
      expect(endOrphans(state)).to.deep.equal([children[0]!.pid])
      await once(children[0]!, 'exit')
      expect(children.slice(1).map((child) => child.exitCode ?? child.signalCode)).to.deep.equal([null, null])
    } finally {
      for (const child of children) child.kill('SIGKILL')
      const alive = children.filter((child) => child.signalCode === null)
      await Promise.all(alive.map((child) => once(child, 'exit')))
      fs.rmSync(folder, { recursive: true })
    }
  })
})
