import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const LAUNCHER = path.resolve(import.meta.dirname, '../../src/cli/launcher.ts')
const POLL_MS = 50

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Refusal {
  /** In words, and with `--json`. */
  readonly codes: readonly [number, number]
  readonly error: { readonly code: string; readonly message: string; readonly details: object }
  readonly stderr: string
}

/** The real `phantom` in a folder: commands that end, and those that go on until they are stopped. */
export class CommandLine {
  readonly #folder: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #running: RunningCommand[] = []

  constructor(folder: string, environment: Readonly<Record<string, string>> = {}) {
    this.#folder = folder
    this.#environment = { ...process.env, ...environment }
  }

  run(args: readonly string[], options: { stdin?: string; cwd?: string } = {}): Promise<Ended> {
    return new Promise((resolve) => {
      const { stdin = '', cwd = this.#folder } = options
      const where = { cwd, env: this.#environment }
      const child = execFile(process.execPath, [LAUNCHER, ...args], where, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
      child.stdin?.end(stdin)
    })
  }

  /** What it prints with `--json`; it must end with that exit code. */
  async json<Value>(args: readonly string[], expectedCode = 0): Promise<Value> {
    const { code, stdout, stderr } = await this.run([...args, '--json'])
    if (code !== expectedCode) throw new Error(`"phantom ${args.join(' ')}" ended with ${code}: ${stderr}`)
    return JSON.parse(expectedCode === 0 ? stdout : stderr || stdout) as Value
  }

  /** What it prints in words, where it succeeds and has nothing to note. */
  async said(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args)
    if (code === 0 && stderr === '') return stdout
    throw new Error(`"phantom ${args.join(' ')}" ended with ${code}: ${stderr}`)
  }

  /** How it fails, said twice: the same in words and as JSON, and nothing on stdout. */
  async refused(...args: readonly string[]): Promise<Refusal> {
    const [plain, json] = [await this.run(args), await this.run([...args, '--json'])]
    if (plain.stdout + json.stdout !== '') throw new Error(`"phantom ${args.join(' ')}" printed a result`)
    const { error } = JSON.parse(json.stderr) as Pick<Refusal, 'error'>
    // Numbers of generations and ages differ from one to the next.
    const [words, message] = [plain.stderr, error.message].map((text) => text.replaceAll(/\d/g, ''))
    if (!words!.includes(message!.split('\n')[0]!)) throw new Error(`not the same: ${words} and ${message}`)
    return { codes: [plain.code, json.code], error, stderr: plain.stderr }
  }

  start(...args: readonly string[]): RunningCommand {
    const where = { cwd: this.#folder, env: this.#environment }
    const started = new RunningCommand(spawn(process.execPath, [LAUNCHER, ...args], where))
    this.#running.push(started)
    return started
  }

  /** The daemon of the folder's `plugins`, in the foreground; it listens. */
  async serve(...args: readonly string[]): Promise<RunningCommand> {
    const daemon = this.start('serve', ...args)
    while ((await this.run(['status'])).code !== 0) {
      if (daemon.child.exitCode !== null) throw new Error(`"phantom serve" ended: ${daemon.text}`)
      await delay(POLL_MS)
    }
    return daemon
  }

  /** Ends what was started. */
  async stop(): Promise<void> {
    for (const { child } of this.#running) child.kill('SIGTERM')
    await Promise.all(this.#running.map(({ exitCode }) => exitCode))
  }
}

export class RunningCommand {
  readonly child: ChildProcess
  readonly exitCode: Promise<number | null>
  text = ''

  constructor(child: ChildProcess) {
    this.child = child
    this.exitCode = once(child, 'close').then(([code]) => code as number | null)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.text += chunk))
    }
  }
}
