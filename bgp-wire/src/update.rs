//! UPDATE (RFC 4271 section 4.3) with the error handling of RFC 7606.
//!
//! One pass over the message finds where everything stands and what is wrong with it; values are decoded when they are asked for. The
//! outcome of that pass, [`UpdateIndex`], is plain data: whoever holds the octets and the index has the parsed message.

use crate::attributes::{self, Attributes, RawAttribute, Seen, Standing, code, expected_flags, flag, is_known};
use crate::family::{Family, Ipv4Unicast, Ipv6Unicast};
use crate::frame::HEADER_LEN;
use crate::nlri::{self, Nlri};
use crate::routes::{self, Form, Route, Routes};
use crate::{Action, AfiSafi, DecodeCtx, ErrorCode, FamilySet, Fault, Malformed};
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Where a route's packets go next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NextHop {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address; a link-local one if the sender has no other.
    Ipv6(Ipv6Addr),
    /// A global IPv6 address and the link-local one that goes with it on the shared link (RFC 2545 section 3).
    Ipv6LinkLocal {
        /// The global address.
        global: Ipv6Addr,
        /// The link-local address.
        link_local: Ipv6Addr,
    },
}

impl NextHop {
    /// Whether the address can be that of a host at all: not unspecified, loopback, multicast, nor reserved. A route whose next hop is
    /// none is not to be used (RFC 4271 section 6.3); parsing leaves that to the caller, who may run over loopback.
    pub fn is_host(&self) -> bool {
        match self {
            Self::Ipv4(address) => {
                let first = address.octets()[0];
                first != 0 && first != 127 && first < 224
            }
            Self::Ipv6(address) | Self::Ipv6LinkLocal { global: address, .. } => {
                !(address.is_unspecified() || address.is_loopback() || address.is_multicast())
            }
        }
    }

    /// From the next hop field of MP_REACH_NLRI. `None` where the length does not go with the family.
    fn read(octets: &[u8], family: AfiSafi, ctx: &DecodeCtx) -> Option<Self> {
        let wide_allowed = family == AfiSafi::IPV6_UNICAST
            || (family == AfiSafi::IPV4_UNICAST && ctx.extended_next_hop.contains(family));
        match octets.len() {
            4 if family == AfiSafi::IPV4_UNICAST => {
                octets.first_chunk::<4>().map(|octets| Self::Ipv4((*octets).into()))
            }
            16 if wide_allowed => octets.first_chunk::<16>().map(|octets| Self::Ipv6((*octets).into())),
            32 if wide_allowed => {
                let (global, link_local) = octets.split_first_chunk::<16>()?;
                let link_local = link_local.first_chunk::<16>()?;
                Some(Self::Ipv6LinkLocal { global: (*global).into(), link_local: (*link_local).into() })
            }
            _ if FamilySet::UNICAST.contains(family) => None,
            _ => Self::read_further(octets, family, ctx),
        }
    }

    /// As [`Self::read`], for the families beyond unicast. Those of VPNs put a route distinguisher, which means nothing, before each
    /// address (RFC 4364 section 4.3.4, RFC 4659 section 3.2.1).
    #[inline(never)]
    fn read_further(octets: &[u8], family: AfiSafi, ctx: &DecodeCtx) -> Option<Self> {
        let vpn = matches!(family, AfiSafi::IPV4_VPN | AfiSafi::IPV6_VPN);
        let either = !matches!(family.afi, 1 | 2) || family == AfiSafi::ROUTE_TARGETS || FLOWSPEC.contains(family);
        let wide_allowed = family.afi == 2 || either || ctx.extended_next_hop.contains(family);
        let narrow_allowed = family.afi == 1 || either;
        let (addresses, skip) = if vpn { (octets.get(8..)?, 8) } else { (octets, 0) };
        match addresses.len() {
            4 if narrow_allowed => addresses.first_chunk::<4>().map(|octets| Self::Ipv4((*octets).into())),
            16 if wide_allowed => addresses.first_chunk::<16>().map(|octets| Self::Ipv6((*octets).into())),
            len if len == 32 + skip && wide_allowed => {
                let (global, link_local) = addresses.split_first_chunk::<16>()?;
                let link_local = link_local.get(skip..)?.first_chunk::<16>()?;
                Some(Self::Ipv6LinkLocal { global: (*global).into(), link_local: (*link_local).into() })
            }
            _ => None,
        }
    }
}

