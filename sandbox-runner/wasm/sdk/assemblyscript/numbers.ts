/**
 * Numbers as text, exact both ways as JavaScript has them, by whole numbers of any size where f64 alone would round
 * twice. The standard library's own are not exact: 9.009468682999491e38 comes out as a tenth of it.
 */

const LIMBS: i32 = 192
const MAX_DIGITS: i32 = 780
const LARGEST: u64 = 0x7fefffffffffffff
const MAX_SAFE_INTEGER: f64 = 9007199254740991

/** A whole number, its lowest 32 bits first. */
@final
class Big {
  readonly limbs: StaticArray<u32> = new StaticArray<u32>(LIMBS)
  count: i32 = 0

  set(value: u64): void {
    unchecked((this.limbs[0] = <u32>value))
    unchecked((this.limbs[1] = <u32>(value >> 32)))
    this.count = value >> 32 > 0 ? 2 : value > 0 ? 1 : 0
  }

  multiply(by: u32, add: u32): void {
    let carry = <u64>add
    for (let i = 0; i < this.count; i++) {
      carry += <u64>unchecked(this.limbs[i]) * by
      unchecked((this.limbs[i] = <u32>carry))
      carry >>= 32
    }
    if (carry > 0 && this.count < LIMBS) this.limbs[this.count++] = <u32>carry
  }

  multiplyByPower(factor: u32, exponent: i32): void {
    for (let i = 0; i < exponent; i++) this.multiply(factor, 0)
  }

  /** Divides, and answers the rest. */
  divide(by: u32): u32 {
    let rest: u64 = 0
    for (let i = this.count - 1; i >= 0; i--) {
      rest = (rest << 32) | unchecked(this.limbs[i])
      unchecked((this.limbs[i] = <u32>(rest / by)))
      rest %= by
    }
    while (this.count > 0 && this.limbs[this.count - 1] == 0) this.count--
    return <u32>rest
  }

  compare(other: Big): i32 {
    if (this.count != other.count) return this.count < other.count ? -1 : 1
    for (let i = this.count - 1; i >= 0; i--) {
      const left = unchecked(this.limbs[i])
      const right = unchecked(other.limbs[i])
      if (left != right) return left < right ? -1 : 1
    }
    return 0
  }
}

const left = new Big()
const right = new Big()

/** Digits that stand for a whole number times a power of ten. */
@final
export class Decimal {
  private readonly digits: StaticArray<u8> = new StaticArray<u8>(MAX_DIGITS)
  count: i32 = 0
  exponent: i32 = 0

  clear(): Decimal {
    this.count = 0
    this.exponent = 0
    return this
  }

  at(index: i32): u32 {
    return unchecked(this.digits[index])
  }

  /** The next digit of a text; what does not fit only says that there is more. */
  push(digit: u32, isFraction: bool): void {
    if (this.count == 0 && digit == 0) {
      if (isFraction) this.exponent--
      return
    }
    if (this.count < MAX_DIGITS) {
      this.digits[this.count++] = <u8>digit
      if (isFraction) this.exponent--
      return
    }
    if (digit > 0 && this.digits[MAX_DIGITS - 1] == 0) this.digits[MAX_DIGITS - 1] = 1
    if (!isFraction) this.exponent++
  }

  toNumber(): f64 {
    if (this.count == 0 || this.count + this.exponent < -330) return 0
    if (this.count + this.exponent > 310) return Infinity
    const used = min(this.count, 18)
    let value: f64 = 0
    for (let i = 0; i < used; i++) value = value * 10 + <f64>this.at(i)
    const exponent = this.exponent + this.count - used
    if (this.count <= 15 && abs(exponent) <= 22) return scaled(value, exponent)
    return this.nearest(scaled(value, exponent))
  }

  /** All digits of a positive number. */
  take(value: f64): void {
    const bits = reinterpret<u64>(value)
    const exponent = exponentOf(bits)
    left.set(mantissaOf(bits))
    left.multiplyByPower(exponent >= 0 ? 2 : 5, abs(exponent))
    const groups: u32[] = []
    while (left.count > 0) groups.push(left.divide(1000000000))
    this.clear()
    for (let i = groups.length - 1; i >= 0; i--) {
      for (let unit: u32 = 100000000; unit > 0; unit /= 10) this.push((groups[i] / unit) % 10, false)
    }
    this.exponent = min(exponent, 0)
  }

