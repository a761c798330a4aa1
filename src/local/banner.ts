// What a start prints for people: where the service is, and the first thing to try.

interface Started {
  url: string;
  embedded: boolean;
  /** Text of the key made on this start, if one was. */
  key: string | null;
  demo: Demo | null;
}

interface Demo {
  url: string;
  /** E-mail address of a contact who may sign in there; null if there is none to suggest. */
  visitor: string | null;
}

export function banner({ url, embedded, key, demo }: Started): string {
  const address = `'${url}/api/contacts?limit=2'`;
  const lines = [
    '',
    `  Contacts is running at ${url}`,
    `  Reference              ${url}/docs`,
    ...(demo
      ? [`  Portal demo            ${demo.url}${demo.visitor ? `   (sign in as ${demo.visitor})` : ''}`]
      : []),
    ...(embedded ? ['  Database               embedded PostgreSQL, kept in .data/'] : []),
    key
      ? `  API key                ${key}   (shown only now)`
      : '  API keys               are shown once, when they are made',
    '',
    '  Try it:',
    '',
    ...(key
      ? [`  curl -H 'X-SM-Key: ${key}' ${address}`]
      : [
          '  KEY=$(npm run --silent cli -- keys create --name me --scopes contacts:read,contacts:write)',
          `  curl -H "X-SM-Key: $KEY" ${address}`,
        ]),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
