import wabt from 'wabt'
import { WASI_FUNCTIONS, WASI_MODULE } from '../../src/contract/wasm/abi.ts'

const { parseWat } = await wabt()
const FEATURES = {
  bulk_memory: true,
  reference_types: true,
  sign_extension: true,
  mutable_globals: true,
  multi_value: true,
  exceptions: true,
}

/** Compiles WebAssembly's text format (https://webassembly.github.io/spec/core/text/). */
function wat(source: string): Uint8Array {
  const module = parseWat('guest.wat', source, FEATURES)
  try {
    return module.toBinary({}).buffer
  } finally {
    module.destroy()
  }
}

export interface WatGuest {
  /**
   * Instructions of `execute` that leave its answer: `(param $payload i32) (param $length i32)` is the input. With
   * `$result` of such a payload, `$fail` of a text, `$raw` of a whole frame; `$text` puts a literal of `texts` on the
   * stack, as address and length.
   */
  readonly execute?: string
  /** What else it exports or defines; replaces what it has by that name where `without` says so. */
  readonly more?: string
  /** Names of its own functions to leave out, since `more` has others. */
  readonly without?: readonly ('phantom_alloc' | 'phantom_free' | 'phantom_abi_version')[]
  /** Literals that `(call $text_NAME)` gives. */
  readonly texts?: Readonly<Record<string, string>>
  /** Members of the answer to `initialize` beside `protocol_version`. */
  readonly initialize?: string
  /** Runs when it is initialized, with `$at` and `$n` of the request; `$a` and `$b` are its own. */
  readonly onInitialize?: string
  /** What it answers to the other methods, as JSON; else null. */
  readonly answers?: Readonly<Record<string, string>>
  /** Pages: initial and maximum. */
  readonly memory?: string
  /** Imports beside the host's, as WebAssembly writes them. */
  readonly imports?: string
  /** Whether it imports the host's `call`, as `$call`. */
  readonly callsHost?: boolean
  /** Functions of WASI that it imports, each as `$NAME`. */
  readonly wasi?: readonly string[]
}

const DEFAULT_EXECUTE = '(call $result (local.get $payload) (local.get $length))'

/**
 * A plugin of phantom-wasm v1 in a few lines of WebAssembly: it echoes its input, and differs from that by what is
 * given. Its memory is a stack: what is freed goes with all that was given after it.
 */
export function watGuest(options: WatGuest = {}): Uint8Array {
  return wat(watOf(options))
}

function watOf({
  execute = DEFAULT_EXECUTE,
  more = '',
  without = [],
  callsHost = false,
  wasi = [],
  ...rest
}: WatGuest): string {
  const { texts = {}, initialize = '"operations":["echo"],"hooks":[]', memory = '2' } = rest
  const answers = Object.entries(rest.answers ?? {})
  const literals = literalsOf({
    ...texts,
    ...Object.fromEntries(answers.map(([method, json]) => [method, `,"result":${json}}\n`])),
    head: '{"jsonrpc":"2.0","id":',
    started: `,"result":{"protocol_version":"1.0",${initialize}}}\n`,
    none: ',"result":null}\n',
    result: ',"result":null,"payload_bytes":',
    end: '}\n',
    error: ',"error":{"code":-34001,"message":"',
    error_end: '"}}\n',
  })
  const own = OWN_FUNCTIONS.filter(([name]) => !without.includes(name)).map(([, source]) => source)
  return `(module
    ${rest.imports ?? ''}
    ${callsHost ? '(import "phantom:host/v1" "call" (func $call (param i32 i32) (result i64)))' : ''}
    ${wasi.map(importOf).join('\n')}
    (memory (export "memory") ${memory})
    ${literals}
    ${own.join('\n')}
    ${COMMON}
    ${handleOf(
      answers.map(([method]) => method),
      rest.onInitialize ?? '',
    )}
    (func $execute (param $payload i32) (param $length i32) (result i64) (local $a i32) (local $b i32) (local $r i64) ${execute})
    ${more})`
}

function importOf(name: string): string {
  const types = Array.from(WASI_FUNCTIONS[name] ?? '', (letter) => ({ i: 'i32', I: 'i64' })[letter] ?? letter)
  const [parameters, results] = types.join(' ').split('>')
  return `(import "${WASI_MODULE}" "${name}" (func $${name} (param ${parameters}) (result ${results})))`
}

/** From 16 on, each with a function that gives its address and length. */
function literalsOf(texts: Readonly<Record<string, string>>): string {
  let at = 16
  return Object.entries(texts)
    .map(([name, text]) => {
      const bytes = new TextEncoder().encode(text)
      const escaped = Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('')
      const source = `(data (i32.const ${at}) "${escaped}")
        (func $text_${name} (result i32 i32) (i32.const ${at}) (i32.const ${bytes.length}))`
      at += bytes.length
      return source
    })
    .join('\n')
}

