//! `network peering`: peerings by flags instead of by manifest.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Error, apply, get, print};
use crate::api::client::{Client, ClientError};
use crate::api::schema::{Applied, Apply, File, Peering};
use crate::cli::{Output, PeeringCommand, PeeringCreateArgs};
use crate::output;

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

pub(crate) async fn run(command: PeeringCommand) -> Result<(), Error> {
    match command {
        PeeringCommand::Create(args) => create(&args).await,
        PeeringCommand::List { connection, output } => {
            get::list_peerings(&Client::new(&connection.socket), output).await
        }
        PeeringCommand::Describe { connection, name, output } => {
            let peerings: Vec<Peering> = Client::new(&connection.socket).get("/v1/peerings", &()).await?;
            let peering = peerings
                .into_iter()
                .find(|peering| peering.name == name)
                .ok_or_else(|| format!("NotFound: there is no peering {name:?}"))?;
            print(output.or(Some(Output::Yaml)), &peering, |_| String::new())
        }
        PeeringCommand::Accept { connection, name } => {
            let client = Client::new(&connection.socket);
            let applied: Applied = client.post("/v1/accept", &Named { name: &name }).await?;
            print(None, &applied, |_| apply::text(&applied))
        }
        PeeringCommand::Delete { connection, name, ignore_not_found } => {
            let client = Client::new(&connection.socket);
            let answer: Result<Applied, _> = client.delete("/v1/peering", &Named { name: &name }).await;
            match answer {
                Ok(applied) => print(None, &applied, |_| apply::text(&applied)),
                Err(ClientError::Refused(failure)) if failure.reason == "NotFound" && ignore_not_found => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

async fn create(args: &PeeringCreateArgs) -> Result<(), Error> {
    let manifest = manifest(args);
    let file = File { name: "command line".to_owned(), text: output::yaml(&manifest)? };
    let client = Client::new(&args.connection.socket);
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let peerings: Vec<Peering> = client.get("/v1/peerings", &()).await?;
    if peerings.iter().any(|peering| peering.name == name) {
        return Err(format!(
            "Duplicate: there is a peering {name:?} already; delete it first, or change it with `peerage apply`"
        )
        .into());
    }
    let applied: Applied =
        client.post("/v1/apply", &Apply { files: vec![file], plan: None, confirm_within: None }).await?;
    for warning in &applied.warnings {
        eprintln!("warning: {warning}");
    }
    print(None, &applied, |_| apply::text(&applied))
}

/// The `Peering` that the flags describe. With a flag of a BGP neighbour it is an external one.
pub(super) fn manifest(args: &PeeringCreateArgs) -> Value {
    let mut spec = Map::new();
    spec.insert("network1".to_owned(), json!(args.network1));
    if let Some(network) = &args.network2 {
        spec.insert("network2".to_owned(), json!(network));
    }
    let local = object([
        ("as", args.local_as.map(Value::from)),
        ("cidr", args.local_cidr.clone().map(Value::from)),
        ("port", args.local_port.clone().map(Value::from)),
    ]);
    let remote = object([("as", args.remote_as.map(Value::from)), ("cidr", args.remote_cidr.clone().map(Value::from))]);
    let external = !local.is_empty() || !remote.is_empty();
    let kind = if external { "external" } else { "local" };
    spec.insert("peeringType".to_owned(), json!(kind));
    if external {
        spec.insert("bgp".to_owned(), json!({ "local": local, "remote": remote }));
    }
    let name = args.name.clone().unwrap_or_else(|| match (&args.network2, args.remote_as) {
        (Some(network), _) => format!("{}-to-{network}", args.network1),
        (None, Some(asn)) => format!("{}-to-as{asn}", args.network1),
        (None, None) => args.network1.clone(),
    });
    json!({
        "apiVersion": "metal-stack.io/v1",
        "kind": "Peering",
        "metadata": { "name": name },
        "spec": spec,
    })
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    given.collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command, NetworkCommand};

    fn manifest_of(flags: &str) -> Value {
        let cli = Cli::try_parse_from("peerage network peering create".split(' ').chain(flags.split(' '))).unwrap();
        let Command::Network(network) = cli.command else {
            panic!("not a network command");
        };
        let NetworkCommand::Peering { command: PeeringCommand::Create(args) } = network.command else {
            panic!("not a create command");
        };
        manifest(&args)
    }

    #[test]
    fn two_networks_make_a_local_peering_named_after_both() {
        for network2 in ["privnet2", "storage", "internet"] {
            assert_eq!(
                manifest_of(&format!("--network1 privnet1 --network2 {network2}")),
                json!({
                    "apiVersion": "metal-stack.io/v1",
                    "kind": "Peering",
                    "metadata": { "name": format!("privnet1-to-{network2}") },
                    "spec": { "network1": "privnet1", "network2": network2, "peeringType": "local" },
                })
            );
        }
    }

    #[test]
    fn a_bgp_neighbour_makes_an_external_peering() {
        assert_eq!(
            manifest_of(
                "--network1 internet --localAs 65000 --localCidr 172.16.0.1 --localPort Ethernet0@exit01 --remoteAs 65001 --remoteCidr 172.16.0.2"
            ),
            json!({
                "apiVersion": "metal-stack.io/v1",
                "kind": "Peering",
                "metadata": { "name": "internet-to-as65001" },
                "spec": {
                    "network1": "internet",
                    "peeringType": "external",
                    "bgp": {
                        "local": { "as": 65000, "cidr": "172.16.0.1", "port": "Ethernet0@exit01" },
                        "remote": { "as": 65001, "cidr": "172.16.0.2" },
                    },
                },
            })
        );
    }
}
