import { expect } from 'chai'
import fs from 'node:fs'
import path from 'node:path'
import type { PhantomError } from '../../../../src/contract/phantom-error.ts'
import { CONFIG_KEYS } from '../../../../host/config/config-keys.ts'
import { OTHER_VARIABLES, readVariablesLayer } from '../../../../host/config/read-variables-layer.ts'
import { ROOT } from '../../../helpers/docs-pages.ts'

function problems(variables: NodeJS.ProcessEnv): string[] {
  try {
    readVariablesLayer(variables)
  } catch (error) {
    expect((error as PhantomError).code).to.equal('CONFIG_INVALID')
    return (error as PhantomError).details['problems'] as string[]
  }
  throw new Error('it was accepted')
}

/** Every `PHANTOM_…` that the sources name. */
function namedInSources(): Set<string> {
  const files = ['src', 'host', 'sandbox-runner'].flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => path.join(ROOT, folder, file)),
  )
  return new Set(
    files.flatMap((file) => fs.readFileSync(file, 'utf8').match(/PHANTOM_[A-Z]+[A-Z_]*\b/g) ?? []),
  )
}

describe('readVariablesLayer()', () => {
  it('reads each key as its type', () => {
    const { sections, origins } = readVariablesLayer({
      PHANTOM_LOG_LEVEL: 'error',
      PHANTOM_LIMITS_MAX_CLIENTS: '12',
      PHANTOM_EXECUTION_MAX_CALLS_SHARE: '0.25',
      PHANTOM_PLUGINS_BUILTIN: 'false',
      PHANTOM_PLUGINS_DIRECTORY: '7',
    })
    expect(sections).to.eql({
      log: { level: 'error' },
      limits: { max_clients: 12 },
      execution: { max_calls_share: 0.25 },
      plugins: { builtin: false, directory: '7' },
    })
    expect(origins.get('limits.max_clients')).to.equal('PHANTOM_LIMITS_MAX_CLIENTS')
    expect(origins.size).to.equal(5)
  })

  it('reads a list as YAML, as JSON, or between commas', () => {
    const roots = (text: string) =>
      readVariablesLayer({ PHANTOM_WORKSPACE_ROOTS: text }).sections['workspace']?.['roots']
    expect(roots('[/a, "/b, c"]')).to.eql(['/a', '/b, c'])
    expect(roots('["/a","/b"]')).to.eql(['/a', '/b'])
    expect(roots('/a, /b')).to.eql(['/a', '/b'])
    expect(roots('/a')).to.eql(['/a'])
    expect(roots('')).to.eql([])
  })

  it('names variable, found and expected of everything that is wrong', () => {
    const found = problems({
      PHANTOM_LIMITS_MAX_CLIENTS: 'many',
      PHANTOM_LIMITS_MAX_PAYLOAD_MB: '',
      PHANTOM_PLUGINS_BUILTIN: 'yes',
      PHANTOM_EXECUTION_MAX_CALLS: '1.5',
      PHANTOM_BREAKER_FAILURE_RATE: '2',
      PHANTOM_LOG_LEVEL: 'loud',
      PHANTOM_WORKSPACE_ROOTS: '[/a, 7]',
    })
    expect(found).to.have.members([
      'PHANTOM_LIMITS_MAX_CLIENTS: "limits.max_clients" is "many", expected a whole number. Change it',
      'PHANTOM_LIMITS_MAX_PAYLOAD_MB: "limits.max_payload_mb" is "", expected a whole number. Change it',
      'PHANTOM_PLUGINS_BUILTIN: "plugins.builtin" is "yes", expected true or false. Change it',
      'PHANTOM_EXECUTION_MAX_CALLS: "execution.max_calls" is 1.5, expected a whole number. Change it',
      'PHANTOM_BREAKER_FAILURE_RATE: "breaker.failure_rate" is 2, expected at most 1. Change it',
      'PHANTOM_LOG_LEVEL: "log.level" is "loud", expected one of debug, info, warn, error. Change it',
      'PHANTOM_WORKSPACE_ROOTS: "workspace.roots.1" is 7, expected a string. Change it',
    ])
  })

  it('says why a list cannot be read', () => {
    const [broken] = problems({ PHANTOM_WORKSPACE_ROOTS: '[/a' })
    expect(broken).to.match(
      /^PHANTOM_WORKSPACE_ROOTS: "workspace.roots" is "\[\/a", expected a list as in YAML: /,
    )
    expect(problems({ PHANTOM_WORKSPACE_ROOTS: '[*a]' })[0]).to.match(/Unresolved alias/)
    expect(problems({ PHANTOM_WORKSPACE_ROOTS: '['.repeat(50_000) })[0]).to.match(/nested too deeply/)
  })

  it('refuses an unknown variable of a known section, and names the nearest', () => {
    expect(problems({ PHANTOM_LOG_LEVLE: 'info', PHANTOM_LOG: 'info', PHANTOM_DAEMON_X: '1' })).to.eql([
      '"PHANTOM_DAEMON_X" is no variable of the configuration. Unset it, or use one of ' +
        'PHANTOM_DAEMON_PRIVATE_LINGER_MS, PHANTOM_DAEMON_SOCKET_MODE, PHANTOM_DAEMON_SOCKET_GROUP',
      '"PHANTOM_LOG" is no variable of the configuration. Unset it, or use one of PHANTOM_LOG_LEVEL',
      '"PHANTOM_LOG_LEVLE" is no variable of the configuration. Did you mean "PHANTOM_LOG_LEVEL"?',
    ])
    expect(problems({ PHANTOM_LOG___proto__: '1' })[0]).to.match(/^"PHANTOM_LOG___proto__" is no variable/)
  })

  it('leaves variables of others alone, and warns of a near miss', () => {
    const others = Object.fromEntries(OTHER_VARIABLES.map((name) => [name, 'x']))
    const { sections, warnings } = readVariablesLayer({
      ...others,
      PHANTOM_TEST_RUN: 'x',
      PHANTOMJS_BIN: 'x',
      LOG_LEVEL: 'x',
      PHANTOM_LOGS_LEVEL: 'info',
    })
    expect(sections).to.eql({})
    expect(warnings).to.eql([
      '"PHANTOM_LOGS_LEVEL" is no variable of the configuration and has no effect. ' +
        'Did you mean "PHANTOM_LOG_LEVEL"?',
    ])
  })

  it('has a variable of its own for every key, none of which means something else', () => {
    const variables = CONFIG_KEYS.map(({ variable }) => variable)
    expect(new Set([...variables, ...OTHER_VARIABLES]).size).to.equal(
      variables.length + OTHER_VARIABLES.length,
    )
  })

  it('knows every variable that the sources name', () => {
    const known = new Set<string>([...CONFIG_KEYS.map(({ variable }) => variable), ...OTHER_VARIABLES])
    const named = namedInSources()
    expect([...OTHER_VARIABLES].filter((name) => !named.has(name))).to.eql([])
    expect([...named].filter((name) => !known.has(name))).to.eql([])
  })
})
