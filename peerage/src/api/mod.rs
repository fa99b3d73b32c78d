//! The daemon's API: HTTP/JSON on a unix socket.
//!
//! [`schema`] holds the documents that pass, [`server`] answers, [`client`] asks. The command line is one client of it and
//! the demo another; there is no way into a running daemon but this one and its signals.

pub(crate) mod client;
pub(crate) mod schema;
pub(crate) mod server;
