import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { refusalOf } from '../../host/sandbox/policy.ts'
import {
  INSTANCE_EVENTS,
  nextInstanceState,
  type InstanceEvent,
} from '../../host/supervisor/instance-state.ts'
import { nextPluginState, PLUGIN_EVENTS, type PluginEvent } from '../../host/supervisor/plugin-state.ts'
import { exitCodeOf } from '../../src/cli/exit-code.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { PLUGIN_KINDS } from '../../src/cli/scaffold/plugin-kinds.ts'
import { ERROR_CODES, type ErrorCode } from '../../src/contract/error-codes.ts'
import { DENIAL_KINDS } from '../../src/contract/denial.ts'
import { CLI_EXIT_CODES, DAEMON_EXIT_CODES, RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import { GATES } from '../../src/contract/generations.ts'
import type { InstanceState, PluginState } from '../../src/contract/life.ts'
import { MANIFEST_KEYS } from '../../src/contract/manifest/manifest-keys.ts'
import { parsePermission } from '../../src/contract/permission.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { drawnBlock, drawStates, movesOf, writeDrawnBlock, type StateTable } from '../helpers/docs-diagram.ts'
import { linkProblems } from '../helpers/docs-links.ts'
import { columnsOf, pageFiles, ROOT, samplesOf, tableOf, wordOf } from '../helpers/docs-pages.ts'
import { expectWords } from '../helpers/docs-words.ts'
import { interfaceMembers, unionWords } from '../helpers/type-words.ts'

const WRITES_DIAGRAMS = process.env['WRITE_DIAGRAMS'] === '1'

/** The tables of exit codes: number, then name. */
function expectExitCodes(table: string, codes: Readonly<Record<string, number>>): void {
  const documented = columnsOf('docs/errors.md', table).map(([exit, name]) => [wordOf(name), Number(exit)])
  expect(documented).to.have.deep.members(Object.entries(codes))
}

describe('docs/errors.md', () => {
  it('has every error code with its number, whether it is retryable, and its exit code', () => {
    const documented = columnsOf('docs/errors.md', 'error-codes').map(
      ([code, number, retryable, , , exit]) => [
        wordOf(code),
        Number(number),
        retryable === 'yes',
        Number(exit),
      ],
    )
    const wanted = Object.entries(ERROR_CODES).map(([code, { rpc, retryable }]) => {
      return [code, rpc, retryable, exitCodeOf(new PhantomError(code as ErrorCode, ''))]
    })
    expect(documented).to.have.deep.members(wanted)
  })

  it('says of each error code when it comes and what to do', () => {
    const silent = columnsOf('docs/errors.md', 'error-codes').filter(
      ([, , , when, remedy]) => !when || !remedy,
    )
    expect(silent).to.deep.equal([])
  })

  it('has every exit code of phantom, the daemon and a plugin process', () => {
    expectExitCodes('cli-exit-codes', CLI_EXIT_CODES)
    expectExitCodes('daemon-exit-codes', DAEMON_EXIT_CODES)
    expectExitCodes('runner-exit-codes', RUNNER_EXIT_CODES)
  })
})

describe('docs/architecture.md', () => {
  const page = 'docs/architecture.md'

  const life = 'src/contract/life.ts'
  const tables: Readonly<Record<string, StateTable>> = {
    'plugin-states': {
      states: unionWords(life, 'PluginState'),
      events: PLUGIN_EVENTS,
      next: (state, event) => nextPluginState(state as PluginState, event as PluginEvent),
    },
    'instance-states': {
      states: unionWords(life, 'InstanceState'),
      events: INSTANCE_EVENTS,
      next: (state, event) => nextInstanceState(state as InstanceState, event as InstanceEvent),
    },
  }

  it('has every move of both state tables', () => {
    for (const [name, table] of Object.entries(tables)) {
      const moves = movesOf(table).map(({ from, event, to }) => `${from}: ${event} → ${to}`)
      expect(documentedMoves(page, name), name).to.have.members(moves)
    }
  })

  it('draws both state tables as they are (WRITE_DIAGRAMS=1 npx mocha test/pins/docs.test.ts writes them)', () => {
    for (const [name, table] of Object.entries(tables)) {
      const drawn = drawStates(table)
      if (WRITES_DIAGRAMS) writeDrawnBlock(page, name, drawn)
      expect(drawnBlock(page, name), name).to.equal(drawn)
    }
  })

  it('has every state and every exit class', () => {
    expectWords(page, 'plugin-states', unionWords(life, 'PluginState'))
    expectWords(page, 'instance-states', unionWords(life, 'InstanceState'))
    expectWords(page, 'exit-classes', unionWords(life, 'ExitClass'))
  })

  it('names an owner for every folder of the daemon and the sources', () => {
    const documented = columnsOf(page, 'folders').map((cells) => wordOf(cells[0]))
    for (const parent of ['src', 'host']) {
      const folders = fs.readdirSync(path.join(ROOT, parent), { withFileTypes: true })
      const names = folders.filter((entry) => entry.isDirectory()).map(({ name }) => `${parent}/${name}`)
      expect(documented).to.include.members(names)
    }
    expect(documented.filter((folder) => !fs.existsSync(path.join(ROOT, folder)))).to.deep.equal([])
  })
})

describe('docs/writing-plugins.md', () => {
  const page = 'docs/writing-plugins.md'

  it('has every key of plugin.toml', () => {
    const keys = Object.entries(MANIFEST_KEYS).flatMap(
      ([section, known]: [string, readonly string[] | null]) =>
        known === null ? [`${section}.*`] : known.map((key) => `${section}.${key}`),
    )
    expectWords(page, 'manifest-keys', keys)
  })

  it('has every type of phantom new, and shows its files as they are', () => {
    expectWords(page, 'plugin-kinds', Object.keys(PLUGIN_KINDS))
    const shown = samplesOf(page).filter(({ kind }) => kind === 'template')
    expect(shown).to.not.be.empty
    for (const { name, text } of shown) {
      const template = fs.readFileSync(path.join(ROOT, 'src/cli/scaffold/templates', name), 'utf8')
      expect(template, name).to.include(text)
    }
  })

  it('has every key of definePlugin and of the context', () => {
    expectWords(
      page,
      'PluginDefinition',
      interfaceMembers('src/plugin/plugin-definition.ts', 'PluginDefinition'),
    )
    const context = 'src/plugin/plugin-context.ts'
    const contexts = ['PluginContext', 'InitializeContext', 'ExecutionContext']
    const members = contexts.flatMap((name) => interfaceMembers(context, name))
    expectWords(page, 'context', new Set(members))
  })
})

describe('docs/permissions.md', () => {
  it('has every kind of denial', () => {
    const kinds = columnsOf('docs/permissions.md', 'denial-kinds').map(([kind]) => wordOf(kind))
    expect(kinds).to.have.members(['fs_read', 'fs_write', 'network', 'env', 'process', 'runtime'])
    expect(kinds).to.have.members([...DENIAL_KINDS])
  })

  it('has every kind of permission with an example that is read, and says which are granted', () => {
    const rows = columnsOf('docs/permissions.md', 'permissions')
    expect(rows.map(([kind]) => wordOf(kind))).to.have.members([
      'fs_read',
      'fs_write',
      'network',
      'env',
      'process',
    ])
    for (const [kind, example, today] of rows) {
      const permission = parsePermission(wordOf(example))
      if ('error' in permission) throw new Error(permission.error)
      expect(permission.kind).to.equal(wordOf(kind))
      expect(today?.startsWith('granted to nobody'), kind).to.equal(refusalOf(permission) !== null)
    }
  })
})

describe('docs/operations.md and README.md', () => {
  const page = 'docs/operations.md'
  const commands = buildProgram().commands.filter((command) => command.name() !== '__complete')

  it('have every status of health, gate, state of a generation and kind of incident', () => {
    const health = 'src/contract/health.ts'
    expectWords(page, 'health-status', unionWords(health, 'HealthStatus'))
    expect(columnsOf(page, 'gates').map(([gate]) => wordOf(gate))).to.deep.equal(GATES)
    const generations = 'src/contract/generations.ts'
    expectWords(page, 'generation-states', unionWords(generations, 'GenerationState'))
    expectWords(page, 'incident-kinds', unionWords(generations, 'IncidentKind'))
  })

  it('have every command and every option of phantom', () => {
    expectWords(
      'README.md',
      'cli-commands',
      commands.map((command) => command.name()),
    )
    const all = allCommands(commands)
    const nested = all.map(({ name }) => name).filter((name) => name.includes(' '))
    expectWords(page, 'cli-nested', nested)
    const options = [{ name: 'all', command: buildProgram() }, ...all].flatMap(({ name, command }) =>
      command.options.map((option) => `${name} ${optionWords(option.flags)}`),
    )
    const documented = columnsOf(page, 'cli-options').map(
      ([command, option]) => `${wordOf(command)} ${wordOf(option)}`,
    )
    expect(documented).to.have.members(options)
  })
})

describe('docs/decisions.md', () => {
  it('has every package that package.json names, at its version', () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
      dependencies?: object
      devDependencies: Record<string, string>
    }
    expect(manifest.dependencies ?? {}).to.deep.equal({})
    const documented = columnsOf('docs/decisions.md', 'dependencies').map(([name, version]) => [
      wordOf(name),
      version,
    ])
    expect(documented).to.have.deep.members(Object.entries(manifest.devDependencies))
  })

  it('counts its decisions, and has none of more than ten lines', () => {
    const text = fs.readFileSync(path.join(ROOT, 'docs/decisions.md'), 'utf8')
    const decisions = text.split(/^## /m).filter((part) => /^\d+\./.test(part))
    expect(decisions.map((decision) => Number.parseInt(decision, 10))).to.deep.equal(
      decisions.map((_, at) => at + 1),
    )
    for (const decision of decisions) {
      const [title = '', ...lines] = decision.trim().split('\n')
      expect(lines.filter((line) => line !== '').length, title).to.be.at.most(10)
    }
  })
})

