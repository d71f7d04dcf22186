import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { type Machine, PROVED_AT, plainListener, type Terminator } from './machine.ts'

const isRoot = process.getuid?.() === 0
/** It refuses to run as root. */
const USER = isRoot ? 'trafficserver' : userInfo().username

const keys = (machine: Machine) => join(machine.memory, 'keys', 'trafficserver.keys')
const at = (machine: Machine, name: string) => join(machine.directory, 'trafficserver', name)
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
    const folders = ['', 'etc', 'certificates', 'run', 'log', 'cache'].map((name) => at(machine, name))
    for (const folder of folders) mkdirSync(folder, { mode: 0o700 })
    const files = Object.entries(filesOf(machine)).map(([name, text]) => {
      writeFileSync(at(machine, name), text)
      return at(machine, name)
    })
    writeFileSync(
      join(machine.directory, 'runroot.yaml'),
      treeOf((name) => at(machine, name)),
    )
    if (isRoot) give(machine, [...folders, ...files, ...copyCertificates(machine)])
    else copyCertificates(machine)
  },
  command: (machine) => [...asUser(), 'env', runRoot(machine), 'traffic_manager'],
  settings: (machine) => ({
    TRAFFICSERVER_KEYS: keys(machine),
    TRAFFICSERVER_OWNER: USER,
    TRAFFICSERVER_RELOAD: `env ${runRoot(machine)} traffic_ctl config reload`,
    TRAFFICSERVER_VERIFY: plainListener(machine),
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

/** Its user reads what is in its own tree alone, and has to get there. */
function give({ directory, memory }: Machine, paths: readonly string[]): void {
  const [uid, gid] = ['-u', '-g'].map((what) =>
    Number(execFileSync('id', [what, USER], { encoding: 'utf8' })),
  )
  for (const path of paths) chownSync(path, uid as number, gid as number)
  for (const folder of [dirname(directory), dirname(memory), memory]) chmodSync(folder, 0o711)
}

/** What a certificate's file is called, without its folder, is part of what its sessions are for: the same everywhere. */
function copyCertificates(machine: Machine): readonly string[] {
  return machine.pki.certificates.flatMap(({ name, certificate, privateKey }) => {
    const copies = [`certificates/${name}.pem`, `certificates/${name}.key`].map((file) => at(machine, file))
    const [chain, key] = copies as [string, string]
    copyFileSync(certificate, chain)
    copyFileSync(privateKey, key)
    chmodSync(key, 0o600)
    return copies
  })
}

function filesOf(machine: Machine): Readonly<Record<string, string>> {
  const lines = machine.pki.certificates.map(
    ({ name }) => `dest_ip=* ssl_cert_name=${name}.pem ssl_key_name=${name}.key\n`,
  )
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
