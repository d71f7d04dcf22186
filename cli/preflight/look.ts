import { isRefusal } from '../../lambda/kernel/errors.ts'
import { excerpt } from '../../lambda/kernel/excerpt.ts'
import { Fields } from '../../lambda/kernel/fields.ts'
import type { MachineResult } from '../aws/run-command.ts'

/** Something that stands in the way on a machine: a code of docs/errors.md, or one of {@link UNHEARD}. */
export interface Problem {
  readonly code: string
  readonly detail: string
}

/** What a machine says of itself, as far as it got. */
export interface Facts {
  readonly python?: string
  readonly openssl?: string
  readonly server?: string
  readonly serverVersion?: string
  readonly generation?: number
  /** Seconds that it is ahead of AWS. */
  readonly clock?: number
  /** Seconds that the server announces of a ticket. */
  readonly lifetime?: number
  readonly open?: number
  readonly guarded?: number
}

/** A machine, and all that stands in the way there. */
export interface Look {
  readonly instance: string
  readonly name?: string
  /** Whether anything can be told of it. */
  readonly answered: boolean
  readonly problems: readonly Problem[]
  readonly facts: Facts
}

/** Why nothing can be told of a machine. */
export const UNHEARD = ['offline', 'unanswered', 'answer-malformed'] as const

const SHAPE = 'result-line-malformed'
const LINE = [
  'v',
  'check',
  'script',
  'ms',
  'problems',
  'error',
  'detail',
  'python',
  'openssl',
  'server',
  'serverVersion',
  'generation',
  'clock',
  'listeners',
  'lifetime',
]
/** None that says of another machine that it was not heard, or of this one that nothing is in the way. */
const CODE = new RegExp(`^(?!(${[...UNHEARD, 'none'].join('|')})$)[a-z][a-z0-9-]{0,63}$`)
const WORD = /^[\w.+~-]{0,64}$/
const PRINTABLE = /^[\x20-\x7e]{0,300}$/

/** What a machine said, or why it said nothing. Does not throw. */
export function lookOf(ring: string, { id, name, online, status, output }: MachineResult): Look {
  const machine = { instance: id, ...(name === undefined ? {} : { name }) }
  const unheard = (code: (typeof UNHEARD)[number], detail: string): Look => {
    return { ...machine, answered: false, problems: [{ code, detail }], facts: {} }
  }
  const [line] = output.split('\n').filter((each) => each.startsWith('{'))
  if (line === undefined && !online)
    return unheard('offline', 'Systems Manager has lost it, so it was not asked')
  if (line === undefined && output.trim() === '') return unheard('unanswered', `said nothing (${status})`)
  try {
    return { ...machine, answered: true, ...parse(ring, line ?? output) }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return unheard('answer-malformed', `${status}: ${excerpt(output.trim())}`)
  }
}

function parse(ring: string, line: string): Pick<Look, 'problems' | 'facts'> {
  const fields = Fields.ofJson(line, 'a look', SHAPE, LINE)
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  if (fields.name('check', 'a ring') !== ring) fields.refuse('check', `the ring ${ring}`)
  const problems = fields.has('error') ? [problemIn(fields, 'error')] : fields.list('problems', parseProblem)
  return { problems, facts: parseFacts(fields) }
}

function parseProblem(value: unknown): Problem {
  return problemIn(Fields.of(value, 'a problem', SHAPE, ['code', 'detail']), 'code')
}

function problemIn(fields: Fields, code: 'code' | 'error'): Problem {
  return {
    code: fields.string(code, CODE, 'a code of docs/errors.md'),
    detail: fields.string('detail', PRINTABLE, 'printable text'),
  }
}

function parseFacts(fields: Fields): Facts {
  const told = <T>(name: string, read: (name: string) => T) =>
    fields.has(name) ? { [name]: read(name) } : {}
  const word = (name: string) => fields.string(name, WORD, 'a word')
  const count = (name: string) => fields.integer(name, 0)
  return {
    ...told('python', word),
    ...told('openssl', word),
    ...told('server', word),
    ...told('serverVersion', word),
    ...told('generation', count),
    ...told('clock', (name) => fields.integer(name, Number.MIN_SAFE_INTEGER)),
    ...told('lifetime', count),
    ...(fields.has('listeners') ? parseListeners(fields.raw('listeners')) : {}),
  }
}

function parseListeners(value: unknown): Pick<Facts, 'open' | 'guarded'> {
  const fields = Fields.of(value, 'listeners', SHAPE, ['open', 'guarded'])
  return { open: fields.integer('open', 0), guarded: fields.integer('guarded', 0) }
}
