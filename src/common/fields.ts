// The rules for fields of a JSON body: a wrong type is refused, never coerced.
import validator from 'validator';
import { canonicalEmail } from './email.js';
import { type IdPrefix, isId } from './ids.js';
import { type RuleFault, type RuleOptions, rule } from './rule.js';

const wrongType = (expected: string): RuleFault => ({ code: 'wrong_type', message: `must be ${expected}` });
const badFormat = (expected: string): RuleFault => ({ code: 'bad_format', message: `must be ${expected}` });
const tooLong = (max: number): RuleFault => ({
  code: 'too_long',
  message: `must have at most ${max} characters`,
});
const outOfRange = (range: string): RuleFault => ({ code: 'out_of_range', message: `must be ${range}` });

const SLUG = /^[a-z0-9][a-z0-9_-]{0,63}$/;
/** Control characters except tab, line feed and carriage return. */
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;
/** All control characters: what a field of one line may not hold. */
const CONTROL_OR_BREAK = /[\u0000-\u001f\u007f]/;

const trimmed = (value: unknown): unknown => (typeof value === 'string' ? value.trim() : value);
/** Forms send "" for an empty field: text that is blank counts as null. */
const trimmedOrNull = (value: unknown): unknown => (trimmed(value) === '' ? null : trimmed(value));

interface TextOptions extends RuleOptions {
  /** Longest accepted text, in characters (code points). */
  max: number;
  multiline?: boolean;
}

/** Text, trimmed; blank text counts as null. */
export function Text({ max, multiline = false, ...options }: TextOptions): PropertyDecorator {
  const control = multiline ? CONTROL : CONTROL_OR_BREAK;
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    if ([...value].length > max) return tooLong(max);
    return control.test(value) ? badFormat('free of control characters') : undefined;
  };
  return rule({ check, convert: trimmedOrNull, schema: { type: 'string', maxLength: max } }, options);
}

/** An open vocabulary's word: lower-case letters, digits, `-` and `_`, up to 64. */
export function Slug(options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    return SLUG.test(value) ? undefined : badFormat('a lower-case slug such as end_user (a-z, 0-9, - and _)');
  };
  return rule({ check, convert: trimmed, schema: { type: 'string', pattern: SLUG.source } }, options);
}

/** An e-mail address, brought to its canonical form. */
export function EmailAddress(options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    return canonicalEmail(value) === null
      ? badFormat('an e-mail address with an ASCII local part')
      : undefined;
  };
  const convert = (value: unknown): unknown =>
    typeof value === 'string' ? (canonicalEmail(value) ?? value) : value;
  return rule({ check, convert, schema: { type: 'string', format: 'email', maxLength: 254 } }, options);
}

/** The identifier of a row of the given kind. */
export function Id(prefix: IdPrefix, options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    return isId(prefix, value) ? undefined : badFormat(`an id such as ${prefix}_a1b2c3d4`);
  };
  return rule({ check, schema: { type: 'string', pattern: `^${prefix}_[a-z0-9]{1,32}$` } }, options);
}

/** 0 or 1, as a number. */
export function Flag(options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'number') return wrongType('the number 0 or 1');
    return value === 0 || value === 1 ? undefined : outOfRange('0 or 1');
  };
  return rule({ check, schema: { type: 'integer', enum: [0, 1] } }, options);
}

/** One of a closed list of words. */
export function OneOf(words: readonly string[], options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    return words.includes(value) ? undefined : outOfRange(`one of ${words.join(', ')}`);
  };
  return rule({ check, schema: { type: 'string', enum: [...words] } }, options);
}

/** An absolute http or https URL. */
export function HttpUrl(options: RuleOptions = {}): PropertyDecorator {
  const accepted = { protocols: ['http', 'https'], require_protocol: true, require_tld: false };
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    if (value.length > 2000) return tooLong(2000);
    return validator.isURL(value, accepted) && !CONTROL_OR_BREAK.test(value)
      ? undefined
      : badFormat('an http or https URL');
  };
  return rule(
    { check, convert: trimmed, schema: { type: 'string', format: 'uri', maxLength: 2000 } },
    options,
  );
}

/** Longest single tag, in characters: what the filter takes, and what always fits into an index entry. */
const MAX_TAG = 200;

/** Comma-separated words of at most 200 characters: trimmed, empties and repeats dropped, in the order given. */
export function Tags(options: RuleOptions = {}): PropertyDecorator {
  const max = 2000;
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string of comma-separated words');
    if ([...value].length > max) return tooLong(max);
    if (value.split(',').some((word) => [...word.trim()].length > MAX_TAG))
      return { code: 'too_long', message: `must be of words of at most ${MAX_TAG} characters` };
    return CONTROL_OR_BREAK.test(value) ? badFormat('free of control characters') : undefined;
  };
  const convert = (value: unknown): unknown => (typeof value === 'string' ? tidyTags(value) : value);
  return rule({ check, convert, schema: { type: 'string', maxLength: max } }, options);
}

