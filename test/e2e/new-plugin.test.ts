import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { PLUGIN_KINDS, type PluginKind } from '../../src/cli/scaffold/plugin-kinds.ts'
import type { PluginExecutionResult } from '../../src/contract/execution.ts'
import type { DoctorReport } from '../../src/contract/doctor-report.ts'
import { GUESTS, missingCompiler } from '../../.scripts/build-guests.mjs'
import { oldestCargo, openCargo } from '../helpers/cargo.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { World } from '../helpers/daemon.ts'
import { samplesOf } from '../helpers/docs-pages.ts'
import { findNode } from '../helpers/packed-package.ts'
import { skipBecause } from '../helpers/skip.ts'
import { hasTerminals, PhantomAtTerminal } from '../helpers/terminal.ts'

const run = promisify(execFile)

interface Written {
  readonly path: string
  readonly files: readonly { readonly path: string; readonly replaced: boolean }[]
  readonly next: readonly string[]
  readonly dry_run: boolean
}

/** What each step of the author's needs in its environment, on top of ours; skips the test where that is not here. */
type Toolchain = (context: Mocha.Context, world: World) => Promise<Steps> | Steps
interface Steps {
  readonly build: Readonly<NodeJS.ProcessEnv>
  readonly test: Readonly<NodeJS.ProcessEnv>
}

const ROOT = path.resolve(import.meta.dirname, '../..')
const PYTHON = '/usr/bin/python3'
const NATIVE: ReadonlySet<PluginKind> = new Set(['rust', 'python'])
const NOTHING = { build: {}, test: {} }

const TOOLCHAINS: Readonly<Record<PluginKind, Toolchain>> = {
  javascript: () => NOTHING,
  typescript: () => NOTHING,
  python(context) {
    if (!fs.existsSync(PYTHON)) skipBecause.call(context, `${PYTHON} is not installed`)
    return NOTHING
  },
  async rust(context) {
    const { environment } = await openCargo(context)
    return { build: environment, test: environment }
  },
  async 'wasm-rust'(context) {
    const cargo = await openCargo(context)
    const oldest = oldestCargo()
    if (oldest === null) {
      const reason = 'no Rust here builds WebAssembly; .scripts/rust-toolchain.sh unpacks one'
      return skipBecause.call(context, reason)
    }
    const build = {
      ...cargo.with(oldest).environment,
      PATH: `${path.dirname(oldest)}:${process.env['PATH']}`,
    }
    return { build, test: cargo.environment }
  },
  'wasm-assemblyscript'(_context, world) {
    // As in a project that installed the compiler.
    fs.mkdirSync(world.path('node_modules/.bin'), { recursive: true })
    const compiler = path.join(ROOT, 'node_modules/assemblyscript')
    fs.symlinkSync(compiler, world.path('node_modules/assemblyscript'))
    fs.symlinkSync('../assemblyscript/bin/asc.js', world.path('node_modules/.bin/asc'))
    const offline = { npm_config_offline: 'true' }
    return { build: offline, test: {} }
  },
  'wasm-c'(context) {
    const reason = missingCompiler(GUESTS.find(({ name }) => name === 'conformance-c')!)
    if (reason !== null) skipBecause.call(context, reason)
    return NOTHING
  },
}

