import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { expect } from 'chai'
import { elfProgram } from '../../host/sandbox/entry/elf-program.ts'
import { listenerSteps } from '../../host/sandbox/entry/listener-steps.ts'
import { isSeccompArch } from '../../host/sandbox/seccomp/seccomp-program.ts'
import { skipBecause } from '../helpers/skip.ts'

/** Behind stdin, stdout and stderr. */
const CHANNEL = 3

for (const { arch, emulator } of [
  { arch: process.arch, emulator: null },
  { arch: 'arm64', emulator: 'qemu-aarch64' },
]) {
  describe(`the listener of the entry program on ${arch}${emulator === null ? '' : `, by ${emulator}`}`, () => {
    let folder: string
    const running: ChildProcess[] = []

    before(function () {
      if (!isSeccompArch(arch)) skipBecause.call(this, `no instructions for ${arch}`)
      if (emulator !== null && spawnSync(emulator, ['--version']).error !== undefined)
        skipBecause.call(this, `${emulator} is not installed`)
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-listener-'))
    })
    after(() => {
      if (folder !== undefined) fs.rmSync(folder, { recursive: true })
    })

    /** In the tests' own network: `command` runs behind the steps. */
    function start(port: number, command: readonly string[]): ChildProcess {
      if (!isSeccompArch(arch)) throw new TypeError('the test is skipped')
      const file = path.join(folder, 'enter')
      fs.writeFileSync(file, elfProgram(arch, listenerSteps({ port, channel: CHANNEL })), { mode: 0o755 })
      const [name = '', ...words] = [...(emulator === null ? [] : [emulator]), file, ...command]
      const child = spawn(name, words, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
      running.push(child)
      return child
    }

    async function freePort(): Promise<number> {
      const server = net.createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      server.close()
      await once(server, 'close')
      return port
    }

    it('passes a socket that listens, by the way that Node passes them', async () => {
      const port = await freePort()
      const child = start(port, ['/bin/true'])
      const [message, handle] = (await once(child, 'message')) as [unknown, object]
      expect(message).to.deep.equal({})
      const server = net.createServer((socket) => socket.end('accepted'))
      try {
        await new Promise<void>((resolve) => server.listen(handle, resolve))
        expect(server.address()).to.include({ address: '127.0.0.1', port })
        // Two, so that a socket that blocks would have stopped the loop.
        for (const client of [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')])
          expect(await text(client)).to.equal('accepted')
      } finally {
        server.close()
      }
    })

    it('leaves the program neither the socket nor the channel', async () => {
      const child = start(await freePort(), ['/bin/sh', '-c', 'ls -l /proc/$$/fd'])
      const gone = once(child, 'disconnect')
      const printed = text(child.stdout as Readable)
      const [, handle] = (await once(child, 'message')) as [unknown, { close(): void }]
      handle.close()
      expect(await printed).not.to.match(/ 3 -> |socket:.*\n.*socket:.*\n.*socket:/)
      await gone
    })

    it('runs nothing, and says why, where the port is taken', async () => {
      const taken = net.createServer().listen(0, '127.0.0.1')
      await once(taken, 'listening')
      const child = start((taken.address() as AddressInfo).port, ['/bin/echo', 'it runs'])
      const [code, out, err] = await Promise.all([
        once(child, 'close').then(([status]) => status as number),
        text(child.stdout as Readable),
        text(child.stderr as Readable),
      ])
      taken.close()
      const words = 'Cannot start the plugin with a way to its hosts: the kernel refused it\n'
      expect([code, out, err]).to.deep.equal([126, '', words])
    })

    afterEach(async () => {
      for (const child of running.splice(0)) {
        const ended = once(child, 'exit')
        if (child.exitCode === null && child.kill('SIGKILL')) await ended
      }
    })
  })
}
