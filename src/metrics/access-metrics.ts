// Who comes in: sign-ins and how they end, and credentials that are refused.
import { Counter, type Registry } from 'prom-client';
import { authenticationFailed, signInEnded } from '../common/signals.js';

/** How sign-ins end that somebody is told of: those by Google are in deploy/prometheus/alerts.yml. */
const FORESEEN = {
  magic_link: ['signed_in', 'bad_proof'],
  google: ['signed_in', 'unreachable', 'bad_answer'],
};

/** Answers how to stop. */
export function watchAccess(registry: Registry): () => void {
  const registers = [registry];
  const signIns = new Counter({
    name: 'contacts_sign_ins_total',
    help: 'Sign-ins that ended: "signed_in", or refused with the reason why.',
    labelNames: ['method', 'outcome'],
    registers,
  });
  const failures = new Counter({
    name: 'contacts_authentication_failures_total',
    help: 'Requests refused with 401, by the credential they brought.',
    labelNames: ['credential'],
    registers,
  });
  // What has not happened yet is 0: of a series that begins at 1, nobody sees the first increase.
  for (const [method, outcomes] of Object.entries(FORESEEN))
    for (const outcome of outcomes) signIns.inc({ method, outcome }, 0);
  for (const credential of ['key', 'token', 'none']) failures.inc({ credential }, 0);
  const stops = [
    signInEnded.listen(({ method, refusal }) => signIns.inc({ method, outcome: refusal ?? 'signed_in' })),
    authenticationFailed.listen(({ credential }) => failures.inc({ credential })),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
