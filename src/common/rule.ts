// How one field is checked and documented: a rule is a check with one message, and its OpenAPI schema.
import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { ValidateBy, ValidateIf } from 'class-validator';

/** What is wrong with a value: a stable code and a message that completes "<field> …". */
export interface RuleFault {
  code: string;
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

/** Name of a rule among class-validator's metadata; its one constraint is the conversion. */
export const RULE = 'rule';

const REQUIRED: RuleFault = { code: 'required', message: 'is required' };
const NOT_NULL: RuleFault = { code: 'not_nullable', message: 'cannot be null' };

/**
 * A property decorator that converts, checks and documents one field.
 * The fault travels through class-validator as JSON in the message; `parseInput` unpacks it.
 */
export function rule({ check, convert, schema }: Rule, options: RuleOptions = {}): PropertyDecorator {
  const { required = false, nullable = false, description, example } = options;
  const fault = (value: unknown): RuleFault | undefined => {
    if (value === undefined) return required ? REQUIRED : undefined;
    if (value === null) return nullable ? undefined : NOT_NULL;
    return check(value);
  };
  const property = { description, example, nullable: nullable || undefined, ...schema } as ApiPropertyOptions;
  return applyDecorators(
    (required ? ApiProperty : ApiPropertyOptional)(property),
    // Makes class-validator ignore nothing: absence is judged by the rule itself.
    ValidateIf(() => true),
    ValidateBy({
      name: RULE,
      constraints: [(value: unknown) => (convert && value !== null ? convert(value) : value)],
      validator: {
        validate: (value) => fault(value) === undefined,
        defaultMessage: (args) => JSON.stringify(fault(args?.value)),
      },
    }),
  );
}