describe('phantom new', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine

  before(() => {
    world = new World()
    phantom = new CommandLine(world.folder, {
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}`,
      npm_lifecycle_event: '',
    })
  })
  after(() => world.remove())

  for (const kind of Object.keys(PLUGIN_KINDS) as PluginKind[]) {
    it(`writes a plugin of type ${kind} that passes its own test, is valid and answers`, async function () {
      if (NATIVE.has(kind) && !(await hasNamespaces(phantom)))
        skipBecause.call(this, 'native plugins need namespaces')
      const environments = await TOOLCHAINS[kind](this, world)
      const [make, buildAndTest, validate, runIt] = linesOf(kind)
      const id = wordsOf(make)[1]!
      const { path: folder, files, next } = await phantom.json<Written>(wordsOf(make))
      expect(next, 'what the page says').to.deep.equal([buildAndTest, validate, runIt])
      expect(folder).to.equal(world.path('plugins', id))
      expect(files.map((file) => file.path)).to.include.members(['plugin.toml', 'README.md', '.gitignore'])
      for (const file of files) {
        const text = fs.readFileSync(path.join(folder, file.path), 'utf8')
        expect(text, file.path).to.not.match(/\{\{\w+\}\}/)
      }
      const { build, test } = PLUGIN_KINDS[kind]
      expect(buildAndTest).to.equal(`(cd plugins/${id} && ${[...build, test].join(' && ')})`)
      for (const step of build) await inFolder(folder, step, environments.build)
      await inFolder(folder, test, environments.test)
      expect(await phantom.said(...wordsOf(validate))).to.match(/ valid$/m)
      const answer = await phantom.json<PluginExecutionResult>(wordsOf(runIt))
      expect([answer.success, answer.result]).to.deep.equal([true, { message: 'Hello, Ada!' }])
      expect(answer.logs.join()).to.match(/greeting/)
    })
  }

  it('writes TypeScript that a strict compiler takes, with our types', async () => {
    const { path: folder } = await phantom.json<Written>(['new', 'typed', '--type', 'typescript'])
    const compilerOptions = {
      paths: { '@phantom-ml/core/plugin': [path.join(ROOT, 'src/plugin/index.ts')] },
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
      types: ['node'],
    }
    const project = { extends: './tsconfig.json', compilerOptions, files: ['index.ts', 'greet.test.ts'] }
    fs.writeFileSync(path.join(folder, 'tsconfig.check.json'), JSON.stringify(project))
    const tsc = path.join(ROOT, 'node_modules/.bin/tsc')
    const { stdout } = await run(tsc, ['-p', 'tsconfig.check.json'], { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).to.equal('')
  })

  it('writes a TypeScript test that fails on a Node that cannot run it, and does not pass with none', async function () {
    const node = findNode(20) ?? skipBecause.call(this, 'no Node 20 is on PATH')
    const { path: folder } = await phantom.json<Written>(['new', 'untyped', '--type', 'typescript'])
    const env = { ...process.env, PATH: `${path.dirname(node)}:/usr/bin:/bin` }
    const { stdout } = await run('npm', ['test'], { cwd: folder, env }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).to.match(/^# pass 0\n# fail 1$/m)
  })

  it('says what it would write, and writes nothing, with --dry-run', async () => {
    const words = await phantom.said('new', 'not_yet', '--dry-run')
    expect(words).to.match(/^not_yet {2}javascript {2}plugins\/not_yet {2}nothing was written$/m)
    expect(words)
      .to.match(/^ {2}plugin\.toml$/m)
      .and.match(/phantom run not_yet greet --input/)
    expect(fs.existsSync(world.path('plugins/not_yet'))).to.equal(false)
  })

  it('writes into the folder that --directory names, and says how the plugin is run from there', async () => {
    const words = await phantom.said('new', 'elsewhere', '--directory', 'some where/elsewhere')
    expect(fs.existsSync(world.path('some where/elsewhere/plugin.toml'))).to.equal(true)
    expect(words).to.include(`phantom run elsewhere greet --plugins 'some where' --input`)
    expect(words).to.include(`(cd 'some where/elsewhere' && npm test)`)
    expect(await phantom.said('validate', 'some where/elsewhere')).to.match(/ valid$/m)
  })

  it('says what to type next as it was typed itself', async () => {
    for (const [script, typed] of [
      ['phantom', 'npm run -s phantom --'],
      ['npx', 'npx phantom'],
      ['test', 'phantom'],
    ] as const) {
      const byNpm = new CommandLine(world.folder, { npm_lifecycle_event: script })
      const { next } = await byNpm.json<Written>(['new', 'typed_so', '--dry-run'])
      expect(next.slice(1), script).to.deep.equal([
        `${typed} validate plugins/typed_so`,
        `${typed} run typed_so greet --input '{"name": "Ada"}'`,
      ])
    }
  })

  it('names an id where the name is none, and where a built-in plugin has it', async () => {
    for (const [name, id] of [
      ['my-plugin', 'my_plugin'],
      ['MyPlugin', 'my_plugin'],
      ['9 lives!', 'lives'],
      ['ü', 'my_plugin'],
      ['data_processor', 'my_data_processor'],
    ] as const) {
      const { codes, error } = await phantom.refused('new', name)
      expect([codes, error.code], name).to.deep.equal([[2, 2], 'PARAMS_INVALID'])
      expect(error.message).to.match(new RegExp(`Try: phantom new ${id}$`))
    }
  })

  it('leaves files that are there alone, unless it is told to', async () => {
    world.write('plugins/full/plugin.toml', 'mine')
    const { codes, error } = await phantom.refused('new', 'full')
    expect(codes).to.deep.equal([2, 2])
    expect(error.message).to.match(/there are files in ".*full" already \(plugin\.toml\).*--force$/)
    expect(fs.readFileSync(world.path('plugins/full/plugin.toml'), 'utf8')).to.equal('mine')
    world.write('plugins/full/notes.md', 'mine')
    const outside = world.path('outside.js')
    fs.writeFileSync(outside, 'mine')
    fs.symlinkSync(outside, world.path('plugins/full/index.js'))
    const { files } = await phantom.json<Written>(['new', 'full', '--force'])
    const replaced = files.filter((file) => file.replaced).map((file) => file.path)
    expect(replaced).to.deep.equal(['index.js', 'plugin.toml'])
    expect(fs.readFileSync(world.path('plugins/full/notes.md'), 'utf8')).to.equal('mine')
    expect(fs.readFileSync(outside, 'utf8'), 'behind the link').to.equal('mine')
  })

  it('refuses in words where a file is in the way', async () => {
    world.write('file', '')
    const { error } = await phantom.refused('new', 'below', '--directory', 'file/below')
    expect(error.message).to.match(/^Cannot write the plugin "below": .*is, or lies below, a file/)
    const { error: wrong } = await phantom.refused('new', 'below', '--type', 'cobol')
    expect(wrong.message).to.match(/'cobol' is invalid. Allowed choices are javascript, /)
  })

  it('asks for the type at a terminal, and takes JavaScript for an empty line', async function () {
    if (!hasTerminals()) skipBecause.call(this, 'script(1) of util-linux is not installed')
    for (const [id, answer, entry] of [
      ['asked', 'typescript', 'index.ts'],
      ['unasked', '', 'index.js'],
    ] as const) {
      const terminal = new PhantomAtTerminal(world.folder, ['new', id])
      await terminal.answer('Which type? [javascript]: ', answer)
      expect(await terminal.ended(), terminal.text).to.equal(0)
      expect(fs.existsSync(world.path('plugins', id, entry)), terminal.text).to.equal(true)
    }
  })

  it('writes nothing where Ctrl-C is the answer', async function () {
    if (!hasTerminals()) skipBecause.call(this, 'script(1) of util-linux is not installed')
    const terminal = new PhantomAtTerminal(world.folder, ['new', 'never'])
    await terminal.answer('Which type? [javascript]: ', '\u0003')
    expect(await terminal.ended(), terminal.text).to.not.equal(0)
    expect(terminal.text).to.include('Nothing was written')
    expect(fs.existsSync(world.path('plugins/never'))).to.equal(false)
  })
})

/** The doctor's exit code is about all that could be mended. */
async function hasNamespaces(phantom: CommandLine): Promise<boolean> {
  const { stdout } = await phantom.run(['doctor', '--json'])
  return (JSON.parse(stdout) as DoctorReport).tier === 'namespace'
}

/** As an author has it: a runner of tests within a runner of tests would report to that. */
async function inFolder(cwd: string, step: string, more: Readonly<NodeJS.ProcessEnv>): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  const env = { ...rest, ...more, PATH: `${path.dirname(process.execPath)}:${more['PATH'] ?? rest['PATH']}` }
  await run('sh', ['-ec', step], { cwd, env }).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) => {
      throw new Error(`"${step}" failed:\n${stdout}${stderr}`)
    },
  )
}

/** What docs/writing-plugins.md tells an author to type. */
function linesOf(kind: PluginKind): readonly [string, string, string, string] {
  const sample = samplesOf('docs/writing-plugins.md').find(({ name }) => name === `new-${kind}`)
  const lines = sample?.text.trim().split('\n') ?? []
  expect(lines, kind).to.have.lengthOf(4)
  return lines as unknown as [string, string, string, string]
}

/** A printed line as the words of a command line: `phantom`, and what stands in single quotes. */
function wordsOf(line: string): string[] {
  const words = line.match(/'[^']*'|\S+/g) ?? []
  return words.slice(1).map((word) => word.replaceAll("'", ''))
}