  /** To so many digits, and without zeros at the end. */
  roundTo(count: i32, into: Decimal): void {
    into.count = min(count, this.count)
    into.exponent = this.exponent + this.count - into.count
    for (let i = 0; i < into.count; i++) into.digits[i] = this.digits[i]
    if (this.count > count && this.digits[count] >= 5) into.roundUp()
    while (into.count > 1 && into.digits[into.count - 1] == 0) {
      into.count--
      into.exponent++
    }
  }

  private roundUp(): void {
    let i = this.count - 1
    while (i >= 0 && this.digits[i] == 9) this.digits[i--] = 0
    if (i >= 0) {
      this.digits[i] += 1
      return
    }
    this.digits[0] = 1
    this.exponent += this.count
    this.count = 1
  }

  /** Of a guess that is near and its neighbours the right one; ties go to the even one. */
  private nearest(guess: f64): f64 {
    let bits = min(reinterpret<u64>(guess), LARGEST)
    while (true) {
      const order = this.compareWithMiddle(bits)
      if (order < 0 || (order == 0 && bits % 2 == 0)) break
      bits++
      if (bits > LARGEST) return Infinity
    }
    while (bits > 0) {
      const order = this.compareWithMiddle(bits - 1)
      if (order > 0 || (order == 0 && bits % 2 == 0)) break
      bits--
    }
    return reinterpret<f64>(bits)
  }

  /** How it compares with the middle between a number and the next larger one. */
  private compareWithMiddle(bits: u64): i32 {
    const exponent = exponentOf(bits) - 1
    left.set(0)
    for (let i = 0; i < this.count; i++) {
      if (left.count == 0) left.set(this.at(i))
      else left.multiply(10, this.at(i))
    }
    right.set(mantissaOf(bits) * 2 + 1)
    const raised = this.exponent >= 0 ? left : right
    raised.multiplyByPower(10, abs(this.exponent))
    const doubled = exponent >= 0 ? right : left
    doubled.multiplyByPower(2, abs(exponent))
    return left.compare(right)
  }
}

const all = new Decimal()
const shown = new Decimal()

/** The shortest of its digits that are read as the same number; what is no number is null. */
export function numberText(value: f64): string {
  if (!isFinite(value)) return 'null'
  const sign = value < 0 ? '-' : ''
  const positive = abs(value)
  if (positive <= MAX_SAFE_INTEGER && positive == trunc(positive)) return sign + (<u64>positive).toString()
  all.take(positive)
  for (let digits = 15; digits <= 17; digits++) {
    all.roundTo(digits, shown)
    if (shown.toNumber() == positive) break
  }
  return sign + shownText()
}

function shownText(): string {
  let digits = ''
  for (let i = 0; i < shown.count; i++) digits += shown.at(i).toString()
  const point = shown.count + shown.exponent - 1
  if (point < 0 && point >= -7) return '0.' + '0'.repeat(-point - 1) + digits
  if (point >= 0 && point + 1 < shown.count) return digits.slice(0, point + 1) + '.' + digits.slice(point + 1)
  const mantissa = shown.count == 1 ? digits : digits.slice(0, 1) + '.' + digits.slice(1)
  return mantissa + 'e' + point.toString()
}

/** A positive number is its mantissa times two to its exponent. */
function exponentOf(bits: u64): i32 {
  return max(<i32>(bits >> 52), 1) - 1075
}

function mantissaOf(bits: u64): u64 {
  const fraction = bits & 0xfffffffffffff
  return bits >> 52 == 0 ? fraction : fraction | (1 << 52)
}

/** In two steps where one power would be no number. */
function scaled(value: f64, exponent: i32): f64 {
  if (exponent < -300) return value / powerOfTen(300) / powerOfTen(-exponent - 300)
  return exponent < 0 ? value / powerOfTen(-exponent) : value * powerOfTen(exponent)
}

function powerOfTen(exponent: i32): f64 {
  let power: f64 = 1
  let base: f64 = 10
  for (let left = exponent; left > 0; left >>= 1) {
    if (left & 1) power *= base
    base *= base
  }
  return power
}
