/** Entry `tidegate/testing`: a server, a network that fails and a clock, for tests of apps. Re-exports only. */
export { createVirtualClock, type VirtualClock } from './clock.ts'
export { fault, type Fault } from './fault.ts'
export type { Call, FaultPlan, Network, NetworkLogEntry, NetworkRequest, RequestMatch } from './network.ts'
export { randomFaults, type RandomFaults } from './plan.ts'
export { createTestServer, type TestServer, type TestServerOptions } from './server.ts'
export { createTestSync, type TestSyncOptions } from './sync.ts'
