import { expect } from 'chai'
import { completeCommandLine, type KnownPlugin, type PluginPlace } from '../../../src/cli/complete-line.ts'
import { operationNames } from '../../../src/cli/known-plugins.ts'
import { buildProgram } from '../../../src/cli/program.ts'

const plugins: KnownPlugin[] = [
  { id: 'data_processor', operations: ['process_pipeline', 'describe'] },
  { id: 'echo', operations: ['echo'] },
]

async function complete(...words: string[]): Promise<string[]> {
  const candidates = await completeCommandLine(buildProgram(), words, () => Promise.resolve(plugins))
  return candidates.map(({ word }) => word)
}

describe('completeCommandLine()', () => {
  it('completes commands, and keeps the hidden one hidden', async () => {
    expect(await complete('li')).to.deep.equal(['list', 'limits'])
    expect(await complete(''))
      .to.include.members(['run', 'serve', 'setup', 'why', 'config'])
      .and.not.include('__complete')
  })

  it("completes a command's own options and the common ones", async () => {
    expect(await complete('run', '--')).to.include.members([
      '--input',
      '--workspace',
      '--timeout',
      '--plugins',
      '--json',
    ])
    expect(await complete('list', '--input')).to.deep.equal([])
    expect(await complete('--pl')).to.deep.equal(['--plugins'])
  })

  it('completes plugins, then the operations of the one that was named', async () => {
    expect(await complete('run', 'da')).to.deep.equal(['data_processor'])
    expect(await complete('info', '')).to.deep.equal(['data_processor', 'echo'])
    expect(await complete('run', 'data_processor', 'p')).to.deep.equal(['process_pipeline'])
    expect(await complete('run', 'echo', 'echo', '')).to.deep.equal([])
    expect(await complete('list', '')).to.deep.equal([])
  })

  it('does not take the value of an option for an operand', async () => {
    expect(await complete('run', '--input', '-', 'ec')).to.deep.equal(['echo'])
    expect(await complete('--json', 'run', '--timeout=5', 'ec')).to.deep.equal(['echo'])
    expect(await complete('run', '--input', '')).to.deep.equal([])
  })

  it('completes the values that an option or an argument can have', async () => {
    expect(await complete('logs', '--level', 'w')).to.deep.equal(['warn'])
    expect(await complete('run', '--priority', '')).to.deep.equal(['low', 'normal', 'high', 'critical'])
    expect(await complete('history', '--outcome', 're')).to.deep.equal(['rejected'])
    expect(await complete('completion', '')).to.deep.equal(['bash', 'zsh', 'fish'])
    expect(await complete('new', 'x', '--type', 'wasm-')).to.deep.equal([
      'wasm-rust',
      'wasm-assemblyscript',
      'wasm-c',
    ])
    expect(await complete('audit', '--plugin', 'da')).to.deep.equal(['data_processor'])
    expect(await complete('new', '')).to.deep.equal([])
    expect(await complete('help', 'inf')).to.deep.equal(['info'])
  })

  it('completes what stands below a command, and the operands of that', async () => {
    expect(await complete('config', 'h')).to.deep.equal(['history', 'help'])
    expect(await complete('config', 'get', 'da')).to.deep.equal(['data_processor'])
    expect(await complete('config', 'nonsense', 'se')).to.deep.equal(['set'])
    expect(await complete('config', 'set', '--d')).to.deep.equal(['--dry-run'])
    expect(await complete('config', '--plugins', '/x', 'rollback', '')).to.deep.equal([
      'data_processor',
      'echo',
    ])
    expect(await complete('config', 'explain', '')).to.deep.equal([])
  })

  it('completes plugins for every command that takes a loaded one, and none for load', async () => {
    const taking = ['health', 'history', 'why', 'generations', 'reload', 'rollback', 'unload', 'reset']
    for (const command of taking) expect(await complete(command, 'ec'), command).to.deep.equal(['echo'])
    expect(await complete('load', '')).to.deep.equal([])
  })

  it('asks for the plugins of the directory that the line names', async () => {
    const asked: PluginPlace[] = []
    const find = (place: PluginPlace) => {
      asked.push(place)
      return Promise.resolve([])
    }
    await completeCommandLine(buildProgram(), ['run', '--plugins', '/x/plugins', ''], find)
    await completeCommandLine(buildProgram(), ['--plugins=/y', '--socket', '/s', 'info', ''], find)
    expect(asked).to.deep.equal([
      { plugins: '/x/plugins', socket: undefined },
      { plugins: '/y', socket: '/s' },
    ])
  })
})

describe('operationNames()', () => {
  it("reads each operation's own name and no name of its schema", () => {
    const manifest = `
[plugin]
name = "Not an operation"
[[operations]]
description = "first"
name = "one"
[operations.input_schema]
name = "no"
[[ operations ]]
name = 'two'
[[tags]]
name = "no"
`
    expect(operationNames(manifest)).to.deep.equal(['one', 'two'])
  })
})
