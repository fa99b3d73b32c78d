//! `peerage decode`: BGP messages and routes out of whatever they are kept in, as text.
//!
//! Given JSON lines, octets in hexadecimal, MRT files or captured packets, it writes what they say to standard output: for people, as
//! JSON lines, or as `bgpdump -m` does. What was there and what could not be read is summed up on standard error. It never opens a
//! socket.

mod bgpdump;
mod capture;
mod cases;
mod families;
mod filter;
mod hexadecimal;
mod json;
mod messages;
mod mrt;
mod pretty;
mod routes;
mod show;
mod sighting;
mod tally;
mod tcp;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};
use ipnet::IpNet;

use filter::Filter;
use show::Show;

/// The arguments of `peerage decode`. Without any, it answers JSON lines.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("input").multiple(false)))]
pub(crate) struct DecodeArgs {
    /// BGP messages in hexadecimal: these, or what standard input has; blanks, line feeds, colons and `0x` are passed over
    #[arg(long, value_name = "HEX", num_args = 0.., group = "input")]
    hex: Option<Vec<String>>,
    /// MRT files (RFC 6396), plain or packed with gzip or bzip2; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., group = "input")]
    mrt: Option<Vec<PathBuf>>,
    /// Captured packets, pcap or pcapng, plain or packed: the BGP sessions of TCP port 179 in them; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., group = "input")]
    pcap: Option<Vec<PathBuf>>,
    /// The form of the output; for people if not given
    #[arg(short, long, value_enum, requires = "input")]
    output: Option<Form>,
    /// Only routes to this prefix
    #[arg(long, value_name = "PREFIX", requires = "input")]
    prefix: Vec<IpNet>,
    /// Only routes to this prefix or one within it
    #[arg(long, value_name = "PREFIX", requires = "input")]
    longer: Vec<IpNet>,
    /// Only routes to this prefix or one around it
    #[arg(long, value_name = "PREFIX", requires = "input")]
    covering: Vec<IpNet>,
    /// Only what comes from a peer in this AS
    #[arg(long, value_name = "ASN", requires = "input", value_parser = asn)]
    peer_as: Vec<u32>,
    /// Only routes that this AS originates
    #[arg(long, value_name = "ASN", requires = "input", value_parser = asn)]
    origin_as: Vec<u32>,
    /// Only routes with this AS in their path
    #[arg(long = "as", value_name = "ASN", requires = "input", value_parser = asn)]
    in_path: Vec<u32>,
    /// AS numbers have two octets, where no OPEN says how many
    #[arg(long, requires = "input", conflicts_with = "mrt")]
    as2: bool,
    /// Routes have path identifiers, where no OPEN says whether (RFC 7911)
    #[arg(long, requires = "input", conflicts_with = "mrt")]
    add_path: bool,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Some lines for each message or route, for people
    Pretty,
    /// One JSON document per line
    Json,
    /// One line per route, as `bgpdump -m` writes them
    Bgpdump,
}

/// How messages are to be read where nothing else says so.
#[derive(Debug, Clone, Copy)]
struct Assumed {
    as4: bool,
    add_path: bool,
}

fn asn(text: &str) -> Result<u32, String> {
    bgp_wire::parse_asn(text).map_err(|error| error.to_string())
}

/// Decodes. The exit code tells whether all of the input could be read; what it means is another matter.
///
/// # Errors
/// Standard output cannot be written, or standard input not be read as JSON lines.
pub(crate) fn run(args: DecodeArgs) -> io::Result<ExitCode> {
    let filter = Filter {
        exact: args.prefix,
        longer: args.longer,
        covering: args.covering,
        peer_as: args.peer_as,
        origin_as: args.origin_as,
        in_path: args.in_path,
    };
    let assumed = Assumed { as4: !args.as2, add_path: args.add_path };
    let mut show = Show::new(args.output.unwrap_or(Form::Pretty), filter);
    let whole = if let Some(texts) = args.hex {
        hexadecimal::run(&texts, assumed, &mut show)
    } else if let Some(files) = args.mrt {
        each(&files, &mut show, mrt::run)
    } else if let Some(files) = args.pcap {
        each(&files, &mut show, |file, show| capture::run(file, assumed, show))
    } else {
        return cases::run().map(|()| ExitCode::SUCCESS);
    };
    match whole.and_then(|whole| show.flush().map(|()| whole)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        // A reader that has gone away, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Decodes file after file, each with its sum; whether all could be read.
fn each(
    files: &[PathBuf],
    show: &mut Show,
    decode: impl Fn(Box<dyn Read + Send>, &mut Show) -> io::Result<()>,
) -> io::Result<bool> {
    let mut whole = true;
    for path in files {
        let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
        show.start(&name);
        match open(path) {
            Ok(file) => decode(file, show)?,
            Err(error) => show.unreadable(&error.to_string()),
        }
        whole &= show.finish()?;
    }
    Ok(whole)
}

fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs.iter().map(|&[high, low]| Some((digit(high)? << 4 | digit(low)?) as u8)).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
