// The names by which connections know the statements that are prepared on them.
export class PreparedNames {
  private readonly names = new Map<string, string>();

  /**
   * @param prefix of the names, which other kinds of statements on the same connections do not have.
   * @param limit so many texts at most: any further ones are parsed at each use. None behind a pooler in transaction mode,
   * where the next transaction has another connection.
   */
  constructor(
    private readonly prefix: string,
    private readonly limit: number,
  ) {}

  /** The same for the same text; undefined for one that is not to be prepared. */
  of(text: string): string | undefined {
    const known = this.names.get(text);
    if (known || this.names.size >= this.limit) return known;
    const name = `${this.prefix}_${this.names.size + 1}`;
    this.names.set(text, name);
    return name;
  }
}
