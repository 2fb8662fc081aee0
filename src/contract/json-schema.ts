/** The JSON Schema (2020-12 words, the subset that ajv's core checks) that contracts and manifests use. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/**
 * The TypeScript type of what a schema accepts, so that a shape is written once. Covers `type`, `enum`, `const`,
 * `properties`, `required`, `items`, `anyOf` and `oneOf`; whatever it does not know becomes `unknown`.
 */
export type FromSchema<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly anyOf: readonly (infer A)[] }
      ? FromSchema<A>
      : S extends { readonly oneOf: readonly (infer O)[] }
        ? FromSchema<O>
        : S extends { readonly type: infer T }
          ? FromType<T, S>
          : unknown

type FromType<T, S> = T extends 'string'
  ? string
  : T extends 'number' | 'integer'
    ? number
    : T extends 'boolean'
      ? boolean
      : T extends 'null'
        ? null
        : T extends 'array'
          ? S extends { readonly items: infer I }
            ? FromSchema<I>[]
            : unknown[]
          : T extends 'object'
            ? S extends { readonly properties: infer P }
              ? Flatten<FromProperties<P, RequiredOf<S>>>
              : Record<string, unknown>
            : T extends readonly (infer U)[]
              ? FromType<U, S>
              : unknown

type RequiredOf<S> = S extends { readonly required: readonly (infer R)[] } ? R : never

type FromProperties<P, R> = { -readonly [K in keyof P as K extends R ? K : never]: FromSchema<P[K]> } & {
  -readonly [K in keyof P as K extends R ? never : K]?: FromSchema<P[K]>
}

type Flatten<T> = { -readonly [K in keyof T]: T[K] }
