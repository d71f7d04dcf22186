/** What an owner's app imports: the package's only export. */
export type { DeliveryConfiguration, Endpoints } from './fleet/delivery-configuration.ts'
export type { AlarmActions, LogKeeping, Operations } from './fleet/operations.ts'
export { TicketKeyRing, type TicketKeyRingProps } from './ring/ticket-key-ring.ts'
export { OcspStapling, type OcspStaplingProps } from './stapling/ocsp-stapling.ts'
