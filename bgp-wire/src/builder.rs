//! Building and changing attributes in canonical form.

use crate::as_path::{AsPath, AsPathBuf, SegmentKind};
use crate::attributes::{
    Aggregator, Attributes, Origin, RawAttribute, check, code, expected_flags, flag, is_canonical, is_known,
    is_plainly_sound, write_aggregator,
};
use crate::community::{Community, LargeCommunity, Listed};
use crate::ext_community::{ExtendedCommunity, Ipv6ExtendedCommunity};
use crate::prefix_sid::PrefixSidTlv;
use crate::tunnel::PmsiTunnel;
use crate::{DecodeCtx, PeerKind};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;
use core::ops::Range;

const SEQUENCE: u8 = SegmentKind::Sequence as u8;

/// Owned attributes in canonical form; see [`AttributesBuilder`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeBlock(Box<[u8]>);

impl AttributeBlock {
    /// The typed view.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::canonical(&self.0)
    }

    /// The octets, as interned and as given to [`crate::UpdateEncoder::announce`].
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for AttributeBlock {
    fn from(canonical: Vec<u8>) -> Self {
        Self(canonical.into())
    }
}

impl AsRef<[u8]> for AttributeBlock {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AttributeBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attributes().fmt(f)
    }
}

/// Builds a canonical attribute block, or changes one.
///
/// In canonical form two blocks are the same octets exactly if they say the same: attributes ascend by type, lengths take as few octets
/// as they can, flags are those of the type (the Partial bit of transitive ones is kept), AS numbers have four octets. NEXT_HOP,
/// MP_REACH_NLRI and MP_UNREACH_NLRI are left out, since they belong to the routes; so are AS4_PATH and AS4_AGGREGATOR, which are merged,
/// AIGP unless it was put in here, and unknown attributes that are not transitive. An unknown transitive one has its Partial bit set (RFC 4271 section 5).
///
/// It edits the block in place, so that a change of a few attributes costs a few moves of some octets; [`Self::reset`] keeps its room.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AttributesBuilder {
    /// Always in canonical form.
    block: Vec<u8>,
}

impl AttributesBuilder {
    /// Attributes of a route of one's own: this ORIGIN and an empty AS_PATH.
    pub fn new(origin: Origin) -> Self {
        let mut builder = Self::default();
        builder.origin(origin).as_path(&AsPathBuf::new());
        builder
    }

    /// The attributes of a canonical block.
    pub fn from_canonical(block: &[u8]) -> Self {
        let mut builder = Self::default();
        builder.reset(block);
        builder
    }

    /// Forgets everything and begins with the attributes of a canonical block.
    pub fn reset(&mut self, block: &[u8]) -> &mut Self {
        self.block.clear();
        Attributes::canonical(block).write_where(is_canonical, &mut self.block);
        self
    }

    /// Begins with the attributes of a canonical block as another AS is told them: [`Self::reset`], [`Self::prepend`] of `asn` and
    /// [`Self::remove_internal`] in one pass.
    pub fn reset_external(&mut self, block: &[u8], asn: u32) -> &mut Self {
        if !self.copy_external(block, asn) {
            self.reset(block).prepend(asn, 1).remove_internal();
        }
        self
    }

    /// Does that for a block of nothing but usual, sound attributes, and says whether it was one.
    fn copy_external(&mut self, block: &[u8], asn: u32) -> bool {
        let ctx = DecodeCtx { as4: true, peer: PeerKind::Unknown, ..DecodeCtx::default() };
        let out = &mut self.block;
        out.clear();
        let (mut rest, mut last, mut path) = (block, 0, false);
        while !rest.is_empty() {
            let Some((attribute, taken)) = RawAttribute::read(rest) else { return false };
            let RawAttribute { flags, code, value } = attribute;
            let plain = flags & !(flag::OPTIONAL | flag::TRANSITIVE) == 0 && is_plainly_sound(&attribute, &ctx);
            if code <= last || !plain {
                return false;
            }
            last = code;
            match (code, value) {
                (code::AS_PATH, [SEQUENCE, asns @ 0..=254, hops @ ..]) if value.len() <= 251 => {
                    out.extend_from_slice(&[flags, code, value.len() as u8 + 4, SEQUENCE, asns + 1]);
                    out.extend_from_slice(&asn.to_be_bytes());
                    out.extend_from_slice(hops);
                    path = true;
                }
                (code::AS_PATH | code::NEXT_HOP, _) => return false,
                (code::MED | code::LOCAL_PREF, _) => {}
                _ => out.extend_from_slice(&rest[..taken]),
            }
            rest = &rest[taken..];
        }
        path
    }

