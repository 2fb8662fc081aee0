import fs from 'node:fs'
import { execa } from 'execa'
import path from 'node:path'
import { expect } from 'chai'

import { probeMachine } from '../../host/sandbox/machine.ts'
import type { AttestationItem, PluginAttestation } from '../../src/contract/attestation.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const LAUNCHER = path.resolve(import.meta.dirname, '../../src/cli/launcher.ts')
const ORDINARY_UID = '65533'
const isRoot = process.getuid?.() === 0

/** Of tier `namespace`, whoever the daemon is. */
const ALWAYS = [
  'uid',
  'groups',
  'no_new_privs',
  'capabilities',
  'seccomp',
  ...['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'].map((kind) => `namespace.${kind}`),
  ...['data', 'nofile', 'nproc', 'fsize', 'core'].map((name) => `rlimit.${name}`),
  'environment',
  'descriptors',
  'mounts',
  'canary.read',
  'canary.signal',
  'canary.connect',
  'canary.start',
  'canary.node',
]

describe('phantom verify', () => {
  let bwrap = ''
  before(async function () {
    const { tier, reasonNoNamespace, bwrapPath } = await probeMachine({ nodePath: process.execPath })
    if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    bwrap = bwrapPath ?? ''
  })

  it('starts a plugin that sleeps and answers what holds it, each line with its proof', async () => {
    await using daemon = await openDaemon()
    const table = await daemon.system.verify_plugin('echoes')
    expectWhole(table)
    const [instance] = (await daemon.info('echoes')).instances
    expect(instance?.pid).to.equal(table.pid)
    expect(instance?.attestation).to.deep.include({ at: table.at, holding: table.items.length })
    expect(table.items.find(({ name }) => name === 'uid')?.declared).to.include(`uid ${instance?.uid}`)
    const again = await daemon.system.verify_plugin('echoes')
    expect(again, 'the process that serves is not started anew').to.deep.equal(table)
  })

  it('tries all of it in each process of a generation, where the kernel refuses it', async () => {
    await using daemon = await openDaemon()
    const first = await daemon.system.verify_plugin('echoes')
    process.kill(first.pid!, 'SIGKILL')
    const pids = async () => (await daemon.info('echoes')).instances.map(({ pid }) => pid)
    await until(async () => !(await pids()).includes(first.pid), 'the end of the first')
    const second = await daemon.system.verify_plugin('echoes')
    expect(second.pid).not.to.equal(first.pid)
    expectWhole(second)
    for (const { items } of [first, second]) {
      const tried = items.filter(({ name }) => /^canary\.(?:read|signal|connect|start)$/.test(name))
      expect(tried.map(({ effective }) => effective)).to.deep.equal([
        'ENOENT',
        'ESRCH',
        'EAFNOSUPPORT',
        'EPERM',
      ])
      for (const { proof } of tried) expect(proof).to.match(/^canary: tried to [a-z ]+$/)
    }
  })

  it('answers for each workspace by itself', async () => {
    await using daemon = await openDaemon()
    const other = daemon.world.path('other')
    fs.mkdirSync(other)
    const [first, second] = [
      await daemon.system.verify_plugin('echoes'),
      await daemon.system.verify_plugin('echoes', other),
    ]
    expect(second.workspace).to.equal(other)
    expect(second.pid).not.to.equal(first.pid)
  })

  it('shows of variables that were granted the names, and no value', async () => {
    await using daemon = await openDaemon({ GIVEN_TOKEN: 'topsecret' }, (world) => {
      world.addManifest('takes', '[permissions]\npermissions = ["env:GIVEN_TOKEN"]')
    })
    const table = await daemon.system.verify_plugin('takes')
    expectWhole(table)
    expect(table.items.find(({ name }) => name === 'environment')?.effective).to.include('GIVEN_TOKEN')
    expect(JSON.stringify(table)).not.to.include('topsecret')
  })

  it('is refused for a plugin that there is not', async () => {
    await using daemon = await openDaemon()
    expect((await refusalOf(daemon.system.verify_plugin('echos'))).code).to.equal('PLUGIN_NOT_FOUND')
  })

  it('says so when a plugin does not start for another reason', async () => {
    await using daemon = await openDaemon({}, (world) => world.addPlugin('broken-syntax'))
    const refusal = await refusalOf(daemon.system.verify_plugin('broken_syntax'))
    expect(refusal.code).to.equal('PLUGIN_START_FAILED')
    expect(refusal.message).to.include('phantom why broken_syntax')
  })

  it('prints the table, and ends with 0 where all holds', async () => {
    const world = new World({ plugins: ['echoes'] })
    try {
      const said = await new CommandLine(world.folder).said('verify', 'echoes', '--plugins', world.plugins)
      expect(said).to.match(
        /namespace\.net +holds +its own +its own, net:\[\d+\] +bubblewrap +\/proc\/PID\/ns\/net/,
      )
      expect(said).to.match(/\d+ as declared\n$/)
    } finally {
      world.remove()
    }
  })

  it('prints the table of a process that was refused, and ends with 1', async () => {
    const world = new World({ plugins: ['echoes'] })
    try {
      const line = new CommandLine(world.folder, { PHANTOM_BWRAP: impostor(world, bwrap) })
      const { code, stdout } = await line.run(['verify', 'echoes', '--plugins', world.plugins])
      expect(code).to.equal(1)
      expect(stdout)
        .to.match(/namespace\.net +DIFFERS/)
        .and.include("the daemon's, net:[")
      expect(stdout).to.include('no code of the plugin has run')
    } finally {
      world.remove()
    }
  })

  it('names what tier "process" does not hold', async () => {
    await using daemon = await openDaemon({ PHANTOM_BWRAP: '' })
    const { tier, holds, items } = await daemon.system.verify_plugin('echoes')
    expect([tier, holds]).to.deep.equal(['process', true])
    expect(namesOf(items, 'not_held')).to.include.members(['namespace', 'mounts', 'seccomp'])
    expect(namesOf(items, 'holds')).to.include.members(['no_new_privs', 'rlimit.data', 'canary.node'])
  })

  it('tries a start in tier "process" in the first process of a generation, and says so of those after it', async () => {
    await using daemon = await openDaemon({ PHANTOM_BWRAP: '' })
    const first = await daemon.system.verify_plugin('echoes')
    process.kill(first.pid!, 'SIGKILL')
    const pids = async () => (await daemon.info('echoes')).instances.map(({ pid }) => pid)
    await until(async () => !(await pids()).includes(first.pid), 'the end of the first')
    const second = await daemon.system.verify_plugin('echoes')
    expect(second.pid).not.to.equal(first.pid)
    const proofs = [first, second].map(
      ({ items }) => items.find(({ name }) => name === 'canary.start')?.proof,
    )
    expect(proofs[0]).to.match(/^canary: tried to /)
    expect(proofs[1]).to.equal(`${proofs[0]}, in this generation's first process`)
  })

  it('says of a root daemon that may not look at others what it could not read, and proves the walls all the same', async function () {
    if (!isRoot) skipBecause.call(this, 'it takes root to have less than root')
    const world = new World({ plugins: ['echoes'] })
    try {
      const less = '-sys_ptrace,-perfmon'
      const args = [LAUNCHER, 'verify', 'echoes', '--plugins', world.plugins, '--json']
      const drop = [`--bounding-set=${less}`, `--inh-caps=${less}`, '--']
      const { stdout } = await execa('setpriv', [...drop, process.execPath, ...args], { cwd: world.folder })
      const { holds, items } = JSON.parse(stdout) as PluginAttestation
      expect(holds).to.equal(true)
      const unread = namesOf(items, 'not_readable')
      expect(unread).to.include.members(['descriptors', 'namespace.ipc'])
      expect(ALWAYS.filter((name) => !unread.includes(name))).to.include.members([
        'namespace.mnt',
        'namespace.net',
        'namespace.pid',
        'capabilities',
        'seccomp',
        'mounts',
      ])
    } finally {
      world.remove()
    }
  })

  it('holds all of it under the daemon of an ordinary user, too', async function () {
    if (!isRoot) skipBecause.call(this, 'this whole suite runs as one')
    const world = new World({ plugins: ['echoes'] })
    try {
      openToAll(world.folder)
      const drop = [`--reuid=${ORDINARY_UID}`, `--regid=${ORDINARY_UID}`, '--clear-groups', '--']
      const args = [LAUNCHER, 'verify', 'echoes', '--plugins', world.plugins, '--json']
      const { stdout } = await execa('setpriv', [...drop, process.execPath, ...args], {
        cwd: world.folder,
        env: { HOME: world.folder, XDG_RUNTIME_DIR: world.folder },
      })
      const table = JSON.parse(stdout) as PluginAttestation
      expectWhole(table)
      expect(namesOf(table.items, 'holds')).to.include('namespace.user')
      expect(table.items.find(({ name }) => name === 'uid')?.effective).to.include(`uid ${ORDINARY_UID}`)
    } finally {
      world.remove()
    }
  })
})

