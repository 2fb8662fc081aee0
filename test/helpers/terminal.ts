import { spawn, spawnSync } from 'node:child_process'
import path from 'node:path'
import { until } from './daemon.ts'
import { RunningCommand } from './command-line.ts'

const LAUNCHER = path.resolve(import.meta.dirname, '../../src/cli/launcher.ts')

/** util-linux's script(1) gives a command a terminal. */
export function hasTerminals(): boolean {
  return spawnSync('script', ['--version']).status === 0
}

/** `phantom` at a terminal of its own, and a person who answers. */
export class PhantomAtTerminal {
  readonly #running: RunningCommand
  #seen = 0

  constructor(folder: string, args: readonly string[]) {
    const line = [process.execPath, LAUNCHER, ...args].map((word) => `'${word}'`).join(' ')
    const env = { ...process.env, TERM: 'dumb', NO_COLOR: '1' }
    this.#running = new RunningCommand(spawn('script', ['-qefc', line, '/dev/null'], { cwd: folder, env }))
  }

  get text(): string {
    return this.#running.text
  }

  /** Waits for a question that was not there before, and answers it. */
  async answer(question: string, answer: string): Promise<void> {
    await until(() => this.text.indexOf(question, this.#seen) !== -1, `"${question}" in: ${this.text}`)
    this.#seen = this.text.indexOf(question, this.#seen) + question.length
    this.#running.child.stdin?.write(`${answer}\r`)
  }

  async ended(): Promise<number | null> {
    const code = await this.#running.exitCode
    return code
  }
}
