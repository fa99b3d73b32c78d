//! The command tree: what an operator may type, and nothing of what it does.
//!
//! Owns every flag, its help text and its default. Given the arguments, it yields a [`Cli`]; it never opens a file or a
//! socket.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

/// The socket that the daemon serves its API on, and where the other commands look for it.
pub(crate) const DEFAULT_SOCKET: &str = "/run/peerage/peerage.sock";

/// BGP with a table per VRF, and routes leaked between the networks that agreed to peer.
#[derive(Debug, Parser)]
#[command(name = "peerage", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the speaker in the foreground; SIGHUP reads the files again, SIGTERM stops it
    Run(RunArgs),
    /// Watch networks become peers: real speakers, real TCP, nothing but loopback
    Demo(DemoArgs),
    /// Check manifests, and say everything that is wrong with them
    Validate(crate::validate::ValidateArgs),
    /// Apply the rules once to manifests and routes, without a daemon
    Eval(crate::eval::EvalArgs),
    /// Say what a change would do to the running daemon's tables and neighbours, without doing it
    Plan(PlanArgs),
    /// Give manifests to the running daemon
    Apply(ApplyArgs),
    /// Keep a change that would be taken back otherwise
    Confirm(ClientArgs),
    /// Go back to what was applied before the last change, or once another one was made
    Rollback(RollbackArgs),
    /// List the changes that were made: who, when, what
    History(ClientArgs),
    /// Prove that every leaked route may be there and none is missing; exit code 1 with the counter-example
    Audit(ClientArgs),
    /// List what the running daemon knows
    Get(GetArgs),
    /// List the routes of a VRF
    Routes(RoutesArgs),
    /// Say why a prefix is in a VRF, or which step keeps it out
    Explain(ExplainArgs),
    /// Work with networks and their peerings
    Network(NetworkArgs),
    /// Decode BGP messages: JSON lines, hexadecimal, MRT files, captured packets
    Decode(crate::decode::DecodeArgs),
    /// Print the version
    Version(VersionArgs),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Files or directories with manifests and one Speaker document; a directory is its *.yaml, *.yml and *.json; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many prefixes the ISP's generated table holds
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(crate) prefixes: u32,
    /// Replay this MRT file as the ISP's table instead (plain, gzip or bzip2)
    #[arg(long, value_name = "FILE", conflicts_with = "prefixes")]
    pub(crate) mrt: Option<PathBuf>,
    /// Stay up when the steps are done, and print the API socket
    #[arg(long)]
    pub(crate) keep: bool,
}

/// How a client command reaches the daemon.
#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// The daemon's API socket
    #[arg(long, value_name = "PATH", env = "PEERAGE_SOCKET", default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,
}

/// The form of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One JSON document
    Json,
    /// One YAML document
    Yaml,
    /// A table with more columns
    Wide,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Files or directories; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// The form of the answer; with `wide` every route is listed
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
    /// A command to say it of, such as `network peering create`
    #[command(subcommand)]
    pub(crate) command: Option<PlannedCommand>,
}

