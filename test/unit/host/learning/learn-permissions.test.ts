import { expect } from 'chai'
import type { Access } from '../../../../host/denials/access.ts'
import type { Reach } from '../../../../host/denials/denial.ts'
import { foldPaths } from '../../../../host/learning/fold-paths.ts'
import { learnPermissions } from '../../../../host/learning/learn-permissions.ts'
import { Observations } from '../../../../host/learning/observations.ts'
import { parsePermission, type Permission } from '../../../../src/contract/permission.ts'

const W = '/work/project'
const FOLDERS = [W, `${W}/data`, `${W}/logs`, '/srv/shared', '/etc', '/']
const FILES = [`${W}/data/a.csv`, `${W}/data/b.csv`, `${W}/data/c.csv`, `${W}/app.yaml`, '/srv/shared/x']

function reachWith(declared: readonly string[], more: Partial<Reach> = {}): Reach {
  return {
    pluginId: 'probe',
    workspace: W,
    pluginDir: `${W}/plugins/probe`,
    dataDir: `${W}/.phantom/probe/data`,
    readPaths: [],
    writePaths: [],
    closedToReaders: [`${W}/.phantom`],
    closedToWriters: [`${W}/.phantom`],
    privateFolders: ['/tmp'],
    network: [],
    process: false,
    runtime: {},
    declared: declared.map(permission),
    notHeld: [],
    permissions: [],
    ...more,
  }
}

function learn(accesses: readonly Access[], reach = reachWith([]), more: readonly string[] = []) {
  const observations = new Observations()
  for (const access of accesses) observations.add(access, reach)
  return learnPermissions(observations.of('probe')!, {
    look: (path) => ([...FOLDERS, ...more].includes(path) ? 'folder' : FILES.includes(path) ? 'file' : null),
    isSet: (name) => name === 'SERVICE_TOKEN' || name === 'OTHER',
  })
}

const read = (path: string): Access => ({ kind: 'fs_read', path })
const write = (path: string): Access => ({ kind: 'fs_write', path })

