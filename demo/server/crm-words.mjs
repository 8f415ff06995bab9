/** What the CRM's data is made of: the words of a supplier of cold storage and its customers. */

export const users = ['Nora Lindqvist', 'Tomas Berger', 'Aoife Byrne', 'Mateo Ruiz', 'Ines Fabre']

/** `weight`: how many of the deals are there. */
export const stages = [
  { name: 'Incoming', category: 'incoming', likelihood: 10, weight: 22 },
  { name: 'Qualified', category: 'in_progress', likelihood: 30, weight: 18 },
  { name: 'Quote', category: 'in_progress', likelihood: 55, weight: 14 },
  { name: 'Closing', category: 'in_progress', likelihood: 80, weight: 8 },
  { name: 'Won', category: 'won', likelihood: 100, weight: 20 },
  { name: 'Lost', category: 'lost', likelihood: 0, weight: 18 },
]

export const lossReasons = ['Price', 'Chose a competitor', 'Project put off', 'No budget', 'No reply']

export const sources = ['Referral', 'Trade fair', 'Website', 'Cold call', 'Existing customer']

export const industries = [
  'Bakery',
  'Brewery',
  'Catering',
  'Dairy',
  'Fisheries',
  'Flowers',
  'Food retail',
  'Fruit and vegetables',
  'Hospital',
  'Hotel',
  'Laboratory',
  'Logistics',
  'Meat processing',
  'Pharmaceuticals',
  'Vineyard',
]

export const titles = [
  'Buyer',
  'Chief engineer',
  'Director of operations',
  'Facility manager',
  'Finance director',
  'Head of logistics',
  'Head of purchasing',
  'Managing director',
  'Plant manager',
  'Project manager',
  'Quality manager',
  'Technical lead',
]

export const organizationTags = ['key account', 'framework contract', 'newsletter', 'references', 'slow payer']
export const personTags = ['decision maker', 'technical', 'newsletter', 'met at fair', 'prefers phone']
export const dealTags = ['tender', 'renewal', 'upsell', 'site visit done', 'financing']

/** Smallest and largest value, in units of 50. */
export const dealSizes = [
  [20, 160],
  [100, 600],
  [100, 600],
  [400, 2400],
  [1600, 9000],
]

export const projects = [
  'blast freezer',
  'cold room, 40 m²',
  'cold room, 120 m²',
  'compressor replacement',
  'deep-freeze warehouse',
  'door curtains and seals',
  'drying room for flowers',
  'energy audit',
  'heat recovery',
  'insulated panels',
  'maintenance contract, 3 years',
  'mobile cooling unit',
  'refrigerant changeover',
  'remote temperature monitoring',
  'ripening chamber',
  'second loading dock',
  'vaccine storage',
  'wine cellar cooling',
]

export const tasks = [
  'Answer {name}’s question on noise levels',
  'Ask {name} for the floor plan',
  'Ask {name} who signs the order',
  'Book the crane for {name}',
  'Call {name} about the quote',
  'Call {name} back',
  'Check the delivery date with the factory',
  'Confirm the site visit with {name}',
  'Get the energy bills from {name}',
  'Invite {name} to the reference plant',
  'Prepare the presentation for {name}',
  'Remind {name} of the open invoice',
  'Revise the quote: smaller compressor',
  'Send {name} the contract',
  'Send {name} the data sheets',
  'Send the quote to {name}',
  'Work out the leasing rate',
]

export const notes = [
  '{name} wants the price per square metre, not the total.',
  'Budget is approved, the board meets at the end of the month.',
  'They compare us with two others; delivery time decides.',
  'The present plant is from 1998 and leaks refrigerant.',
  'The power connection is too weak for the large compressor.',
  'Ground floor only: the ceiling carries no more load.',
  '{name} will talk to the architect and come back to us.',
  'Works must be done at night, the shop stays open.',
  'Very interested in heat recovery, asked for figures.',
  'Asked for a reference of the same size nearby.',
  'Sent the data sheets and a photo of the panel joints.',
  'The landlord has to agree first.',
  '{name} is on leave until the middle of next month.',
  'Three sites in all, this is the first one.',
]
