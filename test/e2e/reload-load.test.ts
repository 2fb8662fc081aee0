import fs from 'node:fs'
import { expect } from 'chai'
import type { GenerationInfo } from '../../src/contract/generations.ts'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { CountingClient } from '../helpers/counting-client.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { addVersioned, rejectedAfter, save, saveCode, served, versionOf } from '../helpers/reloads.ts'

const RELOADS = 50
const CALLS = 10_000
const IN_FLIGHT = 64

/** What the plugin answers: which input it got, and which save ran. */
interface Echo {
  readonly input: number
  readonly version: string
}

const MANIFEST = manifestText(
  'busy',
  '[runtime]\nconcurrency = 64\n[[operations]]\nname = "run"\n[[operations]]\nname = "runs"\n',
)

/** Each run is written down in one line; of what was refused nothing may ever run. */
function code(version: string, more = ''): string {
  return `
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

let file = ''
export default {
  operations: {
    run: async (input) => {
      appendFileSync(file, input + '\\n')
      await delay(input % 40)
      return { input, version: '${version}' }
    },
    runs: () => readFileSync(file, 'utf8').trim().split('\\n').map(Number),
  },
  initialize({ data_dir }) {
    file = join(data_dir, 'runs.txt')
    ${more}
  },
}
`
}

/** How a save can go wrong, and where that shows. */
const BROKEN: readonly { file: string; text: string; gate: string }[] = [
  { file: 'index.js', text: `${code('broken')} this is not JavaScript (`, gate: 'initialize' },
  { file: 'plugin.toml', text: MANIFEST.slice(0, MANIFEST.indexOf('version') + 12), gate: 'manifest' },
  { file: 'index.js', text: code('broken', "throw new Error('not today')"), gate: 'initialize' },
  { file: 'index.js', text: code('broken').slice(0, -40), gate: 'initialize' },
  { file: 'plugin.toml', text: '', gate: 'manifest' },
]

describe('Reloads under load', function () {
  this.timeout(90_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      config: 'reload: {debounce_ms: 20}\nexecution: {max_calls: 1000}\n',
      files: { 'plugins/busy/plugin.toml': MANIFEST, 'plugins/busy/index.js': code('1') },
    })
  })
  after(() => daemon.stop())

  function write({ file, text }: { file: string; text: string }): void {
    save(daemon.world, `plugins/busy/${file}`, text)
  }

  /** Saves a good version and waits until it serves. */
  async function saveGood(version: string): Promise<GenerationInfo> {
    const before = await served(daemon, 'busy')
    write({ file: 'index.js', text: code(version) })
    await until(
      async () => (await served(daemon, 'busy')).generation !== before.generation,
      `save ${version}`,
    )
    return await served(daemon, 'busy')
  }

  /** Saves a broken one, waits until it is refused, and mends it: that is one save more. */
  async function saveBroken(broken: (typeof BROKEN)[number], version: string): Promise<GenerationInfo> {
    const before = await served(daemon, 'busy')
    write(broken)
    const { failure, generation } = await rejectedAfter(daemon, 'busy', before.generation)
    expect(failure.gate).to.equal(broken.gate)
    expect(generation).to.be.above(before.generation)
    expect((await served(daemon, 'busy')).generation, 'the old one serves').to.equal(before.generation)
    // The folder is whole again only with this one: in one event for the watcher or two, it is one version.
    fs.renameSync(put('index.js.next', code(version)), daemon.world.path('plugins/busy/index.js'))
    if (broken.file === 'plugin.toml') write({ file: 'plugin.toml', text: MANIFEST })
    await until(async () => (await served(daemon, 'busy')).generation > generation, `the mended ${version}`)
    return await served(daemon, 'busy')
  }

  function put(name: string, text: string): string {
    daemon.world.write(name, text)
    return daemon.world.path(name)
  }

  it(`answers each of ${CALLS} calls once, across ${RELOADS} reloads and ${BROKEN.length} broken saves`, async () => {
    const client = await CountingClient.start(
      daemon.socketPath,
      { plugin_id: 'busy', operation: 'run' },
      IN_FLIGHT,
    )
    try {
      await until(() => client.answered > 0, 'the first answer')
      const every = RELOADS / BROKEN.length
      for (let count = 1; count <= RELOADS; count += 1) {
        const version = String(count + 1)
        if (count % every === 0) await saveBroken(BROKEN[count / every - 1]!, version)
        else await saveGood(version)
        expect(client.openCount).to.equal(IN_FLIGHT)
        // So that the calls are spread over all of them.
        await until(
          () => client.answered >= (CALLS / RELOADS) * count * 0.9,
          'its share of the calls',
          30_000,
        )
      }
      await until(() => client.answered >= CALLS, 'all calls', 60_000)
      client.drain()
      await until(() => client.openCount === 0, 'the last answers')
      await check(client)
    } finally {
      client.destroy()
    }
  })

  async function check(client: CountingClient): Promise<void> {
    const calls = client.calls()
    expect(calls.length).to.be.at.least(CALLS)
    const problems = calls.filter(
      ({ input, answers }) =>
        answers.length !== 1 ||
        answers[0]?.result?.success !== true ||
        (answers[0].result.result as Echo).input !== input,
    )
    expect(problems.slice(0, 3)).to.deep.equal([])
    const versions = new Set(calls.map(({ answers }) => (answers[0]!.result!.result as Echo).version))
    expect(versions).to.not.include('broken')
    expect(versions.size, 'versions that answered').to.equal(RELOADS + 1)
    const { result: runs } = await daemon.call<number[]>('busy', 'runs')
    expect(new Set(runs).size, 'none ran twice').to.equal(runs!.length)
    expect(runs).to.have.lengthOf(calls.length)
    const { calls: figures, instances } = await daemon.system.get_status()
    expect(figures).to.deep.include({ in_flight: 0, queued: 0, failed: 0 })
    expect(instances).to.equal(1)
    const incidents = await daemon.system.get_incidents('busy')
    expect(new Set(incidents.map(({ kind }) => kind))).to.deep.equal(new Set(['reload_rejected']))
  }
})

describe('A hundred saves within a second', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      // Wide enough for a machine that is busy with other things between two saves.
      config: 'reload: {debounce_ms: 300}\n',
      prepare: (world) => addVersioned(world, 'burst'),
    })
  })
  after(() => daemon.stop())

  it('are one reload', async () => {
    await versionOf(daemon, 'burst')
    const startMs = performance.now()
    for (let count = 1; count <= 100; count += 1) {
      saveCode(daemon.world, 'burst', `save ${count}`)
      await new Promise((resolve) =>
        setTimeout(resolve, Math.max(0, startMs + count * 10 - performance.now())),
      )
    }
    await until(async () => (await versionOf(daemon, 'burst')).version === 'save 100', 'the last save')
    const generations = await daemon.system.get_generations('burst')
    expect(generations.map(({ generation, state }) => `${generation} ${state}`)).to.deep.equal([
      '2 current',
      '1 superseded',
    ])
  })
})
