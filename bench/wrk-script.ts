// The script by which wrk sends prepared requests in turn and prints what it measured as JSON.
import { type Request, UNIQUE } from './operations.ts';
import { type Server, askedOf } from './servers.ts';

interface Script {
  server: Server;
  requests: readonly Request[];
  /** Begins what replaces UNIQUE. */
  unique: string;
}

/** Lua. Requests with UNIQUE in their body are made one by one, the others once, before the first is sent. */
export function wrkScript({ server, requests, unique }: Script): string {
  const list = requests
    .map((request) => askedOf(server, request))
    .map(
      ({ method, path, headers, body }) =>
        `{ ${quote(method)}, ${quote(path)}, ${table(headers)}, ${body === undefined ? 'nil' : quote(body)} },`,
    );
  return `
local list = {
${list.join('\n')}
}
local prepared, sent = {}, 0

function init()
  for index, parts in ipairs(list) do
    local method, path, headers, body = unpack(parts, 1, 4)
    if not (body and body:find(${quote(UNIQUE)}, 1, true)) then
      prepared[index] = wrk.format(method, path, headers, body)
    end
  end
end

function request()
  sent = sent + 1
  local index = (sent - 1) % #list + 1
  if prepared[index] then return prepared[index] end
  local method, path, headers, body = unpack(list[index], 1, 4)
  return wrk.format(method, path, headers, (body:gsub("${UNIQUE}", ${quote(unique)} .. sent)))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration":%d,"p50":%d,"p99":%d,"failed":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`;
}

function table(headers: Record<string, string>): string {
  return `{ ${Object.entries(headers)
    .map(([name, value]) => `[${quote(name)}] = ${quote(value)}`)
    .join(', ')} }`;
}

/** A Lua string: what JSON writes, but for characters, which Lua takes as they are. */
function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)}"`;
}
