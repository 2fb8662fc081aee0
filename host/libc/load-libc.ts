/** A type of `node:ffi`; `buffer` passes the address of its bytes. */
type CType = 'i32' | 'u64' | 'buffer' | 'pointer'

export interface Signature {
  readonly arguments: readonly CType[]
  readonly return: CType
}

type CFunction = (...values: readonly (number | bigint | Uint8Array)[]) => number

/**
 * Functions of the C library that this process has loaded anyway, for what Node has no call for.
 *
 * @returns null where they are not to be had: `node:ffi` is experimental and may be gone or forbidden, and another C
 *   library may lack one of them
 */
export function loadLibc<Name extends string>(
  signatures: Readonly<Record<Name, Signature>>,
): Readonly<Record<Name, CFunction>> | null {
  if (process.platform !== 'linux') return null
  try {
    const library = ffi()?.dlopen(null, signatures)
    return (library?.functions as Readonly<Record<Name, CFunction>> | undefined) ?? null
  } catch {
    // Not in this Node, switched off, or no such function.
    return null
  }
}

/** Where the bytes are, for structures that hold addresses. The caller keeps them until the call has returned. */
export function addressOf(bytes: ArrayBuffer): bigint {
  const found = ffi()?.getRawPointer(bytes)
  if (found === undefined) throw new TypeError('addresses are for functions of loadLibc()')
  return found
}

interface FfiModule {
  dlopen(library: null, symbols: object): { functions: object }
  getRawPointer(bytes: ArrayBuffer): bigint
}

let loaded: FfiModule | null | undefined

function ffi(): FfiModule | null {
  if (loaded !== undefined) return loaded
  const emitWarning = process.emitWarning.bind(process)
  // Loading it warns that it is experimental: whoever reads the daemon's stderr can do nothing about that.
  process.emitWarning = () => undefined
  try {
    loaded = (process.getBuiltinModule('node:ffi') as unknown as FfiModule | undefined) ?? null
  } catch {
    loaded = null
  } finally {
    process.emitWarning = emitWarning
  }
  return loaded
}
