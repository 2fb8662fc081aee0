/**
 * phantom-wasm v1: what a module exports, and what it may import. A signature is its parameters, `>`, its results;
 * `i` is i32, `I` is i64.
 */
export const HOST_MODULE = 'phantom:host/v1'
export const WASI_MODULE = 'wasi_snapshot_preview1'

/** WebAssembly's own, fixed by its specification. */
export const WASM_PAGE_BYTES = 65_536
/** Elements of all tables together, at the start and by `--wasm-max-table-size` of each later. */
export const MAX_TABLE_ELEMENTS = 100_000
/** Read whole, by the daemon too. */
export const MAX_MODULE_BYTES = 64 * 1024 * 1024

export const REQUIRED_FUNCTIONS: Readonly<Record<string, string>> = {
  phantom_abi_version: '>i',
  phantom_alloc: 'i>i',
  phantom_free: 'ii>',
  phantom_handle: 'ii>I',
}

/** Called once, before anything else. */
export const OPTIONAL_FUNCTIONS: Readonly<Record<string, string>> = { _initialize: '>' }

export const HOST_FUNCTIONS: Readonly<Record<string, string>> = { call: 'ii>I' }

/** All of preview 1; what each answers here stands in docs/wasi.md. */
export const WASI_FUNCTIONS: Readonly<Record<string, string>> = {
  args_get: 'ii>i',
  args_sizes_get: 'ii>i',
  environ_get: 'ii>i',
  environ_sizes_get: 'ii>i',
  clock_res_get: 'ii>i',
  clock_time_get: 'iIi>i',
  fd_advise: 'iIIi>i',
  fd_allocate: 'iII>i',
  fd_close: 'i>i',
  fd_datasync: 'i>i',
  fd_fdstat_get: 'ii>i',
  fd_fdstat_set_flags: 'ii>i',
  fd_fdstat_set_rights: 'iII>i',
  fd_filestat_get: 'ii>i',
  fd_filestat_set_size: 'iI>i',
  fd_filestat_set_times: 'iIIi>i',
  fd_pread: 'iiiIi>i',
  fd_prestat_get: 'ii>i',
  fd_prestat_dir_name: 'iii>i',
  fd_pwrite: 'iiiIi>i',
  fd_read: 'iiii>i',
  fd_readdir: 'iiiIi>i',
  fd_renumber: 'ii>i',
  fd_seek: 'iIii>i',
  fd_sync: 'i>i',
  fd_tell: 'ii>i',
  fd_write: 'iiii>i',
  path_create_directory: 'iii>i',
  path_filestat_get: 'iiiii>i',
  path_filestat_set_times: 'iiiiIIi>i',
  path_link: 'iiiiiii>i',
  path_open: 'iiiiiIIii>i',
  path_readlink: 'iiiiii>i',
  path_remove_directory: 'iii>i',
  path_rename: 'iiiiii>i',
  path_symlink: 'iiiii>i',
  path_unlink_file: 'iii>i',
  poll_oneoff: 'iiii>i',
  proc_exit: 'i>',
  proc_raise: 'i>i',
  sched_yield: '>i',
  random_get: 'ii>i',
  sock_accept: 'iii>i',
  sock_recv: 'iiiiii>i',
  sock_send: 'iiiii>i',
  sock_shutdown: 'ii>i',
}
