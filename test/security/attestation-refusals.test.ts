import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import { probeMachine } from '../../host/sandbox/machine.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { refusalOf, TestDaemon, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const isRoot = process.getuid?.() === 0

/** A program that stands in for bubblewrap and changes one thing of what the daemon asked it for. */
interface Impostor {
  /** A pattern of the shell: arguments that it leaves out. */
  readonly drops?: string
  /** Whether it leaves out the program between itself and the runner. */
  readonly dropsEntry?: boolean
  /** An argument that it puts in the place of another. */
  readonly swaps?: readonly [from: string, to: string]
  /** Arguments that it adds in front. */
  readonly adds?: string
  /** A line of the shell that it runs first. */
  readonly first?: string
}

describe('a start whose sandbox is not what was declared', () => {
  let bwrap = ''
  before(async function () {
    const machine = await probeMachine({ nodePath: process.execPath })
    if (machine.tier === 'process') skipBecause.call(this, `no namespaces here: ${machine.reasonNoNamespace}`)
    bwrap = machine.bwrapPath ?? ''
  })

  const cases: readonly (Impostor & { readonly what: string; readonly refusedAs: string })[] = [
    { what: 'shares the network', drops: '--unshare-net', refusedAs: 'namespace.net' },
    { what: 'shares the IPC objects', drops: '--unshare-ipc', refusedAs: 'namespace.ipc' },
    { what: 'shares the host name', drops: '--unshare-uts|--hostname|plugin', refusedAs: 'namespace.uts' },
    { what: 'shares the cgroups', drops: '--unshare-cgroup-try', refusedAs: 'namespace.cgroup' },
    { what: 'adds a variable', adds: '--setenv INTRUDER x', refusedAs: 'environment' },
    { what: 'gives a variable another value', adds: '--setenv LANG intruder', refusedAs: 'environment' },
    { what: 'takes a variable away', adds: '--unsetenv LANG', refusedAs: 'environment' },
    { what: 'leaves a file open', first: 'exec 99</etc/passwd', refusedAs: 'descriptors' },
    { what: 'mounts a folder of the host', adds: '--ro-bind /etc /etc', refusedAs: 'mounts' },
    { what: 'mounts what was to be read to be written', swaps: ['--ro-bind', '--bind'], refusedAs: 'mounts' },
    { what: 'puts a mount in another place', swaps: ['/tmp', '/var'], refusedAs: 'mounts' },
    {
      what: 'bounds no folder in memory',
      drops: '--size|[1-9][0-9][0-9][0-9][0-9][0-9][0-9]*',
      refusedAs: 'mounts',
    },
    {
      what: "starts the runner without Node's layer",
      drops: '--permission|--allow-*',
      refusedAs: 'canary.node',
    },
    ...(isRoot
      ? []
      : [
          {
            what: 'leaves every capability',
            swaps: ['--cap-drop', '--cap-add'] as const,
            refusedAs: 'capabilities',
          },
        ]),
  ]
  for (const { what, refusedAs, ...impostor } of cases) {
    it(`is refused when bubblewrap ${what}, as ${refusedAs}`, async () => {
      const refusal = await refusalBehind(() => startWith(bwrap, impostor))
      expect(refusal.code, refusal.message).to.equal('SANDBOX_UNAVAILABLE')
      expect(differencesIn(refusal)).to.deep.equal([refusedAs])
      expect(refusal.message).to.include(`${refusedAs} is "`).and.include('declared was "')
    })
  }

  it('is refused when bubblewrap leaves out the program that takes what is left', async () => {
    const refusal = await refusalBehind(() => startWith(bwrap, { dropsEntry: true }))
    const always = ['seccomp', 'rlimit.data', 'rlimit.nofile', 'rlimit.fsize']
    expect(differencesIn(refusal)).to.include.members(isRoot ? ['uid', 'capabilities', ...always] : always)
  })

  it('is refused when a bubblewrap that mounts by path follows a link that was not there at the check', async () => {
    const first = `
if [ "$1" = --help ]; then ${bwrap} --help | grep -v bind-fd; exit; fi
for argument do case "$argument" in /*/data/echoes) folder=$argument ;; esac; done
if [ -n "$folder" ] && [ ! -L "$folder" ]; then /bin/mv "$folder" "$folder.aside" && /bin/ln -s /etc "$folder"; fi`
    const refusal = await refusalBehind(() => startWith(bwrap, { first }))
    expect(refusal.code, refusal.message).to.equal('SANDBOX_UNAVAILABLE')
    expect(differencesIn(refusal)).to.deep.equal(['mounts'])
    expect(refusal.message).to.match(/data\/echoes\W+ is \W+etc\W+ instead of/)
  })

  it('is refused by the name of what is gone when bubblewrap was removed since the daemon began', async () => {
    let file = ''
    const daemon = await startWith(bwrap, {}, (impostor) => (file = impostor))
    try {
      expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
      fs.rmSync(file)
      const workspace = daemon.world.path('other')
      fs.mkdirSync(workspace)
      const refusal = await refusalOf(daemon.system.execute_plugin('echoes', 'echo', 'here', { workspace }))
      expect(refusal.code, refusal.message).to.equal('SANDBOX_UNAVAILABLE')
      expect(refusal.message).to.include(`"${file}": it is gone`).and.include('restart the daemon')
    } finally {
      await daemon.stop()
    }
  })

  it('is refused in tier "process" when prlimit sets nothing', async () => {
    const refusal = await refusalBehind(() => startWithout('prlimit'))
    expect(differencesIn(refusal)).to.include.members(['rlimit.data', 'rlimit.nofile'])
  })

  it('is refused in tier "process" when setpriv takes nothing', async () => {
    const refusal = await refusalBehind(() => startWithout('setpriv'))
    const asRoot = ['uid', 'no_new_privs', 'capabilities']
    expect(differencesIn(refusal)).to.include.members(isRoot ? asRoot : ['no_new_privs'])
  })

  it('is refused for what the canary can do where nothing but Node would have kept it from that', async () => {
    const refusal = await refusalBehind(() => startWithout('prlimit', '--permission|--allow-*'))
    expect(differencesIn(refusal)).to.include.members(['canary.connect', 'canary.start', 'canary.node'])
    expect(refusal.message)
      .to.include('canary.connect is "it could"')
      .and.include('canary.start is "it could"')
  })

  it('runs none of the plugin, is tried by nobody but calls, and is written down', async () => {
    const daemon = await startWith(bwrap, { drops: '--unshare-net' })
    try {
      await daemon.refusal('echoes', 'echo', {})
      const { instances, last_exit: lastExit } = await daemon.info('echoes')
      expect(instances).to.deep.equal([])
      expect(lastExit?.message).to.include('its sandbox is not what was declared')
      const [incident] = await daemon.system.get_incidents('echoes')
      expect(incident?.kind).to.equal('start_failed')
      expect(incident?.message).to.include('namespace.net')
      const { state_directory: state } = await daemon.system.get_status()
      const lines = (): string[] => fs.readFileSync(path.join(state, 'audit.jsonl'), 'utf8').split('\n')
      const line = (): string | undefined => lines().find((one) => one.includes('sandbox.attestation_failed'))
      await until(() => line() !== undefined, 'the line of the audit log')
      expect(line()).to.include('"plugin_id":"echoes"').and.include('"outcome":"refused"')
      expect(line()).to.include('namespace.net')
    } finally {
      await daemon.stop()
    }
  })

  it('names values of variables nowhere', async () => {
    const refusal = await refusalBehind(() => startWith(bwrap, { adds: '--setenv INTRUDER topsecret' }))
    expect(refusal.message).to.include('INTRUDER')
    expect(JSON.stringify(refusal)).not.to.include('topsecret')
  })
})

