//! The export function: what each class of neighbour is told of a route.

mod common;

use bgp_wire::{
    AfiSafi, Attributes, AttributesBuilder, Community, EncodeCtx, ExtendedCommunity, Family, FamilySet, Ipv4Unicast,
    Ipv6Unicast, NextHop, Origin, Role,
};
use common::{Attrs, VRF, edge, local, next_hop, session};
use rib::adj_out::{ExportKey, ExportRoute, PeerClass, PolicyId, export};
use rib::{Advertise, NextHopId, Origination, Pools, SourceId};

const OURSELVES: NextHop = NextHop::Ipv4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn external() -> ExportKey {
    ExportKey {
        local_as: 65000,
        internal: false,
        class: PeerClass::External,
        role: None,
        local_next_hop: OURSELVES,
        next_hop_self: false,
        encode: EncodeCtx {
            as4: true,
            add_path: FamilySet::EMPTY,
            extended_message: false,
            extended_next_hop: FamilySet::EMPTY,
        },
        policy: PolicyId(0),
    }
}

fn internal() -> ExportKey {
    ExportKey { internal: true, class: PeerClass::Fabric, ..external() }
}

/// What is told of a route with these attributes: the canonical block and the next hop.
fn told<F: Family>(
    pools: &mut Pools,
    key: &ExportKey,
    source: SourceId,
    block: &[u8],
    next_hop: NextHopId,
) -> Option<(Vec<u8>, NextHop)> {
    let attrs = pools.attrs.intern(block);
    let route = ExportRoute {
        source_id: source,
        source: pools.sources.get(source)?,
        attr: pools.attrs.attributes(attrs),
        next_hop: pools.next_hops.get(next_hop)?,
    };
    export::<F>(key, &route)
}

/// The same for a route from a new eBGP neighbour over IPv4.
fn told_of(key: &ExportKey, attrs: &Attrs) -> Option<(Vec<u8>, NextHop)> {
    let mut pools = Pools::default();
    let (source, nh) = (session(&mut pools, true, 65001, 1), next_hop(&mut pools, 1, 0));
    told::<Ipv4Unicast>(&mut pools, key, source, &attrs.builder().build(), nh)
}

#[test]
fn an_external_neighbour_sees_our_as_first_and_us_as_next_hop_and_nothing_internal() {
    let attrs = Attrs {
        path: vec![65001, 7],
        med: Some(5),
        local_pref: Some(300),
        communities: vec![Community::new(65001, 1)],
        originator: Some([1, 2, 3, 4].into()),
        clusters: vec![[9; 4].into()],
        origin: Origin::Egp,
    };
    let (block, next_hop) = told_of(&external(), &attrs).expect("told");
    let expected =
        Attrs { path: vec![65000, 65001, 7], med: None, local_pref: None, originator: None, clusters: vec![], ..attrs };
    assert_eq!(block, expected.builder().build(), "{:?}", Attributes::canonical(&block));
    assert_eq!(next_hop, OURSELVES);
}

#[test]
fn an_internal_neighbour_sees_the_path_as_it_is_with_local_pref_and_the_learned_next_hop() {
    let attrs = Attrs { path: vec![65001, 7], med: Some(5), ..Attrs::default() };
    let (block, next_hop) = told_of(&internal(), &attrs).expect("told");
    assert_eq!(block, Attrs { local_pref: Some(100), ..attrs.clone() }.builder().build());
    assert_eq!(next_hop, NextHop::Ipv4([10, 0, 0, 1].into()));
    let raised = Attrs { local_pref: Some(250), ..attrs };
    let itself = ExportKey { next_hop_self: true, ..internal() };
    assert_eq!(told_of(&itself, &raised), Some((raised.builder().build(), OURSELVES)));
}

#[test]
fn what_is_learned_by_ibgp_is_not_told_to_ibgp() {
    let mut pools = Pools::default();
    let (source, nh) = (session(&mut pools, false, 65000, 1), next_hop(&mut pools, 1, 0));
    let block = Attrs::default().builder().build();
    assert_eq!(told::<Ipv4Unicast>(&mut pools, &internal(), source, &block, nh), None);
    assert!(told::<Ipv4Unicast>(&mut pools, &external(), source, &block, nh).is_some());
}

#[test]
fn our_own_routes_keep_their_med_and_name_us_as_next_hop_everywhere() {
    let mut pools = Pools::default();
    let nh = next_hop(&mut pools, 1, 0);
    let attrs = Attrs { path: vec![], med: Some(5), ..Attrs::default() };
    for origination in [Origination::Connected, Origination::Static] {
        let source = local(&mut pools, origination);
        let block = attrs.builder().build();
        let outside = told::<Ipv4Unicast>(&mut pools, &external(), source, &block, nh);
        let expected = Attrs { path: vec![65000], ..attrs.clone() };
        assert_eq!(outside, Some((expected.builder().build(), OURSELVES)));
        let inside = told::<Ipv4Unicast>(&mut pools, &internal(), source, &block, nh);
        let expected = Attrs { local_pref: Some(100), ..attrs.clone() };
        assert_eq!(inside, Some((expected.builder().build(), OURSELVES)));
    }
}

#[test]
fn well_known_communities_keep_routes_where_they_say() {
    let with = |community| Attrs { communities: vec![Community::new(1, 1), community], ..Attrs::default() };
    for (community, inside) in
        [(Community::NO_EXPORT, true), (Community::NO_EXPORT_SUBCONFED, true), (Community::NO_ADVERTISE, false)]
    {
        assert_eq!(told_of(&external(), &with(community)), None, "{community}");
        assert_eq!(told_of(&internal(), &with(community)).is_some(), inside, "{community}");
    }
}

