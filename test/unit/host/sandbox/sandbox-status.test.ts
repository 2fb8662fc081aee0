import { PassThrough } from 'node:stream'
import { expect } from 'chai'

import { readSandboxPid } from '../../../../host/sandbox/sandbox-status.ts'

describe('readSandboxPid()', () => {
  it('takes a number only when it is whole, however the text is cut', async () => {
    const status = new PassThrough()
    const pid = readSandboxPid(status)
    for (const piece of ['{ "chi', 'ld-pid": 12', '34', ', "net-namespace": 5', ' }\n']) status.write(piece)
    expect(await pid).to.equal(1234)
  })

  it('is null when the sandbox says nothing or nonsense', async () => {
    for (const text of ['', '{ "exit-code": 1 }', 'x'.repeat(100_000)]) {
      const status = new PassThrough()
      const pid = readSandboxPid(status)
      status.end(text)
      expect(await pid).to.equal(null)
    }
  })
})
