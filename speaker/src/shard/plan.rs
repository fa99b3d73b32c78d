//! What another configuration's edges would change, and whether the leaked routes are what they may be. Nothing here changes anything.

use std::collections::BTreeMap;

use bgp_wire::{Family, NextHop};
use ipnet::IpNet;
use leak_engine::{Audit, PlannedLeak};
use rib::adj_out::{AdjOut, ExportPolicy, ExportRoute, export};
use rib::{DestId, Key, Leak, Origination, Source, SourceId, VrfId};

use super::neighbor::{FAMILIES, Policies};
use super::worker::Worker;
use crate::config::Config;
use crate::status::{
    AuditViolation, Plan, PlannedConflict, PlannedEdge, PlannedRoute, PlannedTable, PlannedTelling, RefusedRoute,
};

/// Destinations that one part of an audit looks at: a few milliseconds.
const AUDITED: usize = 4096;

impl Worker {
    /// What the edges of `config` would change in the tables, and at the neighbours. VRFs that do not exist yet are passed over.
    pub(super) fn plan(&self, config: &Config) -> Plan {
        let specs: Vec<_> = config.edges.iter().filter_map(|edge| self.edge_spec(edge)).collect();
        let planned = self.engine.plan(&specs);
        let name = |leak: Option<PlannedLeak>| leak.map(|leak| self.name(leak.from));
        let mut grown: BTreeMap<VrfId, (usize, usize)> = BTreeMap::new();
        for route in &planned.routes {
            let (come, gone) = grown.entry(route.vrf).or_default();
            *come += usize::from(route.before.is_none());
            *gone += usize::from(route.after.is_none());
        }
        let tables = grown.into_iter().map(|(vrf, (come, gone))| {
            let count = |family| {
                let counts = self.engine.counts(vrf, family);
                counts.native + counts.leaked
            };
            let before = FAMILIES.map(count).iter().sum();
            let table = self.vrfs.get(&vrf).and_then(|vrf| vrf.table);
            PlannedTable { vrf: self.name(vrf), table, before, after: before + come - gone }
        });
        Plan {
            changes: Vec::new(),
            told: self.planned_tellings(&planned.routes),
            tables: tables.collect(),
            conflicts: planned
                .conflicts
                .iter()
                .map(|conflict| PlannedConflict {
                    vrf: self.name(conflict.vrf),
                    from: self.name(conflict.from),
                    refused: RefusedRoute {
                        prefix: conflict.prefix,
                        reason: conflict.reason,
                        winner: conflict.winner.map(|winner| self.name(winner)),
                    },
                })
                .collect(),
            edges: planned
                .edges
                .iter()
                .map(|edge| PlannedEdge {
                    from: self.name(edge.from),
                    to: self.name(edge.to),
                    peering: edge.peering.to_string(),
                    before: edge.before,
                    after: edge.after,
                    refused: edge.refused.iter().map(|(refusal, count)| (*refusal, *count)).collect(),
                })
                .collect(),
            routes: planned
                .routes
                .iter()
                .map(|route| PlannedRoute {
                    vrf: self.name(route.vrf),
                    prefix: route.prefix,
                    before: name(route.before),
                    after: name(route.after),
                })
                .collect(),
            pairs: planned
                .counts
                .into_iter()
                .map(|((from, to), counts)| ((self.name(from), self.name(to)), counts))
                .collect(),
            connected: Vec::new(),
            disconnected: Vec::new(),
            settled: planned.settled,
        }
    }

    fn planned_tellings(&self, routes: &[leak_engine::PlannedRoute]) -> Vec<PlannedTelling> {
        let mut tellings = Vec::new();
        for neighbor in self.neighbors.values() {
            let Some((vrf, live)) = self.vrfs.get(&neighbor.vrf).zip(neighbor.live.as_ref()) else { continue };
            let Some((v4, v6)) = self.engine.tables(neighbor.vrf) else { continue };
            let mut telling = PlannedTelling {
                neighbor: neighbor.key.clone(),
                announced: Vec::new(),
                replaced: Vec::new(),
                withdrawn: Vec::new(),
            };
            for route in routes.iter().filter(|route| route.vrf == neighbor.vrf) {
                let (before, after) = match route.prefix {
                    IpNet::V4(key) => {
                        (self.said(&vrf.out4, live.source, v4.get(&key)), self.would_say(&vrf.out4, live.source, route))
                    }
                    IpNet::V6(key) => {
                        (self.said(&vrf.out6, live.source, v6.get(&key)), self.would_say(&vrf.out6, live.source, route))
                    }
                };
                let list = match (before, after) {
                    (None, Some(_)) => &mut telling.announced,
                    (Some(_), None) => &mut telling.withdrawn,
                    (Some(before), Some(after)) if before != after => &mut telling.replaced,
                    _ => continue,
                };
                list.push(route.prefix);
            }
            if !(telling.announced.is_empty() && telling.replaced.is_empty() && telling.withdrawn.is_empty()) {
                tellings.push(telling);
            }
        }
        tellings.sort_by(|a, b| a.neighbor.cmp(&b.neighbor));
        tellings
    }

