import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import type { Permission } from '../../src/contract/permission.ts'
import { skipBecause } from '../helpers/skip.ts'
import { SandboxWorld, type DaemonKind } from './sandbox-world.ts'

const READ_DATA: Permission = { kind: 'fs_read', declared: 'fs_read:./data', path: './data' }
const WRITE_OUT: Permission = { kind: 'fs_write', declared: 'fs_write:./out', path: './out' }
const READ_ALL: Permission = { kind: 'fs_read', declared: 'fs_read:.', path: '.' }
const READ_ROOT: Permission = { kind: 'fs_read', declared: 'fs_read:/', path: '/' }
const WRITE_ROOT: Permission = { kind: 'fs_write', declared: 'fs_write:/', path: '/' }
const WRITE_ALL: Permission = { kind: 'fs_write', declared: 'fs_write:.', path: '.' }

interface Facts {
  descriptors: string[]
  env: Record<string, string>
  cwd: string
  uid: number
  gid: number
  groups: number[]
  capabilities: string
  noNewPrivs: string
  hostname: string
  interfaces: unknown[]
  seccomp: string
  processes: string[]
}
type Said = Record<string, string>

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`the files and the process of a sandbox that a daemon of kind "${daemon}" starts`, () => {
    const world = new SandboxWorld(daemon)
    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    })
    after(() => world.close())
    filesOutside(world)
    writableGrant(world)
    wholeMachine(world)
    processItself(world)
  })
}

function filesOutside(world: SandboxWorld): void {
  const outside = (): string[] => [
    '/etc/passwd',
    '/etc/shadow',
    world.secret,
    path.join(world.workspace, 'private/kept.txt'),
    path.join(world.workspace, 'data/link/secret.txt'),
    path.join(world.pluginDir, 'link.txt'),
    path.join(world.pluginDir, '../other/index.mjs'),
    path.join(world.stateDir, 'state.db'),
    path.join(world.dataDir, '../other/theirs.txt'),
    `/proc/self/root${world.secret}`,
    '/proc/1/root/etc/passwd',
  ]
  const given = (): string => path.join(world.workspace, 'data/given.txt')

  it('shows no file outside the grants, with Node in the way and without', async () => {
    const input = { read: [...outside(), given()] }
    const full = await world.report<Said>('attempts.cjs', { input, permissions: [READ_DATA] })
    const bare = await world.report<Said>('attempts.cjs', {
      input,
      permissions: [READ_DATA],
      kernelOnly: true,
    })
    for (const file of outside()) {
      expect(full[`read ${file}`], `with Node, ${file}`).to.equal(nodesAnswer(file, 'ENOENT'))
      expect(bare[`read ${file}`], `kernel alone, ${file}`).to.be.oneOf(['ENOENT', 'EACCES'])
    }
    expect(full[`read ${given()}`]).to.equal('got given')
    expect(bare[`read ${given()}`]).to.equal('got given')
  })

  it('shows of the folders above only the way to what is granted', async () => {
    const list = [
      '/',
      world.root,
      world.workspace,
      path.dirname(world.pluginDir),
      world.stateDir,
      '/root',
      '/home',
      '/etc',
    ]
    const input = { list }
    const bare = await world.report<Said>('attempts.cjs', {
      input,
      permissions: [READ_DATA],
      kernelOnly: true,
    })
    expect(bare[`list ${world.workspace}`]).to.equal('got .phantom,data,tools')
    expect(bare[`list ${path.dirname(world.pluginDir)}`]).to.equal('got mine')
    expect(bare[`list ${world.stateDir}`]).to.equal('got data')
    expect(bare[`list ${world.root}`]).to.equal('got workspace')
    expect(bare['list /'])
      .to.match(/^got \.phantom-runner,dev,lib/)
      .and.not.match(/etc|root|home|usr/)
    for (const folder of ['/root', '/home', '/etc']) expect(bare[`list ${folder}`]).to.equal('ENOENT')
  })

  it('lets nothing be written but the granted folder, data_dir and /tmp', async () => {
    const closed = [
      '/x',
      '/dev/x',
      '/proc/x',
      '/.phantom-runner/runner/main.cjs',
      '/lib/x',
      `${world.workspace}/x`,
      `${world.root}/x`,
    ]
    const readOnly = [path.join(world.pluginDir, 'x'), path.join(world.pluginDir, 'index.mjs'), given()]
    const open = [
      path.join(world.workspace, 'out/new.txt'),
      path.join(world.dataDir, 'new.txt'),
      '/tmp/new.txt',
    ]
    const input = { write: [...closed, ...readOnly, ...open] }
    const options = { input, permissions: [READ_DATA, WRITE_OUT] }
    const bare = await world.report<Said>('attempts.cjs', { ...options, kernelOnly: true })
    const full = await world.report<Said>('attempts.cjs', options)
    for (const file of [...closed, ...readOnly]) {
      expect(bare[`write ${file}`], file).to.be.oneOf(['EROFS', 'EACCES', 'ENOENT'])
      expect(full[`write ${file}`], file).to.equal(nodesAnswer(file, 'EROFS'))
    }
    for (const file of open)
      expect([bare[`write ${file}`], full[`write ${file}`]], file).to.deep.equal([
        'got undefined',
        'got undefined',
      ])
    expect(fs.readFileSync(path.join(world.workspace, 'out/new.txt'), 'utf8')).to.equal('written')
    expect(fs.existsSync('/tmp/new.txt'), 'the host has its own /tmp').to.equal(false)
  })

  it('keeps the switches of the kernel out of reach', async () => {
    const open = [
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/modprobe',
      '/proc/sysrq-trigger',
      '/proc/self/oom_score_adj',
      '/dev/mem',
      '/dev/kmsg',
    ]
    const bare = await world.report<Said>('attempts.cjs', {
      input: { open, list: ['/proc/sys'] },
      kernelOnly: true,
    })
    for (const file of open.filter((one) => !one.includes('self'))) {
      expect(bare[`open ${file}`], file).to.be.oneOf(['ENOENT', 'EACCES', 'EROFS'])
    }
    expect(bare['open /proc/self/oom_score_adj'], 'the attempt itself works').to.equal('got undefined')
    expect(bare['list /proc/sys']).to.equal('got ')
  })
}

