import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { skipBecause } from './skip.ts'

/** Skips where no C compiler is installed. */
export function needGcc(this: Mocha.Context): void {
  if (spawnSync('gcc', ['--version']).status !== 0) skipBecause.call(this, 'gcc is not installed')
}

/** Compiles a program, or what `flags` make of it, and gives its path back. */
export function compile(file: string, source: string, flags: readonly string[] = []): string {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  execFileSync('gcc', ['-x', 'c', '-', '-o', file, ...flags], {
    input: source,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  return file
}

/** Whether the compiler can make that, which on many machines it can't: a static program, one of 32 bits. */
export function canCompile(folder: string, flags: readonly string[]): boolean {
  try {
    compile(path.join(folder, 'can-compile'), 'int main(void) { return 0; }', flags)
    return true
  } catch {
    return false
  }
}

/** Where a Python of the system lies; null where none does. One in a home folder is none. */
export function systemPython(): string | null {
  const found = ['/usr/local/bin/python3', '/usr/bin/python3', '/bin/python3'].find((file) =>
    fs.existsSync(file),
  )
  return found ?? null
}

/** Skips where no Python is installed for all users. */
export function needPython(this: Mocha.Context): void {
  if (systemPython() === null) skipBecause.call(this, 'no python3 is installed for all users')
}

/** Skips where no Perl is installed for all users, with the modules that come with it. */
export function needPerl(this: Mocha.Context): void {
  const { status } = spawnSync('/usr/bin/perl', ['-MJSON::PP', '-e', '1'])
  if (status !== 0) skipBecause.call(this, 'no perl with its own modules is installed for all users')
}
