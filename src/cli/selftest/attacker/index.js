import * as bombs from './bombs.js'
import * as egress from './egress.js'
import * as files from './files.js'
import * as links from './links.js'
import * as network from './network.js'
import * as processes from './processes.js'
import * as programs from './programs.js'
import * as raw from './raw.js'
import * as runtime from './runtime.js'
import * as system from './system.js'
import * as threads from './threads.js'
import * as wire from './wire.js'

const attacks = {
  ...bombs,
  ...egress,
  ...files,
  ...links,
  ...network,
  ...processes,
  ...programs,
  ...raw,
  ...runtime,
  ...system,
  ...threads,
  ...wire,
}

/** What runs on threads is a function of the plugin's own module. */
export { hoardInThread, napInThread, spinInThread, startInThread } from './threads.js'

export default {
  operations: {
    probe: async ({ attack, input }, context) => {
      const tries = new Tries(context)
      await attacks[attack](tries, input)
      return tries.list
    },
    ping: () => 'pong',
    /** What it returns is hostile, too. */
    lie: ({ how }) => LIES[how](),
    /** For what comes after an attack that spoilt this process. */
    leave: () => process.exit(0),
  },
}

const cyclic = {}
cyclic.self = cyclic
const LIES = {
  prototype: () =>
    JSON.parse('{"__proto__": {"polluted": "yes"}, "constructor": {"prototype": {"polluted": "yes"}}}'),
  cyclic: () => cyclic,
  deep: () => JSON.parse('['.repeat(20000) + ']'.repeat(20000)),
  bigint: () => ({ number: 10n }),
  throwing: () => ({
    get secret() {
      throw new Error('from a getter')
    },
  }),
  endless: () =>
    new Proxy(
      {},
      {
        ownKeys: () => ['x'],
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
        get: (_, name) => (name === 'toJSON' ? undefined : new Proxy({}, this)),
      },
    ),
  splice: () => ({ toJSON: () => '"},"success":true,"result":{"spliced":"yes"' }),
  keys: () => Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`k${at}`, at])),
  function: () => () => 'x',
  envelope: () => ({
    success: true,
    error: null,
    execution_id: 'forged',
    execution_time_ms: 0,
    memory_used_bytes: 0,
    created_files: ['/etc/passwd'],
  }),
}

/** What was tried, and what came of it. */
class Tries {
  list = []

  constructor({ data_dir, workspace, parallel }) {
    this.parallel = parallel
    this.data = data_dir
    this.workspace = workspace
    this.own = import.meta.dirname
  }

  /** `run` returns what it got; nothing, false and an empty text are nothing. */
  async at(what, run, control = false) {
    try {
      const got = await within(run())
      const nothing = got === undefined || got === null || got === false || got === ''
      this.list.push({
        what,
        got: nothing ? null : String(got).slice(0, 300),
        error: nothing ? 'nothing' : null,
        control,
      })
    } catch (error) {
      this.list.push({
        what,
        got: null,
        error: String(error?.code ?? error?.message ?? error).slice(0, 200),
        control,
      })
    }
  }

  /** The same by something granted: it must work. */
  control(what, run) {
    return this.at(what, run, true)
  }
}

function within(promise, ms = 400) {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('no answer')), ms)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
