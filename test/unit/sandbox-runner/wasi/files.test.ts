import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { WasiGuest } from '../../../helpers/wasi-guest.ts'

describe('files by WASI', () => {
  let folder: string
  let guest: WasiGuest
  const at = (name: string): string => path.join(folder, name)

  beforeEach(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-wasi-')))
    fs.mkdirSync(at('read'))
    fs.mkdirSync(at('work/out'), { recursive: true })
    fs.writeFileSync(at('read/a.txt'), 'abcdef')
    fs.writeFileSync(at('single.csv'), '1,2')
    guest = new WasiGuest({
      grants: [
        { path: at('read'), write: false },
        { path: at('single.csv'), write: false },
        { path: at('work'), write: false },
        { path: at('work/out'), write: true },
        { path: at('gone'), write: false },
      ],
      workspace: at('work/out'),
    })
  })
  afterEach(() => {
    guest.close()
    fs.rmSync(folder, { recursive: true })
  })

  function vector(address: number, length: number): void {
    guest.view().setUint32(16, address, true)
    guest.view().setUint32(20, length, true)
  }

  /** As a library reads a folder: entries that are there whole, then on from the last of them. */
  function listing(fd: number, room: number): Map<string, number> {
    const found = new Map<string, number>()
    let cookie = 0n
    let used = room
    while (used === room) {
      expect(guest.call('fd_readdir', fd, 4096, room, cookie, 0)).to.equal('success')
      used = guest.result()
      for (let offset = 4096; offset + 24 <= 4096 + used;) {
        const length = guest.view().getUint32(offset + 16, true)
        if (offset + 24 + length > 4096 + used) break
        found.set(guest.bytes(offset + 24, length).toString(), guest.view().getUint8(offset + 20))
        cookie = guest.view().getBigUint64(offset, true)
        offset += 24 + length
      }
    }
    return found
  }

  it('are closed at the end, whatever one of them ends with', () => {
    const other = new WasiGuest({
      grants: [{ path: at('work/out'), write: true }],
      workspace: at('work/out'),
    })
    for (const name of ['one.txt', 'two.txt']) other.open(name, { write: true, create: true })
    const ofOwn = () => openFiles().filter(({ to }) => to.endsWith('.txt') && to.startsWith(folder))
    const [first, ...others] = ofOwn()
    expect(others).to.have.length(1)
    // As the kernel has it where a disk is full: the number is gone, and closing it is an error.
    fs.closeSync(first!.fd)
    other.close()
    expect(ofOwn()).to.deep.equal([])
  })

  it('are made, written, read, grown, cut and removed', () => {
    expect(guest.at('path_create_directory', 'sub')).to.equal('success')
    expect(guest.at('path_create_directory', 'sub')).to.equal('exist')
    const { fd } = guest.open('sub/new.txt', { write: true, create: true })
    expect(guest.write(fd, 'hello world')).to.equal('success')
    expect([guest.call('fd_seek', fd, -5n, 2, 0), guest.read(fd)]).to.deep.equal(['success', 'world'])
    expect([guest.call('fd_tell', fd, 0), guest.view().getBigUint64(0, true)]).to.deep.equal(['success', 11n])
    expect(guest.call('fd_seek', fd, -12n, 2, 0)).to.equal('inval')
    expect(guest.call('fd_seek', fd, 0n, 7, 0)).to.equal('inval')
    vector(8192, 3)
    expect([guest.call('fd_pread', fd, 16, 1, 6n, 0), guest.bytes(8192, 3).toString()]).to.deep.equal([
      'success',
      'wor',
    ])
    vector(...guest.text('HE', 8192))
    expect(guest.call('fd_pwrite', fd, 16, 1, 0n, 0)).to.equal('success')
    expect(guest.call('fd_filestat_set_size', fd, 5n)).to.equal('success')
    expect(fs.readFileSync(at('work/out/sub/new.txt'), 'utf8')).to.equal('HEllo')
    expect(guest.call('fd_close', fd)).to.equal('success')
    expect(guest.call('fd_close', fd)).to.equal('badf')
    expect(guest.at('path_remove_directory', 'sub')).to.equal('notempty')
    expect(guest.at('path_unlink_file', 'sub')).to.be.oneOf(['isdir', 'perm'])
    expect(guest.at('path_unlink_file', 'sub/new.txt')).to.equal('success')
    expect(guest.at('path_remove_directory', 'sub')).to.equal('success')
    expect(fs.readdirSync(at('work/out'))).to.deep.equal([])
    expect(guest.denied).to.deep.equal([])
  })

  it('append at the end wherever that is, also when told so later', () => {
    fs.writeFileSync(at('work/out/log'), 'one\n')
    const { fd } = guest.open('log', { write: true, append: true })
    expect(guest.write(fd, 'two\n')).to.equal('success')
    fs.appendFileSync(at('work/out/log'), 'other\n')
    expect(guest.write(fd, 'three\n')).to.equal('success')
    expect(fs.readFileSync(at('work/out/log'), 'utf8')).to.equal('one\ntwo\nother\nthree\n')
    const plain = guest.open('log', { write: true }).fd
    expect(guest.call('fd_fdstat_set_flags', plain, 1)).to.equal('success')
    expect(guest.write(plain, 'end\n')).to.equal('success')
    expect(fs.readFileSync(at('work/out/log'), 'utf8')).to.match(/three\nend\n$/)
    expect(guest.call('fd_fdstat_set_flags', plain, 2)).to.equal('notsup')
  })

  it('are held to what they were opened for', () => {
    const reading = guest.open(at('read/a.txt')).fd
    expect(guest.write(reading, 'x')).to.equal('badf')
    expect(guest.read(reading, 3)).to.equal('abc')
    expect(guest.read(reading)).to.equal('def')
    expect(guest.read(reading)).to.equal('')
    guest.call('fd_fdstat_get', reading, 64)
    expect(guest.bytes(64, 1)[0]).to.equal(4)
    expect(guest.view().getBigUint64(72, true) & 64n).to.equal(0n)
    expect(guest.open(at('read'), { write: true }).errno).to.equal('notcapable')
    expect(guest.open('.', { write: true }).errno).to.equal('isdir')
    expect(guest.open(`${at('read/a.txt')}/`).errno).to.equal('notdir')
    expect(guest.open(at('read/a.txt'), { folder: true }).errno).to.equal('notdir')
    expect(guest.content(at('read/none.txt'))).to.equal('noent')
    expect(guest.content(at('read/a.txt/b'))).to.equal('notdir')
    expect(guest.content(at('gone/a'))).to.equal('noent')
  })

  it('follow the nearest grant: a folder for writing inside one for reading', () => {
    const { fd } = guest.open(at('work'), { folder: true })
    expect(guest.put('x.txt', 'x', fd)).to.equal('notcapable')
    expect(guest.put('out/x.txt', 'x', fd)).to.equal('success')
    expect(guest.put(at('work/out/y.txt'), 'y')).to.equal('success')
    expect(guest.content('out/x.txt', fd)).to.equal('x')
    expect(guest.denied).to.deep.equal([`FileSystemWrite ${at('work/x.txt')}`])
  })

  it('may be granted one by one', () => {
    expect(guest.content(at('single.csv'))).to.equal('1,2')
    expect(guest.content(at('single.csv/x'))).to.equal('notdir')
    expect(guest.put(at('single.csv'), 'x')).to.equal('notcapable')
    expect(guest.call('path_filestat_get', 3, 1, ...guest.text(at('single.csv')), 4096)).to.equal('success')
    expect(guest.view().getBigUint64(4096 + 32, true)).to.equal(3n)
  })

  it('are found by a library that walks from the root, which tells nothing but the way', () => {
    const stat = (name: string) => guest.call('path_filestat_get', 3, 1, ...guest.text(name), 4096)
    expect([stat(folder), guest.bytes(4096, 24)[16]]).to.deep.equal(['success', 3])
    expect(stat('/')).to.equal('success')
    expect(guest.at('path_create_directory', folder)).to.equal('exist')
    expect(guest.at('path_create_directory', at('read'))).to.equal('exist')
    expect(guest.at('path_remove_directory', at('work/out'))).to.equal('busy')
    expect(guest.call('fd_readdir', 3, 4096, 1000, 0n, 0)).to.equal('notcapable')
    expect(guest.call('fd_prestat_get', 3, 64)).to.equal('success')
    expect(guest.view().getUint32(68, true)).to.equal(1)
    expect([guest.call('fd_prestat_dir_name', 3, 80, 1), guest.bytes(80, 1).toString()]).to.deep.equal([
      'success',
      '/',
    ])
    expect(guest.call('fd_prestat_get', 4, 64)).to.equal('badf')
    expect(guest.call('fd_close', 3)).to.equal('notsup')
  })

  it('are listed entry by entry, whatever the room', () => {
    for (let each = 0; each < 50; each += 1)
      fs.writeFileSync(at(`work/out/file-${each}-${'x'.repeat(each)}`), '')
    fs.mkdirSync(at('work/out/folder'))
    fs.symlinkSync('folder', at('work/out/link'))
    const { fd } = guest.open('.', { folder: true })
    for (const room of [4096, 130, 100]) {
      const found = listing(fd, room)
      expect([...found.keys()].toSorted(), `${room}`).to.deep.equal(fs.readdirSync(at('work/out')).toSorted())
      expect([found.get('folder'), found.get('link'), found.get('file-0-')]).to.deep.equal([3, 7, 4])
    }
  })

  it('keep their times, or get those that are asked for', () => {
    fs.writeFileSync(at('work/out/a'), '')
    const { fd } = guest.open('a', { write: true })
    expect(guest.call('fd_filestat_set_times', fd, 1_000_000_000n, 2_500_000_000n, 1 | 4)).to.equal('success')
    expect(fs.statSync(at('work/out/a')).mtimeMs).to.equal(2500)
    expect(guest.call('path_filestat_set_times', 3, 0, ...guest.text('a'), 0n, 9_000_000_000n, 4)).to.equal(
      'success',
    )
    expect(fs.statSync(at('work/out/a')).atimeMs).to.equal(1000)
    expect(fs.statSync(at('work/out/a')).mtimeMs).to.equal(9000)
    const reading = guest.open(at('read/a.txt')).fd
    expect(guest.call('fd_filestat_set_times', reading, 0n, 0n, 1 | 4)).to.equal('badf')
  })

  it('move inside of what may be written, and get another number', () => {
    fs.writeFileSync(at('work/out/a'), 'a')
    expect(guest.call('path_rename', 3, ...guest.text('a'), 3, ...guest.text('b', 2048))).to.equal('success')
    expect(guest.content('b')).to.equal('a')
    const [one, other] = [guest.open('b').fd, guest.open(at('read/a.txt')).fd]
    expect(guest.call('fd_renumber', one, other)).to.equal('success')
    expect(guest.read(other)).to.equal('a')
    expect(guest.read(one)).to.equal('badf')
    expect(guest.call('fd_renumber', other, 3)).to.equal('notsup')
    expect(guest.call('fd_renumber', 3, 9)).to.equal('notsup')
  })

  it('are closed with the module, and bounded by the process', () => {
    const before = fs.readdirSync('/proc/self/fd').length
    const own = new WasiGuest({ grants: [{ path: at('read'), write: false }], workspace: at('read') })
    for (let each = 0; each < 20; each += 1) own.open('a.txt')
    own.content('none')
    own.put('a.txt', 'x')
    own.content('a.txt/b')
    expect(fs.readdirSync('/proc/self/fd').length).to.equal(before + 21)
    own.close()
    expect(fs.readdirSync('/proc/self/fd').length).to.equal(before)
    expect(own.read(4)).to.equal('badf')
  })

  it('end with EMFILE at the number that a module may have open', function () {
    this.timeout(60_000)
    const limit = Number(/open files\s+(\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8'))?.[1])
    const errnos = new Set<string>()
    for (let each = 0; each < Math.min(limit, 5000); each += 1) errnos.add(guest.open(at('read/a.txt')).errno)
    expect([...errnos]).to.deep.equal(['success', 'mfile'])
    expect(guest.call('fd_close', 4)).to.equal('success')
    expect(guest.open(at('read/a.txt'))).to.deep.equal({ errno: 'success', fd: 4 })
  })

  it('of the host calls are read and written whole, with the words of Node', () => {
    const { files } = guest.wasi
    files.write('made.txt', Buffer.from('one'), { append: false })
    files.write('made.txt', Buffer.from(' two'), { append: true })
    expect(files.read(at('work/out/made.txt')).toString()).to.equal('one two')
    files.write('made.txt', Buffer.from('3'), { append: false })
    expect(files.read('made.txt').toString()).to.equal('3')
    const none = at('read/none.txt')
    expect(() => files.read(none))
      .to.throw(`ENOENT: no such file or directory, open '${none}'`)
      .that.includes({ code: 'ENOENT', syscall: 'open', path: none })
    expect(() => files.read(at('read'))).to.throw(/^EISDIR: illegal operation on a directory/)
    expect(() => files.write('.', Buffer.from('x'), { append: false })).to.throw(/^EISDIR/)
    expect(() => files.read(at('read/a.txt'), 5)).to.throw(/^EFBIG: file too large/)
    expect(files.read(at('read/a.txt'), 6)).to.have.length(6)
    fs.truncateSync(at('read/a.txt'), 3_000_000)
    expect(files.read(at('read/a.txt'))).to.have.length(3_000_000)
    expect(() => files.read('')).to.throw(TypeError)
  })
})

/** Of this process. */
function openFiles(): { fd: number; to: string }[] {
  return fs.readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [{ fd: Number(name), to: fs.readlinkSync(`/proc/self/fd/${name}`) }]
    } catch {
      // The one that listed them.
      return []
    }
  })
}
