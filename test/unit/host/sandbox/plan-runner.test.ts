import fs from 'node:fs'
import { expect } from 'chai'

import type { Machine } from '../../../../host/sandbox/machine.ts'
import { unenforced } from '../../../../host/sandbox/mechanisms.ts'
import { planRunner, type RunnerPlan, type RunnerRequest } from '../../../../host/sandbox/plan-runner.ts'
import type { Policy } from '../../../../host/sandbox/policy.ts'
import { MACHINE, POLICY, REQUEST, withPolicy } from '../../../helpers/runner-request.ts'
import { skipBecause } from '../../../helpers/skip.ts'

/** `--bind /a /b` and the like, in order, whether by path or by descriptor. */
function mounts({ args, binds }: RunnerPlan): string[] {
  return args.flatMap((one, at) => {
    const [from = '', to = ''] = [args[at + 1], args[at + 2]]
    if (one === '--bind-fd' || one === '--ro-bind-fd') {
      return [`${one.slice(2, -3)} ${binds[Number(from) - FIRST_BIND]} ${to}`]
    }
    if (one === '--bind' || one === '--ro-bind') return [`${one.slice(2)} ${from} ${to}`]
    if (one === '--tmpfs' || one === '--remount-ro') return [`${one.slice(2)} ${from}`]
    return []
  })
}
const FIRST_BIND = 6

/** As the entry program takes them, or `prlimit`. */
function rlimitsIn(
  machine: Partial<Machine>,
  limits = REQUEST.limits,
): Partial<Record<string, number | null>> {
  const identity = machine.uid === 0 ? { uid: 1, gid: 1 } : null
  const { args, entry } = planRunner({ ...MACHINE, ...machine }, { ...REQUEST, limits, identity })
  if (entry !== null) return { ...entry.rlimits }
  return Object.fromEntries(
    args.flatMap((argument) => {
      const [, name = '', value] = /^--(data|nofile|nproc|fsize|core)=(\d+)$/.exec(argument) ?? []
      return value === undefined ? [] : [[name, Number(value)]]
    }),
  )
}

