// How one field is checked and documented: a rule is a check with one message, and its OpenAPI schema.
import type { Type } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import type { FaultCode } from './errors.js';

/** What is wrong with a value: a stable code and a message that completes "<field> …". */
export interface RuleFault {
  code: FaultCode;
  message: string;
}

export interface RuleOptions {
  /** Absence is a fault (only in bodies that create). */
  required?: boolean;
  /** `null` clears the field. */
  nullable?: boolean;
  description?: string;
  example?: unknown;
}

interface Rule {
  /** Undefined for a good value. Never called with undefined, nor with an allowed null. */
  check: (value: unknown) => RuleFault | undefined;
  /** Brings a value to the form in which it is stored; leaves alone what `check` will refuse. */
  convert?: (value: unknown) => unknown;
  schema: ApiPropertyOptions;
}

/** How one field of a DTO is read. */
export interface FieldRule {
  /** Brings a given value to the form in which it is stored; leaves alone what `fault` will name. */
  readonly convert: (value: unknown) => unknown;
  /** What is wrong with the value; undefined for a good one. */
  readonly fault: (value: unknown) => RuleFault | undefined;
}

/** By the prototype that declares them. */
const declared = new Map<object, Map<string, FieldRule>>();
const collected = new Map<object, ReadonlyMap<string, FieldRule>>();

/** The rules of a DTO's fields, with those it inherits. */
export function rulesOf(Dto: Type<object>): ReadonlyMap<string, FieldRule> {
  const prototype = Dto.prototype as object;
  let rules = collected.get(prototype);
  if (!rules) {
    const base = Object.getPrototypeOf(Dto) as Type<object>;
    const inherited = base === Function.prototype ? [] : rulesOf(base);
    rules = new Map([...inherited, ...(declared.get(prototype) ?? [])]);
    collected.set(prototype, rules);
  }
  return rules;
}

const REQUIRED: RuleFault = { code: 'required', message: 'is required' };
const NOT_NULL: RuleFault = { code: 'not_nullable', message: 'cannot be null' };

/** A property decorator that converts, checks and documents one field. */
export function rule({ check, convert, schema }: Rule, options: RuleOptions = {}): PropertyDecorator {
  const { required = false, nullable = false, description, example } = options;
  const field: FieldRule = {
    convert: (value) => (convert && value !== null ? convert(value) : value),
    fault: (value) => {
      if (value === undefined) return required ? REQUIRED : undefined;
      if (value === null) return nullable ? undefined : NOT_NULL;
      return check(value);
    },
  };
  const property = { description, example, nullable: nullable || undefined, ...schema } as ApiPropertyOptions;
  const document = (required ? ApiProperty : ApiPropertyOptional)(property);
  return (target, name) => {
    document(target, name);
    declared.set(target, (declared.get(target) ?? new Map<string, FieldRule>()).set(String(name), field));
  };
}
