//! The answers of all shards as one. Parts are matched by name, since shards may answer before and after the same change.

use std::collections::{BTreeMap, HashMap};

use super::view::{FAILED, REFUSED};
use super::{NeighborRoutes, Summary};
use crate::config::NeighborKey;
use crate::status::{EdgeState, EdgeStatus, FamilyStatus, FibStatus, RefusedRoute, RoutesPage, VrfFamily, VrfStatus};

pub(super) fn summary(parts: Vec<Summary>) -> Summary {
    reduce(parts, |all, part| {
        all.converged &= part.converged;
        all.attributes += part.attributes;
        fib(&mut all.fib, part.fib);
        for all in &mut all.edges {
            let same = |part: &&EdgeStatus| (&part.from, &part.to) == (&all.from, &all.to);
            match part.edges.iter().find(same) {
                Some(part) => edge(all, part),
                None => all.state = EdgeState::Pending,
            }
        }
    })
}

fn fib(all: &mut FibStatus, part: FibStatus) {
    all.pending += part.pending;
    all.failures += part.failures;
    all.failed.extend(part.failed);
    all.failed.sort_by_key(|failed| (failed.table, failed.prefix));
    all.failed.truncate(FAILED);
    all.error = all.error.take().or(part.error);
}

fn edge(all: &mut EdgeStatus, part: &EdgeStatus) {
    all.leaked += part.leaked;
    let mut refused: BTreeMap<_, usize> = all.refused.drain(..).collect();
    for (reason, count) in &part.refused {
        *refused.entry(*reason).or_default() += count;
    }
    all.refused = refused.into_iter().collect();
    all.state = EdgeState::together([std::mem::take(&mut all.state), part.state.clone()]);
}

pub(super) fn neighbor_routes(
    parts: Vec<HashMap<NeighborKey, NeighborRoutes>>,
) -> HashMap<NeighborKey, NeighborRoutes> {
    reduce(parts, |all, part| {
        for (key, part) in part {
            match all.get_mut(&key) {
                Some(all) => add_routes(all, part),
                None => drop(all.insert(key, part)),
            }
        }
    })
}

fn add_routes(all: &mut NeighborRoutes, part: NeighborRoutes) {
    for all in &mut all.families {
        match part.families.iter().find(|part| part.family == all.family) {
            Some(part) => add_family(all, part),
            None => (all.in_sync, all.end_of_rib) = (false, false),
        }
    }
    let mut refused: BTreeMap<_, u64> = all.refused.drain(..).collect();
    for (reason, count) in part.refused {
        *refused.entry(reason).or_default() += count;
    }
    all.refused = refused.into_iter().collect();
}

fn add_family(all: &mut FamilyStatus, part: &FamilyStatus) {
    all.accepted += part.accepted;
    all.advertised += part.advertised;
    all.in_sync &= part.in_sync;
    all.end_of_rib &= part.end_of_rib;
    all.behind |= part.behind;
}

pub(super) fn vrfs(parts: Vec<Vec<VrfStatus>>) -> Vec<VrfStatus> {
    reduce(parts, |all, part| {
        for all in all.iter_mut() {
            let part = part.iter().find(|part| part.name == all.name);
            let families = part.into_iter().flat_map(|part| &part.families);
            // Every shard has the same families, in the same order.
            for (VrfFamily { destinations, leaked, .. }, part) in all.families.iter_mut().zip(families) {
                *destinations += part.destinations;
                *leaked += part.leaked;
            }
        }
    })
}

pub(super) fn routes(pages: Vec<RoutesPage>, limit: usize) -> RoutesPage {
    let mut all = reduce(pages, |all, page| {
        all.routes.extend(page.routes);
        all.next = all.next.max(page.next);
    });
    all.routes.sort_by_key(|route| route.prefix);
    let more = all.next.is_some() || all.routes.len() > limit;
    all.routes.truncate(limit);
    all.next = all.routes.last().map(|route| route.prefix).filter(|_| more);
    all
}

pub(super) fn refused(lists: Vec<Vec<RefusedRoute>>) -> Vec<RefusedRoute> {
    let mut all = lists.concat();
    all.sort_by_key(|refused| refused.prefix);
    all.truncate(REFUSED);
    all
}

/// There is at least one shard.
fn reduce<T: Default>(parts: Vec<T>, mut add: impl FnMut(&mut T, T)) -> T {
    let reduced = parts.into_iter().reduce(|mut all, part| {
        add(&mut all, part);
        all
    });
    reduced.unwrap_or_default()
}
