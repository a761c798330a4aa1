// A short hash of each field of a JSON object, by its text alone: reading a contact pays for it, and to make its values and
// write them again would cost three times as much.

/** Characters of a hash (24 bits). */
export const FIELD_HASH = 4;

/** FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

const [QUOTE, BACKSLASH, COMMA, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = Array.from(
  '"\\,{}[]',
  (character) => character.charCodeAt(0),
);

/** Two characters for each number of twelve bits. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const PAIRS = Array.from({ length: 4096 }, (_, bits) => `${ALPHABET[bits >> 6]}${ALPHABET[bits & 63]}`);

/**
 * The hashes of the fields in their order, four characters each. Two values have the same one in sixteen million cases.
 * @param json an object as JSON.stringify and row_to_json write it, whose names hold no quotation marks.
 */
export function fieldHashes(json: string): string {
  let hashes = '';
  // From the end of each name, and of the value before it.
  for (let at = json.indexOf('":'); at !== -1; at = json.indexOf('":', at)) {
    let hash = BASIS;
    let depth = 0;
    let isText = false;
    for (at += 2; at < json.length; at += 1) {
      const code = json.charCodeAt(at);
      if (isText) {
        if (code === QUOTE) isText = false;
        else if (code === BACKSLASH) hash = Math.imul(hash ^ json.charCodeAt((at += 1)), PRIME);
      } else if (code === QUOTE) isText = true;
      else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth += 1;
      else if (depth === 0 && (code === COMMA || code === CLOSE_OBJECT)) break;
      else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth -= 1;
      hash = Math.imul(hash ^ code, PRIME);
    }
    hashes += `${PAIRS[hash >>> 20]}${PAIRS[(hash >>> 8) & 0xfff]}`;
  }
  return hashes;
}
