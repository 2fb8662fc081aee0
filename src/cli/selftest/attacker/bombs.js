import fs from 'node:fs'
import path from 'node:path'

const MIB = 1024 * 1024
const MOST_MIB = 2048

/** Takes memory until something stops it, and keeps it for a moment, so that the host sees all of it. */
async function hoard(tries, what, stepMib, take) {
  const kept = []
  let taken = 0
  let ended = 'nothing'
  try {
    while (taken < MOST_MIB) {
      kept.push(take(kept.length))
      taken += stepMib
    }
  } catch (error) {
    ended = String(error?.code ?? error?.message ?? error)
  }
  await new Promise((resolve) => setTimeout(resolve, 30))
  // The host has measured it; what is said here is how it ended.
  await tries.at(what, () => taken >= MOST_MIB && `${taken} MiB`)
  tries.list.at(-1).error = `${ended} after ${Math.round(taken)} MiB in ${kept.length} pieces`
}

const filled = (view) => view.fill(1)

export const buffers = (tries) =>
  hoard(tries, 'memory by Buffers', 4, () => filled(Buffer.allocUnsafeSlow(4 * MIB)))
export const shared = (tries) =>
  hoard(tries, 'memory by SharedArrayBuffers', 4, () =>
    filled(new Uint8Array(new SharedArrayBuffer(4 * MIB))),
  )
export const growable = (tries) =>
  hoard(tries, 'memory by growable buffers', 4, () => {
    const buffer = new SharedArrayBuffer(MIB, { maxByteLength: 4 * MIB })
    buffer.grow(4 * MIB)
    return filled(new Uint8Array(buffer))
  })
export const resizable = (tries) =>
  hoard(tries, 'memory by resizable buffers', 4, () => {
    const buffer = new ArrayBuffer(MIB, { maxByteLength: 4 * MIB })
    buffer.resize(4 * MIB)
    return filled(new Uint8Array(buffer))
  })
export const heap = (tries) =>
  hoard(tries, 'memory by objects', 0.1, () =>
    Array.from({ length: 2000 }, (_, at) => ({ at, text: `${Math.random()}` })),
  )
export const strings = (tries) =>
  hoard(tries, 'memory by texts', 1, (at) => Buffer.alloc(MIB, 65 + (at % 20)).toString('latin1'))
export const wasmPages = (tries) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 })
  return hoard(tries, 'memory by one growing WebAssembly memory', 4, () => {
    const before = memory.grow(64) * 65536
    new Uint8Array(memory.buffer, before, 4 * MIB).fill(1)
    return null
  })
}
export const wasmMany = (tries) =>
  hoard(tries, 'memory by many WebAssembly memories', 16, () =>
    filled(new Uint8Array(new WebAssembly.Memory({ initial: 256 }).buffer)),
  )
export const wasmShared = (tries) =>
  hoard(tries, 'memory by shared WebAssembly memories', 16, () =>
    filled(new Uint8Array(new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }).buffer)),
  )
export const wasmTables = (tries) =>
  hoard(
    tries,
    'memory by WebAssembly tables',
    8,
    () => new WebAssembly.Table({ element: 'externref', initial: 1_000_000 }, 1),
  )
export const compressed = async (tries) => {
  const { brotliCompressSync, brotliDecompressSync } = await import('node:zlib')
  const small = brotliCompressSync(Buffer.alloc(64 * MIB))
  await hoard(tries, 'memory by unpacking', 64, () => brotliDecompressSync(small))
}

/** Files of a folder until something stops it. */
export async function files(tries, { folder, stepMib, mostMib, keep = false }) {
  const to = folder ?? tries.data
  const block = Buffer.alloc(stepMib * MIB, 1)
  let written = 0
  let ended = 'nothing'
  try {
    while (written < mostMib) {
      fs.writeFileSync(path.join(to, `fill-${written}`), block)
      written += stepMib
    }
  } catch (error) {
    ended = error.code
  }
  if (keep) await new Promise((resolve) => setTimeout(resolve, 25_000))
  for (const name of fs.readdirSync(to)) if (name.startsWith('fill-')) fs.rmSync(path.join(to, name))
  await tries.at(`space in ${to}`, () => written >= mostMib && `${written} MiB`)
  tries.list.at(-1).error = `${ended} after ${written} MiB`
}

export async function largeFile(tries, { bytes }) {
  const file = path.join(tries.data, 'large')
  for (const [way, make] of Object.entries({
    truncate: () => {
      fs.writeFileSync(file, '')
      fs.truncateSync(file, bytes)
    },
    'a write far out': () => {
      const fd = fs.openSync(file, 'w')
      try {
        fs.writeSync(fd, 'x', bytes)
      } finally {
        fs.closeSync(fd)
      }
    },
  })) {
    await tries.at(way, () => make() ?? `${fs.statSync(file).size} bytes`)
    fs.rmSync(file, { force: true })
  }
}

export async function inodes(tries, { folder, most, keep = false }) {
  const to = folder ?? tries.data
  let made = 0
  let ended = 'nothing'
  try {
    for (; made < most; made += 1) fs.writeFileSync(path.join(to, `inode-${made}`), '')
  } catch (error) {
    ended = error.code
  }
  if (keep) await new Promise((resolve) => setTimeout(resolve, 25_000))
  for (let at = 0; at < made; at += 1) fs.rmSync(path.join(to, `inode-${at}`), { force: true })
  await tries.at(`files in ${to}`, () => made >= most && `${made} files`)
  tries.list.at(-1).error = `${ended} after ${made} files`
}

export async function openFiles(tries, { most }) {
  const open = []
  let ended = 'nothing'
  try {
    while (open.length < most) open.push(fs.openSync(path.join(tries.own, 'own.txt'), 'r'))
  } catch (error) {
    ended = error.code
  }
  for (const fd of open) fs.closeSync(fd)
  await tries.at('open files', () => open.length >= most && `${open.length} files`)
  tries.list.at(-1).error = `${ended} after ${open.length}`
}

export async function largeResult(tries) {
  await tries.at('a large result', () => null)
  tries.list.at(-1).error = 'x'.repeat(2_000_000)
}

export function spin() {
  for (;;);
}
export function microtasks() {
  const again = () => queueMicrotask(again)
  again()
  return new Promise(() => {})
}
export function immediates() {
  const again = () => setImmediate(again)
  again()
  return new Promise(() => {})
}
export function backtracking() {
  return /^(a+)+$/.test(`${'a'.repeat(40)}!`)
}
export function waiting() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
export function silence() {
  return new Promise(() => {})
}
export function wasmLoop() {
  // (module (func (export "run") (loop br 0)))
  const bytes = 'AGFzbQEAAAABBAFgAAADAgEABwcBA3J1bgAACgkBBwADQAwACws='
  new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(bytes, 'base64'))).exports.run()
}
export function sorting() {
  for (;;) Array.from({ length: 1_000_000 }, () => Math.random()).toSorted()
}
export async function workAfterItsAnswer(tries) {
  setTimeout(() => {
    for (;;);
  }, 5)
  await tries.at('an answer before the work', () => null)
}
export function swallowing() {
  for (;;)
    try {
      const kept = []
      for (;;) kept.push(Buffer.alloc(4 * MIB, 1))
    } catch {
      // Again.
    }
}

export function output(tries, { text, times }) {
  const block = text.repeat(times)
  for (;;) {
    try {
      fs.writeSync(1, block)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}
