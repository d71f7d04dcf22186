import { Inspection } from '../../lambda/kernel/inspection.ts'

/**
 * CloudFormation's: bytes of a template's body, and resources of a stack. IAM's: characters of a role's inline policies.
 * EventBridge's: characters of an event pattern.
 */
const MOST = { bytes: 1_000_000, resources: 500, policies: 10_240, pattern: 2_048 } as const

interface Resource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
}

/**
 * Refuses a template that no deploy would get through.
 * @throws TicketringError `configuration-invalid` that lists every limit which is passed.
 */
export function refuseOversize(text: string): void {
  const { Resources }: { readonly Resources: Readonly<Record<string, Resource>> } = JSON.parse(text)
  const inspection = new Inspection()
  const refuse = (what: string, most: number, unit: string, came: number, instead: string) => {
    if (came > most) inspection.note(what, `at most ${most} ${unit}. ${instead}`, came)
  }
  const fewer = 'Deploy some of the rings or sets to another account, or in an app of your own'
  refuse('the template', MOST.bytes, 'bytes', Buffer.byteLength(text), fewer)
  refuse('the stack', MOST.resources, 'resources', Object.keys(Resources).length, fewer)
  for (const [role, length] of inlinePolicies(Resources)) {
    const instead = 'Name it for fewer rings or sets, or give a set a chainPath'
    refuse(`role ${role}`, MOST.policies, 'characters of inline policies', length, instead)
  }
  for (const [id, { Type, Properties = {} }] of Object.entries(Resources)) {
    if (Type !== 'AWS::Events::Rule') continue
    const length = JSON.stringify(writtenOut(Properties.EventPattern)).length
    refuse(
      `rule ${id}`,
      MOST.pattern,
      'characters of its pattern',
      length,
      'Let fewer roles read the ring, or shorter names',
    )
  }
  inspection.settle('a stack within the limits of CloudFormation, IAM and EventBridge')
}

/** How long the inline policies of each role are together. What a role of a fleet has besides is not known here. */
function inlinePolicies(resources: Readonly<Record<string, Resource>>): ReadonlyMap<string, number> {
  const lengths = new Map<string, number>()
  const add = (role: string, document: unknown) =>
    lengths.set(role, (lengths.get(role) ?? 0) + JSON.stringify(writtenOut(document)).length)
  for (const [id, { Type, Properties = {} }] of Object.entries(resources)) {
    if (Type === 'AWS::IAM::Role') {
      for (const { PolicyDocument } of (Properties.Policies ?? []) as Inline[]) add(id, PolicyDocument)
    }
    if (Type === 'AWS::IAM::Policy') {
      for (const role of (Properties.Roles ?? []) as unknown[]) add(nameOf(role), Properties.PolicyDocument)
    }
  }
  return lengths
}

interface Inline {
  readonly PolicyDocument: unknown
}

function nameOf(role: unknown): string {
  return typeof role === 'string' ? role : String(Object.values(role as object)[0])
}

/** What a reference becomes, at its longest. */
const LONGEST: Readonly<Record<string, string>> = {
  'AWS::Partition': 'aws-us-gov',
  'AWS::Region': 'ap-northeast-1',
  'AWS::AccountId': '123456789012',
  'AWS::URLSuffix': 'amazonaws.com.cn',
}

function writtenOut(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writtenOut)
  if (typeof value !== 'object' || value === null) return value
  const [[operator = '', operand] = []] = Object.entries(value)
  if (operator === 'Fn::Join') return (operand as [string, unknown[]])[1].map(writtenOut).join('')
  if (operator === 'Ref' || operator === 'Fn::GetAtt') return referred(operand)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, writtenOut(inner)]))
}

/** An ARN whose name CloudFormation makes from those of stack and resource. */
function referred(to: unknown): string {
  const [id = ''] = [to].flat().map(String)
  return LONGEST[id] ?? 'x'.repeat(100 + id.length)
}
