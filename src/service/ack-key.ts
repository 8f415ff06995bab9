/**
 * Ack keys (R33, ACK-3): `number.revision.mac` of the object, where the MAC is keyed by the store's
 * epoch secret and by one life of one device. A key therefore proves that this very revision was handed
 * out to this very device, without anything being written at hand-out, and it is the same in every
 * session. The object's number stands for its (account, type, id): numbers are never given twice.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { DeviceRef } from './store.ts'

export interface AckedRevision {
  readonly object: number
  readonly revision: number
}

export interface AckKeys {
  make(object: number, revision: number): string
  /** Null for anything this device was not given in this life. */
  read(key: string): AckedRevision | null
}

const KEY = /^([0-9a-z]{1,11})\.([0-9a-z]{1,11})\.[0-9a-f]{24}$/

/** @param life number of this device's record; a forgotten device comes back under another. */
export function createAckKeys(secret: string, device: DeviceRef, life: number): AckKeys {
  const name = JSON.stringify([device.account, device.user, device.device, life])
  // The state after the key is cloned for every item: it halves the cost.
  const keyed = hmac.create(sha256, hmac(sha256, utf8ToBytes(secret), utf8ToBytes(name)))

  function make(object: number, revision: number): string {
    const body = `${object.toString(36)}.${revision.toString(36)}`
    return `${body}.${bytesToHex(keyed.clone().update(utf8ToBytes(body)).digest().subarray(0, 12))}`
  }

  function read(key: string): AckedRevision | null {
    const match = KEY.exec(key)
    if (match === null) return null
    const object = Number.parseInt(match[1] ?? '', 36)
    const revision = Number.parseInt(match[2] ?? '', 36)
    return make(object, revision) === key ? { object, revision } : null
  }

  return { make, read }
}
