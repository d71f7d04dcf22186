/** What of the machine's program a document carries: one capability's modules and its kinds of server. */
import { KEY_SERVERS, KINDS, STAPLE_SERVERS } from '../servers/servers.ts'
import { PACKAGE, type Program, programOf, type SourceFile } from './program.ts'
import { withoutMeanings, withoutOffer } from './python-source.ts'

export type Capability = 'ring' | 'staples'

/** Modules that one capability has for itself. */
const OWN_MODULES: Readonly<Record<Capability, readonly string[]>> = {
  ring: [
    'ring',
    'observing',
    'keys',
    'state',
    'local',
    'launch',
    'tickets',
    'tmpfs',
    'revocation',
    'bypass',
    'health',
    'refused',
    'servers/owner',
  ],
  staples: ['staples', 'store', 'judge', 'withdrawal', 'places', 'memory', 'entry', 'ocsp'],
}

/** What `--check` has for itself: packages and a ring's preflight have it, and no delivery carries it. */
const CHECK_MODULES = ['check', 'releases']

/** Modules that several kinds of server share, each after those that it needs. */
const SHARED_BY_KINDS = ['key_file', 'staple_file']

/** The kinds of server that each capability has. */
const KINDS_OF: Readonly<Record<Capability, readonly string[]>> = {
  ring: Object.keys(KEY_SERVERS),
  staples: Object.keys(STAPLE_SERVERS),
}

/** What a kind of server offers for each. */
const OFFERS: Readonly<Record<Capability, string>> = { ring: 'KEYS', staples: 'STAPLES' }

/** What each program is for each capability and its kinds of server: to strip its sources takes longer than all else at synth. */
const selections = new WeakMap<Program, Map<string, Program>>()

/** What a document carries: the program without what is the other capability's alone and without other kinds of server. */
export function programFor(
  capability: Capability,
  program: Program,
  kinds: readonly string[] = KINDS_OF[capability],
): Program {
  const named = KINDS_OF[capability].filter((kind) => kinds.includes(kind))
  return known(program, [capability, ...named], () => selectionOf(program, capability, named))
}

/** The program of these kinds of server that looks at a machine for a ring: what a delivery has, and `--check`. */
export function checkFor(program: Program, kinds: readonly string[]): Program {
  const named = KINDS_OF.ring.filter((kind) => kinds.includes(kind))
  return known(program, ['check', ...named], () => selectionOf(program, 'ring', named, { hasCheck: true }))
}

function known(program: Program, words: readonly string[], select: () => Program): Program {
  const all = selections.get(program) ?? new Map<string, Program>()
  selections.set(program, all)
  const found = all.get(words.join(' ')) ?? select()
  all.set(words.join(' '), found)
  return found
}

function selectionOf(
  { sources }: Program,
  capability: Capability,
  named: readonly string[],
  { hasCheck }: { readonly hasCheck: boolean } = { hasCheck: false },
): Program {
  const other = capability === 'ring' ? 'staples' : 'ring'
  const others = [
    ...OWN_MODULES[other],
    ...(hasCheck ? [] : CHECK_MODULES),
    ...KINDS.filter((kind) => !named.includes(kind)).flatMap((kind) => [
      `servers/${kind}`,
      `servers/${kind}_configuration`,
    ]),
  ].map((name) => `${PACKAGE}/${name}.py`)
  const kept = sources.filter(({ path }) => !others.includes(path))
  return programOf(
    withoutUnused(
      kept.map(({ path, text }) => ({
        path,
        text: withoutMeanings(withoutOffer(hasCheck ? text : withoutCheck(text, path), OFFERS[other], path)),
      })),
    ),
  )
}

/** The program's first module, which a delivery has without the way to what it lacks. */
function withoutCheck(text: string, path: string): string {
  return path === '__main__.py' ? text.replace(/^if "--check"(?:.*\n)*?else:\n\s+/m, '') : text
}

/** Without what several kinds of server share where none of these has it. */
function withoutUnused(sources: readonly SourceFile[]): readonly SourceFile[] {
  return SHARED_BY_KINDS.toReversed().reduce((kept, module) => {
    const isUsed = kept.some(({ text }) => text.includes(`from .${module} import `))
    return isUsed ? kept : kept.filter(({ path }) => path !== `${PACKAGE}/servers/${module}.py`)
  }, sources)
}