/// The address, then the link-local one if there are two: `2001:db8::1 fe80::1`.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => address.fmt(f),
            Self::Ipv6LinkLocal { global, link_local } => write!(f, "{global} {link_local}"),
        }
    }
}

/// The families whose next hop means nothing and may be missing (RFC 8955 section 4).
const FLOWSPEC: FamilySet = <routes::FlowRoute<'_> as Route<'_>>::FAMILIES;

/// MP_REACH_NLRI (RFC 4760 section 3).
#[derive(Clone, Copy)]
pub struct MpReach<'a> {
    /// The family of the routes.
    pub family: AfiSafi,
    /// The next hop field, as it came.
    pub next_hop_octets: &'a [u8],
    /// The routes, as they came.
    pub nlri_octets: &'a [u8],
    ctx: DecodeCtx,
}

impl<'a> MpReach<'a> {
    fn read(value: &'a [u8], ctx: DecodeCtx) -> Option<Self> {
        let (&[afi0, afi1, safi, len], rest) = value.split_first_chunk()?;
        let (next_hop_octets, rest) = rest.split_at_checked(usize::from(len))?;
        // One reserved octet stands between the next hop and the routes.
        let nlri_octets = rest.get(1..)?;
        Some(Self { family: AfiSafi::new(u16::from_be_bytes([afi0, afi1]), safi), next_hop_octets, nlri_octets, ctx })
    }

    fn check(&self) -> Result<(), ErrorCode> {
        if FamilySet::ALL.contains(self.family) && !FLOWSPEC.contains(self.family) && self.next_hop().is_none() {
            return Err(ErrorCode::MalformedMultiprotocol);
        }
        check_multiprotocol_nlri(self.nlri_octets, Form { family: self.family, withdrawn: false }, &self.ctx)
    }

    /// The next hop of the routes; `None` only for a family this crate does not know, and for flow specifications without one.
    pub fn next_hop(&self) -> Option<NextHop> {
        NextHop::read(self.next_hop_octets, self.family, &self.ctx)
    }

    /// The routes, if they are IPv4 unicast (RFC 8950).
    pub fn ipv4(&self) -> Option<Nlri<'a, Ipv4Unicast>> {
        typed(self.nlri_octets, self.family, &self.ctx)
    }

    /// The routes, if they are IPv6 unicast.
    pub fn ipv6(&self) -> Option<Nlri<'a, Ipv6Unicast>> {
        typed(self.nlri_octets, self.family, &self.ctx)
    }

    /// The routes, if those of the family are of the kind `R`.
    pub fn routes<R: Route<'a>>(&self) -> Option<Routes<'a, R>> {
        let add_path = self.ctx.add_path.contains(self.family);
        Routes::new(self.nlri_octets, add_path, Form { family: self.family, withdrawn: false })
    }
}

impl fmt::Debug for MpReach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MpReach");
        debug.field("family", &self.family).field("next_hop", &self.next_hop());
        debug_nlri(debug, self.ipv4(), self.ipv6(), self.nlri_octets)
    }
}

/// MP_UNREACH_NLRI (RFC 4760 section 4).
#[derive(Clone, Copy)]
pub struct MpUnreach<'a> {
    /// The family of the withdrawn routes.
    pub family: AfiSafi,
    /// The withdrawn routes, as they came.
    pub nlri_octets: &'a [u8],
    ctx: DecodeCtx,
}

impl<'a> MpUnreach<'a> {
    fn read(value: &'a [u8], ctx: DecodeCtx) -> Option<Self> {
        let (&[afi0, afi1, safi], nlri_octets) = value.split_first_chunk()?;
        Some(Self { family: AfiSafi::new(u16::from_be_bytes([afi0, afi1]), safi), nlri_octets, ctx })
    }

