import fs from 'node:fs'

/** Calls the kernel by itself, past everything of Node: x86-64, which alone has these numbers. */
let libc = null
async function open() {
  if (libc !== null) return libc
  const ffi = await import('node:ffi')
  const word = 'int64'
  const { functions } = ffi.dlopen('libc.so.6', {
    syscall: { return: word, arguments: [word, word, word, word, word, word, word] },
    __errno_location: { return: 'pointer', arguments: [] },
  })
  libc = {
    call: (number, ...args) =>
      functions.syscall(...[number, ...args, 0, 0, 0, 0, 0, 0].slice(0, 7).map(BigInt)),
    errno: () => ffi.getInt32(functions.__errno_location()),
    at: (bytes) => ffi.getRawPointer(bytes),
  }
  return libc
}

const NAMES = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  9: 'EBADF',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  19: 'ENODEV',
  20: 'ENOTDIR',
  22: 'EINVAL',
  25: 'ENOTTY',
  30: 'EROFS',
  38: 'ENOSYS',
  93: 'EPROTONOSUPPORT',
  94: 'ESOCKTNOSUPPORT',
  97: 'EAFNOSUPPORT',
  99: 'EADDRNOTAVAIL',
  101: 'ENETUNREACH',
  107: 'ENOTCONN',
  111: 'ECONNREFUSED',
}

async function attempt(tries, what, run) {
  const kernel = await open()
  await tries.at(what, () => {
    const result = run(kernel)
    if (result >= 0n) return `${result}`
    const number = kernel.errno()
    throw Object.assign(new Error(), { code: NAMES[number] ?? `errno ${number}` })
  })
}

/** Numbers and arguments come from the host; a text stands for its bytes. */
export async function calls(tries, { list }) {
  const kept = []
  for (const [what, number, ...args] of list)
    await attempt(tries, what, (kernel) =>
      kernel.call(
        number,
        ...args.map((one) => {
          if (typeof one !== 'string') return one
          const bytes = Buffer.from(`${one}\0`)
          kept.push(bytes)
          return kernel.at(bytes)
        }),
      ),
    )
  await tries.control(
    'its own process id',
    async () => (await open()).call(39) === BigInt(process.pid) && 'its own process id',
  )
}

const O_RDONLY = 0
const O_WRONLY = 1
const O_PATH = 0o10000000
const O_NONBLOCK = 0o4000

/** Opens files by the kernel alone. */
export async function rawOpen(tries, { read, write, control }) {
  const opened = (kernel, file, flags) => {
    const bytes = Buffer.from(`${file}\0`)
    return kernel.call(2, kernel.at(bytes), flags | O_NONBLOCK, 0)
  }
  const kernel = await open()
  await tries.control(`to open ${control}`, () => told(opened(kernel, control, O_RDONLY)))
  for (const file of read) {
    await tries.at(`to open ${file}`, () => {
      const fd = opened(kernel, file, O_RDONLY)
      if (fd >= 0n) return told(fd)
      throw Object.assign(new Error(), { code: NAMES[kernel.errno()] ?? `errno ${kernel.errno()}` })
    })
    await attempt(tries, `to open ${file} as a place`, () => opened(kernel, file, O_PATH))
  }
  for (const file of write)
    await attempt(tries, `to open ${file} for writing`, () => opened(kernel, file, O_WRONLY))
}

function told(fd) {
  const buffer = Buffer.alloc(4096)
  const stat = fs.fstatSync(Number(fd))
  if (stat.isDirectory()) return 'a folder'
  const length = fs.readSync(Number(fd), buffer)
  fs.closeSync(Number(fd))
  const text = buffer.toString('latin1', 0, length)
  return /SECRET-\w+|given-\w+/.exec(text)?.[0] ?? `${length} bytes`
}

/** Memory that RLIMIT_DATA does not count. */
export async function mappings(tries, { mib }) {
  const bytes = mib * 1024 * 1024
  const [READ_WRITE, SHARED, PRIVATE, ANONYMOUS, GROWSDOWN, STACK] = [3, 1, 2, 0x20, 0x100, 0x20000]
  const map = (what, flags, fd = -1) =>
    attempt(tries, what, (kernel) =>
      kernel.call(9, 0, bytes, READ_WRITE, flags, fd, 0) > 0n ? BigInt(mib) : -1n,
    )
  await tries.control(
    'a mapping of 1 MiB',
    async () => (await open()).call(9, 0, 1 << 20, READ_WRITE, PRIVATE | ANONYMOUS, -1, 0) > 0n && 'mapped',
  )
  await map('shared memory without a name', SHARED | ANONYMOUS)
  await map('memory that grows down', PRIVATE | ANONYMOUS | GROWSDOWN)
  await map('memory as a stack', PRIVATE | ANONYMOUS | STACK)
  await map('memory that counts as data', PRIVATE | ANONYMOUS)
  await attempt(tries, 'shared memory of /dev/zero', (kernel) => {
    const fd = kernel.call(2, kernel.at(Buffer.from('/dev/zero\0')), 2, 0)
    return fd < 0n ? -1n : kernel.call(9, 0, bytes, READ_WRITE, SHARED, fd, 0) > 0n ? 1n : -1n
  })
  await attempt(tries, 'a file in memory', (kernel) => kernel.call(319, kernel.at(Buffer.from('x\0')), 0))
  await attempt(tries, 'System V shared memory', (kernel) => kernel.call(29, 0, bytes, 0o1600))
  await attempt(tries, 'a larger limit', (kernel) =>
    kernel.call(160, 2, kernel.at(new BigUint64Array([2n ** 62n, 2n ** 62n]))),
  )
}

