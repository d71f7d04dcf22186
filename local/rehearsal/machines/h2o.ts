import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Machine, PROVED_AT, plainListener, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'keys', 'h2o.keys')
const configuration = (machine: Machine) => join(machine.directory, 'h2o.yaml')

export const h2o: Terminator = {
  needs: 'h2o',
  pace: 22,
  pacedBy: 'h2o looks at its keys every 10 s',
  speaks: 'http',
  proxyProtocol: true,
  example: { ...PROVED_AT, keys: '/run/ticketring/edge/h2o.keys' },
  configure: (machine) => writeFileSync(configuration(machine), textOf(machine)),
  command: (machine) => ['h2o', '-c', configuration(machine)],
  settings: (machine) => ({
    H2O_KEYS: keys(machine),
    H2O_OWNER: machine.owner,
    H2O_VERIFY: plainListener(machine),
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

/** Without `ocsp-update-interval: 0` it would ask the responder of its certificate itself. */
function textOf(machine: Machine): string {
  const { pki, publicPort, plainPort, proxyProtocol, owner, directory } = machine
  const listen = (port: number, lines = '') => `listen:
  host: 127.0.0.1
  port: ${port}
${lines}  ssl:
    certificate-file: ${pki.certificate}
    key-file: ${pki.privateKey}
    ocsp-update-interval: 0
`
  const listeners = proxyProtocol
    ? listen(publicPort, '  proxy-protocol: ON\n') + listen(plainPort)
    : listen(publicPort)
  return `user: ${owner}
pid-file: ${join(directory, 'h2o.pid')}
error-log: ${join(directory, 'error.log')}
num-threads: 2
http1-request-timeout: 60
ssl-session-resumption:
  mode: ticket
  ticket-store: file
  ticket-file: ${keys(machine)}
${listeners}hosts:
  default:
    paths:
      /:
        file.dir: ${page(machine)}
`
}

/** A folder with the page that clients are given. */
function page({ directory }: Machine): string {
  const folder = join(directory, 'page')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.html'), 'ticketring\n')
  return folder
}
