// What runs, and how much memory it may have; what it uses is among prom-client's own metrics.
import { getHeapStatistics } from 'node:v8';
import { Gauge, type Registry } from 'prom-client';
import { packageVersion } from '../config/version.js';

export function describeProcess(registry: Registry): void {
  const build = new Gauge({
    name: 'contacts_build_info',
    help: 'Always 1; the labels tell what runs.',
    labelNames: ['version', 'node'],
    registers: [registry],
  });
  build.set({ version: packageVersion, node: process.version }, 1);
  const limit = new Gauge({
    name: 'contacts_heap_limit_bytes',
    help: 'Where the heap (nodejs_heap_size_used_bytes) ends, and with it the process.',
    registers: [registry],
  });
  limit.set(getHeapStatistics().heap_size_limit);
}
