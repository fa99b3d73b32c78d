//! What an edge is: which routes one VRF lends another, and why it keeps one back.
//!
//! An edge is given whole by whoever evaluates the peerings; nothing here looks at a table. [`Filter::check`] is the
//! one place where a prefix alone decides, shared by the engine, its twin and the one-shot evaluator.

use std::{fmt, sync::Arc};

use ipnet::IpNet;
use rib::{Advertise, VrfId};

use crate::PrefixSet;

/// One direction of a peering: native routes of `from` leak into `to`.
///
/// At most one edge stands for an ordered pair of VRFs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSpec {
    /// The exporter's VRF.
    pub from: VrfId,
    /// The importer's VRF.
    pub to: VrfId,
    /// The peering's name as the importer shows it.
    pub peering: Arc<str>,
    /// Which prefixes pass.
    pub filter: Filter,
    /// Who wins when two exporters lend the same prefix.
    pub rank: Rank,
    /// Where the importer may pass the leaked routes on to.
    pub advertise: Advertise,
    /// Most destinations that the edge may hold in the importer; `None` is no limit.
    pub limit: Option<usize>,
}

/// The checks of an edge that depend on the prefix alone, all constant for the edge.
///
/// The default refuses the default routes and passes everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The explicit list: what is equal to or more specific than a member passes. An empty list exposes nothing.
    pub exposed: Option<PrefixSet>,
    /// The default export set: what lies inside the exporter's declared prefixes passes.
    pub declared: Option<PrefixSet>,
    /// Whether the exporter may export a default route: it is an external network.
    pub default_route: bool,
    /// The importer's own declared prefixes: nothing equal or more specific comes in.
    pub own_space: PrefixSet,
    /// Declared prefixes of older exporters into the same importer: nothing inside or around them comes in.
    pub overlaps: PrefixSet,
    /// What policy lets through, where it says anything: only what lies inside passes.
    pub policy: Option<PrefixSet>,
}

impl Filter {
    /// Whether `prefix` may pass, by everything that can be known from the prefix alone.
    ///
    /// # Errors
    ///
    /// The first check that refuses it, in this order: [`Refusal::DefaultRoute`] (which no list could cure),
    /// [`Refusal::NotExposed`], [`Refusal::OutsideDeclared`], [`Refusal::OwnSpace`], [`Refusal::OlderBindingWins`],
    /// [`Refusal::PolicyDenied`].
    pub fn check(&self, prefix: IpNet) -> Result<(), Refusal> {
        let outside = |set: &Option<PrefixSet>| set.as_ref().is_some_and(|set| !set.covers(prefix));
        if prefix.prefix_len() == 0 && !self.default_route {
            Err(Refusal::DefaultRoute)
        } else if outside(&self.exposed) {
            Err(Refusal::NotExposed)
        } else if outside(&self.declared) {
            Err(Refusal::OutsideDeclared)
        } else if self.own_space.covers(prefix) {
            Err(Refusal::OwnSpace)
        } else if self.overlaps.overlaps(prefix) {
            Err(Refusal::OlderBindingWins)
        } else if outside(&self.policy) {
            Err(Refusal::PolicyDenied)
        } else {
            Ok(())
        }
    }
}

/// Seniority of an edge: the smaller one wins a prefix that two exporters lend to one importer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// When the peering was last bound: the later of its two entries' transition times, Unix seconds.
    pub bound_since: i64,
    /// The exporter's `namespace/name`, which decides between equal ages.
    pub exporter: Arc<str>,
}

/// Why a route of an exporter does not reach an importer. Displayed by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is itself leaked.
    NotNative,
    /// The exporter's explicit prefixes do not cover it.
    NotExposed,
    /// It lies outside the exporter's declared prefixes.
    OutsideDeclared,
    /// It is a default route and the exporter is not an external network.
    DefaultRoute,
    /// It is equal to or inside a declared prefix of the importer.
    OwnSpace,
    /// The importer has a native route for the same prefix.
    NativeWins,
    /// An exporter with an older binding lends the same prefix, or declares a prefix inside or around it.
    OlderBindingWins,
    /// The edge already holds as many destinations as its limit allows.
    PrefixLimit,
    /// Policy keeps it back.
    PolicyDenied,
    /// No edge leads from the exporter to the importer.
    NotPeered,
    /// The edge is confined to the exporter's partition.
    ScopePartition,
}

impl Refusal {
    /// Every refusal, in the order of their declaration; `refusal as usize` is its position here.
    pub const ALL: [Self; 11] = [
        Self::NotNative,
        Self::NotExposed,
        Self::OutsideDeclared,
        Self::DefaultRoute,
        Self::OwnSpace,
        Self::NativeWins,
        Self::OlderBindingWins,
        Self::PrefixLimit,
        Self::PolicyDenied,
        Self::NotPeered,
        Self::ScopePartition,
    ];