    /// Where an attribute stands, or would.
    fn place(&self, code: u8) -> (Range<usize>, Option<RawAttribute<'_>>) {
        let mut at = 0;
        while let Some((attribute, taken)) = RawAttribute::read(&self.block[at..]) {
            if attribute.code == code {
                return (at..at + taken, Some(attribute));
            }
            if attribute.code > code {
                break;
            }
            at += taken;
        }
        (at..at, None)
    }

    fn value(&self, code: u8) -> Option<&[u8]> {
        self.place(code).1.map(|attribute| attribute.value)
    }

    /// Makes `room` octets of what stands at `range`, and returns them.
    fn open(&mut self, range: Range<usize>, room: usize) -> &mut [u8] {
        let (before, after) = (self.block.len(), range.start + room);
        if after > range.end {
            self.block.resize(before + after - range.end, 0);
        }
        self.block.copy_within(range.end..before, after);
        self.block.truncate(before + after - range.end);
        &mut self.block[range.start..after]
    }

    fn put(&mut self, attribute: RawAttribute<'_>) -> &mut Self {
        let (range, _) = self.place(attribute.code);
        let value = &attribute.value[..attribute.value.len().min(usize::from(u16::MAX))];
        let [high, low] = (value.len() as u16).to_be_bytes();
        let (flags, code) = (attribute.flags & !flag::EXTENDED_LENGTH, attribute.code);
        let extended = [flags | flag::EXTENDED_LENGTH, code, high, low];
        let short = [flags, code, low];
        let header = if high == 0 { &short[..] } else { &extended[..] };
        let room = self.open(range, header.len() + value.len());
        room[..header.len()].copy_from_slice(header);
        room[header.len()..].copy_from_slice(value);
        self
    }

    fn set(&mut self, code: u8, value: &[u8]) -> &mut Self {
        self.put(RawAttribute { flags: expected_flags(code), code, value })
    }

    fn set_or_remove(&mut self, code: u8, value: Option<&[u8]>) -> &mut Self {
        match value {
            Some(value) => self.set(code, value),
            None => self.remove(code),
        }
    }

    /// What an attribute cannot hold, such as more than 16383 communities, is cut off the end.
    fn set_list<T: Listed>(&mut self, code: u8, items: impl IntoIterator<Item = T>) -> &mut Self {
        let mut value = Vec::new();
        items.into_iter().take(usize::from(u16::MAX) / T::LEN).for_each(|item| item.write(&mut value));
        self.set_or_remove(code, Some(&*value).filter(|value| !value.is_empty()))
    }

    /// Removes the attribute of this type.
    pub fn remove(&mut self, code: u8) -> &mut Self {
        let (range, _) = self.place(code);
        self.open(range, 0);
        self
    }

    /// Sets ORIGIN.
    pub fn origin(&mut self, origin: Origin) -> &mut Self {
        self.set(code::ORIGIN, &[origin as u8])
    }

    /// Sets AS_PATH.
    pub fn as_path(&mut self, path: &AsPathBuf) -> &mut Self {
        self.set(code::AS_PATH, &path.to_wide())
    }

    /// Puts an AS number in front of AS_PATH `count` times.
    pub fn prepend(&mut self, asn: u32, count: usize) -> &mut Self {
        let (range, attribute) = self.place(code::AS_PATH);
        let value = attribute.map_or(&[][..], |attribute| attribute.value);
        let added = count.saturating_mul(4);
        // Almost always there is room in the first segment, and in the length's one octet.
        if let [SEQUENCE, asns, ..] = *value
            && count <= 255 - usize::from(asns)
            && value.len() + added <= 255
        {
            let at = range.end - value.len();
            let length = value.len() + added;
            self.open(at + 2..at + 2, added)
                .chunks_exact_mut(4)
                .for_each(|room| room.copy_from_slice(&asn.to_be_bytes()));
            self.block[at - 1] = length as u8;
            self.block[at + 1] = asns + count as u8;
            return self;
        }
        let mut path = AsPathBuf::from(AsPath::wide(value));
        path.prepend(asn, count);
        self.as_path(&path)
    }

