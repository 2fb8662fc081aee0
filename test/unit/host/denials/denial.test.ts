import { expect } from 'chai'
import { accessBehind, readAccess, type Access } from '../../../../host/denials/access.ts'
import { describeDenial, describeRefusal, isGranted, type Reach } from '../../../../host/denials/denial.ts'
import { parsePermission, type Permission } from '../../../../src/contract/permission.ts'

const REACH: Reach = {
  pluginId: 'probe',
  workspace: '/work/project',
  pluginDir: '/work/project/plugins/probe',
  dataDir: '/work/project/.phantom/plugins/probe/data',
  readPaths: ['/work/project/data', '/work/project/plugins/probe'],
  writePaths: ['/work/project/output', '/work/project/.phantom/plugins/probe/data'],
  closedToReaders: ['/work/project/.phantom'],
  closedToWriters: ['/work/project/.phantom', '/work/project/plugins'],
  privateFolders: [],
  network: [],
  process: false,
  runtime: { eval: true },
  declared: [permission('fs_read:./data'), permission('fs_write:./output')],
  notHeld: [],
  permissions: [
    { declared: 'fs_read:./data', effective: 'read', mechanism: 'm', refused: null },
    { declared: 'fs_write:./output', effective: 'write', mechanism: 'm', refused: null },
  ],
}

describe('describeDenial()', () => {
  it('spells a path as its author would: relative to the workspace, or absolute', () => {
    expect(sentence({ kind: 'fs_read', path: '/srv/data' })).to.equal(
      'fs_read:/srv/data is not granted; to allow it add permissions = ["fs_read:/srv/data"]',
    )
    expect(missing({ kind: 'fs_read', path: '/work/project/a b/c' })).to.eql(['fs_read:./a b/c'])
    expect(missing({ kind: 'fs_read', path: '/work/project' })).to.eql(['fs_read:.'])
    expect(missing({ kind: 'fs_write', path: '/work/projects' })).to.eql(['fs_write:/work/projects'])
  })

  it('spells a host as a rule, with a port that does not go without saying', () => {
    expect(missing({ kind: 'network', host: 'API.example.org', port: 443 })).to.eql([
      'network:api.example.org',
    ])
    expect(missing({ kind: 'network', host: '2001:db8::1', port: 8443 })).to.eql([
      'network:[2001:db8::1]:8443',
    ])
    expect(missing({ kind: 'network', host: '', port: null })).to.eql([])
  })

  it('has no line for what no manifest can name', () => {
    for (const path of ['/proc/1/environ', '/dev/kvm', '/srv/a*', '/srv/a\nb']) {
      const { details } = describeDenial({ kind: 'fs_read', path }, REACH)
      expect(details, path).to.include({ manifest_line: null, manifest_table: null })
      expect(details.missing, path).to.eql([])
    }
    const own = describeDenial({ kind: 'fs_write', path: `${REACH.pluginDir}/index.js` }, REACH)
    expect(own.details.missing).to.eql([])
  })

  it("has no line for the daemon's own folders, which nobody is granted", () => {
    expect(sentence({ kind: 'fs_read', path: '/work/project/.phantom/plugins/state.db' })).to.equal(
      'reading "/work/project/.phantom/plugins/state.db" is granted to no plugin',
    )
    expect(missing({ kind: 'fs_write', path: '/work/project/plugins/other/index.js' })).to.eql([])
    expect(missing({ kind: 'fs_read', path: '/work/project/plugins/other/index.js' })).to.eql([
      'fs_read:./plugins/other/index.js',
    ])
    expect(missing({ kind: 'fs_read', path: `${REACH.dataDir}/x` }), 'but its own').to.eql([
      'fs_read:${data_dir}/x',
    ])
  })

  it('never holds a control character', () => {
    const { sentence: text } = describeDenial({ kind: 'fs_read', path: '/srv/\u001b[2J\n\u0085' }, REACH)
    expect(text).to.match(/^[^\u0000-\u001f\u007f-\u009f]*$/)
  })

  it('keeps what the manifest asks for already in the line to paste', () => {
    const { details } = describeDenial({ kind: 'process', program: 'git' }, REACH)
    expect(details.manifest_line).to.equal('permissions = ["fs_read:./data", "fs_write:./output", "process"]')
  })

  it('says where a right waits for its approval', () => {
    const notHeld = [{ declared: 'fs_read:./data', reason: 'it is not approved', isApproved: false }]
    const { sentence: text, details } = describeDenial(
      { kind: 'fs_read', path: '/work/project/data/x' },
      { ...REACH, notHeld },
    )
    expect(text).to.equal(
      'fs_read:./data is declared and not approved; to allow it run phantom approve probe',
    )
    expect(details).to.deep.include({ missing: ['fs_read:./data/x'], manifest_line: null })
    const runtime = [{ declared: 'runtime:eval', reason: 'it is not approved', isApproved: false }]
    expect(
      describeDenial({ kind: 'runtime', feature: 'eval' }, { ...REACH, notHeld: runtime }).sentence,
    ).to.equal('runtime:eval is declared and not approved; to allow it run phantom approve probe')
  })

  it("says where the administrator's policy took it", () => {
    const notHeld = [{ declared: 'fs_read:./data', reason: 'policy.yaml:3 takes it', isApproved: true }]
    expect(sentenceOf({ ...REACH, notHeld })).to.equal(
      'fs_read:./data is declared and not held: policy.yaml:3 takes it',
    )
  })

  it('says of a refused host as well that it is declared, and who took it', () => {
    const hosts = 'network:localhost:8765,127.0.0.1:8765'
    const reach: Reach = {
      ...REACH,
      network: ['localhost:8765'],
      declared: [permission(hosts)],
      notHeld: [{ declared: hosts, reason: 'policy.yaml:3 takes it', isApproved: true }],
    }
    const target = { kind: 'network', host: 'localhost', port: 8765 } as const
    const refusal = { message: 'localhost:8765 resolves to 127.0.0.1', missing: 'network:127.0.0.1:8765' }
    const { sentence: text, details } = describeRefusal(target, refusal, reach)
    expect(text).to.equal(
      `localhost:8765 resolves to 127.0.0.1; ${hosts} is declared and not held: policy.yaml:3 takes it`,
    )
    expect(details).to.deep.include({ missing: ['network:127.0.0.1:8765'], manifest_line: null })
    const undeclared = describeRefusal(target, refusal, { ...reach, declared: [], notHeld: [] })
    expect(undeclared.sentence).to.include('to allow it add permissions = ["network:127.0.0.1:8765"]')
    const six = { message: '[fd00::7]:80 is a private address', missing: 'network:[fd00::7]:80' }
    const asked = {
      ...reach,
      declared: [permission('network:[fd00::7]')],
      notHeld: [{ declared: 'network:[fd00::7]', reason: 'it is not approved', isApproved: false }],
    }
    expect(describeRefusal({ ...target, host: '[fd00::7]', port: 80 }, six, asked).sentence).to.include(
      'network:[fd00::7] is declared and not approved; to allow it run phantom approve probe',
    )
  })

  it('says why a declared right was not granted', () => {
    const refused = {
      ...REACH.permissions[0]!,
      effective: null,
      refused: '"/work/project/data" does not exist',
    }
    const reach = { ...REACH, permissions: [refused], readPaths: [] }
    expect(describeDenial({ kind: 'fs_read', path: '/work/project/data/x' }, reach).sentence).to.equal(
      'fs_read:./data is declared and was not granted: "/work/project/data" does not exist',
    )
  })

  it('is one string that a manifest may hold, for every path that can be named at all', () => {
    for (const path of ['/a', '/work/project/.hidden', '/work/project/ä/ö', '/srv/"quoted"', '/srv/$x']) {
      const [text = ''] = missing({ kind: 'fs_read', path })
      expect(parsePermission(text), path).to.not.have.property('error')
    }
  })
})

