//! Capabilities: what an OPEN offers (RFC 5492). One that is unknown, or known but of a length that is not its own, is kept as octets.

use crate::AfiSafi;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// Type codes.
pub(crate) mod code {
    pub(crate) const MULTIPROTOCOL: u8 = 1;
    pub(crate) const ROUTE_REFRESH: u8 = 2;
    pub(crate) const ROUTE_FILTERS: u8 = 3;
    pub(crate) const EXTENDED_NEXT_HOP: u8 = 5;
    pub(crate) const EXTENDED_MESSAGE: u8 = 6;
    pub(crate) const MULTIPLE_LABELS: u8 = 8;
    pub(crate) const ROLE: u8 = 9;
    pub(crate) const GRACEFUL_RESTART: u8 = 64;
    pub(crate) const FOUR_OCTET_AS: u8 = 65;
    pub(crate) const ADD_PATH: u8 = 69;
    pub(crate) const ENHANCED_ROUTE_REFRESH: u8 = 70;
    pub(crate) const LONG_LIVED_GRACEFUL_RESTART: u8 = 71;
    pub(crate) const FQDN: u8 = 73;
    pub(crate) const SOFTWARE_VERSION: u8 = 75;
    pub(crate) const PATHS_LIMIT: u8 = 76;
}

/// A capability.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Routes of this family (RFC 4760).
    Multiprotocol(AfiSafi),
    /// ROUTE-REFRESH is understood (RFC 2918).
    RouteRefresh,
    /// Outbound route filters can be sent or received (RFC 5291).
    RouteFilters(Vec<RouteFilterFamily>),
    /// Next hops of another family than the routes' are understood (RFC 8950).
    ExtendedNextHop(Vec<ExtendedNextHop>),
    /// Messages of up to 65535 octets are understood (RFC 8654).
    ExtendedMessage,
    /// Several labels can be bound to a prefix (RFC 8277).
    MultipleLabels(Vec<MultipleLabels>),
    /// The sender's role towards the receiver (RFC 9234).
    Role(Role),
    /// Forwarding survives a restart of the sender (RFC 4724).
    GracefulRestart(GracefulRestart),
    /// AS numbers of four octets are understood; the sender's own (RFC 6793).
    FourOctetAs(u32),
    /// Several paths for one prefix are understood (RFC 7911).
    AddPath(Vec<AddPath>),
    /// The start and end of a refresh are marked (RFC 7313).
    EnhancedRouteRefresh,
    /// Stale routes are kept for long (RFC 9494).
    LongLivedGracefulRestart(Vec<LongLivedFamily>),
    /// The sender's name (draft-walton-bgp-hostname-capability).
    Fqdn {
        /// Host name; UTF-8, whatever is not being replaced on reading.
        host: String,
        /// Domain name, often empty.
        domain: String,
    },
    /// The sender's software and its version, for people to read (draft-ietf-idr-bgp-version-capability). UTF-8, whatever is not being
    /// replaced on reading.
    SoftwareVersion(String),
    /// How many paths for one prefix the sender takes at most (draft-abraitis-idr-addpath-paths-limit).
    PathsLimit(Vec<PathsLimit>),
    /// Any other, as it came.
    Unknown {
        /// Type code.
        code: u8,
        /// Value.
        value: Bytes,
    },
}

/// One entry of [`Capability::ExtendedNextHop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedNextHop {
    /// The family of the routes.
    pub family: AfiSafi,
    /// The address family of their next hop: 2 for IPv6.
    pub next_hop_afi: u16,
}

/// One family of [`Capability::RouteFilters`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteFilterFamily {
    /// The family.
    pub family: AfiSafi,
    /// The kinds of filter, each by its number such as [`crate::RouteFilters::ADDRESS_PREFIX`], with what the sender does with them.
    pub kinds: Vec<(u8, RouteFilterMode)>,
}

/// Direction of route filters (RFC 5291 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteFilterMode {
    /// Takes filters and applies them to what it sends.
    Receive,
    /// Sends filters.
    Send,
    /// Both.
    Both,
}

impl RouteFilterMode {
    const fn octet(self) -> u8 {
        match self {
            Self::Receive => 1,
            Self::Send => 2,
            Self::Both => 3,
        }
    }

    const fn read(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Receive),
            2 => Some(Self::Send),
            3 => Some(Self::Both),
            _ => None,
        }
    }
}

