//! Whether two networks are joined, and if not, why (rules R11–R13, R19, R38–R41, R46).
//!
//! Pure questions about two networks; who asks them of which pair is the evaluation's part.

use crate::{
    lifecycle::{Networks, Present},
    model::{Api, Entry, MetalKind, MetalNetwork, Network, NetworkId},
    reason::Reason,
};

/// The entry of `from` that names `to` and expects no other object of that name.
pub(crate) fn entry_to<'a>(from: &'a Present<'_>, to: &Present<'_>) -> Option<&'a Entry> {
    let entry = from.entry_for(&to.network.id.name).filter(|_| to.network.id.api == Api::Ironcore)?;
    from.expected_uid(entry).is_none_or(|uid| uid == to.uid).then_some(entry)
}

/// Why the entry is not bound: the first reason that holds, in the order of rule R19.
pub(crate) fn entry_reason(own: &Present<'_>, entry: &Entry, networks: &Networks<'_>) -> Option<Reason> {
    let target = NetworkId { name: entry.target.clone(), api: Api::Ironcore };
    let Some(target) = networks.get(&target) else { return Some(Reason::NetworkNotFound) };
    if own.deletion.is_some() || target.deletion.is_some() {
        return Some(Reason::PeerDeleting);
    }
    if own.expected_uid(entry).is_some_and(|uid| uid != target.uid) {
        return Some(Reason::UIDMismatch);
    }
    refusal(own, target).or_else(|| entry_to(target, own).is_none().then_some(Reason::NotReciprocated))
}

/// Why two ironcore networks cannot be joined, deletion and consent aside.
pub(crate) fn refusal(one: &Present<'_>, two: &Present<'_>) -> Option<Reason> {
    if !one.available || !two.available {
        return Some(Reason::NetworkNotAvailable);
    }
    ironcore_refusal(&one.network, &two.network)
}

/// Why two ironcore networks never peer, whatever their state.
pub(crate) fn ironcore_refusal(one: &Network, two: &Network) -> Option<Reason> {
    if one.vni == two.vni {
        return Some(Reason::SameVRF);
    }
    let project = |network: &Network| network.ironcore().and_then(|network| network.project.clone());
    match (project(one), project(two)) {
        (None, None) => None,
        (Some(one), Some(two)) if one == two && !one.is_empty() => None,
        _ => Some(Reason::CrossProject),
    }
}

/// Why two metal networks cannot be joined, deletion aside.
pub(crate) fn metal_refusal(one: &Network, two: &Network, available: bool) -> Option<Reason> {
    let (Some(spec1), Some(spec2)) = (one.metal(), two.metal()) else { return Some(Reason::NetworkNotFound) };
    if !peerable(one) || !peerable(two) || pair_of_kinds(spec1, spec2).is_none() {
        return Some(Reason::NotPeerable);
    }
    if !available {
        return Some(Reason::NetworkNotAvailable);
    }
    if one.vni == two.vni {
        return Some(Reason::SameVRF);
    }
    if pair_of_kinds(spec1, spec2) == Some(false) {
        return Some(Reason::CrossProject);
    }
    let private = spec1.kind == MetalKind::Private && spec2.kind == MetalKind::Private;
    (private && !same_partition(spec1, spec2)).then_some(Reason::PartitionMismatch)
}

/// Whether a metal network may be part of any peering (rule R40).
pub(crate) fn peerable(network: &Network) -> bool {
    let kind = network.metal().map(|metal| metal.kind);
    network.vni.is_some() && !matches!(kind, None | Some(MetalKind::Underlay | MetalKind::Super))
}

/// Whether partitions are equal, or one of the networks has none (rule R41).
pub(crate) fn same_partition(one: &MetalNetwork, two: &MetalNetwork) -> bool {
    one.partition.is_none() || two.partition.is_none() || one.partition == two.partition
}

/// Rule R39: `None` for two kinds that never peer, else whether their projects allow it.
fn pair_of_kinds(one: &MetalNetwork, two: &MetalNetwork) -> Option<bool> {
    use MetalKind::{External, Private, Shared};
    match (one.kind, two.kind) {
        (Private, Private) => Some(one.project.is_some() && one.project == two.project),
        (Private, Shared) | (Shared, Private) => Some(true),
        (Private, External) => Some(two.project.is_none() || one.project == two.project),
        (External, Private) => Some(one.project.is_none() || one.project == two.project),
        _ => None,
    }
}

/// Whether the declared address spaces of two metal networks meet (rule R46).
pub(crate) fn overlap(one: &MetalNetwork, two: &MetalNetwork) -> bool {
    one.prefixes.iter().any(|a| two.prefixes.iter().any(|b| a.contains(b) || b.contains(a)))
}
