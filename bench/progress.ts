// What happens, on standard error: a line per step, rewritten in place on a terminal.

export class Progress {
  private readonly started = performance.now();
  private title = '';
  private stepStarted = 0;
  private lastShown = 0;

  /** Begins a step that may take a while. */
  begin(title: string): void {
    this.title = title;
    this.stepStarted = performance.now();
    this.lastShown = 0;
    this.write(title);
  }

  /** How many of how many rows or things are done, with the rate and the time left. */
  step(done: number, of: number, what = ''): void {
    const now = performance.now();
    if (done >= of || now - this.lastShown < (process.stderr.isTTY ? 200 : 5_000)) return;
    this.lastShown = now;
    const rate = done / Math.max((now - this.stepStarted) / 1000, 0.001);
    const speed = of >= 1000 ? `, ${group(rate)}/s` : '';
    const rest = `${Math.ceil((of - done) / rate)} s left`;
    this.write(`${this.title}: ${group(done)} of ${group(of)}${speed}, ${rest}${what ? ` (${what})` : ''}`);
  }

  /** Ends a step with a line of its own. */
  done(note = ''): void {
    const seconds = (performance.now() - this.stepStarted) / 1000;
    this.write(`${this.title}: done in ${seconds.toFixed(1)} s${note ? `, ${note}` : ''}`);
    if (process.stderr.isTTY) process.stderr.write('\n');
  }

  note(text: string): void {
    this.write(text);
    if (process.stderr.isTTY) process.stderr.write('\n');
  }

  private write(text: string): void {
    const clock = `${Math.round((performance.now() - this.started) / 1000)} s`.padStart(6);
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${clock}  ${text}` : `${clock}  ${text}\n`);
  }
}

/** 1234567 as "1,234,567". */
export function group(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
