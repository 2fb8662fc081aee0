import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { CONFIG_SCHEMA } from '../../host/config/config-schema.ts'
import { refusalsOf } from '../../host/sandbox/policy.ts'
import { nextInstanceState, type InstanceEvent } from '../../host/supervisor/instance-state.ts'
import { nextPluginState, type PluginEvent } from '../../host/supervisor/plugin-state.ts'
import { exitCodeOf } from '../../src/cli/exit-code.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { ERROR_CODES, type ErrorCode } from '../../src/contract/error-codes.ts'
import { CLI_EXIT_CODES, DAEMON_EXIT_CODES, RUNNER_EXIT_CODES } from '../../src/contract/exit-codes.ts'
import type { InstanceState, PluginState } from '../../src/contract/life.ts'
import * as limits from '../../src/contract/limits.ts'
import { MANIFEST_KEYS } from '../../src/contract/manifest/manifest-keys.ts'
import { parsePermission } from '../../src/contract/permission.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { RUNNER_ERRORS } from '../../src/contract/runner-methods.ts'
import { SYSTEM_PARAMS, type SystemMethod } from '../../src/contract/system-methods.ts'
import { linkProblems } from '../helpers/docs-links.ts'
import { columnsOf, pageFiles, ROOT, tableOf, wordOf } from '../helpers/docs-pages.ts'
import { interfaceMembers, unionWords } from '../helpers/type-words.ts'

/** A table of the docs by its first column, which must name exactly these. */
function expectWords(page: string, table: string, words: Iterable<string>): void {
  const documented = columnsOf(page, table).map((cells) => wordOf(cells[0]))
  expect(documented, `${page}, table ${table}`).to.have.members([...words])
}

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

describe('docs/protocol.md', () => {
  const page = 'docs/protocol.md'
  const systemTypes = 'src/contract/system-methods.ts'

  it('has every method of contract System', () =>
    expectWords(page, 'system-methods', Object.keys(SYSTEM_PARAMS)))

  it('has every param of every method, and which are required', () => {
    for (const method of Object.keys(SYSTEM_PARAMS) as SystemMethod[]) {
      const schema: { properties: object; required?: readonly string[] } = SYSTEM_PARAMS[method]
      if (Object.keys(schema.properties).length === 0) continue
      expectWords(page, `params ${method}`, Object.keys(schema.properties))
      const required = columnsOf(page, `params ${method}`).filter((cells) => cells[2] === 'yes')
      expect(
        required.map((cells) => wordOf(cells[0])),
        method,
      ).to.have.members([...(schema.required ?? [])])
    }
  })

  it('has every field of every answer', () => {
    for (const name of ['HandshakeResult', 'DaemonStatus', 'PluginValidation', 'DoctorReport']) {
      expectWords(page, name, interfaceMembers(systemTypes, name))
    }
    for (const name of ['PluginSummary', 'PluginInfo']) {
      expectWords(page, name, interfaceMembers('src/contract/plugin-info.ts', name))
    }
    for (const name of ['PluginExecutionResult', 'PluginLogLine']) {
      expectWords(page, name, interfaceMembers('src/contract/execution.ts', name))
    }
  })

  it('has every ceiling with its value', () => {
    const documented = columnsOf(page, 'limits').map(([name, value]) => [wordOf(name), Number(value)])
    expect(documented).to.have.deep.members(Object.entries(limits))
  })
})

describe('docs/runner-protocol.md', () => {
  const page = 'docs/runner-protocol.md'
  const types = 'src/contract/runner-methods.ts'

  it('has every method, notification and error of contract Runner', () => {
    expectWords(page, 'runner-methods', interfaceMembers(types, 'RunnerParams'))
    expectWords(page, 'runner-notifications', interfaceMembers(types, 'RunnerNotifications'))
    const errors = columnsOf(page, 'runner-errors').map(([name, code]) => [wordOf(name), Number(code)])
    expect(errors).to.have.deep.members(Object.entries(RUNNER_ERRORS))
  })

  it('has every param of initialize and execute', () => {
    for (const method of ['initialize', 'execute']) expectWords(page, method, interfaceMembers(types, method))
  })
})

