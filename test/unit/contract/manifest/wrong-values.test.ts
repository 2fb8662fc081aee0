import { expect } from 'chai'
import { HEAD, only } from '../../../helpers/parsed-manifest.ts'

describe('parseManifest() on mistakes', () => {
  const unknown: readonly (readonly [string, string, RegExp])[] = [
    ['a section', '[permisions]\n', /^7:2 permisions: .*section is unknown\. Did you mean \[permissions\]\?/],
    ['an array of tables', '[[operation]]\n', /^7:3 operation: .*Did you mean \[\[operations\]\]\?/],
    [
      'a section like no other',
      '[zzz]\n',
      /^7:2 zzz: .*Remove it; known are \[plugin\], .*\[configuration\]/,
    ],
    ['a limit', '[resource_limits]\nmax_memory = 3\n', /^8:1 .*Did you mean "max_memory_mb"\?/],
    ['a key in another case', '[runtime]\nLog-Level = "info"\n', /Did you mean "log_level"\?/],
    ['a swap of letters', '[runtime]\nevla = true\n', /Did you mean "eval"\?/],
    [
      'a key of another section',
      'max_memory_mb = 3\n',
      /^7:1 plugin.max_memory_mb: .*Move it to \[resource_limits\]/,
    ],
    ['a key of several sections', '[restart]\nname = "x"\n', /Remove it; known here are "shutdown_ms"/],
    [
      'a key of an operation',
      '[[operations]]\nname="a"\ninput = {}\n',
      /^9:1 operations\[0\]\.input: .*Remove it/,
    ],
    ['a quoted key', '"a b" = 1\n', /^7:1 plugin\."a b": Cannot use plugin\."a b": this key is unknown/],
    ['a dotted key', 'a.b.c = 1\n', /^7:1 plugin\.a: /],
    ['a table below a section', '[runtime.more]\n', /^7:10 runtime\.more: /],
    ['__proto__', '[runtime]\n__proto__ = { eval = true }\n', /^8:1 runtime.__proto__: .*unknown/],
    ['constructor', '[runtime]\nconstructor = 1\n', /^8:1 runtime.constructor: .*unknown/],
  ]
  for (const [what, text, words] of unknown) {
    it(`refuses ${what} that it does not know, by name and place`, () => {
      expect(only(HEAD + text)).to.match(words)
    })
  }

  it('sends a key above all sections to its own', () => {
    expect(only(`max_memory_mb = 3\n${HEAD}`)).to.match(
      /^1:1 max_memory_mb: .*Move it to \[resource_limits\]/,
    )
    expect(only(`__proto__ = 1\n${HEAD}`)).to.match(/^1:1 __proto__: .*section is unknown/)
  })

  const wrongTypes: readonly (readonly [string, RegExp])[] = [
    ['author = 3', /found the integer 3, expected a string\. Write author = "Your Name"/],
    ['author = 1979-05-27', /found a date or time, expected a string/],
    ['author = 07:32:00', /found a date or time, expected a string/],
    ['author = ["a"]', /found an array, expected a string/],
    ['author = { a = 1 }', /found a table, expected a string/],
    ['author = ""', /it is empty/],
    ['author = "a\\u001b[2Jb"', /control character/],
    [`author = "${'a'.repeat(257)}"`, /257 characters, at most 256/],
    ['homepage = "javascript:alert(1)"', /no http or https address/],
    [
      '[runtime]\nconcurrency = "4"',
      /found the string "4", expected an integer between 1 and 1024\. Write the number without/,
    ],
    ['[runtime]\nconcurrency = 1.5', /found the number 1.5, expected an integer/],
    ['[runtime]\nconcurrency = nan', /found the number NaN/],
    [
      '[runtime]\nconcurrency = 99999999999999999999',
      /found an integer beyond 9007199254740991, expected an integer/,
    ],
    ['[runtime]\neval = "yes"', /found the string "yes", expected true or false/],
    ['[runtime]\nlog_level = "warning"', /expected one of "debug", "info", "warn", "error"/],
    ['[restart]\npolicy = "permanet"', /Did you mean "permanent"\?/],
    ['[restart]\nshutdown_ms = -1', /found the integer -1, expected an integer between 0/],
    ['[resource_limits]\nmax_cpu_time_ms = 0', /found the integer 0, expected an integer between 1/],
    ['[resource_limits]\nmax_cpu_percent = 0', /^8:1 .*found the integer 0, expected an integer between 1/],
    ['[resource_limits]\nmax_cpu_percent = "50%"', /^8:1 .*found the string "50%", expected an integer/],
    ['[resource_limits]\nmax_cpu_percent = 12.5', /^8:1 .*found the number 12.5, expected an integer/],
    ['[resource_limits]\nmax_open_files = 31', /found the integer 31, expected an integer between 32/],
    ['[resource_limits]\nmax_processes = 15', /found the integer 15, expected an integer between 16/],
    ['[resource_limits]\nmax_file_size_mb = 0.5', /found the number 0.5, expected an integer between 1/],
    ['[resource_limits]\nmax_network_bytes = "1k"', /found the string "1k", expected an integer between 0/],
    ['[permissions]\npermissions = "process"', /found the string "process", expected an array of strings/],
    [
      '[permissions]\npermissions = [\n  "process",\n  # why\n  7,\n]',
      /^11:3 permissions\.permissions\[1\]: .*found the integer 7/,
    ],
    [
      '[permissions]\npermissions = ["process", "proces"]',
      /^8:27 permissions\.permissions\[1\]: Cannot grant "proces": .*Did you mean/,
    ],
    [
      `[permissions]\npermissions = ["process", "env:${Array.from({ length: 256 }, (_, index) => `A${index}`).join(',')}"]`,
      /^8:1 permissions\.permissions: .*asks for 257 paths, hosts and variables, at most 256/,
    ],
    [
      '[dependencies]\nserde = { version = "1" }',
      /^8:1 dependencies\.serde: .*found a table, expected a string/,
    ],
    ['[dependencies]\n__proto__ = "1"', /^8:1 dependencies\.__proto__: .*no name of a library/],
    ['[plugin_dependencies]\nother = "new"', /"new" is no range of versions/],
    ['[plugin_dependencies]\nOther = "1"', /"Other" is no id of a plugin/],
    ['[tags]\ntags = ["a"]', /^7:2 tags: .*found a table, expected an array of tables\. Write \[\[tags\]\]/],
    ['[[tags]]\ntags = ["a", " b"]', /^8:14 tags\[0\]\.tags\[1\]: .*is no tag/],
    [
      '[operations]\nname = "a"',
      /^7:2 operations: .*found a table, expected an array of tables\. Begin each one with a line \[\[operations\]\]/,
    ],
    ['[[operations]]\n', /^7:3 operations\[0\]\.name: .*it is missing/],
    ['[[operations]]\nname = "a b"', /"a b" is no name of an operation/],
    [
      '[[operations]]\nname = "a"\n[[operations]]\nname = "a"',
      /^10:1 operations\[1\]\.name: .*"a" already stands in operations\[0\]/,
    ],
    [
      '[[operations]]\nname = "a"\ninput_schema = 3',
      /^9:1 operations\[0\]\.input_schema: .*expected a JSON Schema/,
    ],
    ['[[operations]]\nname = "a"\ninput_schema = true', /expected a JSON Schema/],
    [
      '[messages]\ntype = "a"',
      /found a table, expected an array of tables\. Begin each one with a line \[\[messages\]\]/,
    ],
    ['[[messages]]\nfrom = ["*"]', /^7:3 messages\[0\]\.type: .*it is missing/],
    ['[[messages]]\ntype = "a b"', /"a b" is no type of a message/],
    ['[[messages]]\ntype = "a"\n[[messages]]\ntype = "a"', /"a" already stands in messages\[0\]/],
    ['[[messages]]\ntype = "a"\nfrom = "*"', /^9:1 messages\[0\]\.from: .*expected an array of strings/],
    ['[[messages]]\ntype = "a"\nfrom = []', /^9:1 messages\[0\]\.from: .*it names nobody\. Name plugins/],
    [
      '[[messages]]\ntype = "a"\nfrom = ["A b"]',
      /messages\[0\]\.from\[0\]: .*"A b" is no id of a plugin, nor "\*"/,
    ],
    ['[[messages]]\ntype = "a"\nform = ["*"]', /Did you mean "from"\?/],
    ['[[operations]]\nname = "a"\ntimeout_ms = 0', /^9:1 operations\[0\]\.timeout_ms: /],
  ]
  for (const [text, words] of wrongTypes) {
    it(`says what was found and expected for ${JSON.stringify(text.slice(0, 60))}`, () => {
      expect(only(`${HEAD}${text}\n`)).to.match(words)
    })
  }
})