    /// The withdrawn routes, if they are IPv4 unicast.
    pub fn ipv4(&self) -> Option<Nlri<'a, Ipv4Unicast>> {
        typed(self.nlri_octets, self.family, &self.ctx)
    }

    /// The withdrawn routes, if they are IPv6 unicast.
    pub fn ipv6(&self) -> Option<Nlri<'a, Ipv6Unicast>> {
        typed(self.nlri_octets, self.family, &self.ctx)
    }

    /// The withdrawn routes, if those of the family are of the kind `R`.
    pub fn routes<R: Route<'a>>(&self) -> Option<Routes<'a, R>> {
        let add_path = self.ctx.add_path.contains(self.family);
        Routes::new(self.nlri_octets, add_path, Form { family: self.family, withdrawn: true })
    }
}

impl fmt::Debug for MpUnreach<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MpUnreach");
        debug.field("family", &self.family);
        debug_nlri(debug, self.ipv4(), self.ipv6(), self.nlri_octets)
    }
}

fn debug_nlri(
    mut debug: fmt::DebugStruct<'_, '_>,
    ipv4: Option<Nlri<'_, Ipv4Unicast>>,
    ipv6: Option<Nlri<'_, Ipv6Unicast>>,
    octets: &[u8],
) -> fmt::Result {
    match (ipv4, ipv6) {
        (Some(nlri), _) => debug.field("nlri", &nlri),
        (_, Some(nlri)) => debug.field("nlri", &nlri),
        _ => debug.field("nlri_octets", &octets),
    };
    debug.finish()
}

fn typed<'a, F: Family>(octets: &'a [u8], family: AfiSafi, ctx: &DecodeCtx) -> Option<Nlri<'a, F>> {
    (family == F::AFI_SAFI).then(|| Nlri::new(octets, ctx.add_path.contains(family)))
}

fn check_multiprotocol_nlri(octets: &[u8], form: Form, ctx: &DecodeCtx) -> Result<(), ErrorCode> {
    let add_path = ctx.add_path.contains(form.family);
    let sound = match form.family {
        AfiSafi::IPV4_UNICAST => nlri::check::<Ipv4Unicast>(octets, add_path).is_ok(),
        AfiSafi::IPV6_UNICAST => nlri::check::<Ipv6Unicast>(octets, add_path).is_ok(),
        _ => routes::are_sound(octets, add_path, form),
    };
    if sound { Ok(()) } else { Err(ErrorCode::InvalidMultiprotocolNlri) }
}

/// What one pass over an UPDATE found: plain data that says where everything stands. With the octets of the message it gives the
/// [`Update`] back without a second pass, on another thread too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateIndex {
    standing: Standing,
    withdrawn_end: u16,
    attributes_end: u16,
    action: Option<Action>,
    disables: FamilySet,
    ctx: DecodeCtx,
}

impl UpdateIndex {
    /// As [`Update::action`].
    pub fn action(&self) -> Option<Action> {
        self.action
    }

    /// The context the message was parsed in.
    pub fn ctx(&self) -> &DecodeCtx {
        &self.ctx
    }
}

/// A parsed UPDATE: a view on the octets of the whole message.
#[derive(Clone, Copy)]
pub struct Update<'a> {
    frame: &'a [u8],
    index: UpdateIndex,
}

const WITHDRAWN_START: usize = HEADER_LEN + 2;

impl<'a> Update<'a> {
    /// Parses a whole message, header included, whose header [`crate::frame::peek`] has passed.
    ///
    /// # Errors
    /// Only what must end the session; see [`Self::faults`] for the rest.
    #[inline]
    pub fn parse(frame: &'a [u8], ctx: &DecodeCtx) -> Result<Self, Malformed> {
        examine(frame, ctx).map(|index| Self { frame, index })
    }

    /// What parsing found; see [`Self::from_index`].
    #[inline]
    pub fn index(&self) -> UpdateIndex {
        self.index
    }

    /// The message again, from the same octets and the index that parsing them gave. With other octets the view shows nonsense or
    /// nothing, but never panics.
    #[inline]
    pub fn from_index(frame: &'a [u8], index: &UpdateIndex) -> Self {
        Self { frame, index: *index }
    }

