/** Certificates that one command may name; more are not named at all. */
export const MOST_CERTIFICATES = 25

/** What a command says: `all` makes each machine take whatever the store holds for its own certificates. */
export type StapleMessage = 'all' | readonly (readonly [id: string, desired: string])[]

/** The `Staples` parameter of a command. */
export function messageOf(message: StapleMessage): string {
  return message === 'all' ? 'all' : message.map(([id, desired]) => `${id}=${desired}`).join(',')
}
