/** What a client says once it is connected: each kind of server is asked in the language that it serves. */
interface Asking {
  readonly question: (serverName: string) => Buffer
  /** Whether an answer, as far as it has come, is what was asked for; undefined where more has to come first. */
  readonly isGood: (answer: Buffer) => boolean | undefined
}

/** A server may answer in the version that it was asked in, or in its own. */
const OK = /^HTTP\/1\.[01] 200/
const OK_LENGTH = 12
/** A query for the address of one name, RFC 1035 §4.1: identifier 1, recursion desired, one question. */
const HEADER = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
/** An answer without an error begins like this (RFC 1035 §4.1.1): that identifier, QR, RCODE 0. */
const [LENGTH, FLAGS, RCODE, LEAST] = [2, 4, 5, 14]

const askForPage = (serverName: string) => Buffer.from(`GET / HTTP/1.0\r\nHost: ${serverName}\r\n\r\n`)
const answersLike = (wanted: RegExp) => (answer: Buffer) =>
  answer.length < OK_LENGTH ? undefined : wanted.test(answer.toString('latin1', 0, OK_LENGTH))

export const APPLICATION_PROTOCOLS = {
  http: { question: askForPage, isGood: answersLike(OK) },
  /** HTTP with any answer: what a configuration of the user's says to a stranger is its own business. */
  web: { question: askForPage, isGood: answersLike(/^HTTP\/1\.[01] [1-5]\d\d/) },
  /** Over TCP: each message behind its length (RFC 1035 §4.2.2, RFC 7858 §3.3). */
  dns: {
    question: (serverName) => {
      const labels = serverName
        .split('.')
        .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`))
      const query = Buffer.concat([HEADER, ...labels, Buffer.from([0, 0, 1, 0, 1])])
      const length = Buffer.alloc(LENGTH)
      length.writeUInt16BE(query.length)
      return Buffer.concat([length, query])
    },
    isGood: (answer) => {
      if (answer.length < LEAST) return undefined
      const isAnswer = answer.readUInt16BE(LENGTH) === 1 && ((answer[FLAGS] as number) & 0x80) !== 0
      return isAnswer && ((answer[RCODE] as number) & 0x0f) === 0
    },
  },
} as const satisfies Readonly<Record<string, Asking>>

export type ApplicationProtocol = keyof typeof APPLICATION_PROTOCOLS
