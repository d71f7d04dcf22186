import {
  CloudFormationClient,
  type Stack as Described,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation'
import { staplesStatusName, statusName } from '../../infra/fleet/names.ts'
import { readTargets } from '../../infra/fleet/targets-text.ts'
import { NAME } from '../../lambda/kernel/fields.ts'
import { nearestName } from '../../lambda/kernel/nearest-name.ts'
import { ServiceError } from '../service-error.ts'
import { type Account, clientOptions, refusalOf } from './account.ts'
import type { Targets } from './run-command.ts'

/** What a stack's outputs tell of a ring. */
export interface DeployedRing {
  readonly name: string
  /** Names of the functions: the one that acts, and the one that only looks. */
  readonly rotation: string
  readonly status: string
  /** Log group of the one that acts; undefined in a stack of a release that did not tell it. */
  readonly log: string | undefined
  /** What takes it off its machines; undefined where it is not told to leave. */
  readonly offboard: Offboarding | undefined
  /** What looks whether its machines could take it; undefined where it is told to leave, and in a stack of an earlier release. */
  readonly preflight: Preflight | undefined
}

export interface Preflight {
  readonly document: string
  readonly targets: Targets
}

export interface Offboarding extends Preflight {
  /** Kinds of server. */
  readonly servers: readonly string[]
}

/** The same of a set of staples. */
export interface DeployedSet {
  readonly name: string
  readonly status: string
}

/** What is deployed: rings and sets by the stack's outputs. */
export class DeployedStack {
  readonly name: string
  readonly rings: readonly DeployedRing[]
  readonly sets: readonly DeployedSet[]

  constructor(name: string, outputs: Readonly<Record<string, string>>) {
    this.name = name
    this.rings = ringsIn(outputs)
    this.sets = setsIn(outputs)
  }

  /**
   * @param ofSet what is to be done instead where a set of staples has the name
   * @throws ServiceError that has the nearest name, or says that.
   */
  ring(name: string, ofSet = explained): DeployedRing {
    const has = (all: readonly { readonly name: string }[]) => all.some((each) => each.name === name)
    if (!has(this.rings) && has(this.sets))
      throw new ServiceError(`${name} is a set of staples, not a ring`, ofSet(name))
    return find('ring', name, this.rings, this.name)
  }

  /** @throws ServiceError that has the nearest name. */
  set(name: string): DeployedSet {
    return find('set', name, this.sets, this.name)
  }
}

function explained(set: string): string {
  return `Of a set there is ticketring explain ${set} CERTIFICATE; its function takes the rest (docs/operations.md#invoke-by-hand)`
}

/** Stacks that are looked at for the one that an operator may have meant: ten pages. */
const MOST_PAGES = 10

/** @throws ServiceError where there is no such stack, it has no ring and no set, or it cannot be read. */
export async function findStack(account: Account, name: string): Promise<DeployedStack> {
  const client = new CloudFormationClient(clientOptions(account))
  const explain = (error: unknown) => refusalOf(error, account, `cloudformation:DescribeStacks on ${name}`)
  try {
    const { Stacks: [found] = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
    const stack = new DeployedStack(name, outputsOf(found))
    if (stack.rings.length + stack.sets.length > 0) return stack
    throw await elsewhere(client, name, `The stack ${name} has no ring (${found?.StackStatus})`)
  } catch (error) {
    if (error instanceof ServiceError) throw error
    const isMissing =
      (error as Error).name === 'ValidationError' && /does not exist/.test((error as Error).message)
    throw isMissing
      ? await elsewhere(client, name, `No stack ${name} in this account and Region`)
      : explain(error)
  }
}

/** Which stacks have rings; that they cannot be listed is no news to who asked for another one. */
async function elsewhere(client: CloudFormationClient, asked: string, what: string): Promise<ServiceError> {
  const known = await stacksWithRings(client).catch(() => [])
  const nearest = nearestName(asked, known)
  const others =
    known.length === 0 ? 'Check --stack, --profile and --region' : `Name it by --stack: ${known.join(', ')}`
  return new ServiceError(what, nearest === undefined ? others : `Did you mean --stack ${nearest}?`)
}

async function stacksWithRings(client: CloudFormationClient): Promise<readonly string[]> {
  const names: string[] = []
  let next: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const { Stacks = [], NextToken } = await client.send(new DescribeStacksCommand({ NextToken: next }))
    for (const each of Stacks) {
      const { rings, sets } = new DeployedStack(each.StackName ?? '', outputsOf(each))
      if (rings.length + sets.length > 0) names.push(each.StackName ?? '')
    }
    if (NextToken === undefined) break
    next = NextToken
  }
  return names
}

function outputsOf(stack: Described | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  )
}

function ringsIn(outputs: Readonly<Record<string, string>>): readonly DeployedRing[] {
  return toldIn(outputs, /^ticketring-(.+)-rotation$/).flatMap(({ name, value, of }) => {
    const status = of('Status')
    return status !== statusName(name)
      ? []
      : [
          {
            name,
            rotation: value,
            status,
            log: of('Log'),
            offboard: offboardingOf(of),
            preflight: documentOf(of, 'Preflight'),
          },
        ]
  })
}

function offboardingOf(of: Part): Offboarding | undefined {
  const found = documentOf(of, 'Offboard')
  return found === undefined ? undefined : { ...found, servers: of('Servers')?.split(',') ?? [] }
}

/** A document, and the machines that it is for. */
function documentOf(of: Part, output: 'Offboard' | 'Preflight'): Preflight | undefined {
  const [document, targets] = [of(output), readTargets(of('Targets') ?? '')]
  return document === undefined || targets === undefined ? undefined : { document, targets }
}

type Part = (name: string) => string | undefined

function setsIn(outputs: Readonly<Record<string, string>>): readonly DeployedSet[] {
  return toldIn(outputs, /^ticketring-(.+)-staples$/).flatMap(({ name, of }) => {
    const status = of('Status')
    return status !== staplesStatusName(name) ? [] : [{ name, status }]
  })
}

/** A function's name says whose it is, and no other one is asked, whatever an output says; what else is told of it has the same head: `EdgeFunction`, `EdgeStatus`, `EdgeLog`. */
function toldIn(outputs: Readonly<Record<string, string>>, pattern: RegExp) {
  const found = Object.entries(outputs).flatMap(([key, value]) => {
    const name = key.endsWith('Function') ? pattern.exec(value)?.[1] : undefined
    const head = key.slice(0, -'Function'.length)
    return name === undefined || !NAME.test(name)
      ? []
      : [{ name, value, of: (part: string) => outputs[`${head}${part}`] }]
  })
  return found.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

function find<T extends { readonly name: string }>(
  kind: 'ring' | 'set',
  name: string,
  known: readonly T[],
  stack: string,
): T {
  const found = known.find((each) => each.name === name)
  if (found !== undefined) return found
  const names = known.map((each) => each.name)
  const nearest = nearestName(name, names)
  const others =
    names.length === 0 ? `It has no ${kind} at all: another one by --stack` : `There is ${names.join(', ')}`
  throw new ServiceError(
    `No ${kind} ${name} in the stack ${stack}`,
    nearest === undefined ? others : `Did you mean ${nearest}?`,
  )
}
