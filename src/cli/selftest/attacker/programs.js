import { spawn, spawnSync } from 'node:child_process'

/** What a shell prints, for whatever it is told; it must itself work. */
export async function shell(tries, { isGranted, scripts }) {
  const said = (script) => {
    const { stdout, stderr, error } = spawnSync('/bin/sh', ['-c', script], {
      encoding: 'latin1',
      timeout: 1500,
      killSignal: 'SIGKILL',
    })
    if (error !== undefined && error.code !== 'ETIMEDOUT') throw error
    return { stdout, stderr }
  }
  if (isGranted) await tries.control('a shell of its own', () => said('echo given-by-itself').stdout)
  for (const [what, script] of scripts)
    await tries.at(what, () => {
      const { stdout, stderr } = said(script)
      if (stdout.trim() !== '') return stdout.trim()
      throw new Error(stderr.trim().split('\n').at(-1) || 'nothing')
    })
}

/** Leaves programs behind that nobody waits for: in sessions of their own, twice removed, deaf to signals. */
export async function leaveBehind(tries, { marker }) {
  const sleeping = `sleep 30; : ${marker}`
  spawn(
    '/bin/sh',
    [
      '-c',
      `trap "" TERM HUP INT; (setsid sh -c '${sleeping}' &) ; setsid sh -c "sh -c '${sleeping}' & ${sleeping}" & exit 0`,
    ],
    { detached: true, stdio: 'ignore' },
  ).unref()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await tries.at('programs that stay', () => null)
}

export async function forkBomb(tries, { marker }) {
  let started = 0
  let ended = 'nothing'
  for (; started < 500; started += 1) {
    const child = spawn('/bin/sh', ['-c', `sleep 30; : ${marker}`], { stdio: 'ignore' })
    const failed = await new Promise((resolve) =>
      child.once('error', resolve).once('spawn', () => resolve(null)),
    )
    if (failed === null) continue
    ended = failed.code
    break
  }
  await tries.at('500 programs', () => started >= 500 && `${started}`)
  tries.list.at(-1).error = `${ended} after ${started}`
}
