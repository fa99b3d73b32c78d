//! What a forwarding table can hold: routes, their keys and their next hops.
//!
//! Plain data and its checks. Nothing here talks to a kernel.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use ipnet::IpNet;

/// The protocol number (`rtm_protocol`, `FRA_PROTOCOL`) of every route and rule of ours.
///
/// 179 is the TCP port of BGP, and free: iproute2 names 0–4, 8–18, 42, 84, 99 and 186–192, and FRR
/// uses 186–198. `ip route show table all proto 179` lists our routes.
pub const PROTOCOL: u8 = 179;

/// The metric (`RTA_PRIORITY`) of our ordinary routes, the same for IPv4 and IPv6.
///
/// A metric of our own lets a route of another protocol stand at the same prefix without either
/// replacing the other. It is above what the kernel (0 and 256), static configuration (0 and
/// 1024), DHCP and router advertisements (up to 1024) use, so what an operator or the kernel put
/// there wins, in both families alike.
pub const METRIC: u32 = 1179;

/// The metric for an `unreachable default`: the last resort of a table, below any other route.
///
/// It is the value that the kernel's VRF documentation recommends.
pub const UNREACHABLE_METRIC: u32 = 4_278_198_272;

/// The most next hops of one route, after identical ones are merged.
pub const MAX_NEXT_HOPS: usize = 512;

/// What identifies a route of ours in the forwarding tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RouteKey {
    /// The routing table's number.
    pub table: u32,
    /// The destination; host bits are zero.
    pub prefix: IpNet,
    /// The metric; lower is preferred among routes to the same prefix.
    pub metric: u32,
}

impl RouteKey {
    /// The key of an ordinary route, with [`METRIC`].
    pub fn unicast(table: u32, prefix: IpNet) -> Self {
        Self { table, prefix, metric: METRIC }
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} table {} metric {}", self.prefix, self.table, self.metric)
    }
}

/// A route as it should stand in a forwarding table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The routing table's number.
    pub table: u32,
    /// The destination; host bits must be zero.
    pub prefix: IpNet,
    /// The metric; lower is preferred among routes to the same prefix.
    pub metric: u32,
    /// What happens to a packet.
    pub kind: Kind,
    /// The source address for packets that this host originates (`RTA_PREFSRC`).
    pub pref_src: Option<IpAddr>,
}

/// What happens to a packet that takes the route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is forwarded to one of the next hops.
    ///
    /// Of a leaked route they are the exporter's: the route stands in the importer's table and
    /// points at the real egress interface in the exporter's VRF.
    Unicast {
        /// Where to.
        next_hops: NextHops,
    },
    /// It is dropped, and the sender told so by ICMP.
    Unreachable,
}

impl From<NextHops> for Kind {
    fn from(next_hops: NextHops) -> Self {
        Self::Unicast { next_hops }
    }
}

impl Route {
    /// An ordinary route, with [`METRIC`].
    pub fn unicast(table: u32, prefix: IpNet, next_hops: impl Into<NextHops>) -> Self {
        Self { table, prefix, metric: METRIC, kind: Kind::Unicast { next_hops: next_hops.into() }, pref_src: None }
    }

    /// A route that drops, as a table's last resort with [`UNREACHABLE_METRIC`].
    ///
    /// With one at `0.0.0.0/0` and `::/0` of every VRF's table, a packet whose route was
    /// withdrawn does not fall through to another table.
    pub fn unreachable(table: u32, prefix: IpNet) -> Self {
        Self { table, prefix, metric: UNREACHABLE_METRIC, kind: Kind::Unreachable, pref_src: None }
    }

    /// What identifies it.
    pub fn key(&self) -> RouteKey {
        RouteKey { table: self.table, prefix: self.prefix, metric: self.metric }
    }