    /// Everything that is wrong with the message, in its order. Looks through the message again, and only if there is something.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<> {
        let mut faults = Vec::new();
        if self.index.action.is_some() {
            // The outcome is known; what is wanted here is only what was met on the way.
            let _ = Fields::split(self.frame, &self.index.ctx).and_then(|fields| {
                examine_further(fields, &self.index.ctx, (Standing::default(), 0), &mut |fault| faults.push(fault))
            });
        }
        faults.into_iter()
    }

    /// The strongest action any fault asks for: `None` for a sound message, never [`Action::SessionReset`]. From
    /// [`Action::TreatAsWithdraw`] on the routes of [`Self::nlri`] and [`Self::mp_reach`] are to be treated as withdrawn.
    pub fn action(&self) -> Option<Action> {
        self.index.action
    }

    /// The families that [`Action::DisableFamily`] is asked for: their routes in MP_REACH_NLRI or MP_UNREACH_NLRI cannot be told apart.
    /// A family that has no place in the set is never in use.
    pub fn disables(&self) -> FamilySet {
        self.index.disables
    }

    /// The error to end the session with where [`Self::disables`] names families and they cannot be disabled, as no other is left.
    pub fn reset(&self) -> Option<Malformed> {
        let fault = self.faults().find(|fault| fault.action == Action::DisableFamily)?;
        let rest = self.field(fault.offset, usize::from(self.index.attributes_end));
        let (_, taken) = RawAttribute::read(rest)?;
        Some(Malformed { attribute: fault.attribute, ..Malformed::with_data(fault.code, fault.offset, &rest[..taken]) })
    }

    /// The octets of the whole message.
    pub fn frame(&self) -> &'a [u8] {
        self.frame
    }

    #[inline]
    fn field(&self, start: usize, end: usize) -> &'a [u8] {
        self.frame.get(start..end).unwrap_or_default()
    }

    #[inline]
    fn plain(&self, field: &'a [u8]) -> Nlri<'a, Ipv4Unicast> {
        Nlri::new(field, self.index.ctx.add_path.contains(AfiSafi::IPV4_UNICAST))
    }

    /// The routes of the withdrawn field.
    #[inline(always)]
    pub fn withdrawn(&self) -> Nlri<'a, Ipv4Unicast> {
        self.plain(self.field(WITHDRAWN_START, usize::from(self.index.withdrawn_end)))
    }

    /// The routes of the plain NLRI field; their next hop is that of [`Self::next_hop`].
    #[inline(always)]
    pub fn nlri(&self) -> Nlri<'a, Ipv4Unicast> {
        self.plain(self.field(usize::from(self.index.attributes_end), self.frame.len()))
    }

    /// The path attributes that stand.
    #[inline(always)]
    pub fn attributes(&self) -> Attributes<'a> {
        let start = usize::from(self.index.withdrawn_end) + 2;
        Attributes::new(
            self.field(start, usize::from(self.index.attributes_end)),
            self.index.standing,
            self.index.ctx.as4,
        )
    }

    /// NEXT_HOP, for the routes of the plain NLRI field.
    #[inline]
    pub fn next_hop(&self) -> Option<NextHop> {
        self.attributes().next_hop().map(NextHop::Ipv4)
    }

    /// MP_REACH_NLRI: further routes with a next hop of their own.
    #[inline(always)]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        MpReach::read(self.attributes().get(code::MP_REACH_NLRI)?.value, self.index.ctx)
    }

    /// MP_UNREACH_NLRI: further withdrawn routes.
    #[inline(always)]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        MpUnreach::read(self.attributes().get(code::MP_UNREACH_NLRI)?.value, self.index.ctx)
    }

    /// The family whose initial routes are complete with this message, if it is such a marker (RFC 4724 section 2).
    pub fn end_of_rib(&self) -> Option<AfiSafi> {
        if !self.withdrawn().is_empty() || !self.nlri().is_empty() {
            return None;
        }
        if self.attributes().octets().is_empty() {
            return Some(AfiSafi::IPV4_UNICAST);
        }
        let unreach = self.mp_unreach()?;
        // The one attribute there is, those that do not stand included.
        let (_, taken) = RawAttribute::read(self.attributes().octets())?;
        (unreach.nlri_octets.is_empty() && taken == self.attributes().octets().len()).then_some(unreach.family)
    }

    /// Appends the attributes in canonical form: the key under which they are interned. See [`crate::AttributesBuilder`].
    pub fn canonical_attributes(&self, out: &mut Vec<u8>) {
        self.attributes().write_canonical(out);
    }
}

