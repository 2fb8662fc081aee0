import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import { editConfigText } from '../../../../host/config/plugin/edit-document.ts'
import { PluginConfigStore } from '../../../../host/config/plugin/plugin-config-store.ts'
import { PhantomError } from '../../../../src/contract/phantom-error.ts'

const TEXT = `# Our cluster's settings

# as many as fit
batch_size: 50   # rows
tags:
- b
- a
environments:
  production:
    # measured in May
    batch_size: 1000
name: 'quoted'
`
const check = async (): Promise<void> => undefined

describe('editConfigText()', () => {
  it("keeps the user's comments, order, quotes and ways with lists", () => {
    expect(
      editConfigText(TEXT, {
        batch_size: 60,
        name: 'other',
        environments: { production: { batch_size: 2000, mode: 'x' } },
        verbose: true,
      }),
    ).to.equal(`# Our cluster's settings

# as many as fit
batch_size: 60 # rows
tags:
- b
- a
environments:
  production:
    # measured in May
    batch_size: 2000
    mode: x
name: 'other'
verbose: true
`)
  })

  it('merges objects, replaces the rest, and takes away what is null, also inside', () => {
    const edited = editConfigText('a: { b: 1, c: 2 }\nl: [1, 2]\ns: 5\n', {
      a: { b: null, d: { e: null, f: 1 } },
      l: [3],
      s: { t: 1, u: null },
      none: null,
    })
    expect(parse(edited)).to.eql({ a: { c: 2, d: { f: 1 } }, l: [3], s: { t: 1 } })
  })

  it('keeps what stands above the file when its first key goes', () => {
    expect(editConfigText(TEXT, { batch_size: null })).to.match(/^# Our cluster's settings\n\ntags:/)
    expect(editConfigText('# head\na: 1\nb: 2\n', { a: null })).to.equal('# head\n\nb: 2\n')
  })

  it('writes into a file that is empty, or has comments alone', () => {
    expect(editConfigText('', { a: 1 })).to.equal('a: 1\n')
    expect(editConfigText('# mine\n', { a: 1 })).to.equal('# mine\n\na: 1\n')
  })

  it('gives the very text back where nothing changes, and keeps line ends', () => {
    const odd = 'a:    {b:  1}\n\n\n'
    expect(editConfigText(odd, { a: { b: 1 }, c: null })).to.equal(odd)
    expect(editConfigText('a: 1 # x\r\nb: 2\r\n', { a: 2 })).to.equal('a: 2 # x\r\nb: 2\r\n')
  })

  it('changes nothing else where anchors and aliases are about', () => {
    const text = 'a: &x 5\nb: *x\nm: &m { k: 1 }\nn: *m\n'
    for (const updates of [
      { a: 6 },
      { a: null },
      { m: { k: 2 } },
      { n: { j: 3 } },
      { b: 7 },
      { m: null, a: null },
    ]) {
      const before = parse(text) as Record<string, unknown>
      const after = parse(editConfigText(text, updates)) as Record<string, unknown>
      for (const key of ['a', 'b', 'm', 'n'])
        if (!Object.hasOwn(updates, key)) expect(after[key]).to.eql(before[key])
    }
    expect(parse(editConfigText(text, { n: { j: 3 } }))).to.deep.include({ m: { k: 1 }, n: { k: 1, j: 3 } })
  })

  it('writes strings that look like something else so that they stay strings', () => {
    const values = [
      'yes',
      '5',
      'null',
      '# no',
      'a: b',
      ' x ',
      '*a',
      '',
      'line\nline',
      '${env:X}',
      '\u2028',
      '1e3',
      '~',
      '- x',
      '😀',
    ]
    for (const value of values)
      expect(parse(editConfigText('v: 1\nw: "2"\n', { v: value, w: value }))).to.eql({ v: value, w: value })
  })
})

describe('PluginConfigStore', function () {
  this.timeout(20_000)
  let root = ''
  let store: PluginConfigStore
  let file = ''
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-config-store-'))
    let seconds = 0
    const now = (): string => new Date((seconds += 1) * 1000).toISOString()
    store = new PluginConfigStore({
      folder: path.join(root, 'config'),
      revisionsFolder: path.join(root, 'revisions'),
      now,
    })
    file = store.pathOf('x')
  })
  afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

  const write = (text: string): void => {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
  }
  const failure = async (work: Promise<unknown>): Promise<PhantomError> =>
    await work.then(
      () => expect.fail('it was accepted'),
      (error: PhantomError) => error,
    )
  const entries = (): string[] => fs.readdirSync(root, { recursive: true }).map(String).toSorted()

  it('has no revision where there is no file, and makes file and folders for the owner alone', async () => {
    expect(await store.read('x')).to.eql({
      file: { path: file, text: null },
      identity: null,
      revision: null,
      warning: null,
    })
    expect(await store.history('x')).to.eql([])
    const written = await store.update('x', { a: 1 }, { check, expectedRevision: 0 })
    expect(written).to.eql({ file: { path: file, text: 'a: 1\n' }, revision: 1, isChanged: true })
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600)
    expect(fs.statSync(path.join(root, 'revisions/x/1.yaml')).mode & 0o777).to.equal(0o600)
    expect(entries()).to.eql(['config', 'config/x.yaml', 'revisions', 'revisions/x', 'revisions/x/1.yaml'])
  })

  it('lets all of fifty updates at the same time survive', async () => {
    const updates = Array.from({ length: 50 }, (_, i) => store.update('x', { [`k${i}`]: i }, { check }))
    const others = Array.from({ length: 5 }, (_, i) => store.update('y', { [`k${i}`]: i }, { check }))
    expect((await Promise.all(updates)).map(({ revision }) => revision)).to.eql(
      Array.from({ length: 50 }, (_, i) => i + 1),
    )
    await Promise.all(others)
    expect(Object.keys(parse((await store.read('x')).file.text ?? '') as object)).to.have.length(50)
    expect(Object.keys(parse((await store.read('y')).file.text ?? '') as object)).to.have.length(5)
  })

  it('keeps twenty revisions, the newest first, and never uses a number again', async () => {
    for (let i = 1; i <= 25; i += 1) await store.update('x', { i }, { check })
    const history = await store.history('x')
    expect(history.map(({ revision }) => revision)).to.eql(Array.from({ length: 20 }, (_, i) => 25 - i))
    expect(history[0]).to.include({ source: 'update', text: 'i: 25\n' })
    expect(history[0]?.at).to.match(/^1970-01-01T00:00:25/)
    expect(fs.readdirSync(path.join(root, 'revisions/x'))).to.have.length(20)
    expect((await store.update('x', { i: 1 }, { check })).revision).to.equal(26)
  })

  it('goes back to a revision, comments and all, and forward again', async () => {
    write(TEXT)
    await store.update('x', { batch_size: 1 }, { check })
    const back = await store.rollback('x', 1, { check })
    expect(back).to.include({ revision: 3, isChanged: true })
    expect(fs.readFileSync(file, 'utf8')).to.equal(TEXT)
    expect((await store.history('x')).map(({ source }) => source)).to.eql(['rollback to 1', 'update', 'file'])
    expect((await store.rollback('x', 2, { check })).revision).to.equal(4)
    const error = await failure(store.rollback('x', 9, { check }))
    expect(error.code).to.equal('REVISION_NOT_FOUND')
    expect(error.message).to.contain('revision 9').and.to.contain('Use one of 4, 3, 2, 1')
  })

  it('sees changes by hand, also a removed file', async () => {
    await store.update('x', { a: 1 }, { check })
    write('a: 2 # by hand\n')
    expect((await store.read('x')).revision).to.equal(2)
    expect((await store.read('x')).revision).to.equal(2)
    fs.rmSync(file)
    expect(await store.read('x')).to.include({ revision: null, warning: null })
    expect((await store.history('x')).map(({ source, text }) => [source, text])).to.eql([
      ['file', ''],
      ['file', 'a: 2 # by hand\n'],
      ['update', 'a: 1\n'],
    ])
    expect((await store.update('x', { b: 1 }, { check, expectedRevision: 0 })).file.text).to.equal('b: 1\n')
  })

  it('refuses an update of a revision that is not the newest', async () => {
    await store.update('x', { a: 1 }, { check })
    const both = await Promise.allSettled(
      [2, 3].map((a) => store.update('x', { a }, { check, expectedRevision: 1 })),
    )
    expect(both.map(({ status }) => status)).to.eql(['fulfilled', 'rejected'])
    const error = (both[1] as PromiseRejectedResult).reason as PhantomError
    expect(error.code).to.equal('CONFIG_CONFLICT')
    expect(error.message).to.contain('revision 2 is the newest, expected 1')
    write('a: 9\n')
    expect((await failure(store.update('x', { a: 2 }, { check, expectedRevision: 2 }))).code).to.equal(
      'CONFIG_CONFLICT',
    )
  })

  it('refuses to write over what an editor saved during the check', async () => {
    await store.update('x', { a: 1 }, { check })
    const slow = async (): Promise<void> => write('a: 5 # editor\n')
    expect((await failure(store.update('x', { a: 2 }, { check: slow }))).code).to.equal('CONFIG_CONFLICT')
    expect(fs.readFileSync(file, 'utf8')).to.equal('a: 5 # editor\n')
  })

  it('writes nothing when the check refuses, in a dry run, or when nothing changes', async () => {
    await store.update('x', { a: 1 }, { check })
    const before = entries()
    const veto = async (candidate: { text: string | null }): Promise<void> => {
      expect(candidate.text).to.equal('a: 2\n')
      throw new PhantomError('CONFIG_INVALID', 'Cannot configure "x": two is odd. Take one')
    }
    expect((await failure(store.update('x', { a: 2 }, { check: veto }))).message).to.contain('two is odd')
    expect(await store.update('x', { a: 2 }, { check, dryRun: true })).to.eql({
      file: { path: file, text: 'a: 2\n' },
      revision: 1,
      isChanged: true,
    })
    expect(await store.update('x', { a: 1 }, { check })).to.include({ revision: 1, isChanged: false })
    expect(entries()).to.eql(before)
    expect(fs.readFileSync(file, 'utf8')).to.equal('a: 1\n')
    expect((await store.update('x', { a: 3 }, { check })).revision).to.equal(2)
  })

  it('refuses to change a file that is broken, and says where', async () => {
    write('a: 1\nb: [1\n')
    const error = await failure(store.update('x', { a: 2 }, { check }))
    expect(error.code).to.equal('CONFIG_INVALID')
    expect(error.message).to.match(/x\.yaml:\d+:\d+: Cannot read the configuration: it is not YAML/)
    expect(fs.readFileSync(file, 'utf8')).to.equal('a: 1\nb: [1\n')
    const large = await failure(store.update('y', { a: 'x'.repeat(1024 * 1024) }, { check }))
    expect(large.message).to.contain('at most 1048576 are allowed')
    for (const updates of [{ environments: JSON.parse('{"__proto__": {"a": 1}}') as object }])
      await store.update('z', updates, { check })
    expect(({} as { a?: number }).a).to.equal(undefined)
  })

  it('says of a folder, a pipe and bytes that are no text what they are', async () => {
    fs.mkdirSync(file, { recursive: true })
    expect((await failure(store.read('x'))).message).to.contain('it is no regular file')
    execFileSync('mkfifo', [store.pathOf('p')])
    expect((await failure(store.read('p'))).message).to.contain('it is no regular file')
    fs.writeFileSync(store.pathOf('b'), Buffer.from([0x61, 0xff]))
    expect((await failure(store.read('b'))).message).to.contain('it is not UTF-8 text')
    fs.writeFileSync(store.pathOf('l'), 'x'.repeat(1024 * 1024 + 1))
    expect((await failure(store.read('l'))).message).to.contain('at most 1048576')
    expect(() => store.pathOf('../x')).to.throw(TypeError)
  })

  it("keeps the file's mode, and a symbolic link with the file it leads to", async () => {
    const real = path.join(root, 'real.yaml')
    fs.writeFileSync(real, 'a: 1\n')
    fs.chmodSync(real, 0o640)
    fs.mkdirSync(path.dirname(file))
    fs.symlinkSync(real, file)
    await store.update('x', { a: 2 }, { check })
    expect(fs.lstatSync(file).isSymbolicLink()).to.equal(true)
    expect(fs.readFileSync(real, 'utf8')).to.equal('a: 2\n')
    expect(fs.statSync(real).mode & 0o777).to.equal(0o640)
  })

  it('passes over revision files that are none, and takes away what a killed writer left', async () => {
    await store.update('x', { a: 1 }, { check })
    const revisions = path.join(root, 'revisions/x')
    fs.writeFileSync(path.join(revisions, '7.yaml'), 'no header\n')
    fs.writeFileSync(path.join(revisions, 'notes.txt'), '')
    // Process ids end at 2^22 on Linux (proc(5), pid_max).
    fs.writeFileSync(path.join(root, 'config', '.x.yaml.4999999.abc.tmp'), 'half')
    expect((await store.history('x')).map(({ revision }) => revision)).to.eql([1])
    expect((await store.update('x', { a: 2 }, { check })).revision).to.equal(8)
    expect(fs.readdirSync(path.join(root, 'config'))).to.eql(['x.yaml'])
  })
})
