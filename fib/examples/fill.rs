//! Measures how fast routes go into the kernel: adds, compares, replaces and removes them.
//!
//! In a network namespace of its own, so that nothing else is touched:
//!
//! ```text
//! cargo build --release -p peerage-fib --example fill
//! unshare -rn sh -c 'ip link add left type veth peer name right; ip link set left up; ip link set right up;
//!     target/release/examples/fill left 100000'
//! ```

use std::{
    env,
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Instant,
};

use fib::{Hop, Netlink, Reconciler, Route, linux::Snapshot};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const TABLE: u32 = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let (Some(interface), Some(count)) = (words.next(), words.next()) else {
        return Err("usage: fill INTERFACE COUNT".into());
    };
    let count: u32 = count.parse()?;
    let snapshot = Snapshot::take()?;
    let link = snapshot.link_named(&interface).ok_or_else(|| format!("no interface {interface}"))?;
    let gateway = |last: u16| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last));
    let one = Hop::via(gateway(1), link.index).onlink();
    let other = Hop::via(gateway(2), link.index).onlink();
    for (family, prefix) in [("IPv4", v4 as fn(u32) -> IpNet), ("IPv6", v6)] {
        let mut fib = Reconciler::new(Netlink::open()?);
        let wanted = |hop: Hop| (0..count).map(move |i| Route::unicast(TABLE, prefix(i), hop));
        fib.compare()?;
        fib.converged();
        measure(&mut fib, family, "add", |fib| wanted(one).for_each(|route| fib.want(route)))?;
        let start = Instant::now();
        let found = fib.compare()?;
        report(family, "compare", found.standing, start);
        measure(&mut fib, family, "replace", |fib| wanted(other).for_each(|route| fib.want(route)))?;
        measure(&mut fib, family, "remove", |fib| fib.want_exactly([]))?;
    }
    Ok(())
}

fn measure(
    fib: &mut Reconciler<Netlink>,
    family: &str,
    what: &str,
    wish: impl FnOnce(&mut Reconciler<Netlink>),
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    wish(fib);
    let acknowledgements = fib.flush(usize::MAX)?;
    report(family, what, acknowledgements.len(), start);
    for acknowledgement in acknowledgements {
        acknowledgement.result?;
    }
    Ok(())
}

fn report(family: &str, what: &str, count: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{family} {what}: {count} routes in {seconds:.2} s, {:.0}/s", count as f64 / seconds);
}

/// The `i`th /24, from 11.0.0.0 on.
fn v4(i: u32) -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::from_bits(0x0b00_0000 + (i << 8)), 24).into()
}

/// The `i`th /48, from 2001:db8:: on.
fn v6(i: u32) -> IpNet {
    let [a, b] = [(i >> 16) as u16, i as u16];
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0x0db8 + a, b, 0, 0, 0, 0, 0), 48).into()
}
