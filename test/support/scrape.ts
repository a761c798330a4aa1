// Metrics as Prometheus reads them.
import { MetricsServer } from '../../src/metrics/metrics-server.js';
import type { TestService } from './service.js';

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export class Metrics {
  private constructor(
    readonly text: string,
    private readonly samples: readonly Sample[],
  ) {}

  static async of(service: TestService): Promise<Metrics> {
    const response = await fetch(service.app.get(MetricsServer).url ?? '');
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
    const text = await response.text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Metrics(text, lines.map(parse));
  }

  /** The samples of a metric that have these labels. */
  all(name: string, labels: Record<string, string> = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  /** The value of the one sample; undefined if there is none. @throws Error if there are several. */
  value(name: string, labels?: Record<string, string>): number | undefined {
    const [sample, ...others] = this.all(name, labels);
    if (others.length > 0) throw new Error(`${name} has ${others.length + 1} samples with these labels.`);
    return sample?.value;
  }

  /** Every value that a label has in any sample. */
  valuesOf(label: string): string[] {
    const values = this.samples.map(({ labels }) => labels[label]).filter((value) => value !== undefined);
    return [...new Set(values)];
  }

  /** Every name there is, of a histogram the three of its series. */
  get names(): Set<string> {
    const described = [...this.text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
    return new Set(
      described.flatMap(([, name = '', type]) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
      ),
    );
  }
}

function parse(line: string): Sample {
  const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]);
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}
