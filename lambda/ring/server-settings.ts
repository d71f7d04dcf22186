/** A listener on the instance that proves which key encrypts: it must take plain TLS, no PROXY protocol. */
export interface VerifyListener {
  /** `address:port` as seen on the instance, such as `127.0.0.1:8443`, or `unix:/path` of one that root alone reaches. */
  readonly address: string
  /** Server name (SNI) to ask for. */
  readonly serverName: string
  /** That this listener, or those that it stands for, demand a client certificate: they are guarded, all others open. */
  readonly clientCertificate?: 'required'
}

/** Files on the instance of the client certificate that a guarded listener is shown. */
export interface ClientCertificate {
  readonly certificate: string
  readonly key: string
}

export interface HaproxySettings {
  /** Path of the `tls-ticket-keys` file, on a tmpfs. */
  readonly keys: string
  /** Bytes of a key in that file: 80 (AES-256, the default) or 48 (AES-128). */
  readonly keySize: 80 | 48
  /** Path of the runtime socket, at level admin. */
  readonly socket: string
  /** User of the master process: owns the key file. */
  readonly owner: string
  readonly verify: readonly VerifyListener[]
  readonly client?: ClientCertificate
}

export interface NginxSettings {
  /** Directory of `nginx.current.key`, `nginx.next.key` and `nginx.previous.key`, on a tmpfs. */
  readonly keys: string
  readonly keySize: 80 | 48
  /** Checks the configuration: words, no shell. */
  readonly test: string
  /** Reloads the server: words, no shell. */
  readonly reload: string
  readonly owner: string
  readonly verify: readonly VerifyListener[]
  readonly client?: ClientCertificate
}

/** Which terminators a ring's machines run, and where their files are. A machine may override each setting. */
export interface ServersSettings {
  readonly haproxy?: HaproxySettings
  readonly nginx?: NginxSettings
}
