// keys …: the API keys.
import type { Type } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { CreateApiKeyDto, PatchApiKeyDto, RotateApiKeyDto } from '../auth/api-key.dto.js';
import { ApiKeysRepository } from '../auth/api-keys.repository.js';
import { ApiKeysService } from '../auth/api-keys.service.js';
import { AuditLog } from '../auth/audit-log.js';
import { OPERATOR } from '../auth/caller.js';
import { parseInput } from '../common/input.pipe.js';
import { type Command, type Values, json, table } from './command.js';

export const keys: Record<string, Command> = {
  create: {
    options: ['name', 'scopes', 'expires-at', 'allowed-cidrs', 'rate-limit'],
    run: async ({ db }, values) => `${(await keysOf(db).create(OPERATOR, readCreate(values))).key}\n`,
  },
  list: {
    options: ['json'],
    run: async ({ db }, values) => list(keysOf(db), values.json === true),
  },
  rotate: {
    options: ['overlap-seconds'],
    takes: 'the id of one key',
    run: async ({ db }, values, id) => `${(await keysOf(db).rotate(OPERATOR, id, readRotate(values))).key}\n`,
  },
  limit: {
    options: ['rate-limit'],
    takes: 'the id of one key',
    run: async ({ db }, values, id) => {
      const { rate_limit: limit } = await keysOf(db).patch(OPERATOR, id, readLimit(values));
      if (limit === null) return `Requests of ${id} a minute: the default.\n`;
      return `Requests of ${id} a minute: ${limit === 0 ? 'any number' : limit}.\n`;
    },
  },
  revoke: {
    options: [],
    takes: 'the id of one key',
    run: async ({ db }, _values, id) => `Revoked ${(await keysOf(db).revoke(OPERATOR, id)).id}.\n`,
  },
};

function keysOf(db: DataSource): ApiKeysService {
  return new ApiKeysService(new ApiKeysRepository(db), new AuditLog(db));
}

function readCreate(values: Values): CreateApiKeyDto {
  return read(CreateApiKeyDto, {
    name: values.name,
    scopes: values.scopes?.split(','),
    expires_at: values['expires-at'],
    allowed_cidrs: values['allowed-cidrs']?.split(','),
    rate_limit: whole(values['rate-limit']),
  });
}

function readRotate(values: Values): RotateApiKeyDto {
  return read(RotateApiKeyDto, { overlap_seconds: whole(values['overlap-seconds']) });
}

function readLimit(values: Values): PatchApiKeyDto {
  return read(PatchApiKeyDto, { rate_limit: whole(values['rate-limit']) ?? null });
}

/** NaN, which no rule accepts, for what is no number. */
function whole(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : NaN;
}

/** The same rules as over HTTP. */
function read<T extends object>(Dto: Type<T>, input: object): T {
  return parseInput(Dto, input, 'body');
}

async function list(service: ApiKeysService, asJson: boolean): Promise<string> {
  const all = await service.list();
  if (asJson) return json(all);
  const rows = all.map((key) => {
    const state = key.revoked_at ? 'revoked' : isPast(key.expires_at) ? 'expired' : 'live';
    return [key.id, state, key.last_used_at ?? 'never used', key.scopes.join(','), key.name];
  });
  return table(rows, 'There are no keys.');
}

function isPast(moment: string | null): boolean {
  return moment !== null && Date.parse(moment) <= Date.now();
}
