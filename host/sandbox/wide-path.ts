import os from 'node:os'
import { contains } from './paths.ts'

/** Programs, their libraries and settings, and what runs now: to write there is to change the machine. */
const SYSTEM_FOLDERS = [
  '/bin',
  '/boot',
  '/efi',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/nix',
  '/run',
  '/sbin',
  '/usr',
  '/var/run',
  // What cron runs, among others.
  '/var/spool',
]
/** Folders of which all together is far more than any plugin's own affair. */
const WHOLE_FOLDERS = [...SYSTEM_FOLDERS, '/home', '/root', '/var']
/** Keys and passwords. */
const SECRET_FILES = [
  '/etc/shadow',
  '/etc/shadow-',
  '/etc/gshadow',
  '/etc/gshadow-',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/etc/ssh',
  '/etc/krb5.keytab',
  '/etc/wireguard',
  '/etc/NetworkManager/system-connections',
  // Copies of the first ones.
  '/var/backups',
  // Of containers and pods.
  '/run/secrets',
  '/var/run/secrets',
]
const SECRET_NAMES = [
  '.aws',
  '.azure',
  '.docker',
  '.git-credentials',
  '.gnupg',
  '.kube',
  '.netrc',
  '.password-store',
  '.pgpass',
  '.ssh',
  '.vault-token',
]

/** Why a right to an absolute path is a wide grant, which only a person gives; null for an ordinary one. */
export function wideReasonOf(kind: 'fs_read' | 'fs_write', absolute: string): string | null {
  if (absolute === '/') return 'the whole machine'
  if (isHome(absolute)) return 'a whole home folder, with keys, passwords and what programs start from'
  if (WHOLE_FOLDERS.includes(absolute)) return 'a whole folder of the system'
  const segments = absolute.split('/')
  if (SECRET_FILES.some((file) => contains(file, absolute) || contains(absolute, file))) {
    return 'keys or passwords of the system'
  }
  if (SECRET_NAMES.some((name) => segments.includes(name))) return 'keys or passwords'
  const system = kind === 'fs_write' && SYSTEM_FOLDERS.find((folder) => contains(folder, absolute))
  return typeof system === 'string' ? `a part of "${system}": to write there is to change the machine` : null
}

function isHome(absolute: string): boolean {
  return /^\/home\/[^/]+$/.test(absolute) || absolute === '/root' || isAboveHome(absolute)
}

function isAboveHome(absolute: string): boolean {
  try {
    return contains(absolute, os.homedir())
  } catch {
    // ENOENT: no variable HOME, and no account of this uid, as in many containers.
    return false
  }
}
