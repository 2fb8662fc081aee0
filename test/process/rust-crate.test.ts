import { BUILD_TIMEOUT_MS, CONFORMANCE, CRATE, oldestCargo, openCargo, type Cargo } from '../helpers/cargo.ts'
import { skipBecause } from '../helpers/skip.ts'

describe('the crate phantom_ml_core', function () {
  this.timeout(BUILD_TIMEOUT_MS)
  let cargo: Cargo

  before(async function () {
    cargo = await openCargo(this)
  })

  it('passes its own tests, those of its documentation among them', async () => {
    await cargo.run(CRATE, 'test', '--quiet')
  })

  it('builds with the oldest Rust that it promises', async function () {
    const oldest = oldestCargo()
    if (oldest === null)
      return skipBecause.call(this, "Debian's Rust 1.63 is not there: .scripts/rust-toolchain.sh unpacks it")
    await cargo.with(oldest).run(CRATE, 'check', '--quiet')
  })

  it('leaves clippy and the formatter nothing to say', async function () {
    for (const tool of ['clippy', 'fmt']) {
      const isThere = await cargo.run(CRATE, tool, '--version').then(
        () => true,
        () => false,
      )
      if (!isThere) skipBecause.call(this, `cargo ${tool} is not installed`)
    }
    for (const folder of [CRATE, CONFORMANCE]) {
      await cargo.run(folder, 'clippy', '--quiet', '--all-targets', '--', '-D', 'warnings')
      await cargo.run(folder, 'fmt', '--check')
    }
  })
})
