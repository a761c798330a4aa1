// The names by which connections know the statements that are prepared on them.

/** Texts that a connection keeps at most: any further ones are parsed at each use. */
const PREPARED = 250;

export class PreparedNames {
  private readonly names = new Map<string, string>();

  /** @param areKnown false behind a pooler in transaction mode: the next transaction has another connection. */
  constructor(private readonly areKnown: boolean) {}

  /** The same for the same text; undefined for one that is not to be prepared. */
  of(text: string): string | undefined {
    const known = this.names.get(text);
    if (known || !this.areKnown || this.names.size >= PREPARED) return known;
    const name = `prepared_${this.names.size + 1}`;
    this.names.set(text, name);
    return name;
  }
}
