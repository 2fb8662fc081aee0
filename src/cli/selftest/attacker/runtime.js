import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { Session } from 'node:inspector'

export async function nativeCode(tries) {
  const require = createRequire(import.meta.url)
  const library = '/lib/x86_64-linux-gnu/libc.so.6'
  const addon = path.join(tries.data, 'addon.node')
  fs.copyFileSync(path.join(tries.own, 'own.txt'), addon)
  await tries.at('process.dlopen', () => process.dlopen({ exports: {} }, library) ?? 'loaded')
  await tries.at('require of an addon', () => require(addon))
  await tries.at(
    'node:ffi',
    async () => Object.keys((await import('node:ffi')).dlopen(library, {})).join() || 'opened',
  )
  for (const name of ['fs', 'spawn_sync', 'process_wrap', 'tcp_wrap', 'pipe_wrap', 'contextify', 'os'])
    await tries.at(`process.binding('${name}')`, () => Object.keys(process.binding(name)).slice(0, 3).join())
  await tries.at('internalBinding by a require of internal/', () =>
    Object.keys(require(['internal', 'bootstrap/realm'].join('/'))).join(),
  )
  await tries.at('node:internal', async () =>
    Object.keys(await import(['node:internal', 'bootstrap/realm'].join('/'))).join(),
  )
}

export async function databases(tries, { outside, secret }) {
  const sqlite = async () => (await import('node:sqlite')).DatabaseSync
  await tries.at(
    'sqlite: open',
    async () => new (await sqlite())(path.join(outside, 'new.db')).exec('create table t(x)') ?? 'made',
  )
  await tries.at('sqlite: ATTACH', async () => {
    const db = new (await sqlite())(':memory:')
    db.exec(`attach '${path.join(outside, 'attached.db')}' as a; create table a.t(x)`)
    return 'made'
  })
  await tries.at('sqlite: VACUUM INTO', async () => {
    const db = new (await sqlite())(':memory:')
    db.exec(`create table t(x); vacuum into '${path.join(outside, 'vacuumed.db')}'`)
    return 'made'
  })
  await tries.at('sqlite: loadExtension', async () => {
    const db = new (await sqlite())(':memory:', { allowExtension: true })
    return db.loadExtension(secret) ?? 'loaded'
  })
  await tries.at('localStorage', () => (globalThis.localStorage.setItem('x', 'y'), 'stored'))
}

export async function inspector(tries) {
  const opened = await import('node:inspector')
  await tries.at('inspector.open()', () => (opened.open(0, '127.0.0.1'), opened.url()))
  await tries.at('an inspector session', () => {
    const session = new Session()
    session.connect()
    return 'connected'
  })
  await tries.at('an inspector session of the main thread', () => {
    const session = new Session()
    session.connectToMainThread()
    return 'connected'
  })
  await tries.at('NODE_OPTIONS at run time', () => {
    process.env.NODE_OPTIONS = '--inspect=127.0.0.1:0'
    return opened.url()
  })
  await tries.at('process._debugProcess()', () => (process._debugProcess(process.pid), opened.url()))
}

export async function wasi(tries, { outside, module }) {
  const run = async (preopens) => {
    const { WASI } = await import('node:wasi')
    const guest = new WASI({ version: 'preview1', preopens })
    const { instance } = await WebAssembly.instantiate(Buffer.from(module, 'base64'), guest.getImportObject())
    return guest.initialize(instance) ?? 'ran'
  }
  await tries.at('a folder outside', () => run({ '/x': outside }))
  await tries.at('its data_dir', () => run({ '/x': tries.data }))
  await tries.at('a link to outside', () => run({ '/x': path.join(tries.own, 'shipped-folder') }))
}

export async function codeFromText(tries) {
  const constructors = [async () => {}, function* () {}, async function* () {}].map((one) => one.constructor)
  await tries.at('eval', () => (0, eval)('"ran"'))
  await tries.at('Function', () => new Function('return "ran"')())
  await tries.at('its constructor', () => (() => {}).constructor('return "ran"')())
  for (const [at, Made] of constructors.entries())
    await tries.at(`function constructor ${at}`, async () => {
      const made = new Made('yield "ran"; return "ran"')
      return made() && 'ran'
    })
  await tries.at('node:vm', async () => (await import('node:vm')).runInThisContext('"ran"'))
  await tries.at('getBuiltinModule', () => process.getBuiltinModule('vm').runInThisContext('"ran"'))
  await tries.at(
    'a data: import',
    async () => (await import(['data:', 'text/javascript,export default "ran"'].join(''))).default,
  )
  await tries.at('a timer with text', () => setTimeout('globalThis.ran = "ran"', 1) && globalThis.ran)
  await tries.at('ShadowRealm', () => new globalThis.ShadowRealm().evaluate('"ran"'))
  await tries.at('module._compile', async () => {
    const { Module } = await import('node:module')
    const made = new Module('x')
    made._compile('module.exports = "ran"', path.join(import.meta.dirname, 'x.js'))
    return null // Code of its own realm: it may do what the plugin may do.
  })
}

/** Turns the permission model off from inside. */
export async function permissionModel(tries, { secret }) {
  const read = () => fs.readFileSync(secret, 'latin1')
  await tries.at('process.permission.has replaced', () => ((process.permission.has = () => true), read()))
  await tries.at('process.permission deleted', () => (delete process.permission, read()))
  await tries.at('execArgv emptied', () => ((process.execArgv.length = 0), read()))
  await tries.at(
    'V8 flags',
    async () => ((await import('node:v8')).setFlagsFromString('--allow-natives-syntax'), read()),
  )
  await tries.at('its primordials replaced', () => {
    for (const name of ['startsWith', 'includes', 'endsWith']) String.prototype[name] = () => true
    Array.prototype.some = () => true
    return read()
  })
  await tries.at('Object.prototype polluted', () => {
    Object.prototype.permission = false
    try {
      return read()
    } finally {
      delete Object.prototype.permission
    }
  })
  await tries.at('a drop of it', () => (process.permission?.drop?.('fs'), read()))
}