/// One family of [`Capability::MultipleLabels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MultipleLabels {
    /// The family.
    pub family: AfiSafi,
    /// Most labels a prefix may have; 255 is no limit, 0 and 1 say nothing (RFC 8277 section 2.1).
    pub count: u8,
}

/// One family of [`Capability::PathsLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathsLimit {
    /// The family.
    pub family: AfiSafi,
    /// Most paths for one prefix; 0 says nothing.
    pub paths: u16,
}

/// A role (RFC 9234 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends its customer everything, or what it agreed on.
    Provider,
    /// A route server.
    RouteServer,
    /// A client of a route server.
    RouteServerClient,
    /// Sends its provider its own and its customers' routes.
    Customer,
    /// Exchanges own and customers' routes.
    Peer,
    /// A role that is not assigned.
    Other(u8),
}

impl Role {
    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Provider => 0,
            Self::RouteServer => 1,
            Self::RouteServerClient => 2,
            Self::Customer => 3,
            Self::Peer => 4,
            Self::Other(octet) => octet,
        }
    }

    /// Whether a session between a speaker of this role and one of the other is allowed (RFC 9234 section 4.2).
    pub const fn goes_with(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Provider, Self::Customer)
                | (Self::Customer, Self::Provider)
                | (Self::RouteServer, Self::RouteServerClient)
                | (Self::RouteServerClient, Self::RouteServer)
                | (Self::Peer, Self::Peer)
        )
    }
}

impl From<u8> for Role {
    fn from(octet: u8) -> Self {
        match octet {
            0 => Self::Provider,
            1 => Self::RouteServer,
            2 => Self::RouteServerClient,
            3 => Self::Customer,
            4 => Self::Peer,
            octet => Self::Other(octet),
        }
    }
}

/// Content of [`Capability::GracefulRestart`] (RFC 4724 section 3, RFC 8538 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct GracefulRestart {
    /// The sender has just restarted (R).
    pub restarted: bool,
    /// The sender keeps routes over a NOTIFICATION (N).
    pub notification: bool,
    /// Time the sender expects to need for coming back, in seconds, at most 4095.
    pub restart_time: u16,
    /// The families concerned.
    pub families: Vec<GracefulRestartFamily>,
}

/// One family of [`GracefulRestart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GracefulRestartFamily {
    /// The family.
    pub family: AfiSafi,
    /// Whether the sender kept its forwarding state (F).
    pub forwarding_kept: bool,
}

/// One family of [`Capability::LongLivedGracefulRestart`] (RFC 9494 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LongLivedFamily {
    /// The family.
    pub family: AfiSafi,
    /// Whether the sender kept its forwarding state (F).
    pub forwarding_kept: bool,
    /// How long stale routes are to be kept after the restart time, in seconds, at most 2^24 - 1.
    pub stale_time: u32,
}

/// One family of [`Capability::AddPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddPath {
    /// The family.
    pub family: AfiSafi,
    /// What the sender is able and willing to do.
    pub mode: AddPathMode,
}

/// Direction of ADD-PATH (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddPathMode {
    /// Receive several paths.
    Receive,
    /// Send several paths.
    Send,
    /// Both.
    Both,
}

impl AddPathMode {
    /// Whether several paths can be received.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Receive | Self::Both)
    }

    /// Whether several paths can be sent.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Send | Self::Both)
    }
}

impl Capability {
    /// The type code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol(_) => code::MULTIPROTOCOL,
            Self::RouteRefresh => code::ROUTE_REFRESH,
            Self::RouteFilters(_) => code::ROUTE_FILTERS,
            Self::ExtendedNextHop(_) => code::EXTENDED_NEXT_HOP,
            Self::ExtendedMessage => code::EXTENDED_MESSAGE,
            Self::MultipleLabels(_) => code::MULTIPLE_LABELS,
            Self::Role(_) => code::ROLE,
            Self::GracefulRestart(_) => code::GRACEFUL_RESTART,
            Self::FourOctetAs(_) => code::FOUR_OCTET_AS,
            Self::AddPath(_) => code::ADD_PATH,
            Self::EnhancedRouteRefresh => code::ENHANCED_ROUTE_REFRESH,
            Self::LongLivedGracefulRestart(_) => code::LONG_LIVED_GRACEFUL_RESTART,
            Self::Fqdn { .. } => code::FQDN,
            Self::SoftwareVersion(_) => code::SOFTWARE_VERSION,
            Self::PathsLimit(_) => code::PATHS_LIMIT,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// From type code and value.
    pub fn decode(code: u8, value: &[u8]) -> Self {
        Self::typed(code, value).unwrap_or_else(|| Self::Unknown { code, value: Bytes::copy_from_slice(value) })
    }

