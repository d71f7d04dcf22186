import { userInfo } from 'node:os'

/** Who types, by their own system's word. A container may run as a number that no name belongs to. */
export function operatorName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
