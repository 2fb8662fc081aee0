/** Mean and sample standard deviation of doubles, each computed without any rounding and rounded once, at the end. */
export function exactFigures(numbers: readonly number[]): { mean: number; sd: number } {
  const { units, scaleBits } = asIntegers(numbers)
  const count = BigInt(units.length)
  const sum = units.reduce((total, unit) => total + unit, 0n)
  const squares = units.reduce((total, unit) => total + unit * unit, 0n)
  // n·Σx² − (Σx)², over n·(n − 1), in squares of units.
  const varianceTop = count * squares - sum * sum
  const varianceBottom = count * (count - 1n)
  const root = squareRoot((varianceTop << (2n * EXTRA_BITS)) / varianceBottom)
  return { mean: toDouble(sum << EXTRA_BITS, count, scaleBits), sd: toDouble(root, 1n, scaleBits) }
}

/** Behind the binary point, beyond what a double keeps. */
const EXTRA_BITS = 128n

/** Each number as a multiple of 2^-scaleBits. */
function asIntegers(numbers: readonly number[]): { units: bigint[]; scaleBits: bigint } {
  const parts = numbers.map(partsOf)
  const scaleBits = parts.reduce((most, { exponent }) => (-exponent > most ? -exponent : most), 0n)
  return {
    units: parts.map(({ mantissa, exponent }) => mantissa << (exponent + scaleBits)),
    scaleBits,
  }
}

/** IEEE 754: the number is mantissa · 2^exponent. */
function partsOf(number: number): { mantissa: bigint; exponent: bigint } {
  const bits = new DataView(Float64Array.of(number).buffer).getBigUint64(0, isLittleEndian)
  const fraction = bits & ((1n << 52n) - 1n)
  const biased = (bits >> 52n) & 0x7ffn
  const magnitude = biased === 0n ? fraction : fraction | (1n << 52n)
  return {
    mantissa: bits >> 63n === 1n ? -magnitude : magnitude,
    exponent: (biased === 0n ? 1n : biased) - 1075n,
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** top / bottom / 2^(EXTRA_BITS + scaleBits), by its decimal digits: Number() rounds a text once. */
function toDouble(top: bigint, bottom: bigint, scaleBits: bigint): number {
  const decimals = 60n
  const digits = (top * 10n ** decimals) / (bottom << (EXTRA_BITS + scaleBits))
  return Number(`${digits}e-${decimals}`)
}

/** Rounded down, by Newton's method. */
function squareRoot(value: bigint): bigint {
  let root = value
  for (let next = (root + 1n) >> 1n; next < root; next = (root + value / root) >> 1n) root = next
  return root
}
