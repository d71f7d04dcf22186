/** What Change Calendars say of now, all of them together, or why that is not known. */
export type CalendarSight = { readonly names: readonly string[] } & (
  | {
      readonly state: 'open' | 'closed'
      /** When that changes next; absent where it is not to. */
      readonly until?: Date
    }
  | { readonly state: 'unread'; readonly refusal: string }
)

interface CalendarHold {
  readonly waitsFor: 'calendar' | 'unread-calendar'
  readonly reason: string
  readonly until?: Date
}

/**
 * Whether calendars hold a new generation. A closed one is an operator's decision, and holds however old the keys get, like a
 * pause; one that cannot be read is none, so past `maxKeyAge` forward secrecy wins.
 */
export function calendarHold(sight: CalendarSight | undefined, isTooOld: boolean): CalendarHold | undefined {
  if (sight === undefined || sight.state === 'open') return undefined
  if (sight.state === 'unread')
    return isTooOld ? undefined : { waitsFor: 'unread-calendar', reason: unreadText(sight) }
  const { until } = sight
  return { waitsFor: 'calendar', reason: closedText(sight), ...(until === undefined ? {} : { until }) }
}

/** Systems Manager answers for all of them at once. */
function closedText({ names, until }: { readonly names: readonly string[]; readonly until?: Date }): string {
  const end = until === undefined ? 'no end is planned' : `until ${until.toISOString()}`
  return `held by ${names.length === 1 ? 'calendar' : 'one of the calendars'} ${names.join(', ')}, ${end}`
}

export function unreadText({
  names,
  refusal,
}: {
  readonly names: readonly string[]
  readonly refusal: string
}): string {
  return `whether calendar ${names.join(', ')} is closed cannot be read: ${refusal}`
}
