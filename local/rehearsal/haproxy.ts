import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXAMPLES } from './layout.ts'
import { fillIn, type Machine, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'haproxy.keys')
const socket = (machine: Machine) => join(machine.directory, 'admin.sock')
const configuration = (machine: Machine) => join(machine.directory, 'haproxy.cfg')

export const haproxy: Terminator = {
  server: 'haproxy',
  configure(machine) {
    const example = readFileSync(join(EXAMPLES, 'haproxy.cfg'), 'utf8')
    writeFileSync(configuration(machine), fillIn(example, replacements(machine)))
  },
  command: (machine) => ['haproxy', '-db', '-f', configuration(machine)],
  settings: (machine) => ({
    HAPROXY_KEYS: keys(machine),
    HAPROXY_KEY_SIZE: '80',
    HAPROXY_SOCKET: socket(machine),
    HAPROXY_OWNER: machine.owner,
    HAPROXY_VERIFY: `127.0.0.1:${machine.plainPort}=${machine.pki.serverName}`,
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

function replacements(machine: Machine): readonly (readonly [string, string])[] {
  const plain =
    '    bind 127.0.0.1:8444 ssl crt /etc/haproxy/edge.pem tls-ticket-keys /run/ticketring/edge/haproxy.keys\n'
  const behindProxy: readonly (readonly [string, string])[] = machine.proxyProtocol
    ? [['127.0.0.1:8444', `127.0.0.1:${machine.plainPort}`]]
    : [
        [' accept-proxy', ''],
        [plain, ''],
      ]
  return [
    ...behindProxy,
    ['bind *:443', `bind 127.0.0.1:${machine.publicPort}`],
    ['/run/haproxy/admin.sock', socket(machine)],
    ['/etc/haproxy/edge.pem', machine.pki.bundle],
    ['/run/ticketring/edge/haproxy.keys', keys(machine)],
  ]
}
