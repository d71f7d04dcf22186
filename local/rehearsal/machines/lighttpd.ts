import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Machine, PROVED_AT, plainListener, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'keys', 'lighttpd.key')
const configuration = (machine: Machine) => join(machine.directory, 'lighttpd.conf')

export const lighttpd: Terminator = {
  needs: 'lighttpd',
  pace: 128,
  pacedBy: 'lighttpd looks at its key every 64 s, and an advance takes two looks',
  // Three looks, of which the first may just have been.
  start: 200,
  speaks: 'http',
  proxyProtocol: true,
  example: { ...PROVED_AT, owner: 'www-data', keys: '/run/ticketring/edge/lighttpd.key' },
  configure: (machine) => writeFileSync(configuration(machine), textOf(machine)),
  command: (machine) => ['lighttpd', '-D', '-f', configuration(machine)],
  settings: (machine) => ({
    LIGHTTPD_KEYS: keys(machine),
    LIGHTTPD_OWNER: machine.owner,
    LIGHTTPD_VERIFY: plainListener(machine),
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

/** The port that it is named by is the plain one; a public one of its own takes PROXY protocol. */
function textOf(machine: Machine): string {
  const { pki, publicPort, plainPort, proxyProtocol } = machine
  const certificate = `ssl.engine = "enable"
ssl.pemfile = "${pki.certificate}"
ssl.privkey = "${pki.privateKey}"
`
  const beside = `$SERVER["socket"] == "127.0.0.1:${publicPort}" {
${certificate}extforward.forwarder = ("127.0.0.1" => "trust")
extforward.hap-PROXY = "enable"
}
`
  return `server.document-root = "${page(machine)}"
server.bind = "127.0.0.1"
server.port = ${plainPort}
server.modules = ("mod_openssl", "mod_extforward")
index-file.names = ("index.html")
${certificate}ssl.stek-file = "${keys(machine)}"
${proxyProtocol ? beside : ''}`
}

/** A folder with the page that clients are given. */
function page({ directory }: Machine): string {
  const folder = join(directory, 'page')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.html'), 'ticketring\n')
  return folder
}
