import { expect } from 'chai'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PhantomError } from '../../../../src/contract/phantom-error.ts'
import { CONFIG_KEYS } from '../../../../host/config/config-keys.ts'
import { explainConfig } from '../../../../host/config/explain-config.ts'
import { type HostConfigOptions, loadHostConfig } from '../../../../host/config/host-config.ts'

const packageConfigDirectory = fileURLToPath(new URL('../../../../config', import.meta.url))

describe('loadHostConfig()', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-config-'))
  after(() => fs.rmSync(folder, { recursive: true, force: true }))

  function load(
    files: Record<string, string | Uint8Array> = {},
    environment = 'test',
    more: Pick<HostConfigOptions, 'configFile' | 'variables'> = {},
  ) {
    const configDirectory = fs.mkdtempSync(path.join(folder, 'user-'))
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(configDirectory, name), text)
    const options = { packageConfigDirectory, configDirectory, environment, ...more }
    return { ...loadHostConfig(options), configDirectory }
  }

  function write(text: string): string {
    const file = path.join(fs.mkdtempSync(path.join(folder, 'named-')), 'named.yaml')
    fs.writeFileSync(file, text)
    return file
  }

  function refused(files: Record<string, string | Uint8Array>, environment?: string): PhantomError {
    try {
      load(files, environment)
    } catch (error) {
      expect((error as PhantomError).code).to.equal('CONFIG_INVALID')
      return error as PhantomError
    }
    throw new Error('it was accepted')
  }

  /** `line:column: words` of each problem of a default.yaml with this text. */
  function problems(text: string): string[] {
    const { details } = refused({ 'default.yaml': text })
    return (details['problems'] as string[]).map((problem) => problem.replace(/^.*default\.yaml:/, ''))
  }

  it('gives the defaults of the package', () => {
    const { config, warnings } = loadHostConfig({
      packageConfigDirectory,
      configDirectory: null,
      environment: 'development',
    })
    expect(config).to.eql({
      plugins: { directory: './plugins', builtin: true },
      security: { requiredTier: 'process', secretsFile: '' },
      permissions: { mode: 'enforce' },
      workspace: { roots: [] },
      limits: { maxPayloadMb: 256, maxClients: 256 },
      execution: {
        cancelGraceMs: 500,
        startTimeoutMs: 15_000,
        maxCalls: 20_000,
        maxCallsShare: 0.5,
        maxWorkspaces: 512,
        idleTimeoutMs: 300_000,
        livenessIntervalMs: 15_000,
        livenessTimeoutMs: 10_000,
      },
      restart: {
        backoffInitialMs: 250,
        backoffMaxMs: 30_000,
        resetAfterMs: 60_000,
        hostIntensity: 30,
        hostPeriodMs: 10_000,
      },
      reload: {
        watch: true,
        debounceMs: 100,
        drainTimeoutMs: 30_000,
        probationMs: 30_000,
        probationErrorRate: 0.2,
        keptGenerations: 5,
      },
      breaker: { failureRate: 0.5, minCalls: 10, windowMs: 30_000, openMs: 10_000 },
      history: { retentionDays: 14, maxEntries: 100_000 },
      throttle: { cpuShare: 0.9, windowMs: 2_000, nice: 19, background: [], daemonNice: -10 },
      daemon: { privateLingerMs: 300, socketMode: '0600', socketGroup: '' },
      audit: { maxFileMb: 16, maxFiles: 20 },
      egress: { nameServers: [], resolve: [] },
      log: { level: 'debug' },
    })
    expect(warnings).to.eql([])
  })

  it('requires namespaces and waits to be asked in production', () => {
    const { config } = loadHostConfig({
      packageConfigDirectory,
      configDirectory: null,
      environment: 'production',
    })
    expect(config.security.requiredTier).to.equal('namespace')
    expect(config.reload.watch).to.equal(false)
  })

  it('lets each layer win over the one before', () => {
    const text = (maxClients: number) => `limits: { max_clients: ${maxClients} }`
    const configFile = write(text(4))
    const variables = { PHANTOM_LIMITS_MAX_CLIENTS: '5' }
    const clients = (...[files, more]: [Parameters<typeof load>[0], Parameters<typeof load>[2]?]) =>
      load(files, 'test', more).config.limits.maxClients
    expect(clients({})).to.equal(256)
    expect(load({}, 'test').config.log.level, 'package default under package environment').to.equal('warn')
    expect(load({ 'default.yaml': 'log: { level: error }' }).config.log.level).to.equal('error')
    expect(clients({ 'default.yaml': text(2) })).to.equal(2)
    expect(clients({ 'default.yaml': text(2), 'test.yaml': text(3) })).to.equal(3)
    expect(clients({ 'default.yaml': text(2), 'test.yaml': text(3) }, { configFile })).to.equal(4)
    expect(clients({ 'test.yaml': text(3) }, { configFile, variables })).to.equal(5)
  })

  it('lets later layers win key by key, and says which place has decided', () => {
    const { config, origins, configDirectory } = load({
      'default.yaml': 'limits:\n  max_clients: 7\nlog: { level: error }\nworkspace: { roots: [/a, /b] }\n',
      'test.yaml': 'log:\n  level: warn\nplugins:\n  # all its lines commented out\n',
      'production.yaml': 'log: { level: not read }',
    })
    expect(config.limits).to.eql({ maxPayloadMb: 256, maxClients: 7 })
    expect(config.log.level).to.equal('warn')
    expect(config.plugins.directory).to.equal('./plugins')
    expect(config.workspace.roots).to.eql(['/a', '/b'])
    expect(origins.get('limits.max_clients')).to.equal(`${configDirectory}/default.yaml:2:16`)
    expect(origins.get('log.level')).to.equal(`${configDirectory}/test.yaml:2:10`)
    expect(origins.get('limits.max_payload_mb')).to.equal('package default')
    expect(origins.get('reload.probation_ms')).to.match(/\/config\/test\.yaml:\d+:\d+$/)
    expect([...origins.keys()]).to.have.members(CONFIG_KEYS.map(({ name }) => name))
  })

  it('explains every key: value, origin, whether it acts at once', () => {
    const configFile = write('workspace:\n  roots: [/a]\n')
    const rows = explainConfig(load({}, 'test', { configFile, variables: { PHANTOM_LOG_LEVEL: 'error' } }))
    expect(rows.map(({ key }) => key)).to.eql(CONFIG_KEYS.map(({ name }) => name))
    expect(rows.filter(({ origin }) => origin === '')).to.eql([])
    expect(rows).to.deep.include({
      key: 'workspace.roots',
      value: ['/a'],
      origin: `${configFile}:2:10`,
      reloads: true,
    })
    expect(rows).to.deep.include({
      key: 'log.level',
      value: 'error',
      origin: 'PHANTOM_LOG_LEVEL',
      reloads: true,
    })
    const [tier, payload] = ['security.required_tier', 'limits.max_payload_mb'].map((key) =>
      rows.find((row) => row.key === key),
    )
    expect(tier).to.include({ value: 'process', origin: 'package default', reloads: false })
    expect(payload).to.include({ reloads: false })
  })

  it('refuses a named file that is not there, and what is wrong in one', () => {
    const configFile = path.join(folder, 'none.yaml')
    expect(() => load({}, 'test', { configFile })).to.throw(/Cannot use the configuration file ".*none.yaml"/)
    const wrong = write('log:\n  level: loud\n')
    expect(() => load({}, 'test', { configFile: wrong })).to.throw(`${wrong}:2:10: "log.level" is "loud"`)
  })

  it('refuses a file that is none instead of waiting for it', () => {
    expect(() => load({}, 'test', { configFile: '/dev/zero' })).to.throw(
      'Cannot read "/dev/zero": it is no regular file',
    )
  })

  it('names both places when two keys contradict each other', () => {
    const { message } = refused({ 'default.yaml': 'restart: { backoff_initial_ms: 40000 }' })
    expect(message).to.match(/default\.yaml:1:32: "restart\.backoff_initial_ms" is 40000, expected at most/)
    expect(message).to.contain('"restart.backoff_max_ms", which is 30000 (package default)')
  })

  it("takes an environment of the user's own, and an empty file", () => {
    expect(load({ 'staging.yaml': 'log: { level: error }' }, 'staging').config.log.level).to.equal('error')
    expect(load({ 'default.yaml': '' }).config.log.level).to.equal('warn')
  })

  it('names an unknown environment, the known ones and the nearest', () => {
    expect(refused({}, 'prodction').message).to.contain('Did you mean "production"?')
    expect(refused({}, '../secret').message).to.contain('Use one of development, production, test')
    expect(refused({}, 'default').message).to.contain('"default"')
  })

  it('refuses a named folder that is not there', () => {
    const run = () =>
      loadHostConfig({
        packageConfigDirectory,
        configDirectory: path.join(folder, 'none'),
        environment: 'test',
      })
    expect(run).to.throw(/Cannot use the configuration folder ".*none": there is none/)
  })

  it('names place, found and expected of everything that is wrong', () => {
    const text = [
      'limits:',
      '  max_clients: many',
      '  max_payload_mb: 0',
      'security:',
      '  required_tier: root',
      'log: loud',
      'workspace:',
      '  roots:',
      '    - /fine',
      '    - 7',
    ].join('\n')
    expect(problems(text)).to.have.members([
      '2:16: "limits.max_clients" is "many", expected a whole number. Change it',
      '3:19: "limits.max_payload_mb" is 0, expected at least 1. Change it',
      '5:18: "security.required_tier" is "root", expected one of process, namespace. Change it',
      '6:6: "log" is "loud", expected a map of keys. Change it',
      '10:7: "workspace.roots.1" is 7, expected a string. Change it',
    ])
  })

  it('refuses unknown keys at their place and names the nearest', () => {
    expect(problems('log:\n  levle: info\nnonsense: 1\n')).to.have.members([
      '2:3: "levle" is no key of "log". Did you mean "level"?',
      '3:1: "nonsense" is no key of the configuration. Remove it, or use one of plugins, security, permissions, workspace, ' +
        'limits, execution, restart, reload, breaker, history, egress, throttle, daemon, audit, log',
    ])
  })

  it('is not fooled by __proto__ and constructor', () => {
    expect(problems('__proto__:\n  polluted: true\n')[0]).to.match(/^1:1: "__proto__" is no key/)
    expect(problems('log:\n  __proto__: { level: debug }\n')[0]).to.match(/^2:3: "__proto__" is no key/)
    expect(problems('constructor: 1\n')[0]).to.match(/^1:1: "constructor" is no key/)
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined)
  })

  it('reports YAML faults with their place: syntax, double keys, a second document', () => {
    expect(problems('log:\n  level: [info\n')[0]).to.match(/^\d:\d+: /)
    expect(problems('log: {}\nlog: {}\n')).to.eql(['2:1: "log" stands here twice. Remove one'])
    expect(problems('log:\n  level: info\n  level: warn\n')).to.eql([
      '3:3: "level" stands here twice. Remove one',
    ])
    expect(problems('log: {}\n---\nlog: {}\n')[0]).to.match(/^\d:\d+: /)
    expect(problems('- a\n- b\n')).to.eql(['1:1: The file is a list, expected a map of keys. Change it'])
  })

  it('stops an alias bomb quickly', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]']
    for (let i = 1; i < 20; i += 1) {
      const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)]
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`)
    }
    const before = process.cpuUsage()
    expect(problems(bomb.join('\n'))[0]).to.match(/aliases/)
    expect(process.cpuUsage(before).user / 1e6).to.be.below(1)
  })

  it('answers in linear time to 50,000 keys, and to 50,000 brackets', () => {
    const before = process.cpuUsage()
    expect(problems(Array.from({ length: 50_000 }, (_, i) => `a${i}: 1`).join('\n'))).to.have.length(20)
    expect(problems('['.repeat(50_000))[0]).to.match(/nested too deeply/)
    // The parser's own check for double keys took more than thirty seconds.
    expect(process.cpuUsage(before).user / 1e6).to.be.below(8)
  }).timeout(60_000)

  it('follows ordinary aliases', () => {
    const { config } = load({ 'default.yaml': 'limits: { max_payload_mb: &n 12, max_clients: *n }' })
    expect(config.limits).to.eql({ maxPayloadMb: 12, maxClients: 12 })
  })

  it('refuses a file over 1 MiB, one that is no UTF-8, and a folder in its place', () => {
    expect(refused({ 'default.yaml': `# ${'x'.repeat(1024 * 1024)}` }).message).to.match(/at most 1048576/)
    expect(refused({ 'default.yaml': new Uint8Array([0xff, 0xfe, 0x41]) }).message).to.match(/UTF-8/)
    const configDirectory = fs.mkdtempSync(path.join(folder, 'user-'))
    fs.mkdirSync(path.join(configDirectory, 'default.yaml'))
    const run = () => loadHostConfig({ packageConfigDirectory, configDirectory, environment: 'test' })
    expect(run).to.throw(/Cannot read ".*default.yaml": EISDIR/)
  })

  it('says it when production gives up its isolation', () => {
    const { config, warnings } = load(
      { 'production.yaml': 'security:\n  required_tier: process\n' },
      'production',
    )
    expect(config.security.requiredTier).to.equal('process')
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.match(/production\.yaml:2:18: .*lowered to process/)
  })
})
