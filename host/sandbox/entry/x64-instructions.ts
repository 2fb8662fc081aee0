import { type InstructionSet, KEPT, littleEndian } from './machine-code.ts'

/** Where the kernel looks for arguments: rdi, rsi, rdx, r10, r8; by `mov` of a number, and of r12. */
const ARGUMENT_REGISTERS = [
  { load: [0x48, 0xbf], loadKept: [0x4c, 0x89, 0xe7] },
  { load: [0x48, 0xbe], loadKept: [0x4c, 0x89, 0xe6] },
  { load: [0x48, 0xba], loadKept: [0x4c, 0x89, 0xe2] },
  { load: [0x49, 0xba], loadKept: [0x4d, 0x89, 0xe2] },
  { load: [0x49, 0xb8], loadKept: [0x4d, 0x89, 0xe0] },
] as const
const LOAD_RDI = ARGUMENT_REGISTERS[0].load

/**
 * System V ABI, x86-64: number and result in rax, argc at rsp. A call changes rax, rcx and r11 alone. Kept are a result
 * in r12, and the number of a line in ebx.
 */
export const X64: InstructionSet = {
  elfMachine: 62,
  numbers: {
    prlimit64: 302,
    setgroups: 116,
    setresgid: 119,
    setresuid: 117,
    prctl: 157,
    capset: 126,
    mount: 165,
    read: 0,
    recvfrom: 45,
    openat: 257,
    kill: 62,
    socket: 41,
    connect: 42,
    bind: 49,
    listen: 50,
    sendmsg: 46,
    close: 3,
    clone: 56,
    execve: 59,
    write: 1,
    exit_group: 231,
  },
  call(number, values) {
    const loads = values.flatMap((value, at) => {
      const { load, loadKept } = ARGUMENT_REGISTERS[at]!
      return value === KEPT ? loadKept : [...load, ...littleEndian(value, 8)]
    })
    return [...loads, ...enter(number)]
  },
  // test rax, rax; js / jz
  ifRefused: jump('4885c0 0f88'),
  ifZero: jump('4885c0 0f84'),
  // mov r12, rax
  keepResult: bytesOf('4989c4'),
  storeKept(address) {
    // mov [rdi], r12d
    return [...LOAD_RDI, ...littleEndian(address, 8), ...bytesOf('448927')]
  },
  report(address) {
    // mov r9, rax; neg rax; xor ecx, ecx; test rax, rax; cmovs rax, rcx
    const error = '4989c1 48f7d8 31c9 4885c0 480f48c1'
    // mov ecx, 10; and twice: xor edx, edx; div ecx; add dl, '0'; mov [rdi+at], dl; then add al, '0'; mov [rdi], al; mov rax, r9
    const digits = 'b90a000000 31d2 f7f1 80c230 885702 31d2 f7f1 80c230 885701 0430 8807 4c89c8'
    return [...LOAD_RDI, ...littleEndian(address, 8), ...bytesOf(error), ...bytesOf(digits)]
  },
  // xor ebx, ebx
  clearNumber: bytesOf('31db'),
  takeByte: bytesOf(
    // movzx eax, byte [rsi]; cmp al, ':'; jne 2; xor ebx, ebx
    '0fb606 3c3a 7502 31db' +
      // lea ecx, [rax-'0']; cmp ecx, 9; ja 5; imul ebx, ebx, 10; add ebx, ecx
      '8d48d0 83f909 7705 6bdb0a 01cb',
  ),
  // cmp al, '\n'; jne
  ifLineGoesOn: jump('3c0a 0f85'),
  storePort(address) {
    // mov eax, ebx; xchg al, ah; mov [rdi], ax
    return [...LOAD_RDI, ...littleEndian(address, 8), ...bytesOf('89d8 86e0 668907')]
  },
  executeArguments(number) {
    // mov rdi, [rsp+16]; lea rsi, [rsp+16]; mov rax, [rsp]; lea rdx, [rsp+rax*8+16]
    return [...bytesOf('488b7c2410 488d742410 488b0424 488d54c410'), ...enter(number)]
  },
}

/** mov eax, number; syscall */
function enter(number: number): number[] {
  return [0xb8, ...littleEndian(BigInt(number), 4), 0x0f, 0x05]
}

/** Behind it stand 32 bits, counted from their end. */
function jump(hexadecimal: string): InstructionSet['ifZero'] {
  const start = bytesOf(hexadecimal)
  const bytes = start.length + 4
  return { bytes, to: (distance) => [...start, ...littleEndian(BigInt(distance - bytes), 4)] }
}

function bytesOf(hexadecimal: string): number[] {
  return [...Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex')]
}
