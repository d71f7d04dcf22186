/** Name of a ring's secret. */
export function secretName(ring: string): string {
  return `ticketring/${ring}`
}

/** Name of the SSM parameter that holds a ring's delivery record. */
export function recordName(ring: string): string {
  return `/ticketring/${ring}/delivery`
}

/** Name of a ring's rotation function. */
export function functionName(ring: string): string {
  return `ticketring-${ring}-rotation`
}

/** Name of the rotation function's role: roles are global, functions are not. */
export function roleName(ring: string, region: string): string {
  return `ticketring-${ring}-rotation-${region}`
}

/** Pattern of the names that the role and its successors have. */
export function roleNamePattern(ring: string): string {
  return `ticketring-${ring}-rotation-*`
}

/** Name of a ring's schedule group, and the head of its alarms' names. */
export function groupName(ring: string): string {
  return `ticketring-${ring}`
}
