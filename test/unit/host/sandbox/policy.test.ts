import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'

import { refusalOf, resolvePolicy, type Policy, type PolicyRoots } from '../../../../host/sandbox/policy.ts'
import type { IsolationTier } from '../../../../src/contract/life.ts'
import type { Permission } from '../../../../src/contract/permission.ts'

const read = (at: string): Permission => ({ kind: 'fs_read', declared: `fs_read:${at}`, path: at })
const write = (at: string): Permission => ({ kind: 'fs_write', declared: `fs_write:${at}`, path: at })
const env = (...variables: string[]): Permission => ({
  kind: 'env',
  declared: `env:${variables.join(',')}`,
  variables,
})

describe('resolvePolicy()', () => {
  let root: string
  let roots: PolicyRoots

  before(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-policy-')))
    for (const folder of [
      'ws/data/deep',
      'ws/plugins/mine',
      'ws/plugins/other',
      'ws/.phantom/data/mine',
      'ws/config',
      'elsewhere',
    ]) {
      fs.mkdirSync(path.join(root, folder), { recursive: true })
    }
    fs.writeFileSync(path.join(root, 'ws/data/file.txt'), '')
    fs.symlinkSync(path.join(root, 'elsewhere'), path.join(root, 'ws/out-of-here'))
    fs.symlinkSync(path.join(root, 'ws'), path.join(root, 'link-to-ws'))
    fs.symlinkSync(path.join(root, 'nowhere'), path.join(root, 'ws/dangling'))
    roots = {
      workspace: path.join(root, 'ws'),
      pluginDir: path.join(root, 'ws/plugins/mine'),
      dataDir: path.join(root, 'ws/.phantom/data/mine'),
      hidden: [path.join(root, 'ws/.phantom'), path.join(root, 'ws/config')],
      secretsFile: null,
      protect: [path.join(root, 'ws/plugins'), path.join(root, 'not-there')],
      forbidden: [],
      environment: {},
      identity: null,
    }
  })
  after(() => fs.rmSync(root, { recursive: true, force: true }))

  function resolve(
    permissions: Permission[],
    more: Partial<PolicyRoots> = {},
    tier: IsolationTier = 'namespace',
  ): Policy {
    return resolvePolicy(permissions, { ...roots, ...more }, { tier })
  }
  function refusal(
    permission: Permission,
    more: Partial<PolicyRoots> = {},
    tier: IsolationTier = 'namespace',
  ): string {
    const policy = resolve([permission], more, tier)
    expect([...policy.readPaths, ...policy.writePaths, ...policy.createPaths]).to.deep.equal([])
    expect(policy.permissions[0]).to.include({ effective: null, mechanism: null })
    return policy.permissions[0]?.refused ?? ''
  }

  it('follows no link that lies where the plugin may write: it may have put it there itself', () => {
    const at = (name: string): string => path.join(root, 'ws', name)
    for (const folder of ['out/deep', 'big']) fs.mkdirSync(at(folder), { recursive: true })
    for (const [to, link] of Object.entries({ '..': 'out/up', '../..': 'out/deep/up', big: 'named' }))
      fs.symlinkSync(to, at(link))
    fs.symlinkSync('../data', at('big/data'))
    const planted = /leads through ".*", a link that lies where the plugin may write and may have put it/
    const pathsOf = ({ readPaths, writePaths }: Policy): string[] => [...readPaths, ...writePaths]
    for (const written of ['./out/up', './out/up/data', './out/deep/up', '${workspace}/out/up']) {
      for (const right of [read, write]) {
        const policy = resolve([right(written), write('./out')])
        expect(pathsOf(policy), written).to.deep.equal([at('out')])
        expect(policy.permissions[0]?.refused, written).to.match(planted)
      }
    }
    // Not by another one either, which would lead to the same.
    const twice = resolve([write('./out'), write('./out/up'), write('./out/deep/up')])
    expect(pathsOf(twice)).to.deep.equal([at('out')])
    const behind = resolve([write('./named'), read('./named/data')])
    expect(pathsOf(behind), 'a link that the user made, and one behind it').to.deep.equal([at('big')])
    // Where it leads to may be written in any case, or nothing can be put in its way.
    expect(pathsOf(resolve([write('.'), write('./out/up')]))).to.deep.equal([at('.').replace(/\/\.?$/, '')])
    expect(pathsOf(resolve([read('./named')]))).to.deep.equal([at('big')])
    for (const made of ['out', 'big', 'named']) fs.rmSync(at(made), { recursive: true })
  })

  it('takes relative paths from the workspace, at their canonical place', () => {
    const policy = resolve([read('./data'), write('${workspace}/data/file.txt')])
    expect(policy.readPaths).to.deep.equal([path.join(root, 'ws/data')])
    expect(policy.writePaths).to.deep.equal([path.join(root, 'ws/data/file.txt')])
    expect(policy.permissions[0]).to.deep.equal({
      declared: 'fs_read:./data',
      effective: `read ${root}/ws/data/`,
      mechanism: 'mount namespace + node --permission',
      refused: null,
    })
    expect(policy.notices).to.deep.equal([])
  })

  it('does not follow a workspace that has become a link since it was admitted', () => {
    const workspace = path.join(root, 'link-to-ws')
    const policy = resolve([read('./data'), read('.'), write('${workspace}/new')], { workspace })
    expect([...policy.readPaths, ...policy.writePaths, ...policy.createPaths]).to.deep.equal([])
    for (const { refused } of policy.permissions) {
      expect(refused).to.include(
        `leads out of the workspace "${workspace}", through a symbolic link, to "${root}/ws`,
      )
    }
    expect(refusal(read(path.join(workspace, 'data')), { workspace })).to.include('through a symbolic link')
  })

  it('lists no path inside another, and nothing to read inside what may be written', () => {
    const policy = resolve([read('data'), read('data/deep'), read('data/file.txt'), write('./data/deep')])
    expect(policy.readPaths).to.deep.equal([path.join(root, 'ws/data')])
    expect(policy.writePaths).to.deep.equal([path.join(root, 'ws/data/deep')])
    expect(resolve([write('.'), read('./data')]).readPaths).to.deep.equal([])
  })

  it('refuses a relative path that leaves its folder, by dots or by a link', () => {
    expect(refusal(read('../elsewhere'))).to.include(
      `it leads out of the workspace "${root}/ws" to "${root}/elsewhere"`,
    )
    expect(refusal(read('./out-of-here')))
      .to.include('through a symbolic link')
      .and.include(`"${root}/elsewhere"`)
    expect(refusal(write('${data_dir}/../other'))).to.include('leads out of the data_dir')
    expect(refusal(read('${plugin_dir}/..'))).to.include("leads out of the plugin's folder")
    expect(refusal(write('./dangling'))).to.include('cannot be followed to its end')
  })

  it('refuses an absolute path that leads elsewhere through a link: what was approved is what is mounted', () => {
    expect(refusal(read(path.join(root, 'ws/out-of-here'))))
      .to.include(`through a symbolic link, to "${root}/elsewhere"`)
      .and.include('Name that path')
    expect(resolve([read(path.join(root, 'elsewhere'))]).readPaths).to.deep.equal([
      path.join(root, 'elsewhere'),
    ])
  })

  it('grants the whole machine but for what is the daemon’s own, where a mount namespace can leave that out', () => {
    const policy = resolve([read('/')])
    expect(policy.readPaths).to.deep.equal(['/'])
    expect(policy.hide).to.deep.equal(roots.hidden)
    expect(policy.permissions[0]).to.include({ effective: 'read /', refused: null })
    expect(refusal(read('/'), {}, 'process')).to.include('only a mount namespace could leave out')
  })

  it('refuses a relative path that is a wide grant where the workspace is', () => {
    const home = os.homedir()
    expect(refusal(read('.'), { workspace: home })).to.match(
      /^it is "\/.*" here, a whole home folder.*Name the absolute path/,
    )
    expect(refusal(write('./etc'), { workspace: '/' })).to.include('a whole folder of the system')
    expect(resolve([read(home)]).readPaths).to.deep.equal([home])
  })

  it('keeps closed what the administrator’s policy refuses, wherever a path leads', () => {
    const forbidden = [
      { kind: 'fs_read' as const, path: path.join(root, 'ws/data'), place: 'policy.yaml:3:7' },
    ]
    expect(refusal(read('./data/deep'), { forbidden })).to.include('policy.yaml:3:7')
    expect(refusal(write('.'), { forbidden })).to.include("administrator's policy refuses")
    const writing = [{ kind: 'fs_write' as const, path: '${workspace}/data', place: 'policy.yaml:3:7' }]
    expect(refusal(write(path.join(root, 'ws/data')), { forbidden: writing })).to.include('policy.yaml:3:7')
    expect(resolve([read('./data')], { forbidden: writing }).readPaths).to.have.lengthOf(1)
  })

  it('refuses the kernel, /tmp, patterns, unknown variables, sockets and control characters', () => {
    for (const at of [
      '/proc',
      '/proc/1',
      '/sys/kernel',
      '/dev',
      '/dev/null',
      '/tmp',
      '/tmp/',
      '/.phantom-runner/x',
      '/proc/../proc/1',
    ]) {
      expect(refusal(read(at)), at).to.match(/granted to nobody|its own|of its own/)
    }
    expect(refusal(read('./data/*.csv'))).to.include('"*"')
    fs.mkdirSync(path.join(root, 'ws/a*b'))
    fs.symlinkSync('a*b', path.join(root, 'ws/to-a-pattern'))
    expect(refusal(read('./to-a-pattern')), 'behind a link').to.include('a*b" has a "*" in it')
    expect(refusal(read('${home}/x'))).to.include('"${home}" is not known')
    expect(refusal(read('./a\nb'))).to.include('control character')
    expect(refusal(read('~/x'))).to.include('absolute path')
    expect(refusal(read(''))).to.include('names no path')
  })

  it("refuses the daemon's state, and masks it inside a grant that contains it", () => {
    expect(refusal(read('./.phantom'))).to.include("the daemon's own state")
    expect(refusal(write('./.phantom/data/other'))).to.include("the daemon's own state")
    expect(refusal(read('./config'))).to.include(
      "the daemon's own state or configuration, which no plugin sees. Name another place",
    )
    const policy = resolve([read('.')])
    expect(policy.readPaths).to.deep.equal([roots.workspace])
    expect(policy.hide).to.deep.equal(roots.hidden)
    expect(policy.protect).to.deep.equal([path.join(root, 'ws/plugins')])
    expect(refusal(read('.'), {}, 'process')).to.include('only a mount namespace could leave out')
  })

  it('never lets a plugin write where plugins lie, its own folder included', () => {
    expect(refusal(write('${plugin_dir}/cache'))).to.include('stays read-only. Write to ${data_dir}')
    expect(refusal(write('./plugins/other'))).to.include('stays read-only for plugins')
    expect(resolve([read('./plugins/other')]).readPaths).to.deep.equal([path.join(root, 'ws/plugins/other')])
  })

  it('needs no mount for the own folder and data_dir, which are always there', () => {
    const policy = resolve([read('${plugin_dir}'), write('${data_dir}/cache')])
    expect([policy.readPaths, policy.writePaths]).to.deep.equal([[], []])
    expect(policy.permissions.map((one) => one.refused)).to.deep.equal([null, null])
    expect(policy.createPaths).to.deep.equal([path.join(roots.dataDir, 'cache')])
  })

  it('names a missing path to read, and has a missing folder to write made below the workspace alone', () => {
    const policy = resolve([
      read('./nothing'),
      write('./new/folder'),
      write(path.join(root, 'ws/abs')),
      write(path.join(root, 'far')),
    ])
    expect(policy.createPaths).to.deep.equal([path.join(root, 'ws/new/folder'), path.join(root, 'ws/abs')])
    expect(policy.writePaths).to.deep.equal([path.join(root, 'ws/abs'), path.join(root, 'ws/new/folder')])
    expect(policy.notices).to.deep.equal([
      `fs_read:./nothing: "${root}/ws/nothing" does not exist. Make it, then restart the plugin`,
      `fs_write:${root}/far: "${root}/far" does not exist, and outside the workspace the host makes no folders. Make it, then restart the plugin`,
    ])
  })

  it('passes the variables that are set, and none that steers the runtime', () => {
    const environment = {
      TOKEN: 'a',
      EMPTY: '',
      LD_PRELOAD: '/x.so',
      NODE_OPTIONS: '--inspect',
      NODE_ENV: 'test',
      TZ: 'UTC',
    }
    const policy = resolve(
      [env('TOKEN', 'EMPTY', 'ABSENT'), env('LD_PRELOAD'), env('NODE_OPTIONS'), env('NODE_ENV'), env('*')],
      { environment },
    )
    expect(policy.env).to.deep.equal({ TZ: 'UTC', TOKEN: 'a', EMPTY: '' })
    expect(policy.permissions[0]).to.include({ effective: 'the value of TOKEN, EMPTY' })
    expect(policy.permissions[1]?.refused).to.include('steers the runtime')
    expect(policy.notices).to.include(
      'env:TOKEN,EMPTY,ABSENT: ABSENT is not set where the daemon runs. Set it there and restart the daemon, or put it into a secrets file (security.secrets_file)',
    )
    expect(policy.notices.join()).not.to.include('/x.so')
    const withFile = resolve([env('ABSENT')], { environment, secretsFile: path.join(root, 'secrets') })
    expect(withFile.permissions[0]?.refused).to.equal(
      'ABSENT is set neither in the secrets file nor where the daemon runs. Add it to that file (security.secrets_file), then reload the plugin',
    )
  })

  it('grants hosts where a network namespace holds a plugin to them, and nowhere else', () => {
    const network: Permission = {
      kind: 'network',
      declared: 'network:example.com,*.ok.test:8443',
      hosts: ['example.com', '*.ok.test:8443'],
    }
    const { network: hosts, permissions } = resolve([network])
    expect(hosts).to.deep.equal(['example.com', '*.ok.test:8443'])
    expect(permissions[0]).to.deep.include({
      effective: 'connect to example.com, *.ok.test:8443',
      mechanism: 'network namespace + proxy of the daemon',
      refused: null,
    })
    expect(resolve([network], {}, 'process').network).to.deep.equal([])
    expect(refusal(network, {}, 'process')).to.include('only a network namespace holds a plugin to its hosts')
  })

  it('grants the starting of programs where walls stand around them, and nowhere else', () => {
    const programs: Permission = { kind: 'process', declared: 'process' }
    expect(resolve([programs]).process).to.equal(true)
    expect(resolve([]).process).to.equal(false)
    expect(refusal(programs, {}, 'process')).to.match(/^programs need walls around them/)
    expect(resolve([programs], {}, 'process').process).to.equal(false)
  })

  it('refuses some paths whoever approves them', () => {
    const asked = [read('./data'), read('/tmp'), env('X')]
    expect(asked.filter((one) => refusalOf(one) !== null)).to.deep.equal([read('/tmp')])
  })

  it("tells where ordinary file permissions will stop the runner's uid", () => {
    fs.chmodSync(path.join(root, 'elsewhere'), 0o750)
    fs.chmodSync(path.join(root, 'ws/data'), 0o755)
    const identity = { uid: 0x7000_0001, gid: 0x7000_0002 }
    const { notices } = resolve([read(path.join(root, 'elsewhere')), read('./data'), write('./data')], {
      identity,
    })
    expect(notices).to.have.lengthOf(2)
    expect(notices[0]).to.match(
      /elsewhere" is owned by uid \d+, gid \d+, mode 0750: not readable for uid 1879048193/,
    )
    expect(notices[1]).to.match(/^fs_write:\.\/data: .*mode 0755: not writable .*chmod -R o\+rwX/)
    expect(resolve([write('./data')], { identity: null }).notices).to.deep.equal([])
  })
})
