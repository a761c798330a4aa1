// What a process says that ends by an error nobody caught: in its log, and as careful with values as any other line.
import { Logger } from '@nestjs/common';
import { describeError } from '../config/redact.js';

/** From now on. Node's own last words would print whatever hangs on the error, parameters of statements included. */
export function logLastWords(): void {
  process.once('uncaughtException', (error) => {
    new Logger('Process').fatal({ ...describeError(error) }, 'Nobody caught an error: the process ends.');
    process.exit(1);
  });
}
