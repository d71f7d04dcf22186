/** Certificates that one command may name; more are not named at all. */
export const MOST_CERTIFICATES = 25

/** What a command says: `all` makes each machine take whatever the store holds for its own certificates. */
export type Told = 'all' | readonly (readonly [id: string, told: string])[]

/** The `Staples` parameter of a command. */
export function messageOf(told: Told): string {
  return told === 'all' ? 'all' : told.map(([id, what]) => `${id}=${what}`).join(',')
}