const OWN_FUNCTIONS = [
  ['phantom_abi_version', '(func (export "phantom_abi_version") (result i32) (i32.const 1))'],
  [
    'phantom_alloc',
    `(func $alloc (export "phantom_alloc") (param $n i32) (result i32) (local $at i32) (local $pages i32)
      (local.set $at (global.get $top))
      (local.set $pages (i32.add (i32.shr_u (i32.add (local.get $at) (local.get $n)) (i32.const 16)) (i32.const 1)))
      (if (i32.gt_u (local.get $pages) (memory.size))
        (then (if (i32.eq (i32.const -1) (memory.grow (i32.sub (local.get $pages) (memory.size))))
          (then (return (i32.const 0))))))
      (global.set $top (i32.add (local.get $at) (local.get $n)))
      (local.get $at))`,
  ],
  [
    'phantom_free',
    `(func (export "phantom_free") (param $at i32) (param $n i32)
      (if (i32.lt_u (local.get $at) (global.get $top)) (then (global.set $top (local.get $at)))))`,
  ],
] as const

const COMMON = `
  (global $top (mut i32) (i32.const 4096))
  (global $out (mut i32) (i32.const 0))
  (global $out_start (mut i32) (i32.const 0))
  (global $id (mut i32) (i32.const 0))
  (global $id_length (mut i32) (i32.const 0))
  (func $put (param $at i32) (param $n i32)
    (memory.copy (global.get $out) (local.get $at) (local.get $n))
    (global.set $out (i32.add (global.get $out) (local.get $n))))
  (func $put_number (param $number i32)
    (if (i32.ge_u (local.get $number) (i32.const 10))
      (then (call $put_number (i32.div_u (local.get $number) (i32.const 10)))))
    (i32.store8 (global.get $out) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))
  (func $begin (param $room i32)
    (global.set $out_start (call $alloc_out (i32.add (local.get $room) (i32.const 512))))
    (global.set $out (global.get $out_start))
    (call $put (call $text_head))
    (call $put (global.get $id) (global.get $id_length)))
  (func $alloc_out (param $n i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (if (i32.gt_u (i32.add (local.get $at) (local.get $n)) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.shr_u (local.get $n) (i32.const 16)) (i32.const 1))))))
    (global.set $top (i32.add (local.get $at) (local.get $n)))
    (local.get $at))
  (func $packed (result i64)
    (call $raw (global.get $out_start) (i32.sub (global.get $out) (global.get $out_start))))
  (func $raw (param $at i32) (param $n i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $n))))
  (func $result (param $at i32) (param $n i32) (result i64)
    (call $begin (local.get $n))
    (call $put (call $text_result))
    (call $put_number (local.get $n))
    (call $put (call $text_end))
    (call $put (local.get $at) (local.get $n))
    (call $packed))
  (func $fail (param $at i32) (param $n i32) (result i64)
    (call $begin (local.get $n))
    (call $put (call $text_error))
    (call $put (local.get $at) (local.get $n))
    (call $put (call $text_error_end))
    (call $packed))
  (func $say (param $at i32) (param $n i32) (result i64)
    (call $begin (local.get $n))
    (call $put (local.get $at) (local.get $n))
    (call $packed))
`

/** No two methods share their second to fourth letters. */
function handleOf(methods: readonly string[], onInitialize: string): string {
  const others = methods.map((method) => {
    const letters = Buffer.from(method.slice(1, 5).padEnd(4, '"')).readUInt32LE()
    return `(if (i32.eq (i32.load (i32.add (local.get $method) (i32.const 1))) (i32.const ${letters}))
      (then (return (call $say (call $text_${method})))))`
  })
  return `
  (func (export "phantom_handle") (param $at i32) (param $n i32) (result i64) (local $here i32) (local $method i32) (local $a i32) (local $b i32)
    (local.set $here (i32.add (local.get $at) (i32.const 22)))
    (global.set $id (local.get $here))
    (loop $digits
      (if (i32.ne (i32.load8_u (local.get $here)) (i32.const 44))
        (then (local.set $here (i32.add (local.get $here) (i32.const 1))) (br $digits))))
    (global.set $id_length (i32.sub (local.get $here) (global.get $id)))
    (local.set $method (i32.add (local.get $here) (i32.const 11)))
    (if (i32.eq (i32.load8_u (local.get $method)) (i32.const 105))
      (then ${onInitialize} (return (call $say (call $text_started)))))
    ${others.join('\n')}
    (if (i32.eq (i32.load16_u (i32.add (local.get $method) (i32.const 1))) (i32.const 0x6578))
      (then
        (loop $line
          (if (i32.ne (i32.load8_u (local.get $here)) (i32.const 10))
            (then (local.set $here (i32.add (local.get $here) (i32.const 1))) (br $line))))
        (local.set $here (i32.add (local.get $here) (i32.const 1)))
        (return (call $execute (local.get $here)
          (i32.sub (i32.add (local.get $at) (local.get $n)) (local.get $here))))))
    (call $say (call $text_none)))`
}
