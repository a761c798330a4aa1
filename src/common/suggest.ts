// "Did you mean …?"
import { distance } from 'fastest-levenshtein';

/** The word of `known` nearest to `name`, or undefined when none is near enough to be meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = name.slice(0, 100).toLowerCase();
  const ranked = known
    .map((word) => ({ word, edits: distance(wanted, word) }))
    .filter(({ word, edits }) => edits <= Math.max(2, Math.ceil(word.length / 3)))
    .toSorted((a, b) => a.edits - b.edits);
  return ranked[0]?.word;
}
