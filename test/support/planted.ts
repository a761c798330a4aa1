// Personal data and secrets that are recognised wherever they turn up, in every place a request has for them.

export const PLANTED = {
  first_name: 'Zdenka',
  last_name: 'Plantova',
  email: 'zdenka.plantova@planted.example',
  phone: '+420 555 019 283',
  address: '203.0.113.99',
  secret: 'plantedSecret',
} as const;

/** What looks like a secret, whoever's it is: API keys, tokens, cookies, links. */
const SHAPES = [/smk_\w+/, /eyJ[\w-]{5,}/, /sm_(client|refresh)\b/, /token=/];
// Of the phone number so much that no time in nanoseconds has it by chance.
const VALUES = [/zdenka/i, /plant[oe]/i, /555\D{0,3}019\D{0,3}283/, /203\.0\.113\.99/];

/** What of the planted values, of the shape of a secret or of `more` is in `text`, with what stands around it. */
export function leaks(text: string, more: readonly string[] = []): string[] {
  const patterns = [...SHAPES, ...VALUES, ...more.map((value) => new RegExp(escape(value)))];
  return patterns.flatMap((pattern) => {
    const found = pattern.exec(text);
    return found ? [text.slice(Math.max(0, found.index - 150), found.index + 150)] : [];
  });
}

const escape = (value: string): string => value.replaceAll(/[^\w]/g, String.raw`\$&`);

/** A contact whose every text is planted. */
export const plantedContact = {
  email: PLANTED.email,
  first_name: PLANTED.first_name,
  last_name: PLANTED.last_name,
  title: 'Planted Title',
  phone: PLANTED.phone,
  department: 'Planted Department',
  notes: 'planted note',
  linkedin_url: 'https://planted.example/zdenka',
  tags: 'planted-tag',
  contact_type: 'planted_type',
  source: 'planted source',
};

/** Every parameter of the lists that takes a text, and an unknown one. */
export const plantedQueries = [
  'search=zdenka plantova',
  `email=${PLANTED.email}`,
  'type=planted_type&source=planted source&tag=planted-tag&product=planted&pipeline_stage=planted&funnel_stage=planted',
  'search=planted&limit=planted&page=planted',
  `${PLANTED.secret}=${PLANTED.email}`,
  'cursor=planted',
  'sort=planted&fields=planted',
  `created_after=planted`,
].map((query) => `?${encodeURI(query)}`);

/** Places of a request that hold planted values whatever it asks for; each request has a number. */
export function plantedHeaders(number: number): Record<string, string> {
  const trace = String(number + 1).padStart(32, '0');
  const ids = [`${PLANTED.email}-${number}`, `smk_${PLANTED.secret}`, `eyJ${PLANTED.secret}.eyJx.y`];
  return {
    'user-agent': `Zdenka Plantova <${PLANTED.email}>`,
    referer: `https://planted.example/?who=${PLANTED.email}&token=${PLANTED.secret}`,
    'x-forwarded-for': PLANTED.address,
    'if-none-match': `"${PLANTED.secret}"`,
    'accept-language': 'planted',
    'idempotency-key': `planted-${number}`,
    'x-request-id': ids[number % ids.length] ?? '',
    traceparent: `00-${trace}-${trace.slice(16)}-01`,
    tracestate: `planted=${PLANTED.email}`,
  };
}

/** Bodies that a route refuses, each with planted values where they do not belong. */
export function refusedBodies(method: string): string[] {
  if (method === 'GET' || method === 'DELETE') return [];
  return [
    `{"planted": "${PLANTED.email}"`,
    JSON.stringify({ ...plantedContact, email: `${PLANTED.email} and more`, plantedField: PLANTED.phone }),
    JSON.stringify([PLANTED.email]),
    JSON.stringify({ email: { planted: PLANTED.email }, name: [PLANTED.last_name], token: PLANTED.secret }),
    '"planted\u0000"',
  ];
}
