import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import { parseReason } from '../kernel/reason.ts'

export const STAPLE_ACTIONS = ['refresh', 'status', 'explain', 'deliver', 'withdraw'] as const
export type StapleAction = (typeof STAPLE_ACTIONS)[number]

/** A scheduled or manual invocation of the staple function. */
export interface StapleRequest {
  readonly action: StapleAction
  /** The owner's name of one certificate; without it all are meant. `deliver` brings the others along. */
  readonly certificate?: string
  /** `refresh`: ask now, due or not. `withdraw`: also where so many are due that a run alone would hold. */
  readonly force: boolean
  /** `deliver`: takes the fleet as it is now for what it should be, though it has shrunk; and why that is right. */
  readonly reason?: string
  /** `explain`: judge this response instead of the stored one. */
  readonly response?: Uint8Array
}

const CODE = 'request-invalid'

/**
 * For a function that only looks.
 * @throws TicketringError `read-only` for whatever would act.
 */
export function requireLooking(request: StapleRequest): StapleRequest {
  if (request.action === 'status' || request.action === 'explain') return request
  throw new TicketringError('read-only', {
    wanted: 'the action status or explain of the function that only looks',
    came: `the action ${request.action}`,
    fix: "Ask the set's staple function, ticketring-<set>-staples, if you may",
  })
}

/** @throws TicketringError `request-invalid` naming what is allowed. */
export function parseStapleRequest(event: unknown): StapleRequest {
  const fields = Fields.of(event, 'the event', CODE, ['action', 'certificate', 'force', 'reason', 'response'])
  const action = fields.oneOf('action', STAPLE_ACTIONS)
  if (fields.has('force') && action !== 'refresh' && action !== 'withdraw')
    fields.refuse('force', 'absent: only refresh and withdraw take it')
  if (fields.has('reason') && action !== 'deliver') fields.refuse('reason', 'absent: only deliver takes one')
  if (fields.has('response') && action !== 'explain')
    fields.refuse('response', 'absent: only explain takes one')
  if (action === 'explain' && !fields.has('certificate'))
    fields.refuse('certificate', 'the name of the certificate to explain')
  const force = fields.has('force') && fields.boolean('force')
  if (action === 'withdraw' && !fields.has('certificate') && !force)
    fields.refuse(
      'certificate',
      'the name of the certificate to withdraw, or "force" for all that are at their end',
    )
  return {
    action,
    ...(fields.has('certificate') ? { certificate: fields.string('certificate') } : {}),
    force,
    ...(fields.has('reason') ? { reason: parseReason(fields) } : {}),
    ...(fields.has('response') ? { response: parseBase64(fields) } : {}),
  }
}

/** An OCSP response in base64; line breaks are let through. */
function parseBase64(fields: Fields): Uint8Array {
  const text = fields.string('response', /^[A-Za-z0-9+/\s]+={0,2}\s*$/, 'an OCSP response in base64')
  return Buffer.from(text, 'base64')
}
