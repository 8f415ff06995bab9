import { describe, expect, it } from 'vitest'
import { createRateLimit } from '../../src/service/rate.ts'
import { createService } from './support/service.ts'

describe('rate limit', () => {
  it("RATE-1 R12 lets a second's worth through at once, then as many as time fills up again", () => {
    let time = 0
    const limit = createRateLimit(10, () => time)
    const burst = () => Array.from({ length: 20 }, () => limit.wait('a')).filter((wait) => wait === 0).length
    expect(burst()).toBe(10)
    time += 300
    expect(burst()).toBe(3)
    time += 60_000
    expect(burst()).toBe(10)
  })

  it('RATE-1 counts each caller alone', () => {
    const limit = createRateLimit(1, () => 0)
    expect([limit.wait('a'), limit.wait('b'), limit.wait('a') > 0]).toEqual([0, 0, true])
  })

  it('RATE-1 is not fooled by a clock that goes back', () => {
    let time = 10_000
    const limit = createRateLimit(1, () => time)
    limit.wait('a')
    time = 0
    expect(limit.wait('a')).toBeGreaterThan(0)
  })

  it('S11 forgets idle callers', () => {
    let time = 0
    const limit = createRateLimit(1, () => time)
    for (let at = 0; at < 5000; at++) {
      time += 10
      expect(limit.wait(`caller ${at}`)).toBe(0)
    }
    expect(limit.size()).toBeLessThanOrEqual(1000)
  })

  it('RATE-1 ERR-3 answers 429 above it, by token, whatever the path; preflights are free', async () => {
    const service = createService({ rate: 2 })
    await service.start()
    await service.call('GET', '/v2/cities')
    expect((await service.call('GET', '/v2/nothing')).status).toBe(429)
    expect((await service.call('GET', '/v2/cities', { token: 'other-token-of-ann' })).status).toBe(200)
    expect((await service.call('OPTIONS', '/v2/cities', { token: null })).status).toBe(204)
    service.advance(1000)
    expect((await service.call('GET', '/v2/cities')).status).toBe(200)
  })

  it('RATE-1 R12 is off unless asked for', async () => {
    const service = createService()
    for (let at = 0; at < 200; at++) expect((await service.start()).status).toBe(204)
  })
})
