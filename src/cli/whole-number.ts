import { InvalidArgumentError } from 'commander'

/** Reads an option or argument that is a whole number; commander adds the message to its own. */
export function wholeNumber(least: number, most: number, what = 'a whole number'): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`It takes ${what} ${range}.`)
  }
}