describe('learnPermissions()', () => {
  it('names single files, and their folder where there are many of them', () => {
    expect(learn([read(`${W}/data/a.csv`)]).permissions).to.eql(['fs_read:./data/a.csv'])
    const three = ['a', 'b', 'c'].map((name) => read(`${W}/data/${name}.csv`))
    expect(learn([...three, read(`${W}/app.yaml`)]).permissions).to.eql([
      'fs_read:./app.yaml',
      'fs_read:./data',
    ])
  })

  it("asks for none of the daemon's own, which nobody is granted", () => {
    const { permissions, notes } = learn(
      [read(`${W}/.phantom/plugins`), read(`${W}/app.yaml`)],
      reachWith([]),
      [`${W}/.phantom/plugins`],
    )
    expect(permissions).to.eql(['fs_read:./app.yaml'])
    expect(notes).to.eql([`reading "${W}/.phantom/plugins" is granted to no plugin`])
  })

  it('names the folder in which a new file would come to lie, since a right makes folders', () => {
    expect(learn([write(`${W}/out/report.txt`)]).permissions).to.eql(['fs_write:./out'])
    expect(learn([write(`${W}/out`), write(`${W}/out/report.txt`)]).permissions).to.eql(['fs_write:./out'])
    expect(learn([write(`${W}/out`)]).permissions).to.eql(['fs_write:./out'])
    expect(learn([write(`${W}/app.yaml`)]).permissions, 'one that is there').to.eql(['fs_write:./app.yaml'])
    expect(learn([write('/srv/shared/new.txt')]).permissions).to.eql(['fs_write:/srv/shared'])
  })

  it('says of what no right could make that its folder has to be made', () => {
    const { permissions, notes } = learn([write('/srv/none/new.txt')])
    expect(permissions).to.eql([])
    expect(notes[0]).to.contain('"/srv/none/new.txt" was to be written: make its folder first')
  })

  it('asks to write only, where it reads and writes', () => {
    expect(learn([read(`${W}/logs`), write(`${W}/logs/x.log`)]).permissions).to.eql(['fs_write:./logs'])
  })

  it('leaves out what every plugin has, and what is not there', () => {
    const { permissions, notes } = learn([
      read(`${W}/plugins/probe/index.js`),
      write(`${W}/.phantom/probe/data/kept`),
      write('/tmp/scratch'),
      read(`${W}/.config`),
    ])
    expect(permissions).to.eql([])
    expect(notes).to.eql([`"${W}/.config" was looked for and is not there`])
  })

  it('gathers variables that are set, and neither those that are set nowhere nor those of the runtime', () => {
    const names = ['OTHER', 'SERVICE_TOKEN', 'MISSING', 'NODE_DEBUG', 'HOME', 'TZ', 'NO_COLOR']
    const { permissions, notes } = learn(names.map((name) => ({ kind: 'env', name })))
    expect(permissions).to.eql(['env:OTHER,SERVICE_TOKEN'])
    expect(notes).to.eql(['the variable MISSING was looked for and is set nowhere'])
  })

  it('names hosts with the port that is known, and not the way to the proxy', () => {
    const accesses: Access[] = [
      { kind: 'network', host: 'api.example.org', port: null },
      { kind: 'network', host: 'api.example.org', port: 8443 },
      { kind: 'network', host: 'www.example.org', port: 443 },
      { kind: 'network', host: '', port: null },
    ]
    expect(learn(accesses).permissions).to.eql(['network:api.example.org:8443', 'network:www.example.org'])
    const proxied = reachWith(['network:a.example'], { network: ['a.example'] })
    expect(learn([{ kind: 'network', host: '127.0.0.1', port: null }], proxied).permissions).to.eql([])
  })

  it('has keys of [runtime] beside, and says what no manifest allows', () => {
    const features = ['sqlite', 'threads', 'inspector'] as const
    const { runtime, notes } = learn(features.map((feature) => ({ kind: 'runtime', feature })))
    expect(runtime).to.eql(['sqlite'])
    expect(notes).to.eql(['a worker thread is granted to no plugin; context.parallel runs tasks on threads'])
  })

  it('tells what the manifest lacks from what it has, and what it has in vain', () => {
    const reach = reachWith([
      'fs_read:./data',
      'fs_write:./logs',
      'env:OTHER',
      'network:*.example.org',
      'process',
    ])
    const learned = learn(
      [
        read(`${W}/data/a.csv`),
        read(`${W}/app.yaml`),
        { kind: 'env', name: 'OTHER' },
        { kind: 'env', name: 'SERVICE_TOKEN' },
        { kind: 'network', host: 'api.example.org', port: 443 },
      ],
      reach,
    )
    expect(learned.to_add.permissions).to.eql(['fs_read:./app.yaml', 'env:OTHER,SERVICE_TOKEN'])
    expect(learned.unused).to.eql(['fs_write:./logs', 'process'])
  })

  it('gives permissions alone that a manifest may hold', () => {
    const odd = ['/proc/1/environ', '/', `${W}/a*`, '/srv/\n', `${W}/plugins/probe/x`].flatMap((path) => [
      read(path),
      write(path),
    ])
    for (const text of learn(odd).permissions)
      expect(parsePermission(text), text).to.not.have.property('error')
  })

  it('keeps a bounded number of accesses, and says so', () => {
    const { observed, notes } = learn(Array.from({ length: 3000 }, (_, index) => read(`/srv/${index}`)))
    expect(observed).to.have.length(2000)
    expect(notes).to.include('It reached for more than is kept of it')
  })
})

describe('foldPaths()', () => {
  it('never names the workspace, a folder above it, a home or a folder of the system for what lies in it', () => {
    const files = (folder: string): string[] => ['a', 'b', 'c', 'd'].map((name) => `${folder}/${name}`)
    for (const folder of [W, '/etc', '/home/ada', '/root', '/work']) {
      expect(foldPaths(files(folder), W), folder).to.eql(files(folder))
    }
    expect(foldPaths(files('/usr/share/x'), W)).to.eql(['/usr/share/x'])
  })

  it('folds folders of folders, too', () => {
    const paths = ['a', 'b', 'c'].flatMap((folder) =>
      ['1', '2', '3'].map((name) => `${W}/data/${folder}/${name}`),
    )
    expect(foldPaths(paths, W)).to.eql([`${W}/data`])
  })
})

function permission(text: string): Permission {
  const parsed = parsePermission(text)
  if ('error' in parsed) throw new Error(parsed.error)
  return parsed
}
