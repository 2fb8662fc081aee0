import { attackProbe } from '../define-probe.ts'
import type { Probe } from '../probe.ts'

export const KERNEL_PROBES: readonly Probe[] = [
  attackProbe({
    id: 'kernel-switches',
    area: 'kernel',
    tries: "opens the kernel's switches for writing: core_pattern, modprobe, sysrq, sysctl, uevent",
    attack: 'switches',
    input: () => ({
      paths: [
        '/proc/sys/kernel/core_pattern',
        '/proc/sys/kernel/modprobe',
        '/proc/sys/vm/overcommit_memory',
        '/proc/sysrq-trigger',
        '/proc/irq/default_smp_affinity',
        '/proc/1/oom_score_adj',
        '/sys/kernel/uevent_helper',
        '/sys/power/state',
        '/sys/module',
      ],
    }),
  }),
  attackProbe({
    id: 'kernel-secrets',
    area: 'kernel',
    tries: 'reads kernel memory, logs, symbols, keys and block devices',
    attack: 'contents',
    input: () => ({
      paths: [
        '/dev/mem',
        '/dev/kmem',
        '/dev/kmsg',
        '/proc/kcore',
        '/proc/kmsg',
        '/proc/kallsyms',
        '/dev/sda',
        '/dev/vda',
        '/dev/nvme0n1',
        '/proc/keys',
        '/sys/kernel/debug',
        '/sys/kernel/tracing',
        '/sys/firmware',
      ],
    }),
  }),
  attackProbe({
    id: 'kernel-cgroup',
    area: 'kernel',
    tries: 'leaves its control group: cgroup.procs, release_agent, memory.max',
    attack: 'switches',
    input: () => ({
      paths: [
        '/sys/fs/cgroup/cgroup.procs',
        '/sys/fs/cgroup/release_agent',
        '/sys/fs/cgroup/memory.max',
        '/sys/fs/cgroup/memory/release_agent',
        '/sys/fs/cgroup/memory/tasks',
        '/sys/fs/cgroup/unified/cgroup.procs',
      ],
    }),
  }),
  attackProbe({
    id: 'kernel-terminal',
    area: 'kernel',
    tries: 'opens a terminal to push characters into (TIOCSTI)',
    attack: 'terminals',
  }),
  attackProbe({
    id: 'kernel-descriptors',
    area: 'kernel',
    tries: 'finds files, folders and sockets among the descriptors that it inherited',
    attack: 'descriptors',
  }),
  attackProbe({
    id: 'kernel-environment',
    area: 'kernel',
    tries: "finds the daemon's secrets in its environment or in /proc",
    attack: 'environment',
    input: ({ places }) => ({ secret: places.secret }),
  }),
  attackProbe({
    id: 'kernel-host-facts',
    area: 'kernel',
    tries: "learns the host's name, users, network interfaces and mounted homes",
    attack: 'host',
    process: { open: 'there is no namespace that would hide them' },
  }),
]
