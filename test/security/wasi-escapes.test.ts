import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { WasiGuest } from '../helpers/wasi-guest.ts'

describe('a WebAssembly module that wants out of its grants', () => {
  let root: string
  let guest: WasiGuest
  const at = (...names: string[]): string => path.join(root, ...names)

  beforeEach(() => {
    root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-wasi-')))
    fs.mkdirSync(at('allowed/sub'), { recursive: true })
    fs.mkdirSync(at('out'))
    fs.mkdirSync(at('secret'))
    fs.writeFileSync(at('allowed/a.txt'), 'a')
    fs.writeFileSync(at('allowed/sub/b.txt'), 'b')
    fs.writeFileSync(at('secret/s.txt'), 'secret')
    fs.symlinkSync('../secret/s.txt', at('allowed/link.txt'))
    fs.symlinkSync('../secret', at('allowed/linkdir'))
    fs.symlinkSync('sub', at('allowed/inside'))
    fs.symlinkSync(at('secret/s.txt'), at('out/link.txt'))
    fs.symlinkSync(at('secret/new.txt'), at('out/dangling.txt'))
    execFileSync('mkfifo', [at('allowed/fifo'), at('out/fifo')])
    guest = new WasiGuest({
      grants: [
        { path: at('allowed'), write: false },
        { path: at('out'), write: true },
      ],
      workspace: at('allowed'),
    })
  })
  afterEach(() => {
    guest.close()
    fs.rmSync(root, { recursive: true })
  })

  it('reads what it was granted, however that is spelt', () => {
    for (const [spelt, content] of [
      [at('allowed/a.txt'), 'a'],
      [at('allowed/a.txt').slice(1), 'a'],
      [`${at('allowed')}/sub/b.txt`, 'b'],
      [`${at('allowed')}/sub/../a.txt`, 'a'],
      [`./././${at('allowed')}//./a.txt`, 'a'],
      ['a.txt', 'a'],
      ['sub/../sub/b.txt', 'b'],
    ] as const) {
      expect(guest.content(spelt), spelt).to.equal(content)
    }
    expect(guest.denied).to.deep.equal([])
  })

  const reads: readonly (readonly [what: string, spelt: string, told: string])[] = [
    ['by .. above its folder', 'ROOT/allowed/../secret/s.txt', 'ROOT/secret/s.txt'],
    ['by .. from deeper', 'ROOT/allowed/sub/../../secret/s.txt', 'ROOT/secret/s.txt'],
    ['by .. above its workspace', '../secret/s.txt', 'ROOT/secret/s.txt'],
    ['by many ..', `ROOT/allowed/${'../'.repeat(40)}etc/passwd`, '/etc/passwd'],
    ['by a link to a file', 'ROOT/allowed/link.txt', 'ROOT/secret/s.txt'],
    ['by a link to a folder', 'ROOT/allowed/linkdir/s.txt', 'ROOT/secret/s.txt'],
    ['by a link to a folder and ..', 'ROOT/allowed/linkdir/../../secret/s.txt', 'ROOT/secret/s.txt'],
    ['by a link to a folder, as the last name', 'ROOT/allowed/linkdir', 'ROOT/secret'],
    ['by a link to a folder, spelt as one', 'ROOT/allowed/linkdir/', 'ROOT/secret'],
    ['by a link that stays inside', 'ROOT/allowed/inside/b.txt', 'ROOT/allowed/sub/b.txt'],
    ['by a link from the workspace', 'linkdir/s.txt', 'ROOT/secret/s.txt'],
    ['by an absolute path', '/etc/passwd', '/etc/passwd'],
    ['by a path without its slash', 'etc/passwd', '/etc/passwd'],
    ['in /proc', 'proc/self/environ', '/proc/self/environ'],
    ['by descriptors of the process', 'proc/self/fd/3/../../etc/passwd', '/proc/self/etc/passwd'],
    ['beside a grant of the same beginning', 'ROOT/allowed-not/a.txt', 'ROOT/allowed-not/a.txt'],
    ['the folder above', 'ROOT', 'ROOT'],
    ['the root', '/', '/'],
    ['behind a NUL', 'ROOT/allowed/a.txt\0.png', 'ROOT/allowed/a.txt\\0.png'],
  ]
  for (const [what, spelt, told] of reads) {
    it(`does not read ${what}, and the host is told`, () => {
      expect(guest.content(spelt.replace('ROOT', root))).to.equal('notcapable')
      expect(guest.denied).to.deep.equal([`FileSystemRead ${told.replace('ROOT', root)}`])
    })
  }

  it('finds nothing above a folder that it opened, and no absolute path from there', () => {
    const { fd } = guest.open(at('allowed/sub'), { folder: true })
    expect(guest.content('b.txt', fd)).to.equal('b')
    expect(guest.content('../a.txt', fd)).to.equal('notcapable')
    expect(guest.content('../../secret/s.txt', fd)).to.equal('notcapable')
    expect(guest.content('/data/a.txt', fd)).to.equal('notcapable')
    expect(guest.denied).to.deep.equal([
      `FileSystemRead ${at('allowed/a.txt')}`,
      `FileSystemRead ${at('secret/s.txt')}`,
      'FileSystemRead /data/a.txt',
    ])
  })

  it('writes nothing where it may only read', () => {
    expect(guest.put(at('allowed/a.txt'), 'changed')).to.equal('notcapable')
    expect(guest.put(at('allowed/new.txt'), 'new')).to.equal('notcapable')
    expect(guest.at('path_unlink_file', at('allowed/a.txt'))).to.equal('notcapable')
    expect(guest.at('path_create_directory', at('allowed/made'))).to.equal('notcapable')
    expect(guest.at('path_remove_directory', at('allowed/sub'))).to.equal('notcapable')
    expect(
      guest.call(
        'path_rename',
        3,
        ...guest.text(at('allowed/a.txt')),
        3,
        ...guest.text(at('out/a.txt'), 2048),
      ),
    ).to.equal('notcapable')
    const { fd } = guest.open(at('allowed/a.txt'))
    expect(guest.write(fd, 'changed')).to.equal('badf')
    expect(guest.call('fd_filestat_set_size', fd, 0n)).to.equal('badf')
    const folder = guest.open(at('allowed'), { folder: true }).fd
    expect(guest.put('new.txt', 'new', folder)).to.equal('notcapable')
    expect(fs.readdirSync(at('allowed')).toSorted()).to.deep.equal([
      'a.txt',
      'fifo',
      'inside',
      'link.txt',
      'linkdir',
      'sub',
    ])
    expect(fs.readFileSync(at('allowed/a.txt'), 'utf8')).to.equal('a')
    expect(new Set(guest.denied.map((told) => told.split(' ')[0]))).to.deep.equal(
      new Set(['FileSystemWrite']),
    )
    expect(guest.denied[0]).to.equal(`FileSystemWrite ${at('allowed/a.txt')}`)
  })

  it('writes through no link that lies in its own folder, also not to make what that names', () => {
    expect(guest.put(at('out/link.txt'), 'changed')).to.equal('notcapable')
    expect(guest.put(at('out/dangling.txt'), 'new')).to.equal('notcapable')
    expect(guest.denied).to.deep.equal([
      `FileSystemWrite ${at('secret/s.txt')}`,
      `FileSystemWrite ${at('secret/new.txt')}`,
    ])
    expect(fs.readdirSync(at('secret'))).to.deep.equal(['s.txt'])
    expect(fs.readFileSync(at('secret/s.txt'), 'utf8')).to.equal('secret')
  })

  it('makes no link of either kind, and learns of none where it leads', () => {
    const [target, length] = guest.text(at('secret/s.txt'), 2048)
    expect(guest.call('path_symlink', target, length, 3, ...guest.text(at('out/mine.txt')))).to.equal(
      'notcapable',
    )
    expect(guest.call('path_link', 3, 0, target, length, 3, ...guest.text(at('out/mine.txt')))).to.equal(
      'notsup',
    )
    expect(fs.readdirSync(at('out')).toSorted()).to.deep.equal(['dangling.txt', 'fifo', 'link.txt'])
    const readlink = (name: string) => guest.call('path_readlink', 3, ...guest.text(name), 4096, 100, 0)
    expect([readlink(at('allowed/link.txt')), readlink(at('allowed/a.txt'))]).to.deep.equal([
      'notcapable',
      'inval',
    ])
    expect(guest.bytes(4096, 100).every((byte) => byte === 0)).to.equal(true)
  })

  it('is not held by a pipe, and gets none', () => {
    expect(guest.content(at('allowed/fifo'))).to.equal('acces')
    expect(guest.put(at('out/fifo'), 'x')).to.equal('acces')
    expect(guest.open(at('out/fifo'), { write: true, from: 3 }).errno).to.equal('acces')
  })

  it('uses links as names alone: it may remove one, and not what it leads to', () => {
    expect(guest.at('path_unlink_file', at('out/link.txt'))).to.equal('success')
    expect(fs.readFileSync(at('secret/s.txt'), 'utf8')).to.equal('secret')
    expect(
      guest.call(
        'path_rename',
        3,
        ...guest.text(at('out/dangling.txt')),
        3,
        ...guest.text(at('out/moved.txt'), 2048),
      ),
    ).to.equal('success')
    expect(fs.readlinkSync(at('out/moved.txt'))).to.equal(at('secret/new.txt'))
  })

  it('asks about a link, not about what it leads to', () => {
    const stat = (name: string, follow: number) =>
      guest.call('path_filestat_get', 3, follow, ...guest.text(name), 4096)
    expect([stat(at('allowed/link.txt'), 0), guest.bytes(4096, 24)[16]]).to.deep.equal(['success', 7])
    expect(stat(at('allowed/link.txt'), 1)).to.equal('notcapable')
    expect(stat(at('allowed/linkdir/s.txt'), 0)).to.equal('notcapable')
    expect(stat(at('secret/s.txt'), 0)).to.equal('notcapable')
  })

  it('goes on to read the folder that was granted when a link takes its place', () => {
    fs.renameSync(at('allowed'), at('moved'))
    fs.symlinkSync('secret', at('allowed'))
    expect(guest.content(at('allowed/s.txt'))).to.equal('noent')
    expect(guest.content(at('allowed/a.txt'))).to.equal('a')
  })

  it('moves no folder in which another grant lies, and nothing into its place', () => {
    fs.mkdirSync(at('out/a/kept'), { recursive: true })
    fs.writeFileSync(at('out/a/kept/k.txt'), 'kept')
    fs.mkdirSync(at('out/b'))
    const grants = [
      { path: at('out'), write: true },
      { path: at('out/a/kept'), write: false },
      { path: at('out/later/kept'), write: false },
    ]
    const nested = new WasiGuest({ grants })
    const { fd } = nested.open(at('out'), { folder: true })
    const rename = (from: string, to: string, below = 3) =>
      nested.call('path_rename', below, ...nested.text(from), below, ...nested.text(to, 2048))
    try {
      expect(rename(at('out/a'), at('out/c'))).to.equal('busy')
      expect(rename('a', 'c', fd)).to.equal('busy')
      expect(rename(at('out/b'), at('out/later'))).to.equal('busy')
      expect(nested.put(at('out/a/kept/k.txt'), 'changed')).to.equal('notcapable')
      expect(nested.put('a/kept/k.txt', 'changed', fd)).to.equal('notcapable')
      expect(rename(at('out/b'), at('out/c'))).to.equal('success')
      expect(fs.readFileSync(at('out/a/kept/k.txt'), 'utf8')).to.equal('kept')
    } finally {
      nested.close()
    }
  })

  it('reads and cuts no other file where a link takes the place of a folder above one that was granted', () => {
    for (const folder of ['above', 'elsewhere']) {
      fs.mkdirSync(at(folder))
      fs.writeFileSync(at(folder, 'f.txt'), `from ${folder}`)
    }
    const single = new WasiGuest({ grants: [{ path: at('above/f.txt'), write: true }] })
    const stat = () => single.call('path_filestat_get', 3, 0, ...single.text(at('above/f.txt')), 4096)
    try {
      expect(single.content(at('above/f.txt'))).to.equal('from above')
      expect(stat()).to.equal('success')
      expect(single.put(at('above/f.txt'), 'changed')).to.equal('success')
      expect(fs.readFileSync(at('above/f.txt'), 'utf8')).to.equal('changed')
      fs.renameSync(at('above'), at('aside'))
      fs.symlinkSync('elsewhere', at('above'))
      expect(single.content(at('above/f.txt'))).to.equal('notcapable')
      expect(stat()).to.equal('notcapable')
      expect(single.put(at('above/f.txt'), 'x')).to.equal('notcapable')
      expect(single.open(at('above/f.txt'), { truncate: true }).errno).to.equal('notcapable')
      expect(() => single.wasi.files.read(at('above/f.txt')))
        .to.throw()
        .with.property('code', 'ERR_ACCESS_DENIED')
      expect(fs.readFileSync(at('elsewhere/f.txt'), 'utf8')).to.equal('from elsewhere')
      expect(new Set(single.denied.map((told) => told.split(' ')[1]))).to.deep.equal(
        new Set([at('above/f.txt')]),
      )
    } finally {
      single.close()
    }
  })

  it('has the same walls by path of the host, as the host calls ask for files', () => {
    const { files } = guest.wasi
    expect(files.read(at('allowed/a.txt')).toString()).to.equal('a')
    expect(files.read('sub/../a.txt').toString()).to.equal('a')
    for (const name of ['link.txt', 'linkdir/s.txt', '../secret/s.txt', at('secret/s.txt'), '/etc/passwd']) {
      expect(() => files.read(name), name)
        .to.throw()
        .with.property('code', 'ERR_ACCESS_DENIED')
    }
    for (const name of [
      at('out/link.txt'),
      at('out/dangling.txt'),
      at('allowed/a.txt'),
      at('secret/x.txt'),
      'x',
    ]) {
      expect(() => files.write(name, Buffer.from('x'), { append: false }), name)
        .to.throw()
        .with.property('permission', 'FileSystemWrite')
    }
    expect(() => files.read('fifo'))
      .to.throw()
      .with.property('code', 'EACCES')
    expect(() => files.read('a.txt\0')).to.throw(TypeError)
    expect(guest.denied).to.have.length(10)
    expect(guest.denied[0]).to.equal(`FileSystemRead ${at('secret/s.txt')}`)
  })

  it('never sees the other side of a race between a folder and a link', async function () {
    this.timeout(60_000)
    fs.mkdirSync(at('allowed/race'))
    fs.writeFileSync(at('allowed/race/s.txt'), 'ours')
    const isStopped = new Int32Array(new SharedArrayBuffer(4))
    const swapper = new Worker(SWAP, {
      eval: true,
      workerData: {
        isStopped,
        folder: at('allowed/race'),
        link: at('allowed/race-link'),
        kept: at('allowed/race-kept'),
      },
    })
    const seen = new Map<string, number>()
    try {
      fs.symlinkSync('../secret', at('allowed/race-link'))
      await new Promise((resolve) => void swapper.once('message', resolve))
      for (let turn = 0; turn < 10_000; turn += 1) {
        const content = guest.content(at('allowed/race/s.txt'))
        seen.set(content, (seen.get(content) ?? 0) + 1)
      }
    } finally {
      Atomics.store(isStopped, 0, 1)
      await new Promise((resolve) => void swapper.once('exit', resolve))
    }
    expect(
      [...seen.keys()].filter((one) => !['ours', 'noent', 'notcapable', 'notdir'].includes(one)),
    ).to.deep.equal([])
    // It was a race.
    expect(seen.get('ours') ?? 0, JSON.stringify([...seen])).to.be.greaterThan(10)
    expect(seen.get('notcapable') ?? 0, JSON.stringify([...seen])).to.be.greaterThan(10)
  })
})

/** Puts the link in the folder's place and back, as fast as it can. */
const SWAP = `
const { workerData: { isStopped, folder, link, kept }, parentPort } = require('node:worker_threads')
const { renameSync } = require('node:fs')
parentPort.postMessage('begins')
while (Atomics.load(isStopped, 0) === 0) {
  renameSync(folder, kept)
  renameSync(link, folder)
  renameSync(folder, link)
  renameSync(kept, folder)
}
`