    /// The name in documents, JSON and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotNative => "NotNative",
            Self::NotExposed => "NotExposed",
            Self::OutsideDeclared => "OutsideDeclared",
            Self::DefaultRoute => "DefaultRoute",
            Self::OwnSpace => "OwnSpace",
            Self::NativeWins => "NativeWins",
            Self::OlderBindingWins => "OlderBindingWins",
            Self::PrefixLimit => "PrefixLimit",
            Self::PolicyDenied => "PolicyDenied",
            Self::NotPeered => "NotPeered",
            Self::ScopePartition => "ScopePartition",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn set(texts: &[&str]) -> PrefixSet {
        texts.iter().map(|text| net(text)).collect()
    }

    #[test]
    fn without_lists_everything_passes_but_the_default_routes() {
        let filter = Filter::default();
        assert_eq!(filter.check(net("10.0.0.0/8")), Ok(()));
        assert_eq!(filter.check(net("2001:db8::/32")), Ok(()));
        assert_eq!(filter.check(net("0.0.0.0/0")), Err(Refusal::DefaultRoute));
        assert_eq!(filter.check(net("::/0")), Err(Refusal::DefaultRoute));
    }

    #[test]
    fn a_default_route_passes_no_explicit_list_unless_the_exporter_is_external() {
        let mut filter = Filter { exposed: Some(set(&["0.0.0.0/0"])), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.0.0/8")), Ok(()));
        assert_eq!(filter.check(net("0.0.0.0/0")), Err(Refusal::DefaultRoute));
        filter.default_route = true;
        assert_eq!(filter.check(net("0.0.0.0/0")), Ok(()));
    }

    #[test]
    fn an_explicit_list_of_nothing_exposes_nothing() {
        let filter = Filter { exposed: Some(PrefixSet::default()), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.0.0/24")), Err(Refusal::NotExposed));
    }

    #[test]
    fn a_less_specific_route_is_not_exposed_by_a_more_specific_list() {
        let filter = Filter { exposed: Some(set(&["10.0.0.0/24"])), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.0.0/8")), Err(Refusal::NotExposed));
        assert_eq!(filter.check(net("10.0.0.7/32")), Ok(()));
    }

    #[test]
    fn a_route_outside_the_declared_prefixes_is_not_in_the_default_set() {
        let filter = Filter { declared: Some(set(&["10.0.0.0/22"])), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.1.0/24")), Ok(()));
        assert_eq!(filter.check(net("10.0.4.0/24")), Err(Refusal::OutsideDeclared));
    }

    #[test]
    fn own_space_refuses_equal_and_more_specific_but_not_wider_routes() {
        let filter = Filter { own_space: set(&["10.0.0.0/22"]), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.0.0/22")), Err(Refusal::OwnSpace));
        assert_eq!(filter.check(net("10.0.1.1/32")), Err(Refusal::OwnSpace));
        assert_eq!(filter.check(net("10.0.0.0/8")), Ok(()));
    }

    #[test]
    fn an_older_exporters_space_refuses_what_is_inside_or_around_it() {
        let filter = Filter { overlaps: set(&["10.0.0.0/22"]), ..Filter::default() };
        assert_eq!(filter.check(net("10.0.0.0/8")), Err(Refusal::OlderBindingWins));
        assert_eq!(filter.check(net("10.0.1.0/24")), Err(Refusal::OlderBindingWins));
        assert_eq!(filter.check(net("10.0.4.0/24")), Ok(()));
    }

    #[test]
    fn policy_passes_only_what_lies_inside() {
        let filter = Filter { policy: Some(set(&["192.0.2.0/24"])), ..Filter::default() };
        assert_eq!(filter.check(net("192.0.2.1/32")), Ok(()));
        assert_eq!(filter.check(net("10.0.0.1/32")), Err(Refusal::PolicyDenied));
    }

    #[test]
    fn the_older_binding_ranks_first_and_equal_ages_go_by_name() {
        let rank = |bound_since, exporter: &str| Rank { bound_since, exporter: exporter.into() };
        assert!(rank(1, "default/z") < rank(2, "default/a"));
        assert!(rank(1, "default/a") < rank(1, "default/b"));
    }

    #[test]
    fn refusals_stand_at_their_own_position_and_show_their_names() {
        for (position, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, position);
            assert_eq!(refusal.to_string(), format!("{refusal:?}"));
        }
    }
}
