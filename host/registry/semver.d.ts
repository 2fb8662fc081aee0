/** The part of semver (https://github.com/npm/node-semver) that is used here; it ships no types. */
declare module 'semver/functions/satisfies.js' {
  export default function satisfies(version: string, range: string): boolean
}
