import { mapConcurrently } from '../../lambda/kernel/map-concurrently.ts'
import type { Endpoint } from './endpoint.ts'
import { type Handshake, type HandshakeOptions, VERSIONS, type Version } from './handshake.ts'

/** What one listener showed in one version, asked twice: two tickets tell whether they begin with a key's name. */
export interface Sight {
  readonly endpoint: Endpoint
  readonly version: Version
  readonly first: Handshake
  readonly second: Handshake
}

/** A ticket of one listener, tried at another without a certificate. */
export interface Trial {
  readonly version: Version
  readonly from: Endpoint
  readonly to: Endpoint
  readonly outcome: 'reused' | 'full' | 'refused' | 'failed'
}

export interface Survey {
  readonly endpoints: readonly Endpoint[]
  readonly sights: readonly Sight[]
  readonly trials: readonly Trial[]
}

/** The edge that {@link survey} asks. */
export type Connect = (endpoint: Endpoint, options: HandshakeOptions) => Promise<Handshake>

interface SurveyOptions {
  readonly connect: Connect
  /** ms for one connection. */
  readonly patience: number
  /** Connections at a time. */
  readonly hands: number
  /** Told what is done and what is to be done. */
  readonly onProgress: (what: string) => void
}

/** Looks at every listener in both versions, then tries a ticket of each at every one. */
export async function survey(endpoints: readonly Endpoint[], options: SurveyOptions): Promise<Survey> {
  const asked = endpoints.flatMap((endpoint) => VERSIONS.map((version) => ({ endpoint, version })))
  const looking = counter(asked.length, 'listeners looked at', options)
  const sights = await mapConcurrently(asked, options.hands, (each) => looking(look(each, options)))
  const pairs = sights.flatMap((from) => {
    const { session, ticket } = from.first.kind === 'answered' ? from.first : {}
    if (session === undefined || ticket === undefined) return []
    const targets = sights.filter(({ version, first }) => version === from.version && first.kind !== 'failed')
    return targets.map((to) => ({ from, to, session }))
  })
  const trying = counter(pairs.length, 'tickets tried', options)
  const trials = await mapConcurrently(pairs, options.hands, (pair) => trying(attempt(pair, options)))
  return { endpoints, sights, trials }
}

async function look(
  { endpoint, version }: Pick<Sight, 'endpoint' | 'version'>,
  { connect, patience }: SurveyOptions,
): Promise<Sight> {
  const first = await connect(endpoint, { version, patience })
  const second = first.kind === 'answered' ? await connect(endpoint, { version, patience }) : first
  return { endpoint, version, first, second }
}

interface Pair {
  readonly from: Sight
  readonly to: Sight
  readonly session: Buffer
}

/** Once more before a resumption counts as lost: a server that is just changing its keys is no fault. */
async function attempt({ from, to, session }: Pair, { connect, patience }: SurveyOptions): Promise<Trial> {
  const { version } = from
  const once = async () => outcomeOf(await connect(to.endpoint, { version, session, patience }))
  const first = await once()
  const outcome = first === 'reused' || to.first.kind === 'refused' ? first : await once()
  return { version, from: from.endpoint, to: to.endpoint, outcome }
}

function outcomeOf(handshake: Handshake): Trial['outcome'] {
  if (handshake.kind !== 'answered') return handshake.kind
  return handshake.reused ? 'reused' : 'full'
}

function counter(total: number, what: string, { onProgress }: SurveyOptions) {
  let done = 0
  return async <T>(work: Promise<T>): Promise<T> => {
    const result = await work
    done += 1
    onProgress(`${done} of ${total} ${what}`)
    return result
  }
}
