import { parseArgs } from 'node:util'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { nearestName } from '../../lambda/kernel/nearest-name.ts'
import { HELP } from '../help-option.ts'
import { type Fleet, KINDS, type Kind, kindsOf, sizeOf } from './machines/kinds.ts'
import type { Scene } from './scenes/scene.ts'
import { SCENE_NAMES, SCENES, type SceneName, sceneList } from './scenes/scenes.ts'

/** What the command line asks for. */
export interface Options {
  readonly rotations: number
  readonly fleet: Fleet
  /** Where the JSON report goes, if anywhere. */
  readonly report?: string
  /** Where a page that shows the run goes, if anywhere. */
  readonly html?: string
  /** Configurations of the user's, which the fleet's machines run: files. */
  readonly configurations: Readonly<Partial<Record<Kind, string>>>
  /** Stay up after the rotations. */
  readonly keep: boolean
  /** What befalls the fleet meanwhile, if anything. */
  readonly scene?: SceneName
  /** Whether a straggler, a held gate and a revoke are shown too: where nothing else is asked of the run. */
  readonly show?: true
}

const FLEET: Fleet = { haproxy: 3, nginx: 2 }
/** Machines that run a configuration of the user's: what there have to be for a ring. */
const OWN = 2

export const USAGE = `Usage: npm start -- [options]

Rehearses ticket-key rotation and OCSP stapling on this machine: the synthesised stack on a loopback AWS, real servers,
a real responder, real TLS clients. Exit code 0 only if no resumption was lost, no retired ticket accepted, no
key byte found, and every staple what it should be. Without --rotations, --fleet, a configuration, --scene and --keep it also
shows a machine that falls behind, the gate that waits for it, and after all that a revoke, which is one generation more.

  --rotations N             advances to go through, 1 to 1000 (default 5)
  --fleet haproxy=3,nginx=2 machines of each kind, 0 to 20 (this is the default), of ${KINDS.join(', ')}; the last of two
                            or more is behind PROXY protocol, where that kind can be
  --haproxy-config FILE     two machines run this haproxy.cfg of yours, with its addresses moved to loopback; what a ring
                            needs is added in the copy and said; what may reach or start anything else is refused
  --nginx-config FILE       the same for an nginx.conf and what it includes; with both there are two machines of each.
                            Neither goes with --fleet or --scene
  --scene NAME              what befalls the fleet meanwhile, of the list below
  --report FILE             write the result as JSON
  --html FILE               write a page that shows the run: machines over time, all in one file
  --keep                    stay up afterwards, until Ctrl-C, for \`npm run invoke\`
  -h, --help                this text

Scenes, which are listed without a name as well:
${sceneList()}`

/**
 * Reads the command line.
 * @returns the options, or what was asked for instead: `help`, or which `scenes` there are.
 * @throws TicketringError `request-invalid` naming the option.
 */
export function parseOptions(words: readonly string[]): Options | 'help' | 'scenes' {
  if (words.at(-1) === '--scene') return 'scenes'
  const values = readWords(words)
  if (values.help === true) return 'help'
  const scene = values.scene === undefined ? undefined : parseScene(values.scene)
  const configurations = configurationsOf(values)
  const own = ownFleet(configurations, values)
  const fleet = own ?? (values.fleet === undefined ? fleetOf(scene) : parseFleet(values.fleet))
  if (scene !== undefined) requireSize(scene, fleet)
  return {
    rotations: parseCount('--rotations', values.rotations ?? '5', 1, 1000),
    fleet,
    configurations,
    keep: values.keep === true,
    ...(values.report === undefined ? {} : { report: parseFile('--report', values.report) }),
    ...(values.html === undefined ? {} : { html: parseFile('--html', values.html) }),
    ...(scene === undefined ? {} : { scene }),
    ...(isPlain(values) ? { show: true } : {}),
  }
}

function isPlain({ rotations, fleet, scene, keep, ...values }: ReturnType<typeof readWords>): boolean {
  const configurations = OWN_KINDS.map((kind) => values[`${kind}-config`])
  return [rotations, fleet, scene, keep, ...configurations].every((value) => value === undefined)
}