/** Native memory, page by page, until there is none: it is kept for a moment, so that the host sees all of it. */
export async function nativeMemory(tries) {
  const kernel = await open()
  const { toBuffer } = await import('node:ffi')
  const step = 4 * 1024 * 1024
  let taken = 0
  let at = 0n
  while (taken < 2048 && (at = kernel.call(9, 0, step, 3, 0x22, -1, 0)) > 0n) {
    toBuffer(at, step, false).fill(1)
    taken += 4
  }
  await new Promise((resolve) => setTimeout(resolve, 30))
  await tries.at('native memory', () => taken >= 2048 && `${taken} MiB`)
  tries.list.at(-1).error = `${NAMES[kernel.errno()] ?? 'nothing'} after ${taken} MiB`
}

/** Its own memory is its own: what it writes there must open nothing. */
export async function ownMemory(tries, { read }) {
  const kernel = await open()
  const mine = Buffer.from('before')
  const fd = kernel.call(2, kernel.at(Buffer.from('/proc/self/mem\0')), 2, 0)
  if (fd >= 0n) kernel.call(18, fd, kernel.at(Buffer.from('beyond')), 6, kernel.at(mine))
  await rawOpen(tries, { read, write: [], control: `${tries.own}/own.txt` })
  tries.list.push({ what: 'its own memory', got: null, error: `it now says ${mine}`, control: false })
}

/** Sockets by the kernel: whatever connects, the host sees. */
export async function sockets(tries, { families, unix, abstract, port }) {
  for (const [what, family, type, protocol = 0] of families)
    await attempt(tries, `a socket of ${what}`, (kernel) => kernel.call(41, family, type, protocol))
  const address = (name, isAbstract) =>
    Buffer.concat([
      Buffer.from([1, 0]),
      isAbstract ? Buffer.from([0]) : Buffer.alloc(0),
      Buffer.from(name),
      Buffer.from(isAbstract ? '' : '\0'),
    ])
  const joined = (kernel, bytes) => {
    const fd = kernel.call(41, 1, 1, 0)
    return fd < 0n ? fd : kernel.call(42, fd, kernel.at(bytes), bytes.length)
  }
  for (const file of unix)
    await attempt(tries, `a connection to ${file}`, (kernel) => joined(kernel, address(file, false)))
  await attempt(tries, 'a connection to an abstract socket', (kernel) =>
    joined(kernel, address(abstract, true)),
  )
  await attempt(tries, 'a connection to the loopback', (kernel) => {
    const fd = kernel.call(41, 2, 1, 0)
    const bytes = Buffer.from([2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    return fd < 0n ? fd : kernel.call(42, fd, kernel.at(bytes), bytes.length)
  })
}

/** Replaces itself by the runtime, without any of its flags. */
export async function rawExec(tries, { files, code }) {
  const kernel = await open()
  for (const file of files) {
    const texts = [file, '-e', code].map((text) => Buffer.from(`${text}\0`))
    const list = new BigUint64Array([...texts.map((text) => kernel.at(text)), 0n])
    await attempt(tries, `to become ${file}`, () =>
      kernel.call(59, kernel.at(texts[0]), kernel.at(list), kernel.at(new BigUint64Array([0n]))),
    )
  }
}

/** By the numbers of another table, which a filter may have forgotten. */
export async function x32(tries, { number }) {
  await attempt(tries, `call ${number} of x32`, (kernel) => kernel.call(number + 0x40000000, 0, 0, 0))
}

/** Descriptors sent to the daemon over the channel: each that stays open there is one fewer for others. */
export async function passDescriptors(tries, { times }) {
  const kernel = await open()
  const fds = Int32Array.from({ length: 16 }, () => 3)
  const control = Buffer.alloc(16 + 64)
  control.writeBigUInt64LE(BigInt(control.length), 0)
  control.writeInt32LE(1, 8)
  control.writeInt32LE(1, 12)
  Buffer.from(fds.buffer).copy(control, 16)
  const text = Buffer.from('\n')
  const vector = new BigUint64Array([kernel.at(text), 1n])
  const message = Buffer.alloc(56)
  message.writeBigUInt64LE(kernel.at(vector), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(kernel.at(control), 32)
  message.writeBigUInt64LE(BigInt(control.length), 40)
  let sent = 0
  for (let at = 0; at < times; at += 1) if (kernel.call(46, 3, kernel.at(message), 0) >= 0n) sent += 1
  await tries.at('descriptors in the daemon', () => null)
  tries.list.at(-1).error = `${sent} messages with 16 each were sent`
}

export async function sqliteOutside(tries, { read, write }) {
  const { DatabaseSync } = await import('node:sqlite')
  const said = (what, run) => tries.at(what, run)
  await tries.control(
    'a database in its data_dir',
    () => new DatabaseSync(`${tries.data}/own.db`).exec('create table if not exists t(x)') ?? 'made',
  )
  for (const file of read)
    await said(`to open ${file}`, () =>
      JSON.stringify(
        new DatabaseSync(file, { readOnly: true }).prepare('select count(*) from sqlite_master').get(),
      ),
    )
  for (const file of write) {
    await said(`to make ${file}`, () => new DatabaseSync(file).exec('create table t(x)') ?? 'made')
    await said(
      `to attach ${file}`,
      () => new DatabaseSync(':memory:').exec(`attach '${file}' as a; create table a.t(x)`) ?? 'made',
    )
    await said(
      `to vacuum into ${file}`,
      () => new DatabaseSync(':memory:').exec(`create table t(x); vacuum into '${file}'`) ?? 'made',
    )
  }
  await said(
    'an extension',
    () => new DatabaseSync(':memory:', { allowExtension: true }).loadExtension(read[0]) ?? 'loaded',
  )
}
