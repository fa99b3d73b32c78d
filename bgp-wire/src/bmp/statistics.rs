//! Statistics reports (RFC 7854 section 4.8, RFC 8671 section 6.2): counters by number.

use super::{BmpError, BmpFault, PeerHeader, Tlv, Tlvs, WriteError};
use crate::AfiSafi;
use crate::cursor::Cursor;
use alloc::vec::Vec;
use core::iter::FusedIterator;

/// The counters by number. Those below 7 and from 11 to 13 count events; the others tell how many routes there are.
pub mod counter {
    /// Prefixes rejected by inbound policy.
    pub const REJECTED: u16 = 0;
    /// Duplicate announcements of a prefix.
    pub const DUPLICATE_ANNOUNCEMENTS: u16 = 1;
    /// Withdrawals of what was not there.
    pub const DUPLICATE_WITHDRAWALS: u16 = 2;
    /// Updates dropped for a loop in CLUSTER_LIST.
    pub const CLUSTER_LIST_LOOPS: u16 = 3;
    /// Updates dropped for a loop in AS_PATH.
    pub const AS_PATH_LOOPS: u16 = 4;
    /// Updates dropped for the router's own ORIGINATOR_ID.
    pub const ORIGINATOR_ID_LOOPS: u16 = 5;
    /// Updates dropped for a loop in the confederation's segments.
    pub const CONFEDERATION_LOOPS: u16 = 6;
    /// Routes in Adj-RIBs-In.
    pub const ADJ_RIB_IN: u16 = 7;
    /// Routes in Loc-RIB.
    pub const LOC_RIB: u16 = 8;
    /// Routes in Adj-RIB-In of one family.
    pub const FAMILY_ADJ_RIB_IN: u16 = 9;
    /// Routes in Loc-RIB of one family.
    pub const FAMILY_LOC_RIB: u16 = 10;
    /// Updates treated as withdrawals (RFC 7606).
    pub const UPDATES_TREATED_AS_WITHDRAW: u16 = 11;
    /// Prefixes treated as withdrawn (RFC 7606).
    pub const PREFIXES_TREATED_AS_WITHDRAW: u16 = 12;
    /// Duplicate UPDATE messages.
    pub const DUPLICATE_UPDATES: u16 = 13;
    /// Routes in Adj-RIBs-Out before policy.
    pub const OUT_PRE_POLICY: u16 = 14;
    /// Routes in Adj-RIBs-Out after policy.
    pub const OUT_POST_POLICY: u16 = 15;
    /// Routes in Adj-RIB-Out of one family before policy.
    pub const FAMILY_OUT_PRE_POLICY: u16 = 16;
    /// Routes in Adj-RIB-Out of one family after policy.
    pub const FAMILY_OUT_POST_POLICY: u16 = 17;

    pub(super) const NAMES: [&str; 18] = [
        "rejected",
        "duplicate-announcements",
        "duplicate-withdrawals",
        "cluster-list-loops",
        "as-path-loops",
        "originator-id-loops",
        "confederation-loops",
        "adj-rib-in",
        "loc-rib",
        "family-adj-rib-in",
        "family-loc-rib",
        "updates-treated-as-withdraw",
        "prefixes-treated-as-withdraw",
        "duplicate-updates",
        "out-pre-policy",
        "out-post-policy",
        "family-out-pre-policy",
        "family-out-post-policy",
    ];
}

/// The counters of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics<'a> {
    /// The peer.
    pub peer: PeerHeader,
    counters: Tlvs<'a>,
    count: u32,
}

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter<'a> {
    /// Which, by the constants of [`counter`].
    pub kind: u16,
    /// Its value.
    pub value: CounterValue<'a>,
}

/// What a counter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterValue<'a> {
    /// How often something happened; wraps around.
    Count(u32),
    /// How much there is.
    Gauge(u64),
    /// How much there is of one family.
    FamilyGauge(AfiSafi, u64),
    /// A counter of no meaning here, or with a length it should not have.
    Other(&'a [u8]),
}

impl<'a> Counter<'a> {
    fn from_tlv(tlv: Tlv<'a>) -> Self {
        let value = match (tlv.kind, tlv.value) {
            (0..=6 | 11..=13, &[a, b, c, d]) => CounterValue::Count(u32::from_be_bytes([a, b, c, d])),
            (7 | 8 | 14 | 15, &[a, b, c, d, e, f, g, h]) => {
                CounterValue::Gauge(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            (9 | 10 | 16 | 17, &[high, low, safi, a, b, c, d, e, f, g, h]) => CounterValue::FamilyGauge(
                AfiSafi::new(u16::from_be_bytes([high, low]), safi),
                u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            ),
            (_, octets) => CounterValue::Other(octets),
        };
        Self { kind: tlv.kind, value }
    }

    /// The counter's name, such as `adj-rib-in`; `None` for one of no meaning here.
    pub fn name(&self) -> Option<&'static str> {
        counter::NAMES.get(usize::from(self.kind)).copied()
    }

    /// Appends the counter, for [`Statistics::new`].
    ///
    /// # Errors
    /// The value is longer than 65535 octets; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let mut octets = [0; 11];
        let value = match self.value {
            CounterValue::Count(count) => {
                octets[..4].copy_from_slice(&count.to_be_bytes());
                &octets[..4]
            }
            CounterValue::Gauge(gauge) => {
                octets[..8].copy_from_slice(&gauge.to_be_bytes());
                &octets[..8]
            }
            CounterValue::FamilyGauge(family, gauge) => {
                octets[..2].copy_from_slice(&family.afi.to_be_bytes());
                octets[2] = family.safi;
                octets[3..].copy_from_slice(&gauge.to_be_bytes());
                &octets[..]
            }
            CounterValue::Other(octets) => octets,
        };
        Tlv { kind: self.kind, value }.write(out)
    }
}

impl<'a> Statistics<'a> {
    /// The counters in these octets, as [`Counter::write`] appends them.
    ///
    /// # Errors
    /// Where a counter is cut short.
    pub fn new(peer: PeerHeader, counters: &'a [u8]) -> Result<Self, BmpError> {
        let counters = Tlvs::new(counters)?;
        Ok(Self { peer, counters, count: counters.iter().count() as u32 })
    }

    pub(super) fn read(peer: PeerHeader, mut cursor: Cursor<'a>) -> Result<Self, BmpError> {
        let (offset, count) = (cursor.at(), cursor.u32()?);
        let counters = Tlvs::read(cursor)?;
        if u32::try_from(counters.iter().count()) != Ok(count) {
            return Err(BmpError { offset, fault: BmpFault::Count });
        }
        Ok(Self { peer, counters, count })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.peer.write(out);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.counters.octets());
    }

    /// The counters, in order.
    pub fn iter(&self) -> impl FusedIterator<Item = Counter<'a>> + Clone + use<'a> {
        self.counters.iter().map(Counter::from_tlv)
    }
}
