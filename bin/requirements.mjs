// What this project needs from the machine, and what to say where it is missing. Pure: it reads and runs nothing.
// The syntax is old on purpose: an outdated Node must get as far as telling its user that it is outdated.

const SERVERS = 'the terminators of the rehearsal and the tests'
const MORE_SERVERS = 'the terminators of the tests, and of a rehearsal whose --fleet names them'

/** Each command that is run, the Debian package that brings it, who needs it, and whether `npm start` does as it is; of some files, one is there too. */
export const REQUIREMENTS = [
  { command: 'haproxy', package: 'haproxy', why: SERVERS, start: true },
  { command: 'nginx', package: 'nginx', why: SERVERS, start: true },
  { command: 'h2o', package: 'h2o', why: MORE_SERVERS },
  { command: 'dnsdist', package: 'dnsdist', why: MORE_SERVERS },
  { command: 'traffic_manager', package: 'trafficserver', why: MORE_SERVERS },
  {
    command: 'lighttpd',
    // Debian has its TLS apart from it.
    files: ['/usr/lib/lighttpd/mod_openssl.so', '/usr/lib64/lighttpd/mod_openssl.so'],
    package: 'lighttpd-mod-openssl',
    why: MORE_SERVERS,
  },
  {
    command: 'openssl',
    package: 'openssl',
    why: "the machines' handshakes and the throwaway certificates",
    start: true,
  },
  { command: 'curl', package: 'curl', why: 'the tests and the bench ask the loopback AWS by it' },
  { command: 'python3', package: 'python3', why: "the machines' program", start: true },
  {
    command: 'python3',
    // Debian's place, and that of others.
    files: [
      '/usr/lib/python3/dist-packages/botocore/session.py',
      ...[9, 10, 11, 12, 13, 14].map(
        (minor) => `/usr/lib/python3.${minor}/site-packages/botocore/session.py`,
      ),
    ],
    package: 'python3-botocore',
    why: "a test holds the machines' call of EC2 Auto Scaling to AWS's description of it",
  },
  { command: 'socat', package: 'socat', why: 'a test pushes a key by it, as a careless hand would' },
  {
    command: 'strace',
    package: 'strace',
    why: 'traces every exec of a rehearsal, to look for key bytes',
    start: true,
  },
  {
    command: 'chromium-headless-shell',
    package: 'chromium-headless-shell',
    why: "a test looks at a rehearsal's page in a browser",
    // Of no other family: there that test does not run.
    debian: true,
  },
  { command: 'shellcheck', package: 'shellcheck', why: '`npm run check`' },
  { command: 'zsh', package: 'zsh', why: "the tests run a document's lines by it" },
  { command: 'busybox', package: 'busybox', why: "the tests run a document's lines by it" },
  { command: 'ksh', package: 'ksh', why: "the tests run a document's lines by it" },
  { command: 'mksh', package: 'mksh', why: "the tests run a document's lines by it" },
  { command: 'systemd-analyze', package: 'systemd', why: 'the tests have systemd verify the boot units' },
  { command: 'rpm', package: 'rpm', why: 'the tests install the .rpm by it' },
  { command: 'flock', package: 'util-linux', why: 'the tests hold locks by it' },
]

/** Where each family of systems differs from Debian's package names. */
const FAMILIES = [
  { name: 'Debian, Ubuntu', install: 'apt-get install --no-install-recommends', names: {} },
  { name: 'Fedora, RHEL', install: 'dnf install', names: { shellcheck: 'ShellCheck' } },
  { name: 'openSUSE', install: 'zypper install', names: { shellcheck: 'ShellCheck' } },
  { name: 'Arch', install: 'pacman -S', names: { python3: 'python', 'python3-botocore': 'python-botocore' } },
]

/**
 * @param {string} version as `process.versions.node`.
 * @param {string} engines as package.json's `engines.node`: `>=major.minor`.
 * @returns {string | undefined} what is wrong with it; nothing if it is recent enough.
 */
export function nodeProblem(version, engines) {
  const [major, minor] = version.split('.').map(Number)
  const [leastMajor, leastMinor] = engines.replace('>=', '').split('.').map(Number)
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined
  return `Node ${engines} is needed; this is ${version}. Install one from https://nodejs.org/`
}

/**
 * @param {(command: string) => boolean} has whether the machine has a command, or a file by its path.
 * @param {(requirement: object) => boolean} wanted which of the requirements; all where it is left out.
 * @returns the requirements that it does not meet.
 */
export function missingRequirements(has, wanted = () => true) {
  return REQUIREMENTS.filter((each) => wanted(each) && !isMet(each, has))
}

function isMet({ command, files }, has) {
  return has(command) && (files === undefined || files.some(has))
}

/** The Debian packages that meet these requirements, each once. */
export function packagesOf(requirements) {
  return Array.from(new Set(requirements.map((requirement) => requirement.package)))
}

/** Says what is about to be installed and why, before it is. */
export function announcement(missing) {
  const lines = missing.map((each) => `  ${each.command} (package ${each.package}): ${each.why}`)
  return ['Missing on this machine, installing with apt (no daemon is started):'].concat(lines).join('\n')
}

/**
 * The one message for a machine on which nothing can be installed by us.
 * @param missing the requirements that are not met.
 * @param {string} obstacle why this program cannot install them itself.
 */
export function refusal(missing, obstacle) {
  const wanted = missing.map((each) => `  ${each.command}: ${each.why}`)
  const packages = packagesOf(missing)
  const ways = FAMILIES.map(({ name, install, names }) => {
    return `  ${name}: sudo ${install} ${packages.map((each) => names[each] || each).join(' ')}`
  })
  return [
    `These commands are missing, and ${obstacle}:`,
    ...wanted,
    'Install them, then run the same command again:',
    ...ways,
    '  any other system with Docker: docker build -t ticketring . && docker run --rm -it ticketring',
  ].join('\n')
}

/**
 * Whether the installed packages are those of the lock file. npm writes its hidden lock file last, so one that is
 * missing means that an installation was cut short.
 * @param wanted package-lock.json, parsed.
 * @param installed node_modules/.package-lock.json, parsed, or undefined where there is none.
 */
export function isInstalled(wanted, installed) {
  if (installed === undefined) return false
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '') return true
    const there = installed.packages[path]
    // Optional packages are those of other platforms: npm leaves them out.
    if (there === undefined) return entry.optional === true || entry.devOptional === true
    return there.version === entry.version && there.integrity === entry.integrity
  })
}
