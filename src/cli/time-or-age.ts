import { InvalidArgumentError } from 'commander'

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A time in ISO 8601, from one or from an age such as `15m`. */
export function timeOrAge(text: string): string {
  const age = /^(\d{1,6})([smhd])$/.exec(text)
  const ms =
    age === null ? Date.parse(text) : Date.now() - Number(age[1]) * UNIT_MS[age[2] as keyof typeof UNIT_MS]
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('Write a time in ISO 8601 or an age such as 90s, 15m, 2h, 7d')
  return new Date(ms).toISOString()
}