    /// Sets or removes MULTI_EXIT_DISC.
    pub fn med(&mut self, med: Option<u32>) -> &mut Self {
        self.set_or_remove(code::MED, med.map(u32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice))
    }

    /// Sets or removes LOCAL_PREF.
    pub fn local_pref(&mut self, local_pref: Option<u32>) -> &mut Self {
        self.set_or_remove(code::LOCAL_PREF, local_pref.map(u32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice))
    }

    /// Sets or removes ATOMIC_AGGREGATE.
    pub fn atomic_aggregate(&mut self, present: bool) -> &mut Self {
        self.set_or_remove(code::ATOMIC_AGGREGATE, present.then_some(&[]))
    }

    /// Sets or removes AGGREGATOR.
    pub fn aggregator(&mut self, aggregator: Option<Aggregator>) -> &mut Self {
        self.set_or_remove(code::AGGREGATOR, aggregator.map(write_aggregator).as_ref().map(<[u8; 8]>::as_slice))
    }

    /// Sets COMMUNITIES; none removes it.
    pub fn communities(&mut self, communities: impl IntoIterator<Item = Community>) -> &mut Self {
        self.set_list(code::COMMUNITIES, communities)
    }

    /// Adds a community at the end unless it is there.
    pub fn add_community(&mut self, community: Community) -> &mut Self {
        self.add(code::COMMUNITIES, community)
    }

    /// Removes a community wherever it is.
    pub fn remove_community(&mut self, community: Community) -> &mut Self {
        self.discard(code::COMMUNITIES, community)
    }

    /// Sets EXTENDED COMMUNITIES; none removes it.
    pub fn ext_communities(&mut self, communities: impl IntoIterator<Item = ExtendedCommunity>) -> &mut Self {
        self.set_list(code::EXTENDED_COMMUNITIES, communities)
    }

    /// Adds an extended community at the end unless it is there.
    pub fn add_ext_community(&mut self, community: ExtendedCommunity) -> &mut Self {
        self.add(code::EXTENDED_COMMUNITIES, community)
    }

    /// Removes an extended community wherever it is.
    pub fn remove_ext_community(&mut self, community: ExtendedCommunity) -> &mut Self {
        self.discard(code::EXTENDED_COMMUNITIES, community)
    }

    /// Sets LARGE_COMMUNITY; none removes it.
    pub fn large_communities(&mut self, communities: impl IntoIterator<Item = LargeCommunity>) -> &mut Self {
        self.set_list(code::LARGE_COMMUNITIES, communities)
    }

    /// Adds a large community at the end unless it is there.
    pub fn add_large_community(&mut self, community: LargeCommunity) -> &mut Self {
        self.add(code::LARGE_COMMUNITIES, community)
    }

    /// Removes a large community wherever it is.
    pub fn remove_large_community(&mut self, community: LargeCommunity) -> &mut Self {
        self.discard(code::LARGE_COMMUNITIES, community)
    }

    /// Sets IPV6_ADDRESS_SPECIFIC_EXTENDED_COMMUNITIES; none removes it.
    pub fn ipv6_ext_communities(&mut self, communities: impl IntoIterator<Item = Ipv6ExtendedCommunity>) -> &mut Self {
        self.set_list(code::IPV6_EXTENDED_COMMUNITIES, communities)
    }

    /// Sets or removes PMSI_TUNNEL.
    pub fn pmsi_tunnel(&mut self, tunnel: Option<PmsiTunnel<'_>>) -> &mut Self {
        let value = tunnel.map(|tunnel| {
            let mut value = Vec::new();
            tunnel.write(&mut value);
            value
        });
        self.set_or_remove(code::PMSI_TUNNEL, value.as_deref())
    }

    /// Sets TUNNEL_ENCAPSULATION to tunnels that [`crate::Tunnel::encode`] wrote; none removes it.
    pub fn tunnels(&mut self, octets: &[u8]) -> &mut Self {
        self.set_octets(code::TUNNEL_ENCAPSULATION, octets)
    }

