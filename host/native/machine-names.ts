/** What native plugins run on here: `e_machine` of elf(5), its name, and how Debian and gcc spell it in folders. */
export interface NativeMachine {
  readonly elfMachine: number
  readonly name: string
  readonly triplet: string
}

const MACHINES: Readonly<Record<string, NativeMachine>> = {
  x64: { elfMachine: 62, name: 'x86-64', triplet: 'x86_64-linux-gnu' },
  arm64: { elfMachine: 183, name: 'aarch64', triplet: 'aarch64-linux-gnu' },
}

/** The machine that this daemon runs on; null for one that no sandbox is made for. */
export function nativeMachine(arch: string = process.arch): NativeMachine | null {
  return MACHINES[arch] ?? null
}

/** <elf.h>, what people build for. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [2, 'sparc'],
  [3, 'i386'],
  [8, 'mips'],
  [20, 'powerpc'],
  [21, 'powerpc64'],
  [22, 's390x'],
  [40, 'arm'],
  [43, 'sparc64'],
  [62, 'x86-64'],
  [183, 'aarch64'],
  [243, 'riscv64'],
  [247, 'bpf'],
  [258, 'loongarch64'],
])

export function machineName(elfMachine: number): string {
  return NAMES.get(elfMachine) ?? `machine ${elfMachine} of elf.h`
}
