//! Outbound route filters: what a peer asks to be spared, after a ROUTE-REFRESH (RFC 5291), with address prefixes read (RFC 5292).

use crate::refresh::RouteRefresh;
use crate::routes::{Form, Route};
use crate::{AfiSafi, RefreshSubtype};
use alloc::vec::Vec;
use bytes::Bytes;
use ipnet::IpNet;

/// The filters that follow a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteFilters {
    /// Whether the routes are to be sent again at once, else with the next request (When-to-refresh is IMMEDIATE, not DEFER).
    pub immediate: bool,
    /// The changes to the filters, kind by kind, in order.
    pub lists: Vec<FilterList>,
}

/// Changes to the filters of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FilterList {
    /// Of address prefixes (kind 64).
    Prefixes(Vec<PrefixFilter>),
    /// Of a kind this crate does not read, or that does not follow its own rules.
    Other {
        /// The kind.
        kind: u8,
        /// The entries, as they came.
        entries: Bytes,
    },
}

/// One change to the filters of address prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefixFilter {
    /// What to do with the entry.
    pub action: PrefixFilterAction,
    /// Whether what matches is not to be sent (DENY, not PERMIT).
    pub deny: bool,
    /// The entry's place among the others; the lowest that matches decides.
    pub sequence: u32,
    /// Shortest length that matches, in bits; 0 for that of the prefix.
    pub min: u8,
    /// Longest length that matches, in bits; 0 if there is no bound but `min`'s.
    pub max: u8,
    /// The prefix, its host bits zero.
    pub prefix: IpNet,
}

/// What a change does (RFC 5291 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrefixFilterAction {
    /// Adds the entry.
    Add,
    /// Removes the entry.
    Remove,
    /// Removes all entries of the kind; the other fields mean nothing and are not sent.
    RemoveAll,
}

const IMMEDIATE: u8 = 1;
const DEFER: u8 = 2;
const ADD: u8 = 0;
const REMOVE: u8 = 1;
const REMOVE_ALL: u8 = 2;
const DENY: u8 = 0x20;

impl RouteFilters {
    /// The kind of filters of address prefixes (RFC 5292 section 3).
    pub const ADDRESS_PREFIX: u8 = 64;

    /// The filters after a request, given the whole ROUTE-REFRESH. `None` if there are none, or if what follows is not filters: RFC 5291
    /// has no error for that, and the request stands without them.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let refresh = RouteRefresh::parse(frame).ok().filter(|refresh| refresh.subtype == RefreshSubtype::Request)?;
        let (&when, mut rest) = frame.get(RouteRefresh::LEN..)?.split_first()?;
        let immediate = match when {
            IMMEDIATE => true,
            DEFER => false,
            _ => return None,
        };
        let mut lists = Vec::new();
        while let Some((&[kind, high, low], after)) = rest.split_first_chunk() {
            let (entries, after) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
            lists.push(FilterList::read(kind, entries, refresh.family));
            rest = after;
        }
        rest.is_empty().then_some(Self { immediate, lists })
    }

    /// What follows a request of at most `room` octets, and whether that is all.
    pub(crate) fn octets(&self, room: usize) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        if room > 0 {
            out.push(if self.immediate { IMMEDIATE } else { DEFER });
        }
        for list in &self.lists {
            let start = out.len();
            if start + 3 > room {
                return (out, false);
            }
            out.extend_from_slice(&[list.kind(), 0, 0]);
            let whole = list.write(room, &mut out);
            let length = (out.len() - start - 3) as u16;
            out[start + 1..start + 3].copy_from_slice(&length.to_be_bytes());
            if !whole {
                return (out, false);
            }
        }
        (out, room > 0)
    }
}

impl FilterList {
    fn read(kind: u8, entries: &[u8], family: AfiSafi) -> Self {
        let prefixes =
            (kind == RouteFilters::ADDRESS_PREFIX).then(|| PrefixFilter::read_all(entries, family)).flatten();
        prefixes.map_or_else(|| Self::Other { kind, entries: Bytes::copy_from_slice(entries) }, Self::Prefixes)
    }

    /// The kind.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Prefixes(_) => RouteFilters::ADDRESS_PREFIX,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Appends entries while `out` stays within `room` octets; true if all are there.
    fn write(&self, room: usize, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Prefixes(filters) => filters.iter().all(|filter| {
                let before = out.len();
                filter.write(out);
                let fits = out.len() <= room;
                if !fits {
                    out.truncate(before);
                }
                fits
            }),
            Self::Other { entries, .. } => {
                let fits = out.len() + entries.len() <= room;
                if fits {
                    out.extend_from_slice(entries);
                }
                fits
            }
        }
    }
}

impl PrefixFilter {
    /// The change that removes every entry.
    pub fn remove_all() -> Self {
        let prefix = ipnet::Ipv4Net::default().into();
        Self { action: PrefixFilterAction::RemoveAll, deny: false, sequence: 0, min: 0, max: 0, prefix }
    }

    fn read_all(mut octets: &[u8], family: AfiSafi) -> Option<Vec<Self>> {
        // A prefix stands here as it does in an UPDATE.
        let form = Form { family: AfiSafi::new(family.afi, 1), withdrawn: false };
        let mut filters = Vec::new();
        while let Some((&first, rest)) = octets.split_first() {
            let action = match first >> 6 {
                ADD => PrefixFilterAction::Add,
                REMOVE => PrefixFilterAction::Remove,
                REMOVE_ALL => {
                    filters.push(Self::remove_all());
                    octets = rest;
                    continue;
                }
                _ => return None,
            };
            let (&[a, b, c, d, min, max], rest) = rest.split_first_chunk()?;
            let (prefix, rest) = IpNet::split(rest, form)?;
            let (deny, sequence) = (first & DENY != 0, u32::from_be_bytes([a, b, c, d]));
            filters.push(Self { action, deny, sequence, min, max, prefix });
            octets = rest;
        }
        Some(filters)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let action = match self.action {
            PrefixFilterAction::Add => ADD,
            PrefixFilterAction::Remove => REMOVE,
            PrefixFilterAction::RemoveAll => return out.push(REMOVE_ALL << 6),
        };
        out.push(action << 6 | if self.deny { DENY } else { 0 });
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&[self.min, self.max]);
        Route::write(&self.prefix, out);
    }
}
