import { parseConfiguration } from '../infra/app/configuration.ts'
import { readContext } from '../infra/app/context.ts'
import type { FleetDocument } from '../infra/fleet/document.ts'
import { type Carrying, readableDocument } from '../infra/fleet/readable-document.ts'
import { ownProgram } from '../infra/program/program.ts'
import { buildRingDocument } from '../infra/ring/document.ts'
import { buildOffboardDocument } from '../infra/ring/offboard.ts'
import { preflightDocuments } from '../infra/ring/preflight.ts'
import { buildStapleDocument } from '../infra/stapling/document.ts'
import { TicketringError } from '../lambda/kernel/errors.ts'

/** A document of cdk.json, as it would be in the stack. */
export interface ConfiguredDocument {
  /** In Systems Manager. */
  readonly name: string
  /** Ring or set that it delivers; undefined of one that delivers nothing. */
  readonly delivers?: string
  readonly description: string
  /** As a person reads it. */
  readonly text: string
}

/** All that the rings and sets of cdk.json have, an offboard document of each ring among them. */
export function configuredDocuments(): readonly ConfiguredDocument[] {
  const { rings, stapling } = parseConfiguration(readContext().ticketring)
  const program = ownProgram()
  return [
    ...rings.map((ring) => delivery(ring.name, buildRingDocument(ring, program))),
    ...stapling.map((set) => delivery(set.name, buildStapleDocument(set, program))),
    ...[...preflightDocuments(rings), ...rings.map(buildOffboardDocument)].map(readable),
  ]
}

/**
 * @param names one: a ring, a set, or a document by its own name
 * @throws TicketringError `request-invalid` where there is no such one, or several are named.
 */
export function configuredDocument([name, ...more]: readonly string[]): ConfiguredDocument {
  const all = configuredDocuments()
  const found = all.find((each) => name !== undefined && [each.delivers, each.name].includes(name))
  if (found !== undefined && more.length === 0) return found
  throw new TicketringError('request-invalid', {
    wanted: `one of ${all.map((each) => each.delivers ?? each.name).join(', ')}`,
    came: JSON.stringify([name, ...more].join(' ').slice(0, 64)),
    fix: 'See --help',
  })
}

/** A line of each: its name, and what it is. */
export function listOf(documents: readonly ConfiguredDocument[]): string {
  const width = Math.max(...documents.map(({ name }) => name.length))
  return documents.map(({ name, description }) => `${name.padEnd(width)}  ${description}`).join('\n')
}

function delivery(delivers: string, document: FleetDocument): ConfiguredDocument {
  return { delivers, ...readable({ ...document, carried: document }) }
}

function readable(document: Carrying): ConfiguredDocument {
  const { name, content } = document
  return { name, description: content.description, text: readableDocument(document) }
}
