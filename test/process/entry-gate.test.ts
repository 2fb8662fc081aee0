import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net, { type AddressInfo, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { elfProgram } from '../../host/sandbox/entry/elf-program.ts'
import { type Gate, gateSteps } from '../../host/sandbox/entry/gate-steps.ts'
import { isSeccompArch } from '../../host/sandbox/seccomp/seccomp-program.ts'
import { until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const GONE = 'Cannot start the plugin: the daemon is gone\n'
/** Above every number that a process can have. */
const NO_PROCESS = 2 ** 22 + 1
const MISSING = '/nonexistent/state.db'
const NEXT = '{"jsonrpc":"2.0","id":2,"method":"initialize","params":{}}\n{"more":"é"}\n'

interface Held {
  readonly child: ChildProcess
  readonly channel: Socket
  readonly outcome: Promise<{ code: number | null; stdout: string; stderr: string }>
}

function commandOf({ child }: Held): string {
  return fs.readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')
}

for (const { arch, emulator } of [
  { arch: process.arch, emulator: null },
  { arch: 'arm64', emulator: 'qemu-aarch64' },
]) {
  describe(`the gate of the entry program on ${arch}${emulator === null ? '' : `, by ${emulator}`}`, () => {
    let folder: string
    const running: Held[] = []

    before(function () {
      if (!isSeccompArch(arch)) skipBecause.call(this, `no instructions for ${arch}`)
      if (emulator !== null && spawnSync(emulator, ['--version']).error !== undefined)
        skipBecause.call(this, `${emulator} is not installed`)
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-gate-'))
    })
    afterEach(async () => {
      for (const { child, outcome } of running.splice(0)) {
        child.kill('SIGKILL')
        await outcome
      }
    })
    after(() => {
      if (folder !== undefined) fs.rmSync(folder, { recursive: true })
    })

    /** Without walls, which a test of their own has: what it tries is what anybody may. */
    function hold(gate: Partial<Gate>): Held {
      if (!isSeccompArch(arch)) throw new TypeError('the test is skipped')
      const steps = gateSteps({ read: MISSING, signal: NO_PROCESS, start: false, waits: true, ...gate })
      const file = path.join(folder, 'enter')
      fs.writeFileSync(file, elfProgram(arch, steps), { mode: 0o755 })
      // A program that says what it finds in the channel, and nothing else.
      const words = [...(emulator === null ? [] : [emulator]), file, '/bin/sh', '-c', 'exec cat <&3']
      const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
      const [, stdout, stderr, channel] = child.stdio as unknown as [null, Socket, Socket, Socket]
      channel.on('error', () => {})
      const outcome = Promise.all([once(child, 'close'), text(stdout), text(stderr)]).then(
        ([[code], out, err]) => ({ code: code as number | null, stdout: out, stderr: err }),
      )
      const held = { child, channel, outcome }
      running.push(held)
      return held
    }

    async function answerOf({ channel }: Held, attest: string): Promise<unknown> {
      channel.write(attest)
      let said = ''
      while (!said.endsWith('\n')) said += String((await once(channel, 'data'))[0])
      return JSON.parse(said)
    }

    function attestLine(connect: number | null): string {
      const params = { read: MISSING, signal: 7, start: true, connect }
      return `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'attest', params })}\n`
    }

    async function lettingGo(held: Held, next: string | null): ReturnType<() => Held['outcome']> {
      held.channel.end(next ?? '')
      return await held.outcome
    }

    it('says with which error each attempt ended', async () => {
      const bait = net.createServer().listen(0, '127.0.0.1')
      await once(bait, 'listening')
      const { port } = bait.address() as AddressInfo
      bait.close()
      await once(bait, 'close')
      const held = hold({})
      expect(await answerOf(held, attestLine(port))).to.deep.equal({
        jsonrpc: '2.0',
        id: 1,
        result: { read: '002', signal: '003', start: null, connect: '111' },
      })
      await lettingGo(held, null)
    })

    it('says which attempts met no error, and runs nothing more than once', async () => {
      let reached = 0
      const bait = net.createServer((socket) => {
        reached += 1
        socket.destroy()
      })
      bait.listen(0, '127.0.0.1')
      await once(bait, 'listening')
      const { port } = bait.address() as AddressInfo
      const held = hold({ read: path.join(folder, 'enter'), signal: process.pid, start: true })
      expect(await answerOf(held, attestLine(port))).to.have.deep.property('result', {
        read: '000',
        signal: '000',
        start: '000',
        connect: '000',
      })
      const { code, stdout, stderr } = await lettingGo(held, NEXT)
      // The second process of the attempt ended by itself, and said so.
      expect(stderr).to.equal('Cannot start the plugin: it could make a process\n')
      expect([code, stdout, reached]).to.deep.equal([0, NEXT, 1])
      bait.close()
    })

    it('leaves a process that is not asked for untried', async () => {
      const held = hold({ signal: null })
      expect(await answerOf(held, attestLine(null))).to.have.nested.property('result.signal', null)
      await lettingGo(held, null)
    })

    it('keeps the attest line from the program, and all that comes behind it for the program', async () => {
      const held = hold({})
      await answerOf(held, attestLine(1))
      const command = fs.readFileSync(`/proc/${held.child.pid}/cmdline`, 'utf8')
      expect(command, 'it waits').to.include('enter\0/bin/sh\0')
      const { code, stdout } = await lettingGo(held, NEXT)
      expect([code, stdout]).to.deep.equal([0, NEXT])
    })

    it('runs the program also where everything comes at once', async () => {
      const held = hold({})
      await answerOf(held, attestLine(1) + NEXT)
      const { code, stdout } = await lettingGo(held, null)
      expect([code, stdout]).to.deep.equal([0, NEXT])
    })

    it('goes on without waiting before a program that answers for itself', async () => {
      const held = hold({ waits: false })
      await answerOf(held, attestLine(1))
      await until(() => commandOf(held).startsWith('cat'), 'the program to run')
      const { code, stdout } = await lettingGo(held, NEXT)
      expect([code, stdout]).to.deep.equal([0, NEXT])
    })

    for (const { when, said } of [
      { when: 'before anything came', said: '' },
      { when: 'within the line', said: '{"jsonrpc":"2.0","id":1' },
      { when: 'while it waits', said: attestLine(1) },
    ]) {
      it(`runs nothing where the daemon goes ${when}`, async () => {
        const held = hold({})
        if (said.endsWith('\n')) await answerOf(held, said)
        const { code, stdout, stderr } = await lettingGo(held, said.endsWith('\n') ? null : said)
        expect([code, stdout, stderr]).to.deep.equal([126, '', GONE])
      })
    }

    it('runs nothing where it is killed while it waits', async () => {
      const held = hold({})
      await answerOf(held, attestLine(1))
      held.child.kill('SIGKILL')
      const { code, stdout } = await lettingGo(held, NEXT)
      expect([code, stdout]).to.deep.equal([null, ''])
    })
  })
}
