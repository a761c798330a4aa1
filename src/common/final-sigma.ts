// The one letter whose lower case depends on what follows it: Σ is ς at the end of a word, else σ.

/**
 * The condition that text holds `term`, which may end in the middle of a word: with a sigma as its last letter, either
 * may stand there.
 * @param placeholder of the term in the statement's parameters.
 * @param holds makes the condition for an expression in the place of the term.
 */
export function eitherSigma(
  placeholder: string,
  term: string,
  holds: (expression: string) => string,
): string {
  if (!/[σςΣ]$/u.test(term.normalize('NFKC'))) return holds(placeholder);
  const ending = (letter: string): string => holds(`left(${placeholder}::text, -1) || '${letter}'`);
  return `((${ending('σ')}) OR (${ending('ς')}))`;
}
