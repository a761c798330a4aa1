// What is being closed just now: whoever ends the process in spite of it can say what it was waiting for.

const underWay = new Set<string>();

/** Does `work`, which closes `what`, in a word or two such as "the mail queue". */
export async function closing(what: string, work: () => Promise<unknown>): Promise<void> {
  underWay.add(what);
  try {
    await work();
  } finally {
    underWay.delete(what);
  }
}

/** What is not closed yet. */
export function stillClosing(): string[] {
  return [...underWay];
}
