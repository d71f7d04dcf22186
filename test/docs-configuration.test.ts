import { describe, expect, it } from 'vitest'
import { parseConfiguration, TICKETRING } from '../infra/app/configuration.ts'
import { isRefusal } from '../lambda/kernel/errors.ts'
import type { Settings } from '../lambda/kernel/settings.ts'
import { quoted, tableOf } from './docs-tables.ts'
import {
  exampleRing,
  exampleSet,
  HAPROXY,
  HAPROXY_STAPLING,
  NGINX,
  NGINX_STAPLING,
  OTHER_SERVERS,
  OTHER_STAPLING,
} from './infra/app/example.ts'

type Json = Record<string, unknown>
const EXAMPLE: Json = {
  rings: [
    exampleRing({
      servers: { haproxy: HAPROXY, nginx: NGINX, ...OTHER_SERVERS },
      canary: { tag: 'canary', values: ['yes'] },
      accessWatch: { readers: [] },
    }),
  ],
  stapling: [
    exampleSet({
      servers: { haproxy: HAPROXY_STAPLING, nginx: NGINX_STAPLING, ...OTHER_STAPLING },
      refresh: {},
    }),
  ],
  alarms: {},
  logs: {},
}
interface Problem {
  readonly path: string
  readonly wanted: string
}

/** What is wrong with a configuration, and where: list items without their numbers, as in `rings[].name`. */
function problemsOf(configuration: unknown): readonly Problem[] {
  try {
    parseConfiguration(configuration)
    return []
  } catch (error) {
    if (!isRefusal(error, 'configuration-invalid')) throw error
    const lines = error.came.matchAll(/^ {2}- ticketring\.?(\S*): wanted (.*); got /gm)
    return [...lines].map(([, path = '', wanted = '']) => ({
      path: path.replaceAll(/\[\d+\]/g, '[]'),
      wanted,
    }))
  }
}

/** One setting, or an object or a list of them, as it is declared. */
interface Field {
  /** Written out: `rings[].targets.values`. */
  readonly path: string
  /** What the documentation has to say of it; where that is nothing, what it says of the object around it. */
  readonly says: string | undefined
  readonly around: string
  readonly hasParts: boolean
}

function declared(settings: Settings, prefix = '', around = ''): readonly Field[] {
  return Object.entries(settings).flatMap(([name, { kind, says }]) => {
    const path = `${prefix}${name}`
    const parts = kind.fields ?? kind.items?.fields
    const field = { path, says, around, hasParts: parts !== undefined }
    const steps = kind.fields === undefined ? '[].' : '.'
    return [field, ...(parts === undefined ? [] : declared(parts, `${path}${steps}`, says ?? around))]
  })
}

const DECLARED = declared(TICKETRING)
const FIELDS = DECLARED.map(({ path }) => path)

/** What the tables say of one field, or of an object or a list of them. */
interface Row {
  /** Written out: `rings[].targets.values`. */
  readonly key: string
  readonly what: string
  /** Empty where it must be there, in backticks where it is a value, and else words for nothing. */
  readonly normal: string
}

function rowsOf(page: string, prefix: string): readonly Row[] {
  const table = tableOf(page, ['key', 'what', 'default'])
  return table.flatMap(([keys = '', what = '', normal = '']) => {
    const [first = '', ...others] = quoted(keys)
    const parent = first.slice(0, first.lastIndexOf('.'))
    const written = [first, ...others.map((other) => (other.startsWith('.') ? `${parent}${other}` : other))]
    const values = quoted(normal)
    return written.flatMap((each, index) => {
      const value = values.length > 1 ? `\`${values[index]}\`` : normal
      return fieldsMeant(each, prefix).map((key) => ({ key, what, normal: value }))
    })
  })
}

/** `….owner` means each field of that name, wherever it is. */
function fieldsMeant(key: string, prefix: string): readonly string[] {
  return key.startsWith('….') ? FIELDS.filter((field) => field.endsWith(key.slice(1))) : [`${prefix}${key}`]
}

const ROWS = [...rowsOf('docs/configuration.md', ''), ...rowsOf('docs/staples.md', 'stapling[].')]
const AS_OF_A_RING = 'as of a ring'

const rowsOn = (path: string) => ROWS.filter(({ key }) => key === path)
/** A set's own `name`, `targets` and `fleetRoles`, and what is below them. */
const isAsOfARing = (path: string) =>
  ROWS.some(({ key, what }) => what === AS_OF_A_RING && `${path}.`.startsWith(`${key}.`))
const told = DECLARED.filter(({ path, says }) => says !== undefined && !isAsOfARing(path))
const untold = DECLARED.filter(
  ({ path, says, hasParts }) => says === undefined && !hasParts && !isAsOfARing(path),
)

function holderOf(root: Json, field: string): readonly [holder: Json, name: string] {
  const parts = field.split('.')
  const name = parts.pop() ?? ''
  const holder = parts.reduce<unknown>((inner, part) => {
    const value = (inner as Json)[part.replace('[]', '')]
    return part.endsWith('[]') ? (value as readonly unknown[])[0] : value
  }, root)
  return [holder as Json, name]
}

/** What the parser makes of the example once its field was replaced, or left out: the value it reads, or `refused`. */
function readingOf(field: string, value?: unknown): unknown {
  const copy = structuredClone(EXAMPLE)
  const [holder, name] = holderOf(copy, field)
  if (value === undefined) delete holder[name]
  else holder[name] = value
  if (problemsOf(copy).some(({ path }) => path.startsWith(field))) return 'refused'
  const [read, at] = holderOf(parseConfiguration(copy) as unknown as Json, field)
  return read[at]
}

const asWritten = (text: string) => (/^(\d+|true|false)$/.test(text) ? JSON.parse(text) : text)

describe('the tables of the configuration', () => {
  it.each(told)('say of $path what is said where it is declared', ({ path, says }) => {
    expect(rowsOn(path).map(({ what }) => what)).toEqual([says])
  })

  it.each(untold)('name $path in what they say of the object around it', ({ path, around }) => {
    expect(quoted(around)).toContain(path.split('.').at(-1))
  })

  it('are about all of it', () => {
    expect(told.length).toBeGreaterThan(60)
  })

  it('have no field that is none', () => {
    const known = (key: string) => FIELDS.some((field) => `${field}.`.startsWith(`${key}.`))
    expect(ROWS.map(({ key }) => key).filter((key) => !known(key))).toEqual([])
  })

  for (const { key, normal } of ROWS.filter(({ what }) => what !== AS_OF_A_RING)) {
    it(`are right about ${key}: ${normal || 'it must be there'}`, () => {
      const [value] = quoted(normal)
      const absent = readingOf(key)
      if (normal === '') expect(absent).toBe('refused')
      else if (value === undefined) expect([undefined, []]).toContainEqual(absent)
      else expect(absent).toEqual(readingOf(key, asWritten(value)))
      expect(absent === 'refused').toBe(normal === '')
    })
  }

  it('say that name, targets and roles are as of a ring, and they are', () => {
    for (const name of ['name', 'targets', 'fleetRoles'])
      expect(readingOf(`stapling[].${name}`), name).toEqual(readingOf(`rings[].${name}`))
  })
})
