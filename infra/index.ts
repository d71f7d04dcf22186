/** What an owner's app imports: the package's only export. */
export type { DeliveryConfiguration, Endpoints } from './delivery-configuration.ts'
export { OcspStapling, type OcspStaplingProps } from './ocsp-stapling.ts'
export type { AlarmActions, LogKeeping, Operations } from './operations.ts'
export { TicketKeyRing, type TicketKeyRingProps } from './ticket-key-ring.ts'
