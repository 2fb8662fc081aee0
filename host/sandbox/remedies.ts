import fs from 'node:fs/promises'
import path from 'node:path'

export const INSTALL_BUBBLEWRAP =
  'Install it: apt-get install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora), pacman -S bubblewrap (Arch), apk add bubblewrap (Alpine)'
export const INSTALL_UTIL_LINUX = 'Install it: it is part of util-linux'

export const CHOOSE_RUNTIME =
  'Let others go through it (chmod o+x), or choose a Node that all may run: phantom setup --runtime /path/to/node'
const OTHERS_MAY_PASS = 0o001

const UNPRIVILEGED_CLONE = '/proc/sys/kernel/unprivileged_userns_clone'
const MAX_NAMESPACES = '/proc/sys/user/max_user_namespaces'
const APPARMOR = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'

/** From the words bubblewrap failed with to a sentence with the remedy. */
export async function explainNamespaceFailure(failure: string, uid: number): Promise<string> {
  const said = `bubblewrap can't start a sandbox here: ${failure}`
  return `${said}. ${uid === 0 ? ROOT_REMEDY : await userRemedy()}`
}

const ROOT_REMEDY =
  'The daemon is root without the right to mount, as in an ordinary container: start the container with ' +
  '--cap-add SYS_ADMIN and without a profile that refuses mounts (docker: --security-opt seccomp=unconfined ' +
  '--security-opt apparmor=unconfined), or run the daemon as a user where user namespaces are allowed'

/** The switch that is set against user namespaces on this machine, and how to turn it. */
async function userRemedy(): Promise<string> {
  if ((await readNumber(UNPRIVILEGED_CLONE)) === 0) {
    return 'User namespaces are off for ordinary users. As root: sysctl -w kernel.unprivileged_userns_clone=1'
  }
  if ((await readNumber(MAX_NAMESPACES)) === 0) {
    return 'The number of user namespaces is limited to 0. As root: sysctl -w user.max_user_namespaces=15000'
  }
  if ((await readNumber(APPARMOR)) === 1) {
    return (
      'AppArmor restricts user namespaces (Ubuntu 23.10 and later): give bubblewrap a profile with the "userns" rule, ' +
      'or, as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
    )
  }
  return 'In a container, its seccomp profile may refuse user namespaces: allow clone, unshare and mount in it'
}

async function readNumber(file: string): Promise<number | null> {
  const text = await fs.readFile(file, 'utf8').catch(() => null)
  return text === null ? null : Number.parseInt(text, 10)
}

/** The file or the folder on its way that others may not pass; null when they may run it. */
export async function closedToOthers(file: string): Promise<string | null> {
  for (let at = file; ; at = path.dirname(at)) {
    const { mode } = await fs.stat(at)
    if ((mode & OTHERS_MAY_PASS) === 0) return at
    if (at === path.dirname(at)) return null
  }
}