describe('planRunner()', () => {
  it('refuses to run a plugin as root', () => {
    const root = { ...MACHINE, uid: 0 }
    const denied =
      /^Cannot start a plugin from "\/ws\/plugins\/a\/mine": the daemon is root and .*no plugin runs as root\./
    expect(() => planRunner(root, REQUEST)).to.throw(denied)
    const identity = { uid: 1, gid: 1 }
    const bare = { ...root, setprivPath: null, tier: 'process' } as const
    expect(() => planRunner(bare, { ...REQUEST, identity })).to.throw(/"setpriv" is not installed/)
    expect(() => planRunner(bare, { ...REQUEST, identity })).to.throw(denied)
    const inside = planRunner({ ...root, setprivPath: null }, { ...REQUEST, identity })
    expect(inside.entry?.identity).to.deep.equal(identity)
  })

  it('gives the right to start threads, and its address space, to who declares threads alone', () => {
    for (const tier of ['namespace', 'process'] as const) {
      const machine = { ...MACHINE, tier }
      const wordsOf = (threads: number) => planRunner(machine, { ...REQUEST, threads }).args.join(' ')
      expect(wordsOf(2)).to.include('--allow-worker').and.include('--disable-warning=SecurityWarning')
      expect(wordsOf(0)).not.to.include('--allow-worker')
      expect(planRunner(machine, { ...REQUEST, threads: 2 }).expected.node).to.include('worker')
    }
  })

  it('lets a program of the plugin be no first process, whose signals to itself do nothing, and hides the one that is', () => {
    const program = { command: ['/ws/plugins/a/mine/main'], systemPaths: [], systemLinks: [] }
    const ordinary = planRunner(MACHINE, { ...REQUEST, program })
    expect(ordinary.args).not.to.include('--as-pid-1')
    expect(ordinary.hasReaper).to.equal(true)
    expect(ordinary.args.join(' ')).to.include('--tmpfs /proc/1 ')
  })

  it('uses a user namespace for an ordinary daemon, and mounts by root and drops the uid for root', () => {
    const ordinary = planRunner(MACHINE, REQUEST)
    expect(ordinary.args).to.include.members(['--unshare-user', '--as-pid-1'])
    expect(ordinary.args.join(' ')).to.include('--cap-drop ALL').and.not.include('--cap-add')
    const root = planRunner({ ...MACHINE, uid: 0 }, { ...REQUEST, identity: { uid: 70, gid: 71 } })
    expect(root.args).not.to.include.members(['--unshare-user'])
    expect(root.args, "a runner of another uid would not get its monitor's signal").not.to.include(
      '--as-pid-1',
    )
    expect(root.entry).to.deep.include({ identity: { uid: 70, gid: 71 }, lastCapability: 40 })
    expect(ordinary.entry?.identity).to.equal(null)
    for (const { args } of [ordinary, root]) {
      expect(args.join(' ')).to.include(
        '--perms 0755 --file 5 /.phantom-runner/enter',
        'the last program before the runner',
      )
      expect(args.join(' ')).to.include('-- /.phantom-runner/enter /.phantom-runner/node --permission')
      expect(args).to.include.members([
        '--unshare-pid',
        '--unshare-net',
        '--unshare-ipc',
        '--unshare-uts',
        '--die-with-parent',
        '--new-session',
      ])
    }
  })

  it('puts the allowance on top of what an idle runner counts', () => {
    expect(rlimitsIn({ tier: 'process' }).data).to.equal(600 * 1024 * 1024)
    expect(planRunner(MACHINE, REQUEST).args).to.include('--max-old-space-size=100')
  })

  it('takes what the private /tmp may hold from the memory: an eighth, at most 16 MiB', () => {
    for (const [maxMemoryMb, temporaryMb] of [
      [4, 1],
      [100, 12],
      [256, 16],
      [4096, 16],
    ] as const) {
      const limits = { ...REQUEST.limits, maxMemoryMb }
      const { args } = planRunner(MACHINE, { ...REQUEST, limits })
      expect(args[args.lastIndexOf('--size') + 1]).to.equal(String(temporaryMb * 1024 * 1024))
      expect(rlimitsIn({}, limits).data).to.equal((500 + maxMemoryMb - temporaryMb) * 1024 * 1024)
    }
  })

  it('sets open files, processes and file size as the manifest says, and as the house does where it is silent', () => {
    const told = { ...REQUEST.limits, maxOpenFiles: 40, maxProcesses: 20, maxFileSizeMb: 3 }
    const asRoot = { uid: 0 }
    for (const tier of ['namespace', 'process'] as const) {
      expect(rlimitsIn({ ...asRoot, tier }), tier).to.include({
        nofile: 256,
        nproc: 64,
        fsize: 1073741824,
        core: 0,
      })
      expect(rlimitsIn({ ...asRoot, tier }, told), tier).to.include({
        nofile: 40,
        nproc: 20,
        fsize: 3145728,
        core: 0,
      })
    }
  })

  it('limits processes only where a uid has a count of its own', () => {
    const limited = (machine: Partial<Machine>): boolean => (rlimitsIn(machine).nproc ?? null) !== null
    expect(limited({})).to.equal(true)
    expect(limited({ kernelRelease: '5.10.0' })).to.equal(false)
    expect(limited({ tier: 'process' })).to.equal(false)
    expect(limited({ tier: 'process', uid: 0 })).to.equal(true)
  })

  it('mounts the plugin, its data and its validators last, over whatever a grant opened', () => {
    const all = mounts(planRunner(MACHINE, withPolicy({ writePaths: ['/ws'] })))
    expect(all.slice(all.indexOf('bind /ws /ws'))).to.deep.equal([
      'bind /ws /ws',
      'ro-bind /ws/plugins /ws/plugins',
      'tmpfs /ws/.phantom',
      'bind /ws/.phantom/data/mine /ws/.phantom/data/mine',
      'ro-bind /ws/plugins/a/mine /ws/plugins/a/mine',
      'ro-bind /ws/.phantom/validators /ws/.phantom/validators',
      'remount-ro /proc/sys',
      'remount-ro /ws/.phantom',
      'remount-ro /',
    ])
  })

  it("starts nothing with a path that Node's permission model takes for a pattern, in no tier", () => {
    for (const machine of [MACHINE, { ...MACHINE, tier: 'process' as const }]) {
      for (const odd of [{ pluginDir: '/ws/plugins/a/m*e' }, { dataDir: '/ws/.ph*m/data/mine' }]) {
        expect(() => planRunner(machine, { ...REQUEST, ...odd }))
          .to.throw('takes the "*" in that path for any text')
          .and.have.property('code', 'PLUGIN_BLOCKED')
      }
    }
  })

  it('mounts what was granted by what is open, and by its path only where bubblewrap knows no other way', () => {
    const request = withPolicy({ readPaths: ['/srv/a'] })
    const open = planRunner(MACHINE, request)
    expect(open.args.join(' ')).to.include('--ro-bind-fd 6 /srv/a').and.not.include('--ro-bind /srv/a')
    expect(open.binds).to.include.members(['/srv/a', '/ws/plugins/a/mine', '/ws/.phantom/data/mine'])
    const named = planRunner({ ...MACHINE, hasBindFd: false }, request)
    expect(named.args.join(' ')).to.include('--ro-bind /srv/a /srv/a')
    expect(named.binds).to.deep.equal([])
    expect(mounts(named)).to.deep.equal(mounts(open))
  })

  it('shows the programs of the host to who may start them, and still nothing of what is hidden', () => {
    const request = withPolicy({ process: true, hide: ['/usr/share/phantom'] })
    const plan = planRunner(MACHINE, request)
    expect(plan.args.join(' '))
      .to.include('--ro-bind /usr /usr --symlink usr/bin /bin')
      .and.include('--tmpfs /usr/share/phantom')
      .and.include('--allow-child-process')
      .and.include('--tmpfs /proc/1 ')
    expect(plan.args, 'somebody reaps').not.to.include('--as-pid-1')
    expect(plan.env['PATH']).to.equal('/usr/bin:/bin')
    expect(planRunner(MACHINE, REQUEST).args.join(' ')).not.to.match(/\/usr |allow-child/)
  })

  it('covers what tells of the host, and makes a /dev without memory or terminals', () => {
    const args = planRunner(MACHINE, REQUEST).args.join(' ')
    expect(args).to.include('--ro-bind /dev/null /proc/kallsyms').and.include('--tmpfs /proc/sys')
    expect(args)
      .to.include('--dev-bind /dev/null /dev/null')
      .and.not.match(/--dev |zero|pts|tty/)
  })

  it('pins the folders between a writable grant and what is guarded in it', () => {
    const all = mounts(planRunner(MACHINE, withPolicy({ writePaths: ['/ws'], protect: [] })))
    expect(all.slice(all.indexOf('bind /ws /ws'), all.indexOf('tmpfs /ws/.phantom'))).to.deep.equal([
      'bind /ws /ws',
      'bind /ws/plugins /ws/plugins',
      'bind /ws/plugins/a /ws/plugins/a',
    ])
  })

  it('masks and guards nothing that no grant shows', () => {
    const all = mounts(planRunner(MACHINE, withPolicy({ readPaths: ['/ws/data'] })))
    expect(all).not.to.include('tmpfs /ws/.phantom').and.not.to.include('ro-bind /ws/plugins /ws/plugins')
    expect(all).to.include('ro-bind /ws/data /ws/data')
  })

  it('shows by a second name in `/` only what has nothing guarded in it', function () {
    const at = ['/bin', '/lib', '/sbin'].find((name) => fs.realpathSync(name) !== name)
    if (at === undefined) return skipBecause.call(this, 'no folder of this system has a second name in /')
    const real = fs.realpathSync(at)
    const none = { hide: [], protect: [] }
    for (const [kind, grant] of [
      ['ro-bind', { readPaths: ['/'] }],
      ['bind', { writePaths: ['/'] }],
    ] as const) {
      const mount = `${kind} ${real} ${at}`
      const mountsOf = (more: Partial<RunnerRequest>, policy: Partial<Policy> = {}): string[] =>
        mounts(planRunner(MACHINE, { ...withPolicy({ ...none, ...grant, ...policy }), ...more }))
      expect(mountsOf({})).to.include(mount)
      expect(mountsOf({}, { hide: ['/srv/phantom'] })).to.include(mount)
      const inside = `${real}/of/phantom`
      expect(mountsOf({}, { hide: [inside] }))
        .to.include(`tmpfs ${inside}`)
        .and.not.include(mount)
      expect(mountsOf({}, { hide: [real] }), 'itself').not.to.include(mount)
      expect(mountsOf({}, { hide: [`${real}-other`] }), 'beside it').to.include(mount)
      expect(mountsOf({}, { protect: [inside] })).not.to.include(mount)
      expect(mountsOf({ pluginDir: inside })).not.to.include(mount)
      expect(mountsOf({ dataDir: inside })).not.to.include(mount)
    }
  })

  it('mounts parents before what lies in them', () => {
    const request = withPolicy({ readPaths: ['/srv/b', '/srv/b-2'], writePaths: ['/srv/b/out', '/srv/a'] })
    const all = mounts(planRunner(MACHINE, request)).filter((mount) => mount.includes(' /srv'))
    expect(all).to.deep.equal([
      'bind /srv/a /srv/a',
      'ro-bind /srv/b /srv/b',
      'ro-bind /srv/b-2 /srv/b-2',
      'bind /srv/b/out /srv/b/out',
    ])
  })

  it('makes every folder on the way to a mount readable for the uid of the runner', () => {
    const args = planRunner(MACHINE, withPolicy({ readPaths: ['/srv/deep/data'] })).args.join(' ')
    for (const folder of ['/srv', '/srv/deep', '/ws', '/ws/plugins', '/ws/plugins/a', '/lib']) {
      expect(args).to.include(`--perms 0755 --dir ${folder} `)
    }
    expect(args, 'not the mounted folder itself').not.to.include('--dir /srv/deep/data ')
  })

  it('seals the way to what lies below /tmp', () => {
    const args = planRunner(MACHINE, { ...REQUEST, workspace: '/tmp/work/here' }).args.join(' ')
    expect(args)
      .to.include('--tmpfs /tmp/work')
      .and.include('--dir /tmp/work/here')
      .and.include('--remount-ro /tmp/work ')
  })

  it('puts a stripped copy in the place of the plugin, or starts from the copy where nothing can be mounted', () => {
    const request = { ...REQUEST, overlayDir: '/cache/copy' }
    const namespace = planRunner(MACHINE, request)
    expect(mounts(namespace)).to.include('ro-bind /cache/copy /ws/plugins/a/mine')
    expect(namespace.pluginPath).to.equal('/ws/plugins/a/mine')
    const bare = planRunner({ ...MACHINE, tier: 'process' }, request)
    expect(bare.pluginPath).to.equal('/cache/copy')
    expect(bare.args).to.include('--allow-fs-read=/cache/copy')
  })

  it("holds a WebAssembly plugin's memory and tables by V8's flags, and opens grants to no other runtime", () => {
    const isWasm = true
    const plan = planRunner(MACHINE, { ...REQUEST, isWasm })
    expect(plan.args).to.include.members([
      '--wasm-max-mem-pages=1600',
      '--wasm-max-table-size=100000',
      '--allow-fs-read=/proc/self/fd',
      '--allow-fs-write=/proc/self/fd',
    ])
    const huge = planRunner(MACHINE, {
      ...REQUEST,
      isWasm,
      limits: { ...REQUEST.limits, maxMemoryMb: 1_048_576 },
    })
    expect(huge.args).to.include('--wasm-max-mem-pages=65536')
    expect(planRunner(MACHINE, REQUEST).args.join(' ')).not.to.match(/wasm|=\/proc\/self\/fd|expose-gc/)
  })

  it('gives an exact environment beside the arguments, and no values in them', () => {
    for (const tier of ['namespace', 'process'] as const) {
      const { args, env } = planRunner({ ...MACHINE, tier }, REQUEST)
      expect(args.join(' ')).not.to.include('secret')
      expect(env).to.include({ TOKEN: 'secret', LANG: 'C.UTF-8', PATH: '/nonexistent', PWD: '/ws' })
    }
  })

  it('ties tier process to the daemon and lowers what it can', () => {
    const plan = planRunner({ ...MACHINE, tier: 'process' }, REQUEST)
    expect(plan).to.include({ tier: 'process', file: '/usr/bin/setpriv', cwd: '/ws', statusFd: null })
    expect(plan.args.slice(0, 4)).to.deep.equal([
      '--no-new-privs',
      '--pdeathsig=KILL',
      '--',
      '/usr/bin/prlimit',
    ])
    const alone = planRunner({ ...MACHINE, tier: 'process', setprivPath: null, prlimitPath: null }, REQUEST)
    expect(alone.file).to.equal('/opt/node')
    expect(alone.mechanisms).to.include({ memory: null, privileges: null, uid: null })
  })
})