async function refusalBehind(start: () => Promise<TestDaemon>): Promise<PhantomError> {
  const daemon = await start()
  try {
    return await daemon.refusal('echoes', 'echo', {})
  } finally {
    await daemon.stop()
  }
}

async function startWith(
  bwrap: string,
  impostor: Impostor,
  onMade: (file: string) => void = () => undefined,
): Promise<TestDaemon> {
  const { drops = '/none', dropsEntry = false, swaps = [], adds = '', first = ':' } = impostor
  const [from = '/none', to = ''] = swaps
  const environment: Record<string, string> = {}
  return await TestDaemon.start({
    plugins: ['echoes'],
    environment,
    prepare: (world) => {
      const file = world.path('impostor')
      const script = `#!/bin/bash
${first}
before=
for argument do
  shift
  case "$argument" in ${from}) argument=${to} ;; esac
  case "$before$argument" in
    ${dropsEntry ? '--/*/enter' : '/none'}) ;;
    *) case "$argument" in ${drops}) ;; *) set -- "$@" "$argument" ;; esac ;;
  esac
  before=$argument
done
# A shell adds variables of its own.
exec /usr/bin/env -u SHLVL -u OLDPWD -u _ ${bwrap} ${adds} "$@"
`
      fs.writeFileSync(file, script, { mode: 0o755 })
      environment['PHANTOM_BWRAP'] = file
      onMade(file)
    },
  })
}

/** Of tier `process`, with a tool that does nothing but start what it is given, less one argument. */
async function startWithout(tool: string, dropped = '/none'): Promise<TestDaemon> {
  const environment: Record<string, string> = { PHANTOM_BWRAP: '' }
  return await TestDaemon.start({
    plugins: ['echoes'],
    environment,
    prepare: (world) => {
      const script = `#!/bin/bash
while [ "$1" != -- ]; do shift; done
shift
for argument do
  shift
  case "$argument" in ${dropped}) ;; *) set -- "$@" "$argument" ;; esac
done
exec /usr/bin/env -u SHLVL -u OLDPWD -u _ "$@"
`
      fs.mkdirSync(world.path('tools'))
      fs.writeFileSync(world.path('tools', tool), script, { mode: 0o755 })
      environment['PATH'] = `${world.path('tools')}:${process.env['PATH']}`
    },
  })
}

function differencesIn(error: PhantomError): string[] {
  const { differences } = error.details as { differences?: { name: string }[] }
  return (differences ?? []).map(({ name }) => name)
}