/** Node lets every plugin into /tmp, where this test's folders lie: there the kernel answers. */
function nodesAnswer(file: string, kernels: string): string {
  return path.resolve(file).startsWith('/tmp/') ? kernels : 'ERR_ACCESS_DENIED'
}

function writableGrant(world: SandboxWorld): void {
  it('keeps plugins and state closed inside a grant to write the whole workspace', async () => {
    const plugins = path.dirname(world.pluginDir)
    const write = [
      `${world.workspace}/new.txt`,
      `${world.pluginDir}/index.mjs`,
      `${plugins}/other/index.mjs`,
      `${plugins}/x`,
      `${world.stateDir}/x`,
    ]
    const input = {
      write,
      list: [world.stateDir],
      rename: [path.dirname(plugins), plugins, world.stateDir, world.pluginDir].map((folder) => [
        folder,
        `${folder}-aside`,
      ]),
    }
    const bare = await world.report<Said>('attempts.cjs', {
      input,
      permissions: [WRITE_ALL],
      kernelOnly: true,
    })
    expect(bare[`write ${write[0]}`]).to.equal('got undefined')
    for (const file of write.slice(1)) expect(bare[`write ${file}`], file).to.equal('EROFS')
    expect(bare[`list ${world.stateDir}`]).to.equal('got data')
    expect(bare[`rename ${path.dirname(plugins)}`]).to.equal('EBUSY')
    expect(bare[`rename ${plugins}`]).to.equal('EBUSY')
    expect(bare[`rename ${world.stateDir}`]).to.equal('EBUSY')
    expect(bare[`rename ${world.pluginDir}`]).to.be.oneOf(['EBUSY', 'EROFS'])
    expect(fs.existsSync(`${world.stateDir}/state.db`)).to.equal(true)
  })
}

