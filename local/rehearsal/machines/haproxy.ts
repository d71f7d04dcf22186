import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXAMPLES } from '../project-root.ts'
import { fillIn, type Machine, PROVED_AT, stapleListeners, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'haproxy.keys')
const socket = (machine: Machine) => join(machine.directory, 'admin.sock')
/** Its own copies: HAProxy reads a staple from beside the certificate. */
const certificates = (machine: Machine) =>
  machine.pki.certificates.map(({ name }) => join(machine.directory, 'certificates', `${name}.pem`))
export const configuration = (machine: Machine) => join(machine.directory, 'haproxy.cfg')
const masterPid = (machine: Machine) => join(machine.directory, 'haproxy.pid')
export const reload = (machine: Machine) => join(machine.directory, 'reload')
const proof = (machine: Machine) => join(machine.directory, 'edge.sock')

/**
 * HAProxy (2.6 at least) makes this section of /etc/resolv.conf for its own HTTP client, and connects to what that names
 * when it starts. Nothing asks this one.
 */
export const NO_NAMESERVERS = 'resolvers default\n    nameserver none 127.0.0.1:9\n'

export const haproxy: Terminator = {
  needs: 'haproxy',
  pace: 6,
  pacedBy: '',
  speaks: 'http',
  proxyProtocol: true,
  example: {
    ...PROVED_AT,
    keys: '/run/ticketring/edge/haproxy.keys',
    keySize: 80,
    socket: '/run/haproxy/admin.sock',
  },
  stapleExample: {
    ...PROVED_AT,
    certificates: ['/etc/haproxy/edge.pem'],
    socket: '/run/haproxy/admin.sock',
  },
  configure(machine) {
    placeCertificates(machine)
    writeReload(machine)
    const example = readFileSync(join(EXAMPLES, 'haproxy.cfg'), 'utf8')
    writeFileSync(configuration(machine), fillIn(example, replacements(machine)) + NO_NAMESERVERS)
  },
  // Under a master process, as systemd runs it: that alone can reload.
  command: (machine) => ['haproxy', '-W', '-p', masterPid(machine), '-f', configuration(machine)],
  settings: (machine) => ({
    HAPROXY_KEYS: keys(machine),
    HAPROXY_KEY_SIZE: '80',
    HAPROXY_SOCKET: socket(machine),
    HAPROXY_OWNER: machine.owner,
    HAPROXY_VERIFY: `unix:${proof(machine)}=${machine.pki.serverName}`,
  }),
  stapleSettings: (machine) => ({
    HAPROXY_CERTS: certificates(machine).join(' '),
    HAPROXY_SOCKET: socket(machine),
    HAPROXY_OWNER: machine.owner,
    HAPROXY_RELOAD: `sh ${reload(machine)}`,
    HAPROXY_VERIFY: stapleListeners(machine, `unix:${proof(machine)}`),
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

export function writeReload(machine: Machine): void {
  writeFileSync(reload(machine), reloadScript(masterPid(machine)))
}

function placeCertificates(machine: Machine): void {
  mkdirSync(join(machine.directory, 'certificates'), { mode: 0o700 })
  const files = certificates(machine)
  for (const [at, { bundle }] of machine.pki.certificates.entries()) copyFileSync(bundle, files[at] as string)
}

function replacements(machine: Machine): readonly (readonly [string, string])[] {
  return [
    ['    # Here your own lines follow, such as default_backend.\n', ownLines(machine)],
    ...(machine.proxyProtocol ? [] : [[' accept-proxy', ''] as const]),
    ['bind *:443', `bind 127.0.0.1:${machine.publicPort}`],
    ['unix@/run/haproxy/edge.sock', `unix@${proof(machine)}`],
    ['/run/haproxy/admin.sock', socket(machine)],
    ['crt /etc/haproxy/edge.pem', `crt ${certificates(machine).join(' crt ')}`],
    ['/run/ticketring/edge/haproxy.keys', keys(machine)],
  ]
}

/** An answer, and where only PROXY protocol is spoken a listener for clients of the rehearsal that do not. */
function ownLines(machine: Machine): string {
  const answer = '    http-request return status 200 content-type text/plain string "ticketring\\n"\n'
  if (!machine.proxyProtocol) return answer
  const files = 'ssl crt /etc/haproxy/edge.pem tls-ticket-keys /run/ticketring/edge/haproxy.keys'
  return `    bind 127.0.0.1:${machine.plainPort} ${files}\n${answer}`
}

/**
 * What systemctl reload haproxy comes to, once the master takes the signal: one that is still replacing itself after its
 * start or a reload loses it. It takes SIGUSR2 (12) while bit 11 of what it catches is set, proc(5).
 */
function reloadScript(pidFile: string): string {
  return `pid="$(cat ${pidFile})"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  case "$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status")" in *[89a-f]??) break ;; esac
  sleep 0.2
done
kill -USR2 "$pid"
`
}
