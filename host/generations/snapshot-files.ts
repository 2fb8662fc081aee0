import * as now from 'node:fs'
import * as later from 'node:fs/promises'

type Soon<T> = T | Promise<T>

interface OpenFile {
  readonly fd: number
  readonly isFile: () => Soon<boolean>
  readonly readText: () => Soon<string>
  readonly close: () => Soon<void>
}

/** What copying asks of a file system. */
export interface FileWork {
  readonly list: (folder: string) => Soon<now.Dirent[]>
  readonly stat: (path: string) => Soon<now.BigIntStats>
  readonly exists: (path: string) => Soon<boolean>
  readonly open: (path: string, flags: number) => Soon<OpenFile>
  readonly readLink: (path: string) => Soon<string>
  readonly link: (target: string, path: string) => Soon<void>
  readonly copy: (from: string, to: string) => Soon<void>
  readonly write: (path: string, text: string, mode: number) => Soon<void>
  readonly makeFolder: (path: string, options: now.MakeDirectoryOptions) => Soon<unknown>
  readonly makeDraft: (prefix: string) => Soon<string>
  readonly setMode: (path: string, mode: number) => Soon<void>
  readonly rename: (from: string, to: string) => Soon<void>
  readonly remove: (path: string) => Soon<void>
}

const { COPYFILE_FICLONE } = now.constants

/** For the daemon's own thread, whose loop stays free: four times slower than at once, and so for few files. */
export const LATER: FileWork = {
  list: (folder) => later.readdir(folder, { withFileTypes: true }),
  stat: (path) => later.lstat(path, { bigint: true }),
  exists: (path) =>
    later.access(path).then(
      () => true,
      () => false,
    ),
  open: async (path, flags) => {
    const file = await later.open(path, flags)
    return {
      fd: file.fd,
      isFile: async () => (await file.stat()).isFile(),
      readText: () => file.readFile('utf8'),
      close: () => file.close(),
    }
  },
  readLink: (path) => later.readlink(path),
  link: (target, path) => later.symlink(target, path),
  copy: (from, to) => later.copyFile(from, to, COPYFILE_FICLONE),
  write: (path, text, mode) => later.writeFile(path, text, { mode }),
  makeFolder: (path, options) => later.mkdir(path, options),
  makeDraft: (prefix) => later.mkdtemp(prefix),
  setMode: (path, mode) => later.chmod(path, mode),
  rename: (from, to) => later.rename(from, to),
  remove: (path) => later.rm(path, { recursive: true, force: true }),
}

/** For a thread that has nothing else to do; it leaves the daemon's own work with files its four threads. */
export const AT_ONCE: FileWork = {
  list: (folder) => now.readdirSync(folder, { withFileTypes: true }),
  stat: (path) => now.lstatSync(path, { bigint: true }),
  exists: (path) => now.existsSync(path),
  open: (path, flags) => {
    const fd = now.openSync(path, flags)
    return {
      fd,
      isFile: () => now.fstatSync(fd).isFile(),
      readText: () => now.readFileSync(fd, 'utf8'),
      close: () => now.closeSync(fd),
    }
  },
  readLink: (path) => now.readlinkSync(path),
  link: (target, path) => now.symlinkSync(target, path),
  copy: (from, to) => now.copyFileSync(from, to, COPYFILE_FICLONE),
  write: (path, text, mode) => now.writeFileSync(path, text, { mode }),
  makeFolder: (path, options) => now.mkdirSync(path, options),
  makeDraft: (prefix) => now.mkdtempSync(prefix),
  setMode: (path, mode) => now.chmodSync(path, mode),
  rename: (from, to) => now.renameSync(from, to),
  remove: (path) => now.rmSync(path, { recursive: true, force: true }),
}
