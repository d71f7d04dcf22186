import { TicketringError } from '../kernel/errors.ts'

/** Identifier octets that OCSP and certificates use (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Identifier of a context-specific element: `[number]`, constructed as EXPLICIT tagging makes it unless told otherwise. */
export function contextTag(number: number, form: 'constructed' | 'primitive' = 'constructed'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | number
}

/** One tag-length-value: `bytes` with its header, `content` without; both are views, not copies. */
export interface Element {
  readonly tag: number
  readonly bytes: Uint8Array
  readonly content: Uint8Array
}

/** Deeper than a certificate inside a response ever nests (10), and shallow enough for any stack. */
const DEEPEST = 16
/** RFC 5280 §4.1.2.2 allows serials of 20 octets; some private CAs draw longer ones. */
const LONGEST_INTEGER = 64

/** @throws TicketringError `der-malformed`. */
export function refuseDer(wanted: string, came: string): never {
  throw new TicketringError('der-malformed', { wanted, came })
}

/**
 * Reads one whole DER value, having looked at everything in it: definite minimal lengths, nothing out of bounds,
 * no trailing bytes, bounded depth, canonical primitives (X.690 §10, §11).
 * @throws TicketringError `der-malformed`.
 */
export function readDer(bytes: Uint8Array, what: string): Element {
  const element = readUnexamined(bytes, what)
  examineDer(element)
  return element
}

/** As {@link readDer}, without a look inside: what is read out of it has to be examined where it counts. */
export function readUnexamined(bytes: Uint8Array, what: string): Element {
  const element = elementAt(bytes, 0)
  if (element.bytes.length !== bytes.length) {
    refuseDer(`${what} and nothing else`, `${bytes.length - element.bytes.length} trailing bytes`)
  }
  return element
}

/** Looks at everything in an element. @throws TicketringError `der-malformed`. */
export function examineDer(element: Element): Element {
  examine(element, 1)
  return element
}

