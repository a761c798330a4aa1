// What no log line may hold: errors lose the values they quote, and every line what looks like a secret or an address.
import { isNativeError } from 'node:util/types';

/** Credentials in URLs, API keys, JWTs, cookies and links, headers and bodies, e-mail addresses. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b([a-z][a-z+]*:\/\/)[^\s/@"]+@/gi, '$1[redacted]@'],
  [/\bsmk_[\w-]+/g, '[api key]'],
  [/\beyJ[\w-]{5,}(\.[\w-]*)+/g, '[token]'],
  [/\b(sm_client|sm_refresh|token|code|state|password)=[^&;\s"\\]+/g, '$1=[redacted]'],
  [/"((?:\w+_)?token|password|authorization|(?:set-)?cookie|x-sm-key)":"[^"]*"/gi, '"$1":"[redacted]"'],
  [/[^\s@"\\/<>()[\]{},;:=|]{1,64}(?:@|%40)[\p{L}\d][\p{L}\d.-]*/giu, '[e-mail]'],
];
/** Nearly every line is done with after this one look. */
const SUSPECT =
  /@|%40|smk_|eyJ|(?:sm_client|sm_refresh|token|code|state|password)=|(?:token|password|authorization|cookie|key)":/i;

/**
 * `text` without what looks like a secret or an e-mail address, whoever wrote it. The last line of defence: names and
 * phone numbers look like nothing in particular, so whoever logs has to leave them out.
 */
export function scrub(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return SHAPES.reduce((scrubbed, [shape, instead]) => scrubbed.replaceAll(shape, instead), text);
}

/** All that is logged of an error: what else hangs on it (parameters, rows, URLs, answers) may hold anything. */
export interface LoggedError {
  readonly type: string;
  readonly message: string;
  /** SQLSTATE, or the word of Node or a library. */
  readonly code?: string;
  readonly constraint?: string;
  readonly table?: string;
  readonly column?: string;
  /** Where it was thrown, without the message. */
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** SQLSTATE classes whose messages quote values: data exceptions and broken constraints. */
const QUOTES_VALUES = /^2[23][0-9A-Z]{3}$/;
const CAUSES = 5;

/** How an error is logged. */
export function describeError(thrown: unknown, depth = 0): LoggedError {
  if (!isNativeError(thrown)) return { type: typeof thrown, message: 'What was thrown is no error.' };
  const { driverError, cause, code, constraint, table, column } = thrown as Fault;
  // TypeORM wraps what the driver threw, and repeats it.
  if (driverError) return describeError(driverError, depth);
  return {
    type: thrown.constructor.name,
    message: QUOTES_VALUES.test(String(code)) ? 'PostgreSQL refused a value.' : thrown.message,
    code: code === undefined ? undefined : String(code),
    constraint,
    table,
    column,
    stack: thrown.stack?.split('\n').filter(isFrame).join('\n'),
    cause: cause && depth < CAUSES ? describeError(cause, depth + 1) : undefined,
  };
}

/** An error of PostgreSQL, TypeORM or anybody. */
interface Fault extends Error {
  driverError?: unknown;
  code?: string | number;
  constraint?: string;
  table?: string;
  column?: string;
}

const isFrame = (line: string): boolean => line.startsWith('    at ');