    fn typed(code: u8, value: &[u8]) -> Option<Self> {
        let family = |afi: [u8; 2], safi| AfiSafi::new(u16::from_be_bytes(afi), safi);
        Some(match (code, value) {
            (code::MULTIPROTOCOL, &[a, b, _, safi]) => Self::Multiprotocol(family([a, b], safi)),
            (code::ROUTE_REFRESH, []) => Self::RouteRefresh,
            (code::EXTENDED_NEXT_HOP, value) => {
                let (entries, []) = value.as_chunks::<6>() else {
                    return None;
                };
                let entry = |&[a, b, _, safi, c, d]: &[u8; 6]| ExtendedNextHop {
                    family: family([a, b], safi),
                    next_hop_afi: u16::from_be_bytes([c, d]),
                };
                Self::ExtendedNextHop(entries.iter().map(entry).collect())
            }
            (code::ROUTE_FILTERS, value) => Self::RouteFilters(route_filters(value)?),
            (code::MULTIPLE_LABELS, value) => {
                let (entries, []) = value.as_chunks::<4>() else {
                    return None;
                };
                let entry = |&[a, b, safi, count]: &[u8; 4]| MultipleLabels { family: family([a, b], safi), count };
                Self::MultipleLabels(entries.iter().map(entry).collect())
            }
            (code::EXTENDED_MESSAGE, []) => Self::ExtendedMessage,
            (code::ROLE, &[role]) => Self::Role(role.into()),
            (code::GRACEFUL_RESTART, &[flags, time, ref entries @ ..]) => {
                let (entries, []) = entries.as_chunks::<4>() else {
                    return None;
                };
                let entry = |&[a, b, safi, flags]: &[u8; 4]| GracefulRestartFamily {
                    family: family([a, b], safi),
                    forwarding_kept: flags & 0x80 != 0,
                };
                Self::GracefulRestart(GracefulRestart {
                    restarted: flags & 0x80 != 0,
                    notification: flags & 0x40 != 0,
                    restart_time: u16::from_be_bytes([flags & 0x0f, time]),
                    families: entries.iter().map(entry).collect(),
                })
            }
            (code::FOUR_OCTET_AS, &[a, b, c, d]) => Self::FourOctetAs(u32::from_be_bytes([a, b, c, d])),
            (code::ADD_PATH, value) => {
                let (entries, []) = value.as_chunks::<4>() else {
                    return None;
                };
                // RFC 7911 section 4: an entry with another mode is to be ignored.
                let entry = |&[a, b, safi, mode]: &[u8; 4]| {
                    let mode = match mode {
                        1 => AddPathMode::Receive,
                        2 => AddPathMode::Send,
                        3 => AddPathMode::Both,
                        _ => return None,
                    };
                    Some(AddPath { family: family([a, b], safi), mode })
                };
                Self::AddPath(entries.iter().filter_map(entry).collect())
            }
            (code::ENHANCED_ROUTE_REFRESH, []) => Self::EnhancedRouteRefresh,
            (code::LONG_LIVED_GRACEFUL_RESTART, value) => {
                let (entries, []) = value.as_chunks::<7>() else {
                    return None;
                };
                let entry = |&[a, b, safi, flags, c, d, e]: &[u8; 7]| LongLivedFamily {
                    family: family([a, b], safi),
                    forwarding_kept: flags & 0x80 != 0,
                    stale_time: u32::from_be_bytes([0, c, d, e]),
                };
                Self::LongLivedGracefulRestart(entries.iter().map(entry).collect())
            }
            (code::SOFTWARE_VERSION, [len, text @ ..]) if usize::from(*len) == text.len() => {
                Self::SoftwareVersion(String::from_utf8_lossy(text).into())
            }
            (code::PATHS_LIMIT, value) => {
                let (entries, []) = value.as_chunks::<5>() else {
                    return None;
                };
                let entry = |&[a, b, safi, c, d]: &[u8; 5]| PathsLimit {
                    family: family([a, b], safi),
                    paths: u16::from_be_bytes([c, d]),
                };
                Self::PathsLimit(entries.iter().map(entry).collect())
            }
            (code::FQDN, value) => {
                let (&len, rest) = value.split_first()?;
                let (host, rest) = rest.split_at_checked(len.into())?;
                let (&len, rest) = rest.split_first()?;
                let (domain, []) = rest.split_at_checked(len.into())? else {
                    return None;
                };
                Self::Fqdn {
                    host: String::from_utf8_lossy(host).into(),
                    domain: String::from_utf8_lossy(domain).into(),
                }
            }
            _ => return None,
        })
    }

