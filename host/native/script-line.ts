import { quoteText } from '../../src/contract/quote-text.ts'
import { ExecutableError } from './executable-error.ts'

/** As the kernel does (BINPRM_BUF_SIZE): what stands behind it is not read. */
export const SCRIPT_LINE_BYTES = 256

/** What the first line of a script asks for. */
export interface ScriptLine {
  /** An absolute path, or a name to be looked up where programs of the system lie. */
  readonly interpreter: { readonly path: string } | { readonly name: string }
  /** At most one, with its blanks, as execve(2) passes it. */
  readonly argument: string | null
}

export function isScript(start: Buffer): boolean {
  return start.length >= 2 && start[0] === 0x23 && start[1] === 0x21
}

/**
 * Reads `#!`: an absolute path with at most one argument, or `/usr/bin/env NAME`.
 *
 * @throws ExecutableError where it says anything else
 */
export function readScriptLine(start: Buffer): ScriptLine {
  const end = start.indexOf(0x0a)
  if (end < 0)
    throw new ExecutableError('its first line is longer than the kernel reads, or has no end', SHORTER)
  const line = start.toString('utf8', 2, end)
  if (line.endsWith('\r')) {
    const remedy = 'Save it with Unix line ends ("\\n")'
    throw new ExecutableError('its first line ends with a carriage return, as on Windows', remedy)
  }
  if (/[\p{Cc}\uFFFD]/u.test(line.replaceAll('\t', ' ')))
    throw new ExecutableError(`its first line is ${quoteText(line)}`, `Write ${SAMPLE}`)
  const [, path = '', rest = ''] = /^[ \t]*(\S*)[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
  if (path === '') throw new ExecutableError('its first line names no interpreter', `Write ${SAMPLE}`)
  if (!path.startsWith('/')) {
    const problem = `its interpreter ${quoteText(path)} is no absolute path`
    throw new ExecutableError(problem, `Write ${SAMPLE}`)
  }
  if (path === '/usr/bin/env' || path === '/bin/env')
    return { interpreter: { name: envName(rest) }, argument: null }
  return { interpreter: { path }, argument: rest === '' ? null : rest }
}

function envName(words: string): string {
  if (/^[A-Za-z0-9][\w.+-]*$/.test(words)) return words
  const found = words === '' ? 'nothing' : quoteText(words)
  throw new ExecutableError(
    `its first line gives env ${found}, expected the name of one program`,
    `Write ${SAMPLE}`,
  )
}

const SAMPLE = '"#!/usr/bin/env python3", or the absolute path of an interpreter'
const SHORTER = `Name its interpreter within ${SCRIPT_LINE_BYTES} bytes`
