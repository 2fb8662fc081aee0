import type { Figure, Measurement } from './findings.ts'
import { BOMBS } from './questions.ts'

export interface Goal {
  what: string
  measurement: Measurement
  /** Whose figure it is; ours where it says nothing. */
  subject?: string
  /** What it is divided by; null: the figure itself is judged. */
  floor: string | null
  /** The ratio, or the figure: at most this, or at least this. */
  atMost?: number
  atLeast?: number
  /**
   * Which value decides. The best of the rounds where the work is the same each time; a start is judged by its usual
   * time; what must never happen, by the worst.
   */
  decides: keyof Figure
}

const MIB = 1024 * 1024

const CALL_GOALS: readonly Goal[] = [
  {
    what: '100 B p50 / raw relay',
    measurement: 'latency_100b_p50_us',
    floor: 'raw-relay',
    atMost: 1.35,
    decides: 'best',
  },
  {
    what: '100 B, 64 in flight / JSON relay',
    measurement: 'throughput_100b_per_s',
    floor: 'json-relay',
    atLeast: 0.7,
    decides: 'best',
  },
  {
    what: '100 B, 64 in flight / naive',
    measurement: 'throughput_100b_per_s',
    floor: 'naive',
    atLeast: 5,
    decides: 'best',
  },
  {
    what: '100 B CPU per call / naive',
    measurement: 'cpu_100b_us',
    floor: 'naive',
    atMost: 0.2,
    decides: 'best',
  },
  {
    what: '100 B CPU per call / unsandboxed',
    measurement: 'cpu_100b_us',
    floor: 'unsandboxed',
    atMost: 1.08,
    decides: 'best',
  },
  {
    what: '10 KB p50 / JSON relay',
    measurement: 'latency_10kb_p50_us',
    floor: 'json-relay',
    atMost: 1.15,
    decides: 'best',
  },
  {
    what: '1 MB p50 / JSON relay',
    measurement: 'latency_1mb_p50_us',
    floor: 'json-relay',
    atMost: 1.25,
    decides: 'best',
  },
]

const PROCESS_GOALS: readonly Goal[] = [
  {
    what: 'daemon peak / 64 MB payload',
    measurement: 'daemon_peak_64mb_bytes',
    floor: 'payload',
    atMost: 3,
    decides: 'best',
  },
  {
    what: 'sandboxed start / bare node',
    measurement: 'ready_ms',
    floor: 'bare-node',
    atMost: 1.7,
    decides: 'median',
  },
  {
    what: 'idle private memory / bare node',
    measurement: 'idle_private_bytes',
    floor: 'bare-node',
    atMost: 1.3,
    decides: 'median',
  },
]

const ENGINE_GOALS: readonly Goal[] = [
  {
    what: 'reload by call / cold start',
    measurement: 'reload_call_ms',
    floor: 'cold-start',
    atMost: 1.6,
    decides: 'median',
  },
  {
    what: 'saved file to serving / cold start',
    measurement: 'reload_file_ms',
    floor: 'cold-start',
    atMost: 1.6,
    decides: 'median',
  },
  {
    what: 'calls lost over 55 saves',
    measurement: 'reload_lost_count',
    floor: null,
    atMost: 0,
    decides: 'worst',
  },
  {
    what: 'calls doubled over 55 saves',
    measurement: 'reload_doubled_count',
    floor: null,
    atMost: 0,
    decides: 'worst',
  },
  {
    what: 'take-over to the next call',
    measurement: 'take_over_next_ms',
    floor: null,
    atMost: 5,
    decides: 'median',
  },
  {
    what: 'take-over to a call that waits',
    measurement: 'take_over_waiting_ms',
    floor: null,
    atMost: 5,
    decides: 'median',
  },
  {
    what: '100 idle plugins, of a core',
    measurement: 'idle_all_percent',
    floor: null,
    atMost: 2,
    decides: 'worst',
  },
  {
    what: '100 busy plugins watched, of a core',
    measurement: 'watching_daemon_percent',
    floor: null,
    atMost: 2,
    decides: 'worst',
  },
  {
    what: '5,000 installed, first start',
    measurement: 'installed_first_ready_ms',
    floor: null,
    atMost: 3000,
    decides: 'median',
  },
  {
    what: '5,000 installed, daemon peak',
    measurement: 'installed_peak_bytes',
    floor: null,
    atMost: 200 * MIB,
    decides: 'worst',
  },
  {
    what: 'proxied GET p50 / direct',
    measurement: 'get_http_p50_us',
    floor: 'direct',
    atMost: 8,
    decides: 'best',
  },
  {
    what: 'proxied fetch p50 / direct',
    measurement: 'get_fetch_p50_us',
    floor: 'direct',
    atMost: 8,
    decides: 'best',
  },
  {
    what: 'p99 beside trouble / bare pair',
    measurement: 'beside_trouble_p99_us',
    floor: 'bare-pair',
    atMost: 3,
    decides: 'median',
  },
]

