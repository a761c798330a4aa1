// Compares what is derived from contacts with the contacts themselves, and mends it, while the service runs.
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  ComparedCounts,
  ComparedDocuments,
  ContactCountsRepository,
  Differences,
  DocumentFault,
  Place,
} from './contact-counts.repository.js';

export interface Findings extends ComparedCounts {
  /** How many contacts there were. */
  readonly contacts: number;
  readonly documents: Differences<DocumentFault>;
}

export interface Mended {
  readonly counts: number;
  readonly documents: number;
}

/** Documents that are told in full. */
const SHOWN_DOCUMENTS = 30;
const PROGRESS_EVERY_MS = 5_000;
/** How often to come back for contacts that others are writing, before waiting for them. */
const ATTEMPTS = 5;
const PAUSE_MS = 100;

export class ContactVerification {
  constructor(
    private readonly counts: ContactCountsRepository,
    /** Takes a line on how far it is. */
    private readonly tell: (line: string) => void,
  ) {}

  async compare(): Promise<Findings> {
    return this.findings(await this.compareCounts(), (after) => this.counts.compareDocuments(after));
  }

  /** Answers what was wrong, and how much of it no longer is. */
  async mend(): Promise<{ before: Findings; mended: Mended }> {
    const compared = await this.compareCounts();
    this.tell('Counting anew.');
    await this.counts.recount();
    let left = 0;
    const before = await this.findings(compared, async (after) => {
      const found = await this.counts.compareDocuments(after);
      left += await this.mendDocuments(found.faults);
      return found;
    });
    const documents = before.documents.differences - left;
    return { before, mended: { counts: compared.counts.differences, documents } };
  }

  private compareCounts(): Promise<ComparedCounts> {
    this.tell('Comparing the counts.');
    return this.counts.compareCounts();
  }

  /** Answers how many could not be mended, for somebody held on to them. */
  private async mendDocuments(faults: readonly DocumentFault[]): Promise<number> {
    let left = faults;
    for (let attempt = 1; left.length > 0 && attempt <= ATTEMPTS; attempt += 1) {
      if (attempt > 1) await delay(PAUSE_MS);
      left = await this.counts.mendDocuments(left);
    }
    if (left.length > 0) this.tell(`Waiting for who is writing ${left.length} of the contacts.`);
    for (const [index, fault] of left.entries()) {
      // The others are likely to be held by the same transaction.
      if (!(await this.counts.mendDocument(fault))) return left.length - index;
    }
    return 0;
  }

  private async findings(
    compared: ComparedCounts,
    step: (after: Place | null) => Promise<ComparedDocuments>,
  ): Promise<Findings> {
    const all = Math.round(await this.counts.about());
    this.tell(`Comparing the search documents of about ${all} contacts.`);
    const shown: DocumentFault[] = [];
    let contacts = 0;
    let differences = 0;
    let told = performance.now();
    for (let place: Place | null = null; ;) {
      const { faults, end, ...read } = await step(place);
      contacts += read.contacts;
      differences += faults.length;
      shown.push(...faults.slice(0, SHOWN_DOCUMENTS - shown.length));
      if (end === null) break;
      place = end;
      if (performance.now() - told > PROGRESS_EVERY_MS) {
        told = performance.now();
        this.tell(`Search documents: ${contacts} of about ${Math.max(all, contacts)} compared.`);
      }
    }
    return { ...compared, contacts, documents: { differences, shown } };
  }
}
