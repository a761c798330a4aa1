// Entity tags (RFC 9110, 8.8.3): a representation's own hash, so that any visible change changes the tag, and a short
// hash of each field behind it, so that a tag alone tells what has changed since.
import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { ApiError, type Fault } from './errors.js';
import { FIELD_HASH, fieldHashes } from './field-hashes.js';
import { JsonText, toJson } from './json-text.js';

/** Characters of the whole representation's hash (162 bits), which decides; those of the fields only explain. */
const WHOLE = 27;

/** The strong ETag of `representation`, with its quotes: 27 characters, and four for each field. */
function etagOf(representation: object): string {
  const json = toJson(representation);
  return `"${hash('sha256', json, 'base64url').slice(0, WHOLE)}${fieldHashes(json)}"`;
}

/** Sets the ETag, and the status 304 when the If-None-Match header names it (weak comparison): true then. */
export function notModified(
  reply: FastifyReply,
  representation: object,
  ifNoneMatch: string | undefined,
): boolean {
  const etag = etagOf(representation);
  void reply.header('etag', etag).header('cache-control', 'private, no-cache');
  const known = tags(ifNoneMatch ?? '').some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
  if (known) void reply.status(304);
  return known;
}

/**
 * @param mayRead whether the caller may read the representation. To any other, the names of changed fields would
 * confirm guesses at what is in them: whoever guesses can compute a tag.
 * @throws ApiError 412 unless the If-Match header names the representation (strong comparison); `details` name the
 * fields that differ from a tag of ours.
 */
export function requireMatch(header: string, representation: object, mayRead: boolean): void {
  const etag = etagOf(representation);
  const given = tags(header);
  if (given.some((tag) => tag === '*' || tag === etag)) return;
  const stale = mayRead ? given.find((tag) => tag.startsWith('"') && tag.length === etag.length) : undefined;
  const details = stale ? changes(stale, etag, fieldsOf(representation)) : [];
  throw new ApiError('precondition_failed', details.length > 0 ? { details } : {});
}

/** A fault per field whose hash is not the same in both tags; `updated_at`, which always differs, goes without saying. */
function changes(before: string, after: string, fields: readonly string[]): Fault[] {
  const isSame = (index: number): boolean => {
    const start = 1 + WHOLE + index * FIELD_HASH;
    return before.slice(start, start + FIELD_HASH) === after.slice(start, start + FIELD_HASH);
  };
  return fields
    .filter((field, index) => field !== 'updated_at' && !isSame(index))
    .map((field) => ({ field, code: 'changed', message: `${field} has changed.` }));
}

const fieldsOf = (representation: object): string[] =>
  Object.keys(
    representation instanceof JsonText ? (JSON.parse(representation.text) as object) : representation,
  );

const tags = (header: string): string[] => header.split(',').map((tag) => tag.trim());
