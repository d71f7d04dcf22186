import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../lambda/kernel/errors.ts'
import { CURVES, PSS, SCHEMES, SMALLEST_RSA } from '../lambda/ocsp/signature.ts'
import { RULES } from '../lambda/ocsp/verdict.ts'
import { quoted, tableOf } from './docs-tables.ts'

const PAGE = 'docs/ocsp-rules.md'
const SOURCES = readdirSync('lambda', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(`lambda/${name}`, 'utf8'))

/** Function, and clause if one is cited, of each rule that a comment names: `V4: … (RFC 6960 §3.2 item 1)`. */
const STATED = new Map(
  SOURCES.flatMap((source) => [
    ...source.matchAll(/^\/\*\* (V\d+): (.*) \*\/\n(?:export )?function (\w+)/gm),
  ]).map(([, rule = '', text = '', name = '']) => {
    const [, clause = ''] = /\((RFC [^)]*)\)/.exec(text) ?? []
    return [rule, { name, clause }] as const
  }),
)

describe('the page of the OCSP rules', () => {
  const validation = tableOf(PAGE, ['rule', 'demands', 'clause', 'function', 'error'])
  const schedule = tableOf(PAGE, ['rule', 'what', 'where'])

  it('has every rule of the verdict, in its order', () => {
    expect(validation.map(([rule]) => rule)).toEqual([...RULES])
  })

  it('names the function and the clause that the code states for each', () => {
    // V17 is for the machines.
    expect([...STATED.keys()].sort()).toEqual(RULES.filter((rule) => rule !== 'V17').sort())
    for (const [rule = '', , clause, name = ''] of validation) {
      const stated = STATED.get(rule)
      if (stated === undefined) continue
      expect({ clause, name: quoted(name)[0] }, rule).toEqual(stated)
    }
  })

  it('names only error codes that exist', () => {
    const codes = validation.flatMap(([, , , , error = '']) => quoted(error))
    expect(codes.filter((code) => !ERROR_CODES.some((each) => each === code))).toEqual([])
  })

  it('lists every algorithm and every curve that a signature may be made with, and no other', () => {
    const listed = tableOf(PAGE, ['algorithm', 'OID', 'key'])
    expect(listed.map(([, oid = '']) => quoted(oid)[0]).sort()).toEqual([...Object.keys(SCHEMES), PSS].sort())
    for (const [algorithm = '', oid = '', key = ''] of listed) {
      const scheme = SCHEMES[quoted(oid)[0] ?? '']
      if (scheme !== undefined) expect(algorithm.split(',')[0]).toBe(scheme.name)
      expect(algorithm.includes('allowSha1'), algorithm).toBe(scheme?.hash === 'sha1')
      if (key.startsWith('RSA')) expect(key).toContain(`${SMALLEST_RSA} bits`)
    }
    const [, names = ''] =
      /\nCurves, by OpenSSL's names: ([\s\S]*?)\. /.exec(readFileSync(PAGE, 'utf8')) ?? []
    expect(quoted(names)).toEqual(CURVES)
  })

  it('has every schedule rule that the code cites, each with functions that exist', () => {
    const cited = new Set(SOURCES.flatMap((source) => source.match(/\bS\d\b/g) ?? []))
    const rules = schedule.map(([rule]) => rule)
    expect([...cited].filter((rule) => !rules.includes(rule))).toEqual([])
    for (const [rule, , where = ''] of schedule)
      for (const name of quoted(where)) {
        const definition = new RegExp(`\\b(function|class) ${name}\\b`)
        expect(
          SOURCES.some((source) => definition.test(source)),
          `${rule}: ${name}`,
        ).toBe(true)
      }
  })

  it('names for V17 a function of the program that machines run', () => {
    const [, , , name = ''] = validation.find(([rule]) => rule === 'V17') ?? []
    expect(readFileSync('agent/ticketring/judge.py', 'utf8')).toContain(`    def ${quoted(name)[0]}(`)
  })
})