    /// Whether a forwarding table can hold it. Every sink asks this first, so that they refuse alike.
    pub fn check(&self) -> Result<(), InvalidRoute> {
        if self.table == 0 {
            return Err(InvalidRoute::NoTable);
        }
        if self.metric == 0 {
            return Err(InvalidRoute::NoMetric);
        }
        if self.prefix.trunc() != self.prefix {
            return Err(InvalidRoute::HostBits(self.prefix));
        }
        let v4 = self.prefix.addr().is_ipv4();
        if let Some(source) = self.pref_src
            && source.is_ipv4() != v4
        {
            return Err(InvalidRoute::SourceFamily(source));
        }
        let Kind::Unicast { next_hops } = &self.kind else {
            return Ok(());
        };
        if next_hops.is_empty() {
            return Err(InvalidRoute::NoNextHop);
        }
        if next_hops.len() > MAX_NEXT_HOPS {
            return Err(InvalidRoute::TooManyNextHops(next_hops.len()));
        }
        next_hops.iter().try_for_each(|hop| hop.check(v4))
    }

    /// Whether `standing`, as the kernel tells it, is what this asked for.
    pub(crate) fn matches(&self, standing: &Self) -> bool {
        self.key() == standing.key()
            && self.pref_src == standing.pref_src
            && match (&self.kind, &standing.kind) {
                (Kind::Unreachable, Kind::Unreachable) => true,
                (Kind::Unicast { next_hops: a }, Kind::Unicast { next_hops: b }) => a.matches(b),
                _ => false,
            }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Unreachable => write!(f, "unreachable {}", self.key()),
            Kind::Unicast { next_hops } => {
                write!(f, "{}", self.key())?;
                next_hops.iter().try_for_each(|hop| write!(f, " {hop}"))
            }
        }?;
        match self.pref_src {
            Some(source) => write!(f, " src {source}"),
            None => Ok(()),
        }
    }
}

/// One way out of a route.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Hop {
    /// The gateway; `None` when the destination is on the link. An IPv4 route may have an IPv6
    /// gateway (RFC 8950).
    pub via: Option<IpAddr>,
    /// The egress interface's number; `None` leaves it to the kernel, which looks the gateway up.
    pub interface: Option<u32>,
    /// Take the gateway to be on the link even if no prefix of the interface covers it.
    pub onlink: bool,
    /// The share of traffic relative to the other next hops, at least 1.
    pub weight: u8,
}

impl Hop {
    /// A gateway on an interface, with weight 1.
    pub fn via(gateway: IpAddr, interface: u32) -> Self {
        Self { via: Some(gateway), interface: Some(interface), onlink: false, weight: 1 }
    }

    /// The interface itself, for destinations on the link, with weight 1.
    pub fn interface(interface: u32) -> Self {
        Self { via: None, interface: Some(interface), onlink: false, weight: 1 }
    }

    /// A gateway whose interface the kernel looks up, with weight 1.
    pub fn gateway(gateway: IpAddr) -> Self {
        Self { via: Some(gateway), interface: None, onlink: false, weight: 1 }
    }

    /// The same with the gateway taken to be on the link.
    pub fn onlink(self) -> Self {
        Self { onlink: true, ..self }
    }

    /// The same with another weight.
    pub fn weight(self, weight: u8) -> Self {
        Self { weight, ..self }
    }

    fn check(&self, v4: bool) -> Result<(), InvalidRoute> {
        if self.weight == 0 {
            return Err(InvalidRoute::ZeroWeight(*self));
        }
        match (self.via, self.interface) {
            (None, None) => Err(InvalidRoute::EmptyHop),
            (None, Some(_)) if self.onlink => Err(InvalidRoute::OnlinkWithoutGateway(*self)),
            (Some(IpAddr::V4(via)), _) if !v4 => Err(InvalidRoute::GatewayFamily(via)),
            (Some(_), None) if self.onlink => Err(InvalidRoute::OnlinkWithoutInterface(*self)),
            (Some(IpAddr::V6(via)), None) if via.is_unicast_link_local() => {
                Err(InvalidRoute::LinkLocalWithoutInterface(*self))
            }
            _ => Ok(()),
        }
    }

