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
use core::ops::ControlFlow;

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
    pub fn faults(&self) -> impl Iterator<Item = Fault> + use<'a> {
        let fields = self.index.action.and_then(|_| Fields::split(self.frame, &self.index.ctx).ok());
        Faults(fields.map(|fields| Pass::new(fields, &self.index.ctx, fields.plain_run(&self.index.ctx))))
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

/// Splits off a field that starts at the offset with its length in two octets.
#[inline(always)]
fn split_field(frame: &[u8], start: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = frame.get(start..)?.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// What is wrong where a field runs past the end of the message.
#[cold]
fn unsplit(offset: usize) -> Malformed {
    Malformed::new(ErrorCode::MalformedAttributeList, offset)
}

/// Checks the routes of the two plain fields, the second of which starts at the offset.
#[inline(never)]
fn check_routes(withdrawn: &[u8], plain: &[u8], offset: usize, add_path: bool) -> Result<(), Malformed> {
    for (field, offset) in [(withdrawn, WITHDRAWN_START), (plain, offset)] {
        nlri::check::<Ipv4Unicast>(field, add_path)
            .map_err(|at| Malformed::new(ErrorCode::InvalidNetworkField, offset + at))?;
    }
    Ok(())
}

impl<'a> Fields<'a> {
    /// Finds the fields, and checks the routes of the two plain ones.
    #[inline(always)]
    fn split(frame: &'a [u8], ctx: &DecodeCtx) -> Result<Self, Malformed> {
        let Some((withdrawn, _)) = split_field(frame, HEADER_LEN) else { return Err(unsplit(HEADER_LEN)) };
        let withdrawn_end = WITHDRAWN_START + withdrawn.len();
        let Some((block, plain)) = split_field(frame, withdrawn_end) else { return Err(unsplit(withdrawn_end)) };
        let start = withdrawn_end + 2;
        let add_path = ctx.add_path.contains(AfiSafi::IPV4_UNICAST);
        if !withdrawn.is_empty() || add_path || !Ipv4Unicast::are_usual(plain) {
            check_routes(withdrawn, plain, start + block.len(), add_path)?;
        }
        Ok(Self { frame, block, start, plain })
    }

    /// The usual, sound attributes that the block starts with, and where the first other one is. MP_REACH_NLRI is among them only if it
    /// announces routes.
    fn plain_run(&self, ctx: &DecodeCtx) -> (Standing, usize) {
        let (mut standing, mut at) = (Standing::default(), 0);
        if let [_, code::MP_REACH_NLRI, ..] = self.block
            && let Some(taken) = usual_reach(self.block, ctx)
        {
            standing.insert(code::MP_REACH_NLRI, 0);
            at = taken;
        }
        let octets = self.frame.get(self.start..).unwrap_or_default();
        attributes::plain_run(octets, at..self.block.len(), standing, ctx)
    }

    #[inline(always)]
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

/// The one pass. Most messages have nothing but usual, sound attributes; what is more than that is left to [`Pass`].
#[inline(always)]
fn examine(frame: &[u8], ctx: &DecodeCtx) -> Result<UpdateIndex, Malformed> {
    let fields = Fields::split(frame, ctx)?;
    if let [_, code::MP_REACH_NLRI, ..] = fields.block {
        return examine_attributes(frame, fields.start, fields.block.len(), ctx);
    }
    let octets = frame.get(fields.start..).unwrap_or_default();
    let (standing, at) = attributes::plain_run(octets, 0..fields.block.len(), Standing::default(), ctx);
    if at == fields.block.len() && (fields.plain.is_empty() || standing.has_mandatory(true)) {
        return Ok(fields.index(standing, ctx));
    }
    examine_attributes(frame, fields.start, fields.block.len(), ctx)
}

/// As [`examine`], from where the fields are known and checked on.
#[inline(never)]
fn examine_attributes(frame: &[u8], start: usize, len: usize, ctx: &DecodeCtx) -> Result<UpdateIndex, Malformed> {
    let (block, plain) = frame.get(start..).and_then(|rest| rest.split_at_checked(len)).unwrap_or_default();
    let fields = Fields { frame, block, start, plain };
    let (standing, at) = fields.plain_run(ctx);
    let announces = !plain.is_empty() || standing.contains(code::MP_REACH_NLRI);
    if at == len && (!announces || standing.has_mandatory(!plain.is_empty())) {
        return Ok(fields.index(standing, ctx));
    }
    Pass::new(fields, ctx, (standing, at)).outcome()
}

/// MP_REACH_NLRI with sound IPv6 unicast routes at the start of the block, where it belongs (RFC 7606 section 5.1), by a quick look: its
/// octets.
#[inline(never)]
fn usual_reach(block: &[u8], ctx: &DecodeCtx) -> Option<usize> {
    let (attribute, taken) = RawAttribute::read(block)?;
    let reach = MpReach::read(attribute.value, *ctx)?;
    let sound = attribute.flags & (flag::OPTIONAL | flag::TRANSITIVE) == flag::OPTIONAL
        && reach.family == AfiSafi::IPV6_UNICAST
        && matches!(reach.next_hop_octets.len(), 16 | 32)
        && !reach.nlri_octets.is_empty()
        && nlri::check::<Ipv6Unicast>(reach.nlri_octets, ctx.add_path.contains(AfiSafi::IPV6_UNICAST)).is_ok();
    sound.then_some(taken)
}

/// The pass over all attributes of a message. It tells of everything short of a reset as it meets it, and can be stopped there and go on.
struct Pass<'a> {
    fields: Fields<'a>,
    ctx: DecodeCtx,
    /// How far in the block it is.
    at: usize,
    standing: Standing,
    seen: Seen,
    /// The second fault of an attribute that has two.
    pending: Option<Fault>,
    /// The attributes that routes must have and that were not looked for yet.
    mandatory: &'static [u8],
    /// Whether the message announces routes.
    announces: bool,
    is_cut_short: bool,
    disables: FamilySet,
}

impl<'a> Pass<'a> {
    /// From where [`Fields::plain_run`] ended.
    fn new(fields: Fields<'a>, ctx: &DecodeCtx, (standing, at): (Standing, usize)) -> Self {
        Self {
            fields,
            ctx: *ctx,
            at,
            standing,
            seen: Seen::all_standing(standing),
            pending: None,
            mandatory: &[code::ORIGIN, code::AS_PATH, code::NEXT_HOP],
            announces: !fields.plain.is_empty() || standing.contains(code::MP_REACH_NLRI),
            is_cut_short: false,
            disables: FamilySet::EMPTY,
        }
    }

    /// The whole pass.
    #[inline(never)]
    fn outcome(mut self) -> Result<UpdateIndex, Malformed> {
        let mut action = None;
        let mut withdrawing = None;
        let stopped = self.run(|fault| {
            action = action.max(Some(fault.action));
            if fault.action > Action::AttributeDiscard && withdrawing.is_none() {
                withdrawing = Some(fault);
            }
            ControlFlow::<()>::Continue(())
        });
        if let ControlFlow::Break(Err(malformed)) = stopped {
            return Err(malformed);
        }
        let fields = &self.fields;
        if let Some(fault) = withdrawing
            && !self.announces
            && (self.is_cut_short || !self.seen.is_only(code::MP_UNREACH_NLRI))
        {
            let end = fields.start + fields.block.len();
            return Err(nothing_to_withdraw(&fault, &fields.frame[fault.offset..end]));
        }
        Ok(UpdateIndex { action, disables: self.disables, ..fields.index(self.standing, &self.ctx) })
    }

    /// Goes on to the end, or to the fault at which it is told to stop.
    #[inline]
    fn run<B>(&mut self, mut on_fault: impl FnMut(Fault) -> ControlFlow<B>) -> ControlFlow<Result<B, Malformed>> {
        let mut tell = |fault| on_fault(fault).map_break(Ok);
        if let Some(fault) = self.pending.take() {
            tell(fault)?;
        }
        let Fields { block, start, plain, .. } = self.fields;
        while let Some(rest) = block.get(self.at..).filter(|rest| !rest.is_empty()) {
            let offset = start + self.at;
            let Some((attribute, taken)) = RawAttribute::read(rest) else {
                self.at = block.len();
                self.is_cut_short = true;
                match cut_short(rest, offset) {
                    Ok(fault) => tell(fault)?,
                    Err(malformed) => return ControlFlow::Break(Err(malformed)),
                }
                break;
            };
            let (at, kind) = (self.at, attribute.code);
            self.at += taken;
            let multiprotocol = matches!(kind, code::MP_REACH_NLRI | code::MP_UNREACH_NLRI);
            let fault = if !self.seen.insert(kind) {
                if multiprotocol {
                    let twice = Malformed::new(ErrorCode::MalformedAttributeList, offset);
                    return ControlFlow::Break(Err(Malformed { attribute: Some(kind), ..twice }));
                }
                Some((Action::AttributeDiscard, ErrorCode::DuplicateAttribute))
            } else if attributes::is_plainly_sound(&attribute, &self.ctx) {
                self.standing.insert(kind, at);
                None
            } else if multiprotocol {
                match self.multiprotocol(&attribute, at, &rest[..taken]) {
                    Ok(fault) => fault,
                    Err(malformed) => return ControlFlow::Break(Err(malformed)),
                }
            } else if is_known(kind) {
                let checked = attributes::check(&attribute, &self.ctx);
                self.standing.insert_if(checked.is_ok(), kind, at);
                checked.err()
            } else if attribute.flags & flag::OPTIONAL == 0 {
                let unrecognized = ErrorCode::UnrecognizedWellKnownAttribute;
                return ControlFlow::Break(Err(reset(unrecognized, kind, offset, &rest[..taken])));
            } else {
                None
            };
            if let Some((action, code)) = fault {
                tell(Fault { action, code, attribute: Some(kind), offset })?;
                if let Some(fault) = self.pending.take() {
                    tell(fault)?;
                }
            }
        }
        while let Some((&kind, others)) = self.mandatory.split_first() {
            self.mandatory = others;
            let needed = if kind == code::NEXT_HOP { !plain.is_empty() } else { self.announces };
            if needed && !self.seen.contains_known(kind) {
                let (action, code) = (Action::TreatAsWithdraw, ErrorCode::MissingWellKnownAttribute);
                tell(Fault { action, code, attribute: Some(kind), offset: start })?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Holds one of the two multiprotocol attributes, of these octets at this place, against its rule. Where it has two faults, the
    /// second is left pending.
    #[inline(never)]
    fn multiprotocol(
        &mut self,
        attribute: &RawAttribute<'_>,
        at: usize,
        octets: &[u8],
    ) -> Result<Option<(Action, ErrorCode)>, Malformed> {
        let (kind, offset) = (attribute.code, self.fields.start + at);
        let flags_differ = (attribute.flags ^ expected_flags(kind)) & (flag::OPTIONAL | flag::TRANSITIVE) != 0;
        let flags = flags_differ.then_some((Action::TreatAsWithdraw, ErrorCode::AttributeFlags));
        let checked = if kind == code::MP_REACH_NLRI {
            let reach = MpReach::read(attribute.value, self.ctx).ok_or(ErrorCode::MalformedMultiprotocol);
            self.announces |= reach.is_ok_and(|reach| !reach.nlri_octets.is_empty());
            reach.and_then(|reach| reach.check())
        } else {
            let unreach = MpUnreach::read(attribute.value, self.ctx).ok_or(ErrorCode::MalformedMultiprotocol);
            unreach.and_then(|unreach| {
                let form = Form { family: unreach.family, withdrawn: true };
                check_multiprotocol_nlri(unreach.nlri_octets, form, &self.ctx)
            })
        };
        match checked {
            Ok(()) => self.standing.insert(kind, at),
            // RFC 7606 section 3 j: the family and the lengths are known, so that only its routes are lost.
            Err(code @ ErrorCode::InvalidMultiprotocolNlri) => {
                // Both attributes start with the family.
                if let Some((&[a, b, safi], _)) = attribute.value.split_first_chunk() {
                    self.disables.insert(AfiSafi::new(u16::from_be_bytes([a, b]), safi));
                }
                let disable = (Action::DisableFamily, code);
                if flags.is_none() {
                    return Ok(Some(disable));
                }
                self.pending = Some(Fault { action: disable.0, code, attribute: Some(kind), offset });
            }
            Err(code) => return Err(reset(code, kind, offset, octets)),
        }
        Ok(flags)
    }
}

#[cold]
fn reset(code: ErrorCode, attribute: u8, offset: usize, octets: &[u8]) -> Malformed {
    Malformed { attribute: Some(attribute), ..Malformed::with_data(code, offset, octets) }
}

/// What an attribute list is that ends within the attribute that these octets begin.
#[cold]
fn cut_short(rest: &[u8], offset: usize) -> Result<Fault, Malformed> {
    let attribute = rest.get(1).copied();
    if let Some(code::MP_REACH_NLRI | code::MP_UNREACH_NLRI) = attribute {
        // RFC 7606 section 3 j: its routes are not all there to be withdrawn.
        return Err(Malformed { attribute, ..Malformed::new(ErrorCode::MalformedMultiprotocol, offset) });
    }
    // RFC 7606 section 4: the routes are still found, since the list's own length gives its end.
    Ok(Fault { action: Action::TreatAsWithdraw, code: ErrorCode::AttributeLength, attribute, offset })
}

/// The faults of a message, met in a second pass.
struct Faults<'a>(Option<Pass<'a>>);

impl Iterator for Faults<'_> {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        match self.0.as_mut()?.run(ControlFlow::Break) {
            ControlFlow::Break(Ok(fault)) => Some(fault),
            _ => None,
        }
    }
}

/// What becomes of a fault that asks for more than to discard an attribute, in a message that has attributes for routes and no routes:
/// they may have gone missing, so that nothing less than a reset will do (RFC 7606 section 5.2). `rest` starts with the attribute.
#[cold]
fn nothing_to_withdraw(fault: &Fault, rest: &[u8]) -> Malformed {
    let octets = RawAttribute::read(rest).map_or(0, |(_, taken)| taken);
    Malformed { attribute: fault.attribute, ..Malformed::with_data(fault.code, fault.offset, &rest[..octets]) }
}
