import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXAMPLES } from './layout.ts'
import { fillIn, type Machine, type Terminator } from './machine.ts'

const keys = (machine: Machine) => join(machine.memory, 'keys')
/** What Debian's nginx.conf is to conf.d: it includes the example within http{}. */
const configuration = (machine: Machine) => join(machine.directory, 'nginx.conf')
const words = (machine: Machine) => ['nginx', '-p', machine.directory, '-c', configuration(machine)]

export const nginx: Terminator = {
  server: 'nginx',
  configure(machine) {
    const example = readFileSync(join(EXAMPLES, 'nginx.conf'), 'utf8')
    writeFileSync(join(machine.directory, 'ticketring.conf'), fillIn(example, replacements(machine)))
    writeFileSync(configuration(machine), surroundings(machine.directory))
  },
  command: words,
  settings: (machine) => ({
    NGINX_KEYS: keys(machine),
    NGINX_KEY_SIZE: '80',
    NGINX_TEST: [...words(machine), '-t'].join(' '),
    NGINX_RELOAD: [...words(machine), '-s', 'reload'].join(' '),
    NGINX_OWNER: machine.owner,
    NGINX_VERIFY: `127.0.0.1:${machine.plainPort}=${machine.pki.serverName}`,
  }),
  keyFiles: (machine) =>
    ['current', 'next', 'previous'].map((slot) => join(keys(machine), `nginx.${slot}.key`)),
  stop: (process) => void process.kill('SIGQUIT'),
}

function surroundings(directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(directory, `${kind}_temp`)};`,
  )
  return [
    'daemon off;',
    'worker_processes 2;',
    `pid ${join(directory, 'nginx.pid')};`,
    `error_log ${join(directory, 'error.log')} notice;`,
    'events { worker_connections 256; }',
    'http {',
    '  access_log off;',
    ...temporary,
    `  include ${join(directory, 'ticketring.conf')};`,
    '}',
    '',
  ].join('\n')
}

function replacements(machine: Machine): readonly (readonly [string, string])[] {
  const behindProxy: readonly (readonly [string, string])[] = machine.proxyProtocol
    ? [['127.0.0.1:8445', `127.0.0.1:${machine.plainPort}`]]
    : [
        [' proxy_protocol;', ';'],
        ['    listen 127.0.0.1:8445 ssl;\n', ''],
      ]
  return [
    ...behindProxy,
    ['listen 443 ', `listen 127.0.0.1:${machine.publicPort} `],
    ['www.example.com', machine.pki.serverName],
    ['/etc/nginx/edge.pem', machine.pki.certificate],
    ['/etc/nginx/edge.key', machine.pki.privateKey],
    ['/run/ticketring/edge', keys(machine)],
  ]
}