/// A command that can be planned.
#[derive(Debug, Subcommand)]
pub(crate) enum PlannedCommand {
    /// Peerings between networks
    Network {
        #[command(subcommand)]
        command: PlannedNetworkCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlannedNetworkCommand {
    /// Peerings between networks
    Peering {
        #[command(subcommand)]
        command: PlannedPeeringCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlannedPeeringCommand {
    /// Say what `network peering create` would do
    Create {
        #[command(flatten)]
        create: Box<PeeringCreateArgs>,
        /// The form of the answer; with `wide` every route is listed
        #[arg(short, long, value_enum)]
        output: Option<Output>,
    },
}

/// A command that has only an answer.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The change, as `history` numbers it, after which things stood as they shall; before the last one if not given
    #[arg(value_name = "N")]
    pub(crate) to: Option<u64>,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

/// A time such as `90s`, `5m` or `1h`, at most a day.
fn within(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("give a number of s, m or h, such as 5m".to_owned()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "from one second to a day".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Files or directories; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required_unless_present = "plan", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// Apply what this plan was made of, and only if what it says is still what would happen
    #[arg(long, value_name = "TOKEN")]
    pub(crate) plan: Option<String>,
    /// Take it back after this time, such as 5m, unless `peerage confirm` comes before
    #[arg(long, value_name = "TIME", value_parser = within)]
    pub(crate) confirm_within: Option<Duration>,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

/// What `get` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resource {
    /// Networks, with their state
    #[value(alias = "network")]
    Networks,
    /// Peerings, with phase, state and reason
    #[value(alias = "peering")]
    Peerings,
    /// BGP neighbours, with their sessions
    #[value(alias = "neighbor")]
    Neighbors,
    /// VRFs, with their tables
    #[value(alias = "vrf")]
    Vrfs,
    /// Prefixes that two networks claim in one table
    #[value(alias = "conflict")]
    Conflicts,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// What to list
    #[arg(value_enum)]
    pub(crate) resource: Resource,
    /// The form of the listing; a plain table if not given
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The VRF
    #[arg(long, value_name = "VRF")]
    pub(crate) vrf: String,
    /// Only this prefix, with all its paths
    pub(crate) prefix: Option<IpNet>,
    /// Only leaked routes
    #[arg(long)]
    pub(crate) leaked: bool,
    /// The form of the listing; a plain table if not given
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The VRF in which the prefix is, or is missed
    #[arg(long, value_name = "VRF")]
    pub(crate) vrf: String,
    /// The prefix
    pub(crate) prefix: IpNet,
    /// The VRF that it should have come from
    #[arg(long, value_name = "VRF")]
    pub(crate) from: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    #[command(subcommand)]
    pub(crate) command: NetworkCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Create, list, describe and delete peerings between networks
    Peering {
        #[command(subcommand)]
        command: PeeringCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeeringCommand {
    /// Peer two networks, or a network with an external neighbour
    Create(Box<PeeringCreateArgs>),
    /// List the peerings
    List {
        #[command(flatten)]
        connection: Connection,
        /// The form of the listing; a plain table if not given
        #[arg(short, long, value_enum)]
        output: Option<Output>,
    },
    /// Show one peering
    Describe {
        #[command(flatten)]
        connection: Connection,
        /// The peering's name
        name: String,
        /// The form of the answer; YAML if not given
        #[arg(short, long, value_enum)]
        output: Option<Output>,
    },
    /// Accept the network that stands under the name now as the one an entry is peered with
    Accept {
        #[command(flatten)]
        connection: Connection,
        /// The entry, as `<namespace>/<network>/<entry>`
        name: String,
    },
    /// Delete a peering; its routes are withdrawn at once
    Delete {
        #[command(flatten)]
        connection: Connection,
        /// The peering's name
        name: String,
        /// Deleting what does not exist is no error
        #[arg(long)]
        ignore_not_found: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PeeringCreateArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The peering's name; made of the networks' if not given
    pub(crate) name: Option<String>,
    /// The network whose side this is
    #[arg(long = "network1", value_name = "ID")]
    pub(crate) network1: String,
    /// The network to peer with; left out for an external neighbour
    #[arg(long = "network2", value_name = "ID", required_unless_present = "remote_as")]
    pub(crate) network2: Option<String>,
    /// External neighbour: our AS number
    #[arg(long = "localAs", value_name = "ASN")]
    pub(crate) local_as: Option<u32>,
    /// External neighbour: our address and its length
    #[arg(long = "localCidr", value_name = "CIDR")]
    pub(crate) local_cidr: Option<String>,
    /// External neighbour: the port that the neighbour is on, as `<interface>@<switch>`
    #[arg(long = "localPort", value_name = "PORT")]
    pub(crate) local_port: Option<String>,
    /// External neighbour: its AS number
    #[arg(long = "remoteAs", value_name = "ASN")]
    pub(crate) remote_as: Option<u32>,
    /// External neighbour: its address and length
    #[arg(long = "remoteCidr", value_name = "CIDR")]
    pub(crate) remote_cidr: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// The form of the answer
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}
