import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { issueText } from '../../../src/contract/manifest/issue-list.ts'
import { parseManifest } from '../../../src/contract/manifest/parse-manifest.ts'
import { SILENT_LIMITS } from '../../../src/contract/manifest/silent-limits.ts'
import { HEAD, only, parse } from '../../helpers/parsed-manifest.ts'

const specification = readFileSync(new URL('../../../docs/specification.md', import.meta.url), 'utf8')

const DEFAULT_RUNTIME = {
  concurrency: 1,
  threads: 0,
  eval: false,
  addons: false,
  sqlite: false,
  inspector: false,
  ffi: false,
  logLevel: 'info',
  activation: 'on_call',
  idleTimeoutMs: null,
  standby: 0,
  exclusive: false,
  maxQueuedCalls: 10_000,
}
const DEFAULT_RESTART = { policy: 'transient', intensity: 5, periodMs: 60_000, shutdownMs: 5_000 }

describe('parseManifest()', () => {
  it("parses the specification's sample as it stands", () => {
    const sample = /```toml\n([\s\S]*?)```/.exec(specification)?.[1] ?? ''
    const { manifest, issues, id } = parse(sample)
    expect(manifest).to.deep.equal({
      id: 'my_custom_plugin',
      name: 'My Custom Plugin',
      version: '1.0.0',
      type: 'native',
      author: 'Your Name',
      description: 'A custom plugin for data processing',
      license: null,
      homepage: null,
      entryPoint: 'main',
      dependencies: { serde: '^1.0.0' },
      pluginDependencies: {},
      permissions: [
        { kind: 'fs_read', declared: 'fs_read:./data', path: './data' },
        { kind: 'fs_write', declared: 'fs_write:./output', path: './output' },
      ],
      limits: { ...SILENT_LIMITS, maxMemoryMb: 100, maxExecutionTimeMs: 10_000, maxCpuTimeMs: 30_000 },
      runtime: DEFAULT_RUNTIME,
      restart: DEFAULT_RESTART,
      tags: ['data-processing', 'custom'],
      operations: [],
      messages: [],
      configuration: {
        type: 'object',
        properties: {
          enabled: { type: 'boolean', default: true },
          batch_size: { type: 'number', default: 100 },
        },
        required: ['enabled'],
      },
    })
    expect(id).to.deep.equal({ value: 'my_custom_plugin', line: 2, column: 1 })
    expect(issues).to.deep.equal([])
  })

  it('gives a silent manifest its defaults', () => {
    const { manifest, issues } = parse(HEAD)
    expect(issues).to.deep.equal([])
    expect(manifest?.limits).to.deep.equal({
      maxMemoryMb: 256,
      maxExecutionTimeMs: 30_000,
      maxCallsPerSecond: null,
      maxCpuTimeMs: null,
      maxCpuPercent: null,
      maxOpenFiles: null,
      maxProcesses: null,
      maxFileSizeMb: null,
      maxDiskMb: null,
      maxOutputBytes: null,
      maxNetworkConnections: null,
      maxNetworkBytes: null,
      maxNetworkRequests: null,
    })
    expect(manifest?.runtime).to.deep.equal(DEFAULT_RUNTIME)
    expect(manifest?.restart).to.deep.equal(DEFAULT_RESTART)
    expect(manifest?.permissions).to.deep.equal([])
    expect(manifest).to.include({ description: '', author: null, configuration: null })
  })

  it('reads every section of ours', () => {
    const { manifest, issues } = parse(
      `${HEAD}author = "A"
description = """
Two
lines"""
license = "MIT"
homepage = "https://example.org/x"
[plugin_dependencies]
other = ">= 1.2 <2 || ^3.0.0-rc.1"
third = "1.x - 2.0.0"
fourth = "*"
[resource_limits]
max_calls_per_second = 50
[runtime]
concurrency = 64
threads = 4
eval = true
addons = true
sqlite = true
inspector = true
ffi = true
log_level = "debug"
activation = "eager"
idle_timeout_ms = 0
standby = 1
exclusive = true
max_queued_calls = 32
[restart]
policy = "permanent"
intensity = 0
period_ms = 1000
shutdown_ms = 0
[[tags]]
tags = ["a"]
[[tags]]
tags = ["b", "a"]
[[operations]]
name = "analyze.file-2"
description = "d"
input_schema = { type = "object", properties = { format = { enum = [ "format" ] }, size = { default = { format = 1 } } } }
output_schema = "schemas/out.json"
idempotent = true
timeout_ms = 500
[[operations]]
name = "_"
`,
      { 'schemas/out.json': '{"type":"null","default":null}' },
    )
    expect(issues).to.deep.equal([])
    expect(manifest?.pluginDependencies).to.deep.equal({
      other: '>= 1.2 <2 || ^3.0.0-rc.1',
      third: '1.x - 2.0.0',
      fourth: '*',
    })
    expect(manifest?.limits.maxCallsPerSecond).to.equal(50)
    expect(manifest?.runtime).to.deep.equal({
      concurrency: 64,
      threads: 4,
      eval: true,
      addons: true,
      sqlite: true,
      inspector: true,
      ffi: true,
      logLevel: 'debug',
      activation: 'eager',
      idleTimeoutMs: 0,
      standby: 1,
      exclusive: true,
      maxQueuedCalls: 32,
    })
    expect(manifest?.restart).to.deep.equal({
      policy: 'permanent',
      intensity: 0,
      periodMs: 1000,
      shutdownMs: 0,
    })
    expect(manifest?.tags).to.deep.equal(['a', 'b'])
    expect(manifest?.operations).to.deep.equal([
      {
        name: 'analyze.file-2',
        description: 'd',
        inputSchema: {
          type: 'object',
          properties: { format: { enum: ['format'] }, size: { default: { format: 1 } } },
        },
        outputSchema: { type: 'null', default: null },
        idempotent: true,
        timeoutMs: 500,
      },
      {
        name: '_',
        description: '',
        inputSchema: null,
        outputSchema: null,
        idempotent: false,
        timeoutMs: null,
      },
    ])
  })

  it('takes every limit and warns of none, since all are held', () => {
    const { manifest, issues } = parse(`${HEAD}[resource_limits]
max_network_connections = 0
max_network_bytes = 9007199254740991
max_network_requests = 0
max_open_files = 32
max_processes = 16
max_file_size_mb = 1
max_calls_per_second = 1
[restart]
policy = "transient"
intensity = 3
period_ms = 1000
`)
    expect(manifest?.limits).to.include({
      maxOpenFiles: 32,
      maxProcesses: 16,
      maxFileSizeMb: 1,
      maxNetworkBytes: 9_007_199_254_740_991,
    })
    expect(issues).to.deep.equal([])
  })

  it('refuses threads that are too many, that no process could have, and those of another type', () => {
    const threads = '[runtime]\nthreads = 4\n'
    expect(only(`${HEAD}[runtime]\nthreads = 17\n`)).to.match(/expected an integer between 0 and 16/)
    expect(only(`${HEAD}${threads}[resource_limits]\nmax_processes = 20\n`)).to.equal(
      '8:1 runtime.threads: Cannot use "runtime.threads": 4 threads need max_processes = 21, and the manifest says 20. Raise max_processes in [resource_limits], or take fewer',
    )
    expect(parse(`${HEAD}${threads}[resource_limits]\nmax_processes = 21\n`).issues).to.deep.equal([])
    expect(only(HEAD.replace('javascript', 'native') + threads)).to.match(
      /^8:1 runtime\.threads: .*only a plugin of type "javascript" has threads of the runner's, this one is "native"\. Remove the line/,
    )
  })

  it('reports every mistake of a file, in the order of its lines', () => {
    const { manifest, issues, id } = parse(`[plugin]
id = "sample"
nmae = "Sample"
version = "1.0"
type = "javascript"
entry_point = "main.py"
[runtime]
concurrency = 0
`)
    expect(manifest).to.equal(null)
    expect(id?.value).to.equal('sample')
    expect(issues.map(issueText)).to.deep.equal([
      'plugin.toml:1:2: Cannot use "plugin.name": it is missing. Add name = "My Plugin"',
      'plugin.toml:3:1: Cannot use "plugin.nmae": this key is unknown here. Did you mean "name"?',
      'plugin.toml:4:1: Cannot use "plugin.version": "1.0" is no semantic version. Write for example version = "1.0.0"',
      'plugin.toml:6:1: Cannot use "plugin.entry_point": "main.py" is no JavaScript file, expected one that ends in .js, .mjs, .cjs, .ts or .mts, or type = "native". Write for example entry_point = "index.js"',
      'plugin.toml:8:1: Cannot use "runtime.concurrency": found the integer 0, expected an integer between 1 and 1024. Write a number in that range',
    ])
  })

  it('says what an empty file needs', () => {
    for (const text of ['', ' \n\t\n']) {
      expect(only(text)).to.match(
        /^1:1 : Cannot read "plugin.toml": the file is empty\. Begin it with \[plugin\]/,
      )
    }
  })

  it('says once that the section [plugin] is missing', () => {
    expect(only('# nothing\n')).to.match(
      /^1:1 plugin: Cannot use "plugin": the section is missing\. Add \[plugin\]/,
    )
    expect(only('plugin = 3\n')).to.match(/^1:1 plugin: .*found the integer 3, expected a table/)
    expect(only('[[plugin]]\n')).to.match(
      /^1:3 plugin: .*found an array, expected a table\. Write the header \[plugin\]/,
    )
  })

  it('names line and column of what is not TOML', () => {
    expect(only(`${HEAD}[runtime\nx = 1\n`)).to.match(
      /^7:9 : Cannot read "plugin.toml": it is not TOML, .*Mend it there/,
    )
    expect(only('{"plugin": {}}')).to.match(/^1:1 : .*not TOML/)
    expect(only(`${HEAD}id = "again"\n`)).to.match(/^7:1 : .*redefine/)
    expect(only('\u007fELF\u0001\u0002')).to.match(/^1:1 : .*not TOML/)
  })

  it('names line and column of a NUL byte', () => {
    expect(only(`${HEAD}ab\0c\n`)).to.match(/^7:3 : .*NUL byte\. Save it as UTF-8 text/)
  })

  it('refuses ids that are none', () => {
    for (const id of ['', 'A', '1a', 'a-b', '../a', 'a b', 'ä', `a${'b'.repeat(64)}`, '__proto__']) {
      const { manifest, id: read } = parse(HEAD.replace('"sample"', JSON.stringify(id)))
      expect([manifest, read], id).to.deep.equal([null, null])
    }
  })

  it('refuses entry points that leave the folder, whatever the type', () => {
    for (const type of ['native', 'wasm', 'javascript']) {
      for (const path of [
        '/bin/main.js',
        '../main.js',
        'a/../../main.js',
        'a\\..\\..\\main.js',
        'C:\\main.js',
      ]) {
        const text = HEAD.replace('javascript', type).replace('"src/index.ts"', JSON.stringify(path))
        expect(only(text), path).to.match(
          /^6:1 plugin\.entry_point: .*expected a path inside the plugin folder/,
        )
      }
    }
  })

  it('refuses keys of [runtime] that open parts of Node where there is none', () => {
    for (const key of ['eval', 'addons', 'sqlite', 'inspector', 'ffi']) {
      const text = `${HEAD.replace('javascript', 'native')}[runtime]\n${key} = false\n`
      expect(only(text), key).to.match(
        new RegExp(
          `^8:1 runtime\\.${key}: .*opens a part of Node for JavaScript, and the type is "native"\\. Remove it`,
        ),
      )
    }
  })

  it('refuses what a WebAssembly plugin has no use for, in words', () => {
    const head = HEAD.replace('javascript', 'wasm').replace('src/index.ts', 'plugin.wasm')
    expect(parse(head).issues).to.deep.equal([])
    expect(parse(`${head}[runtime]\nconcurrency = 1\n`).issues).to.deep.equal([])
    for (const [text, words] of [
      [
        head.replace('.wasm', '.wat'),
        /^6:1 plugin\.entry_point: .*"plugin\.wat" is no WebAssembly module, expected one that ends in \.wasm/,
      ],
      [
        `${head}[runtime]\nconcurrency = 2\n`,
        /^8:1 runtime\.concurrency: .*it is 2, and an instance of type "wasm" runs one call at a time\. Remove it/,
      ],
      [
        `${head}[runtime]\neval = true\n`,
        /^8:1 runtime\.eval: .*it opens a part of Node for JavaScript, and the type is "wasm"/,
      ],
      [
        `${head}[permissions]\npermissions = ["process"]\n`,
        /^8:\d+ permissions\.permissions\[0\]: .*"process" lets a plugin start programs, and there is no way to from WebAssembly/,
      ],
    ] as const) {
      expect(only(text)).to.match(words)
    }
  })

  it('asks for the entry point by the type, and only when its spelling is right', () => {
    const asked: string[] = []
    const options = {
      file: 'plugin.toml',
      readSchemaFile: () => ({ error: 'unasked' }),
      checkEntryPoint: (path: string, type: string) => {
        asked.push(`${type} ${path}`)
        return [{ problem: 'it does not exist', remedy: 'Create it' }]
      },
    }
    const { issues } = parseManifest(HEAD, options)
    parseManifest(HEAD.replace('javascript', 'native').replace('src/index.ts', 'main'), options)
    parseManifest(HEAD.replace('javascript', 'wasm').replace('src/index.ts', 'a.wasm'), options)
    parseManifest(HEAD.replace('src/', '../'), options)
    expect(asked).to.deep.equal(['javascript src/index.ts', 'native main', 'wasm a.wasm'])
    expect(issues.map(issueText)).to.deep.equal([
      'plugin.toml:6:1: Cannot use "plugin.entry_point": it does not exist. Create it',
    ])
  })
})
