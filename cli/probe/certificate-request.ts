import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

const HANDSHAKE = 22
const CERTIFICATE_REQUEST = 13
const RECORD_HEAD = 5
const MESSAGE_HEAD = 4
/** A server's first flight with its chain is some kilobytes. */
const MOST = 256 * 1024

/**
 * Whether a TLS 1.2 server wants a client certificate: its CertificateRequest (RFC 5246 §7.4.4) goes over the wire in
 * clear, and Node tells of none. In TLS 1.3 it is encrypted.
 */
export class CertificateRequestWatch {
  seen = false
  #records = Buffer.alloc(0)
  #messages = Buffer.alloc(0)
  #ended = false

  /** What the server sends next. */
  take(bytes: Uint8Array): void {
    if (this.#ended) return
    this.#records = Buffer.concat([this.#records, bytes])
    if (this.#records.length + this.#messages.length > MOST) this.#ended = true
    while (!this.#ended && this.#takeRecord()) this.#takeMessages()
  }

  #takeRecord(): boolean {
    if (this.#records.length < RECORD_HEAD) return false
    const end = RECORD_HEAD + this.#records.readUInt16BE(3)
    // From ChangeCipherSpec on all is encrypted.
    if (this.#records[0] !== HANDSHAKE) this.#ended = true
    if (this.#ended || this.#records.length < end) return false
    this.#messages = Buffer.concat([this.#messages, this.#records.subarray(RECORD_HEAD, end)])
    this.#records = this.#records.subarray(end)
    return true
  }

  #takeMessages(): void {
    while (this.#messages.length >= MESSAGE_HEAD) {
      const end = MESSAGE_HEAD + this.#messages.readUIntBE(1, 3)
      if (this.#messages.length < end) return
      if (this.#messages[0] === CERTIFICATE_REQUEST) this.seen = true
      this.#messages = this.#messages.subarray(end)
    }
  }
}

/** The same connection, with a look at all that comes in. */
export function watched(socket: Socket, watch: CertificateRequestWatch): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (bytes) => {
    watch.take(bytes)
    if (!duplex.push(bytes)) socket.pause()
  })
  socket.once('end', () => duplex.push(null))
  socket.on('error', (error) => duplex.destroy(error))
  socket.once('close', () => duplex.destroy())
  return duplex
}
