/** What kinds of server have in common, where they take keys. */

import { oneOf } from '../../lambda/kernel/kinds.ts'
import { optional, setting } from '../../lambda/kernel/settings.ts'
import { command, keysPath } from '../fleet/machines.ts'

/** Where the keys are. */
export function keysSetting(machine: string) {
  return setting(keysPath, {
    says: "the file of ticket keys that the server's configuration names, of nginx the directory of its three: below `/run`, `/var/run` or `/dev/shm`, since keys touch no disk; two rings of one machine have different ones",
    machine,
  })
}

/** What the owner asks of the server that was loaded. */
export function healthSetting(server: string) {
  return {
    healthCheck: optional(command, {
      says: 'asks, after each load of keys that a handshake has proved, [whether the server is well](machines.md#a-check-of-your-own): a command in words, without a shell',
      machine: `${server}_HEALTH_CHECK`,
    }),
  }
}

export function keySizeSetting(machine: string) {
  return setting(oneOf(80, 48), { says: '80 (AES-256) or 48 (AES-128), in bytes', normal: 80, machine })
}

/** What a server takes that has a layout of 80 bytes and one of 48. */
export function takenOf({ keySize }: { readonly keySize: 80 | 48 }): 'whole' | 'half' {
  return keySize === 80 ? 'whole' : 'half'
}
