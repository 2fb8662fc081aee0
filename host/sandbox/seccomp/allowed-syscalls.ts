import type { SyscallName } from './syscall-numbers.ts'

/**
 * What every runner may call whatever the arguments: what Node 26 and an ordinary native program use. The
 * way there (limits, uid, capabilities) is behind when the filter is loaded; only execve(2) comes after. Calls that need their
 * arguments looked at stand in `argument-rules.ts`. What stands in neither does not work.
 */
export const ALLOWED_SYSCALLS: readonly SyscallName[] = words(`
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek sendfile copy_file_range
  close close_range dup dup2 dup3 pipe pipe2
  stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat
  getdents getdents64 getcwd chdir fchdir umask
  rmdir unlink unlinkat rename renameat renameat2 link linkat
  truncate ftruncate fallocate fsync fdatasync flock fadvise64 readahead
  utime utimes utimensat futimesat chown fchown lchown fchownat
  getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr

  poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
  eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch

  mprotect munmap mremap brk msync membarrier pkey_alloc pkey_free pkey_mprotect

  futex set_robust_list get_robust_list set_tid_address rseq exit exit_group restart_syscall arch_prctl
  execve wait4 waitid
  getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups
  sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler
  sched_get_priority_max sched_get_priority_min getpriority setpriority getcpu
  rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause

  clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times alarm getitimer setitimer
  uname sysinfo getrusage getrlimit getrandom

  capget

  accept accept4 bind listen getsockname getpeername shutdown getsockopt
  sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg
`)

/**
 * Beside them for plugins that may start programs. Links are made by such: others would plant them in a folder that they
 * may write, for whoever follows them there.
 */
export const ALLOWED_WITH_PROCESS: readonly SyscallName[] = words(`
  fork vfork setpgid setsid symlink symlinkat
  timer_create timer_settime timer_gettime timer_getoverrun timer_delete
`)

/**
 * Beside them for plugins with a network. Without one there is nobody to connect to but unix sockets in granted
 * folders, and what answers there (a container daemon, a key agent) was not granted with the folder.
 */
export const ALLOWED_WITH_NETWORK: readonly SyscallName[] = ['connect']

/**
 * Answered as unknown rather than as forbidden: libraries then use an older call, whose arguments can be looked at.
 * `clone3` and `openat2` hide theirs in memory, where no filter sees them.
 */
export const UNKNOWN_SYSCALLS: readonly SyscallName[] = ['clone3', 'openat2']

function words(text: string): SyscallName[] {
  return text.trim().split(/\s+/) as SyscallName[]
}
