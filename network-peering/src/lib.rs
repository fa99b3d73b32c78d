//! Network peering proposals as a pure function: documents in, statuses and edges out.
//!
//! [`load`] turns YAML or JSON text into a [`World`] of typed objects, or says everything that is wrong with it.
//! [`evaluate`] turns a world, what a [`State`] remembers and the time into statuses and the edges that leak routes;
//! [`tables`] computes from them, and from native routes, what every network's table holds and what was refused.
//!
//! Nothing here reads a file, a clock or randomness, and the order of the input never matters.

mod bind;
mod document;
mod edges;
mod error;
mod evaluate;
pub mod fields;
mod hash;
mod ironcore;
mod lifecycle;
mod manifest;
mod metal;
mod model;
mod names;
mod reason;
mod report;
mod routes;
mod state;
mod tables;
mod timestamp;

pub use document::{Document, MAX_ALIASED_NODES, MAX_DEPTH, MAX_OCTETS, Node, Value, read};
pub use edges::{Edge, Owner};
pub use error::{ErrorType, InputError, Place, Warning};
pub use evaluate::{
    Claim, DEFAULT_LIMIT, EntryStatus, MAX_AUTO_PEERED, NetworkStatus, Options, Outcome, PeeringStatus, Status,
    evaluate,
};
pub use model::{
    Api, Bgp, DEFAULT_NAMESPACE, Entry, Exposed, IroncoreNetwork, MetalKind, MetalNetwork, Name, Network, NetworkId,
    NetworkSpec, Peering, Project, Side, World,
};
pub use reason::{NetworkState, PeeringState, Phase, Reason};
pub use report::Report;
pub use routes::{Origin, Route, read_routes};
pub use state::{AcceptError, State, StateError, VERSION};
pub use tables::{Conflict, Refused, Selected, Table, Tables, tables};
pub use timestamp::{NotATime, Timestamp};

/// Reads files (a name and its octets) into a world.
///
/// # Errors
///
/// Every fault of every document, in their order; then there is no world.
pub fn load<B: AsRef<[u8]>>(inputs: impl IntoIterator<Item = (String, B)>) -> Result<World, Vec<InputError>> {
    load_after(inputs, &State::default())
}

/// Reads files into a world that follows the one `state` remembers: what may not change is compared with it (R10).
///
/// # Errors
///
/// Every fault of every document, in their order; then there is no world.
pub fn load_after<B: AsRef<[u8]>>(
    inputs: impl IntoIterator<Item = (String, B)>,
    state: &State,
) -> Result<World, Vec<InputError>> {
    let mut documents = Vec::new();
    let mut broken = Vec::new();
    for (file, bytes) in inputs {
        let (read, fault) = read(&file, bytes.as_ref());
        documents.extend(read);
        broken.extend(fault.map(|fault| (documents.len(), fault)));
    }
    manifest::assemble(&documents, broken, state)
}

/// Builds a world of documents already [`read`], for a caller that takes documents of its own kinds out first.
///
/// # Errors
///
/// Every fault of every document, in their order; then there is no world.
pub fn assemble(documents: &[Document], state: &State) -> Result<World, Vec<InputError>> {
    manifest::assemble(documents, Vec::new(), state)
}
