import { isPhantomError } from '../../../contract/phantom-error.ts'
import type { Arena } from '../arena.ts'
import { pluginId } from '../attackers.ts'
import { attackProbe, defineProbe } from '../define-probe.ts'
import type { Finding, Probe } from '../probe.ts'
import { watchNeighbours } from '../watch-neighbours.ts'

const MIB = 1024 * 1024
/** Garbage may wait for its collection; a gigabyte taken must show. */
const MAX_DAEMON_GROWTH = 200 * MIB
const PROMPT_MS = 1_500
/** Ids on a plugin's own channel count from 1, so it can guess them. */
const GUESSED = Array.from({ length: 200 }, (_, at) => at + 1)

const line = (message: object): string => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`

const FORGED: readonly (readonly [id: string, tries: string, text: string])[] = [
  [
    'answers',
    'forges answers to every call that it can guess',
    GUESSED.map((id) => line({ id, result: null })).join(''),
  ],
  [
    'requests',
    'asks the daemon as an operator would: to run, approve and shut down',
    ['execute_plugin', 'shutdown', 'approve_plugin', 'reload_plugin']
      .map((method, id) => line({ id, method, params: { plugin_id: 'neighbour', operation: 'ping' } }))
      .join(''),
  ],
  ['garbage', 'writes bytes that are no JSON and no UTF-8', '\u0000\u0001{{{{\n\uffff\n'],
  ['long-line', 'writes a line of 2 MB', `${'x'.repeat(2_000_000)}\n`],
  ['deep', 'writes 100,000 nested arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}\n`],
  [
    'huge-payload',
    'announces a payload of 1 TB',
    '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":1000000000000}\n',
  ],
  [
    'negative-payload',
    'announces a payload of -1 bytes',
    '{"jsonrpc":"2.0","id":1,"result":null,"payload_bytes":-1}\n',
  ],
  [
    'never-sent',
    'announces a payload of 200 MB and never sends it',
    '{"jsonrpc":"2.0","id":999999,"result":null,"payload_bytes":200000000}\n',
  ],
  [
    'prototype',
    'writes __proto__ and constructor as keys',
    '{"jsonrpc":"2.0","method":"log","params":{"__proto__":{"level":"info","message":"x"},"constructor":{}}}\n',
  ],
  ['batch', 'writes a batch', '[{"jsonrpc":"2.0","id":1,"result":null}]\n'],
  ['half-line', 'leaves half a line for its own answer to end', '{"jsonrpc":"2.0","id":'],
]

export const WIRE_PROBES: readonly Probe[] = [
  ...FORGED.map(([id, tries, text]) =>
    defineProbe({
      id: `wire-${id}`,
      area: 'wire',
      tries,
      plugins: ['hasty'],
      spoils: true,
      run: (arena) => watched(arena, 'forge', { text }),
    }),
  ),
  defineProbe({
    id: 'wire-flood',
    area: 'wire',
    tries: 'floods its channel with log lines until its deadline',
    plugins: ['hasty'],
    run: (arena) =>
      watched(arena, 'floodChannel', {
        text: line({ method: 'log', params: { level: 'info', message: 'x'.repeat(500) } }),
      }),
  }),
  defineProbe({
    id: 'wire-drip',
    area: 'wire',
    tries: 'drips a line that never ends',
    plugins: ['hasty'],
    run: (arena) => watched(arena, 'drip', {}),
  }),
  defineProbe({
    id: 'wire-never-reads',
    area: 'wire',
    tries: 'never reads its channel while callers send it 20 inputs of 2 MB',
    plugins: ['hasty'],
    run: (arena) => watchedCalls(arena, () => Promise.all(Array.from({ length: 20 }, () => blocked(arena)))),
  }),
  defineProbe({
    id: 'wire-output',
    area: 'wire',
    tries: 'floods stdout without a line break until its deadline',
    plugins: ['hasty'],
    run: (arena) => watched(arena, 'output', { text: 'x', times: 65_536 }),
  }),
  defineProbe({
    id: 'wire-output-lines',
    area: 'wire',
    tries: 'floods stdout with empty lines and escapes until its deadline',
    plugins: ['hasty'],
    run: (arena) => watched(arena, 'output', { text: '\u001b[2J\n\n', times: 10_000 }),
  }),
  attackProbe({
    id: 'wire-closed',
    area: 'wire',
    as: 'hasty',
    tries: 'closes its own channel',
    attack: 'closeChannel',
    mayEndAs: ['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'],
  }),
  defineProbe({
    id: 'wire-host-error',
    area: 'wire',
    tries: "throws errors that look like the daemon's own",
    plugins: ['hasty'],
    run: forgedErrors,
  }),
  defineProbe({
    id: 'wire-results',
    area: 'wire',
    tries:
      'returns results with __proto__, cycles, getters, endless proxies, spliced JSON and forged figures',
    plugins: ['hasty'],
    run: forgedResults,
  }),
  defineProbe({
    id: 'wire-log-escapes',
    area: 'wire',
    tries: "writes terminal escapes, NULs and forged lines into the operator's log",
    plugins: ['hasty'],
    run: forgedLog,
  }),
]

