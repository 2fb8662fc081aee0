import { expect } from 'chai'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { nodeSpawn } from '../../host/spawn/node-spawn.ts'
import type { ProcessRequest, StartedProcess } from '../../host/spawn/started-process.ts'
import { VforkSpawn } from '../../host/spawn/vfork-spawn.ts'
import { elfProgram } from '../../host/sandbox/entry/elf-program.ts'
import { listenerSteps } from '../../host/sandbox/entry/listener-steps.ts'
import type { Step } from '../../host/sandbox/entry/machine-code.ts'
import { isSeccompArch } from '../../host/sandbox/seccomp/seccomp-program.ts'
import { until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const SHELL = '/bin/sh'
const PASSES = path.join(import.meta.dirname, '../helpers/passes-something.ts')
const SOON_MS = 300
const PATIENCE_MS = 15_000
const vfork = VforkSpawn.load()

const WAYS: readonly [string, (request: ProcessRequest) => StartedProcess][] = [
  ['by posix_spawn', (request) => vfork?.start(request) ?? noProcess()],
  ['by Node', nodeSpawn],
]

for (const [way, start] of WAYS) {
  describe(`a process started ${way}`, () => {
    const shell = (script: string, more: Partial<ProcessRequest> = {}): StartedProcess =>
      start({
        file: SHELL,
        args: ['-c', script],
        cwd: '/',
        env: {},
        channels: 2,
        inherited: [],
        passesListener: false,
        ...more,
      })
    const said = async (script: string, more: Partial<ProcessRequest> = {}): Promise<string> => {
      const { channels, exited } = shell(script, more)
      channels[1]?.resume()
      const [out] = await Promise.all([text(channels[0]!), exited])
      return out.trim()
    }

    before(function () {
      if (vfork === null && way === 'by posix_spawn') skipBecause.call(this, 'node:ffi is not to be had here')
    })

    it('ends with the code or the signal that it ended by', async () => {
      const coded = shell('exit 7')
      expect(coded.hasExited).to.equal(false)
      expect(await coded.exited).to.deep.equal({ code: 7, signal: null })
      expect(coded.hasExited).to.equal(true)
      const killed = shell('kill -TERM $$')
      expect(await killed.exited).to.deep.equal({ code: null, signal: 'SIGTERM' })
      for (const { channels } of [coded, killed]) for (const channel of channels) channel.destroy()
    })

    it('is killed, and not once more when it is gone', async () => {
      const { kill, exited, channels } = shell('sleep 60')
      kill('SIGKILL')
      expect(await exited).to.deep.equal({ code: null, signal: 'SIGKILL' })
      kill('SIGKILL')
      for (const channel of channels) channel.destroy()
    })

    it('has the folder, the arguments and the environment that were asked for, and no others', async () => {
      const folder = fs.realpathSync(os.tmpdir())
      const args = ['-c', 'pwd; echo "$0 $1"; /usr/bin/env', 'zero', 'öne two']
      const lines = await said('', { args, cwd: folder, env: { A: 'ü', B: '' } })
      const [pwd, words, ...variables] = lines.split('\n')
      expect([pwd, words]).to.deep.equal([folder, 'zero öne two'])
      // Those three are the shell's.
      expect(variables.filter((line) => !/^(?:PWD|_|OLDPWD|SHLVL)=/.test(line))).to.have.members([
        'A=ü',
        'B=',
      ])
    })

    it('has its descriptors in their order, however many, and none of ours', async () => {
      const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'phantom-start-'))
      const inherited = Array.from({ length: 40 }, (_, at) => {
        fs.writeFileSync(path.join(folder, String(at)), `file ${at}`)
        return fs.openSync(path.join(folder, String(at)), 'r')
      })
      try {
        // From the highest to the lowest, so that each would overwrite one that is still to come.
        const out = await said(
          'for n in /proc/self/fd/*; do echo "${n##*/} $(readlink "/proc/$$/fd/${n##*/}")"; done',
          { inherited: inherited.toReversed() },
        )
        const places = new Map(out.split('\n').map((line) => line.split(' ', 2) as [string, string]))
        expect(places.get('0')).to.equal('/dev/null')
        for (let at = 0; at < 40; at += 1) {
          expect(places.get(String(3 + at)), `descriptor ${3 + at}`).to.equal(
            path.join(folder, String(39 - at)),
          )
        }
        // Pipes are the shell's own, or of whoever started this test.
        const others = [...places].filter(
          ([number, place]) => Number(number) > 42 && !/^(?:pipe|$)/.test(place),
        )
        expect(others).to.deep.equal([])
      } finally {
        for (const descriptor of inherited) fs.closeSync(descriptor)
        fs.rmSync(folder, { recursive: true })
      }
    })

    it('ignores and blocks no signal', async () => {
      const out = await said('/bin/grep -E "Sig(Ign|Blk)" /proc/self/status')
      expect(out.split('\n').map((line) => line.split(/\s+/)[1])).to.deep.equal([
        '0'.repeat(16),
        '0'.repeat(16),
      ])
    })

    it('speaks both ways on its channels', async () => {
      const { channels, exited } = shell('read word <&2; echo "got $word"')
      channels[1]!.resume().write('this\n')
      expect(await text(channels[0]!)).to.equal('got this\n')
      await exited
    })

    describe('that passes a listener', () => {
      /** Says what it passes behind the first of its channels. */
      async function passing(what: string): Promise<StartedProcess> {
        const started = start({
          file: process.execPath,
          args: [PASSES, what],
          cwd: '/',
          env: { NODE_CHANNEL_FD: '3' },
          channels: 2,
          inherited: [],
          passesListener: true,
        })
        running.push(started)
        started.channels[1]!.resume()
        expect(String((await once(started.channels[0]!, 'data'))[0])).to.equal(`${what}\n`)
        return started
      }

      const running: StartedProcess[] = []
      afterEach(async () => {
        for (const started of running.splice(0)) await end(started)
      })

      async function end({ kill, exited, channels }: StartedProcess): Promise<void> {
        kill('SIGKILL')
        await exited
        for (const channel of channels) channel.destroy()
      }

      it('has it taken by a server here, once', async () => {
        const started = await passing('listener')
        const listener = await started.takeListener(PATIENCE_MS)
        const server = net.createServer((socket) => socket.end('accepted'))
        await new Promise<void>((resolve) => server.listen(listener!.handle, resolve))
        try {
          expect(await started.takeListener(SOON_MS), 'a second time').to.equal(null)
          const { port } = server.address() as net.AddressInfo
          await end(started)
          expect(await text(net.connect(port, '127.0.0.1'))).to.equal('accepted')
        } finally {
          server.close()
        }
      })

      for (const { what, passes } of [
        { what: 'words', passes: 'a message without a socket' },
        { what: 'datagrams', passes: 'a socket that can not listen' },
        { what: 'file', passes: 'no socket at all, but a pipe' },
        { what: 'end', passes: 'nothing, and closes the channel' },
        { what: 'nothing', passes: 'nothing' },
      ]) {
        it(`has nothing taken where it passes ${passes}, and leaves nothing open`, async () => {
          const count = (): number => fs.readdirSync('/proc/self/fd').length
          const before = count()
          const started = await passing(what)
          expect(await started.takeListener(SOON_MS)).to.equal(null)
          await end(started)
          await until(() => count() === before, 'its descriptors to be closed')
        })
      }

      // Node shuts the channel with the first, before there is a second.
      if (way !== 'by Node') {
        it('has the first of two taken, and nothing left open', async function () {
          if (!isSeccompArch(process.arch))
            return skipBecause.call(this, `no instructions for ${process.arch}`)
          const count = (): number => fs.readdirSync('/proc/self/fd').length
          const before = count()
          const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-two-'))
          try {
            const [first, second] = [await freePort(), await freePort()]
            const passes = (port: number): Step[] => listenerSteps({ port, channel: 3 })
            // But for the last step of the first, which closes the channel.
            const steps = [...passes(first).slice(0, -1), ...passes(second)]
            const file = path.join(folder, 'enter')
            fs.writeFileSync(file, elfProgram(process.arch, steps), { mode: 0o755 })
            const args = [SHELL, '-c', 'echo two; read word <&2']
            const more = { file, args, passesListener: true }
            const started = shell('', more)
            running.push(started)
            started.channels[1]!.resume()
            await once(started.channels[0]!, 'data')
            const listener = await started.takeListener(PATIENCE_MS)
            const server = net.createServer()
            await new Promise<void>((resolve) => server.listen(listener!.handle, resolve))
            expect(server.address()).to.have.property('port', first)
            server.close()
          } finally {
            for (const started of running.splice(0)) await end(started)
            fs.rmSync(folder, { recursive: true })
          }
          await until(() => count() === before, 'its descriptors to be closed')
        })
      }

      if (way !== 'by Node') {
        it('has nothing taken of two sockets in one message, and nothing left open', async function () {
          if (!isSeccompArch(process.arch))
            return skipBecause.call(this, `no instructions for ${process.arch}`)
          const count = (): number => fs.readdirSync('/proc/self/fd').length
          const before = count()
          const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-both-'))
          try {
            const control = Buffer.alloc(24)
            control.writeBigUInt64LE(24n)
            // SOL_SOCKET, SCM_RIGHTS, and stdout twice.
            for (const at of [8, 12, 16, 20]) control.writeUInt32LE(1, at)
            const bytes = Buffer.from('.')
            const header = { fields: [0, 0, { fields: [bytes, 1] }, 1, control, control.length, 0] }
            const step: Step = { call: 'sendmsg', arguments: [3, header, 0], refusal: 'refused' }
            const file = path.join(folder, 'enter')
            fs.writeFileSync(file, elfProgram(process.arch, [step]), { mode: 0o755 })
            const args = [SHELL, '-c', 'echo both; read word <&2']
            const started = shell('', { file, args, passesListener: true })
            running.push(started)
            started.channels[1]!.resume()
            expect(String((await once(started.channels[0]!, 'data'))[0])).to.equal('both\n')
            expect(await started.takeListener(SOON_MS)).to.equal(null)
          } finally {
            for (const started of running.splice(0)) await end(started)
            fs.rmSync(folder, { recursive: true })
          }
          await until(() => count() === before, 'its descriptors to be closed')
        })
      }

      it('leaves nothing open where nobody takes what it passed', async () => {
        const count = (): number => fs.readdirSync('/proc/self/fd').length
        const before = count()
        await end(await passing('listener'))
        await until(() => count() === before, 'its descriptors to be closed')
      })
    })

    it('takes no text that C would cut off', () => {
      for (const more of [{ args: ['a\0b'] }, { env: { A: 'b\0c' } }, { cwd: '/tmp\0x' }])
        expect(() => shell('', more)).to.throw(TypeError)
    })

    it('leaves nothing open when there is no such program', async () => {
      const count = (): number => fs.readdirSync('/proc/self/fd').length
      const before = count()
      expect(() => shell('', { file: '/nonexistent/program' })).to.throw(/no process/)
      await until(() => count() === before, 'its descriptors to be closed')
    })
  })
}

describe('what a daemon starts', () => {
  it('is reaped, every one of a hundred that end at once', async function () {
    if (vfork === null) return skipBecause.call(this, 'node:ffi is not to be had here')
    const request = { file: SHELL, cwd: '/', env: {}, channels: 1, inherited: [], passesListener: false }
    const started = Array.from(
      { length: 100 },
      (_, at) => vfork.start({ ...request, args: ['-c', `read x <&1; exit ${at}`] }) ?? noProcess(),
    )
    for (const { channels } of started) channels[0]!.on('error', () => {}).end()
    const ends = await Promise.all(started.map(({ exited }) => exited))
    expect(ends.map(({ code }) => code)).to.deep.equal(started.map((_, at) => at))
    for (const { channels } of started) channels[0]!.destroy()
  })
})

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function noProcess(): never {
  throw new Error('no process')
}
