// @ts-nocheck -- a plugin, and hostile
import { openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

const MIB = 1024 * 1024
let dataDir = ''

/** Until something stops it, and then a moment more, so that whoever watches sees all of it. */
async function hoard(take) {
  const kept = []
  try {
    for (;;) kept.push(take(kept.length))
  } catch (error) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return String(error.code ?? error.message)
  }
}

/** Files in its data_dir until something stops it. */
async function litter(block) {
  for (let at = 0; ; at += 1) {
    writeFileSync(join(dataDir, `fill-${at}`), block)
    await turn()
  }
}

function print(descriptor, block) {
  for (;;) {
    try {
      writeSync(descriptor, block)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const pages = (view) => view.fill(1)

export default {
  initialize(context) {
    dataDir = context.data_dir
  },
  operations: {
    ready: () => process.pid,
    buffer: () => hoard(() => pages(Buffer.allocUnsafeSlow(4 * MIB))),
    heap: () => hoard(() => Array.from({ length: 2000 }, (_, at) => ({ at, text: `${Math.random()}` }))),
    wasm: () => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 })
      return hoard(() => pages(new Uint8Array(memory.buffer, memory.grow(64) * 65536, 4 * MIB)) && null)
    },
    shared: () => hoard(() => pages(new Uint8Array(new SharedArrayBuffer(4 * MIB)))),
    tmpfs: () => hoard((at) => writeFileSync(`/tmp/fill-${at}`, Buffer.alloc(MIB, 1))),
    disk: () => litter(Buffer.alloc(MIB, 1)),
    inodes: () => litter(''),
    output: () => 'x'.repeat(2 * MIB),
    fds: () => hoard(() => openSync(join(import.meta.dirname, 'plugin.toml'))),
    cpu: () => {
      for (;;);
    },
    wall: () => new Promise(() => {}),
    log: () => print(1, 'x\n'.repeat(30_000)),
    ipc: () =>
      print(
        3,
        `${JSON.stringify({ jsonrpc: '2.0', method: 'log', params: { level: 'info', message: 'x'.repeat(500) } })}\n`.repeat(
          100,
        ),
      ),
  },
}
