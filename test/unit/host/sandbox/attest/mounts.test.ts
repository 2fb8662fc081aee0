import { expect } from 'chai'

import { compareMounts, type HostMounts } from '../../../../../host/sandbox/attest/compare-mounts.ts'
import { mountsIn, type MountSources } from '../../../../../host/sandbox/attest/expected-mounts.ts'
import { parseMountinfo } from '../../../../../host/sandbox/attest/parse-mountinfo.ts'

const NOTHING = { binds: [], firstDescriptor: 6, named: [], closing: [] } as const

/** `kind`: options of the mount, and its type. */
function lineOf(device: string, root: string, at: string, kind = 'ro ext4'): string {
  const [options, type] = kind.split(' ')
  return `1 2 ${device} ${root} ${at} ${options},nosuid shared:1 master:2 - ${type} source rw`
}

describe('parseMountinfo()', () => {
  it('reads place, root, device, type and whether the mount is read-only', () => {
    const text = `${lineOf('8:1', '/@/srv', '/srv')}\n${lineOf('0:5', '/', '/proc', 'rw proc')}\n`
    expect(parseMountinfo(text)).to.deep.equal([
      { device: '8:1', root: '/@/srv', at: '/srv', readOnly: true, type: 'ext4', options: 'rw' },
      { device: '0:5', root: '/', at: '/proc', readOnly: false, type: 'proc', options: 'rw' },
    ])
  })

  it('takes the options of the mount, not those of the file system behind the dash', () => {
    expect(parseMountinfo('1 2 8:1 / /a rw,relatime - ext4 /dev/x ro')?.[0]?.readOnly).to.equal(false)
  })

  it('undoes what the kernel writes in octal, and nothing else', () => {
    const [line] = parseMountinfo(lineOf('8:1', '/a\\040b\\012c', '/x\\134y\\011z\\101')) ?? []
    expect(line).to.include({ root: '/a b\nc', at: '/x\\y\tz\\101' })
  })

  it('is null for a text with a line that is none, so that no mount is missed', () => {
    for (const odd of [
      '1 2 8:1 / /a ro',
      'nonsense',
      '1 2 8:1 / a ro - ext4 x rw',
      '1 2 x / /a ro - ext4 x rw',
    ])
      expect(parseMountinfo(`${lineOf('8:1', '/', '/')}\n${odd}\n`), odd).to.equal(null)
  })
})

describe('mountsIn()', () => {
  it('reads the command line of bubblewrap up to the program', () => {
    const line =
      '--unshare-net --ro-bind /usr/lib/a.so /lib/a.so --perms 0755 --tmpfs /tmp --proc /proc --bind-fd 6 /data ' +
      '--ro-bind-fd 7 /plugin --dev-bind /dev/null /dev/null --remount-ro / -- /run --bind /etc /etc'
    const args = line.split(' ')
    const found = mountsIn(args, { ...NOTHING, binds: ['/host/data', '/host/plugin'] })
    expect(found.map(({ at, from, type, readOnly }) => [at, from ?? type, readOnly])).to.deep.equal([
      ['/', 'tmpfs', true],
      ['/lib/a.so', '/usr/lib/a.so', true],
      ['/tmp', 'tmpfs', false],
      ['/proc', 'proc', false],
      ['/data', '/host/data', false],
      ['/plugin', '/host/plugin', true],
      ['/dev/null', '/dev/null', false],
    ])
  })

  it('adds what the entry program mounts and seals', () => {
    const closing = [
      { kind: 'empty', at: '/proc/sys' },
      { kind: 'cover', at: '/proc/keys' },
      { kind: 'seal', at: '/way' },
      { kind: 'seal', at: '/' },
    ] as const
    const found = mountsIn(['--proc', '/proc', '--tmpfs', '/way', '--tmpfs', '/tmp'], { ...NOTHING, closing })
    expect(found.map(({ at, from, type, readOnly }) => [at, from ?? type, readOnly])).to.deep.equal([
      ['/', 'tmpfs', true],
      ['/proc', 'proc', false],
      ['/way', 'tmpfs', true],
      ['/tmp', 'tmpfs', false],
      ['/proc/sys', 'tmpfs', true],
      ['/proc/keys', '/dev/null', true],
    ])
  })
})

