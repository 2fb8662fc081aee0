import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** What was read, or of somebody's own file its length alone. */
export function told(content) {
  const text = content.toString('latin1')
  return /SECRET-|given-/.test(text) ? text : `${text.length} characters`
}

let copies = 0
export const READERS = {
  readFileSync: (file) => fs.readFileSync(file),
  readSync: (file) => {
    const fd = fs.openSync(file, 'r')
    const buffer = Buffer.alloc(512)
    const length = fs.readSync(fd, buffer)
    fs.closeSync(fd)
    return buffer.subarray(0, length)
  },
  'promises.readFile': (file) => fs.promises.readFile(file),
  callback: (file) =>
    new Promise((resolve, reject) =>
      fs.readFile(file, (error, data) => (error ? reject(error) : resolve(data))),
    ),
  stream: async (file) => Buffer.concat(await fs.createReadStream(file).toArray()),
  blob: async (file) => (await fs.openAsBlob(file)).text(),
  copyFile: (file, { data }) => {
    const copy = path.join(data, `copy-${copies++}`)
    fs.copyFileSync(file, copy)
    return fs.readFileSync(copy)
  },
  cp: (file, { data }) => {
    const copy = path.join(data, `copy-${copies++}`)
    fs.cpSync(file, copy, { dereference: true })
    return fs.readFileSync(copy)
  },
}

/** Files by every way that there is. */
export async function read(tries, { paths, control, ways = Object.keys(READERS) }) {
  for (const way of ways) {
    await tries.control(`${way} of its own file`, async () =>
      told(await READERS[way](control ?? path.join(tries.own, 'own.txt'), tries)),
    )
    for (const file of paths)
      await tries.at(`${way} ${file}`, async () => told(await READERS[way](file, tries)))
  }
}

export async function spellings(tries, { secret }) {
  const { own, data, workspace } = tries
  const up = (from) => path.relative(from, secret)
  const inside = path.join(own, 'own.txt')
  const spelled = (file, base) => ({
    'a text with ..': `${base}/${path.relative(base, file)}`,
    'a Buffer with ..': Buffer.from(`${base}/${path.relative(base, file)}`),
    'a Uint8Array with ..': new Uint8Array(Buffer.from(`${base}/${path.relative(base, file)}`)),
    'a file: URL': pathToFileURL(file),
    'a file: URL with %2e%2e': new URL(
      `file://${base}/${path.relative(base, file).replaceAll('..', '%2e%2e')}`,
    ),
    'doubled slashes': file.replaceAll('/', '//'),
    'a /./ in it': file.replace(/\/([^/]*)$/, '/./$1'),
    'a /proc/self/root before it': `/proc/self/root${file}`,
    'a /proc/self/cwd before it': `/proc/self/cwd/${path.relative(workspace, file)}`,
    'a /proc/thread-self/root before it': `/proc/thread-self/root${file}`,
  })
  for (const [how, file] of Object.entries(spelled(inside, own)).slice(0, 7))
    await tries.control(`its own file by ${how}`, () => told(fs.readFileSync(file)))
  for (const base of [own, data])
    for (const [how, file] of Object.entries(spelled(secret, base)))
      await tries.at(`the secret by ${how}`, () => told(fs.readFileSync(file)))
  await tries.at('the secret from the working folder', () => told(fs.readFileSync(up(workspace))))
  await tries.at('the secret after chdir', () => {
    process.chdir(path.dirname(secret))
    return told(fs.readFileSync(path.basename(secret)))
  })
  await tries.at('an overlong path', () => told(fs.readFileSync(`${own}/${'./'.repeat(1500)}${up(own)}`)))
  await tries.at('a path with NUL', () => told(fs.readFileSync(`${secret}\0.txt`)))
  await tries.at('an object that is a path twice', () => {
    let asked = 0
    const twice = { toString: () => (asked++ === 0 ? inside : secret), valueOf: () => secret }
    return told(fs.readFileSync(twice))
  })
}

/** Loaders that read files for other reasons. */
export async function loaders(tries, { outside }) {
  const require = createRequire(import.meta.url)
  const file = (name) => path.join(outside, name)
  await tries.control('import() of its own JSON', async () =>
    JSON.stringify(
      (await import(pathToFileURL(path.join(tries.own, 'own.json')).href, { with: { type: 'json' } }))
        .default,
    ),
  )
  await tries.at('import()', async () => (await import(pathToFileURL(file('secret.mjs')).href)).default)
  await tries.at('import() of JSON', async () =>
    JSON.stringify(
      (await import(pathToFileURL(file('secret.json')).href, { with: { type: 'json' } })).default,
    ),
  )
  await tries.at('require()', () => JSON.stringify(require(file('secret.json'))))
  await tries.at('require() from there', () => JSON.stringify(createRequire(file('x.js'))('./secret.json')))
  await tries.at('process.loadEnvFile()', () => (process.loadEnvFile(file('secret.env')), process.env.STOLEN))
  await tries.at('a new function body by import.meta.resolve', () =>
    import.meta.resolve(path.join(outside, 'secret.txt')).startsWith('x'),
  )
  await tries.at('tls with a file as CA', async () => {
    const tls = await import('node:tls')
    return tls.createSecureContext({ ca: fs.readFileSync(file('secret.txt')) }) && 'a context'
  })
  await tries.at(
    'crypto.setEngine()',
    async () => (await import('node:crypto')).setEngine(file('secret.txt')) ?? 'set',
  )
  await tries.at(
    'a source map',
    async () => (await import('node:module')).findSourceMap(file('secret.mjs'))?.payload,
  )
}

