import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'

const ROOT = path.resolve(import.meta.dirname, '../..')
const OXLINT = path.join(ROOT, 'node_modules/.bin/oxlint')
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

/** Who may import whom; itself always. Typed out from the design, never computed. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/contract': [],
  'src/rpc': ['src/contract'],
  'src/client': ['src/contract', 'src/rpc'],
  'src/index.ts': ['src/contract', 'src/rpc', 'src/client'],
  'src/plugin': ['src/contract', 'src/rpc'],
  'src/cli': ['src/contract', 'src/rpc', 'src/client'],
  host: ['src/contract', 'src/rpc'],
  'sandbox-runner': ['src/contract', 'src/rpc', 'src/plugin'],
  plugins: ['@phantom-ml/core/plugin'],
}
/** What no area of the sources may import, beside each other as the table says. */
const NOT_SOURCES = ['test', 'bench', 'docs', '@phantom-ml/core', '@phantom-ml/core/plugin']
const WITHOUT_NODE_MODULES = ['src/contract', 'host/supervisor']

interface Edge {
  readonly file: string
  readonly specifier: string
  readonly from: string
  readonly to: string
}

describe('the dependency rule', () => {
  const files = sourceFiles()
  const edges = files.flatMap(edgesOf)

  it('sees files in every folder that it speaks about', () => {
    for (const area of Object.keys(MAY_IMPORT)) {
      expect(
        files.filter((file) => areaOf(file) === area),
        area,
      ).to.not.be.empty
    }
    expect(edges.filter(({ from, to }) => from !== to).length).to.be.greaterThan(20)
  })

  it('holds for every import of the sources', () => {
    const ours = [...Object.keys(MAY_IMPORT), ...NOT_SOURCES]
    const broken = edges.filter(
      ({ from, to }) => to !== from && ours.includes(to) && !MAY_IMPORT[from]?.includes(to),
    )
    expect(broken.map(({ file, specifier }) => `${file} imports ${specifier}`)).to.deep.equal([])
  })

  it('keeps every plugin inside its own folder', () => {
    const pluginOf = (name: string) =>
      name.replace('src/cli/scaffold/templates/', 'templates/').split('/').slice(0, 2).join('/')
    const broken = edges
      .filter(({ from, specifier }) => from === 'plugins' && specifier.startsWith('.'))
      .filter(({ file, specifier }) => pluginOf(file) !== pluginOf(resolved(file, specifier)))
    expect(broken.map(({ file, specifier }) => `${file} imports ${specifier}`)).to.deep.equal([])
  })

  it('keeps the effects of Node out of the contract and the supervisor', () => {
    const broken = edges.filter(
      ({ file, specifier }) =>
        specifier.startsWith('node:') && WITHOUT_NODE_MODULES.some((folder) => file.startsWith(`${folder}/`)),
    )
    expect(broken.map(({ file, specifier }) => `${file} imports ${specifier}`)).to.deep.equal([])
  })

  it('lets nothing but tests import test', () => {
    const others = ['bench', 'docs', '.scripts'].flatMap((folder) => filesBelow(folder))
    const all = [...edges, ...others.flatMap(edgesOf)]
    expect(all.filter(({ to }) => to === 'test').map(({ file }) => file)).to.deep.equal([])
  })
})

