//! The leaked view from scratch: what [`Engine`](crate::Engine) keeps incrementally, as one plain function.
//!
//! It shares nothing with the engine but [`Filter::check`](crate::Filter::check), so that each can be checked
//! against the other: in tests, and on a running system as an audit.

use std::collections::BTreeMap;

use ipnet::IpNet;
use rib::VrfId;

use crate::{EdgeSpec, Refusal};

/// The native routes of all VRFs: per destination the selected set, best first, whatever a route is made of.
pub type Natives<M> = BTreeMap<(VrfId, IpNet), Vec<M>>;

/// What the edges make of the native routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<M> {
    /// The selected leaked routes by importer and prefix: the exporter, and its selected set.
    pub leaked: BTreeMap<(VrfId, IpNet), (VrfId, Vec<M>)>,
    /// Each native route of an exporter that does not reach an importer, by exporter, importer and prefix.
    pub refused: BTreeMap<(VrfId, VrfId, IpNet), Refusal>,
}

/// Computes the leaked view. Older edges come first; a limit admits the first prefixes in their order.
pub fn leaked<M: Clone>(natives: &Natives<M>, edges: &[EdgeSpec]) -> View<M> {
    let mut view = View { leaked: BTreeMap::new(), refused: BTreeMap::new() };
    let mut edges: Vec<&EdgeSpec> = edges.iter().collect();
    edges.sort_by_key(|edge| (&edge.rank, edge.from));
    for edge in edges {
        let mut held = 0;
        for ((vrf, prefix), set) in natives {
            if *vrf != edge.from {
                continue;
            }
            let at = (edge.to, *prefix);
            let verdict = edge.filter.check(*prefix).and_then(|()| {
                if edge.limit.is_some_and(|limit| held >= limit) {
                    return Err(Refusal::PrefixLimit);
                }
                held += 1;
                if natives.contains_key(&at) {
                    Err(Refusal::NativeWins)
                } else if view.leaked.contains_key(&at) {
                    Err(Refusal::OlderBindingWins)
                } else {
                    Ok(())
                }
            });
            match verdict {
                Ok(()) => drop(view.leaked.insert(at, (edge.from, set.clone()))),
                Err(refusal) => drop(view.refused.insert((edge.from, edge.to, *prefix), refusal)),
            }
        }
    }
    view
}
