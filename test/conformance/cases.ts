import fs from 'node:fs'
import type { ExecutionProgress, PluginExecutionResult } from '../../src/contract/execution.ts'
import { isPhantomError } from '../../src/contract/phantom-error.ts'
import type { TestDaemon } from '../helpers/daemon.ts'
import { refusalOf, until } from '../helpers/daemon.ts'
import type { Subject } from './subjects.ts'

/** Where a case runs: a daemon that has one implementation of the plugin, and servers that it may ask. */
interface Place {
  readonly daemon: TestDaemon
  readonly subject: Subject
  readonly server: { readonly granted: string; readonly other: string }
}

export interface Case {
  readonly name: string
  /** What came of it; the same for every subject. */
  run(place: Place): Promise<unknown>
  readonly expected: unknown
}

/** The same plugin without any permission. */
export function bareId({ id }: Subject): string {
  return `${id}_bare`
}

/** Above an idle process of its type. */
export const MAX_MEMORY_MB = 48
export const MAX_CPU_TIME_MS = 400
const SHORT_MS = 150
const NOTE = { text: 'ü', list: [1, null] }
const denied = (permission: string): unknown => ({
  code: 'PERMISSION_DENIED',
  missing: [permission],
  sentence: `${permission} is not granted; to allow it add permissions = ["${permission}"]`,
})