describe('compareMounts()', () => {
  const expected = mountsIn(
    [
      '--proc',
      '/proc',
      '--ro-bind',
      '/srv/plugin',
      '/srv/plugin',
      '--bind',
      '/data',
      '/data',
      '--remount-ro',
      '/',
    ],
    NOTHING,
  )
  const inside = [
    lineOf('0:90', '/newroot', '/', 'ro tmpfs'),
    lineOf('0:91', '/', '/proc', 'rw proc'),
    lineOf('0:91', '/bus', '/proc/bus', 'ro proc'),
    lineOf('8:1', '/@/srv/plugin', '/srv/plugin', 'ro ext4'),
    lineOf('8:2', '/', '/data', 'rw ext4'),
  ]
  const host: HostMounts = {
    lines: parseMountinfo(
      [
        lineOf('8:1', '/@', '/', 'rw ext4'),
        lineOf('0:5', '/', '/proc', 'rw proc'),
        lineOf('8:2', '/', '/data', 'rw ext4'),
        lineOf('8:3', '/', '/data/disk', 'rw ext4'),
      ].join('\n'),
    )!,
    realPath: (path) => path,
  }
  const problemOf = (lines: readonly string[]): string | null => {
    const { found } = compareMounts(expected, { value: lines.join('\n') }, host)
    return typeof found === 'string' ? found : found.holds ? null : found.effective
  }
  const swapped = (index: number, line: string): string[] => inside.with(index, line)

  it('finds nothing where all is as declared, subvolumes and covers of /proc included', () =>
    expect(problemOf(inside)).to.equal(null))

  it('names what was not declared', () =>
    expect(problemOf([...inside, lineOf('8:1', '/@/etc', '/etc')])).to.equal(
      '"/etc" was not declared and is "/@/etc"',
    ))

  it('names what is missing, and what stands over it', () => {
    expect(problemOf(inside.slice(0, -1))).to.equal('"/data" is mounted 0 times instead of 1')
    expect(problemOf([...inside, lineOf('8:1', '/@/etc', '/data')])).to.include('mounted 2 times')
  })

  it('names what may be written', () =>
    expect(problemOf(swapped(3, lineOf('8:1', '/@/srv/plugin', '/srv/plugin', 'rw ext4')))).to.equal(
      '"/srv/plugin" is writable',
    ))

  it('names a bound in memory that is another, or none', () => {
    const wanted = mountsIn(['--size', '16777216', '--tmpfs', '/tmp'], NOTHING)
    const root = '1 2 0:9 / / rw - tmpfs tmpfs rw'
    const effectiveOf = (options: string): string | null => {
      const text = `${root}\n1 2 0:10 / /tmp rw - tmpfs tmpfs ${options}`
      const { found } = compareMounts(wanted, { value: text }, host)
      return typeof found === 'string' ? found : found.holds ? null : found.effective
    }
    expect(effectiveOf('rw,size=16384k')).to.equal(null)
    expect(effectiveOf('rw,size=16388k'), 'rounded up to a page').to.equal(null)
    expect(effectiveOf('rw,size=16383k')).to.equal('"/tmp" may take 16776192 bytes, not 16777216')
    expect(effectiveOf('rw,size=32768k')).to.equal('"/tmp" may take 33554432 bytes, not 16777216')
    expect(effectiveOf('rw,mode=1777')).to.equal('"/tmp" may take any number of bytes, not 16777216')
  })

  it('names what comes from elsewhere: another path, another file system', () => {
    expect(problemOf(swapped(3, lineOf('8:1', '/@/srv/other', '/srv/plugin')))).to.include('/@/srv/other')
    expect(problemOf(swapped(3, lineOf('8:2', '/@/srv/plugin', '/srv/plugin')))).to.include('instead of')
  })

  it('follows a link for a library, and none for what was checked: by descriptor or by path', () => {
    const linked = { ...host, realPath: (path: string) => (path === '/srv/a' ? '/srv/b' : path) }
    const behindLink = [lineOf('0:90', '/', '/', 'rw tmpfs'), lineOf('8:1', '/@/srv/b', '/a', 'ro ext4')]
    const holds = (option: string, sources: Partial<MountSources>): boolean => {
      const from = option === '--ro-bind-fd' ? '6' : '/srv/a'
      const wanted = mountsIn([option, from, '/a'], { ...NOTHING, ...sources })
      const { found } = compareMounts(wanted, { value: behindLink.join('\n') }, linked)
      return typeof found !== 'string' && found.holds
    }
    expect(holds('--ro-bind', {}), 'a library').to.equal(true)
    expect(holds('--ro-bind', { named: ['/srv/a'] }), 'a grant by path').to.equal(false)
    expect(holds('--ro-bind-fd', { binds: ['/srv/a'] }), 'a grant by descriptor').to.equal(false)
  })

  it("names the host's own /proc", () =>
    expect(problemOf(swapped(1, lineOf('0:5', '/', '/proc', 'rw proc')))).to.include(
      '"/proc" is a proc of the host',
    ))

  it('knows what was mounted over a deeper mount, and takes what is behind chroot(2) for unknown', () => {
    const wanted = mountsIn(['--bind', '/srv/deep/plugin', '/plugin'], NOTHING)
    const heldBy = (table: readonly string[]): boolean => {
      const text = [lineOf('0:90', '/', '/', 'rw tmpfs'), lineOf('8:5', '/deep/plugin', '/plugin', 'rw ext4')]
      const lines = parseMountinfo(table.join('\n'))!
      const { found } = compareMounts(wanted, { value: text.join('\n') }, { lines, realPath: (path) => path })
      return typeof found !== 'string' && found.holds
    }
    const [root, deep, over] = [
      lineOf('8:1', '/', '/'),
      lineOf('8:4', '/', '/srv/deep'),
      lineOf('8:5', '/', '/srv'),
    ]
    expect(heldBy([root, deep, over]), 'mounted over').to.equal(true)
    expect(heldBy([root, deep]), 'another file system').to.equal(false)
    expect(heldBy([lineOf('8:9', '/', '/elsewhere')]), 'nothing to compare with').to.equal(true)
  })

  it('takes for a cover of /proc only what is of it and read-only', () => {
    expect(problemOf([...inside, lineOf('0:91', '/sys', '/proc/sys', 'rw proc')])).to.include('/proc/sys')
    expect(problemOf([...inside, lineOf('0:5', '/sys', '/proc/sys', 'ro proc')])).to.include('/proc/sys')
  })

  it('takes what is mounted on the host below a granted folder, and nothing that only looks so', () => {
    expect(problemOf([...inside, lineOf('8:3', '/', '/data/disk', 'rw ext4')])).to.equal(null)
    expect(problemOf([...inside, lineOf('8:4', '/', '/data/disk', 'rw ext4')])).to.include('/data/disk')
    expect(problemOf([...inside, lineOf('8:3', '/', '/data/other', 'rw ext4')])).to.include('/data/other')
  })
})
