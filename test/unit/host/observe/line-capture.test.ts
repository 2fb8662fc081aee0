import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { captureLines, type LineCaptureOptions } from '../../../../host/observe/line-capture.ts'

const MIB = 1024 * 1024
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe('captureLines()', function () {
  this.timeout(30_000)
  const children: ChildProcess[] = []
  after(() => {
    for (const child of children) child.kill('SIGKILL')
  })

  function startChild(script: string): { child: ChildProcess; stdout: Readable } {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    children.push(child)
    return { child, stdout: child.stdout }
  }

  it('splits lines over chunks, in the middle of a character too, and drops carriage returns', async () => {
    const { stream, lines } = capture()
    const bytes = Buffer.from('one\r\ntwo ä😀\n\nlast without end')
    for (const byte of bytes) stream.write(Buffer.from([byte]))
    stream.end()
    await once(stream, 'end')
    expect(lines).to.eql(['one', 'two ä😀', '', 'last without end'])
  })

  it('cuts a line over the cap, marks it, and tells what was dropped', async () => {
    const { stream, lines, dropped } = capture({ maxLineBytes: () => 10 })
    stream.write('0123456789abcdef')
    stream.write('ghij\nshort\n')
    stream.end('0123456789')
    await once(stream, 'end')
    expect(lines).to.eql(['0123456789 … (cut)', 'short', '0123456789'])
    expect(dropped).to.eql([10])
  })

  it('takes no more of a flood in one go than a window holds', async () => {
    const { stream, lines } = capture()
    stream.write('x\n'.repeat(10_000))
    await reached(() => lines.length > 0)
    expect(lines).to.have.length.within(1, 1_000)
    await reached(() => lines.length === 10_000)
  })

  it('tells the line that has begun at close(), and nothing after', () => {
    const { stream, lines, close } = capture()
    stream.write('begun')
    stream.read(0)
    close()
    close()
    expect(lines).to.eql(['begun'])
    expect(stream.destroyed).to.equal(true)
  })

  it('holds its memory while a child prints 200 MB, in lines and without any newline', async () => {
    const limits = { maxLineBytes: () => 8192, maxBytesPerSecond: 4096 * MIB }
    for (const text of [`${'x'.repeat(65_535)}\\n`, 'x'.repeat(65_536)]) {
      const { stdout } = startChild(
        `const b = Buffer.from('${text}'); for (let i = 0; i < 3200; i++) require('fs').writeSync(1, b)`,
      )
      const before = retainedBytes()
      let longest = 0
      let total = 0
      let peakBytes = 0
      captureLines(stdout, {
        ...limits,
        onLine: (line) => {
          longest = Math.max(longest, line.length)
          total += Math.min(line.length, 8192)
        },
        onDropped: (bytes) => {
          total += bytes
        },
      })
      let chunks = 0
      stdout.on('data', () => {
        chunks += 1
        if (chunks % 256 !== 0) return
        peakBytes = Math.max(peakBytes, retainedBytes() - before)
      })
      await once(stdout, 'close')
      expect(total).to.be.within(200 * MIB - 3200, 200 * MIB)
      expect(longest).to.be.at.most(8192 + 20)
      expect(peakBytes).to.be.below(2 * MIB)
    }
  })

  it('makes a writer over the rate wait, and loses nothing', async () => {
    const { stdout } = startChild(`process.stdout.write(('x'.repeat(1023) + '\\n').repeat(4096))`)
    const lines: string[] = []
    const startedAt = performance.now()
    captureLines(stdout, options({ maxBytesPerSecond: 4 * MIB, onLine: (line) => lines.push(line) }))
    await once(stdout, 'end')
    await reached(() => lines.length === 4096)
    // 4 MiB at 4 MiB a second; the first window is free.
    expect(performance.now() - startedAt).to.be.at.least(800)
  })

  it('lets a flood of empty lines block nobody: at most a few thousand lines a window', async () => {
    const { child, stdout } = startChild(
      `const b = Buffer.alloc(65536, 10); for (;;) require('fs').writeSync(1, b)`,
    )
    let count = 0
    const { close } = captureLines(stdout, options({ onLine: () => (count += 1) }))
    await once(stdout, 'data')
    const startedAt = performance.now()
    await reached(() => count > 10_000)
    const perSecond = count / ((performance.now() - startedAt) / 1000)
    close()
    child.kill('SIGKILL')
    expect(perSecond).to.be.below(20_000)
  })
})

function options(some: Partial<LineCaptureOptions>): LineCaptureOptions {
  return { maxLineBytes: () => 8192, onLine: () => undefined, onDropped: () => undefined, ...some }
}

function capture(some: Partial<LineCaptureOptions> = {}) {
  const stream = new PassThrough()
  const lines: string[] = []
  const dropped: number[] = []
  const { close } = captureLines(stream, {
    ...options({ onLine: (line) => lines.push(line), onDropped: (bytes) => dropped.push(bytes) }),
    ...some,
  })
  return { stream, lines, dropped, close }
}

/** What is left after a collection: chunks that were read and let go do not count. */
function retainedBytes(): number {
  collectGarbage()
  // The second one waits for the first one's sweep of array buffers.
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

async function reached(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