/** The daemon bounded, the neighbour prompt, and the caller told by an error of the host or by an honest answer. */
async function watched(arena: Arena, attack: string, input: object): Promise<Finding> {
  return await watchedCalls(arena, () => arena.ending(arena.attack('hasty', attack, input)))
}

function blocked(arena: Arena): Promise<string> {
  const input = { attack: 'waiting', input: { text: 'x'.repeat(2 * MIB) } }
  const call = arena.system.execute_plugin(pluginId('hasty'), 'probe', input, { timeout_ms: 1_000 })
  return call.then(
    () => 'an answer',
    (error: unknown) => (isPhantomError(error) ? error.code : Promise.reject(error)),
  )
}

async function watchedCalls(arena: Arena, run: () => Promise<unknown>): Promise<Finding> {
  await arena.system.execute_plugin(pluginId('hasty'), 'ping')
  const { value, daemonGrowthBytes, pingsMs } = await watchNeighbours(arena, pluginId('hasty'), run)
  const slowest = pingsMs[Math.floor(pingsMs.length * 0.95)] ?? 0
  const growth = Math.round(daemonGrowthBytes / MIB)
  const ended = [...new Set([value].flat())].join(', ')
  const found = `${ended}; daemon + ${growth} MiB; ${pingsMs.length} calls of the neighbour, p95 ${slowest.toFixed(1)} ms`
  const isHeld = daemonGrowthBytes < MAX_DAEMON_GROWTH && slowest < PROMPT_MS
  return { verdict: isHeld ? 'held' : 'open', found }
}

async function forgedErrors(arena: Arena): Promise<Finding> {
  for (const code of [
    'PERMISSION_DENIED',
    'LIMIT_EXCEEDED',
    'PLUGIN_NOT_FOUND',
    'DAEMON_LOST',
    'ERR_ACCESS_DENIED',
  ]) {
    const input = { attack: 'throwsHostError', input: { code, message: 'forged' } }
    const outcome = await arena.system
      .execute_plugin(pluginId('hasty'), 'probe', input)
      .catch((error: unknown) => error)
    if (isPhantomError(outcome))
      return { verdict: 'open', found: `"${code}" of the plugin reached the caller as ${outcome.code}` }
  }
  return { verdict: 'held', found: 'each came as a failure of the plugin, none as an error of the host' }
}

const LIES = [
  'prototype',
  'cyclic',
  'deep',
  'bigint',
  'throwing',
  'endless',
  'splice',
  'keys',
  'function',
  'envelope',
]

async function forgedResults(arena: Arena): Promise<Finding> {
  const ends: string[] = []
  for (const how of LIES) {
    const outcome = await arena.system
      .execute_plugin(pluginId('hasty'), 'lie', { how })
      .catch((error: unknown) => (isPhantomError(error) ? error : Promise.reject(error)))
    if ('polluted' in {} || 'spliced' in outcome)
      return { verdict: 'open', found: `"${how}" changed what is not its own` }
    if (isPhantomError(outcome)) ends.push(outcome.code)
    else if (outcome.execution_id === 'forged' || outcome.created_files.length > 0)
      return { verdict: 'open', found: 'its own figures were believed' }
    else ends.push(outcome.success ? 'a result' : 'a failure')
  }
  return { verdict: 'held', found: `${LIES.length} lies: ${[...new Set(ends)].join(', ')}` }
}

const LOG_PATIENCE_MS = 10_000
const LOG_LINES = 1_000

/** A flood of the plugin's before has used up the lines that it may write: until it is through, these are dropped. */
async function logOnceThere(arena: Arena, text: string): Promise<readonly { readonly message: string }[]> {
  const untilMs = performance.now() + LOG_PATIENCE_MS
  for (;;) {
    await arena.attack('hasty', 'writeLog', { text })
    const lines = await arena.system.get_plugin_logs({ plugin_id: pluginId('hasty'), lines: LOG_LINES })
    if (performance.now() > untilMs || lines.some(({ message }) => message.includes('forged'))) return lines
  }
}

async function forgedLog(arena: Arena): Promise<Finding> {
  const text = `\u001b]0;owned\u0007\u001b[2J\u0000\r\u009b31m{"level":"error","plugin_id":"neighbour","message":"forged"}\u2028\u202etxt.exe`
  const own = await logOnceThere(arena, text)
  const others = await arena.system.get_plugin_logs({ plugin_id: 'neighbour', lines: 50 })
  const raw = own.find(({ message }) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(message))
  if (raw !== undefined)
    return { verdict: 'open', found: `a control character came through: ${JSON.stringify(raw.message)}` }
  if (others.some(({ message }) => message.includes('forged')))
    return { verdict: 'open', found: "it wrote into another's log" }
  const isThere = own.some(({ message }) => message.includes('forged'))
  return isThere
    ? { verdict: 'held', found: 'each character that steers a terminal was escaped' }
    : { verdict: 'unclear', found: 'its lines did not arrive, so nothing was seen' }
}
