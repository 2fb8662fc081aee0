import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { readManifest } from '../../host/registry/read-manifest.ts'
import { issueText } from '../../src/contract/manifest/issue-list.ts'
import { manifestText, plugin, write } from '../helpers/plugin-folders.ts'
import { skipBecause } from '../helpers/skip.ts'

describe('readManifest()', () => {
  let root = ''

  before(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'phantom-registry-')))
  })

  after(() => {
    rmSync(root, { recursive: true, force: true })
  })

  function make(path: string, id: string, more?: string): string {
    return plugin(join(root, path), id, more)
  }

  async function onlyIssue(directory: string): Promise<string> {
    const { manifest, issues } = await readManifest(directory)
    expect(manifest).to.equal(null)
    expect(issues.map(issueText)).to.have.length(1)
    const [issue] = issues
    return issue === undefined ? '' : issueText(issue).replaceAll(root, 'ROOT')
  }

  it('reads a healthy plugin, its schema files and a manifest with a byte order mark', async () => {
    const more = '[[operations]]\nname = "a"\ninput_schema = "schemas/in.json"\nbad = 1\n'
    const directory = make('healthy', 'healthy')
    write(join(directory, 'schemas/in.json'), '{"type":"object"}')
    write(join(directory, 'plugin.toml'), manifestText('healthy', more.replace('bad = 1\n', '')))
    const read = await readManifest(directory)
    expect(read.issues).to.deep.equal([])
    expect(read.directory).to.equal(directory)
    expect(read.manifest?.operations[0]?.inputSchema).to.deep.equal({ type: 'object' })
    write(join(directory, 'plugin.toml'), `\ufeff${manifestText('healthy')}`)
    expect((await readManifest(directory)).issues).to.deep.equal([])
  })

  it('says what is so of a folder or manifest that is missing', async () => {
    mkdirSync(join(root, 'none'))
    const words = /plugin\.toml:1:1: Cannot read "plugin\.toml": it does not exist\. Create it/
    expect(await onlyIssue(join(root, 'none'))).to.match(words)
    expect(await onlyIssue(join(root, 'no-such-folder'))).to.match(words)
  })

  it('refuses 10 MB without reading them', async () => {
    const directory = make('huge', 'huge')
    truncateSync(join(directory, 'plugin.toml'), 10_000_000)
    const before = process.memoryUsage().arrayBuffers
    expect(await onlyIssue(directory)).to.match(
      /it has 10000000 bytes, at most 1048576 are allowed\. Put a readable/,
    )
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(5_000_000)
  })

  const contents: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['empty', '', /plugin\.toml:1:1: .*the file is empty/],
    ['not TOML', 'id: sample', /plugin\.toml:1:3: .*it is not TOML/],
    ['with NUL bytes', `${manifestText('a')}\0\0`, /plugin\.toml:7:1: .*NUL byte/],
    [
      'not UTF-8',
      Buffer.from(`${manifestText('a')}author = "\xe4"`, 'latin1'),
      /plugin\.toml:7:11: .*it is not UTF-8/,
    ],
    ['UTF-16', Buffer.from(`\ufeff${manifestText('a')}`, 'utf16le'), /plugin\.toml:1:1: .*it is not UTF-8/],
    [
      'with a wrong type',
      manifestText('a', 'author = 1'),
      /plugin\.toml:7:1: .*found the integer 1, expected a string/,
    ],
    ['with an unknown key', manifestText('a', 'autor = "A"'), /plugin\.toml:7:1: .*Did you mean "author"\?/],
  ]
  for (const [what, content, words] of contents) {
    it(`says where a manifest is ${what}`, async () => {
      const directory = make(`content-${what.replaceAll(' ', '-')}`, 'a')
      write(join(directory, 'plugin.toml'), content)
      expect(await onlyIssue(directory)).to.match(words)
    })
  }

  it('refuses what is no regular file, without waiting for it', async () => {
    for (const [name, put, words] of [
      ['fifo', (path: string) => execFileSync('mkfifo', [path]), /no regular file/],
      ['folder', (path: string) => mkdirSync(path), /it is a folder/],
      ['device', (path: string) => symlinkSync('/dev/zero', path), /a link that leaves the plugin folder/],
      ['leaving', (path: string) => symlinkSync('/etc/passwd', path), /a link that leaves the plugin folder/],
      ['circle', (path: string) => symlinkSync('plugin.toml', path), /its links lead in a circle/],
      ['dangling', (path: string) => symlinkSync('nowhere.toml', path), /it does not exist/],
    ] as const) {
      mkdirSync(join(root, `odd-${name}`))
      put(join(root, `odd-${name}`, 'plugin.toml'))
      expect(await onlyIssue(join(root, `odd-${name}`))).to.match(words)
    }
  })

  it('refuses a socket', async () => {
    const directory = join(root, 'odd-socket')
    mkdirSync(directory)
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(join(directory, 'plugin.toml'), resolve))
    try {
      expect(await onlyIssue(directory)).to.match(/no regular file/)
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('says that it may not read a manifest', async function () {
    if (process.getuid?.() === 0) skipBecause.call(this, 'root reads every file')
    const directory = make('unreadable', 'a')
    execFileSync('chmod', ['000', join(directory, 'plugin.toml')])
    expect(await onlyIssue(directory)).to.match(/the user \d+ of this process may not read it/)
  })

  it('follows a manifest that is a link inside its folder', async () => {
    const directory = make('linked', 'linked')
    write(join(directory, 'real/manifest.toml'), manifestText('linked'))
    rmSync(join(directory, 'plugin.toml'))
    symlinkSync('real/manifest.toml', join(directory, 'plugin.toml'))
    expect((await readManifest(directory)).manifest?.id).to.equal('linked')
  })

  it('checks on disk what a JavaScript plugin starts from, at the line that names it', async () => {
    write(join(root, 'outside.js'), '')
    for (const [name, put, words] of [
      ['missing', () => undefined, /"index\.js": it does not exist\. Name the file/],
      ['folder', (path: string) => mkdirSync(path), /"index\.js": it is a folder, expected a file/],
      [
        'leaving',
        (path: string) => symlinkSync('../outside.js', path),
        /"index\.js": it is a link that leaves/,
      ],
      ['fifo', (path: string) => execFileSync('mkfifo', [path]), /"index\.js": it is no regular file/],
    ] as const) {
      const directory = make(`entry-${name}`, 'a')
      rmSync(join(directory, 'index.js'))
      put(join(directory, 'index.js'))
      const issue = await onlyIssue(directory)
      expect(issue).to.match(words)
      expect(issue).to.match(/^ROOT\/entry-\w+\/plugin\.toml:6:1: Cannot use "plugin\.entry_point": /)
    }
  })

  it('refuses an entry point whose folder is a link that leaves', async () => {
    mkdirSync(join(root, 'elsewhere'))
    write(join(root, 'elsewhere/main.js'), '')
    const directory = make('entry-by-folder', 'a')
    symlinkSync('../elsewhere', join(directory, 'lib'))
    write(join(directory, 'plugin.toml'), manifestText('a').replace('index.js', 'lib/main.js'))
    expect(await onlyIssue(directory)).to.match(/"lib\/main\.js": it is a link that leaves the plugin folder/)
  })

  it('reads schema files inside the folder only, and only so much', async () => {
    write(join(root, 'secret.json'), '{"title":"secret"}')
    const names = ['link', 'big', 'none', 'latin', 'pipe']
    const operations = names.map(
      (name) => `[[operations]]\nname = "${name}"\ninput_schema = "${name}.json"\n`,
    )
    const directory = make('schemas', 'schemas', operations.join(''))
    symlinkSync('../secret.json', join(directory, 'link.json'))
    write(join(directory, 'big.json'), Buffer.alloc(256 * 1024 + 1, ' '))
    write(join(directory, 'latin.json'), Buffer.from('{"title":"\xe4"}', 'latin1'))
    execFileSync('mkfifo', [join(directory, 'pipe.json')])
    const { issues } = await readManifest(directory)
    const words = [
      /^9:operations\[0\].input_schema:.*"link\.json": it is a link that leaves the plugin folder/,
      /^12:operations\[1\].input_schema:.*"big\.json": it has 262145 bytes, at most 262144 are allowed/,
      /^15:operations\[2\].input_schema:.*"none\.json": it does not exist/,
      /^18:operations\[3\].input_schema:.*"latin\.json": it is not UTF-8/,
      /^21:operations\[4\].input_schema:.*"pipe\.json": it is no regular file/,
    ]
    expect(issues).to.have.length(words.length)
    for (const [index, { line, field, message }] of issues.entries()) {
      expect(`${line}:${field}:${message}`).to.match(words[index] ?? /never/)
      expect(message).to.not.include('"secret"')
    }
  })
})
