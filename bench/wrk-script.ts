// The script by which wrk sends prepared requests in turn and prints what it measured as JSON.
import { type Request, UNIQUE } from './operations.ts';
import type { Server } from './servers.ts';

interface Script {
  server: Server;
  requests: readonly Request[];
  /** Begins what replaces UNIQUE. */
  unique: string;
}

/** Lua. Requests with UNIQUE in their body are made one by one, the others once, before the first is sent. */
export function wrkScript({ server, requests, unique }: Script): string {
  const list = requests.map(
    ({ method, path, body = '' }) => `{ ${quote(method)}, ${quote(path)}, ${quote(body)} },`,
  );
  const headers = Object.entries(server.headers).map(
    ([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`,
  );
  return `
local list = {
${list.join('\n')}
}
local prepared, sent = {}, 0
wrk.headers["Content-Type"] = "application/json"
${headers.join('\n')}

function init()
  for index, parts in ipairs(list) do
    if not parts[3]:find(${quote(UNIQUE)}, 1, true) then
      local body = nil
      if parts[3] ~= "" then body = parts[3] end
      local saved = wrk.headers["Content-Type"]
      if not body then wrk.headers["Content-Type"] = nil end
      prepared[index] = wrk.format(parts[1], parts[2], nil, body)
      wrk.headers["Content-Type"] = saved
    end
  end
end

function request()
  sent = sent + 1
  local index = (sent - 1) % #list + 1
  if prepared[index] then return prepared[index] end
  local parts = list[index]
  local body = parts[3]:gsub("${UNIQUE}", ${quote(unique)} .. sent)
  return wrk.format(parts[1], parts[2], nil, body)
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

/** A Lua string: what JSON writes, but for characters, which Lua takes as they are. */
function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)}"`;
}
