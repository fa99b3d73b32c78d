//! JSON lines in, JSON lines out.
//!
//! Reads one JSON object per line from standard input, each with a message in hexadecimal and the context it came in; writes one per
//! line to standard output, in the same order: what the message says, and what RFC 7606 has the receiver do with it. A line that cannot
//! be read is answered too. Never opens a file or a socket.

use std::io::{self, BufRead as _, BufWriter, Write as _};

use bgp_wire::{Action, DecodeCtx, FamilySet, Malformed, Message, Notification, PeerKind, Update};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{families, messages};

/// One line of input; other fields are ignored.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    ctx: Context,
    msg: Option<String>,
    hex: Option<String>,
}

/// How the message is to be read.
#[derive(Deserialize)]
#[serde(default)]
struct Context {
    as4: bool,
    addpath: Vec<String>,
    families: Vec<String>,
    extmsg: bool,
    peer: Peer,
    oad: bool,
}

impl Default for Context {
    fn default() -> Self {
        Self { as4: true, addpath: Vec::new(), families: Vec::new(), extmsg: false, peer: Peer::Any, oad: false }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Peer {
    Any,
    Ebgp,
    Ibgp,
    Confed,
}

impl Context {
    fn decoding(&self) -> DecodeCtx {
        DecodeCtx {
            as4: self.as4,
            add_path: self.addpath.iter().filter_map(|name| families::from_name(name)).collect(),
            extended_message: self.extmsg,
            extended_next_hop: FamilySet::ALL,
            peer: match self.peer {
                // Within one administrative domain, an external peer may send what an internal one may.
                Peer::Ebgp if self.oad => PeerKind::Unknown,
                Peer::Any => PeerKind::Unknown,
                Peer::Ebgp => PeerKind::External,
                Peer::Ibgp => PeerKind::Internal,
                Peer::Confed => PeerKind::Confederation,
            },
        }
    }
}

/// Answers every line of standard input.
pub(super) fn run() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.iter().any(|octet| !octet.is_ascii_whitespace()) {
            writeln!(out, "{}", answer(&line))?;
        }
    }
    out.flush()
}

/// The answer to one line.
pub(super) fn answer(line: &[u8]) -> Value {
    let unreadable = |name: Value, problem: String| {
        let treatment = "session-reset";
        json!({"name": name, "ok": false, "treatment": treatment, "error": null, "problem": problem})
    };
    let case: Case = match serde_json::from_slice(line) {
        Ok(case) => case,
        Err(error) => {
            let name = serde_json::from_slice::<Value>(line).ok().and_then(|value| value.get("name").cloned());
            return unreadable(name.unwrap_or_default(), format!("the line is no case: {error}"));
        }
    };
    let fragment = case.msg.is_none() && case.kind == "nlri";
    let Some(text) = case.msg.or(case.hex) else {
        return unreadable(case.name, "neither msg nor hex is given".to_owned());
    };
    let Some(mut octets) = super::from_hex(&text) else {
        return unreadable(case.name, "the octets are not in hexadecimal".to_owned());
    };
    if fragment && let Some(family) = case.ctx.families.first().and_then(|name| families::from_name(name)) {
        octets = families::announcing(family, &octets);
    }
    let mut answer = Map::new();
    answer.insert("name".to_owned(), case.name);
    match Message::parse(&octets, &case.ctx.decoding()) {
        // A message alone has no session in which another family could go on.
        Ok(Message::Update(update)) if let Some(malformed) = update.reset() => refuse(&malformed, &mut answer),
        Ok(message) => describe(&message, &octets, &mut answer),
        Err(malformed) => refuse(&malformed, &mut answer),
    }
    Value::Object(answer)
}

/// What a message says, and what is to be done with it.
pub(super) fn describe(message: &Message<'_>, octets: &[u8], answer: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| drop(answer.insert(key.to_owned(), value));
    let treatment = match message {
        Message::Update(update) => treatment(update),
        _ => "accept",
    };
    put("ok", json!(treatment == "accept"));
    put("treatment", json!(treatment));
    put("error", Value::Null);
    match message {
        Message::Open(open) => put("open", messages::open(open)),
        Message::Update(update) => {
            put("update", messages::update(update));
            let attributes = update.attributes();
            if !update.index().ctx().as4 && !attributes.unmerged_as_path().is_empty() {
                put("effective_as_path", json!(attributes.as_path().to_string()));
            }
            if attributes.as4_aggregator().is_some()
                && let Some(aggregator) = attributes.aggregator()
            {
                put("effective_aggregator", messages::aggregator(aggregator));
            }
        }
        Message::Notification(notification) => put("notification", messages::notification(notification)),
        Message::RouteRefresh(refresh) => put("route_refresh", messages::route_refresh(refresh, octets)),
        Message::Keepalive => {}
    }
}

/// What RFC 7606 has the receiver do with it, as the vectors name it.
pub(super) fn treatment(update: &Update<'_>) -> &'static str {
    // A next hop that cannot be a host's makes the routes unusable; only of external peers is it asked (RFC 4271 section 6.3).
    let unusable = update.index().ctx().peer == PeerKind::External
        && !update.nlri().is_empty()
        && update.next_hop().is_some_and(|next_hop| !next_hop.is_host());
    match update.action() {
        Some(Action::DisableFamily | Action::SessionReset) => "session-reset",
        Some(Action::TreatAsWithdraw) => "treat-as-withdraw",
        _ if unusable => "treat-as-withdraw",
        Some(Action::AttributeDiscard) => "attribute-discard",
        None => "accept",
    }
}

/// What is said of a message that ends the session.
pub(super) fn refuse(malformed: &Malformed, answer: &mut Map<String, Value>) {
    let notification = Notification::from(malformed);
    answer.insert("ok".to_owned(), json!(false));
    answer.insert("treatment".to_owned(), json!("session-reset"));
    answer.insert("error".to_owned(), messages::notification(&notification));
    answer.insert("problem".to_owned(), json!(malformed.to_string()));
}