    fn said<F: Family<Key: Key>>(
        &self,
        out: &AdjOut<F>,
        neighbor: SourceId,
        dest: Option<DestId>,
    ) -> Option<(Vec<u8>, NextHop)> {
        out.advertised(self.engine.pools(), neighbor, dest?)
    }

    /// What the neighbour would be told of the leaked route that would stand.
    fn would_say<F: Family<Key: Key>>(
        &self,
        out: &AdjOut<F>,
        neighbor: SourceId,
        route: &leak_engine::PlannedRoute,
    ) -> Option<(Vec<u8>, NextHop)> {
        let leak = route.after?;
        let key = out.key(neighbor)?;
        let native = self.engine.paths(leak.from, route.prefix).find(|path| path.best)?;
        let origination = Origination::Leaked(Leak { edge: 0, rank: 0, advertise: leak.advertise });
        let source = Source { vrf: route.vrf, origination };
        let told = ExportRoute { source_id: native.source, source: &source, attr: native.attr, next_hop: native.via };
        if !Policies(&self.policies).permits(key.policy, route.prefix, &told) {
            return None;
        }
        export::<F>(key, &told)
    }

    pub(super) fn audit_part(&self, mut audit: Audit) -> (Audit, Vec<AuditViolation>) {
        let violations = self.engine.audit_part(&mut audit, AUDITED);
        let violations = violations.into_iter().map(|violation| AuditViolation {
            vrf: self.name(violation.vrf),
            prefix: violation.prefix,
            from: violation.from.map(|from| self.name(from)),
            peering: violation.peering.map(|peering| peering.to_string()),
            fault: violation.fault,
        });
        (audit, violations.collect())
    }
}

/// The plans of all shards as one. What several shards would share of a limit that is not enough for all is decided as routes come, so that
/// such a plan is not settled.
pub(super) fn merged(parts: Vec<Plan>, config: &Config) -> Plan {
    let several = parts.len() > 1;
    let mut parts = parts.into_iter();
    let Some(mut all) = parts.next() else { return Plan::default() };
    for part in parts {
        all.settled &= part.settled;
        all.routes.extend(part.routes);
        all.conflicts.extend(part.conflicts);
        for edge in part.edges {
            match all.edges.iter_mut().find(|known| (&known.from, &known.to) == (&edge.from, &edge.to)) {
                Some(known) => {
                    known.before = known.before.zip(edge.before).map(|(a, b)| a + b);
                    known.after = known.after.zip(edge.after).map(|(a, b)| a + b);
                    let mut refused: BTreeMap<_, usize> = known.refused.drain(..).collect();
                    for (reason, count) in edge.refused {
                        *refused.entry(reason).or_default() += count;
                    }
                    known.refused = refused.into_iter().collect();
                }
                None => all.edges.push(edge),
            }
        }
        for telling in part.told {
            match all.told.iter_mut().find(|known| known.neighbor == telling.neighbor) {
                Some(known) => {
                    known.announced.extend(telling.announced);
                    known.replaced.extend(telling.replaced);
                    known.withdrawn.extend(telling.withdrawn);
                }
                None => all.told.push(telling),
            }
        }
        for table in part.tables {
            match all.tables.iter_mut().find(|known| known.vrf == table.vrf) {
                Some(known) => (known.before, known.after) = (known.before + table.before, known.after + table.after),
                None => all.tables.push(table),
            }
        }
        all.pairs.extend(part.pairs);
    }
    let mut pairs: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for (pair, (before, after)) in all.pairs.drain(..) {
        let counts = pairs.entry(pair).or_default();
        *counts = (counts.0 + before, counts.1 + after);
    }
    let joined = |wanted: fn(usize, usize) -> bool| {
        let found = pairs.iter().filter(|(_, (before, after))| wanted(*before, *after));
        found.map(|(pair, _)| pair.clone()).collect()
    };
    all.connected = joined(|before, after| before == 0 && after > 0);
    all.disconnected = joined(|before, after| before > 0 && after == 0);
    all.routes.sort();
    all.conflicts.sort_by(|a, b| (&a.vrf, a.refused.prefix, &a.from).cmp(&(&b.vrf, b.refused.prefix, &b.from)));
    all.edges.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
    all.tables.sort_by(|a, b| a.vrf.cmp(&b.vrf));
    all.told.sort_by(|a, b| a.neighbor.cmp(&b.neighbor));
    for telling in &mut all.told {
        telling.announced.sort_unstable();
        telling.replaced.sort_unstable();
        telling.withdrawn.sort_unstable();
    }
    let crowded = |edge: &PlannedEdge| {
        let held = edge.after.unwrap_or(0) + edge.refused.iter().map(|(_, count)| count).sum::<usize>();
        let spec = config.edges.iter().find(|spec| spec.from == edge.from && spec.to == edge.to);
        spec.and_then(|spec| spec.limit).is_some_and(|limit| held > limit)
    };
    all.settled &= !(several && all.edges.iter().any(crowded));
    all
}
