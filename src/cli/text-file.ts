/** Files that the command line names, and stdin. */
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { PhantomError } from '../contract/phantom-error.ts'
import { noteLine } from './output.ts'

/** What the text is meant to be, for messages. */
export type TextKind = 'JSON' | 'YAML'

/** @throws PhantomError PARAMS_INVALID, PARSE_ERROR for what is no UTF-8 */
export async function readTextFile(file: string, kind: TextKind): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new PhantomError(
      'PARAMS_INVALID',
      `Cannot read the input file "${file}": ${failure(cause, kind)}`,
      {
        cause,
        details: { file, errno: errnoOf(cause) },
      },
    )
  }
  return decode(bytes, `"${file}"`, kind)
}

/** @throws PhantomError PARSE_ERROR for what is no UTF-8 */
export async function readStdin(kind: TextKind): Promise<string> {
  if (process.stdin.isTTY) noteLine(`Reading ${kind} from the terminal; Ctrl-D ends it`)
  return decode(await buffer(process.stdin), 'stdin', kind)
}

function decode(bytes: Buffer, source: string, kind: TextKind): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    const message = `Cannot read ${source} as ${kind}: it is not UTF-8 text. Save it as UTF-8`
    throw new PhantomError('PARSE_ERROR', message, { cause, details: { source } })
  }
}

function failure(cause: unknown, kind: TextKind): string {
  const errno = errnoOf(cause)
  if (errno === 'ENOENT') return `there is no such file, seen from ${process.cwd()}. Check the path`
  if (errno === 'EISDIR') return `it is a folder. Name a file with ${kind} in it`
  return `${errno ?? 'it cannot be read'}. Check its permissions`
}

function errnoOf(cause: unknown): string | null {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : null
}
