// Secrets out of files: what an orchestrator mounts stays out of the environment, which children and crash reports see.
import { readFileSync } from 'node:fs';

/** Settings that hold a secret, or an address with a password in it: <NAME>_FILE may name a file with each. */
const SECRET = /^\w+_SECRET$|^(DATABASE|SMTP)_(\w+_)?URL$/;

interface WithSecrets {
  /** What was given, with each file's content in the place of its name. */
  readonly given: Record<string, string>;
  /** `<NAME>: what is wrong with it`; never the content. */
  readonly faults: readonly string[];
}

/** Reads the files that `source` names for the settings of `names` that are secrets. */
export function readSecretFiles(source: Record<string, string>, names: readonly string[]): WithSecrets {
  const given = { ...source };
  const faults: string[] = [];
  for (const name of names.filter((candidate) => SECRET.test(candidate))) {
    const path = source[`${name}_FILE`];
    if (path === undefined) continue;
    const read =
      source[name] === undefined ? readSecret(path) : { fault: `goes without ${name}: set one of them` };
    if ('fault' in read) faults.push(`${name}_FILE: ${read.fault}`);
    else given[name] = read.secret;
  }
  return { given, faults };
}

/** The content of a file, less the line break that editors and `echo` put at its end. */
function readSecret(path: string): { secret: string } | { fault: string } {
  try {
    const secret = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    return secret === '' ? { fault: `${path} is empty` } : { secret };
  } catch (error) {
    return { fault: `${path} cannot be read (${(error as NodeJS.ErrnoException).code})` };
  }
}