/** Whether something is there, which is knowledge too. */
export async function oracle(tries, { outside, missing }) {
  const stat = await import('node:fs')
  const ways = {
    realpath: (file) => stat.realpathSync(file),
    'realpath.native': (file) => stat.realpathSync.native(file),
    stat: (file) => stat.statSync(file).size,
    lstat: (file) => stat.lstatSync(file).size,
    exists: (file) => stat.existsSync(file),
    access: (file) => stat.accessSync(file) ?? 'there',
    readdir: (file) => stat.readdirSync(file).join() || 'empty',
    opendir: (file) => stat.opendirSync(file).readSync()?.name,
    readlink: (file) => stat.readlinkSync(file),
    statfs: (file) => stat.statfsSync(file).bsize,
    glob: (file) => stat.globSync(`${file}/*`).join(),
    watch: (file) => {
      const watcher = stat.watch(file, () => {})
      watcher.close()
      return 'watched'
    },
    watchFile: (file) =>
      new Promise((resolve) => {
        stat.watchFile(file, { interval: 20 }, () => {})
        setTimeout(() => (stat.unwatchFile(file), resolve(null)), 60)
      }),
  }
  for (const [way, look] of Object.entries(ways)) {
    if (!['readlink', 'watchFile', 'glob'].includes(way))
      await tries.control(`${way} of its own folder`, () => look(tries.own))
    for (const file of outside) await tries.at(`${way} ${file}`, () => look(file))
  }
  const require = createRequire(import.meta.url)
  const [secret] = outside
  await tries.at('require.resolve()', () => require.resolve(secret))
  await tries.at('module.findPackageJSON()', async () => {
    const found = (await import('node:module')).findPackageJSON('.', pathToFileURL(secret))
    return found?.endsWith('outside/package.json') && found
  })
  for (const file of outside) {
    const [there, not] = [file, missing].map((one) => codeOf(() => stat.readFileSync(one)))
    await tries.at(
      `the answers for ${file} and for what is missing`,
      () => there !== not && `${there} and ${not}`,
    )
  }
}

function codeOf(run) {
  try {
    return String(run().length)
  } catch (error) {
    return error.code
  }
}

const WRITERS = {
  writeFileSync: (file) => fs.writeFileSync(file, 'overwritten'),
  appendFileSync: (file) => fs.appendFileSync(file, 'appended'),
  'openSync r+': (file) => fs.closeSync(fs.openSync(file, 'r+')),
  truncate: (file) => fs.truncateSync(file, 0),
  chmod: (file) => fs.chmodSync(file, 0o777 - 1),
  utimes: (file) => fs.utimesSync(file, 1, 1),
  chown: (file) => fs.chownSync(file, process.getuid(), process.getgid()),
  rename: (file) => fs.renameSync(file, `${file}.moved`),
  'rename over it': (file, { data }) => {
    fs.writeFileSync(path.join(data, 'mine'), 'mine')
    fs.renameSync(path.join(data, 'mine'), file)
  },
  copyFile: (file, { own }) => fs.copyFileSync(path.join(own, 'own.txt'), file),
  cp: (file, { own }) => fs.cpSync(path.join(own, 'own.txt'), file, { force: true }),
  link: (file, { data }) => fs.linkSync(file, path.join(data, `hard-${copies++}`)),
  'link beside it': (file, { own }) => fs.linkSync(path.join(own, 'own.txt'), `${file}.hard`),
  'symlink beside it': (file) => fs.symlinkSync('/', `${file}.soft`),
  mkdir: (file) => fs.mkdirSync(`${file}.folder`),
  mkdtemp: (file) => fs.mkdtempSync(`${file}.`),
  stream: (file) =>
    new Promise((resolve, reject) =>
      fs
        .createWriteStream(file)
        .on('error', reject)
        .end('streamed', (error) => (error ? reject(error) : resolve('done'))),
    ),
  unlink: (file) => fs.unlinkSync(file),
  rm: (file) => fs.rmSync(file, { recursive: true }),
}

/** Changes by every way that there is; the last ones remove. The host looks at the files, too. */
export async function write(tries, { paths, ways = Object.keys(WRITERS) }) {
  const mine = path.join(tries.data, `mine-${copies++}`)
  fs.writeFileSync(mine, 'mine')
  await tries.control('writeFileSync of its own file', () => (fs.writeFileSync(mine, 'mine'), 'written'))
  for (const way of ways)
    for (const file of paths)
      await tries.at(`${way} ${file}`, async () => (await WRITERS[way](file, tries)) ?? 'done')
}

const DUMPS = {
  report: (v8, outside) => {
    process.report.directory = outside
    process.report.excludeNetwork = true
    const written = process.report.writeReport('report.json')
    return fs.existsSync(path.join(outside, 'report.json')) && written
  },
  heap: (v8, outside) => v8.writeHeapSnapshot(path.join(outside, 'heap.heapsnapshot')),
  nearLimit: (v8) => v8.setHeapSnapshotNearHeapLimit(1),
  flags: (v8, outside) => {
    v8.setFlagsFromString(`--logfile=${path.join(outside, 'v8.log')}`)
    v8.setFlagsFromString('--log-all')
    return fs.existsSync(path.join(outside, 'v8.log'))
  },
  traces: async (v8, outside) => {
    const { createTracing } = await import('node:trace_events')
    createTracing({ categories: ['v8'] }).enable()
    return fs.existsSync(path.join(outside, 'node_trace.1.log'))
  },
  coverage: (v8, outside) => {
    process.env.NODE_V8_COVERAGE = outside
    return v8.takeCoverage()
  },
}

export async function dump(tries, { outside, only }) {
  const v8 = await import('node:v8')
  for (const way of only ?? Object.keys(DUMPS))
    await tries.at(`a dump by ${way}`, () => DUMPS[way](v8, outside))
}
