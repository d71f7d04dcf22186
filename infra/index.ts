/** What an owner's app imports: the package's only export. */
export type { Endpoints } from './fleet/delivery-configuration.ts'
export type { Network } from './fleet/network-access.ts'
export type { AlarmActions, LogKeeping, Operations } from './fleet/operations.ts'
export type { DeliveryProps } from './fleet/props.ts'
export type { AccessWatchProps, CanaryProps, RotationProps, TicketKeyRingProps } from './ring/props.ts'
export { TicketKeyRing } from './ring/ticket-key-ring.ts'
export { OcspStapling } from './stapling/ocsp-stapling.ts'
export type { AskingProps, CertificateProps, OcspStaplingProps, RefreshProps } from './stapling/props.ts'
