//! `spec.vrfs[]`.

use std::net::IpAddr;

use ipnet::IpNet;
use network_peering::ErrorType;
use network_peering::fields::{At, Mapping, Sink};
use speaker::{Binding, Connected, Static, Via, VrfConfig};

use super::{list, parsed};

pub(super) fn read(at: &At<'_>, sink: &Sink<'_>) -> VrfConfig {
    let Some(mapping) = at.mapping(sink) else {
        return VrfConfig::default();
    };
    let name = mapping.required("name", sink).and_then(|at| at.string(sink)).unwrap_or_default();
    let network = mapping
        .text("network", sink)
        .map(|network| if network.contains('/') { network } else { format!("default/{network}") });
    let table = mapping.field("table");
    let device = mapping.field("device");
    if let (Some(_), Some(device)) = (&table, &device) {
        sink.error(device, ErrorType::Invalid, "give a table or a device, not both: a device has its own table");
    }
    let binding = match (table, device) {
        (Some(table), _) => table.number(0..=u32::MAX, sink).map(Binding::Table),
        (None, Some(device)) => device.string(sink).map(Binding::Device),
        (None, None) => None,
    };
    let vrf = VrfConfig {
        name,
        network,
        binding: binding.unwrap_or_default(),
        interfaces: list(&mapping, "interfaces", sink, |at| at.string(sink).unwrap_or_default()),
        connected: list(&mapping, "connected", sink, |at| connected(at, sink)),
        redistribute_connected: mapping.field("redistributeConnected").and_then(|at| at.boolean(sink)).unwrap_or(false),
        statics: list(&mapping, "staticRoutes", sink, |at| static_route(at, sink)),
    };
    mapping.finish(sink);
    vrf
}

/// A prefix, or a mapping of a prefix and its interface.
fn connected(at: &At<'_>, sink: &Sink<'_>) -> Connected {
    if at.node.text().is_some() {
        return Connected { prefix: at.prefix(sink).unwrap_or_default(), interface: None };
    }
    let Some(mapping) = at.mapping(sink) else {
        return Connected { prefix: IpNet::default(), interface: None };
    };
    let prefix = mapping.required("prefix", sink).and_then(|at| at.prefix(sink));
    let interface = mapping.text("interface", sink);
    mapping.finish(sink);
    Connected { prefix: prefix.unwrap_or_default(), interface }
}

fn static_route(at: &At<'_>, sink: &Sink<'_>) -> Static {
    let Some(mapping) = at.mapping(sink) else {
        return Static { prefix: IpNet::default(), via: Via::Unreachable };
    };
    let prefix = mapping.required("prefix", sink).and_then(|at| at.prefix(sink));
    let via = via(at, &mapping, sink);
    mapping.finish(sink);
    match prefix {
        Some(prefix) => Static { prefix, via },
        // Nothing that is said of a gateway can be held against a prefix that is not there.
        None => Static { prefix: IpNet::default(), via: Via::Unreachable },
    }
}

fn via(at: &At<'_>, mapping: &Mapping<'_>, sink: &Sink<'_>) -> Via {
    let gateway = mapping.field("via");
    let address: Option<IpAddr> = gateway.as_ref().and_then(|at| parsed(at, "the address of a gateway", sink));
    let interface = mapping.text("interface", sink);
    let unreachable = mapping.field("unreachable").and_then(|at| at.boolean(sink)).unwrap_or(false);
    match (address, interface) {
        (address, interface) if unreachable => {
            if address.is_some() || interface.is_some() {
                sink.error(at, ErrorType::Invalid, "a route that is unreachable has no via and no interface");
            }
            Via::Unreachable
        }
        (Some(address), Some(interface)) => Via::AddressOn(address, interface),
        (Some(address), None) => Via::Address(address),
        (None, Some(interface)) => Via::Interface(interface),
        (None, None) => {
            if gateway.is_none() {
                sink.error(at, ErrorType::Required, "one of via, interface and unreachable must be given");
            }
            Via::Unreachable
        }
    }
}
