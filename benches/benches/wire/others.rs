//! The same work with the other crates, each used as its documentation has it.

use std::hint::black_box;
use std::net::IpAddr;

use bgpkit_parser::models as bgpkit;
use bgpkit_parser::parser::bgp::parse_bgp_message;
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use netgauze_bgp_pkt::path_attribute::{Aggregator, AsPath, MpReach, PathAttributeValue};
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_bgp_pkt::{BgpMessage, path_attribute};
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;
use routecore::bgp::aspath::Hop;
use routecore::bgp::message::SessionConfig;
use routecore::bgp::message::update::UpdateMessage;
use routecore::bgp::nlri::afisafi::{Ipv4UnicastNlri, Ipv6UnicastNlri, IsPrefix};
use routecore::bgp::path_attributes::PaMap;
use routecore::bgp::types::NextHop as RoutecoreNextHop;

use crate::corpus::Corpus;
use crate::ours::{next_hop, prefix4, prefix6};

fn add(total: &mut u64, value: impl Into<u64>) {
    *total = total.wrapping_add(value.into());
}

fn address(address: IpAddr) -> u64 {
    next_hop(match address {
        IpAddr::V4(address) => bgp_wire::NextHop::Ipv4(address),
        IpAddr::V6(address) => bgp_wire::NextHop::Ipv6(address),
    })
}

fn prefix(prefix: IpNet) -> u64 {
    match prefix {
        IpNet::V4(prefix) => prefix4(prefix),
        IpNet::V6(prefix) => prefix6(prefix),
    }
}

/// netgauze-bgp-pkt: owned values.
pub(crate) mod netgauze {
    use super::*;

    fn messages(stream: &[u8]) -> impl Iterator<Item = BgpMessage> {
        let mut context = BgpParsingContext::default();
        let mut reader = SliceReader::new(stream);
        std::iter::from_fn(move || {
            (!reader.is_empty())
                .then(|| BgpMessage::parse(&mut reader, &mut context).expect("netgauze reads the message"))
        })
    }

    pub(crate) fn decode(stream: &[u8]) -> u64 {
        messages(stream).fold(0, |count, message| {
            black_box(message);
            count + 1
        })
    }

