import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXAMPLES } from '../project-root.ts'
import {
  fillIn,
  type Machine,
  PROVED_AT,
  plainListener,
  stapleListeners,
  type Terminator,
} from './machine.ts'
import type { ServerCertificate } from './pki.ts'

const keys = (machine: Machine) => join(machine.memory, 'keys')
const staple = (machine: Machine, { name }: ServerCertificate) =>
  join(machine.directory, 'staples', `${name}.ocsp`)
/** What Debian's nginx.conf is to conf.d: it includes the example within http{}. */
export const configuration = (machine: Machine) => join(machine.directory, 'nginx.conf')
export const words = (machine: Machine) => ['nginx', '-p', machine.directory, '-c', configuration(machine)]

export const nginx: Terminator = {
  needs: 'nginx',
  pace: 6,
  pacedBy: '',
  speaks: 'http',
  proxyProtocol: true,
  example: { ...PROVED_AT, keys: '/run/ticketring/edge', keySize: 80 },
  stapleExample: {
    ...PROVED_AT,
    staples: [{ certificate: '/etc/nginx/edge.pem', staple: '/run/ticketring/web.staples/edge.ocsp' }],
  },
  configure(machine) {
    const example = readFileSync(join(EXAMPLES, 'nginx.conf'), 'utf8')
    writeFileSync(join(machine.directory, 'ticketring.conf'), fillIn(example, replacements(machine)))
    writeFileSync(configuration(machine), surroundings(machine))
  },
  command: words,
  settings: (machine) => ({
    NGINX_KEYS: keys(machine),
    NGINX_KEY_SIZE: '80',
    NGINX_TEST: [...words(machine), '-t'].join(' '),
    NGINX_RELOAD: [...words(machine), '-s', 'reload'].join(' '),
    NGINX_MIN_RELOAD_INTERVAL: '0',
    NGINX_OWNER: machine.owner,
    NGINX_VERIFY: plainListener(machine),
  }),
  stapleSettings: (machine) => ({
    NGINX_STAPLES: machine.pki.certificates
      .map((each) => `${each.certificate}=${staple(machine, each)}`)
      .join(' '),
    NGINX_TEST: [...words(machine), '-t'].join(' '),
    NGINX_RELOAD: [...words(machine), '-s', 'reload'].join(' '),
    NGINX_MIN_RELOAD_INTERVAL: '0',
    NGINX_OWNER: machine.owner,
    NGINX_VERIFY: stapleListeners(machine, `127.0.0.1:${machine.plainPort}`),
  }),
  keyFiles: (machine) =>
    ['current', 'next', 'previous'].map((slot) => join(keys(machine), `nginx.${slot}.key`)),
  stop: (process) => void process.kill('SIGQUIT'),
}

function surroundings(machine: Machine): string {
  const { directory } = machine
  const [, ...others] = machine.pki.certificates
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
    ...others.map((each) => serverFor(machine, each)),
    '}',
    '',
  ].join('\n')
}

/** A server for one more name, on the listeners of the example's. */
function serverFor(machine: Machine, certificate: ServerCertificate): string {
  const beside = machine.proxyProtocol ? `  listen 127.0.0.1:${machine.plainPort} ssl;\n` : ''
  return `  server {
  listen 127.0.0.1:${machine.publicPort} ssl${machine.proxyProtocol ? ' proxy_protocol' : ''};
${beside}  server_name ${certificate.serverName};
  ssl_certificate ${certificate.certificate};
  ssl_certificate_key ${certificate.privateKey};
  include ${staple(machine, certificate)}[.]conf;
  ssl_protocols TLSv1.2 TLSv1.3;
  return 200 "ticketring\\n";
  }`
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
    ['    # Here your own lines follow, such as location.\n', '    return 200 "ticketring\\n";\n'],
    ['listen 443 ', `listen 127.0.0.1:${machine.publicPort} `],
    ['www.example.com', machine.pki.serverName],
    ['/etc/nginx/edge.pem', machine.pki.certificate],
    ['/etc/nginx/edge.key', machine.pki.privateKey],
    [
      '/run/ticketring/web.staples/edge.ocsp',
      staple(machine, machine.pki.certificates[0] as ServerCertificate),
    ],
    ['/run/ticketring/edge', keys(machine)],
  ]
}
