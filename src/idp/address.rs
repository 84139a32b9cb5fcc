//! The addresses that may be connected to: public ones only (RFC 6890), so that a URL entered by an administrator
//! cannot reach anything behind the firewall.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// IPv4 blocks that are not globally reachable, or that lead to whichever machine is nearest.
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16), // link-local: the metadata services of clouds
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 52, 193, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 3), // multicast, reserved, broadcast
];

/// IPv6 addresses outside this block are not global unicast: loopback, unique local, link-local, multicast,
/// IPv4-mapped and NAT64 addresses.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 3);

/// Special blocks inside it: some carry an arbitrary IPv4 address.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6(0x2001, 0x0000, 23), // protocol assignments, with Teredo
    v6(0x2001, 0x0db8, 32),
    v6(0x2002, 0x0000, 16), // 6to4
    v6(0x3fff, 0x0000, 20),
    v6(0x2620, 0x004f, 32), // AS112 is within
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// Whether an address is on the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !SPECIAL_V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => GLOBAL_UNICAST.contains(&ip) && !SPECIAL_V6.iter().any(|net| net.contains(&ip)),
    }
}