#[test]
fn only_to_customer_is_set_downward_and_keeps_routes_from_going_up_or_across() {
    let key = |role| ExportKey { role: Some(role), ..external() };
    let plain = Attrs::default().builder().build();
    let marked = Attrs::default().builder().only_to_customer(Some(7)).build();
    let mut pools = Pools::default();
    let (source, nh) = (session(&mut pools, true, 65001, 1), next_hop(&mut pools, 1, 0));
    let mut otc = |role, block: &[u8]| {
        told::<Ipv4Unicast>(&mut pools, &key(role), source, block, nh)
            .map(|(block, _)| Attributes::canonical(&block).only_to_customer())
    };
    for role in [Role::Provider, Role::Peer, Role::RouteServer] {
        assert_eq!(otc(role, &plain), Some(Some(65000)), "{role:?}");
    }
    for role in [Role::Customer, Role::RouteServerClient] {
        assert_eq!(otc(role, &plain), Some(None), "{role:?}");
    }
    for role in [Role::Customer, Role::Peer, Role::RouteServerClient] {
        assert_eq!(otc(role, &marked), None, "{role:?}");
    }
    for role in [Role::Provider, Role::RouteServer] {
        assert_eq!(otc(role, &marked), Some(Some(7)), "{role:?}");
    }
}

#[test]
fn a_leaked_route_goes_only_where_its_edge_says_and_always_through_us() {
    let mut pools = Pools::default();
    let nh = next_hop(&mut pools, 1, 0);
    let fabric = ExportKey { class: PeerClass::Fabric, ..external() };
    let keys = [external(), fabric, internal()];
    let block = Attrs::default().builder().build();
    for (advertise, allowed) in [
        (Advertise::None, [false; 3]),
        (Advertise::Evpn, [false; 3]),
        (Advertise::Ebgp, [true, false, false]),
        (Advertise::All, [true; 3]),
    ] {
        let source = edge(&mut pools, 1, advertise);
        for (key, allowed) in keys.iter().zip(allowed) {
            let next_hop = told::<Ipv4Unicast>(&mut pools, key, source, &block, nh).map(|(_, next_hop)| next_hop);
            assert_eq!(next_hop, allowed.then_some(OURSELVES), "{advertise:?} {key:?}");
        }
    }
}

#[test]
fn unknown_transitive_attributes_pass_marked_partial_and_non_transitive_communities_stay_inside() {
    let transitive = ExtendedCommunity::route_target_as2(65001, 9);
    let inner = ExtendedCommunity([0x40, 2, 0, 1, 0, 0, 0, 9]);
    let mut builder = AttributesBuilder::new(Origin::Igp);
    let block = builder.prepend(65001, 1).ext_communities([transitive, inner]).unknown(200, &[1, 2, 3]).build();
    let mut pools = Pools::default();
    let (source, nh) = (session(&mut pools, true, 65001, 1), next_hop(&mut pools, 1, 0));
    for (key, kept) in [(external(), vec![transitive]), (internal(), vec![transitive, inner])] {
        let (block, _) = told::<Ipv4Unicast>(&mut pools, &key, source, &block, nh).expect("told");
        let attributes = Attributes::canonical(&block);
        assert_eq!(attributes.ext_communities().collect::<Vec<_>>(), kept);
        let unknown = attributes.get(200).expect("passed on");
        assert_eq!((unknown.value, unknown.flags & 0xe0), (&[1, 2, 3][..], 0xe0), "optional, transitive, partial");
    }
}

#[test]
fn an_internal_neighbour_gets_a_learned_next_hop_only_in_a_form_it_can_use() {
    let mut pools = Pools::default();
    let source = session(&mut pools, true, 65001, 1);
    let block = Attrs::default().builder().build();
    let (global, link_local) = ("2001:db8::1".parse().unwrap(), "fe80::1".parse().unwrap());
    let v6 = NextHop::Ipv6(global);
    let both = NextHop::Ipv6LinkLocal { global, link_local };
    let own = NextHop::Ipv6("2001:db8::99".parse().unwrap());
    let plain = ExportKey { local_next_hop: own, ..internal() };
    let mut extended = plain;
    extended.encode.extended_next_hop = FamilySet::EMPTY.with(AfiSafi::IPV4_UNICAST);
    let mut next_hop = |family: AfiSafi, key: &ExportKey, address| {
        let id = pools.next_hops.intern(VRF, &address, None);
        let told = match family {
            AfiSafi::IPV4_UNICAST => told::<Ipv4Unicast>(&mut pools, key, source, &block, id),
            _ => told::<Ipv6Unicast>(&mut pools, key, source, &block, id),
        };
        told.expect("told").1
    };
    for address in [v6, both] {
        assert_eq!(next_hop(AfiSafi::IPV6_UNICAST, &plain, address), v6);
        assert_eq!(next_hop(AfiSafi::IPV4_UNICAST, &extended, address), v6);
        assert_eq!(next_hop(AfiSafi::IPV4_UNICAST, &plain, address), own, "not negotiated");
    }
    for address in [NextHop::Ipv6(link_local), NextHop::Ipv6LinkLocal { global: link_local, link_local }] {
        assert_eq!(next_hop(AfiSafi::IPV6_UNICAST, &plain, address), own, "means nothing one hop on");
    }
}