describe('unenforced()', () => {
  it('names more for tier process than for tier namespace', () => {
    expect(unenforced('process').length).to.be.greaterThan(unenforced('namespace').length)
    expect(unenforced('process').join()).to.include('permission model is no boundary')
  })
})

describe('planRunner() of a program of the plugin', () => {
  const program = {
    command: ['/usr/bin/python3', '/ws/plugins/a/mine/main.py'],
    systemPaths: ['/usr/lib/python3.11', '/lib/libm.so.6', '/usr/bin/python3.11'],
    systemLinks: [{ at: '/usr/bin/python3', to: '/usr/bin/python3.11' }],
  }
  const gate = { read: '/ws/.phantom/state.db', signal: 4711, waits: true }
  const request = { ...REQUEST, program, gate, validatorDir: null, baseDataBytes: 16 * 1024 * 1024 }

  it('shows what it needs of the system, and nothing of Node', () => {
    const plan = planRunner(MACHINE, request)
    const found = mounts(plan).join('\n')
    expect(found).to.contain(
      'ro-bind /lib/libm.so.6 /lib/libm.so.6\nro-bind /usr/bin/python3.11 /usr/bin/python3.11\n',
    )
    for (const absent of ['/opt/node', '/pkg', 'libc.so.6']) expect(plan.args.join()).not.to.contain(absent)
    expect(plan.args.join(' ')).to.contain('--symlink /usr/bin/python3.11 /usr/bin/python3 ')
    expect(Object.values(plan.mechanisms).join()).not.to.contain('node')
  })

  it('starts it behind the gate, where it is looked at', () => {
    const { args, entry, expected } = planRunner(MACHINE, request)
    expect(args.slice(args.indexOf('--'))).to.deep.equal(['--', '/.phantom-runner/enter', ...program.command])
    expect(entry?.gate).to.deep.equal({ ...gate, start: true })
    expect(expected.program).to.equal('/.phantom-runner/enter')
    expect(expected).to.deep.include({ isGated: true, canary: { ...gate, start: true } })
  })

  it('has the runner tried for and not held: it answers for itself', () => {
    const tried = { ...gate, waits: false }
    const { entry, expected } = planRunner(MACHINE, { ...REQUEST, gate: tried })
    expect(entry?.gate).to.deep.equal({ ...tried, start: true })
    expect(expected.program).to.equal('/.phantom-runner/node')
    expect(expected).to.deep.include({ isGated: false, canary: { ...tried, start: true } })
  })

  it('is not started where nothing would hold it', () =>
    expect(() => planRunner({ ...MACHINE, tier: 'process' }, request)).to.throw(TypeError))

  it('limits its data to a small base and its allowance, less the private /tmp', () => {
    const { entry } = planRunner(MACHINE, request)
    expect(entry?.rlimits.data).to.equal((16 + 100 - 12) * 1024 * 1024)
  })

  it('with the permission to start programs has those of the system once', () => {
    const plan = planRunner(MACHINE, { ...request, policy: { ...POLICY, process: true } })
    expect(mounts(plan).filter((mount) => mount.includes('/usr'))).to.deep.equal(['ro-bind /usr /usr'])
    expect(plan.args.join(' ')).not.to.contain('--symlink /usr/bin/python3.11')
    expect(plan.entry?.gate).to.deep.include({ start: false })
  })
})