function wholeMachine(world: SandboxWorld): void {
  // The private /tmp is the sandbox's own under a grant of "/", too, and this world lies in the host's.
  const hostname = '/etc/hostname'

  it('shows the host under a grant of "/", read-only, but for the kernel\u2019s folders, /tmp and the daemon\u2019s own', async () => {
    const state = path.join(world.stateDir, 'state.db')
    const input = {
      read: [hostname, '/bin/sh', '/proc/1/root/etc/hostname', world.secret, state],
      list: ['/tmp', '/proc/sys', world.stateDir],
      write: ['/phantom-written', '/etc/phantom-written', '/var/phantom-written'],
      open: ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger'],
    }
    for (const kernelOnly of [false, true]) {
      const said = await world.report<Said>('attempts.cjs', { input, permissions: [READ_ROOT], kernelOnly })
      expect(said[`read ${hostname}`]).to.match(/^got /)
      expect(said['read /bin/sh'], 'through the link that /bin may be').to.match(/^got /)
      expect(said[`read ${world.secret}`], 'in the host\u2019s /tmp').to.equal('ENOENT')
      expect(said[`read ${state}`]).to.equal('ENOENT')
      for (const file of input.write)
        expect(said[`write ${file}`], file).to.be.oneOf(['EROFS', 'EACCES', 'ERR_ACCESS_DENIED'])
      for (const file of input.open) expect(said[`open ${file}`], file).to.not.match(/^got/)
    }
    expect(fs.existsSync('/.phantom-runner'), 'nothing was made on the host').to.equal(false)
  })

  it('leaves the state folder empty wherever it lies in what is granted', async () => {
    const state = path.join(world.stateDir, 'state.db')
    const list = [world.stateDir, path.dirname(world.dataDir)]
    const input = { read: [state], list }
    for (const permission of [READ_ALL, WRITE_ALL]) {
      const said = await world.report<Said>('attempts.cjs', {
        input,
        permissions: [permission],
        kernelOnly: true,
      })
      expect(said[`read ${state}`]).to.equal('ENOENT')
      expect(said[`list ${list[0]}`]).to.equal('got data')
      expect(said[`list ${list[1]}`]).to.equal('got mine')
    }
  })

  it('leaves the daemon\u2019s own folders empty under a grant of "/", and other plugins\u2019 data with them', async () => {
    const inside = new SandboxWorld(world.daemon, null, '/var/tmp')
    try {
      await inside.open()
      const state = path.join(inside.stateDir, 'state.db')
      const theirs = path.join(inside.dataDir, '../other/theirs.txt')
      const own = path.join(inside.dataDir, 'old.txt')
      const input = {
        read: [inside.secret, state, theirs, own],
        list: [inside.stateDir, path.dirname(inside.dataDir)],
        write: [path.join(inside.stateDir, 'x'), state],
      }
      for (const permissions of [[READ_ROOT], [WRITE_ROOT], [READ_ROOT, WRITE_ALL]]) {
        const said = await inside.report<Said>('attempts.cjs', { input, permissions, kernelOnly: true })
        expect(said[`read ${inside.secret}`], 'elsewhere on the host').to.equal('got SECRET')
        for (const file of [state, theirs]) expect(said[`read ${file}`], file).to.equal('ENOENT')
        expect(said[`read ${own}`]).to.equal('got old')
        expect(input.list.map((folder) => said[`list ${folder}`])).to.deep.equal(['got data', 'got mine'])
        for (const file of input.write) expect(said[`write ${file}`], file).to.be.oneOf(['EROFS', 'EACCES'])
      }
    } finally {
      inside.close()
    }
  })

  it('makes nothing on the host for a grant to write "/"', async () => {
    const input = {
      read: [hostname, world.secret],
      list: ['/tmp'],
      write: ['/phantom-written', '/.phantom-runner/x', '/proc/phantom'],
    }
    const said = await world.report<Said>('attempts.cjs', {
      input,
      permissions: [WRITE_ROOT],
      kernelOnly: true,
    })
    expect(said[`read ${hostname}`]).to.match(/^got /)
    expect(said[`read ${world.secret}`], 'in the host\u2019s /tmp').to.equal('ENOENT')
    for (const file of input.write) expect(said[`write ${file}`], file).to.not.match(/^got/)
    expect(['/.phantom-runner', '/phantom-written'].filter((file) => fs.existsSync(file))).to.deep.equal([])
  })
}

