import fs from 'node:fs'
import os from 'node:os'
import tty from 'node:tty'

/** The kernel's switches: opened for writing, and not written to. */
export async function switches(tries, { paths }) {
  for (const file of paths)
    await tries.at(
      `to write ${file}`,
      () => fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY)) ?? 'opened',
    )
}

export async function contents(tries, { paths }) {
  for (const file of paths)
    await tries.at(`to read ${file}`, () => {
      const content = fs.statSync(file).isDirectory()
        ? Buffer.from(fs.readdirSync(file).join())
        : firstOf(file)
      return content.length > 0 && `${content.length} bytes`
    })
}

function firstOf(file) {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const buffer = Buffer.alloc(256)
    return buffer.subarray(0, fs.readSync(fd, buffer, 0, 256, 0))
  } finally {
    fs.closeSync(fd)
  }
}

/** What it inherited: a number for each open descriptor beyond the runner's own. */
export async function descriptors(tries) {
  await tries.control('its channel', () => fs.fstatSync(3).isSocket() && 'a socket')
  for (let fd = 4; fd < 1024; fd += 1)
    await tries.at(`descriptor ${fd}`, () => {
      const stat = fs.fstatSync(fd)
      if (stat.isFile() || stat.isDirectory() || stat.isBlockDevice())
        return `${stat.isFile() ? 'a file' : 'a folder or device'} of ${stat.size} bytes`
      return stat.isSocket() && 'a socket'
    })
}

export async function environment(tries, { secret }) {
  const { HOME, LANG, PATH, PWD, TZ, TMPDIR, SELFTEST_GIVEN, ...more } = process.env
  const own = { ...more }
  for (const name of ['SHLVL', '_', 'OLDPWD']) delete own[name]
  await tries.at('variables beyond its own', () => Object.keys(own).join())
  await tries.at('the secret in its environment', () => JSON.stringify(process.env).includes(secret))
  for (const file of ['/proc/self/environ', '/proc/1/environ', '/proc/thread-self/environ'])
    await tries.at(`the secret in ${file}`, () => fs.readFileSync(file, 'latin1').includes(secret))
  await tries.at('a path to programs', () => PATH.split(':').some((folder) => fs.existsSync(folder)) && PATH)
}

export async function granted(tries) {
  await tries.control('the variable that was granted', () => process.env.SELFTEST_GIVEN)
  await tries.control('the file that was granted', () => fs.readFileSync('given/ok.txt', 'latin1'))
  await tries.control(
    'a write where that was granted',
    () => fs.writeFileSync('out/made.txt', 'made') ?? 'written',
  )
  await tries.at(
    'a write where reading was granted',
    () => fs.writeFileSync('given/new.txt', 'x') ?? 'written',
  )
}

export async function host(tries) {
  await tries.at("the host's name", () => os.hostname() !== 'plugin' && os.hostname())
  await tries.at('its users', () => fs.readFileSync('/etc/passwd', 'latin1').length)
  await tries.at('network interfaces', () =>
    Object.keys(os.networkInterfaces())
      .filter((name) => name !== 'lo')
      .join(),
  )
  await tries.at('mounted folders', () => /\/home|\/root\b/.test(fs.readFileSync('/proc/mounts', 'latin1')))
}

export async function terminals(tries) {
  for (const file of ['/dev/tty', '/dev/console', '/dev/tty0', '/dev/ptmx', '/dev/pts/0'])
    await tries.at(
      `to open ${file}`,
      () => fs.closeSync(fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NOCTTY)) ?? 'opened',
    )
  await tries.at('a terminal on a descriptor', () => [0, 1, 2].some((fd) => tty.isatty(fd)))
}