describe('the lint rule behind it', () => {
  /** A file that breaks the rule, and the line that does. */
  const BROKEN: readonly (readonly [file: string, line: string])[] = [
    ['src/contract/a.ts', `import fs from 'node:fs/promises'`],
    ['src/contract/b.ts', `import type { X } from '../rpc/connection.ts'`],
    ['src/contract/deep/c.ts', `export { x } from '../../../host/x.ts'`],
    ['src/rpc/a.ts', `import { x } from '../client/x.ts'`],
    ['src/rpc/b.ts', `const x = await import('../../host/x.ts')`],
    ['src/client/a.ts', `import { x } from '../cli/x.ts'`],
    ['src/client/b.ts', `import { x } from '../../host/x.ts'`],
    ['src/index.ts', `export { x } from './plugin/x.ts'`],
    ['src/plugin/a.ts', `import { x } from '../client/x.ts'`],
    ['src/cli/a.ts', `import { x } from '../../host/x.ts'`],
    ['src/cli/b.ts', `import { x } from '../plugin/x.ts'`],
    ['host/a.ts', `import { x } from '../sandbox-runner/x.ts'`],
    ['host/deep/b.ts', `import type { X } from '../../src/client/x.ts'`],
    ['host/deep/c.ts', `import { x } from '../../src/plugin/x.ts'`],
    ['host/d.ts', `import { x } from '../test/x.ts'`],
    ['host/supervisor/a.ts', `import { x } from 'node:timers'`],
    ['host/supervisor/b.ts', `import { x } from '../../src/rpc/x.ts'`],
    ['sandbox-runner/a.ts', `import { x } from '../host/x.ts'`],
    ['sandbox-runner/javascript/b.ts', `import { x } from '../../src/client/x.ts'`],
    ['plugins/one/a.ts', `import { x } from '../../src/contract/x.ts'`],
    ['plugins/one/b.ts', `import { x } from '@phantom-ml/core'`],
    ['plugins/one/c.ts', `import { x } from '../../two/x.ts'`],
    ['bench/a.ts', `import { x } from '../test/x.ts'`],
    ['docs/demo/a.ts', `import { x } from '../../test/x.ts'`],
  ]
  const KEPT: readonly (readonly [file: string, line: string])[] = [
    ['src/contract/ok.ts', `import version from '../../package.json' with { type: 'json' }`],
    ['src/rpc/ok.ts', `import { x } from '../contract/x.ts'`],
    ['src/cli/ok.ts', `import { x } from '../client/x.ts'`],
    ['host/deep/ok.ts', `import { x } from '../../src/rpc/x.ts'`],
    ['host/deep/fs.ts', `import { x } from 'node:fs'`],
    ['sandbox-runner/javascript/ok.ts', `import { x } from '../../src/plugin/x.ts'`],
    ['plugins/one/ok.ts', `import { x } from '@phantom-ml/core/plugin'`],
    ['test/unit/ok.ts', `import { x } from '../../host/x.ts'`],
  ]
  let folder: string

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-lint-'))
    fs.copyFileSync(path.join(ROOT, '.oxlintrc.json'), path.join(folder, '.oxlintrc.json'))
    for (const [file, line] of [...BROKEN, ...KEPT]) write(file, `${line}\nexport const seed = 1\n`)
    write(
      'host/supervisor/clock.ts',
      'export const now = () => Date.now()\nexport const later = setTimeout\n',
    )
    write('host/supervisor/exit.ts', 'export const pid = process.pid\n')
    write('host/deep/clock.ts', 'export const now = () => Date.now()\n')
  })
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('reports every seeded violation, and nothing that is allowed', () => {
    const { files, found } = lint('no-restricted-imports')
    expect(files).to.be.greaterThan(BROKEN.length)
    expect(found).to.deep.equal(BROKEN.map(([file]) => file).toSorted())
  })

  it('keeps clocks, timers and the process out of host/supervisor alone', () => {
    const { found } = lint('no-restricted-globals')
    expect(found).to.deep.equal(['host/supervisor/clock.ts', 'host/supervisor/exit.ts'])
  })

  function write(file: string, text: string): void {
    fs.mkdirSync(path.join(folder, path.dirname(file)), { recursive: true })
    fs.writeFileSync(path.join(folder, file), text)
  }

  function lint(rule: string): { files: number; found: string[] } {
    const { stdout } = spawnSync(OXLINT, ['--format', 'json'], { cwd: folder, encoding: 'utf8' })
    const report = JSON.parse(stdout) as {
      number_of_files: number
      diagnostics: { code: string; filename: string }[]
    }
    const hits = report.diagnostics.filter(({ code }) => code === `eslint(${rule})`)
    return {
      files: report.number_of_files,
      found: [...new Set(hits.map(({ filename }) => filename))].toSorted(),
    }
  }
})

function sourceFiles(): string[] {
  return ['src', 'host', 'sandbox-runner', 'plugins'].flatMap((folder) => filesBelow(folder))
}

function filesBelow(folder: string): string[] {
  return fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs|cjs|js)$/.test(file) && !/(^|\/)(dist|node_modules|target)\//.test(file))
    .map((file) => path.posix.join(folder, file))
}

function edgesOf(file: string): Edge[] {
  const source = fs.readFileSync(path.join(ROOT, file), 'utf8')
  return [...source.matchAll(IMPORT)].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? ''
    return { file, specifier, from: areaOf(file), to: areaOf(resolved(file, specifier)) }
  })
}

/** Relative to the root for our own files; a package's or Node's own name as it stands. */
function resolved(file: string, specifier: string): string {
  return specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier
}

/** `src/client/attach.ts` is of `src/client`; names of packages are an area of nobody. */
function areaOf(name: string): string {
  if (name.startsWith('@phantom-ml/core')) return name
  // They are plugins, and become somebody's.
  if (name.startsWith('src/cli/scaffold/templates/')) return 'plugins'
  const [top = '', second = ''] = name.split('/')
  if (top === 'src') return `src/${second}`
  return ['host', 'sandbox-runner', 'plugins', 'test', 'bench', 'docs'].includes(top) ? top : 'elsewhere'
}
