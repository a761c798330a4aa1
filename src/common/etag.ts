// Entity tags (RFC 9110, 8.8.3): a representation's own hash, so that any visible change changes the tag.
import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { ApiError } from './errors.js';
import { toJson } from './json-text.js';

/** The strong ETag of `representation`, with its quotes. */
function etagOf(representation: object): string {
  return `"${hash('sha256', toJson(representation), 'base64url').slice(0, 27)}"`;
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

/** @throws ApiError 412 unless the If-Match header names the representation (strong comparison). */
export function requireMatch(header: string, representation: object): void {
  const etag = etagOf(representation);
  if (!tags(header).some((tag) => tag === '*' || tag === etag)) throw new ApiError('precondition_failed');
}

const tags = (header: string): string[] => header.split(',').map((tag) => tag.trim());
