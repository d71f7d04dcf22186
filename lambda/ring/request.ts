import { durationText, secondsOf } from '../kernel/durations.ts'
import { TicketringError } from '../kernel/errors.ts'
import { Fields, kindOf } from '../kernel/fields.ts'
import { parseLine, parseReason } from '../kernel/reason.ts'
import { INSTANCE, LONGEST_SET } from './control.ts'

/** What operators set for a while, in the control parameter. */
const CONTROLS = ['pause', 'resume', 'quarantine', 'release', 'rollback'] as const
export const ACTIONS = ['status', 'rotate', 'deliver', 'revoke', 'reconcile', 'promote', ...CONTROLS] as const
export type Action = (typeof ACTIONS)[number]

/** A manual or scheduled invocation. */
export interface ActionRequest {
  readonly kind: 'action'
  readonly action: Action
  /** Of a revoke: which ring is meant, spelt out. */
  readonly ring?: string
  readonly scheduledTime?: Date
  readonly reason?: string
  /** Makes a client's retry harmless. */
  readonly token?: string
  /** For how long something is set. */
  readonly seconds?: number
  /** Which machine is set aside, or counts again, or alone is delivered to. */
  readonly instance?: string
  /** Of a rollback: that it ends. */
  readonly undo?: boolean
  /** Who asks, in their own word. */
  readonly by?: string
  readonly dryRun: boolean
}

/** A request to set something. */
export interface ControlRequest extends ActionRequest {
  readonly action: (typeof CONTROLS)[number]
}

export function isControl(request: ActionRequest): request is ControlRequest {
  return CONTROLS.some((each) => each === request.action)
}

/** True if it asks what is or what would be: then nothing is written, whichever function answers. */
export function onlyLooks({ action, dryRun }: ActionRequest): boolean {
  return action === 'status' || dryRun
}

/**
 * For a function that only looks.
 * @throws TicketringError `read-only` for whatever would act.
 */
export function requireLooking(request: RotationRequest): ActionRequest {
  if (request.kind === 'action' && onlyLooks(request)) return request
  throw new TicketringError('read-only', {
    wanted: '{"action":"status"}, or an action with "dryRun": true, of the function that only looks',
    came: request.kind === 'step' ? `the step ${request.step}` : `the action ${request.action}`,
    fix: "Ask the ring's rotation function, ticketring-<ring>-rotation, if you may",
  })
}

export const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const
export type Step = (typeof STEPS)[number]

/** One of the four calls that Secrets Manager makes of a rotation function. */
export interface StepRequest {
  readonly kind: 'step'
  readonly step: Step
  readonly secret: string
  readonly token: string
  /** Sensitive: forwarded to PutSecretValue, never logged. */
  readonly rotationToken?: string
  /** Names of fields that this version does not know: AWS adds some. */
  readonly unknown?: readonly string[]
}

type RotationRequest = ActionRequest | StepRequest

/**
 * Tells the entry points of the rotation function apart by shape.
 * @throws TicketringError `request-invalid` naming what is allowed.
 */
export function parseRotationRequest(event: unknown): RotationRequest {
  const shape = typeof event === 'object' && event !== null ? event : {}
  if ('Step' in shape) return parseStep(event)
  if ('action' in shape) return parseAction(event)
  throw new TicketringError('request-invalid', {
    wanted: `{"action": one of ${ACTIONS.join(', ')}} or a rotation step of Secrets Manager`,
    came: kindOf(event),
  })
}

