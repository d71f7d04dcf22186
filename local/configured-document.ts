import { parseConfiguration } from '../infra/app/configuration.ts'
import { readContext } from '../infra/app/context.ts'
import { readableDocument } from '../infra/fleet/readable-document.ts'
import { ownProgram } from '../infra/program/program.ts'
import { buildRingDocument } from '../infra/ring/document.ts'
import { buildStapleDocument } from '../infra/stapling/document.ts'
import { TicketringError } from '../lambda/kernel/errors.ts'

/**
 * The document of the ring or set of cdk.json that is named, as a person reads it.
 * @throws TicketringError `request-invalid` where none is, or several are.
 */
export function configuredDocument(names: readonly string[]): string {
  const { rings, stapling } = parseConfiguration(readContext().ticketring)
  const [name, ...more] = names
  const ring = rings.find((each) => each.name === name)
  const set = stapling.find((each) => each.name === name)
  if (ring !== undefined && more.length === 0) return readableDocument(buildRingDocument(ring, ownProgram()))
  if (set !== undefined && more.length === 0) return readableDocument(buildStapleDocument(set, ownProgram()))
  throw new TicketringError('request-invalid', {
    wanted: `one of ${[...rings, ...stapling].map((each) => each.name).join(', ')}`,
    came: names.length === 0 ? 'no name' : JSON.stringify(names.join(' ').slice(0, 64)),
    fix: 'See --help',
  })
}
