// The one letter whose lower case depends on its neighbours: Σ is ς at the end of a word, else σ.

const SIGMA = /[σςΣ]/gu;

/** Whether `term`, which may be cut out of a word, can have another sigma than what it is a part of. */
export function hasSigma(term: string): boolean {
  return term.normalize('NFKC').search(SIGMA) >= 0;
}

/** `term` without the letters of which an index cannot know which they are. */
export function withoutSigmas(term: string): string {
  return term.normalize('NFKC').replaceAll(SIGMA, ' ');
}

/**
 * The condition that normalized text holds the term, whichever sigma stands where: an index finds the rest of the term,
 * and of what it finds each is compared with one sigma for all.
 * @param text expression of the text.
 * @param placeholder of the term in the statement's parameters.
 */
export function holdsWithAnySigma(text: string, placeholder: string): string {
  const pattern = `(SELECT translate(search_pattern(${placeholder}), 'σς', '__'))`;
  const alike = `(SELECT translate(search_normalize(${placeholder}), 'ς', 'σ'))`;
  return `${text} LIKE ${pattern} AND strpos(translate(${text}, 'ς', 'σ'), ${alike}) > 0`;
}
