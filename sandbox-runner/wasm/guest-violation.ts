/** The plugin broke phantom-wasm v1, see docs/wasm-abi.md: its call ends as a fault, and its instance with it. */
export class GuestViolation extends Error {
  override readonly name = 'GuestViolation'
}

/** The plugin has no room for what it was to be given: its `phantom_alloc` answered 0. */
export class GuestOutOfMemory extends Error {
  override readonly name = 'GuestOutOfMemory'
}
