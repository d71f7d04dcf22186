import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Machine, PROVED_AT, plainListener, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'keys', 'dnsdist.keys')
const configuration = (machine: Machine) => join(machine.directory, 'dnsdist.conf')

/** Its clients speak DNS over TLS. PROXY protocol it demands on all listeners or on none. */
export const dnsdist: Terminator = {
  needs: 'dnsdist',
  pace: 8,
  pacedBy: '',
  speaks: 'dns',
  proxyProtocol: false,
  example: { ...PROVED_AT, keys: '/run/ticketring/edge/dnsdist.keys' },
  // It holds the secret of its console.
  configure: (machine) => writeFileSync(configuration(machine), textOf(machine), { mode: 0o600 }),
  command: (machine) => ['dnsdist', '--supervised', '-C', configuration(machine)],
  settings: (machine) => ({
    DNSDIST_KEYS: keys(machine),
    DNSDIST_CONSOLE: `dnsdist -C ${configuration(machine)} -c`,
    DNSDIST_OWNER: machine.owner,
    DNSDIST_VERIFY: plainListener(machine),
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

/**
 * Without `setSecurityPollSuffix("")` it would ask a name server of its makers' when it starts. Plain DNS it always serves,
 * here where no one asks; it has no server behind it and answers every name itself.
 */
function textOf(machine: Machine): string {
  const { publicPort, ownPort, pki } = machine
  const options = `ticketKeyFile="${keys(machine)}", numberOfTicketsKeys=3, ticketsKeysRotationDelay=0`
  return `setSecurityPollSuffix("")
setKey("${randomBytes(32).toString('base64')}")
controlSocket("127.0.0.1:${ownPort}")
setLocal("127.0.0.2:${ownPort}")
setTCPRecvTimeout(60)
addTLSLocal("127.0.0.1:${publicPort}", "${pki.certificate}", "${pki.privateKey}", {${options}})
addAction(AllRule(), SpoofAction("192.0.2.1"))
`
}
