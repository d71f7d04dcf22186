/** How every command of this project is asked what it does. */
export const HELP = { type: 'boolean', short: 'h' } as const
