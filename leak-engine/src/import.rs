//! What a VRF accepts from one neighbour: a small, typed policy, compiled when it is built.
//!
//! It is given prefixes and the attributes of one UPDATE and answers once per UPDATE or once per prefix. It holds no
//! route and counts nothing; the engine counts what it refuses.

use std::{fmt, net::Ipv4Addr, sync::Arc};

use bgp_wire::{Attributes, FamilySet};
use ipnet::IpNet;
use prefix_trie::joint::map::JointPrefixMap;

/// What is done with the routes that one neighbour sends.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportPolicy {
    /// Which prefixes come in.
    pub accept: Accept,
    /// The AS that must not be in a received AS_PATH more often than `allow_own_as` times (RFC 4271 section 9.1.2).
    pub own_as: u32,
    /// How often `own_as` may occur; 0 is the rule of the RFC, more is known as allowas-in.
    pub allow_own_as: u8,
    /// Our own BGP identifier: a reflected route that carries it as ORIGINATOR_ID is refused (RFC 4456 section 8).
    pub own_id: Option<Ipv4Addr>,
    /// Most routes that may stand from this neighbour; `None` is no limit. Above it the rest is refused and the caller
    /// is told, who will want to close the session (RFC 4486).
    pub maximum_prefixes: Option<usize>,
    /// Routes of other families are ignored: neither counted nor refused (RFC 4760 section 7).
    pub families: FamilySet,
    /// What is changed in the attributes of every accepted route.
    pub set: SetAttributes,
}

impl ImportPolicy {
    /// RFC 8212: an external neighbour without a policy, from whom nothing is accepted.
    pub const fn deny_all(own_as: u32) -> Self {
        Self::with(Accept::Nothing, own_as)
    }

    /// Everything but loops is accepted, as within one's own fabric.
    pub const fn accept_all(own_as: u32) -> Self {
        Self::with(Accept::Everything, own_as)
    }

    /// What the list permits is accepted.
    pub const fn listed(list: Arc<PrefixList>, own_as: u32) -> Self {
        Self::with(Accept::Listed(list), own_as)
    }

    const fn with(accept: Accept, own_as: u32) -> Self {
        Self {
            accept,
            own_as,
            allow_own_as: 0,
            own_id: None,
            maximum_prefixes: None,
            families: FamilySet::ALL,
            set: SetAttributes { local_pref: None, med: None },
        }
    }

    /// Whether routes with these attributes may come in at all. Once per UPDATE.
    ///
    /// # Errors
    ///
    /// [`ImportRefusal::NoPolicy`], [`ImportRefusal::OwnAs`] or [`ImportRefusal::OwnOriginator`].
    pub fn check_attributes(&self, attributes: &Attributes<'_>) -> Result<(), ImportRefusal> {
        if matches!(self.accept, Accept::Nothing) {
            return Err(ImportRefusal::NoPolicy);
        }
        let own = attributes.as_path().asns().filter(|asn| *asn == self.own_as).count();
        if own > usize::from(self.allow_own_as) {
            return Err(ImportRefusal::OwnAs);
        }
        if self.own_id.is_some() && attributes.originator_id() == self.own_id {
            return Err(ImportRefusal::OwnOriginator);
        }
        Ok(())
    }

    /// Whether a route for `prefix` may come in.
    ///
    /// # Errors
    ///
    /// [`ImportRefusal::NoPolicy`] or [`ImportRefusal::PrefixList`].
    pub fn check_prefix(&self, prefix: IpNet) -> Result<(), ImportRefusal> {
        match &self.accept {
            Accept::Nothing => Err(ImportRefusal::NoPolicy),
            Accept::Everything => Ok(()),
            Accept::Listed(list) if list.permits(prefix) => Ok(()),
            Accept::Listed(_) => Err(ImportRefusal::PrefixList),
        }
    }
}

/// Which prefixes an import policy lets in.
#[derive(Clone, Debug, PartialEq)]
pub enum Accept {
    /// None: there is no policy (RFC 8212).
    Nothing,
    /// All.
    Everything,
    /// Those that the list permits.
    Listed(Arc<PrefixList>),
}

/// Attributes that an import policy sets on every route it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// LOCAL_PREF to set.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC to set.
    pub med: Option<u32>,
}

impl SetAttributes {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One rule of a prefix list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRule {
    /// The space in which the rule matches.
    pub prefix: IpNet,
    /// Shortest matching length (`ge`); `None`: the prefix's own if `le` is absent too or given.
    pub ge: Option<u8>,
    /// Longest matching length (`le`); `None`: the prefix's own, or the family's longest if `ge` is given.
    pub le: Option<u8>,
    /// Whether a match is accepted or refused.
    pub permit: bool,
}

/// Rules in order, of both families: the first that matches decides, and what none matches is refused.
#[derive(Clone, Default)]
pub struct PrefixList {
    rules: Box<[PrefixRule]>,
    /// Rules by their prefix, as positions in `rules`, so that a long list costs a lookup per length and no scan.
    index: JointPrefixMap<IpNet, Vec<u32>>,
}

impl PrefixList {
    /// Compiles rules.
    ///
    /// # Errors
    ///
    /// The first rule whose lengths contradict each other: `prefix length <= ge <= le <= 32 or 128` must hold.
    pub fn new(rules: impl IntoIterator<Item = PrefixRule>) -> Result<Self, BadPrefixRule> {
        let mut list = Self { rules: rules.into_iter().collect(), index: JointPrefixMap::new() };
        for (position, rule) in list.rules.iter_mut().enumerate() {
            rule.prefix = rule.prefix.trunc();
            let (ge, le) = rule.lengths();
            if ge < rule.prefix.prefix_len() || le < ge || le > rule.prefix.max_prefix_len() {
                return Err(BadPrefixRule { position, rule: *rule });
            }
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            list.index.entry(rule.prefix).or_default().push(position);
        }
        Ok(list)
    }

