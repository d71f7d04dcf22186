import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { type Machine, PROVED_AT, plainListener, stapleListeners, type Terminator } from './machine.ts'
import type { ServerCertificate } from './pki.ts'

const isRoot = process.getuid?.() === 0
/** It refuses to run as root. */
const USER = isRoot ? 'trafficserver' : userInfo().username

const keys = (machine: Machine) => join(machine.memory, 'keys', 'trafficserver.keys')
const at = (machine: Machine, name: string) => join(machine.directory, 'trafficserver', name)
const certificate = (machine: Machine, { name }: ServerCertificate) => at(machine, `certificates/${name}.pem`)
const staple = (machine: Machine, { name }: ServerCertificate) =>
  join(machine.directory, 'staples', `${name}.ocsp`)
const reload = (machine: Machine) => `env ${runRoot(machine)} traffic_ctl config reload`
const runRoot = (machine: Machine) => `TS_RUNROOT=${join(machine.directory, 'runroot.yaml')}`

/** Under its manager, as its package runs it. */
export const trafficserver: Terminator = {
  needs: 'traffic_manager',
  pace: 15,
  pacedBy: 'the manager of Traffic Server passes a reload on within some seconds',
  speaks: 'http',
  proxyProtocol: true,
  example: { ...PROVED_AT, owner: 'trafficserver', keys: '/run/ticketring/edge/trafficserver.keys' },
  configure(machine) {
    for (const folder of ['', 'etc', 'certificates']) mkdirSync(at(machine, folder))
    const folders = ['run', 'log', 'cache'].map((name) => at(machine, name))
    for (const folder of folders) mkdirSync(folder, { mode: 0o700 })
    const keys = copyCertificates(machine)
    for (const [name, text] of Object.entries(filesOf(machine))) writeFileSync(at(machine, name), text)
    writeFileSync(
      join(machine.directory, 'runroot.yaml'),
      treeOf((name) => at(machine, name)),
    )
    if (isRoot) give(machine, [...folders, ...keys])
  },
  command: (machine) => [...asUser(), 'env', runRoot(machine), 'traffic_manager'],
  settings: (machine) => ({
    TRAFFICSERVER_KEYS: keys(machine),
    TRAFFICSERVER_OWNER: USER,
    TRAFFICSERVER_RELOAD: reload(machine),
    TRAFFICSERVER_VERIFY: plainListener(machine),
  }),
  stapleExample: {
    ...PROVED_AT,
    owner: 'trafficserver',
    staples: [
      { certificate: '/etc/trafficserver/edge.pem', staple: '/run/ticketring/web.staples/edge.ocsp' },
    ],
  },
  stapleSettings: (machine) => ({
    TRAFFICSERVER_STAPLES: machine.pki.certificates
      .map((each) => `${certificate(machine, each)}=${staple(machine, each)}`)
      .join(' '),
    TRAFFICSERVER_CERTIFICATES: at(machine, 'etc/ssl_multicert.config'),
    TRAFFICSERVER_OWNER: USER,
    TRAFFICSERVER_RELOAD: reload(machine),
    TRAFFICSERVER_VERIFY: stapleListeners(machine, `127.0.0.1:${machine.plainPort}`),
  }),
  keyFiles: (machine) => [keys(machine)],
  stop: (process) => void process.kill('SIGTERM'),
}

/** The kernel forgets whom a process dies with when its user changes: it is told again. */
function asUser(): readonly string[] {
  if (!isRoot) return []
  const user = ['--reuid', USER, '--regid', USER, '--clear-groups']
  return ['setpriv', ...user, '--', 'setpriv', '--pdeathsig', 'TERM', '--']
}

/** Its user writes in these folders and reads these keys, and has to get there. What the program reads too is root's. */
function give({ directory, memory }: Machine, paths: readonly string[]): void {
  const [uid, gid] = ['-u', '-g'].map((what) =>
    Number(execFileSync('id', [what, USER], { encoding: 'utf8' })),
  )
  for (const path of paths) chownSync(path, uid as number, gid as number)
  for (const folder of [dirname(directory), dirname(memory), memory]) chmodSync(folder, 0o711)
}

/** What a certificate's file is called, without its folder, is part of what its sessions are for. @returns the private keys. */
function copyCertificates(machine: Machine): readonly string[] {
  return machine.pki.certificates.map((each) => {
    const key = at(machine, `certificates/${each.name}.key`)
    copyFileSync(each.certificate, certificate(machine, each))
    chmodSync(certificate(machine, each), 0o644)
    copyFileSync(each.privateKey, key)
    chmodSync(key, 0o400)
    return key
  })
}

function filesOf(machine: Machine): Readonly<Record<string, string>> {
  const lines = machine.pki.certificates.map((each) => {
    const files = `ssl_cert_name=${each.name}.pem ssl_key_name=${each.name}.key`
    return `dest_ip=* ${files} ssl_ocsp_name=${staple(machine, each)}\n`
  })
  return {
    'etc/records.config': recordsOf(machine),
    // Of several certificates the last one is for clients that name no server.
    'etc/ssl_multicert.config': lines.toReversed().join(''),
    'etc/storage.config': '',
    'etc/ip_allow.yaml': `ip_allow:
- apply: in
  ip_addrs: 127.0.0.1
  action: allow
  methods: ALL
`,
    // It answers every request itself, by a plugin of its own: there is no server behind it.
    'etc/remap.config': 'map / http://127.0.0.1/nocache/11 @plugin=generator.so\n',
    'etc/sni.yaml': '',
    'etc/plugin.config': '',
    'etc/logging.yaml': '',
  }
}

function recordsOf(machine: Machine): string {
  const { publicPort, plainPort, ownPort, proxyProtocol } = machine
  const listen = (port: number, how = '') => `${port}:ssl${how}:ip-in=127.0.0.1`
  const ports = proxyProtocol ? `${listen(publicPort, ':pp')} ${listen(plainPort)}` : listen(publicPort)
  return `CONFIG proxy.config.http.server_ports STRING ${ports}
CONFIG proxy.config.ssl.server.ticket_key.filename STRING ${keys(machine)}
CONFIG proxy.config.ssl.server.cert.path STRING ${at(machine, 'certificates')}
CONFIG proxy.config.ssl.server.private_key.path STRING ${at(machine, 'certificates')}
CONFIG proxy.config.ssl.ocsp.enabled INT 1
CONFIG proxy.config.ssl.ocsp.cache_timeout INT 2147483647
CONFIG proxy.config.process_manager.mgmt_port INT ${ownPort}
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.http.cache.http INT 0
CONFIG proxy.config.crash_log_helper STRING NULL
`
}

/** Where it finds its own parts and keeps what it writes. */
export function treeOf(path: (name: string) => string): string {
  const its = (keys: readonly string[], name: string) => keys.map((key) => `${key}: ${path(name)}\n`)
  return [
    ...its(['prefix'], ''),
    ...its(['sysconfdir'], 'etc'),
    ...its(['datadir', 'cachedir'], 'cache'),
    ...its(['localstatedir', 'runtimedir'], 'run'),
    ...its(['logdir'], 'log'),
    `exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/bin
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
mandir: /usr/share/man
infodir: /usr/share/info
`,
  ].join('')
}
