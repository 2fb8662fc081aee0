/** JSON values. Numbers are f64, as in JavaScript. */
import { JsonWriter } from './json-writer'

export enum JsonKind {
  NULL,
  BOOLEAN,
  NUMBER,
  STRING,
  ARRAY,
  OBJECT,
}

const NO_ITEMS: Json[] = []
const NO_KEYS: string[] = []

/** One JSON value. `get` and `at` answer null's value where there is nothing, so that a path can be followed. */
@final
export class Json {
  private words: string = ''
  private members: Json[] = NO_ITEMS
  private names: string[] = NO_KEYS

  constructor(
    readonly kind: JsonKind,
    private readonly value: f64 = 0,
  ) {}

  static none(): Json {
    return NONE
  }

  static boolean(value: bool): Json {
    return value ? TRUE : FALSE
  }

  static number(value: f64): Json {
    return new Json(JsonKind.NUMBER, value)
  }

  static string(value: string): Json {
    const json = new Json(JsonKind.STRING)
    json.words = value
    return json
  }

  static array(): Json {
    const json = new Json(JsonKind.ARRAY)
    json.members = []
    return json
  }

  static object(): Json {
    const json = new Json(JsonKind.OBJECT)
    json.members = []
    json.names = []
    return json
  }

  get isNull(): bool {
    return this.kind == JsonKind.NULL
  }
  get isNumber(): bool {
    return this.kind == JsonKind.NUMBER
  }
  get isString(): bool {
    return this.kind == JsonKind.STRING
  }
  get isArray(): bool {
    return this.kind == JsonKind.ARRAY
  }
  get isObject(): bool {
    return this.kind == JsonKind.OBJECT
  }

  /** Of an array its items, of an object its members; otherwise 0. */
  get length(): i32 {
    return this.members.length
  }

  toBoolean(otherwise: bool = false): bool {
    return this.kind == JsonKind.BOOLEAN ? this.value != 0 : otherwise
  }

  toNumber(otherwise: f64 = NaN): f64 {
    return this.kind == JsonKind.NUMBER ? this.value : otherwise
  }

  toText(otherwise: string = ''): string {
    return this.kind == JsonKind.STRING ? this.words : otherwise
  }

  /** An item of an array, or a member of an object by its place. */
  at(index: i32): Json {
    return index >= 0 && index < this.members.length ? unchecked(this.members[index]) : NONE
  }

  keyAt(index: i32): string {
    return index >= 0 && index < this.names.length ? unchecked(this.names[index]) : ''
  }

  has(key: string): bool {
    return this.names.includes(key)
  }

  get(key: string): Json {
    const index = this.names.lastIndexOf(key)
    return index < 0 ? NONE : unchecked(this.members[index])
  }

  /** Sets a member of an object; returns the object, to go on. */
  set(key: string, value: Json): Json {
    if (this.kind != JsonKind.OBJECT) throw new TypeError('Cannot set a member: this JSON value is no object')
    const index = this.names.lastIndexOf(key)
    if (index < 0) return this.append(key, value)
    this.members[index] = value
    return this
  }

  setText(key: string, value: string): Json {
    return this.set(key, Json.string(value))
  }

  setNumber(key: string, value: f64): Json {
    return this.set(key, Json.number(value))
  }

  setBoolean(key: string, value: bool): Json {
    return this.set(key, Json.boolean(value))
  }

  /** Adds an item to an array; returns the array, to go on. */
  push(value: Json): Json {
    if (this.kind != JsonKind.ARRAY) throw new TypeError('Cannot add an item: this JSON value is no array')
    this.members.push(value)
    return this
  }

  toString(): string {
    const writer = new JsonWriter(64)
    writer.json(this)
    const text = String.UTF8.decodeUnsafe(writer.pointer, writer.length)
    writer.free()
    return text
  }

  /** Like `set`, without a look at the other names: of equal ones the last counts. */
  append(key: string, value: Json): Json {
    this.names.push(key)
    this.members.push(value)
    return this
  }
}

const NONE = new Json(JsonKind.NULL)
const FALSE = new Json(JsonKind.BOOLEAN)
const TRUE = new Json(JsonKind.BOOLEAN, 1)
