//! The codec alone: answer an OPEN, read an UPDATE, build one. No sockets, no session, no runtime.
//!
//! The octets of the neighbour are written out below, as a capture would show them. Exits with 1 if anything is not as expected.

use std::net::Ipv4Addr;
use std::process::ExitCode;

use bgp_wire::{
    AfiSafi, AttributesBuilder, Capability, DecodeCtx, EncodeCtx, Ipv4Unicast, Message, NextHop, OpenBuf, UpdateEncoder,
};
use bytes::BytesMut;

const OUR_AS: u32 = 64512;

/// AS 65001, hold time 90 s, identifier 10.0.0.2; IPv4 unicast, four-octet AS numbers, and a capability nobody knows.
const THEIR_OPEN: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 48,
    1, // length, type
    4, 0xfd, 0xe9, 0, 90, 10, 0, 0, 2, // version, AS, hold time, identifier
    19, 2, 17, // optional parameters: one with capabilities
    1, 4, 0, 1, 0, 1, // multiprotocol: IPv4 unicast
    65, 4, 0, 0, 0xfd, 0xe9, // four-octet AS 65001
    200, 3, 1, 2, 3, // unknown
];

/// 192.0.2.0/24 and 198.51.100.0/24 by 10.0.0.2, path 65001 64999, community 65001:7.
const THEIR_UPDATE: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 66,
    2, // length, type
    0, 0, // nothing withdrawn
    0, 35, // path attributes
    0x40, 1, 1, 0, // ORIGIN: IGP
    0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xe7, // AS_PATH
    0x40, 3, 4, 10, 0, 0, 2, // NEXT_HOP
    0xc0, 8, 4, 0xfd, 0xe9, 0, 7, // COMMUNITIES
    0xc0, 99, 1, 42, // an attribute nobody knows
    24, 192, 0, 2, 24, 198, 51, 100, // NLRI
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wire_only: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let answer = answer_open(THEIR_OPEN)?;
    println!("their OPEN is answered with {} octets", answer.len());

    let ctx = DecodeCtx { as4: true, ..DecodeCtx::default() };
    let Message::Update(update) = read(THEIR_UPDATE, &ctx)? else {
        return Err("expected an UPDATE".to_owned());
    };
    let path = update.attributes().as_path();
    let prefixes: Vec<_> = update.nlri().map(|(_, prefix)| prefix).collect();
    let next_hop = update.next_hop().ok_or("no NEXT_HOP")?;
    println!("they announce {prefixes:?} by {next_hop}, path {path}");
    expect(prefixes.len() == 2, "two prefixes")?;
    expect(path.path_length() == 2, "a path of two")?;
    expect(update.action().is_none(), "nothing wrong with it")?;

    // Pass the routes on as an eBGP speaker does: our AS in front, ourselves as next hop, the unknown attribute kept.
    let mut block = Vec::new();
    update.canonical_attributes(&mut block);
    let attributes = AttributesBuilder::from_canonical(&block).prepend(OUR_AS, 1).build();
    let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
    let mut message = BytesMut::new();
    let ourselves = NextHop::Ipv4(Ipv4Addr::new(10, 0, 0, 1));
    let keys = prefixes.iter().map(|prefix| (None, *prefix));
    encoder.announce::<Ipv4Unicast>(&attributes, ourselves, keys, &mut message).map_err(|error| error.to_string())?;

    let Message::Update(ours) = read(&message, &ctx)? else {
        return Err("we built something else than an UPDATE".to_owned());
    };
    let path = ours.attributes().as_path();
    println!("we announce them in {} octets, path {path}", message.len());
    expect(path.to_string() == "64512 65001 64999", "our AS in front of the path")?;
    expect(ours.next_hop() == Some(ourselves), "our next hop")?;
    expect(ours.nlri().map(|(_, prefix)| prefix).eq(prefixes), "the same prefixes")?;
    expect(ours.attributes().unknown().any(|raw| raw.value == [42]), "the unknown attribute")
}

/// Our OPEN to theirs: of what they offer, what we can do.
fn answer_open(theirs: &[u8]) -> Result<BytesMut, String> {
    let Message::Open(open) = read(theirs, &DecodeCtx::default())? else {
        return Err("expected an OPEN".to_owned());
    };
    println!("AS {} at {} says hello", open.asn(), open.identifier);
    expect(open.asn() == 65001, "AS 65001")?;
    let mut capabilities = vec![Capability::FourOctetAs(OUR_AS)];
    for capability in open.capabilities() {
        match capability {
            Capability::Multiprotocol(AfiSafi::IPV4_UNICAST) => capabilities.push(capability),
            Capability::Unknown { code, value } => {
                println!("  capability {code} with {} octets is unknown", value.len());
            }
            _ => {}
        }
    }
    let ours = OpenBuf {
        asn: OUR_AS,
        hold_time: open.hold_time.min(90),
        identifier: Ipv4Addr::new(10, 0, 0, 1),
        capabilities,
    };
    let mut message = BytesMut::new();
    ours.encode(&mut message);
    let Message::Open(back) = read(&message, &DecodeCtx::default())? else {
        return Err("we built something else than an OPEN".to_owned());
    };
    expect(back.asn() == OUR_AS, "our AS in our OPEN")?;
    expect(back.capabilities().count() == 2, "two capabilities")?;
    Ok(message)
}

fn read<'a>(octets: &'a [u8], ctx: &DecodeCtx) -> Result<Message<'a>, String> {
    Message::parse(octets, ctx).map_err(|malformed| malformed.to_string())
}

fn expect(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("expected {what}")) }
}
