/**
 * What the sources and tests use of https://webassembly.github.io/spec/js-api/ and of JS Promise Integration: the
 * compiler's own declarations come only with those of the DOM.
 */
declare namespace WebAssembly {
  type ImportExportKind = 'function' | 'table' | 'memory' | 'global' | 'tag'

  interface ModuleImportDescriptor {
    module: string
    name: string
    kind: ImportExportKind
  }

  interface ModuleExportDescriptor {
    name: string
    kind: ImportExportKind
  }

  class Module {
    constructor(bytes: Uint8Array)
    static imports(module: Module): ModuleImportDescriptor[]
    static exports(module: Module): ModuleExportDescriptor[]
  }

  type Imports = Record<string, Record<string, unknown>>

  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Record<string, unknown>
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
  class SuspendError extends Error {}

  /** What a module threw by a tag. */
  class Exception {
    is(tag: object): boolean
  }

  /** An import whose promise suspends the module that called it. */
  const Suspending: new (run: (...args: never[]) => unknown) => object

  /** An export that answers with a promise, and may be suspended meanwhile. */
  function promising(exported: unknown): (...args: unknown[]) => Promise<unknown>

  function compile(bytes: Uint8Array): Promise<Module>
  function instantiate(module: Module, imports?: Imports): Promise<Instance>
  function validate(bytes: Uint8Array): boolean
}
