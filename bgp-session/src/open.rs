//! OPEN: what we offer, what is wrong with the neighbour's, and the terms that both together give (RFC 4271 section 6.2,
//! RFC 5492).
//!
//! Both sides' capabilities are read into the same [`Offered`], so that each rule is one line over two of them.

use core::net::Ipv4Addr;
use core::time::Duration;

use bgp_wire::notification::{self, open as subcode};
use bgp_wire::{
    AS_TRANS, AddPath, AfiSafi, Capability, DecodeCtx, EncodeCtx, ExtendedNextHop, FamilySet, GracefulRestart,
    Notification, Open, OpenBuf, PeerKind, RefreshSubtype, Role, RouteRefresh,
};
use bytes::{Bytes, BytesMut};

use crate::Config;

/// What two OPENs agree on. Exists only once both were exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The neighbour's AS number.
    pub remote_as: u32,
    /// The neighbour's BGP Identifier.
    pub remote_id: Ipv4Addr,
    /// Whether the neighbour is in our AS.
    pub internal: bool,
    /// The smaller of both hold times; zero means that nobody watches.
    pub hold_time: Duration,
    /// The longest time between two KEEPALIVEs of ours; zero if none are sent.
    pub keepalive: Duration,
    /// The families both offered (RFC 4760).
    pub families: FamilySet,
    /// How the neighbour's messages are to be read.
    pub decode: DecodeCtx,
    /// How messages to the neighbour are to be written.
    pub encode: EncodeCtx,
    /// The neighbour takes requests for its routes (RFC 2918).
    pub route_refresh: bool,
    /// Both mark where a refresh begins and ends (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// Our role, whether the neighbour told its own or not (RFC 9234 section 4.2).
    pub role: Option<Role>,
    /// The neighbour's host name, without a domain. Control characters are for the caller to escape when showing it.
    pub remote_hostname: Option<String>,
    /// What the neighbour offered for graceful restart, if we offered it too (RFC 4724).
    pub graceful_restart: Option<GracefulRestart>,
}

impl Negotiated {
    /// Whether a ROUTE-REFRESH of the neighbour concerns us: a family we share, and of the subtypes beyond the request only the
    /// marks of RFC 7313, if agreed on. Any other is to be ignored.
    pub(crate) fn admits(&self, refresh: RouteRefresh) -> bool {
        let known = match refresh.subtype {
            RefreshSubtype::Request => true,
            RefreshSubtype::BeginOfRr | RefreshSubtype::EndOfRr => self.enhanced_route_refresh,
            RefreshSubtype::Other(_) => false,
        };
        known && self.families.contains(refresh.family)
    }
}

/// How much of the configured capabilities an OPEN offers (RFC 5492 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Everything,
    /// All but these codes, which the neighbour refused.
    Without(Vec<u8>),
    /// None: the neighbour does not know the parameter.
    Nothing,
}

impl Offer {
    /// What to offer next, if `answer` to an OPEN with this offer says that there was too much in it.
    pub(crate) fn refused_by(&self, config: &Config, answer: &Notification) -> Option<Self> {
        if answer.code != notification::OPEN_ERROR || *self == Self::Nothing {
            return None;
        }
        match answer.subcode {
            subcode::UNSUPPORTED_OPTIONAL_PARAMETER => Some(Self::Nothing),
            subcode::UNSUPPORTED_CAPABILITY => {
                let offered: Vec<u8> = capabilities(config, self).iter().map(Capability::code).collect();
                let mut without = match self {
                    Self::Without(codes) => codes.clone(),
                    Self::Everything | Self::Nothing => Vec::new(),
                };
                let before = without.len();
                let mut data = &answer.data[..];
                while let [code, len, rest @ ..] = data {
                    if offered.contains(code) && !without.contains(code) {
                        without.push(*code);
                    }
                    data = rest.get(usize::from(*len)..).unwrap_or_default();
                }
                Some(if without.len() > before { Self::Without(without) } else { Self::Nothing })
            }
            _ => None,
        }
    }
}

