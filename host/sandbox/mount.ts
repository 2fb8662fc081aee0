/** A host's file or folder at its own or another place. */
interface Bind {
  readonly kind: 'read' | 'write' | 'device'
  readonly from: string
  readonly at: string
  /** Mounted by what was opened and checked, see `openBind`, where bubblewrap can; else by its path. */
  readonly byDescriptor: boolean
}

/** An empty folder in memory. `seal`: read-only once everything that lies inside has its place. */
interface Empty {
  readonly kind: 'empty'
  readonly at: string
  readonly options: readonly string[]
  readonly seal: boolean
}

/** A file of the sandbox's own, with what can be read from a descriptor. */
interface Program {
  readonly kind: 'program'
  readonly descriptor: number
  readonly at: string
}

/** An empty file over one of /proc. */
interface Cover {
  readonly kind: 'cover'
  readonly at: string
}

interface Link {
  readonly kind: 'link'
  readonly to: string
  readonly at: string
}

/** What bubblewrap makes by itself. */
interface Made {
  readonly kind: 'proc'
  readonly at: string
}

export type Mount = Bind | Cover | Empty | Link | Made | Program

/** Of the host's own: nobody but its administrator can put something else there. */
export function system(from: string, at = from): Mount {
  return { kind: 'read', from, at, byDescriptor: false }
}

export function read(from: string, at = from): Mount {
  return { kind: 'read', from, at, byDescriptor: true }
}

export function write(from: string, at = from): Mount {
  return { kind: 'write', from, at, byDescriptor: true }
}

export function device(at: string): Mount {
  return { kind: 'device', from: at, at, byDescriptor: false }
}

export function program(at: string, descriptor: number): Mount {
  return { kind: 'program', descriptor, at }
}

export function cover(at: string): Mount {
  return { kind: 'cover', at }
}

export function link(at: string, to: string): Mount {
  return { kind: 'link', to, at }
}

export function empty(at: string): Mount {
  return { kind: 'empty', at, options: ['--perms', '0755'], seal: true }
}

/** Open to everybody, as /tmp is, and no larger than that. */
export function scratch(at: string, bytes: number): Mount {
  return { kind: 'empty', at, options: ['--perms', '1777', '--size', String(bytes)], seal: false }
}

export function isSealed(mount: Mount): boolean {
  return mount.kind === 'empty' && mount.seal
}

/** What was checked before it is mounted; null for what nobody but the machine's administrator can put there. */
export function checkedPath(mount: Mount): string | null {
  return 'byDescriptor' in mount && mount.byDescriptor ? mount.from : null
}

/** `descriptorOf`: the number under which a path will be open in bubblewrap; null where it mounts by path. */
export function mountArgument(mount: Mount, descriptorOf: ((path: string) => number) | null): string[] {
  switch (mount.kind) {
    case 'read':
    case 'write': {
      const option = mount.kind === 'read' ? '--ro-bind' : '--bind'
      if (!mount.byDescriptor || descriptorOf === null) return [option, mount.from, mount.at]
      return [`${option}-fd`, String(descriptorOf(mount.from)), mount.at]
    }
    case 'device':
      return ['--dev-bind', mount.from, mount.at]
    case 'cover':
      // The device itself can't be opened: a mount that is read-only has none.
      return ['--ro-bind', '/dev/null', mount.at]
    case 'empty':
      return [...mount.options, '--tmpfs', mount.at]
    case 'program':
      return ['--perms', '0755', '--file', String(mount.descriptor), mount.at]
    case 'link':
      return ['--symlink', mount.to, mount.at]
    case 'proc':
      return ['--proc', mount.at]
  }
}
