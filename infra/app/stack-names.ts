/** Name of the stack with rings and sets. */
export const STACK_NAME = 'Ticketring'

/** Name of the stack with the alarms that a silent function trips. */
export const WATCH_STACK_NAME = 'TicketringWatch'
