// How a term is looked for in the search documents (contact_search.document: full name, line feed, e-mail; normalized).
import { hasSigma, holdsWithAnySigma, withoutSigmas } from '../common/final-sigma.js';

/** What a trigram index can look up. */
const HAS_TRIGRAM = /[\p{L}\p{N}]{3}/u;

/** One or two characters of a script in which that is a name, and which normalizing leaves alone (〇 becomes 0). */
const IS_SHORT_NAME =
  /^(?!.*〇)[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{1,2}$/u;

/** What lies between words, and normalizing leaves alone: of ASCII all that is neither letter nor digit. */
const BETWEEN = String.raw` -/:-@[-\x60{-~`;
/** Two words that meet, of which the first can be told by its last letters. */
const HAS_MEETING = new RegExp(`${HAS_TRIGRAM.source}[${BETWEEN}]+[^${BETWEEN}]`, 'u');

/** Whether an index finds the documents that hold the term; else all of them are read. */
export function isIndexed(term: string): boolean {
  const text = withoutSigmas(term);
  return HAS_TRIGRAM.test(text) || IS_SHORT_NAME.test(text);
}

/**
 * The condition that `document` holds the term. Each scalar subquery is evaluated once and not for every row.
 * @param placeholder of the term in the statement's parameters.
 */
export function documentHolds(placeholder: string, term: string): string {
  if (hasSigma(term)) return holdsWithAnySigma('document', placeholder);
  const text = term.normalize('NFKC');
  const normalized = `(SELECT search_normalize(${placeholder}))`;
  // Trigrams stay within words. Each of those of a first and a last name is frequent, however rare the two are together.
  if (HAS_MEETING.test(text)) {
    const meetings = `search_term_meetings(search_normalize(${placeholder}))`;
    return `strpos(document, ${normalized}) > 0 AND (${meetings} IS NULL OR search_meetings(document) @@ ${meetings})`;
  }
  if (HAS_TRIGRAM.test(text)) return `document LIKE (SELECT search_pattern(${placeholder}))`;
  if (!IS_SHORT_NAME.test(text)) return `strpos(document, ${normalized}) > 0`;
  // As the index contact_search_short_ix has it.
  return `octet_length(document) > char_length(document) AND search_short_terms(document) @> ARRAY[${normalized}]`;
}
