/** The World's one collection, imported by the page and by its worker: 135,233 places of the GeoNames gazetteer. */
import { collection, defineSchema } from '../src/index.ts'

export interface City {
  id: number
  name: string
  /** ISO 3166-1 alpha-2. */
  country: string
  population: number
  /** Degrees, east positive. */
  lon: number
  /** Degrees, north positive. */
  lat: number
  /** GeoNames feature code, such as `PPLC` for a capital. */
  featureCode: string
  adminCode: string
  altName: string
}

export const schema = defineSchema({
  version: 1,
  collections: {
    city: collection<City>({
      key: 'id',
      indexes: [{ field: 'name', fold: true }, 'population', ['country', 'population'], ['country', 'name']],
    }),
  },
})