export const CASES: readonly Case[] = [
  {
    name: 'echo',
    run: (place) =>
      verdictOf(place, 'echo', { text: 'ü → 𝄞 "\\\u0000', list: [1, -2.5, 1e21, null, true, {}] }),
    expected: { result: { text: 'ü → 𝄞 "\\\u0000', list: [1, -2.5, 1e21, null, true, {}] } },
  },
  {
    name: 'echo of 1 MB',
    run: async (place) => {
      const text = 'a word '.repeat(150_000)
      const { result } = await place.daemon.call<string>(place.subject.id, 'echo', text)
      return result === text
    },
    expected: true,
  },
  {
    name: 'word count',
    run: (place) => verdictOf(place, 'word_count', { text: ' Zwei  Wörter\nund 𝄞 ' }),
    expected: { result: { words: 4, chars: 20 } },
  },
  {
    name: 'input that does not fit its schema',
    run: (place) => verdictOf(place, 'word_count', { text: 7 }),
    expected: {
      code: 'INPUT_INVALID',
      message: 'Cannot run "word_count" of "ID": input.text: must be string; found 7',
    },
  },
  {
    name: 'unknown operation',
    run: (place) => verdictOf(place, 'ecko', null),
    expected: {
      code: 'OPERATION_NOT_FOUND',
      message: 'Cannot run "ecko" of "ID": its plugin.toml declares no such operation. Did you mean "echo"?',
    },
  },
  {
    name: 'reads a granted file',
    run: (place) => verdictOf(place, 'read_file', { path: 'data/given.txt' }),
    expected: { result: { text: 'given ü' } },
  },
  {
    name: 'reads by an absolute path',
    run: (place) => verdictOf(place, 'read_file', { path: place.daemon.world.path('data/given.txt') }),
    expected: { result: { text: 'given ü' } },
  },
  {
    name: 'reads what was not granted',
    run: (place) => verdictOf(place, 'read_file', { path: '/etc/hostname' }),
    expected: denied('fs_read:/etc/hostname'),
  },
  {
    name: 'reads through a link out of its grant',
    // Whether it is not there or not allowed is said in each language's own words.
    run: async (place) => {
      const verdict = await verdictOf(place, 'read_file', { path: 'data/link.txt' })
      return 'result' in (verdict as object) ? verdict : 'refused'
    },
    expected: 'refused',
  },
  {
    name: 'writes a granted file',
    run: async (place) => [
      await verdictOf(place, 'write_file', { path: 'out/made.txt', text: 'made ü' }),
      fs.readFileSync(place.daemon.world.path('out/made.txt'), 'utf8'),
    ],
    expected: [{ result: { bytes: 7 } }, 'made ü'],
  },
  {
    name: 'tells the files that a call made',
    run: async (place) => {
      const input = { path: 'out/another.txt', text: '' }
      const { created_files: made } = await place.daemon.call(place.subject.id, 'write_file', input)
      return made.map((file) => file.replace(place.daemon.world.folder, 'WORLD'))
    },
    expected: ['WORLD/out/another.txt'],
  },
  {
    name: 'writes where it may only read',
    run: (place) => verdictOf(place, 'write_file', { path: 'data/given.txt', text: 'changed' }),
    expected: denied('fs_write:./data/given.txt'),
  },
  {
    name: 'fetches a granted URL',
    run: (place) => verdictOf(place, 'fetch_url', { url: `${place.server.granted}/page` }),
    expected: { result: { status: 200, text: 'hello from /page' } },
  },
  {
    name: 'fetches what has moved',
    run: (place) => verdictOf(place, 'fetch_url', { url: `${place.server.granted}/moved` }),
    expected: { result: { status: 200, text: 'hello from /page' } },
  },
  {
    name: 'fetches from a host that was not granted',
    run: async (place) => {
      const { other } = place.server
      const verdict = JSON.stringify(await verdictOf(place, 'fetch_url', { url: `${other}/page` }))
      return JSON.parse(verdict.replaceAll(new URL(other).host, 'HOST')) as unknown
    },
    // An HTTP client that is told 403 by a proxy takes it for an answer like any other.
    expected: {
      result: {
        status: 403,
        text: 'HOST is not granted; the permission for it is "network:HOST"\n',
      },
    },
  },
  {
    name: 'fetches without any right to the network',
    run: async ({ daemon, subject, server }) => {
      const bare = { daemon, server, subject: { ...subject, id: bareId(subject) } }
      const verdict = JSON.stringify(await verdictOf(bare, 'fetch_url', { url: `${server.other}/page` }))
      return JSON.parse(verdict.replaceAll(new URL(server.other).host, 'HOST')) as unknown
    },
    expected: denied('network:HOST'),
  },
  {
    name: 'reads a granted variable',
    run: (place) => verdictOf(place, 'read_env', { name: 'CONFORMANCE_WORD' }),
    expected: { result: { value: 'word' } },
  },
  {
    name: 'reads a variable that was not granted',
    run: (place) => verdictOf(place, 'read_env', { name: 'CONFORMANCE_SECRET' }),
    expected: { result: { value: null } },
  },
  {
    name: 'sleeps',
    run: (place) => verdictOf(place, 'sleep', { duration_ms: 20 }),
    expected: { result: { slept_ms: 20 } },
  },
  {
    name: 'sleeps past its deadline',
    run: (place) => verdictOf(place, 'sleep', { duration_ms: 60_000 }, { timeout_ms: SHORT_MS }),
    expected: { code: 'CALL_TIMEOUT', message: timeoutOf('sleep') },
  },
  {
    name: 'spins past its deadline',
    run: (place) => verdictOf(place, 'spin', {}, { timeout_ms: SHORT_MS }),
    expected: { code: 'CALL_TIMEOUT', message: timeoutOf('spin') },
  },
  {
    name: 'spins past its processor time',
    run: (place) => verdictOf(place, 'spin', {}),
    expected: { code: 'LIMIT_EXCEEDED', limit: 'max_cpu_time_ms', declared: MAX_CPU_TIME_MS },
  },
  {
    name: 'grows past its memory',
    run: (place) => verdictOf(place, 'grow', {}),
    expected: { code: 'LIMIT_EXCEEDED', limit: 'max_memory_mb', declared: MAX_MEMORY_MB },
  },
  {
    name: 'serves again after that',
    run: (place) => verdictOf(place, 'echo', 'again'),
    expected: { result: 'again' },
  },
  {
    name: 'panics',
    run: (place) => verdictOf(place, 'panic', { message: 'all is lost' }),
    expected: { failed: 'all is lost' },
  },
  {
    name: 'serves again after a panic',
    run: (place) => verdictOf(place, 'echo', 'again'),
    expected: { result: 'again' },
  },
  {
    name: 'logs, and the line belongs to its call',
    run: async (place) => {
      const { logs, warnings } = await place.daemon.call(place.subject.id, 'log', {
        level: 'warn',
        message: 'look ü',
      })
      return { logs, warnings }
    },
    expected: { logs: ['warn: look ü'], warnings: ['look ü'] },
  },
  {
    name: 'logs less than asked for',
    run: async (place) => {
      const input = { level: 'debug', message: 'hardly worth a line' }
      return (await place.daemon.call(place.subject.id, 'log', input)).logs
    },
    expected: [],
  },
  {
    name: 'reports progress, the last one before the answer',
    run: async (place) => {
      const seen: ExecutionProgress[] = []
      const options = { on_progress: (progress: ExecutionProgress) => void seen.push(progress) }
      const { result } = await place.daemon.call(place.subject.id, 'report_progress', { steps: 3 }, options)
      return { result, last: seen.map(({ fraction, message }) => ({ fraction, message })).at(-1) }
    },
    expected: { result: { steps: 3 }, last: { fraction: 1, message: 'step 3 of 3' } },
  },
  {
    name: 'is cancelled, and its process lives on',
    run: async (place) => {
      const { daemon, subject } = place
      await daemon.call(subject.id, 'echo', null)
      const pid = await daemon.pidOf(subject.id)
      const asked = new AbortController()
      const refusal = refusalOf(daemon.call(subject.id, 'wait_for_cancel', {}, { signal: asked.signal }))
      await until(
        async () => (await daemon.info(subject.id)).instances[0]?.calls_in_flight === 1,
        'the call to run',
      )
      asked.abort()
      const { code } = await refusal
      await daemon.call(subject.id, 'echo', null)
      return { code, isSameProcess: (await daemon.pidOf(subject.id)) === pid }
    },
    expected: { code: 'CALL_CANCELLED', isSameProcess: true },
  },
  {
    name: 'sends a message, and takes one',
    run: async (place) => [
      await verdictOf(place, 'send', { recipient: bareId(place.subject), type: 'note', payload: NOTE }),
      await notedBy(place, 1),
    ],
    expected: [{ result: { sent: true } }, { sender: 'ID', origin: 'plugin', payload: NOTE }],
  },
  {
    name: 'sends a message of 1 MB',
    run: async (place) => {
      const text = 'a word '.repeat(150_000)
      await verdictOf(place, 'send', { recipient: bareId(place.subject), type: 'note', payload: { text } })
      const noted = (await notedBy(place, 2)) as { payload: { text: string } }
      return noted.payload.text === text
    },
    expected: true,
  },
  {
    name: 'takes a message of an application',
    run: async (place) => {
      await place.daemon.system.send_plugin_message('ci', bareId(place.subject), 'note', NOTE)
      return await notedBy(place, 3)
    },
    expected: { sender: 'ci', origin: 'application', payload: NOTE },
  },
  {
    name: 'sends what is not taken',
    run: async (place) => {
      const recipient = bareId(place.subject)
      const verdict = JSON.stringify(
        await verdictOf(place, 'send', { recipient, type: 'nte', payload: null }),
      )
      return JSON.parse(verdict.replace(recipient, 'ID')) as unknown
    },
    expected: { failed: 'Cannot send "nte" to "ID": it takes no such message. Did you mean "note"?' },
  },
  {
    name: 'fails at a message, in words of its log',
    run: async (place) => {
      const id = bareId(place.subject)
      const said = 'the message "note" of an application as "ci" failed: '
      await place.daemon.system.send_plugin_message('ci', id, 'note', { text: 'unlucky' })
      let words: string | undefined
      await until(async () => {
        const lines = await place.daemon.system.get_plugin_logs({ plugin_id: id })
        words = lines.map(({ message }) => message).find((message) => message.startsWith(said))
        return words !== undefined
      }, 'that line')
      return words!.slice(said.length)
    },
    expected: 'unlucky is no note',
  },
  {
    name: 'answers health',
    run: async ({ daemon, subject }) => {
      const { instances } = await daemon.info(subject.id)
      const health = instances[0]?.health as { healthy?: unknown; status?: unknown } | null | undefined
      // Both are words that the daemon knows.
      return health?.healthy === true || health?.status === 'healthy'
    },
    expected: true,
  },
  {
    name: 'vetoes a configuration',
    run: async ({ daemon, subject }) => {
      const error = await refusalOf(daemon.system.update_plugin_config(subject.id, { depth: 11 }))
      return { code: error.code, says: error.message.includes('depth must be at most 10') }
    },
    expected: { code: 'CONFIG_INVALID', says: true },
  },
  {
    name: 'hands its state to the next generation',
    run: async (place) => {
      const counts: unknown[] = []
      const count = async (): Promise<void> => void counts.push(await verdictOf(place, 'count', null))
      await count()
      await count()
      await place.daemon.system.reload_plugin(place.subject.id)
      await count()
      return counts
    },
    expected: [{ result: { count: 1 } }, { result: { count: 2 } }, { result: { count: 3 } }],
  },
]

