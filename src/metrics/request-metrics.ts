// Requests: how many, how they end, how long they take, how many at once, and how many are turned away.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { limitHit, requestBegun, requestEnded, requestShed } from '../common/signals.js';

/** In seconds, around what a request takes: a read some milliseconds, and DATABASE_TIMEOUT_MS at worst. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Other methods, of which HTTP knows many, share a label; so do all URLs without a route. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS']);

/** Answers how to stop. */
export function watchRequests(registry: Registry): () => void {
  const registers = [registry];
  const durations = new Histogram({
    name: 'contacts_http_request_duration_seconds',
    help: 'Time from the headers of a request to the last byte of its answer; status 499: the client went away.',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS,
    registers,
  });
  const inFlight = new Gauge({
    name: 'contacts_http_requests_in_flight',
    help: 'Requests that wait for their answer.',
    registers,
  });
  const refusals = new Counter({
    name: 'contacts_rate_limit_refusals_total',
    help: 'Requests refused with 429, by the limit that was reached.',
    labelNames: ['limit'],
    registers,
  });
  const shed = new Counter({
    name: 'contacts_requests_shed_total',
    help: 'Requests turned away with 503 because the process had enough to do, by what it had enough of.',
    labelNames: ['reason'],
    registers,
  });
  const stops = [
    requestBegun.listen(() => inFlight.inc()),
    requestEnded.listen(({ ending: { method, route = 'unknown', status, ms } }) => {
      inFlight.dec();
      durations.observe({ method: METHODS.has(method) ? method : 'other', route, status }, ms / 1000);
    }),
    limitHit.listen(({ limit }) => refusals.inc({ limit })),
    requestShed.listen(({ reason }) => shed.inc({ reason })),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
