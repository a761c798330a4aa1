// Strict input: nothing unknown, nothing repeated, nothing coerced, and every fault named at once.
import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { ApiError, type Fault } from './errors.js';
import { rulesOf } from './rule.js';
import { nearest } from './suggest.js';

/**
 * The global pipe: turns a body or query string into its DTO or throws the 400 that lists every fault.
 * A DTO with a static `bodyOptional` takes no body at all for {}.
 */
@Injectable()
export class InputPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || !metatype) return value;
    const given = value === undefined && 'bodyOptional' in metatype ? {} : value;
    return parseInput(metatype as Type<object>, given, type);
  }
}

/** What is particular to one caller. */
export interface InputRules<T> {
  /** Names of the DTO that do not exist for this caller. */
  without?: readonly string[];
  /** Faults beyond those of single values; what is among the `faults` found already is absent from `dto`. */
  judge?: (dto: Partial<T>, faults: readonly Fault[]) => Fault[];
}

/**
 * `value` as an instance of `Dto`.
 * @throws ApiError 400 invalid_request with one entry in `details` per fault.
 */
export function parseInput<T extends object>(
  Dto: Type<T>,
  value: unknown,
  kind: 'body' | 'query',
  { without = [], judge = () => [] }: InputRules<T> = {},
): T {
  if (value === undefined) {
    throw new ApiError('invalid_json', { message: 'The body is empty; send a JSON object.' });
  }
  if (!isPlainObject(value)) {
    throw new ApiError('invalid_request', { message: 'The body must be a JSON object.' });
  }
  const rules = rulesOf(Dto);
  const isKnown = (name: string): boolean => rules.has(name) && !without.includes(name);
  const unknown = Object.keys(value).filter((name) => !isKnown(name));
  const faults = repeatedParameters(value, kind);
  if (unknown.length > 0) faults.unshift(...unknownNames(unknown, [...rules.keys()].filter(isKnown), kind));
  const flagged = new Set(faults.map((fault) => fault.field));
  // Known fields only, and not by a library that takes keys such as "constructor" inside a value for code.
  const dto = new Dto();
  const fields = dto as Record<string, unknown>;
  for (const [name, { convert, fault }] of rules) {
    if (!isKnown(name)) continue;
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given !== undefined) fields[name] = convert(given);
    const wrong = flagged.has(name) ? undefined : fault(fields[name]);
    if (wrong) faults.push({ field: name, code: wrong.code, message: `${name} ${wrong.message}.` });
  }
  faults.push(...judge(soundPart(dto, faults), faults));
  if (faults.length > 0) throw ApiError.invalid(faults);
  return dto;
}

function soundPart<T extends object>(dto: T, faults: readonly Fault[]): Partial<T> {
  if (faults.length === 0) return dto;
  const faulty = new Set(faults.map(({ field }) => field));
  return Object.fromEntries(Object.entries(dto).filter(([name]) => !faulty.has(name))) as Partial<T>;
}

/** The fault of naming something that is not there, with the nearest thing that is. */
function unknownName(name: string, known: readonly string[], kind: 'body' | 'query'): Fault {
  const what = kind === 'body' ? 'field' : 'parameter';
  const guess = nearest(name, known);
  const shown = JSON.stringify(name.slice(0, 100));
  const message = `There is no ${what} ${shown}${guess ? `; did you mean "${guess}"?` : '.'}`;
  return { field: name.slice(0, 100), code: `unknown_${what}`, message };
}

/** So many are named each by itself: finding what was meant, and saying so, costs more than sending a name. */
const NAMED = 100;

function unknownNames(names: readonly string[], known: readonly string[], kind: 'body' | 'query'): Fault[] {
  const faults = names.slice(0, NAMED).map((name) => unknownName(name, known, kind));
  const further = names.length - faults.length;
  if (further === 0) return faults;
  const what = kind === 'body' ? 'field' : 'parameter';
  const message = `There are ${further} further names of which there is no ${what}.`;
  return [...faults, { field: kind, code: `unknown_${what}`, message }];
}

function repeatedParameters(value: object, kind: 'body' | 'query'): Fault[] {
  if (kind === 'body') return [];
  return Object.entries(value)
    .filter(([, given]) => Array.isArray(given))
    .slice(0, NAMED)
    .map(([field]) => ({ field, code: 'repeated_parameter', message: `${field} is given more than once.` }));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
