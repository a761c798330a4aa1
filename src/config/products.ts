// The products of the platform, as configured.

export class Products {
  /** Tags with one of these names count as products of their contact. */
  constructor(readonly names: readonly string[]) {}
}
