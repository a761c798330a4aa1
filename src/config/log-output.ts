// Where the lines of the log go: to standard output, many at once, and no process ends for want of it.
import sonic from 'sonic-boom';

/**
 * Each write is handed to another thread, which takes a busy processor from this one: a line each would cost a twentieth of
 * the service's time. So lines are gathered, in characters and ms, and are no later than that; none is lost when the process
 * exits, by an uncaught error included. Only SIGKILL takes the last with it.
 */
const GATHERED = 16 * 1024;
const LATE_AT_MOST = 100;
/** While lines cannot be written, so many bytes of them are kept, and what is beyond is lost. */
const KEPT = 8 * 1024 * 1024;

/** As much of a stream as pino needs. */
export interface LogOutput {
  write(line: string): void;
  /** Writes all there is before it returns. */
  flushSync(): void;
}

let output: LogOutput | undefined;

/** The same for all loggers of the process. */
export function standardOutput(): LogOutput {
  return (output ??= open());
}

/**
 * Not pino's own destination, which would let an error end the process, and has an older writer that never comes back from
 * writing its last lines then.
 */
function open(): LogOutput {
  const stream = new sonic.SonicBoom({ fd: process.stdout.fd, sync: false, maxLength: KEPT });
  stream.on('error', tellLoss);
  stream.on('drop', () => tellLoss(new Error('nobody takes its lines')));
  const lines = new GatheredLines(stream);
  process.on('exit', () => {
    try {
      lines.flushSync();
    } catch (error) {
      tellLoss(error as Error);
    }
  });
  return lines;
}

/** In front of the writer, which measures all it holds with each line. */
class GatheredLines implements LogOutput {
  private text = '';
  private timer?: NodeJS.Timeout;

  constructor(private readonly stream: sonic.SonicBoom) {}

  write(line: string): void {
    this.text += line;
    if (this.text.length >= GATHERED) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), LATE_AT_MOST).unref();
  }

  flushSync(): void {
    this.flush();
    this.stream.flushSync();
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { text } = this;
    this.text = '';
    if (text !== '') this.stream.write(text);
  }
}

let isLossTold = false;

/** Once for the life of the process: every further try fails alike. */
function tellLoss({ message }: Error): void {
  if (isLossTold) return;
  isLossTold = true;
  process.stderr.write(`The log cannot be written: ${message}. The service goes on, and lines are lost.\n`);
}