function parseAction(event: unknown): ActionRequest {
  const allowed = [
    'action',
    'ring',
    'scheduledTime',
    'reason',
    'token',
    'for',
    'instance',
    'undo',
    'by',
    'dryRun',
  ]
  const fields = Fields.of(event, 'the event', 'request-invalid', allowed)
  const action = fields.oneOf('action', ACTIONS)
  if (fields.has('scheduledTime') && action !== 'rotate')
    fields.refuse('scheduledTime', 'absent: only rotate has one')
  if (fields.has('token') && action !== 'rotate' && action !== 'revoke') {
    fields.refuse('token', 'absent: only rotate and revoke take one')
  }
  if (action !== 'revoke' && fields.has('ring')) fields.refuse('ring', 'absent: only revoke names its ring')
  if (action === 'revoke') requireSpelling(fields)
  refuseOthersFields(fields, action)
  return {
    kind: 'action',
    action,
    ...(fields.has('ring') ? { ring: fields.name('ring', 'the name of a ring') } : {}),
    ...(fields.has('scheduledTime') ? { scheduledTime: fields.time('scheduledTime') } : {}),
    ...(fields.has('reason') ? { reason: parseReason(fields) } : {}),
    ...(fields.has('token')
      ? { token: fields.string('token', /^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, - or _') }
      : {}),
    ...parseSetting(fields, action),
    dryRun: fields.has('dryRun') && fields.boolean('dryRun'),
  }
}

const TAKES_FOR: readonly Action[] = ['pause', 'quarantine']
const TAKES_INSTANCE: readonly Action[] = ['quarantine', 'release', 'deliver']

function refuseOthersFields(fields: Fields, action: Action): void {
  if (fields.has('for') && !TAKES_FOR.includes(action))
    fields.refuse('for', 'absent: only pause and quarantine take one')
  if (fields.has('instance') && !TAKES_INSTANCE.includes(action))
    fields.refuse('instance', 'absent: only quarantine, release and deliver take one')
  if (fields.has('undo') && action !== 'rollback') fields.refuse('undo', 'absent: only rollback takes it')
  if (fields.has('by') && !CONTROLS.some((each) => each === action))
    fields.refuse('by', `absent: only ${CONTROLS.join(', ')} take it`)
}

function parseSetting(
  fields: Fields,
  action: Action,
): Pick<ActionRequest, 'seconds' | 'instance' | 'reason' | 'undo' | 'by'> {
  const isSet = TAKES_FOR.includes(action)
  return {
    ...(isSet ? { seconds: parseFor(fields) } : {}),
    ...(isSet || action === 'rollback' ? { reason: parseReason(fields) } : {}),
    ...(fields.has('undo') ? { undo: fields.boolean('undo') } : {}),
    ...(TAKES_INSTANCE.includes(action) && (action !== 'deliver' || fields.has('instance'))
      ? { instance: fields.string('instance', INSTANCE, "a machine's id, such as i-0123456789abcdef0") }
      : {}),
    ...(fields.has('by') ? { by: parseLine(fields, 'by', 100) } : {}),
  }
}

/** With its unit: a number alone is a slip, of minutes for hours. */
function parseFor(fields: Fields): number {
  const shape = `a duration with its unit, up to ${durationText(LONGEST_SET)}, such as 90m, 4h or 2d`
  const text = fields.string('for', /^/, shape)
  const seconds = secondsOf(text)
  const came = /^[\w.+-]{1,20}$/.test(text) ? `"${text}"` : undefined
  if (seconds === undefined || seconds > LONGEST_SET) return fields.refuse('for', shape, came)
  return seconds
}

/** A revoke ends every session that a ticket could resume: it is not asked for by a slip. */
function requireSpelling(fields: Fields): void {
  const missing = ['ring', 'reason'].filter((name) => !fields.has(name))
  if (missing.length > 0) throw unspelt(`no ${missing.map((name) => `"${name}"`).join(' and no ')}`)
}

/** @throws TicketringError `request-invalid` for a revoke that names another ring than this one. */
export function requireRing({ action, ring: named }: ActionRequest, ring: string): void {
  if (action !== 'revoke' || named === ring) return
  throw unspelt(named === undefined ? 'no "ring"' : `"ring":"${named}"`, ring)
}

function unspelt(came: string, ring = '<name>'): TicketringError {
  return new TicketringError('request-invalid', {
    wanted: `a revoke that names its ring${ring === '<name>' ? '' : `, "${ring}",`} and its reason`,
    came,
    fix: `Write {"action":"revoke","ring":"${ring}","reason":"<why>"}: it replaces all three keys at once`,
  })
}

function parseStep(event: unknown): StepRequest {
  const known = ['Step', 'SecretId', 'ClientRequestToken', 'RotationToken']
  const unknown = Object.keys(Object(event)).filter((name) => !known.includes(name))
  const fields = Fields.of(event, 'the rotation event', 'request-invalid', [...known, ...unknown])
  return {
    kind: 'step',
    step: fields.oneOf('Step', STEPS),
    secret: fields.string('SecretId'),
    token: fields.string('ClientRequestToken', /^[!-~]{32,64}$/, '32 to 64 characters'),
    ...(fields.has('RotationToken') ? { rotationToken: fields.string('RotationToken') } : {}),
    ...(unknown.length === 0 ? {} : { unknown: unknown.map((name) => name.slice(0, 64)).slice(0, 10) }),
  }
}
