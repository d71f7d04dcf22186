import { withDepartures } from '../fleet/departures.ts'
import { callRoll } from '../fleet/inventory.ts'
import type { Fleet } from '../fleet/membership.ts'
import { readRecordBy } from '../fleet/read-record.ts'
import { isRefusal, messageOf, TicketringError } from '../kernel/errors.ts'
import { type Certificate, parseCertificate } from '../ocsp/certificate.ts'
import { describeName } from '../ocsp/name.ts'
import { certificateBlocks, readCertificates } from '../ocsp/pem.ts'
import { issuedByFirst } from '../ocsp/subject.ts'
import type { CertificateSetting } from './configuration.ts'
import type { Candidate } from './decision.ts'
import { parseStapleRecord, type StapleRecord } from './delivery-record.ts'
import { certificateIdOf, parseEntry, type StapleEntry } from './entry.ts'
import { initialEntry } from './entry-change.ts'
import type { StaplePorts, Stored } from './ports.ts'

/** One certificate of the set, with what the store holds of it. */
export interface CertificateState extends Candidate {
  readonly certificate: Certificate
  /** The rest of its chain file, in DER. */
  readonly others: readonly Uint8Array[]
  readonly entry: StapleEntry
  /** Of the stored entry; 0 where nothing is stored. */
  readonly version: number
}

/** A certificate that cannot be looked after, and why. */
interface UnreadableCertificate {
  readonly setting: CertificateSetting
  readonly trouble: TicketringError
}

/** What is, when a run begins. */
export interface StapleSituation {
  readonly kept: readonly CertificateState[]
  readonly lost: readonly UnreadableCertificate[]
  readonly record: StapleRecord
  readonly fleet: Fleet
}

type Read = {
  readonly setting: CertificateSetting
  readonly certificate: Certificate
  readonly others: readonly Uint8Array[]
  readonly id: string
}

/** Looks at the certificates, at what is stored of them, at the delivery record and at the fleet. */
export async function observeStaples(ports: StaplePorts): Promise<StapleSituation> {
  const { configuration } = ports
  const [{ read, lost }, record, fleet] = await Promise.all([
    readInventory(ports),
    readStapleRecord(ports),
    callRoll(ports),
  ])
  const stored = await ports.store.read(read.map(({ id }) => id))
  const kept: CertificateState[] = []
  for (const each of read) {
    const entry = stored.get(each.id)
    if (entry instanceof TicketringError) lost.push({ setting: each.setting, trouble: entry })
    else kept.push(keep(ports, each, entry))
  }
  const found = record ?? { set: configuration.set, carried: {} }
  return { kept, lost, fleet: await withDepartures(ports, fleet, found), record: found }
}

function keep(
  ports: StaplePorts,
  { setting, certificate, others, id }: Read,
  found: Stored | undefined,
): CertificateState {
  const identity = { name: setting.name, id, mustStaple: certificate.mustStaple }
  const entry = found === undefined ? undefined : readEntry(ports, found.text, id)
  return {
    setting,
    certificate,
    others,
    urls: setting.url === undefined ? certificate.ocspUrls : [setting.url],
    notAfter: certificate.notAfter,
    mustStaple: certificate.mustStaple,
    entry: entry === undefined ? initialEntry(identity) : { ...entry, ...identity },
    version: found?.version ?? 0,
  }
}

async function readInventory({ chains, configuration }: StaplePorts) {
  const texts = await chains.read(configuration.certificates.map(({ chain }) => chain))
  const read = new Map<string, Read>()
  const lost: UnreadableCertificate[] = []
  for (const [index, setting] of configuration.certificates.entries()) {
    const found = identify(setting, texts[index])
    const twin = found instanceof TicketringError ? undefined : read.get(found.id)
    if (found instanceof TicketringError) lost.push({ setting, trouble: found })
    else if (twin !== undefined) lost.push({ setting, trouble: repeated(setting, twin.setting) })
    else read.set(found.id, found)
  }
  return { read: [...read.values()], lost }
}

function identify(
  setting: CertificateSetting,
  text: string | TicketringError | undefined,
): Read | TicketringError {
  if (text instanceof TicketringError) return text
  try {
    const [first, ...others] = certificateBlocks(Buffer.from(text ?? ''))
    const certificate = parseCertificate(first)
    const issued = certificate.isAuthority
      ? issuedByFirst(certificate, readCertificates(others).certificates)
      : undefined
    if (issued !== undefined) return upsideDown(setting, certificate, issued)
    return { setting, certificate, others, id: certificateIdOf(certificate) }
  } catch (error) {
    if (isRefusal(error)) return error
    const cause = {
      wanted: `a public key in the certificate ${setting.name} that OpenSSL knows`,
      came: 'another',
    }
    return new TicketringError('certificate-malformed', { ...cause, cause: error })
  }
}

function upsideDown({ name }: CertificateSetting, first: Certificate, issued: Certificate): TicketringError {
  return new TicketringError('chain-upside-down', {
    wanted: `the chain of ${name} with the server's own certificate first`,
    came: `${describeName(first.subject)} first, which issued ${describeName(issued.subject)} after it`,
  })
}

function repeated({ name }: CertificateSetting, twin: CertificateSetting): TicketringError {
  return new TicketringError('configuration-invalid', {
    wanted: `another certificate under ${name} than under ${twin.name}`,
    came: 'the same one',
    fix: 'Leave one of the two names out',
  })
}

/** A garbled entry is as good as none: the responder is asked again. */
function readEntry({ eventLog }: StaplePorts, text: string, id: string): StapleEntry | undefined {
  try {
    const entry = parseEntry(text)
    return entry.id === id ? entry : undefined
  } catch (error) {
    eventLog.record({ kind: 'trouble', during: `reading the staple ${id}`, detail: messageOf(error) })
    return undefined
  }
}

function readStapleRecord(ports: StaplePorts): Promise<StapleRecord | undefined> {
  return readRecordBy(ports, (text) => {
    const record = parseStapleRecord(text)
    return record.set === ports.configuration.set ? record : undefined
  })
}
