import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { PLUGIN_KINDS, type PluginKind } from '../../src/cli/scaffold/plugin-kinds.ts'
import type { PluginExecutionResult } from '../../src/contract/execution.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { hasTerminals, PhantomAtTerminal } from '../helpers/terminal.ts'

const run = promisify(execFile)

interface Written {
  readonly path: string
  readonly files: readonly { readonly path: string; readonly replaced: boolean }[]
  readonly next: readonly string[]
  readonly dry_run: boolean
}

/** What it takes to build and test one, where it has to be built. */
interface Toolchain {
  /** Why there is none here; null where there is. */
  missing(): string | null
}

const ROOT = path.resolve(import.meta.dirname, '../..')
const PYTHON = '/usr/bin/python3'
const TOOLCHAINS: Readonly<Record<PluginKind, Toolchain>> = {
  javascript: { missing: () => null },
  typescript: { missing: () => null },
  python: { missing: () => (fs.existsSync(PYTHON) ? null : `${PYTHON} is not installed`) },
}

describe('phantom new', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine

  before(() => {
    world = new World()
    phantom = new CommandLine(world.folder, {
      PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}`,
    })
  })
  after(() => world.remove())

  for (const kind of Object.keys(PLUGIN_KINDS) as PluginKind[]) {
    it(`writes a plugin of type ${kind} that passes its own test, is valid and answers`, async function () {
      const { missing } = TOOLCHAINS[kind]
      const reason = missing()
      if (reason !== null) skipBecause.call(this, reason)
      const id = `made_in_${kind.replaceAll('-', '_')}`
      const { path: folder, files, next } = await phantom.json<Written>(['new', id, '--type', kind])
      expect(folder).to.equal(world.path('plugins', id))
      expect(files.map((file) => file.path)).to.include.members(['plugin.toml', 'README.md', '.gitignore'])
      for (const file of files) {
        const text = fs.readFileSync(path.join(folder, file.path), 'utf8')
        expect(text, file.path).to.not.match(/\{\{\w+\}\}/)
      }
      const [buildAndTest = '', validate = '', runIt = ''] = next
      expect(buildAndTest).to.match(new RegExp(`^\\(cd plugins/${id} && .+\\)$`))
      await run('sh', ['-ec', buildAndTest], { cwd: world.folder, env: environmentOf() })
      expect(await phantom.said(...wordsOf(validate))).to.match(/ valid$/m)
      const answer = await phantom.json<PluginExecutionResult>([...wordsOf(runIt)])
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
})

/** As the user of a plugin has it: a runner of tests within a runner of tests would report to that. */
function environmentOf(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  return { ...rest, PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}` }
}

/** A printed line as the words of a command line: `phantom`, and what stands in single quotes. */
function wordsOf(line: string): string[] {
  const words = line.match(/'[^']*'|\S+/g) ?? []
  return words.slice(1).map((word) => word.replaceAll("'", ''))
}
