import { isPhantomError } from '../../contract/phantom-error.ts'
import type { ErrorCode } from '../../contract/error-codes.ts'
import type { Arena } from './arena.ts'
import type { AttackerName, Expected, Finding, Probe } from './probe.ts'

/** What the attacker says of one thing that it tried. Believed only where it says that it got something. */
export interface Attempt {
  readonly what: string
  readonly got: string | null
  readonly error: string | null
  /** Something that is granted, by the same call: it must work, else the attempts prove nothing. */
  readonly control: boolean
}

interface ProbeText {
  readonly id: string
  readonly area: Probe['area']
  readonly tries: string
  /** What the tiers promise; `held` unless said. */
  readonly namespace?: Expected
  readonly process?: Expected
  readonly prepare?: Probe['prepare']
  readonly skip?: Probe['skip']
  readonly spoils?: boolean
}

interface AttackProbe extends ProbeText {
  readonly as?: AttackerName
  /** The function of `attacker/` that is run. */
  readonly attack: string
  readonly input?: (arena: Arena) => Readonly<Record<string, unknown>>
  /** Besides an answer: ends of the call that are as good. */
  readonly mayEndAs?: readonly ErrorCode[]
  /** Looks for the effect; null where it sees none. Files, listeners and processes are looked at for every probe. */
  readonly effect?: (arena: Arena, attempts: readonly Attempt[]) => string | null | Promise<string | null>
}

/** A probe that is one call of an attacker. */
export function attackProbe(probe: AttackProbe): Probe {
  const { as = 'bare', attack, input = () => ({}), mayEndAs = [], effect = () => null } = probe
  return defineProbe({
    ...probe,
    plugins: [as],
    run: async (arena) => {
      let attempts: readonly Attempt[]
      try {
        attempts = await arena.attack(as, attack, input(arena))
      } catch (error) {
        if (!isPhantomError(error)) throw error
        const isEnd = error.code === 'PERMISSION_DENIED' || mayEndAs.includes(error.code)
        if (!isEnd) return { verdict: 'unclear', found: `the call ended as ${error.code}: ${error.message}` }
        const seen = await effect(arena, [])
        return seen === null
          ? { verdict: 'held', found: `its call ended as ${error.code}` }
          : { verdict: 'open', found: seen }
      }
      const seen = await effect(arena, attempts)
      return seen === null ? judgeAttempts(attempts) : { verdict: 'open', found: seen }
    },
  })
}

/** A probe that does whatever it wants with the arena. */
export function defineProbe(
  probe: ProbeText & { readonly plugins?: readonly AttackerName[]; readonly run: Probe['run'] },
): Probe {
  const { id, area, tries, plugins = [], run } = probe
  return {
    id,
    area,
    tries,
    expected: { namespace: probe.namespace ?? 'held', process: probe.process ?? 'held' },
    plugins,
    prepare: probe.prepare ?? (() => {}),
    spoils: probe.spoils ?? false,
    skip: probe.skip ?? (() => null),
    run,
  }
}

function judgeAttempts(attempts: readonly Attempt[]): Finding {
  const tries = attempts.filter(({ control }) => !control)
  const broken = attempts.find(({ control, got }) => control && got === null)
  const reached = tries.filter(({ got }) => got !== null)
  if (reached.length > 0) {
    const [first] = reached
    const more = reached.length === 1 ? '' : ` and ${reached.length - 1} more`
    return { verdict: 'open', found: `${first?.what} got ${shorten(first?.got ?? '')}${more}` }
  }
  if (broken !== undefined) {
    return {
      verdict: 'unclear',
      found: `${broken.what} is granted and failed (${broken.error}), so it proves nothing`,
    }
  }
  if (tries.length === 0) return { verdict: 'unclear', found: 'it tried nothing' }
  const codes = [...new Set(tries.map(({ error }) => shorten(error ?? 'nothing')))]
  return { verdict: 'held', found: `${tries.length} tries: ${shorten(codes.join(', '), 120)}` }
}

function shorten(text: string, most = 60): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`
}
