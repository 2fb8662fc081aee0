import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import { probeMachine } from '../../host/sandbox/machine.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const isRoot = process.getuid?.() === 0

/** A program that stands in for bubblewrap and changes one thing of what the daemon asked it for. */
interface Impostor {
  /** A pattern of the shell: arguments that it leaves out. */
  readonly drops?: string
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
    {
      what: 'loads no filter of system calls',
      drops: '--seccomp|5',
      first: 'exec 5<&-',
      refusedAs: 'seccomp',
    },
    { what: 'sets no limit on memory', drops: '--data=*', refusedAs: 'rlimit.data' },
    { what: 'sets no limit on files', drops: '--nofile=*', refusedAs: 'rlimit.nofile' },
    { what: 'adds a variable', adds: '--setenv INTRUDER x', refusedAs: 'environment' },
    { what: 'gives a variable another value', adds: '--setenv LANG intruder', refusedAs: 'environment' },
    { what: 'takes a variable away', adds: '--unsetenv LANG', refusedAs: 'environment' },
    { what: 'leaves a file open', first: 'exec 99</etc/passwd', refusedAs: 'descriptors' },
    ...(isRoot
      ? [
          { what: 'keeps a way to capabilities', drops: '--bounding-set=*', refusedAs: 'capabilities' },
          { what: 'keeps a group of root', drops: '--regid=*|--clear-groups', refusedAs: 'uid' },
        ]
      : [{ what: 'keeps a way to capabilities', drops: '--cap-drop|ALL', refusedAs: 'capabilities' }]),
  ]
  for (const { what, refusedAs, ...impostor } of cases) {
    it(`is refused when bubblewrap ${what}, as ${refusedAs}`, async () => {
      const daemon = await startWith(bwrap, impostor)
      try {
        const refusal = await daemon.refusal('echoes', 'echo', {})
        expect(refusal.code, refusal.message).to.equal('SANDBOX_UNAVAILABLE')
        expect(differencesIn(refusal)).to.deep.equal([refusedAs])
        expect(refusal.message).to.include(`${refusedAs} is "`).and.include('declared was "')
      } finally {
        await daemon.stop()
      }
    })
  }

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
      const audit = (): string => fs.readFileSync(path.join(state, 'audit.jsonl'), 'utf8')
      await until(() => audit().includes('sandbox.attestation_failed'), 'the line of the audit log')
      const line = audit()
        .split('\n')
        .find((one) => one.includes('sandbox.attestation_failed'))
      expect(line)
        .to.include('"plugin_id":"echoes"')
        .and.include('"outcome":"refused"')
        .and.include('namespace.net')
    } finally {
      await daemon.stop()
    }
  })

  it('names values of variables nowhere', async () => {
    const daemon = await startWith(bwrap, { adds: '--setenv INTRUDER topsecret' })
    try {
      const refusal = await daemon.refusal('echoes', 'echo', {})
      expect(refusal.message).to.include('INTRUDER')
      expect(JSON.stringify(refusal)).not.to.include('topsecret')
    } finally {
      await daemon.stop()
    }
  })
})

async function startWith(bwrap: string, { drops, adds = '', first = ':' }: Impostor): Promise<TestDaemon> {
  const environment: Record<string, string> = {}
  return await TestDaemon.start({
    plugins: ['echoes'],
    environment,
    prepare: (world) => {
      const file = world.path('impostor')
      const filter = drops === undefined ? '' : `${drops}) ;;`
      const script = `#!/bin/bash
${first}
for argument do
  shift
  case "$argument" in ${filter} *) set -- "$@" "$argument" ;; esac
done
# A shell adds variables of its own.
exec /usr/bin/env -u SHLVL -u OLDPWD -u _ ${bwrap} ${adds} "$@"
`
      fs.writeFileSync(file, script, { mode: 0o755 })
      environment['PHANTOM_BWRAP'] = file
    },
  })
}

function differencesIn(error: PhantomError): string[] {
  const { differences } = error.details as { differences?: { name: string }[] }
  return (differences ?? []).map(({ name }) => name)
}