function expectWhole(table: PluginAttestation): void {
  const { tier, holds, items } = table
  expect([tier, holds]).to.deep.equal(['namespace', true])
  expect(namesOf(items, 'holds')).to.include.members(ALWAYS)
  for (const item of items) {
    expect(item.declared, item.name).not.to.equal('')
    expect(item.effective, item.name).to.be.a('string')
    expect(item.proof, item.name).to.match(/^(?:\/proc\/PID\/|canary: )/)
  }
}

function namesOf(items: readonly AttestationItem[], verdict: AttestationItem['verdict']): string[] {
  return items.filter((item) => item.verdict === verdict).map(({ name }) => name)
}

async function openDaemon(
  environment: Readonly<Record<string, string>> = {},
  prepare: (world: World) => void = () => {},
): Promise<TestDaemon & AsyncDisposable> {
  const daemon = await TestDaemon.start({ plugins: ['echoes'], environment, prepare })
  return Object.assign(daemon, { [Symbol.asyncDispose]: () => daemon.stop() })
}

/** In the place of bubblewrap: the network is the host's. */
function impostor(world: World, bwrap: string): string {
  const file = world.path('impostor')
  const script = `#!/bin/bash
for argument do
  shift
  case "$argument" in --unshare-net) ;; *) set -- "$@" "$argument" ;; esac
done
exec /usr/bin/env -u SHLVL -u OLDPWD -u _ ${bwrap} "$@"
`
  fs.writeFileSync(file, script, { mode: 0o755 })
  return file
}

function openToAll(folder: string): void {
  fs.chmodSync(folder, 0o777)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) openToAll(path.join(folder, entry.name))
}
