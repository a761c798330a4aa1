// The results as a picture: requests per second of each server and operation, on a logarithmic scale.
import { number } from './report.ts';
import type { Results } from './results.ts';
import { SERVER_NAMES, type ServerName } from './servers.ts';

const COLORS: Record<ServerName, string> = {
  service: '#0b6e4f',
  'fastify-pg': '#e0912f',
  'nest-typeorm': '#8a8f98',
};
const LABELS: Record<ServerName, string> = {
  service: 'this service',
  'fastify-pg': 'Fastify + pg by hand',
  'nest-typeorm': 'Nest + TypeORM as in tutorials',
};
const WIDTH = 1000;
const LEFT = 240;
const RIGHT = 90;
const TOP = 96;
const BAR = 14;
const GAP = 16;

/** An SVG document. */
export function chart({ operations, contacts, load }: Results): string {
  const rates = operations.flatMap(({ servers }) =>
    SERVER_NAMES.map((name) => servers[name].requestsPerSecond),
  );
  const lowest = Math.floor(Math.log10(Math.max(0.01, Math.min(...rates.filter((rate) => rate > 0)))));
  const highest = Math.ceil(Math.log10(Math.max(10, ...rates)));
  const x = (rate: number): number => {
    const share = (Math.log10(Math.max(rate, 10 ** lowest)) - lowest) / (highest - lowest);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  };
  const group = SERVER_NAMES.length * BAR + GAP;
  const bottom = TOP + operations.length * group;

  const lines = Array.from({ length: highest - lowest + 1 }, (_, step) => {
    const value = 10 ** (lowest + step);
    const at = x(value).toFixed(1);
    return `<line x1="${at}" y1="${TOP - 6}" x2="${at}" y2="${bottom}" stroke="#d8dbe0"/>
<text x="${at}" y="${bottom + 18}" text-anchor="middle" class="small">${value.toLocaleString('en-US')}</text>`;
  });
  const bars = operations.flatMap(({ operation, title, servers }, index) => {
    const y = TOP + index * group;
    const middle = y + (SERVER_NAMES.length * BAR) / 2 + 5;
    return [
      `<text x="${LEFT - 12}" y="${middle}" text-anchor="end">${operation}. ${escaped(title)}</text>`,
      ...SERVER_NAMES.map((name, place) => {
        const rate = servers[name].requestsPerSecond;
        const top = y + place * BAR;
        const length = Math.max(1, x(rate) - LEFT).toFixed(1);
        return `<rect x="${LEFT}" y="${top}" width="${length}" height="${BAR - 2}" fill="${COLORS[name]}"/>
<text x="${(x(rate) + 5).toFixed(1)}" y="${top + BAR - 4}" class="small">${number(rate)}</text>`;
      }),
    ];
  });
  const legend = SERVER_NAMES.map((name, place) => {
    const at = LEFT + place * 190;
    return `<rect x="${at}" y="56" width="12" height="12" fill="${COLORS[name]}"/>
<text x="${at + 18}" y="67" class="small">${escaped(LABELS[name])}</text>`;
  });
  const title = `Requests per second with ${contacts.toLocaleString('en-US')} contacts`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + 56}" viewBox="0 0 ${WIDTH} ${bottom + 56}" role="img" aria-label="${title}">
<style>text { font: 14px system-ui, sans-serif; fill: #22262b } .title { font-size: 18px; font-weight: 600 } .small { font-size: 12px }</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${LEFT}" y="34" class="title">${title}</text>
${[...legend, ...lines, ...bars].join('\n')}
<text x="${LEFT + (WIDTH - LEFT - RIGHT) / 2}" y="${bottom + 42}" text-anchor="middle" class="small">requests per second, logarithmic; more is better (measured with ${escaped(load)})</text>
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
