// Networks: what counts as one client where nobody has said who is calling, and which ones a key may name.
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

/** Whether `network` is a part of one of `networks`, all in CIDR notation. */
export function isWithin(network: string, networks: readonly string[]): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  return networks.some((other) => {
    const [around, fewer] = ipaddr.parseCIDR(other);
    return base.kind() === around.kind() && bits >= fewer && base.match(around, fewer);
  });
}

/**
 * Whether `text` is a network in CIDR notation that says what it means: `10.1/16` would be 10.0.0.1's, a leading zero
 * make a number octal, and an IPv4 address written as IPv6 match nobody, since clients are known by the former.
 */
export function isNetwork(text: string): boolean {
  if (ipaddr.IPv4.isValidCIDRFourPartDecimal(text)) return true;
  if (!ipaddr.IPv6.isValidCIDR(text) || text.includes('%')) return false;
  return !ipaddr.IPv6.parseCIDR(text)[0].isIPv4MappedAddress();
}
