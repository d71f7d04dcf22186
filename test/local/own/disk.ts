import type { Disk, Places } from '../../../local/rehearsal/own/places.ts'

/** Files by path: names of a certificate, or text; what is not named is not there. */
export function diskOf(files: Readonly<Record<string, string | readonly string[]>> = {}): Disk {
  return {
    namesIn: (path) => {
      const file = files[path]
      return typeof file === 'object' ? file : undefined
    },
    isReadable: (path) => files[path] !== undefined,
    read: (path) => {
      const file = files[path]
      return typeof file === 'string' ? file : undefined
    },
    matching: (pattern) => {
      const [before = '', after = ''] = pattern.split('*')
      if (!pattern.includes('*')) return files[pattern] === undefined ? [] : [pattern]
      return Object.keys(files)
        .filter((path) => path.startsWith(before) && path.endsWith(after))
        .toSorted()
    },
  }
}

/** Of a machine whose first port is 20000. */
export const PLACES: Places = {
  ports: Array.from({ length: 50 }, (_, n) => 20_000 + n),
  backend: 31_999,
  file: (name) => `/machine/${name}`,
  keys: '/memory/keys',
  certificate: (names) => {
    const name = names.join('+')
    return { certificate: `/pki/${name}.crt`, privateKey: `/pki/${name}.key`, bundle: `/pki/${name}.pem` }
  },
  root: '/pki/root.pem',
}
