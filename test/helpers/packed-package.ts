import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'

const ROOT = path.resolve(import.meta.dirname, '../..')
export const PINNED_NODE = path.join(ROOT, 'node_modules/node/bin/node')
const RUNTIME_MAJOR = 26

/** What an application writes, types and all: the specification's two imports, and a call of a built-in plugin. */
const CONSUMER = `
import { connect, create_plugin_system, PhantomError, PluginSystemApi, type PluginExecutionResult } from '@phantom-ml/core'
import { definePlugin, type PluginDefinition } from '@phantom-ml/core/plugin'

const plugin: PluginDefinition = definePlugin({ operations: { echo: (input: unknown) => input } })
const attach: (socket?: string) => Promise<PluginSystemApi> = connect

// @ts-expect-error: the operation's name must be a string
const wrong = (system: PluginSystemApi) => system.execute_plugin('data_processor', 7)

const system = await create_plugin_system('./plugins', 'development')
try {
  const result: PluginExecutionResult = await system.execute_plugin('data_processor', 'process_pipeline', {
    data: [{ age: 17 }, { age: 30 }],
    pipeline: [{ operation_type: 'Filter', operation_name: 'range', parameters: { field: 'age', min: 18, max: 65 } }],
  })
  const failure = await system.get_plugin_info('nobody').catch((error: unknown) => error)
  console.log(JSON.stringify({
    success: result.success,
    rows: JSON.stringify(result.result).includes('30'),
    code: failure instanceof PhantomError ? failure.code : String(failure),
    operations: Object.keys(plugin.operations),
    types: [typeof attach, typeof wrong, system instanceof PluginSystemApi],
  }))
} finally {
  await system.shutdown()
}
`
export const CONSUMER_OUTPUT = {
  success: true,
  rows: true,
  code: 'PLUGIN_NOT_FOUND',
  operations: ['echo'],
  types: ['function', 'function', true],
}

export const run = promisify(execFile)

export interface Consumer {
  readonly folder: string
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly installOutput: string
}

/** Packs the package, as `npm pack` does for whoever types it: the tarball. */
export async function packPackage(folder: string): Promise<string> {
  // A root daemon's runners have another uid, and where no mounts are allowed they read the package as it lies.
  fs.chmodSync(folder, 0o755)
  // What is built is not what is packed, unless packing builds.
  fs.rmSync(path.join(ROOT, 'dist/src'), { recursive: true, force: true })
  const args = ['pack', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: ROOT })
  const [packed] = JSON.parse(stdout) as [{ filename: string }]
  return path.join(folder, packed.filename)
}

/** An empty project that finds that Node first and none that is newer, without this machine's npm configuration. */
export async function installPackage(tarball: string, consumer: string, node: string): Promise<Consumer> {
  const binaries = path.join(consumer, 'binaries')
  fs.mkdirSync(path.join(consumer, 'plugins'), { recursive: true })
  fs.mkdirSync(binaries)
  fs.symlinkSync(node, path.join(binaries, 'node'))
  fs.writeFileSync(path.join(consumer, 'package.json'), '{ "private": true, "type": "module" }\n')
  const env = {
    PATH: [binaries, ...foldersWithoutRuntime()].join(path.delimiter),
    HOME: consumer,
    TMPDIR: os.tmpdir(),
    ...markerOf(),
  }
  const args = [npmCli(), 'install', tarball, '--offline', '--userconfig', path.join(consumer, '.npmrc')]
  const { stdout, stderr } = await run(node, args, { cwd: consumer, env })
  return { folder: consumer, env, installOutput: stdout + stderr }
}

export async function compile({ folder: consumer }: Consumer): Promise<void> {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [path.join(ROOT, 'node_modules/@types')],
  }
  fs.writeFileSync(
    path.join(consumer, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['consumer.ts'] }),
  )
  fs.writeFileSync(path.join(consumer, 'consumer.ts'), CONSUMER)
  const { stdout } = await run(bin('tsc'), ['-p', consumer], { cwd: consumer }).catch(
    (error: { stdout: string }) => error,
  )
  expect(stdout).to.equal('')
}

export async function runConsumer({ folder, env }: Consumer): Promise<unknown> {
  const { stdout, stderr } = await run(path.join(folder, 'binaries/node'), ['consumer.js'], {
    cwd: folder,
    env,
  })
  expect(stderr).to.equal('')
  return JSON.parse(stdout)
}

/** As a shell would: by its `#!` line, with the PATH of the project. */
export function phantom(
  { folder, env }: Consumer,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  return run(path.join(folder, 'node_modules/.bin/phantom'), args, { cwd: folder, env })
}

export function withRuntime(consumer: Consumer): Consumer {
  return { ...consumer, env: { ...consumer.env, PHANTOM_RUNTIME: PINNED_NODE } }
}

/** So that a daemon left behind by the consumer is found. */
function markerOf(): Record<string, string> {
  return { PHANTOM_TEST_RUN: process.env['PHANTOM_TEST_RUN'] ?? '' }
}

export function bin(name: string): string {
  return path.join(ROOT, 'node_modules/.bin', name)
}

/** npm's own script, so that it runs on the Node that is asked for. */
function npmCli(): string {
  const npm = findOnPath('npm')
  if (npm === undefined)
    throw new Error('Cannot find npm on PATH: the packed package is installed by it. Install npm')
  return fs.realpathSync(npm)
}

function findOnPath(name: string): string | undefined {
  return foldersOnPath()
    .map((folder) => path.join(folder, name))
    .find((file) => fs.existsSync(file))
}

export function findNode(major: number): string | undefined {
  return foldersOnPath()
    .map((folder) => path.join(folder, 'node'))
    .find((file) => majorOf(file) === major)
}

function foldersWithoutRuntime(): string[] {
  return foldersOnPath().filter((folder) => !(majorOf(path.join(folder, 'node')) >= RUNTIME_MAJOR))
}

/** NaN where there is no Node. */
function majorOf(file: string): number {
  if (!fs.existsSync(file)) return Number.NaN
  return Number.parseInt(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout.slice(1), 10)
}

function foldersOnPath(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter)
}
