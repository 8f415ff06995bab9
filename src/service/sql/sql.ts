/** The little that the SQL stores need of a database: statements with parameters, and transactions. */

export interface SqlRunner {
  /** Rows as objects; 64-bit integers come as numbers. */
  query<Row extends object>(text: string, params?: readonly unknown[]): Promise<readonly Row[]>
}

export interface Sql extends SqlRunner {
  transaction<T>(run: (tx: SqlRunner) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** The first row of a statement that always has one. */
export async function one<Row extends object>(
  sql: SqlRunner,
  text: string,
  params: readonly unknown[] = [],
): Promise<Row> {
  const [row] = await sql.query<Row>(text, params)
  if (row === undefined) throw new Error('A statement that always has a row had none.')
  return row
}

/** A set of scopes as array literal, for columns of arrays of unlike length (an array of arrays cannot hold them). */
export function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}
