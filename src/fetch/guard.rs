//! Which addresses a request may reach.
//!
//! Feeds and pages name the next URL to fetch, so their authors could make this machine send requests into its own network
//! (SSRF). No single check stops that: a literal (`http://2130706433/`, `[::ffff:127.0.0.1]`) never reaches a resolver, a name
//! may resolve to anything at the moment of the connection, and a redirect may lead anywhere. So every hop passes
//! `Guard::check`, which sees the literals, and every connection goes to an address from `GuardedResolver`, which refuses a
//! name as a whole if one of its addresses is special.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::AllowedNet;
use super::names::Names;

/// An address that no request may reach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "host {host:?} has the special-purpose address {address} ({kind}); hint: to permit it, add it to fetch.allow"
)]
pub struct Refused {
    /// The host in the URL.
    pub host: String,
    /// Its address.
    pub address: IpAddr,
    /// The registry's name of the address block.
    pub kind: &'static str,
}

/// Refuses special-purpose addresses, except those that the operator allows.
#[derive(Debug)]
pub(super) struct Guard {
    allow: Vec<AllowedNet>,
    names: Names,
}

impl Guard {
    pub(super) fn new(allow: Vec<AllowedNet>, names: Names) -> Self {
        Self { allow, names }
    }

    /// Refuses a URL whose host is a literal special address. Names are checked by the resolver.
    pub(super) fn check(&self, url: &Url) -> Result<(), Refused> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.check_address(&address.to_string(), address, url.port_or_known_default())
    }

    /// Returns the port if the allow list has a rule for it. A resolver does not learn the port of the connection, so each such
    /// port has its own resolver and client.
    pub(super) fn port_with_rule(&self, url: &Url) -> Option<u16> {
        let port = url.port_or_known_default();
        port.filter(|_| self.allow.iter().any(|allowed| allowed.port == port))
    }

    /// Resolves a name; fails if any of its addresses is special.
    async fn look_up(
        &self,
        name: &str,
        port: Option<u16>,
    ) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let addresses = self.names.look_up(name).await?;
        for address in &addresses {
            self.check_address(name, *address, port)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    /// Refuses a URL whose name resolves to a special address here. For requests through a proxy, which resolves the name again
    /// and may know names that this machine does not: those pass, and the proxy's own rules apply.
    pub(super) async fn check_name(&self, url: &Url) -> Result<(), Refused> {
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let Ok(addresses) = self.names.look_up_for_proxy(name).await else { return Ok(()) };
        let port = url.port_or_known_default();
        addresses.into_iter().try_for_each(|address| self.check_address(name, address, port))
    }

    fn check_address(&self, host: &str, address: IpAddr, port: Option<u16>) -> Result<(), Refused> {
        // `::ffff:a.b.c.d` is a.b.c.d on the wire.
        let address = address.to_canonical();
        let Some(kind) = special(address) else { return Ok(()) };
        let allowed = self.allow.iter().any(|allowed| {
            allowed.net.contains(&address) && (allowed.port.is_none() || allowed.port == port)
        });
        if allowed { Ok(()) } else { Err(Refused { host: host.to_owned(), address, kind }) }
    }
}

/// Resolves names and refuses those with a special address. The client connects to exactly the addresses that this returns:
/// there is no second lookup that could give others (DNS rebinding).
pub(super) struct GuardedResolver {
    pub(super) guard: Arc<Guard>,
    /// The port of the connections, if the allow list has a rule for it.
    pub(super) port: Option<u16>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, port) = (Arc::clone(&self.guard), self.port);
        Box::pin(async move {
            let addresses = guard.look_up(name.as_str(), port).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Returns the kind of special-purpose block that contains the address; `None` for a public unicast address.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    let (_, _, kind) =
        V4.iter().chain(CLOUD).find(|(block, length, _)| (bits ^ block.to_bits()) >> (32 - length) == 0)?;
    Some(kind)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    if let Some((_, _, kind)) =
        V6.iter().find(|(block, length, _)| (bits ^ block.to_bits()) >> (128 - length) == 0)
    {
        return Some(kind);
    }
    // The interface identifiers 0000:5efe:a.b.c.d and 0200:5efe:a.b.c.d tunnel to an IPv4 address under any prefix.
    let [.., fourth_last, third_last, _, _] = address.segments();
    if third_last == 0x5efe && matches!(fourth_last, 0 | 0x0200) {
        return Some("ISATAP");
    }
    // IANA hands out global unicast addresses from 2000::/3 only.
    (bits >> 125 != 1).then_some("not global unicast")
}

/// IANA IPv4 Special-Purpose Address Registry (<https://www.iana.org/assignments/iana-ipv4-special-registry>), complete:
/// the blocks marked globally reachable are anycast services, none of them a publisher. The last entry is multicast, from
/// the IPv4 Multicast Address Space Registry.
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "IETF protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay anycast"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
];

/// Public addresses that clouds serve only to their own machines: a request from within a cloud reaches its internal services.
/// All other known ones lie in the registry blocks of this file: 169.254.0.0/16 (Amazon, Google, Azure, Oracle, Tencent and
/// most others), 100.100.100.200 (Alibaba), 192.0.0.192 (Oracle), `fd00:ec2::/32` (Amazon), `fd20:ce::254` (Google),
/// `fd00:42::42` (Scaleway), `fd00:a9fe:a9fe::1` (Linode), `fe80::a9fe:a9fe` (`OpenStack`).
///
/// - Azure's host: <https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16>
/// - IBM's service endpoints: <https://cloud.ibm.com/docs/vpc?topic=vpc-service-endpoints-for-vpc>
/// - Google's private APIs: <https://cloud.google.com/vpc/docs/configure-private-google-access>
const CLOUD: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud host"),
    (Ipv4Addr::new(161, 26, 0, 0), 16, "cloud services"),
    (Ipv4Addr::new(166, 8, 0, 0), 14, "cloud services"),
    (Ipv4Addr::new(199, 36, 153, 4), 30, "cloud services"),
    (Ipv4Addr::new(199, 36, 153, 8), 30, "cloud services"),
];

/// IANA IPv6 Special-Purpose Address Registry (<https://www.iana.org/assignments/iana-ipv6-special-registry>): the blocks
/// inside global unicast, and those outside it that error messages name. IPv4-mapped addresses are never looked up here
/// (see [`Guard::check_address`]).
const V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "NAT64"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "NAT64"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard only"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "IETF protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "AS112"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "segment routing"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];