/** Reads the elements of a constructed value one after the other. Every reading throws `der-malformed`. */
export class DerReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #offset = 0

  constructor({ content }: Pick<Element, 'content'>, what: string) {
    this.#bytes = content
    this.#what = what
  }

  /** Identifier of the element that comes next, `undefined` at the end. */
  get next(): number | undefined {
    return this.#bytes[this.#offset]
  }

  any(): Element {
    if (this.next === undefined) refuseDer(this.#what, 'an end where another element belongs')
    const element = elementAt(this.#bytes, this.#offset)
    this.#offset += element.bytes.length
    return element
  }

  read(tag: number, part: string): Element {
    if (this.next !== tag) refuseDer(`${part} (tag ${hex(tag)}) in ${this.#what}`, describe(this.next))
    return this.any()
  }

  optional(tag: number): Element | undefined {
    return this.next === tag ? this.any() : undefined
  }

  /** What an EXPLICIT tag holds: exactly one element. */
  explicit(number: number, tag: number, part: string): Element | undefined {
    const wrapper = this.optional(contextTag(number))
    if (wrapper === undefined) return undefined
    const inner = new DerReader(wrapper, part)
    const element = inner.read(tag, part)
    inner.end()
    return element
  }

  /** Every remaining element, all with one tag. */
  rest(tag: number, part: string): Element[] {
    const elements: Element[] = []
    while (this.next !== undefined) elements.push(this.read(tag, part))
    return elements
  }

  /** Every remaining element, whatever it is. */
  all(): Element[] {
    const elements: Element[] = []
    while (this.next !== undefined) elements.push(this.any())
    return elements
  }

  end(): void {
    if (this.next !== undefined) refuseDer(`the end of ${this.#what}`, describe(this.next))
  }
}

/** A sequence's reader. @throws TicketringError `der-malformed`. */
export function sequenceOf(element: Element, what: string): DerReader {
  if (element.tag !== TAG.sequence) refuseDer(`${what} as a SEQUENCE`, describe(element.tag))
  return new DerReader(element, what)
}

/** A small non-negative INTEGER or ENUMERATED. @throws TicketringError `der-malformed`. */
export function smallInteger({ content }: Element, what: string): number {
  if (content.length > 4 || ((content[0] as number) & 0x80) !== 0) {
    refuseDer(`${what} as a small number`, `an integer of ${content.length} octets`)
  }
  return content.reduce((sum, octet) => sum * 256 + octet, 0)
}

/** Bits of a BIT STRING that holds whole octets. @throws TicketringError `der-malformed`. */
export function wholeOctets({ content }: Element, what: string): Uint8Array {
  if (content[0] !== 0) refuseDer(`${what} in whole octets`, `${content[0] ?? 'no'} unused bits`)
  return content.subarray(1)
}

/** Octets of an OBJECT IDENTIFIER that are told: none that means anything here is longer. */
const LONGEST_OID = 40

/** Dotted form of an OBJECT IDENTIFIER that {@link readDer} has looked at; of a longer one its beginning, and "…". */
export function dotted({ content }: Pick<Element, 'content'>): string {
  const arcs: (number | string)[] = []
  let arc = 0
  for (const octet of content.subarray(0, LONGEST_OID)) {
    arc = arc * 128 + (octet & 0x7f)
    if (octet >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  if (content.length > LONGEST_OID) arcs.push('…')
  const first = Number(arcs[0] ?? 0)
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...arcs.slice(1)].join('.')
}

function elementAt(bytes: Uint8Array, offset: number): Element {
  const tag = bytes[offset]
  if (tag === undefined) refuseDer('a DER element', 'no bytes')
  if ((tag & 0x1f) === 0x1f) refuseDer('a tag number below 31', describe(tag))
  const { length, start } = lengthAt(bytes, offset + 1)
  const end = start + length
  if (end > bytes.length) {
    refuseDer(`${length} octets of content`, `${bytes.length - start} before the end: truncated`)
  }
  return { tag, bytes: bytes.subarray(offset, end), content: bytes.subarray(start, end) }
}

function lengthAt(bytes: Uint8Array, offset: number): { length: number; start: number } {
  const first = bytes[offset]
  if (first === undefined) refuseDer('a length', 'the end: truncated')
  if (first < 0x80) return { length: first, start: offset + 1 }
  if (first === 0x80) refuseDer('a definite length', 'an indefinite one')
  const octets = bytes.subarray(offset + 1, offset + 1 + (first & 0x7f))
  if (octets.length > 4 || octets.length < (first & 0x7f)) {
    refuseDer('a length of at most four octets', `one of ${first & 0x7f}`)
  }
  const length = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  if (octets[0] === 0 || length < 0x80) refuseDer('a minimal length', `${length} in ${octets.length} octets`)
  return { length, start: offset + 1 + octets.length }
}

function examine(element: Element, depth: number): void {
  if (depth > DEEPEST) refuseDer(`at most ${DEEPEST} levels`, 'deeper nesting')
  const universal = element.tag < 0x40
  if ((element.tag & 0x20) === 0) {
    if (universal) examinePrimitive(element)
    return
  }
  if (universal && element.tag !== TAG.sequence && element.tag !== TAG.set) {
    refuseDer('a primitive encoding', `a constructed ${hex(element.tag)}`)
  }
  for (let offset = 0; offset < element.content.length; ) {
    const inner = elementAt(element.content, offset)
    examine(inner, depth + 1)
    offset += inner.bytes.length
  }
}

function examinePrimitive({ tag, content }: Element): void {
  if (tag === TAG.integer || tag === TAG.enumerated) examineInteger(content)
  if (tag === TAG.oid) examineOid(content)
  const [first, second] = content
  if (tag === TAG.boolean && (content.length !== 1 || (first !== 0 && first !== 0xff))) {
    refuseDer('a BOOLEAN of 00 or ff', `${content.length} octets`)
  }
  if (tag === TAG.null && content.length !== 0) refuseDer('an empty NULL', `${content.length} octets`)
  if (tag === TAG.bitString && (first === undefined || first > 7 || (first > 0 && second === undefined))) {
    refuseDer('a BIT STRING with 0 to 7 unused bits', `${first ?? 'no'} of them`)
  }
  if ((tag & 0x1f) === TAG.sequence % 0x20 || (tag & 0x1f) === TAG.set % 0x20) {
    refuseDer('a constructed SEQUENCE or SET', `a primitive ${hex(tag)}`)
  }
}

function examineInteger(content: Uint8Array): void {
  const [first, second] = content
  if (first === undefined) refuseDer('an INTEGER of one octet or more', 'none')
  if (content.length > LONGEST_INTEGER) {
    refuseDer(`an INTEGER of at most ${LONGEST_INTEGER} octets`, `${content.length} octets`)
  }
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    refuseDer('a minimal INTEGER', 'one with a needless first octet')
  }
}

function examineOid(content: Uint8Array): void {
  const last = content[content.length - 1]
  if (last === undefined || last >= 0x80)
    refuseDer('a whole OBJECT IDENTIFIER', 'one that ends within an arc')
  const padded = content.some(
    (octet, at) => octet === 0x80 && (at === 0 || (content[at - 1] as number) < 0x80),
  )
  if (padded) refuseDer('an OBJECT IDENTIFIER of minimal arcs', 'a padded arc')
}

function describe(tag: number | undefined): string {
  return tag === undefined ? 'nothing' : `tag ${hex(tag)}`
}

function hex(octet: number): string {
  return `0x${octet.toString(16).padStart(2, '0')}`
}
