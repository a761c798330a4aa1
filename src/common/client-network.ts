// What counts as one client where nobody has said who is calling.
import ipaddr from 'ipaddr.js';

/**
 * An IPv4 address, or the /64 network that one IPv6 subscriber has to itself, as a CIDR. What is no address at all, as a
 * proxy may send, is one client as well.
 */
export function clientNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (!('parts' in parsed)) return parsed.toString();
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}