impl fmt::Debug for Update<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("withdrawn", &self.withdrawn())
            .field("attributes", &self.attributes())
            .field("nlri", &self.nlri())
            .field("action", &self.action())
            .finish()
    }
}

/// The fields of a message (RFC 4271 section 4.3).
#[derive(Clone, Copy)]
struct Fields<'a> {
    frame: &'a [u8],
    /// The path attributes.
    block: &'a [u8],
    /// Their offset.
    start: usize,
    /// The routes after them.
    plain: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Finds the fields, and checks the routes of the two plain ones.
    #[inline]
    fn split(frame: &'a [u8], ctx: &DecodeCtx) -> Result<Self, Malformed> {
        let attribute_list = |offset| Malformed::new(ErrorCode::MalformedAttributeList, offset);
        // Splits off a field that starts with its length in two octets.
        let field = |start: usize| {
            let (length, rest) = frame.get(start..)?.split_first_chunk()?;
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        };
        let (withdrawn, _) = field(HEADER_LEN).ok_or_else(|| attribute_list(HEADER_LEN))?;
        let withdrawn_end = WITHDRAWN_START + withdrawn.len();
        let (block, plain) = field(withdrawn_end).ok_or_else(|| attribute_list(withdrawn_end))?;
        let start = withdrawn_end + 2;
        let add_path = ctx.add_path.contains(AfiSafi::IPV4_UNICAST);
        let check = |field, offset| {
            nlri::check::<Ipv4Unicast>(field, add_path)
                .map_err(|at| Malformed::new(ErrorCode::InvalidNetworkField, offset + at))
        };
        check(withdrawn, WITHDRAWN_START)?;
        check(plain, start + block.len())?;
        Ok(Self { frame, block, start, plain })
    }

    #[inline]
    fn index(&self, standing: Standing, ctx: &DecodeCtx) -> UpdateIndex {
        UpdateIndex {
            standing,
            withdrawn_end: (self.start - 2) as u16,
            attributes_end: (self.start + self.block.len()) as u16,
            action: None,
            disables: FamilySet::EMPTY,
            ctx: *ctx,
        }
    }
}

/// The one pass. Most messages have nothing but usual, sound attributes; what is more than that is left to [`examine_further`].
#[inline]
fn examine(frame: &[u8], ctx: &DecodeCtx) -> Result<UpdateIndex, Malformed> {
    let fields = Fields::split(frame, ctx)?;
    let (standing, end) = attributes::plain_run(fields.block, ctx);
    if end == fields.block.len() && (fields.plain.is_empty() || standing.has_mandatory()) {
        return Ok(fields.index(standing, ctx));
    }
    examine_further(fields, ctx, (standing, end), &mut |_| {})
}