/** What the same plugin without permissions was told last, once it was told so much. */
async function notedBy({ daemon, subject }: Place, count: number): Promise<unknown> {
  let last: unknown
  await until(async () => {
    const { result } = await daemon.call<{ count: number; last: unknown }>(bareId(subject), 'noted')
    last = result!.last
    return result!.count === count
  }, `${count} messages`)
  const { sender, ...rest } = last as { sender: string }
  return { sender: sender.replace(subject.id, 'ID'), ...rest }
}

function timeoutOf(operation: string): string {
  return (
    `Cannot finish "${operation}" of "ID": no answer within the ${SHORT_MS} ms that the call allows. ` +
    'Allow more time or give it less work'
  )
}

type Options = NonNullable<Parameters<TestDaemon['call']>[3]>

/** What a caller meets, without what differs from run to run. */
async function verdictOf(
  { daemon, subject }: Place,
  operation: string,
  input: unknown,
  options: Options = {},
): Promise<unknown> {
  try {
    return ofResult(await daemon.call(subject.id, operation, input, options))
  } catch (error) {
    if (!isPhantomError(error)) throw error
    const { code, details } = error
    const message = error.message.replaceAll(subject.id, 'ID')
    if (code === 'PERMISSION_DENIED')
      return { code, missing: details['missing'], sentence: message.slice(message.indexOf(': ') + 2) }
    if (code === 'LIMIT_EXCEEDED') return { code, limit: details['limit'], declared: details['declared'] }
    return { code, message }
  }
}

function ofResult({ success, result, error }: PluginExecutionResult): unknown {
  return success ? { result } : { failed: error }
}
