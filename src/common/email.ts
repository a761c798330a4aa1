// E-mail addresses in the one form in which they are stored, compared and mailed.
import { domainToASCII } from 'node:url';
import validator from 'validator';

/** RFC 5321: a path of 256 characters, less its angle brackets. */
const MAX_LENGTH = 254;
/** In what is sent, a character may be a letter with three marks. Node's IDNA takes time by the square of the length. */
const MAX_SENT = 4 * MAX_LENGTH;
/** Unquoted ASCII (the atext of RFC 5322): what every mail system takes, and no mail header can be broken with. */
const LOCAL_PART = /^[\w.!#$%&'*+/=?^`{|}~-]+@/;

/**
 * The canonical form of `address`: trimmed, lower-cased, its domain in IDNA ASCII form (RFC 5891).
 * @returns null when it is not an address we accept; the local part is ASCII only, so look-alikes cannot pass.
 */
export function canonicalEmail(address: string): string | null {
  const trimmed = address.trim();
  const at = trimmed.lastIndexOf('@');
  if (at < 1 || trimmed.length > MAX_SENT) return null;
  // The URL parser behind domainToASCII drops or maps characters that have no place in a domain: check before it.
  const host = trimmed.slice(at + 1);
  if (!/^[\p{L}\p{M}\p{N}.\-。]+$/u.test(host)) return null;
  const canonical = `${trimmed.slice(0, at).toLowerCase()}@${domainToASCII(host)}`;
  // Before lower-casing, which makes a plain k of the Kelvin sign.
  return LOCAL_PART.test(trimmed) && canonical.length <= MAX_LENGTH && validator.isEmail(canonical)
    ? canonical
    : null;
}
