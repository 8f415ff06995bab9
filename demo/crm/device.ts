/**
 * Which device this window plays. Tabs of one browser share one database, so two windows that shall differ are
 * two devices: another database, another device UUID, another Offline switch. `?device=2` says so.
 */
const given = new URLSearchParams(location.search).get('device') ?? ''

/** 1 to 9. */
export const device = /^[2-9]$/.test(given) ? Number(given) : 1

/** The name of this device's database, and of its switch. */
export const deviceName = (number: number): string => (number === 1 ? 'crm' : `crm-${number}`)

/** The window to open beside this one. */
export const otherDevice = device === 1 ? 2 : 1
export const addressOf = (number: number): string => (number === 1 ? '/crm/' : `/crm/?device=${number}`)