const WASM_GOALS: readonly Goal[] = [
  {
    what: 'WebAssembly, call of 100 B p50',
    measurement: 'wasm_100b_p50_us',
    floor: null,
    atMost: 20,
    decides: 'best',
  },
  {
    what: 'WebAssembly, 100 B p50 / Extism',
    measurement: 'wasm_100b_p50_us',
    floor: 'extism',
    atMost: 0.5,
    decides: 'best',
  },
  {
    what: 'WebAssembly, 64 KiB p50 / Extism',
    measurement: 'wasm_64kb_p50_us',
    floor: 'extism',
    atMost: 0.5,
    decides: 'best',
  },
  {
    what: 'WebAssembly, load',
    measurement: 'wasm_load_ms',
    floor: null,
    atMost: 15,
    decides: 'median',
  },
  {
    what: 'WebAssembly, idle private memory / JavaScript',
    measurement: 'idle_private_bytes',
    subject: 'wasm',
    floor: 'ours',
    atMost: 1.3,
    decides: 'median',
  },
]

const NATIVE_GOALS: readonly Goal[] = [
  {
    what: 'Rust, spawn to first answer / bare program',
    measurement: 'native_ready_ms',
    floor: 'bare-rust',
    atMost: 3,
    decides: 'median',
  },
  {
    what: 'Rust, 100 B p50 / JavaScript',
    measurement: 'native_100b_p50_us',
    floor: 'javascript',
    atMost: 1,
    decides: 'best',
  },
  {
    what: 'Rust, idle private memory',
    measurement: 'native_idle_private_bytes',
    floor: null,
    atMost: 3 * MIB,
    decides: 'median',
  },
]

const BOMB_GOALS: readonly Goal[] = [
  {
    what: 'memory beyond idle and limit',
    measurement: 'bomb_memory_over_bytes',
    floor: null,
    atMost: 16 * MIB,
    decides: 'worst',
  },
  {
    what: 'answer after the wall limit',
    measurement: 'bomb_wall_over_ms',
    floor: null,
    atMost: 250,
    decides: 'worst',
  },
  // One hop against one hop, then two against two: the caller's way leads through the daemon.
  ...BOMBS.map((kind): Goal => ({
    what: `plugin's p99 beside a bomb (${kind}) / bare pair`,
    measurement: `bomb_${kind}_p99_us`,
    subject: 'plugin',
    floor: 'bare-pair',
    atMost: 3,
    decides: 'median',
  })),
  ...BOMBS.map((kind): Goal => ({
    what: `caller's p99 beside a bomb (${kind}) / raw relay`,
    measurement: `bomb_${kind}_p99_us`,
    floor: 'raw-relay',
    atMost: 3,
    decides: 'median',
  })),
]

export const GOALS: readonly Goal[] = [
  ...CALL_GOALS,
  ...PROCESS_GOALS,
  ...ENGINE_GOALS,
  ...WASM_GOALS,
  ...NATIVE_GOALS,
  ...BOMB_GOALS,
]
