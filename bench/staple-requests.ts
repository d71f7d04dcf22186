import { nextRefresh } from '../lambda/ocsp/schedule.ts'
import { stapleConfiguration } from './staple-world.ts'
import { times } from './statistics.ts'
import type { Row } from './table.ts'

const MACHINES = 100
const CERTIFICATES = 10
/** Seconds that a response is good for. */
const LIFE = 7 * 86_400
/** Days that are simulated: long enough for the first one not to matter. */
const DAYS = 28
const DAY = 86_400
/** HAProxy's tune.ssl.ocsp-update.maxdelay, and how long before its end it asks at the latest (src/ssl_ocsp.c). */
const HAPROXY_MOST = 3_600
const HAPROXY_END = 300 + 60

export async function measure(): Promise<readonly Row[]> {
  const ours = perDay((fetchedAt, index) => nextByOurSchedule(`certificate ${index}`, fetchedAt))
  const each = perDay((fetchedAt) => fetchedAt + Math.min(HAPROXY_MOST, LIFE - HAPROXY_END))
  const theirs = each * MACHINES
  return [
    {
      what: `requests to the responder a day: ${MACHINES} machines, ${CERTIFICATES} certificates, responses of 7 days`,
      ours: `${ours.toFixed(1)}: one per certificate, for the whole fleet`,
      others: [
        `each HAProxy for itself, hourly as by default: ${theirs.toLocaleString('en')}, ${times(theirs, ours)} ours`,
      ],
    },
  ]
}

/** Follows each certificate from request to request, its responder signing anew for each. */
function perDay(next: (fetchedAt: number, index: number) => number): number {
  let requests = 0
  for (let index = 0; index < CERTIFICATES; index += 1)
    for (let now = 0; now < DAYS * DAY; now = next(now, index)) requests += 1
  return requests / DAYS
}

/** In seconds; the function looks at what is due once a tick. */
function nextByOurSchedule(certificate: string, fetchedAt: number): number {
  const { tick, least, most } = stapleConfiguration([]).timing
  const [thisUpdate, end] = [new Date(fetchedAt * 1000), new Date((fetchedAt + LIFE) * 1000)]
  const due = nextRefresh(certificate, { thisUpdate, end }, thisUpdate, { least, most })
  return Math.ceil(due.getTime() / 1000 / tick) * tick
}
