// The steps of a migration and when each of them ran, from the lines that `migrate up` prints.

export interface Step {
  title: string;
  /** As performance.now() tells them. */
  from: number;
  to: number;
}

/** Between steps, or in a transaction, of which only the end is told. */
const UNTOLD = '';

/** Of one run. */
export class MigrationSteps {
  readonly done: Step[] = [];
  /** How many rows the fill had gone through, line by line, with those of earlier runs. */
  readonly filled: number[] = [];
  private title = UNTOLD;
  private from = performance.now();

  /** Takes note of a line, at the moment when it is printed. */
  hear(line: string): void {
    const now = performance.now();
    const [, name, ms] = /^Applied \d+-(\S+) in (\d+) ms$/.exec(line) ?? [];
    if (name !== undefined) {
      if (this.title === UNTOLD) this.done.push({ title: name, from: now - Number(ms), to: now });
      else this.end('', now);
      return;
    }
    // Remarks of the run; a line of progress repeats the title of its step.
    if (/^Waiting: |^\S+ (runs outside|goes on at|waits for) /.test(line)) return;
    const title = line.split(': ', 1)[0] ?? line;
    const [, rows] = /: (\d+) (?:of about \d+ )?rows$/.exec(line) ?? [];
    if (rows !== undefined) this.filled.push(Number(rows));
    if (title === this.title) return;
    this.end('', now);
    this.title = title;
  }

  /** The run is over, or was broken off. */
  end(note = '', now = performance.now()): void {
    if (this.title !== UNTOLD) this.done.push({ title: `${this.title}${note}`, from: this.from, to: now });
    this.title = UNTOLD;
    this.from = now;
  }
}