/// Appends our OPEN.
pub(crate) fn encode(config: &Config, offer: &Offer, out: &mut BytesMut) {
    OpenBuf {
        asn: config.local_as,
        hold_time: u16::try_from(config.hold_time.as_secs()).unwrap_or(u16::MAX),
        identifier: config.router_id,
        capabilities: capabilities(config, offer),
    }
    .encode(out);
}

fn capabilities(config: &Config, offer: &Offer) -> Vec<Capability> {
    if *offer == Offer::Nothing {
        return Vec::new();
    }
    let configured = &config.capabilities;
    let mut offered: Vec<Capability> =
        config.families.iter().map(|family| Capability::Multiprotocol(*family)).collect();
    offered.extend(configured.route_refresh.then_some(Capability::RouteRefresh));
    offered.extend(configured.enhanced_route_refresh.then_some(Capability::EnhancedRouteRefresh));
    offered.extend(configured.extended_message.then_some(Capability::ExtendedMessage));
    if !configured.extended_next_hop.is_empty() {
        let entry = |family: &AfiSafi| ExtendedNextHop { family: *family, next_hop_afi: AfiSafi::IPV6_UNICAST.afi };
        offered.push(Capability::ExtendedNextHop(configured.extended_next_hop.iter().map(entry).collect()));
    }
    if let Some(role) = configured.role
        && !config.remote_as.admits(config.local_as, config.local_as)
    {
        offered.push(Capability::Role(role));
    }
    if let Some(restart) = &configured.graceful_restart {
        offered.push(Capability::GracefulRestart(restart.clone()));
    }
    offered.push(Capability::FourOctetAs(config.local_as));
    if !configured.add_path.is_empty() {
        offered.push(Capability::AddPath(configured.add_path.clone()));
    }
    if let Some(host) = &configured.hostname {
        offered.push(Capability::Fqdn { host: host.clone(), domain: String::new() });
    }
    if let Offer::Without(codes) = offer {
        offered.retain(|capability| !codes.contains(&capability.code()));
    }
    offered
}

/// One side's capabilities, by what they mean.
#[derive(Default)]
struct Offered {
    families: Option<FamilySet>,
    four_octet_as: bool,
    route_refresh: bool,
    enhanced_route_refresh: bool,
    extended_message: bool,
    extended_next_hop: FamilySet,
    add_path_receive: FamilySet,
    add_path_send: FamilySet,
    roles: Vec<Role>,
    hostname: Option<String>,
    graceful_restart: Option<GracefulRestart>,
}

impl Offered {
    /// Of a capability given twice the later counts, but families add up and roles are kept to be compared.
    fn new(capabilities: impl Iterator<Item = Capability>) -> Self {
        let mut offered = Self::default();
        for capability in capabilities {
            match capability {
                Capability::Multiprotocol(family) => {
                    offered.families.get_or_insert_default().insert(family);
                }
                Capability::FourOctetAs(_) => offered.four_octet_as = true,
                Capability::RouteRefresh => offered.route_refresh = true,
                Capability::EnhancedRouteRefresh => offered.enhanced_route_refresh = true,
                Capability::ExtendedMessage => offered.extended_message = true,
                Capability::ExtendedNextHop(entries) => {
                    let ipv6 = entries.iter().filter(|entry| entry.next_hop_afi == AfiSafi::IPV6_UNICAST.afi);
                    offered.extended_next_hop = ipv6.map(|entry| entry.family).collect();
                }
                Capability::AddPath(entries) => {
                    let families =
                        |wanted: fn(&AddPath) -> bool| entries.iter().filter(|e| wanted(e)).map(|e| e.family).collect();
                    offered.add_path_receive = families(|entry| entry.mode.receives());
                    offered.add_path_send = families(|entry| entry.mode.sends());
                }
                Capability::Role(role) => offered.roles.push(role),
                Capability::Fqdn { host, .. } => offered.hostname = Some(host).filter(|host| !host.is_empty()),
                Capability::GracefulRestart(restart) => offered.graceful_restart = Some(restart),
                Capability::RouteFilters(_)
                | Capability::MultipleLabels(_)
                | Capability::LongLivedGracefulRestart(_)
                | Capability::SoftwareVersion(_)
                | Capability::PathsLimit(_)
                | Capability::Unknown { .. } => {}
            }
        }
        offered
    }

