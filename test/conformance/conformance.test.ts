import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'
import { TestDaemon, type World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { bareId, CASES, MAX_CPU_TIME_MS, MAX_MEMORY_MB } from './cases.ts'
import { SUBJECTS, type Subject } from './subjects.ts'
import { VerdictTable } from './verdict-table.ts'

/** All but the one that has a schema. */
const OPERATIONS =
  'echo read_file write_file fetch_url read_env sleep spin grow panic log report_progress wait_for_cancel count send noted'.split(
    ' ',
  )

/** One server by two ports, of which a plugin gets one. */
class Servers {
  readonly #servers = [1, 2].map(() =>
    http.createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: 'page' })
      response.end(`hello from ${request.url}`)
    }),
  )

  async listen(): Promise<{ granted: string; other: string }> {
    const [granted = '', other = ''] = await Promise.all(
      this.#servers.map(async (server) => {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      }),
    )
    return { granted, other }
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections()
      server.close()
    }
  }
}

describe('one plugin in every runtime', () => {
  const table = new VerdictTable(
    SUBJECTS.map(({ name }) => name),
    CASES.map(({ name }) => name),
  )
  const servers = new Servers()
  let server: { granted: string; other: string }

  before(async () => {
    server = await servers.listen()
  })
  after(() => {
    servers.close()
    table.print()
  })

  for (const subject of SUBJECTS) {
    describe(`in ${subject.name}`, function () {
      this.timeout(60_000)
      let daemon: TestDaemon

      before(async function () {
        const files = { 'secret.txt': 'not yours', 'data/given.txt': 'given ü', 'out/.keep': '' }
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-conformance-'))
        fs.chmodSync(folder, 0o755)
        try {
          await subject.place(folder, this)
          daemon = await TestDaemon.start({
            files,
            environment: { CONFORMANCE_WORD: 'word', CONFORMANCE_SECRET: 'secret' },
            prepare: (world) => install(world, subject, { folder, host: new URL(server.granted).host }),
          })
        } finally {
          fs.rmSync(folder, { recursive: true, force: true })
        }
        const { tier } = await daemon.system.get_status()
        if (tier === 'process')
          skipBecause.call(this, 'no namespaces here, which native plugins and networks need')
        await daemon.approve(subject.id)
      })
      after(() => daemon?.stop())

      for (const { name, run, expected } of CASES) {
        it(name, async () => {
          const verdict = await run({ daemon, subject, server })
          table.add(subject.name, name, verdict)
          expect(verdict).to.deep.equal(expected)
        })
      }
    })
  }
})

function install(world: World, subject: Subject, from: { folder: string; host: string }): void {
  const permissions = ['fs_read:./data', 'fs_write:./out', 'env:CONFORMANCE_WORD', `network:${from.host}`]
  for (const [id, granted] of [
    [subject.id, permissions],
    [bareId(subject), []],
  ] as const) {
    const plugin = world.path('plugins', id)
    fs.cpSync(from.folder, plugin, { recursive: true })
    fs.writeFileSync(`${plugin}/plugin.toml`, manifestOf({ ...subject, id }, granted))
  }
  fs.symlinkSync(world.path('secret.txt'), world.path('data/link.txt'))
  fs.chmodSync(world.path('out'), 0o777)
}

function manifestOf({ id, type, entryPoint }: Subject, permissions: readonly string[]): string {
  const operations = OPERATIONS.map((name) => `[[operations]]\nname = "${name}"\n`).join('\n')
  return `[plugin]
id = "${id}"
name = "Conformance"
version = "1.0.0"
type = "${type}"
entry_point = "${entryPoint}"

[permissions]
permissions = ${JSON.stringify(permissions)}

[resource_limits]
max_memory_mb = ${MAX_MEMORY_MB}
max_cpu_time_ms = ${MAX_CPU_TIME_MS}

# One case that goes wrong should not make all others go wrong.
[restart]
intensity = 1000

[[operations]]
name = "word_count"
input_schema = { type = "object", required = ["text"], properties = { text = { type = "string" } } }

${operations}
[[messages]]
type = "note"
from = ["${id.replace('_bare', '')}", "ci"]

[configuration]
type = "object"
properties = { depth = { type = "integer", default = 1 } }
`
}