function processItself(world: SandboxWorld): void {
  it('has no privilege, no uid of root, and nothing inherited', async () => {
    const environment = { GIVEN: 'value', SECRET_OF_DAEMON: 'secret' }
    const permissions: Permission[] = [{ kind: 'env', declared: 'env:GIVEN', variables: ['GIVEN'] }]
    const facts = await world.report<Facts>('facts.cjs', { environment, permissions, kernelOnly: true })
    expect(facts.capabilities).to.match(/^0+$/)
    expect(facts.noNewPrivs).to.equal('1')
    expect(facts.seccomp, 'a filter, and only one').to.equal('2 1')
    expect(facts.uid).to.equal(world.daemon === 'root' ? 0x7fff_0000 : 65534)
    expect(facts.gid).to.equal(world.daemon === 'root' ? 0x7fff_0001 : 65534)
    expect(facts.groups.filter((group) => group === 0)).to.deep.equal([])
    expect(facts.env).to.deep.equal({
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      PATH: '/nonexistent',
      PWD: world.workspace,
      GIVEN: 'value',
      PROBE: '{}',
    })
    expect(facts.cwd).to.equal(world.workspace)
    expect(facts.hostname).to.equal('plugin')
    expect(facts.processes).to.have.lengthOf(world.daemon === 'root' ? 2 : 1)
    expect(facts.interfaces, 'EAFNOSUPPORT').to.deep.equal([97])
  })

  it('has the four descriptors of its contract and what Node itself opens', async () => {
    const { descriptors } = await world.report<Facts>('facts.cjs', { kernelOnly: true })
    const links = new Map(descriptors.map((line) => line.split(' ') as [string, string]))
    expect(links.get('0')).to.equal('/dev/null')
    for (const name of ['1', '2', '3']) expect(links.get(name), `descriptor ${name}`).to.match(/^socket:/)
    const others = [...links].filter(([name]) => Number(name) > 3).map(([, link]) => link)
    // Its event loop, its wake-up pipes, /dev/null, and the folder that is being listed.
    for (const link of others)
      expect(link).to.match(/^(?:anon_inode:.*|pipe:.*|\/dev\/null|gone|\/proc\/\d+\/fd)$/)
  })

  it('shows nothing of other processes', async () => {
    const host = process.pid
    const read = ['/proc/1/environ', `/proc/${host}/environ`, `/proc/${process.ppid}/cmdline`]
    const bare = await world.report<Said>('attempts.cjs', { input: { read }, kernelOnly: true })
    expect(bare[`read /proc/${host}/environ`]).to.equal('ENOENT')
    expect(bare[`read /proc/${process.ppid}/cmdline`]).to.equal('ENOENT')
    // Under an ordinary daemon the probe itself is process 1.
    if (world.daemon === 'root') expect(bare['read /proc/1/environ']).to.equal('EACCES')
    else expect(bare['read /proc/1/environ']).to.match(/^got (?:HOME|LANG|PATH|PROBE|PWD)=/)
  })

  it('keeps the values of variables out of the command line', () => {
    const environment = { TOKEN: 'topsecret' }
    const permissions: Permission[] = [{ kind: 'env', declared: 'env:TOKEN', variables: ['TOKEN'] }]
    const { args, env } = world.plan('facts.cjs', { environment, permissions })
    expect(args.join(' ')).not.to.include('topsecret')
    expect(env['TOKEN']).to.equal('topsecret')
  })

  // An ordinary daemon's runner is the owner.
  if (world.daemon !== 'root') return
  it('starts in a workspace that only its owner may enter', async () => {
    fs.chmodSync(world.workspace, 0o700)
    try {
      const facts = await world.report<Facts>('facts.cjs', { permissions: [READ_ALL], kernelOnly: true })
      expect(facts).to.include({ cwd: world.workspace, noNewPrivs: '1' })
      expect(facts.capabilities).to.match(/^0+$/)
      const input = { list: [world.workspace], read: [path.join(world.workspace, 'data/given.txt')] }
      const said = await world.report<Said>('attempts.cjs', {
        input,
        permissions: [READ_ALL],
        kernelOnly: true,
      })
      expect(Object.values(said)).to.deep.equal(['EACCES', 'EACCES'])
    } finally {
      fs.chmodSync(world.workspace, 0o777)
    }
  })
}
