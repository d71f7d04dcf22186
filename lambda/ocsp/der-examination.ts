import { type Element, elementAt, hex, refuseDer, TAG } from './der-element.ts'

/** Deeper than a certificate inside a response ever nests (10), and shallow enough for any stack. */
const DEEPEST = 16
/** RFC 5280 §4.1.2.2 allows serials of 20 octets; some private CAs draw longer ones. */
const LONGEST_INTEGER = 64
/** X.690 §8.1.2: bits of an identifier; a class of 0 is universal. */
const CONSTRUCTED = 0x20
const CLASS = 0xc0

/** Looks at everything in an element. @throws TicketringError `der-malformed`. */
export function examineDer(element: Element): Element {
  examine(element, 1)
  return element
}

function examine(element: Element, depth: number): void {
  if (depth > DEEPEST) refuseDer(`at most ${DEEPEST} levels`, 'deeper nesting')
  if ((element.tag & CONSTRUCTED) === 0) {
    examinePrimitive(element)
    return
  }
  if ((element.tag & CLASS) === 0 && element.tag !== TAG.sequence && element.tag !== TAG.set) {
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
  if (tag === (TAG.sequence ^ CONSTRUCTED) || tag === (TAG.set ^ CONSTRUCTED)) {
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
