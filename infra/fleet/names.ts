import { text } from '../../lambda/kernel/kinds.ts'

// 29 = the 64 characters of a role's name, less `ticketring-`, `-rotation-` and the longest Region. As roles are named
// ticketring-<ring>-rotation-* and ticketring-<set>-staples-*, no other name may make its role look like one of them;
// nor may a ring named <set>-staples share a schedule group with the set. A ring's directory on a machine is beside the file
// `hold`.
export const NAME = text(
  /^(?!hold$)(?!.*-(rotation|staples))[a-z0-9][a-z0-9-]{0,28}$/,
  'a name of 1 to 29 lower-case letters, digits and hyphens, not "hold", and without "-rotation" and "-staples"',
)

/** Name of a ring's secret. */
export function secretName(ring: string): string {
  return `ticketring/${ring}`
}

/** Name of the SSM parameter that holds a ring's delivery record. */
export function recordName(ring: string): string {
  return `/ticketring/${ring}/delivery`
}

/** Name of the SSM parameter in which operators pause a ring and set machines aside. */
export function controlName(ring: string): string {
  return `/ticketring/${ring}/control`
}

/** Name of a ring's rotation function. */
export function functionName(ring: string): string {
  return `ticketring-${ring}-rotation`
}

/** Name of the function that only looks at a ring. */
export function statusName(ring: string): string {
  return `ticketring-${ring}-status`
}

/** Pattern of the names that the rotation function's role and its successors have. */
export function roleNamePattern(ring: string): string {
  return `${functionName(ring)}-*`
}

/** Name of a ring's schedule group and association, and the head of its alarms' names. */
export function groupName(ring: string): string {
  return `ticketring-${ring}`
}

/** Prefix of the SSM parameters that hold a set's staples, one for each certificate. */
export function storePath(set: string): string {
  return `/ticketring/staples/${set}`
}

/** Name of the SSM parameter that holds a set's delivery record. */
export function stapleRecordName(set: string): string {
  return `/ticketring/${set}/staples`
}

/** Name of a set's staple function, schedule group and association, and the head of its alarms' names. */
export function staplesName(set: string): string {
  return `ticketring-${set}-staples`
}

/** Name of the function that only looks at a set. */
export function staplesStatusName(set: string): string {
  return `${staplesName(set)}-status`
}
