import { contextTag, describeTag, type Element, elementAt, hex, refuseDer, TAG } from './der-element.ts'
import { examineDer } from './der-examination.ts'

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
    if (this.next !== tag) refuseDer(`${part} (tag ${hex(tag)}) in ${this.#what}`, describeTag(this.next))
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
    if (this.next !== undefined) refuseDer(`the end of ${this.#what}`, describeTag(this.next))
  }
}

/** A sequence's reader. @throws TicketringError `der-malformed`. */
export function sequenceOf(element: Element, what: string): DerReader {
  if (element.tag !== TAG.sequence) refuseDer(`${what} as a SEQUENCE`, describeTag(element.tag))
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