    /// Whether the first rule that matches `prefix` permits it.
    pub fn permits(&self, prefix: IpNet) -> bool {
        let matching = |position: &u32| {
            let rule = self.rules.get(*position as usize)?;
            let (ge, le) = rule.lengths();
            (ge..=le).contains(&prefix.prefix_len()).then_some((*position, rule.permit))
        };
        let around = self.index.cover(&prefix).flat_map(|(_, positions)| positions);
        around.filter_map(matching).min_by_key(|(position, _)| *position).is_some_and(|(_, permit)| permit)
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[PrefixRule] {
        &self.rules
    }
}

impl PrefixRule {
    fn lengths(&self) -> (u8, u8) {
        let own = self.prefix.prefix_len();
        let longest = if self.ge.is_some() { self.prefix.max_prefix_len() } else { own };
        (self.ge.unwrap_or(own), self.le.unwrap_or(longest))
    }
}

impl PartialEq for PrefixList {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl fmt::Debug for PrefixList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.rules).finish()
    }
}

/// A rule of a prefix list whose lengths contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPrefixRule {
    /// Its position, from 0.
    pub position: usize,
    /// The rule.
    pub rule: PrefixRule,
}

impl fmt::Display for BadPrefixRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ge, le) = self.rule.lengths();
        let longest = self.rule.prefix.max_prefix_len();
        write!(
            f,
            "rule {} for {}: lengths from {ge} to {le} are not in order within {} to {longest}",
            self.position,
            self.rule.prefix,
            self.rule.prefix.prefix_len(),
        )
    }
}

impl std::error::Error for BadPrefixRule {}

/// Why a received route did not come into the VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportRefusal {
    /// The neighbour is external and has no import policy (RFC 8212).
    NoPolicy,
    /// The prefix list does not permit the prefix.
    PrefixList,
    /// The AS_PATH holds our own AS too often (RFC 4271 section 9.1.2).
    OwnAs,
    /// The route was reflected back to its originator (RFC 4456 section 8).
    OwnOriginator,
    /// The neighbour already has as many routes as it may.
    MaximumPrefixes,
}

impl ImportRefusal {
    /// Every refusal; `refusal as usize` is its position here.
    pub const ALL: [Self; 5] =
        [Self::NoPolicy, Self::PrefixList, Self::OwnAs, Self::OwnOriginator, Self::MaximumPrefixes];
}

impl fmt::Display for ImportRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoPolicy => "no import policy for an external neighbour (RFC 8212)",
            Self::PrefixList => "not permitted by the prefix list",
            Self::OwnAs => "own AS in the AS_PATH",
            Self::OwnOriginator => "own identifier as ORIGINATOR_ID",
            Self::MaximumPrefixes => "above the maximum number of prefixes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn rule(permit: bool, prefix: &str, ge: Option<u8>, le: Option<u8>) -> PrefixRule {
        PrefixRule { prefix: net(prefix), ge, le, permit }
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_no_match_refuses() {
        let list = PrefixList::new([
            rule(false, "10.0.1.0/24", None, Some(32)),
            rule(true, "10.0.0.0/8", None, Some(24)),
            rule(true, "10.0.1.0/24", None, None),
        ])
        .unwrap();
        assert!(list.permits(net("10.0.0.0/8")));
        assert!(list.permits(net("10.0.2.0/24")));
        assert!(!list.permits(net("10.0.1.0/24")));
        assert!(!list.permits(net("10.0.2.0/25")));
        assert!(!list.permits(net("192.0.2.0/24")));
        assert!(!list.permits(net("2001:db8::/32")));
    }

    #[test]
    fn without_lengths_only_the_prefix_itself_matches_and_ge_alone_reaches_to_the_longest() {
        let list = PrefixList::new([rule(true, "10.0.0.0/8", None, None), rule(true, "2001:db8::/32", Some(48), None)])
            .unwrap();
        assert!(list.permits(net("10.0.0.0/8")));
        assert!(!list.permits(net("10.0.0.0/9")));
        assert!(!list.permits(net("2001:db8::/32")));
        assert!(list.permits(net("2001:db8::1/128")));
    }

    #[test]
    fn a_rule_with_contradicting_lengths_is_refused_with_its_position() {
        let bad = rule(true, "10.0.0.0/8", Some(24), Some(16));
        let error = PrefixList::new([rule(true, "10.0.0.0/8", None, None), bad]).unwrap_err();
        assert_eq!(error.position, 1);
        assert_eq!(error.to_string(), "rule 1 for 10.0.0.0/8: lengths from 24 to 16 are not in order within 8 to 32");
        assert!(PrefixList::new([rule(true, "10.0.0.0/8", None, Some(33))]).is_err());
        assert!(PrefixList::new([rule(true, "10.0.0.0/8", Some(7), None)]).is_err());
    }
}