describe('the links of README.md and docs/', () => {
  it('lead to files and headings that are there', () => {
    expect(pageFiles()).to.include.members(['README.md', 'docs/protocol.md'])
    expect(pageFiles().flatMap((page) => linkProblems(page))).to.deep.equal([])
  })

  it('would be found broken', () => {
    expect(() => tableOf('README.md', 'no-such-table')).to.throw('no-such-table')
    expect(linkProblems('README.md', 'see [x](docs/none.md) and [y](docs/errors.md#none)')).to.have.length(2)
  })
})

type Command = ReturnType<typeof buildProgram>

/** Commands and those below them, `config get` after `config`. */
function allCommands(commands: readonly Command[], above = ''): { name: string; command: Command }[] {
  return commands.flatMap((command) => {
    const name = `${above}${command.name()}`
    return [{ name, command }, ...allCommands(command.commands, `${name} `)]
  })
}

/** `--lines <count>` of `-n, --lines <count>`. */
function optionWords(flags: string): string {
  return flags.replace(/^-\w, /, '')
}

function documentedMoves(page: string, table: string): string[] {
  return columnsOf(page, table).flatMap(([state, , moves = '']) =>
    [...moves.matchAll(/`(\w+)` → `(\w+)`/g)].map(
      ([, event, next]) => `${wordOf(state)}: ${event} → ${next}`,
    ),
  )
}
