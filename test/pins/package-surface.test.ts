import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import * as library from '../../src/index.ts'
import * as sdk from '../../src/plugin/index.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const TOP_LEVEL = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'bench',
  'config',
  'docs',
  'host',
  'package-lock.json',
  'package.json',
  'plugins',
  'sandbox-runner',
  'src',
  'test',
  'tsconfig.json',
]
/** Protected in TypeScript, and no promise. */
const INTERNAL_METHODS = [
  'attach',
  'constructor',
  'follow',
  'isAttached',
  'request',
  'requestWidest',
  'session',
]
/** Made by npm and the build, ignored by git. */
const MADE = ['dist', 'node_modules', 'coverage']

interface Manifest {
  readonly name: string
  readonly license: string
  readonly type: string
  readonly engines: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, unknown>>
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

describe('the package', () => {
  const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest

  it('exports these paths and no other', () => {
    expect(manifest.exports).to.deep.equal({
      '.': { types: './dist/types/src/index.d.ts', default: './dist/src/index.js' },
      './plugin': { types: './dist/types/src/plugin/index.d.ts', default: './dist/src/plugin/index.js' },
      './package.json': './package.json',
    })
  })

  it('is the module that the specification imports, under MIT, for Node 20 and newer', () => {
    const { name, license, type, engines } = manifest
    expect({ name, license, type, engines }).to.deep.equal({
      name: '@phantom-ml/core',
      license: 'MIT',
      type: 'module',
      engines: { node: '>=20' },
    })
  })

  it('puts phantom on the PATH, and nothing named node', () => {
    expect(manifest.bin).to.deep.equal({ phantom: 'dist/src/cli/launcher.js' })
  })

  it('brings nothing along and runs nothing when it is installed', () => {
    expect(manifest).to.not.have.any.keys('dependencies', 'peerDependencies', 'optionalDependencies')
    expect(manifest.scripts).to.not.have.any.keys('preinstall', 'install', 'postinstall', 'prepare')
  })

  it('ships what is built, the configuration, the built-in plugins, the SDKs of guests and the templates of phantom new', () => {
    expect(manifest.files).to.deep.equal([
      'dist',
      'config',
      'plugins/*/plugin.toml',
      'plugins/*/README.md',
      'plugins/*/schemas/**',
      'plugins/*/dist/**',
      'src/cli/scaffold/templates/**',
      'sandbox-runner/wasm/sdk/**',
      'sandbox-runner/rust/Cargo.toml',
      'sandbox-runner/rust/LICENSE',
      'sandbox-runner/rust/README.md',
      'sandbox-runner/rust/src/**',
      '!**/*.map',
      'CHANGELOG.md',
    ])
  })

  it('pins every tool to one version, and lets two of them run an install script', () => {
    const loose = Object.entries(manifest.devDependencies).filter(
      ([, version]) => !/^\d+\.\d+\.\d+/.test(version),
    )
    expect(loose).to.deep.equal([])
    expect(manifest.allowScripts).to.deep.equal({ esbuild: true, node: true })
  })

  it('has these scripts', () => {
    expect(Object.keys(manifest.scripts).toSorted()).to.deep.equal([
      'bench',
      'build',
      'check',
      'demo',
      'format',
      'phantom',
      'prepack',
      'setup',
      'test',
      'test:unit',
    ])
  })

  it('keeps its top level', () => {
    const entries = fs.readdirSync(ROOT).filter((name) => !name.startsWith('.') && !MADE.includes(name))
    expect(entries.filter((name) => !TOP_LEVEL.includes(name))).to.deep.equal([])
  })
})

describe("import '@phantom-ml/core'", () => {
  it('gives these values', () => {
    expect(Object.keys(library).toSorted()).to.deep.equal([
      'ERROR_CODES',
      'PhantomError',
      'PluginSystemApi',
      'connect',
      'create_plugin_system',
      'create_sample_plugin_config',
      'isPhantomError',
    ])
  })
})

describe('PluginSystemApi', () => {
  it('has these methods and no other', () => {
    const methods = new Set<string>()
    let at: object = library.PluginSystemApi.prototype
    for (; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
      for (const name of Object.getOwnPropertyNames(at)) methods.add(name)
    }
    for (const name of INTERNAL_METHODS) methods.delete(name)
    expect([...methods].toSorted()).to.deep.equal([
      'approve_plugin',
      'cancel',
      'execute_plugin',
      'explain_config',
      'get_audit_log',
      'get_doctor_report',
      'get_execution_history',
      'get_generations',
      'get_incidents',
      'get_learned_permissions',
      'get_metrics',
      'get_permissions',
      'get_plugin_config',
      'get_plugin_config_history',
      'get_plugin_health',
      'get_plugin_info',
      'get_plugin_logs',
      'get_status',
      'initialize',
      'list_plugins',
      'load_plugin',
      'reload_config',
      'reload_plugin',
      'reset_plugin',
      'revoke_plugin',
      'rollback_plugin',
      'rollback_plugin_config',
      'send_plugin_message',
      'set_plugin_limits',
      'shutdown',
      'unload_plugin',
      'update_plugin_config',
      'validate_plugin',
      'validate_plugin_config',
      'verify_audit_log',
      'verify_plugin',
    ])
  })
})

describe("import '@phantom-ml/core/plugin'", () => {
  it('gives these values', () => {
    expect(Object.keys(sdk)).to.deep.equal(['definePlugin'])
  })
})
