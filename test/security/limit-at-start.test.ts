import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'

const LIMITS = '[resource_limits]\nmax_memory_mb = 64\nmax_open_files = 48\n'

/** A plugin of these statements at its top level, or in its `initialize`. */
function javascript(id: string, { load = '', initialize = '' }): Record<string, string> {
  return {
    [`plugins/${id}/plugin.toml`]: manifestText(id, LIMITS),
    [`plugins/${id}/index.js`]:
      `import fs from 'node:fs'\nconst kept = []\n${load}\n` +
      `export default { initialize() { ${initialize} }, operations: { fine: () => 'fine' } }\n`,
  }
}

const BUFFERS = 'for (;;) kept.push(Buffer.alloc(1048576, 1))'
const OBJECTS = 'for (;;) kept.push(new Array(100000).fill(Math.random()))'
const FILES = 'for (;;) kept.push(fs.openSync(new URL(import.meta.url)))'
/** Grows and writes, then traps. */
const PAGES = `(loop $more
  (local.set $a (memory.grow (i32.const 1)))
  (if (i32.ne (local.get $a) (i32.const -1))
    (then (memory.fill (i32.shl (local.get $a) (i32.const 16)) (i32.const 1) (i32.const 65536)) (br $more))))
  unreachable`

for (const environment of [{}, { PHANTOM_BWRAP: '' }]) {
  describe(`A plugin that meets a limit while it starts, ${'PHANTOM_BWRAP' in environment ? 'without' : 'with'} bubblewrap`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({
        plugins: ['echoes'],
        files: {
          ...javascript('loads_buffers', { load: BUFFERS }),
          ...javascript('initializes_buffers', { initialize: BUFFERS }),
          ...javascript('loads_objects', { load: OBJECTS }),
          ...javascript('initializes_objects', { initialize: OBJECTS }),
          ...javascript('initializes_files', { initialize: FILES }),
          ...wasmPlugin('initializes_pages', { onInitialize: PAGES }, LIMITS),
        },
        environment,
      })
    })
    after(() => daemon.stop())

    for (const id of [
      'loads_buffers',
      'initializes_buffers',
      'loads_objects',
      'initializes_objects',
      'initializes_pages',
    ])
      it(`(${id}) says that it was max_memory_mb, and its neighbour answers`, async () => {
        const { code, message, details } = await daemon.refusal(id, 'echo')
        expect(code, message).to.equal('PLUGIN_START_FAILED')
        expect(details).to.deep.include({ plugin_id: id, limit: 'max_memory_mb', declared: 64 })
        expect(details['measured']).to.satisfy((mb: number | null) => mb === null || mb < 90)
        expect(message).to.include('asked for more memory than its limit max_memory_mb = 64 allows')
        expect(message).not.to.include('Native stack trace')
        expect((await daemon.call('echoes', 'echo', 1)).success).to.equal(true)
      })

    it('says that it was max_open_files', async () => {
      const { code, message, details } = await daemon.refusal('initializes_files', 'fine')
      expect(code, message).to.equal('PLUGIN_START_FAILED')
      expect(details).to.include({ limit: 'max_open_files', declared: 48 })
      expect(details['measured']).to.be.within(44, 48)
      expect(message).to.include('EMFILE').and.to.include('its limit max_open_files is 48')
    })
  })
}
