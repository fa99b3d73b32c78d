//! `routes`: a VRF's table, page by page.

use ipnet::IpNet;
use serde::Serialize;

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::{Route, Routes};
use crate::cli::RoutesArgs;
use crate::output::Table;

#[derive(Serialize)]
struct Query<'a> {
    vrf: &'a str,
    prefix: Option<IpNet>,
    leaked: bool,
    after: Option<IpNet>,
}

pub(crate) async fn run(args: RoutesArgs) -> Result<(), Error> {
    let client = Client::new(&args.connection.socket);
    let mut query = Query { vrf: &args.vrf, prefix: args.prefix, leaked: args.leaked, after: None };
    let mut whole: Routes = client.get("/v1/routes", &query).await?;
    while let Some(after) = whole.next.take() {
        query.after = Some(after);
        let page: Routes = client.get("/v1/routes", &query).await?;
        whole.routes.extend(page.routes);
        whole.next = page.next;
    }
    if let Some(prefix) = args.prefix
        && whole.routes.is_empty()
    {
        let vrf = &args.vrf;
        return Err(format!(
            "NotFound: {vrf} has no route for {prefix}; `peerage explain --vrf {vrf} {prefix}` says why"
        )
        .into());
    }
    print(args.output, &whole.routes, |wide| table(&whole.routes, wide))
}

fn table(routes: &[Route], wide: bool) -> String {
    let mut head = vec!["", "PREFIX", "KIND", "NEXT-HOP", "SOURCE", "AS-PATH"];
    if wide {
        head.extend(["PEERING", "ORIGIN", "LOCAL-PREF", "MED", "COMMUNITIES"]);
    }
    let mut table = Table::new(head);
    for route in routes {
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        let source = route.from.as_ref().map_or_else(|| route.source.clone(), |vrf| format!("from {vrf}"));
        let mut row = vec![
            if route.selected { "*" } else { " " }.to_owned(),
            route.prefix.to_string(),
            route.kind.to_string(),
            route.next_hop.clone().unwrap_or_default(),
            source,
            route.as_path.clone(),
        ];
        if wide {
            row.extend([
                route.peering.clone().unwrap_or_default(),
                route.origin.clone(),
                number(route.local_pref),
                number(route.med),
                route.communities.join(" "),
            ]);
        }
        table.row(row);
    }
    table.render(0)
}
