// verify: whether totals and search agree with the contacts, found out and mended while the service runs.
import { UnhurriedConnection } from '../common/unhurried.js';
import {
  ContactCountsRepository,
  type CountFault,
  type DocumentFault,
} from '../contacts/contact-counts.repository.js';
import { ContactVerification, type Findings, type Mended } from '../contacts/contact-verification.js';
import { type Command, json } from './command.js';

export const verify: Command = {
  options: ['rebuild', 'json'],
  run: async ({ env, tell }, values) => {
    const connection = new UnhurriedConnection(env, 'contacts-verify');
    const verification = new ContactVerification(new ContactCountsRepository(connection), tell);
    try {
      const rebuilt = values.rebuild ? await verification.mend() : undefined;
      const found = await verification.compare();
      const ok = isRight(found);
      const stdout = values.json
        ? json({ ok, ...found, ...rebuilt })
        : [...(rebuilt ? rebuiltLines(rebuilt) : []), ...foundLines(found)]
            .map((line) => `${line}\n`)
            .join('');
      return { stdout, exitCode: ok ? 0 : 1 };
    } catch (error) {
      throw new Error(`verify broke off before its end: ${(error as Error).message}`, { cause: error });
    } finally {
      await connection.end();
    }
  },
};

function isRight(found: Findings): boolean {
  return faultsOf(found).length === 0;
}

/** What is wrong, in a few words each. */
function faultsOf({ counts, documents, log, silent_triggers: silent }: Findings): string[] {
  return [
    ...(silent.length > 0 ? [plural(silent.length, 'trigger does not fire', 'triggers do not fire')] : []),
    ...(log.held === log.folded ? [] : ['the log of changes is not whole']),
    ...(counts.differences > 0 ? [differ(counts.differences, 'count')] : []),
    ...(documents.differences > 0 ? [differ(documents.differences, 'search document')] : []),
  ];
}

function foundLines(found: Findings): string[] {
  const faults = faultsOf(found);
  const contacts = plural(found.contacts, 'contact', 'contacts');
  const uncounted = found.is_counted ? [] : [UNCOUNTED];
  if (faults.length === 0) {
    const compared = found.is_counted ? 'The counts and the search documents' : 'The search documents';
    return [...uncounted, `Nothing differs. ${compared} are those of ${contacts}.`];
  }
  return [
    ...differenceLines(found),
    ...uncounted,
    `Of ${contacts}: ${faults.join(', ')}. \`verify --rebuild\` mends what differs.`,
  ];
}

const UNCOUNTED =
  'There are no counts to go by at present, so lists count for themselves: the service counts anew while it runs.';

function rebuiltLines({ before, mended }: { before: Findings; mended: Mended }): string[] {
  const log = before.log.held === before.log.folded ? '' : ', with a new log of changes';
  return [
    ...differenceLines(before),
    `Counted anew${log}. Mended ${plural(mended.counts, 'count', 'counts')} and ` +
      `${plural(mended.documents, 'search document', 'search documents')}. Verified again:`,
  ];
}

function differenceLines({ silent_triggers: silent, log, counts, documents }: Findings): string[] {
  return [
    ...silent.map(
      (name) => `trigger ${name} does not fire: ALTER TABLE contact ENABLE TRIGGER ${name}, then rebuild`,
    ),
    ...(log.held === log.folded
      ? []
      : [`log of changes: holds ${log.held} of ${log.folded} changes that were folded`]),
    ...counts.shown.map(countLine),
    ...rest(counts.differences - counts.shown.length, 'count'),
    ...documents.shown.map(documentLine),
    ...rest(documents.differences - documents.shown.length, 'search document'),
  ];
}

/** Characters of a timestamp that say when a period starts. */
const PRECISION = { ever: 0, month: 7, day: 10, hour: 13 } as const;

function countLine({ slice: [type, source], period, starts_at, counted, actual }: CountFault): string {
  const when =
    period === 'ever' ? 'ever' : `${period} ${starts_at?.slice(0, PRECISION[period]) ?? 'infinity'}`;
  return `count of type ${type ?? 'any'}, source ${source ?? 'any'}, ${when}: ${counted} instead of ${actual}`;
}

function documentLine({ contact_id, created_at, fault }: DocumentFault): string {
  return `search document of ${contact_id} (${created_at}): ${fault.replace('_', ' ')}`;
}

function rest(count: number, one: string): string[] {
  return count > 0 ? [`and ${plural(count, `${one} more`, `${one}s more`)}`] : [];
}

function differ(count: number, one: string): string {
  return plural(count, `${one} differs`, `${one}s differ`);
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