function readWords(words: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = {
    rotations: text,
    fleet: text,
    'haproxy-config': text,
    'nginx-config': text,
    report: text,
    html: text,
    scene: text,
    keep: flag,
    help: HELP,
  }
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    const came = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw refuse(
      'the options --rotations N, --fleet KINDS, --haproxy-config FILE, --nginx-config FILE, --scene NAME, --report FILE, --html FILE, --keep, --help',
      `${came}`,
    )
  }
}

const OWN_KINDS = ['haproxy', 'nginx'] as const

function configurationsOf(values: ReturnType<typeof readWords>): Options['configurations'] {
  const named = OWN_KINDS.flatMap((kind) => {
    const option = `${kind}-config` as const
    const file = values[option]
    return file === undefined ? [] : [[kind, parseFile(`--${option}`, file)] as const]
  })
  return Object.fromEntries(named)
}

/** The machines that run the user's configurations; undefined where there are none. */
function ownFleet(
  configurations: Options['configurations'],
  { fleet, scene }: ReturnType<typeof readWords>,
): Fleet | undefined {
  const kinds = OWN_KINDS.filter((kind) => configurations[kind] !== undefined)
  if (kinds.length === 0) return undefined
  const options = kinds.map((kind) => `--${kind}-config`).join(' and ')
  if (fleet !== undefined)
    throw refuse(`${options} without --fleet: there are two machines of each kind`, `--fleet ${fleet}`)
  // What scenes do to a configuration, they do to their own.
  if (scene !== undefined) throw refuse(`${options} without --scene`, `--scene ${scene}`)
  return Object.fromEntries(kinds.map((kind) => [kind, OWN]))
}

function parseFleet(text: string): Fleet {
  const fleet: Partial<Record<Kind, number>> = {}
  for (const part of text.split(',')) {
    const [word = '', count, ...more] = part.split('=')
    const kind = KINDS.find((each) => each === word)
    if (kind === undefined || count === undefined || more.length > 0) throw refusePair(part, word)
    if (fleet[kind] !== undefined) throw refuse('--fleet with each kind once', `${kind} twice`)
    fleet[kind] = parseCount(`--fleet ${kind}`, count, 0, 20)
  }
  if (sizeOf(fleet) === 0) throw refuse('--fleet with at least one machine', quote(text))
  return fleet
}

function refusePair(part: string, word: string): TicketringError {
  const meant = nearestName(word, KINDS)
  const hint = meant === undefined || meant === word ? '' : ` (did you mean ${meant}?)`
  const kinds = `${KINDS.slice(0, -1).join(', ')} and ${KINDS.at(-1)}`
  return refuse(`--fleet as kind=count pairs of ${kinds}, such as haproxy=3,nginx=2`, `${quote(part)}${hint}`)
}

function parseCount(option: string, text: string, least: number, most: number): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (count >= least && count <= most) return count
  throw refuse(`${option} as a whole number from ${least} to ${most}`, quote(text))
}

function parseScene(text: string): SceneName {
  const found = SCENE_NAMES.find((name) => name === text)
  if (found !== undefined) return found
  const meant = nearestName(text, SCENE_NAMES)
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
  throw refuse(`--scene as one of ${SCENE_NAMES.join(', ')}`, `${quote(text)}${hint}`)
}

/** What a fleet is where the command line does not say. */
function fleetOf(name: SceneName | undefined): Fleet {
  const scene: Scene | undefined = name === undefined ? undefined : SCENES[name]
  return scene?.fleet ?? FLEET
}

function requireSize(name: SceneName, fleet: Fleet): void {
  const { least, kind }: Scene = SCENES[name]
  if (sizeOf(fleet) < least)
    throw refuse(`--fleet with ${least} machines or more for --scene ${name}`, `${sizeOf(fleet)}`)
  if (kind !== undefined && sizeOf(fleet, [kind]) === 0)
    throw refuse(`--fleet with ${kind} for --scene ${name}`, kindsOf(fleet).join(', '))
}

function parseFile(option: string, text: string): string {
  if (text === '') throw refuse(`${option} with the name of a file`, 'an empty name')
  return text
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}

function refuse(wanted: string, came: string): TicketringError {
  return new TicketringError('request-invalid', { wanted, came, fix: 'See npm start -- --help' })
}