describe('isGranted()', () => {
  const cases: readonly [Access, boolean][] = [
    [{ kind: 'fs_read', path: '/work/project/data/x' }, true],
    [{ kind: 'fs_read', path: '/work/project/database' }, false],
    [{ kind: 'fs_read', path: '/work/project/output/x' }, true],
    [{ kind: 'fs_write', path: '/work/project/data/x' }, false],
    [{ kind: 'fs_write', path: '/work/project/output/x' }, true],
    [{ kind: 'process', program: 'ls' }, false],
    [{ kind: 'network', host: 'a', port: null }, false],
    [{ kind: 'runtime', feature: 'eval' }, true],
    [{ kind: 'runtime', feature: 'sqlite' }, false],
  ]
  for (const [access, expected] of cases) {
    it(`${JSON.stringify(access)}: ${String(expected)}`, () => {
      expect(isGranted(access, REACH)).to.equal(expected)
    })
  }
})

describe('readAccess()', () => {
  it('takes nothing that is not a permission of the runtime and a text', () => {
    for (const name of [null, 1, {}, '', 'Everything', '__proto__', 'toString', 'constructor']) {
      expect(readAccess(name, '/x', '/w')).to.equal(null)
    }
    for (const resource of [null, 1, {}, 'x'.repeat(5000)]) {
      expect(readAccess('FileSystemRead', resource, '/w')).to.equal(null)
    }
  })

  it('resolves a path before anybody compares it', () => {
    expect(readAccess('FileSystemRead', '/work/project/data/../../x', '/w')).to.eql({
      kind: 'fs_read',
      path: '/work/x',
    })
    expect(readAccess('FileSystemWrite', 'a/b', '/w')).to.eql({ kind: 'fs_write', path: '/w/a/b' })
  })
})

describe('accessBehind()', () => {
  it('takes a failure of the kernel for a right to read or to write, by code and call', () => {
    expect(behind({ code: 'ENOENT', path: '/srv/x', syscall: 'open' })).to.eql('fs_read')
    expect(behind({ code: 'EROFS', path: '/srv/x', syscall: 'open' })).to.eql('fs_write')
    expect(behind({ code: 'ENOENT', path: '/srv/x', syscall: 'mkdir' })).to.eql('fs_write')
    expect(behind({ code: 'EACCES', path: '/srv/x', syscall: 'scandir' })).to.eql('fs_read')
    expect(behind({ code: 'EISDIR', path: '/srv/x', syscall: 'read' })).to.eql(null)
    expect(behind({ code: 'ENOENT' })).to.eql(null)
  })
})

function behind(details: Record<string, string>): string | null {
  const error = { code: -34001, message: 'm', data: { name: 'fault', details } }
  return accessBehind(error, '/w')?.access.kind ?? null
}

function sentence(access: Access): string {
  return describeDenial(access, REACH).sentence
}

function sentenceOf(reach: Reach): string {
  return describeDenial({ kind: 'fs_read', path: '/work/project/data/x' }, reach).sentence
}

function missing(access: Access): readonly string[] {
  return describeDenial(access, REACH).details.missing
}

function permission(text: string): Permission {
  const parsed = parsePermission(text)
  if ('error' in parsed) throw new Error(parsed.error)
  return parsed
}
