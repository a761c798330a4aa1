// A client of pg whose statements leave nothing behind in memory.
import pg from 'pg';

type Answered = (error: Error | null | undefined, result?: pg.QueryResult) => void;

/** What pg keeps to itself. */
interface Internals {
  readonly pipeline: boolean;
  readonly connectionParameters: { query_timeout?: number | false };
}

/**
 * pg writes a function or two for each statement where it assigns them to it. Such a function V8 takes for a method and
 * puts among what is old, and all it leads to is kept until the next look through the whole heap: the statement, its rows,
 * and the requests that wait for them, which are most of what a process makes. So the functions are made here and handed
 * over, and the time limit of the client (`query_timeout`, in ms) is kept here, too. For texts and plain configurations
 * nothing else is different; not meant for it are a Submittable, and a `callback` or `query_timeout` of a statement's own.
 */
export class ForgetfulClient extends pg.Client {
  private readonly patience: number;

  constructor(options?: pg.ClientConfig) {
    super(options);
    const { connectionParameters } = this as unknown as Internals;
    this.patience = connectionParameters.query_timeout || 0;
    connectionParameters.query_timeout = false;
    this.query = ((...args: unknown[]) => this.ask(args)) as typeof this.query;
  }

  private ask(args: unknown[]): unknown {
    const callback = args.at(-1);
    if (typeof callback !== 'function') return this.answer(args);
    this.send(args.slice(0, -1), callback as Answered);
    return undefined;
  }

  private async answer(args: unknown[]): Promise<unknown> {
    try {
      return await new Promise((resolve, reject) => {
        this.send(args, (error, result) => (error ? reject(error) : resolve(result)));
      });
    } catch (error) {
      // Its own stack leads to the socket, and this one to whoever asked.
      Error.captureStackTrace(error as Error);
      throw error;
    }
  }

  /** Calls `done` once: with the answer, or when it has taken too long. */
  private send([statement, values]: unknown[], done: Answered): void {
    let timer: NodeJS.Timeout | undefined;
    let isDone = false;
    const end: Answered = (error, result) => {
      clearTimeout(timer);
      if (isDone) return;
      isDone = true;
      done(error, result);
    };
    // Looked up at each call, so that whoever replaces pg's own method is heard.
    super.query(statement as string, values as unknown[], end as () => void);
    // It may have been refused already.
    if (!isDone && this.patience > 0) timer = setTimeout(() => this.giveUp(end), this.patience);
  }

  private giveUp(end: Answered): void {
    end(new Error('Query read timeout'));
    // Whatever was sent after it would wait for its answer.
    if ((this as unknown as Internals).pipeline) this.connection.stream.destroy();
  }
}
