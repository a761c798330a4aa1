// SQL that draws values: deterministic, since every draw is a hash of a row's number and of what is drawn.

/** Functions of the generator, in a schema of their own that goes when the data is there. */
export const DRAWING_FUNCTIONS = [
  `CREATE SCHEMA draw`,

  // From 0 to below 1.
  `CREATE FUNCTION draw.unit(number bigint, what integer) RETURNS double precision
     LANGUAGE sql IMMUTABLE PARALLEL SAFE
     RETURN (hashint8extended(number, what) & 4294967295) / 4294967296.0::float8`,

  // Eight characters [a-z0-9], unlike those of any other number and in no order that follows the numbers: a product
  // modulo 36^8 with a factor that has no divisor in common with it, and its halves exchanged.
  `CREATE FUNCTION draw.key(number bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
   DECLARE
     product bigint := (number * 90117349847 + 1234567891011) % 2821109907456;
     rest bigint := (product % 1679616) * 1679616 + product / 1679616;
     key text := '';
   BEGIN
     FOR place IN 1..8 LOOP
       key := substr('0123456789abcdefghijklmnopqrstuvwxyz', (rest % 36)::integer + 1, 1) || key;
       rest := rest / 36;
     END LOOP;
     RETURN key;
   END $$`,
];

/** A draw from 0 to below 1 for the row `number`; what is drawn under different names is independent. */
export function unit(number: string, what: string): string {
  return `draw.unit(${number}, ${seedOf(what)})`;
}

/** The place, from 0 to below `count`, of a draw that prefers low places the more, the higher `skew` is. */
export function place(drawn: string, count: number | string, skew = 1): string {
  return `floor(${count} * ${skew === 1 ? drawn : `power(${drawn}, ${skew})`})::integer`;
}

/** One of `choices` (null for no value) by their weights, which need not add up to anything. */
export function weighted(drawn: string, choices: readonly (readonly [string | null, number])[]): string {
  const sum = choices.reduce((total, [, weight]) => total + weight, 0);
  let reached = 0;
  const cases = choices.map(([choice, weight]) => {
    reached += weight / sum;
    return `WHEN ${drawn} < ${reached.toFixed(6)} THEN ${choice === null ? 'NULL' : literal(choice)}`;
  });
  return `CASE ${cases.join(' ')} END`;
}

/** One of `choices`, the first ones more often. */
export function pick(drawn: string, choices: readonly string[], skew = 1): string {
  return `(ARRAY[${choices.map(literal).join(',')}])[1 + ${place(drawn, choices.length, skew)}]`;
}

/** `expression` for a share of the rows, from 0 to 1, and null for the others. */
export function forShare(drawn: string, share: number, expression: string): string {
  return `CASE WHEN ${drawn} < ${share} THEN ${expression} END`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A small number that follows from the name. */
function seedOf(what: string): number {
  return [...what].reduce((hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003, 7);
}
