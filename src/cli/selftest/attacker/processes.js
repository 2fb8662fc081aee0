import childProcess from 'node:child_process'
import cluster from 'node:cluster'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'

/** `marker` stands in every command line, so that the host finds what was left. */
const STARTERS = {
  spawnSync: () => childProcess.spawnSync('/bin/sh', ['-c', 'id'])?.stdout?.toString(),
  'spawnSync of its own node': () =>
    childProcess.spawnSync(process.execPath, ['--version']).stdout?.toString(),
  'spawn, detached': (marker) =>
    started(() => childProcess.spawn('/bin/sh', sleeping(marker), { detached: true, stdio: 'ignore' })),
  'spawn with a shell': (marker) =>
    started(() => childProcess.spawn(`sleep 20; : ${marker}`, { shell: true })),
  exec: (marker) => started(() => childProcess.exec(`sleep 20; : ${marker}`)),
  execFile: (marker) => started(() => childProcess.execFile('/bin/sh', sleeping(marker))),
  fork: (marker, own) => started(() => childProcess.fork(path.join(own, 'index.js'), [marker])),
  'cluster.fork': () => started(() => cluster.fork().process),
  process_wrap: () => Object.keys(process.binding('process_wrap')).join(),
  spawn_sync: () => Object.keys(process._linkedBinding('spawn_sync')).join(),
}

const sleeping = (marker) => ['-c', `sleep 20; : ${marker}`]

export async function spawn(tries, { marker }) {
  for (const [way, start] of Object.entries(STARTERS)) await tries.at(way, () => start(marker, tries.own))
}

/** In place of itself: whatever comes of it, the channel has another reader then. */
export async function execve(tries, { marker }) {
  await tries.at('execve of a shell', () => process.execve('/bin/sh', ['sh', ...sleeping(marker)], {}))
  await tries.at('execve of node without its flags', () =>
    process.execve(process.execPath, ['node', '-e', `setTimeout(() => {}, 20000) // ${marker}`], {}),
  )
}

export async function testRunner(tries) {
  await tries.at('node:test with a process for each file', async () => {
    const { run } = await import('node:test')
    return new Promise((resolve, reject) =>
      run({ files: [path.join(tries.own, 'index.js')], isolation: 'process' })
        .on('test:pass', () => resolve('ran'))
        .on('test:fail', () => reject(new Error('refused')))
        .on('error', reject),
    )
  })
}

function started(start) {
  return new Promise((resolve, reject) => {
    const child = start()
    child.once('error', reject)
    child.once('spawn', () => resolve(`pid ${child.pid}`))
  })
}

/** Threads that start with other rights than their parent's. */
export async function threads(tries, { secret }) {
  const answers = (worker) =>
    new Promise((resolve, reject) => {
      worker
        .once('message', resolve)
        .once('error', reject)
        .once('exit', (code) => reject(new Error(`exit ${code}`)))
    })
  const code = `const { parentPort } = require('node:worker_threads')
    parentPort.postMessage(require('node:fs').readFileSync(${JSON.stringify(secret)}, 'latin1'))`
  const file = path.join(tries.data, 'worker.cjs')
  fs.writeFileSync(file, code)
  await tries.at('a worker from text', () => answers(new Worker(code, { eval: true })))
  await tries.at('a worker from a file', () => answers(new Worker(file)))
  await tries.at('a worker without the flags', () => answers(new Worker(file, { execArgv: [], env: {} })))
  await tries.at('a worker with flags of its own', () =>
    answers(new Worker(file, { execArgv: ['--allow-fs-read=*', '--allow-worker'] })),
  )
  await tries.at('a data: worker', () =>
    answers(new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))),
  )
  await tries.at('a loader thread by module.register()', async () => {
    const { register } = await import('node:module')
    register(
      `data:text/javascript,import { readFileSync } from 'node:fs'
      export async function initialize({ secret, port }) { port.postMessage(readFileSync(secret, 'latin1')) }`,
      import.meta.url,
      { data: { secret } },
    )
    return null
  })
}

/** Signal 0 asks whether a process could be signalled, and does nothing else. */
export async function signals(tries, { pids }) {
  for (const [whose, pid] of Object.entries(pids)) {
    await tries.at(`a signal to ${whose}`, () => process.kill(pid, 0) && 'it could be signalled')
    await tries.at(`the nice value of ${whose}`, () => `nice ${os.getPriority(pid)}`)
  }
  await tries.control('a signal to itself', () => process.kill(process.pid, 0) && 'it could be signalled')
}

export async function otherProcesses(tries, { pids, secret }) {
  const files = [
    'environ',
    'cmdline',
    'mem',
    'maps',
    'root',
    'cwd/secret.txt',
    'fd',
    'status',
    'auxv',
    'stack',
    'io',
    'ns/net',
  ]
  for (const [whose, pid] of Object.entries(pids))
    for (const file of files) await tries.at(`/proc/PID/${file} of ${whose}`, () => told(pid, file))
  await tries.at('the root of process 1', () => fs.readFileSync(`/proc/1/root${secret}`, 'latin1'))
  await tries.at('the environment of process 1', () =>
    /SECRET-/.test(fs.readFileSync('/proc/1/environ', 'latin1')),
  )
  await tries.at('a list of /proc', () =>
    fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) > 20)
      .join(),
  )
}

function told(pid, file) {
  const full = `/proc/${pid}/${file}`
  if (fs.statSync(full).isDirectory()) return fs.readdirSync(full).join() || null
  const content = fs.readFileSync(full)
  return content.length === 0 ? null : `${content.length} bytes`
}

export async function identity(tries) {
  const was = [process.getuid(), process.getgid()].join()
  const now = () => [
    process.getuid(),
    process.geteuid(),
    process.getgid(),
    process.getegid(),
    ...process.getgroups(),
  ]
  for (const [way, change] of Object.entries({
    setuid: () => process.setuid(0),
    seteuid: () => process.seteuid(0),
    setgid: () => process.setgid(0),
    setegid: () => process.setegid(0),
    setgroups: () => process.setgroups([0, 6, 42]),
    initgroups: () => process.initgroups('root', 0),
  }))
    await tries.at(way, () => (change(), `${was} became ${now()}`))
  await tries.at('the uid of root', () => process.getuid() === 0)
}