    /// Sets PREFIX_SID; none removes it.
    pub fn prefix_sid<'t>(&mut self, tlvs: impl IntoIterator<Item = PrefixSidTlv<'t>>) -> &mut Self {
        let mut value = Vec::new();
        tlvs.into_iter().for_each(|tlv| tlv.write(&mut value));
        self.set_octets(code::PREFIX_SID, &value)
    }

    /// Sets BGP-LS to these TLVs; none removes it.
    pub fn link_state(&mut self, octets: &[u8]) -> &mut Self {
        self.set_octets(code::LINK_STATE, octets)
    }

    /// Sets or removes AIGP (RFC 7311), which is for the caller to do where it is configured.
    pub fn aigp(&mut self, metric: Option<u64>) -> &mut Self {
        let value = metric.map(|metric| [&[1, 0, 11][..], &metric.to_be_bytes()].concat());
        self.set_or_remove(code::AIGP, value.as_deref())
    }

    /// What the attribute would not be read with is not written: then it is left out.
    fn set_octets(&mut self, code: u8, value: &[u8]) -> &mut Self {
        let attribute = RawAttribute { flags: expected_flags(code), code, value };
        let ctx = DecodeCtx { peer: PeerKind::Unknown, ..DecodeCtx::default() };
        let sound = !value.is_empty() && value.len() <= usize::from(u16::MAX) && check(&attribute, &ctx).is_ok();
        self.set_or_remove(code, sound.then_some(value))
    }

    /// Sets or removes OTC (RFC 9234).
    pub fn only_to_customer(&mut self, asn: Option<u32>) -> &mut Self {
        self.set_or_remove(code::ONLY_TO_CUSTOMER, asn.map(u32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice))
    }

    /// Sets or removes ORIGINATOR_ID.
    pub fn originator_id(&mut self, identifier: Option<Ipv4Addr>) -> &mut Self {
        let identifier = identifier.map(|identifier| identifier.octets());
        self.set_or_remove(code::ORIGINATOR_ID, identifier.as_ref().map(<[u8; 4]>::as_slice))
    }

    /// Sets CLUSTER_LIST; none removes it.
    pub fn cluster_list(&mut self, clusters: impl IntoIterator<Item = Ipv4Addr>) -> &mut Self {
        self.set_list(code::CLUSTER_LIST, clusters)
    }

    /// Sets an attribute this crate does not know, as an optional transitive one. A known type is left as it is; of a value beyond 65535
    /// octets, the rest is cut.
    pub fn unknown(&mut self, code: u8, value: &[u8]) -> &mut Self {
        if !is_known(code) {
            let flags = flag::OPTIONAL | flag::TRANSITIVE | flag::PARTIAL;
            self.put(RawAttribute { flags, code, value });
        }
        self
    }

    /// Removes every attribute that is not passed to another AS: MULTI_EXIT_DISC, LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST.
    pub fn remove_internal(&mut self) -> &mut Self {
        self.remove(code::MED).remove(code::LOCAL_PREF).remove(code::ORIGINATOR_ID).remove(code::CLUSTER_LIST)
    }

    fn items<T: Listed>(&self, code: u8) -> Vec<T> {
        self.value(code).map(|value| crate::List::new(value).collect()).unwrap_or_default()
    }

    fn add<T: Listed + PartialEq>(&mut self, code: u8, item: T) -> &mut Self {
        let mut items = self.items::<T>(code);
        if !items.contains(&item) {
            items.push(item);
        }
        self.set_list(code, items)
    }

    fn discard<T: Listed + PartialEq>(&mut self, code: u8, item: T) -> &mut Self {
        let mut items = self.items::<T>(code);
        items.retain(|other| *other != item);
        self.set_list(code, items)
    }

    /// The canonical block.
    pub fn octets(&self) -> &[u8] {
        &self.block
    }

    /// The canonical block, to keep.
    pub fn build(&self) -> Vec<u8> {
        self.block.clone()
    }
}

impl fmt::Debug for AttributesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Attributes::canonical(&self.block).fmt(f)
    }
}
