// The rules for query parameters: always strings on the wire, converted only when they are well formed.
import { canonicalEmail } from './email.js';
import type { FaultCode } from './errors.js';
import { isTimestamp, utcOf } from './fields.js';
import { type IdPrefix, isId } from './ids.js';
import { type RuleFault, type RuleOptions, rule } from './rule.js';

const fault = (code: FaultCode, message: string): RuleFault => ({ code, message });

interface IntegerOptions extends RuleOptions {
  min: number;
  max: number;
  default?: number;
}

/** A decimal integer, delivered as a number. */
export function IntegerParam({ min, max, default: initial, ...options }: IntegerOptions): PropertyDecorator {
  const convert = (value: unknown): unknown =>
    typeof value === 'string' && /^(0|-?[1-9]\d{0,14})$/.test(value) ? Number(value) : value;
  const check = (value: unknown): RuleFault | undefined => {
    if (typeof value !== 'number') return fault('wrong_type', `must be an integer from ${min} to ${max}`);
    const inside = value >= min && value <= max;
    return inside ? undefined : fault('out_of_range', `must be an integer from ${min} to ${max}`);
  };
  const schema = { type: 'integer', minimum: min, maximum: max, default: initial } as const;
  return rule({ check, convert, schema }, options);
}

/** `0` or `1`, delivered as a number. */
export function FlagParam(options: RuleOptions & { default?: 0 | 1 } = {}): PropertyDecorator {
  const { default: initial, ...rest } = options;
  const convert = (value: unknown): unknown => (value === '0' || value === '1' ? Number(value) : value);
  const check = (value: unknown): RuleFault | undefined =>
    value === 0 || value === 1 ? undefined : fault('out_of_range', 'must be 0 or 1');
  return rule({ check, convert, schema: { type: 'integer', enum: [0, 1], default: initial } }, rest);
}

/** Text as given, from 1 to `max` characters (code points). */
export function TextParam({ max, ...options }: RuleOptions & { max: number }): PropertyDecorator {
  return textRule(max, options);
}

/** Text to look for, of 1 to 200 characters: accents alone are none, since they are looked past. */
export function SearchParam(options: RuleOptions): PropertyDecorator {
  return textRule(200, options, (text) =>
    /^\p{Script=Inherited}+$/u.test(text)
      ? fault('out_of_range', 'must have a letter, or anything else but accents')
      : undefined,
  );
}

/** @param further what else may be wrong with a text that is sound. */
function textRule(
  max: number,
  options: RuleOptions,
  further: (text: string) => RuleFault | undefined = () => undefined,
): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined => {
    // A form, and JSON in its place, may bring anything.
    if (typeof value !== 'string') return fault('wrong_type', 'must be text');
    const { length } = [...value];
    if (length < 1 || length > max) return fault('out_of_range', `must have from 1 to ${max} characters`);
    const control = /[\u0000-\u001f\u007f]/.test(value);
    return control ? fault('bad_format', 'must be free of control characters') : further(value);
  };
  return rule({ check, schema: { type: 'string', minLength: 1, maxLength: max } }, options);
}

/** An identifier of the given kind; an unknown one simply matches nothing. */
export function IdParam(prefix: IdPrefix, options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined =>
    isId(prefix, value) ? undefined : fault('bad_format', `must be an id such as ${prefix}_a1b2c3d4`);
  return rule({ check, schema: { type: 'string', pattern: `^${prefix}_[a-z0-9]{1,32}$` } }, options);
}

/** An e-mail address, delivered in its canonical form. */
export function EmailParam(options: RuleOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined =>
    canonicalEmail(String(value)) === null ? fault('bad_format', 'must be an e-mail address') : undefined;
  const convert = (value: unknown): unknown => canonicalEmail(String(value)) ?? value;
  return rule({ check, convert, schema: { type: 'string', format: 'email' } }, options);
}

/** One of a closed list of words. */
export function OneOfParam(
  words: readonly string[],
  options: RuleOptions & { default?: string } = {},
): PropertyDecorator {
  const { default: initial, ...rest } = options;
  const check = (value: unknown): RuleFault | undefined =>
    words.includes(String(value)) ? undefined : fault('out_of_range', `must be one of ${words.join(', ')}`);
  return rule({ check, schema: { type: 'string', enum: [...words], default: initial } }, rest);
}

interface TimestampOptions extends RuleOptions {
  /** What comes before a moment within a millisecond is what comes before the next: answers know no finer ones. */
  roundedUp?: boolean;
}

const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z');

/** A moment, ISO 8601 with an offset or Z (a `+` in a URL is written %2B), in whole milliseconds, by default cut down. */
export function TimestampParam({ roundedUp, ...options }: TimestampOptions = {}): PropertyDecorator {
  const check = (value: unknown): RuleFault | undefined =>
    isTimestamp(String(value))
      ? undefined
      : fault('bad_format', 'must be a timestamp with an offset, such as 2026-01-31T12:00:00Z');
  const convert = roundedUp ? nextMillisecond : utcOf;
  return rule({ check, convert, schema: { type: 'string', format: 'date-time' } }, options);
}

function nextMillisecond(value: unknown): unknown {
  const cut = utcOf(value);
  const isFiner = /\.\d{3}\d*[1-9]/.test(String(value)) && isTimestamp(String(value));
  return isFiner ? new Date(Math.min(Date.parse(String(cut)) + 1, LAST_MOMENT)).toISOString() : cut;
}

/** The place a walk has reached; empty starts one. `decodeCursor` judges the rest. */
export function CursorParam(): PropertyDecorator {
  const description =
    'Walks the whole list: start with an empty cursor, go on with next_cursor until it is null. Nothing is skipped or repeated but what changes its place meanwhile, as an update does in the order of updated_at; newest first, nothing does.';
  const check = (value: unknown): RuleFault | undefined =>
    String(value).length > 4000 ? fault('too_long', 'is not one this service gave out') : undefined;
  return rule({ check, schema: { type: 'string', allowEmptyValue: true } as object }, { description });
}