/// The pass over the attributes from an offset on, before which all are sound. Tells `on_fault` of everything short of a reset.
#[inline(never)]
fn examine_further(
    fields: Fields<'_>,
    ctx: &DecodeCtx,
    (mut standing, mut at): (Standing, usize),
    on_fault: &mut dyn FnMut(Fault),
) -> Result<UpdateIndex, Malformed> {
    let Fields { frame, block, start, plain } = fields;
    let end = start + block.len();
    let attribute_list = |offset| Malformed::new(ErrorCode::MalformedAttributeList, offset);
    let mut action = None;
    let mut withdrawing = None;
    let mut fault = |fault: Fault| {
        action = action.max(Some(fault.action));
        if fault.action > Action::AttributeDiscard && withdrawing.is_none() {
            withdrawing = Some(fault);
        }
        on_fault(fault);
    };
    let mut disables = FamilySet::EMPTY;
    let mut seen = Seen::all_standing(standing);
    let mut reaches = !plain.is_empty();
    while at < block.len() {
        let Some((attribute, taken)) = RawAttribute::read(&block[at..]) else {
            let attribute = block.get(at + 1).copied();
            if let Some(code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) = attribute {
                // RFC 7606 section 3 j: its routes are not all there to be withdrawn.
                return Err(Malformed { attribute, ..Malformed::new(ErrorCode::MalformedMultiprotocol, start + at) });
            }
            // RFC 7606 section 4: the routes are still found, since the list's own length gives its end.
            fault(Fault {
                action: Action::TreatAsWithdraw,
                code: ErrorCode::AttributeLength,
                attribute,
                offset: start + at,
            });
            break;
        };
        if attributes::is_plainly_sound(&attribute, ctx) && seen.insert(attribute.code) {
            standing.insert(attribute.code, at);
            at += taken;
            continue;
        }
        let octets = &block[at..at + taken];
        let offset = start + at;
        let reset = |code| Malformed { attribute: Some(attribute.code), ..Malformed::with_data(code, offset, octets) };
        let kind = attribute.code;
        let mut faulty = |action, code| fault(Fault { action, code, attribute: Some(kind), offset });
        if !seen.insert(kind) {
            if matches!(kind, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
                return Err(Malformed { attribute: Some(kind), ..attribute_list(offset) });
            }
            faulty(Action::AttributeDiscard, ErrorCode::DuplicateAttribute);
        } else if matches!(kind, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) {
            if (attribute.flags ^ expected_flags(kind)) & (flag::OPTIONAL | flag::TRANSITIVE) != 0 {
                faulty(Action::TreatAsWithdraw, ErrorCode::AttributeFlags);
            }
            let checked = if kind == code::MP_REACH_NLRI {
                let reach = MpReach::read(attribute.value, *ctx).ok_or(ErrorCode::MalformedMultiprotocol);
                reaches |= reach.is_ok_and(|reach| !reach.nlri_octets.is_empty());
                reach.and_then(|reach| reach.check())
            } else {
                let unreach = MpUnreach::read(attribute.value, *ctx).ok_or(ErrorCode::MalformedMultiprotocol);
                unreach.and_then(|unreach| {
                    let form = Form { family: unreach.family, withdrawn: true };
                    check_multiprotocol_nlri(unreach.nlri_octets, form, ctx)
                })
            };
            match checked {
                Ok(()) => standing.insert(kind, at),
                // RFC 7606 section 3 j: the family and the lengths are known, so that only its routes are lost.
                Err(code @ ErrorCode::InvalidMultiprotocolNlri) => {
                    faulty(Action::DisableFamily, code);
                    // Both attributes start with the family.
                    if let Some((&[a, b, safi], _)) = attribute.value.split_first_chunk() {
                        disables.insert(AfiSafi::new(u16::from_be_bytes([a, b]), safi));
                    }
                }
                Err(code) => return Err(reset(code)),
            }
        } else if is_known(kind) {
            match attributes::check(&attribute, ctx) {
                Ok(()) => standing.insert(kind, at),
                Err((action, code)) => faulty(action, code),
            }
        } else if attribute.flags & flag::OPTIONAL == 0 {
            return Err(reset(ErrorCode::UnrecognizedWellKnownAttribute));
        }
        at += taken;
    }

    if reaches {
        let mandatory = [(code::ORIGIN, true), (code::AS_PATH, true), (code::NEXT_HOP, !plain.is_empty())];
        for (kind, needed) in mandatory {
            if needed && !seen.contains_known(kind) {
                let (action, code) = (Action::TreatAsWithdraw, ErrorCode::MissingWellKnownAttribute);
                fault(Fault { action, code, attribute: Some(kind), offset: start });
            }
        }
    }
    if let Some(fault) = withdrawing
        && !reaches
        && !(at >= block.len() && seen.is_only(code::MP_UNREACH_NLRI))
    {
        return Err(nothing_to_withdraw(&fault, &frame[fault.offset..end]));
    }
    Ok(UpdateIndex { action, disables, ..fields.index(standing, ctx) })
}

/// What becomes of a fault that asks for more than to discard an attribute, in a message that has attributes for routes and no routes:
/// they may have gone missing, so that nothing less than a reset will do (RFC 7606 section 5.2). `rest` starts with the attribute.
#[cold]
fn nothing_to_withdraw(fault: &Fault, rest: &[u8]) -> Malformed {
    let octets = RawAttribute::read(rest).map_or(0, |(_, taken)| taken);
    Malformed { attribute: fault.attribute, ..Malformed::with_data(fault.code, fault.offset, &rest[..octets]) }
}