describe('docs/architecture.md', () => {
  const page = 'docs/architecture.md'

  it('has every move of both state tables', () => {
    const plugin = movesOf('host/supervisor/plugin-state.ts', 'PluginState', 'PluginEvent', (state, event) =>
      nextPluginState(state as PluginState, event as PluginEvent),
    )
    const instance = movesOf(
      'host/supervisor/instance-state.ts',
      'InstanceState',
      'InstanceEvent',
      (state, event) => nextInstanceState(state as InstanceState, event as InstanceEvent),
    )
    expect(documentedMoves(page, 'plugin-states')).to.have.members(plugin)
    expect(documentedMoves(page, 'instance-states')).to.have.members(instance)
  })

  it('has every state and every exit class', () => {
    const life = 'src/contract/life.ts'
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

  it('has every key of definePlugin and of the context', () => {
    expectWords(
      page,
      'PluginDefinition',
      interfaceMembers('src/plugin/plugin-definition.ts', 'PluginDefinition'),
    )
    const context = 'src/plugin/plugin-context.ts'
    const members = ['PluginContext', 'ExecutionContext'].flatMap((name) => interfaceMembers(context, name))
    expectWords(page, 'context', new Set(members))
  })
})

describe('docs/permissions.md', () => {
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
      expect(today?.startsWith('granted to nobody'), kind).to.equal(refusalsOf([permission]).length > 0)
    }
  })
})

describe('docs/operations.md and README.md', () => {
  const page = 'docs/operations.md'
  const commands = buildProgram().commands.filter((command) => command.name() !== '__complete')

  it('have every key of the configuration with its default', () => {
    const defaults = parse(fs.readFileSync(path.join(ROOT, 'config/default.yaml'), 'utf8')) as Tree
    const keys = Object.entries(CONFIG_SCHEMA.properties).flatMap(([section, { properties }]) =>
      Object.keys(properties).map((key) => [`${section}.${key}`, defaults[section]?.[key]] as const),
    )
    const documented = columnsOf(page, 'config-keys').map(([key, value]) => [
      wordOf(key),
      parse(wordOf(value)) as unknown,
    ])
    expect(documented).to.have.deep.members(keys)
  })

  it('have every command and every option of phantom', () => {
    expectWords(
      'README.md',
      'cli-commands',
      commands.map((command) => command.name()),
    )
    const options = [buildProgram(), ...commands].flatMap((command, at) =>
      command.options.map((option) => `${at === 0 ? 'all' : command.name()} ${optionWords(option.flags)}`),
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

  it('has no decision of more than ten lines', () => {
    const text = fs.readFileSync(path.join(ROOT, 'docs/decisions.md'), 'utf8')
    const decisions = text.split(/^## /m).filter((part) => /^\d+\./.test(part))
    expect(decisions).to.not.be.empty
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

type Tree = Record<string, Record<string, unknown> | undefined>

/** `--lines <count>` of `-n, --lines <count>`. */
function optionWords(flags: string): string {
  return flags.replace(/^-\w, /, '')
}

function movesOf(
  file: string,
  states: string,
  events: string,
  next: (state: string, event: string) => string,
): string[] {
  const eventWords = unionWords(file, events)
  expect(eventWords).to.not.be.empty
  return unionWords('src/contract/life.ts', states).flatMap((state) =>
    eventWords.flatMap((event) => {
      try {
        return [`${state}: ${event} → ${next(state, event)}`]
      } catch (error) {
        if (error instanceof RangeError) return []
        throw error
      }
    }),
  )
}

function documentedMoves(page: string, table: string): string[] {
  return columnsOf(page, table).flatMap(([state, , moves = '']) =>
    [...moves.matchAll(/`(\w+)` → `(\w+)`/g)].map(
      ([, event, next]) => `${wordOf(state)}: ${event} → ${next}`,
    ),
  )
}
