//! The export function: what of a route a neighbour is told, and whether it is told at all.
//!
//! It is given an [`ExportKey`], everything about the neighbour that it may look at, and one route. Neighbours whose keys
//! are equal are therefore told the same and share a group; nothing can be left out of the key, since
//! nothing else is in reach. Of the prefix it knows nothing: that is for the [`ExportPolicy`].

use bgp_wire::{AttributesBuilder, EncodeCtx, Family, NextHop, Role};
use ipnet::IpNet;

use crate::{Advertise, Attr, NextHopEntry, Origination, Source, SourceId};

/// All that the export function may know of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExportKey {
    /// The AS we are in toward this neighbour.
    pub local_as: u32,
    /// iBGP.
    pub internal: bool,
    /// What the neighbour is to us.
    pub class: PeerClass,
    /// Our own role toward the neighbour (RFC 9234), if one was negotiated or configured.
    pub role: Option<Role>,
    /// Our own address toward the neighbour, as the next hop of this table's family.
    pub local_next_hop: NextHop,
    /// Toward an internal neighbour: name ourselves as next hop even of routes learned from outside.
    pub next_hop_self: bool,
    /// How messages to the neighbour are encoded.
    pub encode: EncodeCtx,
    /// Which export policy applies.
    pub policy: PolicyId,
}

/// What a neighbour is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerClass {
    /// Part of our own network: machines, spines, firewalls.
    Fabric,
    /// Someone else's network: no policy, no routes (RFC 8212).
    External,
}

/// The number of an export policy, as the owner of the policies counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(pub u32);

/// A best route, as the export function and the export policy see it.
#[derive(Clone, Copy, Debug)]
pub struct ExportRoute<'a> {
    /// The source's id.
    pub source_id: SourceId,
    /// Where the route came from.
    pub source: &'a Source,
    /// Its attributes.
    pub attr: Attr<'a>,
    /// Its next hop.
    pub next_hop: &'a NextHopEntry,
}

/// Decides by prefix and route whether a neighbour may be told. It must give the same answer for the same input until
/// [`AdjOut::reevaluate`](super::AdjOut::reevaluate) is called.
pub trait ExportPolicy {
    /// Whether the policy numbered `policy` lets `route` to `prefix` out.
    fn permits(&self, policy: PolicyId, prefix: IpNet, route: &ExportRoute<'_>) -> bool;

    /// What the policy numbered `policy` says of all routes at once. A neighbour whose policy lets nothing out costs nothing per route.
    fn blanket(&self, policy: PolicyId) -> Blanket {
        let _ = policy;
        Blanket::Depends
    }
}

/// What an export policy says of all routes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blanket {
    /// It lets every route out.
    All,
    /// It lets no route out.
    Nothing,
    /// It depends on the route.
    Depends,
}

impl<P: Fn(PolicyId, IpNet, &ExportRoute<'_>) -> bool> ExportPolicy for P {
    fn permits(&self, policy: PolicyId, prefix: IpNet, route: &ExportRoute<'_>) -> bool {
        self(policy, prefix, route)
    }
}

/// What neighbours with `key` are told of `route`: canonical attributes and the next hop; none if they are not told.
///
/// - iBGP: nothing learned by iBGP (RFC 4271 9.2); LOCAL_PREF always; the next hop as learned unless `next_hop_self`, or unless the route
///   is local or leaked, or the next hop cannot be expressed in `F`.
/// - eBGP: our AS in front of AS_PATH, ourselves as next hop; without LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST, non-transitive extended
///   communities, and MED unless the route is our own (RFC 4271 5.1.4).
/// - NO_ADVERTISE, NO_EXPORT and NO_EXPORT_SUBCONFED are honoured (RFC 1997); OTC is set and honoured (RFC 9234 5).
/// - A leaked route goes only where its edge says.
/// - Unknown transitive attributes stay, marked Partial (RFC 4271 5); the canonical form has no others.
pub fn export<F: Family>(key: &ExportKey, route: &ExportRoute<'_>) -> Option<(Vec<u8>, NextHop)> {
    let learning = permitted(key, route)?;
    let mut attributes = AttributesBuilder::default();
    rewrite(key, learning, route.attr, &mut attributes);
    Some((attributes.build(), next_hop::<F>(key, learning, route.next_hop)))
}

/// How we came to a route, as far as it matters to what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learning {
    /// From a neighbour.
    Learned,
    /// It is our own.
    Own,
    /// From another VRF.
    Leaked,
}

/// Whether the neighbour is told at all.
pub(super) fn permitted(key: &ExportKey, route: &ExportRoute<'_>) -> Option<Learning> {
    let hot = route.attr.hot;
    if hot.no_advertise() || (!key.internal && (hot.no_export() || hot.no_export_subconfed())) {
        return None;
    }
    let (learning, inside) = match &route.source.origination {
        Origination::Session(peer) => (Learning::Learned, !peer.external),
        Origination::Connected | Origination::Static => (Learning::Own, false),
        Origination::Leaked(leak) => {
            let allowed = match leak.advertise {
                Advertise::All => true,
                Advertise::Ebgp => !key.internal && key.class == PeerClass::External,
                Advertise::None | Advertise::Evpn => false,
            };
            if !allowed {
                return None;
            }
            (Learning::Leaked, false)
        }
    };
    if key.internal && inside {
        return None;
    }
    let confined = matches!(key.role, Some(Role::Customer | Role::Peer | Role::RouteServerClient));
    (!(confined && hot.otc())).then_some(learning)
}

/// The attributes as the neighbour is told them.
pub(super) fn rewrite(key: &ExportKey, learning: Learning, attr: Attr<'_>, out: &mut AttributesBuilder) {
    let hot = attr.hot;
    if key.internal {
        out.reset(attr.bytes).local_pref(Some(hot.local_pref()));
        return;
    }
    let med = (learning == Learning::Own).then(|| attr.attributes().med()).flatten();
    out.reset_external(attr.bytes, key.local_as);
    if med.is_some() {
        out.med(med);
    }
    if hot.internal_communities() {
        out.ext_communities(attr.attributes().ext_communities().filter(|community| community.is_transitive()));
    }
    let downward = matches!(key.role, Some(Role::Provider | Role::Peer | Role::RouteServer));
    if downward && !hot.otc() {
        out.only_to_customer(Some(key.local_as));
    }
}

/// Whether the next hop that neighbours with `key` are told may be other than our own.
#[inline]
pub(super) fn keeps_next_hop(key: &ExportKey, learning: Learning) -> bool {
    key.internal && !key.next_hop_self && learning == Learning::Learned
}

/// The next hop as the neighbour is told it.
pub(super) fn next_hop<F: Family>(key: &ExportKey, learning: Learning, learned: &NextHopEntry) -> NextHop {
    if !keeps_next_hop(key, learning) {
        return key.local_next_hop;
    }
    let extended = key.encode.extended_next_hop.contains(F::AFI_SAFI);
    let ipv4 = F::AFI_SAFI.afi == 1;
    match learned.address {
        kept @ NextHop::Ipv4(_) if ipv4 => kept,
        kept @ NextHop::Ipv6(address) if (!ipv4 || extended) && !address.is_unicast_link_local() => kept,
        // A link-local address means nothing one hop on (RFC 2545 3).
        NextHop::Ipv6LinkLocal { global, .. }
            if (!ipv4 || extended) && !global.is_unspecified() && !global.is_unicast_link_local() =>
        {
            NextHop::Ipv6(global)
        }
        _ => key.local_next_hop,
    }
}