    /// Appends the capability with its header of two octets. A value that its length octet cannot hold is cut at a whole entry.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.code(), 0]);
        let start = out.len();
        let put_family = |family: AfiSafi, out: &mut Vec<u8>, reserved: bool| {
            out.extend_from_slice(&family.afi.to_be_bytes());
            if reserved {
                out.push(0);
            }
            out.push(family.safi);
        };
        match self {
            Self::Multiprotocol(family) => put_family(*family, out, true),
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => {}
            Self::RouteFilters(entries) => {
                for entry in entries {
                    // What does not fit is left out, so that the rest is still whole.
                    let kinds = &entry.kinds[..entry.kinds.len().min(125)];
                    if out.len() - start + 5 + 2 * kinds.len() > 255 {
                        break;
                    }
                    put_family(entry.family, out, true);
                    out.push(kinds.len() as u8);
                    kinds.iter().for_each(|(kind, mode)| out.extend_from_slice(&[*kind, mode.octet()]));
                }
            }
            Self::MultipleLabels(entries) => {
                for entry in entries.iter().take(255 / 4) {
                    put_family(entry.family, out, false);
                    out.push(entry.count);
                }
            }
            Self::ExtendedNextHop(entries) => {
                for entry in entries.iter().take(255 / 6) {
                    put_family(entry.family, out, true);
                    out.extend_from_slice(&entry.next_hop_afi.to_be_bytes());
                }
            }
            Self::Role(role) => out.push(role.octet()),
            Self::GracefulRestart(restart) => {
                let flags = u16::from(restart.restarted) << 15 | u16::from(restart.notification) << 14;
                out.extend_from_slice(&(flags | restart.restart_time.min(0x0fff)).to_be_bytes());
                for entry in restart.families.iter().take(253 / 4) {
                    put_family(entry.family, out, false);
                    out.push(u8::from(entry.forwarding_kept) << 7);
                }
            }
            Self::FourOctetAs(asn) => out.extend_from_slice(&asn.to_be_bytes()),
            Self::AddPath(entries) => {
                for entry in entries.iter().take(255 / 4) {
                    put_family(entry.family, out, false);
                    out.push(match entry.mode {
                        AddPathMode::Receive => 1,
                        AddPathMode::Send => 2,
                        AddPathMode::Both => 3,
                    });
                }
            }
            Self::LongLivedGracefulRestart(entries) => {
                for entry in entries.iter().take(255 / 7) {
                    put_family(entry.family, out, false);
                    let time = entry.stale_time.min(0x00ff_ffff);
                    out.extend_from_slice(&(u32::from(entry.forwarding_kept) << 31 | time).to_be_bytes());
                }
            }
            Self::SoftwareVersion(text) => {
                let text = &text[..text.floor_char_boundary(254)];
                out.push(text.len() as u8);
                out.extend_from_slice(text.as_bytes());
            }
            Self::PathsLimit(entries) => {
                for entry in entries.iter().take(255 / 5) {
                    put_family(entry.family, out, false);
                    out.extend_from_slice(&entry.paths.to_be_bytes());
                }
            }
            Self::Fqdn { host, domain } => {
                // The draft gives each name at most 64 octets.
                for name in [host, domain] {
                    let name = &name[..name.floor_char_boundary(64)];
                    out.push(name.len() as u8);
                    out.extend_from_slice(name.as_bytes());
                }
            }
            Self::Unknown { value, .. } => out.extend_from_slice(&value[..value.len().min(255)]),
        }
        out[start - 1] = (out.len() - start) as u8;
    }
}

/// The value of [`Capability::RouteFilters`]. An entry with a direction of no meaning is passed over.
fn route_filters(mut value: &[u8]) -> Option<Vec<RouteFilterFamily>> {
    let mut families = Vec::new();
    while let Some((&[a, b, _, safi, count], rest)) = value.split_first_chunk() {
        let (kinds, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let kinds = kinds.as_chunks().0.iter();
        families.push(RouteFilterFamily {
            family: AfiSafi::new(u16::from_be_bytes([a, b]), safi),
            kinds: kinds.filter_map(|&[kind, mode]| RouteFilterMode::read(mode).map(|mode| (kind, mode))).collect(),
        });
        value = rest;
    }
    value.is_empty().then_some(families)
}
