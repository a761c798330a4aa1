// Strict input: nothing unknown, nothing repeated, nothing coerced, and every fault named at once.
import { type ArgumentMetadata, Injectable, type PipeTransform, type Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync } from 'class-validator';
import { ApiError, type Fault } from './errors.js';
import type { RuleFault } from './rule.js';
import { nearest } from './suggest.js';

/** The global pipe: turns a body or query string into its DTO or throws the 400 that lists every fault. */
@Injectable()
export class InputPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || !metatype) return value;
    // Some bodies have nothing that must be said: none at all is then as good as {}.
    return parseInput(metatype as Type<object>, value ?? {}, type);
  }
}

/**
 * `value` as an instance of `Dto`.
 * @throws ApiError 400 invalid_request with one entry in `details` per fault.
 */
export function parseInput<T extends object>(Dto: Type<T>, value: unknown, kind: 'body' | 'query'): T {
  if (!isPlainObject(value)) {
    throw new ApiError('invalid_request', { message: 'The body must be a JSON object.' });
  }
  const faults = [...unknownNames(Dto, value, kind), ...repeatedParameters(value, kind)];
  const flagged = new Set(faults.map((fault) => fault.field));
  const dto = plainToInstance(Dto, value);
  for (const error of validateSync(dto, { forbidUnknownValues: false })) {
    const packed = error.constraints?.rule;
    if (!packed || flagged.has(error.property)) continue;
    const { code, message } = JSON.parse(packed) as RuleFault;
    faults.push({ field: error.property, code, message: `${error.property} ${message}.` });
  }
  if (faults.length > 0) throw ApiError.invalid(faults);
  return dto;
}

/** The names a DTO knows. */
export function knownNames(Dto: Type<object>): string[] {
  const metadata = getMetadataStorage().getTargetValidationMetadatas(Dto, '', true, false);
  return [...new Set(metadata.map((entry) => entry.propertyName))];
}

/** The fault of naming something that is not there, with the nearest thing that is. */
export function unknownName(name: string, known: readonly string[], kind: 'body' | 'query'): Fault {
  const what = kind === 'body' ? 'field' : 'parameter';
  const guess = nearest(name, known);
  const shown = JSON.stringify(name.slice(0, 100));
  const message = `There is no ${what} ${shown}${guess ? `; did you mean "${guess}"?` : '.'}`;
  return { field: name.slice(0, 100), code: `unknown_${what}`, message };
}

function unknownNames(Dto: Type<object>, value: object, kind: 'body' | 'query'): Fault[] {
  const known = knownNames(Dto);
  return Object.keys(value)
    .filter((name) => !known.includes(name))
    .map((name) => unknownName(name, known, kind));
}

function repeatedParameters(value: object, kind: 'body' | 'query'): Fault[] {
  if (kind === 'body') return [];
  return Object.entries(value)
    .filter(([, given]) => Array.isArray(given))
    .map(([field]) => ({ field, code: 'repeated_parameter', message: `${field} is given more than once.` }));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