    /// RFC 4760 section 8: without the capability, IPv4 unicast and nothing else.
    fn families(&self) -> FamilySet {
        self.families.unwrap_or(FamilySet::EMPTY.with(AfiSafi::IPV4_UNICAST))
    }
}

/// The terms under which we accept the neighbour's OPEN, or the NOTIFICATION that refuses it. `offer` is what our own OPEN on
/// this connection offers.
pub(crate) fn negotiate(config: &Config, offer: &Offer, open: &Open<'_>) -> Result<Negotiated, Notification> {
    let refuse = |subcode| Notification::new(notification::OPEN_ERROR, subcode);
    let (remote_as, remote_id) = (open.asn(), open.identifier);
    if remote_as == u32::from(AS_TRANS) || !config.remote_as.admits(config.local_as, remote_as) {
        return Err(refuse(subcode::BAD_PEER_AS));
    }
    let internal = remote_as == config.local_as;
    if internal && remote_id == config.router_id {
        return Err(refuse(subcode::BAD_IDENTIFIER));
    }
    let ours = Offered::new(capabilities(config, offer).into_iter());
    let theirs = Offered::new(open.capabilities());
    let role = config.capabilities.role.filter(|_| !internal);
    if let Some(role) = role
        && let Some((first, others)) = theirs.roles.split_first()
        && !(role.goes_with(*first) && others.iter().all(|other| other == first))
    {
        return Err(refuse(subcode::ROLE_MISMATCH));
    }
    let families = ours.families().intersection(theirs.families());
    if families.is_empty() {
        let needed = config.families.iter().flat_map(|family| {
            let [a, b] = family.afi.to_be_bytes();
            [1, 4, a, b, 0, family.safi]
        });
        let data = needed.collect::<Bytes>();
        return Err(Notification { data, ..refuse(subcode::UNSUPPORTED_CAPABILITY) });
    }
    let hold_time = config.hold_time.min(Duration::from_secs(open.hold_time.into()));
    let keepalive = config.keepalive_time.unwrap_or(hold_time).min(hold_time / 3);
    let as4 = ours.four_octet_as && theirs.four_octet_as;
    let extended_next_hop = ours.extended_next_hop.intersection(theirs.extended_next_hop).intersection(families);
    Ok(Negotiated {
        remote_as,
        remote_id,
        internal,
        hold_time,
        keepalive,
        families,
        decode: DecodeCtx {
            as4,
            add_path: ours.add_path_receive.intersection(theirs.add_path_send).intersection(families),
            // RFC 8654 section 4: whoever offers it takes long messages, whatever it was offered itself.
            extended_message: ours.extended_message,
            extended_next_hop,
            peer: if internal { PeerKind::Internal } else { PeerKind::External },
        },
        encode: EncodeCtx {
            as4,
            add_path: ours.add_path_send.intersection(theirs.add_path_receive).intersection(families),
            extended_message: ours.extended_message && theirs.extended_message,
            extended_next_hop,
        },
        route_refresh: theirs.route_refresh,
        enhanced_route_refresh: ours.enhanced_route_refresh && theirs.enhanced_route_refresh,
        role,
        remote_hostname: theirs.hostname,
        graceful_restart: ours.graceful_restart.and(theirs.graceful_restart),
    })
}
