/** Chance for the CRM's data: one stream of it, the same for the same seed. */

const DAY = 86_400_000

/** @typedef {ReturnType<typeof createChance>} Chance */

/**
 * @param {import('@faker-js/faker').Faker} roll seeded
 * @param {number} now
 */
export function createChance(roll, now) {
  const at = (/** @type {number} */ time) =>
    new Date(Math.floor(time / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const oneOf = (/** @type {readonly any[]} */ list) => roll.helpers.arrayElement(/** @type {any[]} */ (list))
  const chance = (/** @type {number} */ probability) => roll.number.float() < probability
  const between = (/** @type {number} */ from, /** @type {number} */ to) => from + roll.number.float() * (to - from)
  /** A moment of a working day. */
  const workTime = (/** @type {number} */ time) => {
    const day = new Date(time)
    if (day.getUTCDay() % 6 === 0) day.setUTCDate(day.getUTCDate() + (day.getUTCDay() === 6 ? 2 : 1))
    return day.setUTCHours(roll.number.int({ min: 7, max: 16 }), oneOf([0, 15, 30, 45]), 0, 0)
  }
  const owner = () => ({
    creator_id: roll.number.int({ min: 1, max: 5 }),
    owner_id: roll.number.int({ min: 1, max: 5 }),
  })
  /** Born within so many days before now, changed since. */
  const dates = (/** @type {number} */ days, least = 0) => {
    const born = now - between(least, days) * DAY
    return { created_at: at(born), updated_at: at(between(born, now)) }
  }
  const tagsOf = (/** @type {readonly string[]} */ list) =>
    chance(0.45) ? roll.helpers.arrayElements(list, { min: 1, max: 2 }) : []
  return { at, oneOf, chance, between, workTime, owner, dates, tagsOf }
}