    /// Whether `standing`, as the kernel tells it, is what this asked for.
    fn matches(&self, standing: &Self) -> bool {
        self.via == standing.via
            && self.onlink == standing.onlink
            && self.weight == standing.weight
            && (self.interface.is_none() || self.interface == standing.interface)
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(via) = self.via {
            write!(f, "via {via}")?;
            gap = " ";
        }
        if let Some(interface) = self.interface {
            write!(f, "{gap}interface {interface}")?;
        }
        if self.onlink {
            write!(f, " onlink")?;
        }
        if self.weight != 1 {
            write!(f, " weight {}", self.weight)?;
        }
        Ok(())
    }
}

/// A set of next hops, cheap to clone so that routes with the same next hops share it.
///
/// Always in one canonical form: sorted, without duplicates (of two that differ only in weight the
/// heavier stays), and with weight 1 if there is only one. Two sets are equal exactly if they
/// forward alike.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct NextHops(Arc<[Hop]>);

impl NextHops {
    /// Whether `standing`, as the kernel tells it, is what this asked for.
    ///
    /// They may differ in interfaces that were left to the kernel.
    pub(crate) fn matches(&self, standing: &Self) -> bool {
        Arc::ptr_eq(&self.0, &standing.0)
            || self == standing
            || self.len() == standing.len() && self.iter().all(|hop| standing.iter().any(|s| hop.matches(s)))
    }
}

impl FromIterator<Hop> for NextHops {
    fn from_iter<I: IntoIterator<Item = Hop>>(hops: I) -> Self {
        let mut hops: Vec<Hop> = hops.into_iter().collect();
        hops.sort_unstable();
        // Weight sorts last, so of equal ones the heavier comes second.
        hops.dedup_by(|next, kept| {
            let same = Hop { weight: 0, ..*next } == Hop { weight: 0, ..*kept };
            if same {
                kept.weight = next.weight;
            }
            same
        });
        if let [only] = hops.as_mut_slice()
            && only.weight != 0
        {
            only.weight = 1;
        }
        Self(hops.into())
    }
}

impl From<Hop> for NextHops {
    fn from(hop: Hop) -> Self {
        Self::from_iter([hop])
    }
}

impl From<Vec<Hop>> for NextHops {
    fn from(hops: Vec<Hop>) -> Self {
        Self::from_iter(hops)
    }
}

impl std::ops::Deref for NextHops {
    type Target = [Hop];

    fn deref(&self) -> &[Hop] {
        &self.0
    }
}

/// Why a route cannot stand in a forwarding table.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRoute {
    /// Table 0 means "unspecified" to the kernel.
    #[error("table 0 is no table; give the VRF's table number")]
    NoTable,
    /// Metric 0 means another value to IPv6, and is what others use.
    #[error("metric 0 is reserved for others; use {METRIC}")]
    NoMetric,
    /// The prefix has bits set beyond its length.
    #[error("{0} has bits set beyond its length; use {net}", net = .0.trunc())]
    HostBits(IpNet),
    /// The source address is of another family than the prefix.
    #[error("source address {0} is not of the prefix's family")]
    SourceFamily(IpAddr),
    /// There is nothing to forward to.
    #[error("no next hop")]
    NoNextHop,
    /// More than [`MAX_NEXT_HOPS`].
    #[error("{0} next hops, at most {MAX_NEXT_HOPS} fit into one route")]
    TooManyNextHops(usize),
    /// A next hop with weight 0 would never be used.
    #[error("next hop {0} has weight 0; the least is 1")]
    ZeroWeight(Hop),
    /// A next hop with neither a gateway nor an interface.
    #[error("a next hop needs a gateway or an interface")]
    EmptyHop,
    /// An IPv6 route cannot have an IPv4 gateway.
    #[error("IPv4 gateway {0} for an IPv6 prefix")]
    GatewayFamily(Ipv4Addr),
    /// Onlink says something of a gateway, and there is none.
    #[error("next hop {0} is onlink but has no gateway")]
    OnlinkWithoutGateway(Hop),
    /// An onlink gateway cannot be looked up, so its interface must be given.
    #[error("next hop {0} is onlink and needs an interface")]
    OnlinkWithoutInterface(Hop),
    /// A link-local gateway means nothing without its interface.
    #[error("next hop {0} is link-local and needs an interface")]
    LinkLocalWithoutInterface(Hop),
}
