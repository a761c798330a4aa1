// The service as a process of its own that a test talks to over HTTP, signals, and sees end.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from './free-port.js';
import { printed, startEntry } from './process.js';
import { waitUntil } from './wait.js';

/** What it prints is where the world finds it: PUBLIC_URL, if it has one. */
const LISTENING = /running at (\S+)\n/;
/** Somebody else came first. */
const PORT_TAKEN = /Port \d+ is taken/;
const STARTS = 3;

type Settings = Record<string, string | undefined>;

export class RunningService {
  private text = '';
  /** The exit code, once it has ended and everything it wrote is in `output`. */
  readonly ended: Promise<number | null>;

  private constructor(
    private readonly child: ChildProcess,
    /** The base URL; empty until it listens. */
    public url = '',
  ) {
    child.stdout?.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = once(child, 'close').then(([code]) => code as number | null);
  }

  /** Starts it with these environment variables, on a free port unless they name one. */
  static begin(settings: Settings): RunningService {
    return new RunningService(startEntry('main', [], { PORT: '0', LOG_LEVEL: 'info', ...settings }));
  }

  /** The same, and waits until it listens. @throws Error with its output if it ends before. */
  static async start(settings: Settings): Promise<RunningService> {
    for (let start = 1; ; start += 1) {
      const port = settings.PORT ?? String(await freePort());
      const service = RunningService.begin({ ...settings, PORT: port });
      try {
        await service.listens();
        service.url = `http://127.0.0.1:${port}`;
        return service;
      } catch (error) {
        if (start === STARTS || !PORT_TAKEN.test((error as Error).message)) throw error;
      }
    }
  }

  async listens(): Promise<void> {
    this.url = LISTENING.exec(await printed(this.child, LISTENING))?.[1] ?? '';
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Everything it wrote so far. */
  get output(): string {
    return this.text;
  }

  /** The messages of its log so far. */
  get messages(): string[] {
    const lines = this.text.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => (JSON.parse(line) as { msg?: string }).msg ?? '');
  }

  /** The status it answers a GET with, or the code of why it does not. */
  async statusOf(path: string, headers: Record<string, string> = {}): Promise<number | string> {
    try {
      const response = await fetch(this.url + path, { headers });
      await response.arrayBuffer();
      return response.status;
    } catch (error) {
      return (error as { cause?: { code?: string } }).cause?.code ?? String(error);
    }
  }

  /** Resolves once it accepts no connection any more. */
  closesDoor(): Promise<void> {
    return waitUntil(async () => (await this.statusOf('/health/live')) === 'ECONNREFUSED');
  }

  signal(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  /** Resolves once it has ended as it was asked to. */
  async stop(): Promise<void> {
    this.signal();
    await this.ended;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}
