import * as files from './files.js'
import * as links from './links.js'
import * as network from './network.js'
import * as processes from './processes.js'
import * as runtime from './runtime.js'
import * as system from './system.js'

const attacks = { ...files, ...links, ...network, ...processes, ...runtime, ...system }

export default {
  operations: {
    probe: async ({ attack, input }, context) => {
      const tries = new Tries(context)
      await attacks[attack](tries, input)
      return tries.list
    },
    /** For what comes after an attack that spoilt this process. */
    leave: () => process.exit(0),
  },
}

/** What was tried, and what came of it. */
class Tries {
  list = []

  constructor({ data_dir, workspace }) {
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