function tidyTags(text: string): string | null {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
  return words.length === 0 ? null : [...new Set(words)].join(',');
}

/** A moment, ISO 8601 with an offset or Z; stored and answered in UTC. */
export function Timestamp(options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'string') return wrongType('a string');
    return isTimestamp(value)
      ? undefined
      : badFormat('a timestamp with an offset, such as 2026-01-31T12:00:00Z');
  };
  return rule({ check, convert: utcOf, schema: { type: 'string', format: 'date-time' } }, options);
}

/** A sound timestamp in UTC and milliseconds, for PostgreSQL takes no offset beyond 15:59; else `value` itself. */
export function utcOf(value: unknown): unknown {
  return typeof value === 'string' && isTimestamp(value) ? new Date(value).toISOString() : value;
}

/** Whether `value` is ISO 8601 with date, time and offset, a real moment of the years 1 to 9999. */
export function isTimestamp(value: string): boolean {
  return (
    /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value)) &&
    // JavaScript takes 30 February for 2 March.
    new Date(value.slice(0, 10)).toISOString().startsWith(value.slice(0, 10)) &&
    /^(?!0000)\d{4}-/.test(new Date(value).toISOString())
  );
}

interface NumberOptions extends RuleOptions {
  min: number;
  max: number;
  integer?: boolean;
  /** Most digits after the decimal point. */
  decimals?: number;
}

/** A number from `min` to `max`. */
export function NumberBetween({ min, max, integer, decimals, ...options }: NumberOptions): PropertyDecorator {
  const kind = integer ? 'an integer' : 'a number';
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'number' || !Number.isFinite(value)) return wrongType(kind);
    if (integer && !Number.isInteger(value)) return wrongType(kind);
    if (value < min || value > max) return outOfRange(`${kind} from ${min} to ${max}`);
    if (decimals !== undefined && Number(value.toFixed(decimals)) !== value) {
      return badFormat(`${kind} with at most ${decimals} decimals`);
    }
    return undefined;
  };
  const schema = { type: integer ? 'integer' : 'number', minimum: min, maximum: max } as const;
  return rule({ check, schema }, options);
}

/** A JSON object of at most `maxBytes` bytes as UTF-8 text, numbers written out as PostgreSQL does. */
export function JsonObject(maxBytes: number, options: RuleOptions = {}): PropertyDecorator {
  const isLonger = (value: unknown, replace?: (name: string, part: unknown) => unknown): boolean =>
    Buffer.byteLength(JSON.stringify(value, replace)) > maxBytes;
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'object' || Array.isArray(value)) return wrongType('a JSON object');
    // As it was sent first: writing out may make a hundred times as much of it.
    return isLonger(value) || isLonger(value, (_name, part) => writtenOut(part))
      ? { code: 'too_long', message: `must be at most ${maxBytes} bytes of JSON` }
      : undefined;
  };
  return rule({ check, schema: { type: 'object', additionalProperties: true } }, options);
}

/** Something as long as a number without its exponent: 7 characters of `5e-324` are 326 in a jsonb. */
function writtenOut(value: unknown): unknown {
  const [, exponent] = typeof value === 'number' ? String(value).split('e') : [];
  return exponent === undefined ? value : '0'.repeat(Math.abs(Number(exponent)));
}

interface ListOptions extends RuleOptions {
  /** The only words accepted. */
  words?: readonly string[];
  accepts?: (text: string) => boolean;
  /** What `accepts` wants, for the message. */
  expected?: string;
}

/** A list of 1 to 50 different strings. */
export function ListOf({ words, accepts, expected, ...options }: ListOptions): PropertyDecorator {
  const wanted = words ? `a list of ${words.join(', ')}` : `a list of ${expected ?? 'strings'}`;
  const accepted = (item: unknown): boolean =>
    typeof item === 'string' && (words?.includes(item) ?? true) && (accepts?.(item) ?? true);
  const check = (value: unknown): RuleFault | undefined => {
    if (!Array.isArray(value)) return wrongType(wanted);
    if (value.length < 1 || value.length > 50) return outOfRange('a list of 1 to 50 items');
    return value.every(accepted) && new Set(value).size === value.length
      ? undefined
      : badFormat(`${wanted}, without repeats`);
  };
  const items = { type: 'string', enum: words ? [...words] : undefined } as const;
  return rule({ check, schema: { type: 'array', items, minItems: 1, maxItems: 50 } }, options);
}