    fn routes(total: &mut u64, message: &BgpMessage) {
        let BgpMessage::Update(update) = message else { return };
        update.withdraw_routes().iter().for_each(|route| add(total, prefix4(route.network().address())));
        update.nlri().iter().for_each(|route| add(total, prefix4(route.network().address())));
        for attribute in update.path_attributes() {
            match attribute.value() {
                PathAttributeValue::NextHop(hop) => add(total, hop.next_hop().to_bits()),
                PathAttributeValue::MpReach(MpReach::Ipv6Unicast { next_hop_global, nlri, .. }) => {
                    add(total, next_hop_global.to_bits() as u64);
                    nlri.iter().for_each(|route| add(total, prefix6(route.network().address())));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn prefixes(stream: &[u8]) -> u64 {
        messages(stream).fold(0, |mut total, message| {
            routes(&mut total, &message);
            total
        })
    }

    pub(crate) fn paths(stream: &[u8]) -> u64 {
        messages(stream).fold(0, |mut total, message| {
            routes(&mut total, &message);
            let BgpMessage::Update(update) = &message else { return total };
            for attribute in update.path_attributes() {
                match attribute.value() {
                    PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => {
                        segments
                            .iter()
                            .flat_map(path_attribute::As4PathSegment::as_numbers)
                            .for_each(|asn| add(&mut total, *asn));
                    }
                    PathAttributeValue::Communities(list) => {
                        list.communities().iter().for_each(|community| add(&mut total, community.value()));
                    }
                    _ => {}
                }
            }
            total
        })
    }

    pub(crate) fn everything(stream: &[u8]) -> u64 {
        messages(stream).fold(0, |mut total, message| {
            routes(&mut total, &message);
            let BgpMessage::Update(update) = &message else { return total };
            for attribute in update.path_attributes() {
                match attribute.value() {
                    PathAttributeValue::Origin(origin) => add(&mut total, *origin as u8),
                    PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => {
                        segments
                            .iter()
                            .flat_map(path_attribute::As4PathSegment::as_numbers)
                            .for_each(|asn| add(&mut total, *asn));
                    }
                    PathAttributeValue::MultiExitDiscriminator(med) => add(&mut total, med.metric()),
                    PathAttributeValue::LocalPreference(preference) => add(&mut total, preference.metric()),
                    PathAttributeValue::Aggregator(Aggregator::As4Aggregator(aggregator)) => {
                        add(&mut total, *aggregator.asn());
                    }
                    PathAttributeValue::Communities(list) => {
                        list.communities().iter().for_each(|community| add(&mut total, community.value()));
                    }
                    PathAttributeValue::ExtendedCommunities(list) => {
                        add(&mut total, list.communities().len() as u64);
                    }
                    PathAttributeValue::LargeCommunities(list) => list.communities().iter().for_each(|community| {
                        add(&mut total, community.global_admin());
                        add(&mut total, community.local_data1());
                        add(&mut total, community.local_data2());
                    }),
                    _ => {}
                }
            }
            total
        })
    }

    pub(crate) struct Source(Vec<BgpMessage>);

    impl Source {
        pub(crate) fn new(corpus: &Corpus) -> Self {
            Self(messages(&corpus.octets).collect())
        }

        pub(crate) fn encode(&self, out: &mut Vec<u8>) -> u64 {
            out.clear();
            self.0.iter().for_each(|message| message.write(out).expect("netgauze writes the message"));
            out.len() as u64
        }
    }
}

/// bgpkit-parser: owned values.
pub(crate) mod bgpkit_parser_crate {
    use super::*;
    use bgpkit::{AsPathSegment, AsnLength, AttributeValue, BgpMessage, Community, NextHopAddress};

    fn messages(corpus: &Corpus) -> impl Iterator<Item = BgpMessage> {
        let mut start = 0;
        corpus.ends.iter().map(move |&end| {
            let mut message = corpus.octets.slice(start..end);
            start = end;
            parse_bgp_message(&mut message, false, &AsnLength::Bits32).expect("bgpkit reads the message")
        })
    }

    pub(crate) fn decode(corpus: &Corpus) -> u64 {
        messages(corpus).fold(0, |count, message| {
            black_box(message);
            count + 1
        })
    }

    fn routes(total: &mut u64, message: &BgpMessage) {
        let BgpMessage::Update(update) = message else { return };
        update.withdrawn_prefixes.iter().for_each(|route| add(total, prefix(route.prefix)));
        update.announced_prefixes.iter().for_each(|route| add(total, prefix(route.prefix)));
        if let Some(hop) = update.attributes.next_hop() {
            add(total, address(hop));
        }
        if let Some(nlri) = update.attributes.get_reachable_nlri() {
            match nlri.next_hop {
                Some(NextHopAddress::Ipv6(hop) | NextHopAddress::Ipv6LinkLocal(hop, _)) => {
                    add(total, hop.to_bits() as u64);
                }
                Some(NextHopAddress::Ipv4(hop)) => add(total, hop.to_bits()),
                _ => {}
            }
            nlri.prefixes.iter().for_each(|route| add(total, prefix(route.prefix)));
        }
    }

    pub(crate) fn prefixes(corpus: &Corpus) -> u64 {
        messages(corpus).fold(0, |mut total, message| {
            routes(&mut total, &message);
            total
        })
    }

    pub(crate) fn paths(corpus: &Corpus) -> u64 {
        messages(corpus).fold(0, |mut total, message| {
            routes(&mut total, &message);
            let BgpMessage::Update(update) = &message else { return total };
            let wanted =
                |value: &&AttributeValue| matches!(value, AttributeValue::AsPath(_) | AttributeValue::Communities(_));
            update.attributes.iter().filter(wanted).for_each(|value| attribute_of(&mut total, value));
            total
        })
    }

    pub(crate) fn everything(corpus: &Corpus) -> u64 {
        messages(corpus).fold(0, |mut total, message| {
            everything_of(&mut total, &message);
            total
        })
    }

    pub(crate) fn everything_of(total: &mut u64, message: &BgpMessage) {
        routes(total, message);
        let BgpMessage::Update(update) = message else { return };
        for attribute in update.attributes.iter() {
            attribute_of(total, attribute);
        }
    }

    pub(crate) fn attribute_of(total: &mut u64, value: &AttributeValue) {
        match value {
            AttributeValue::Origin(origin) => add(total, *origin as u8),
            AttributeValue::AsPath(path) => {
                for segment in path.iter_segments() {
                    let (AsPathSegment::AsSequence(asns)
                    | AsPathSegment::AsSet(asns)
                    | AsPathSegment::ConfedSequence(asns)
                    | AsPathSegment::ConfedSet(asns)) = segment;
                    asns.iter().for_each(|asn| add(total, asn.to_u32()));
                }
            }
            AttributeValue::MultiExitDiscriminator(value) | AttributeValue::LocalPreference(value) => {
                add(total, *value);
            }
            AttributeValue::Aggregator { asn, .. } => add(total, asn.to_u32()),
            AttributeValue::Communities(list) => list.iter().for_each(|community| {
                add(
                    total,
                    match community {
                        Community::NoExport => 0xffff_ff01,
                        Community::NoAdvertise => 0xffff_ff02,
                        Community::NoExportSubConfed => 0xffff_ff03,
                        Community::Custom(asn, value) => asn.to_u32() << 16 | u32::from(*value),
                    },
                );
            }),
            AttributeValue::ExtendedCommunities(list) => add(total, list.len() as u64),
            AttributeValue::LargeCommunities(list) => list.iter().for_each(|community| {
                add(total, community.global_admin);
                add(total, community.local_data[0]);
                add(total, community.local_data[1]);
            }),
            _ => {}
        }
    }

    pub(crate) struct Source(Vec<BgpMessage>);

    impl Source {
        pub(crate) fn new(corpus: &Corpus) -> Self {
            Self(messages(corpus).collect())
        }

        pub(crate) fn encode(&self, out: &mut BytesMut) -> u64 {
            out.clear();
            for message in &self.0 {
                let octets: Bytes = message.encode(AsnLength::Bits32).expect("bgpkit writes the message");
                out.extend_from_slice(&octets);
            }
            out.len() as u64
        }
    }
}

/// routecore: a lazy view.
pub(crate) mod routecore_crate {
    use super::*;

    fn messages<'a>(corpus: &'a Corpus, config: &SessionConfig) -> impl Iterator<Item = UpdateMessage<&'a [u8]>> {
        let mut start = 0;
        corpus.ends.iter().map(move |&end| {
            let message = &corpus.octets[start..end];
            start = end;
            UpdateMessage::from_octets(message, config).expect("routecore reads the message")
        })
    }

    fn routes(total: &mut u64, message: &UpdateMessage<&[u8]>) {
        if message.withdrawn_routes_len() > 0 {
            for route in message.typed_withdrawals::<_, Ipv4UnicastNlri>().ok().flatten().into_iter().flatten() {
                add(total, inet_prefix(route.expect("routecore reads the prefix").prefix().addr_and_len()));
            }
        }
        if message.has_conventional_nlri() {
            for route in message.typed_announcements::<_, Ipv4UnicastNlri>().ok().flatten().into_iter().flatten() {
                add(total, inet_prefix(route.expect("routecore reads the prefix").prefix().addr_and_len()));
            }
            hop(total, message.conventional_next_hop().ok().flatten());
        } else if let Ok(Some(routes)) = message.typed_announcements::<_, Ipv6UnicastNlri>() {
            for route in routes {
                add(total, inet_prefix(route.expect("routecore reads the prefix").prefix().addr_and_len()));
            }
            hop(total, message.mp_next_hop().ok().flatten());
        }
    }

    fn hop(total: &mut u64, hop: Option<RoutecoreNextHop>) {
        match hop {
            Some(RoutecoreNextHop::Unicast(hop)) => add(total, address(hop)),
            Some(RoutecoreNextHop::Ipv6LL { global, .. }) => add(total, global.to_bits() as u64),
            _ => {}
        }
    }

    fn inet_prefix(prefix: (IpAddr, u8)) -> u64 {
        match prefix {
            (IpAddr::V4(address), len) => u64::from(address.to_bits()) + u64::from(len),
            (IpAddr::V6(address), len) => (address.to_bits() >> 64) as u64 ^ u64::from(len),
        }
    }

    pub(crate) fn prefixes(corpus: &Corpus) -> u64 {
        messages(corpus, &SessionConfig::modern()).fold(0, |mut total, message| {
            routes(&mut total, &message);
            total
        })
    }

    fn path_and_communities(total: &mut u64, message: &UpdateMessage<&[u8]>) {
        if let Ok(Some(path)) = message.aspath() {
            for hop in path.hops() {
                match hop {
                    Hop::Asn(asn) => add(total, asn.into_u32()),
                    Hop::Segment(segment) => segment.asns().for_each(|asn| add(total, asn.into_u32())),
                }
            }
        }
        if let Ok(Some(communities)) = message.communities() {
            communities.for_each(|community| add(total, community.to_u32()));
        }
    }

    pub(crate) fn paths(corpus: &Corpus) -> u64 {
        messages(corpus, &SessionConfig::modern()).fold(0, |mut total, message| {
            routes(&mut total, &message);
            path_and_communities(&mut total, &message);
            total
        })
    }

    pub(crate) fn everything(corpus: &Corpus) -> u64 {
        messages(corpus, &SessionConfig::modern()).fold(0, |mut total, message| {
            let total = &mut total;
            routes(total, &message);
            path_and_communities(total, &message);
            if let Ok(Some(origin)) = message.origin() {
                add(total, u8::from(origin));
            }
            if let Ok(Some(med)) = message.multi_exit_disc() {
                add(total, med.0);
            }
            if let Ok(Some(preference)) = message.local_pref() {
                add(total, preference.0);
            }
            if let Ok(Some(aggregator)) = message.aggregator() {
                add(total, aggregator.asn().into_u32());
            }
            if let Ok(Some(communities)) = message.ext_communities() {
                add(total, communities.count() as u64);
            }
            if let Ok(Some(communities)) = message.large_communities() {
                communities.for_each(|community| {
                    add(total, community.global());
                    add(total, community.local1());
                    add(total, community.local2());
                });
            }
            *total
        })
    }

    /// As an owned map of attributes, and the routes in a vector.
    pub(crate) fn owned(corpus: &Corpus) -> u64 {
        messages(corpus, &SessionConfig::modern()).fold(0, |count, message| {
            black_box(PaMap::from_update_pdu(&message).expect("routecore reads the attributes"));
            black_box(message.announcements_vec().expect("routecore reads the routes"));
            black_box(message.withdrawals_vec().expect("routecore reads the routes"));
            count + 1
        })
    }
}
