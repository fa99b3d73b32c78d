//! Other projects' BGP daemons as peers, each started with a configuration written for the test.
//!
//! Every daemon here has one or two neighbours, an IPv4 and an IPv6 session with one remote host,
//! announces the networks it is given, accepts everything, and puts what it learns into its host's
//! kernel where it can (BIRD, FRR and OpenBGPD do).

use std::collections::BTreeSet;

use super::rig::{Daemon, Host, need, run, shown, until};

/// One side's view of the two sessions between a daemon and the speaker under test.
#[derive(Clone)]
pub struct Sessions {
    /// The daemon's AS number.
    pub local_as: u32,
    /// The speaker's AS number.
    pub remote_as: u32,
    /// The daemon's BGP identifier.
    pub router_id: &'static str,
    /// The daemon's IPv4 address, then the speaker's.
    pub ipv4: (&'static str, &'static str),
    /// The daemon's IPv6 address, then the speaker's, where there is a second session.
    pub ipv6: Option<(&'static str, &'static str)>,
    /// What it announces over IPv4.
    pub announce4: Vec<String>,
    /// What it announces over IPv6.
    pub announce6: Vec<String>,
    /// The hold time that it offers, in seconds.
    pub hold: u32,
}

/// A running peer.
pub trait Peer {
    /// Prefixes of a family that it has from the speaker.
    fn learned(&self, ipv6: bool) -> BTreeSet<String>;
    /// Asks the speaker for everything of IPv4 again (ROUTE-REFRESH); false where the daemon has no way to.
    fn refresh(&self) -> bool;
    /// How many UPDATEs, or routes in them, the IPv4 session has brought so far.
    fn received(&self) -> u64;
    /// The program that speaks BGP.
    fn daemon(&mut self) -> &mut Daemon;
    /// What it shows of itself, for a failure's message.
    fn state(&self) -> String;
}

/// Starts one of the daemons by its project's name.
pub fn start(kind: &str, host: &Host, sessions: &Sessions) -> Box<dyn Peer> {
    match kind {
        "bird" => Box::new(Bird::start(host, sessions)),
        "frr" => Box::new(Frr::start(host, sessions)),
        "gobgp" => Box::new(Gobgp::start(host, sessions)),
        other => panic!("no peer of the kind {other}"),
    }
}

/// BIRD 2.
pub struct Bird {
    host: Host,
    daemon: Daemon,
    socket: String,
    ipv4_remote: &'static str,
}

impl Bird {
    /// Starts it and waits until its control socket answers.
    pub fn start(host: &Host, s: &Sessions) -> Self {
        need("/usr/sbin/bird", "bird2");
        let routes = |prefixes: &[String]| -> String {
            prefixes.iter().map(|prefix| format!("  route {prefix} blackhole;\n")).collect()
        };
        let mut text = format!(
            "router id {};\nprotocol device {{}}\n\
             protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}\n\
             protocol kernel {{ ipv6 {{ import none; export where source = RTS_BGP; }}; }}\n\
             protocol static own4 {{ ipv4;\n{}}}\nprotocol static own6 {{ ipv6;\n{}}}\n",
            s.router_id,
            routes(&s.announce4),
            routes(&s.announce6)
        );
        let mut session = |name: &str, family: &str, (local, remote): (&str, &str)| {
            text += &format!(
                "protocol bgp {name} {{ local {local} as {}; neighbor {remote} as {}; hold time {}; \
                 connect retry time 1; connect delay time 1; error wait time 1,2; \
                 {family} {{ import all; export where source = RTS_STATIC; }}; }}\n",
                s.local_as, s.remote_as, s.hold
            );
        };
        session("leaf4", "ipv4", s.ipv4);
        if let Some(addresses) = s.ipv6 {
            session("leaf6", "ipv6", addresses);
        }
        let config = host.file("bird.conf", &text);
        let socket = host.folder.join("bird.ctl").display().to_string();
        let daemon = host.start("bird", "/usr/sbin/bird", &["-f", "-c", &config, "-s", &socket]);
        let bird = Self { host: host.clone(), daemon, socket, ipv4_remote: s.ipv4.1 };
        until("BIRD answers", || bird.query("show status").contains("Daemon is up"), || bird.daemon.log());
        bird
    }

    fn query(&self, command: &str) -> String {
        shown(&self.host.try_run("birdc", &["-s", &self.socket, command]))
    }
}

impl Peer for Bird {
    fn learned(&self, ipv6: bool) -> BTreeSet<String> {
        let session = if ipv6 { "leaf6" } else { "leaf4" };
        let text = self.query(&format!("show route protocol {session}"));
        text.lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    fn refresh(&self) -> bool {
        self.query("reload in leaf4");
        true
    }

    fn received(&self) -> u64 {
        let text = self.query("show protocols all leaf4");
        let line = text.lines().find(|line| line.contains("Import updates:")).unwrap_or_default();
        line.split_whitespace().nth(2).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    fn state(&self) -> String {
        format!("{} with {}\n{}", self.query("show protocols all"), self.ipv4_remote, self.daemon.log())
    }
}

/// FRR's bgpd with its zebra.
pub struct Frr {
    host: Host,
    bgpd: Daemon,
    _zebra: Daemon,
    folder: String,
}

impl Frr {
    /// Starts both and waits until bgpd answers.
    pub fn start(host: &Host, s: &Sessions) -> Self {
        let mut text = format!(
            "hostname {}\nrouter bgp {}\n bgp router-id {}\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
             no bgp default ipv4-unicast\n timers bgp {} {}\n",
            host.name,
            s.local_as,
            s.router_id,
            (s.hold / 3).max(1),
            s.hold
        );
        let mut families = String::new();
        let mut session = |family: &str, remote: &str, announce: &[String]| {
            text += &format!(" neighbor {remote} remote-as {}\n neighbor {remote} timers connect 1\n", s.remote_as);
            families += &format!(" address-family {family} unicast\n  neighbor {remote} activate\n");
            families += &announce.iter().map(|prefix| format!("  network {prefix}\n")).collect::<String>();
            families += " exit-address-family\n";
        };
        session("ipv4", s.ipv4.1, &s.announce4);
        if let Some((_, remote)) = s.ipv6 {
            session("ipv6", remote, &s.announce6);
        }
        Self::configured(host, &format!("{text}{families}"))
    }

    /// As [`Frr::start`], with the text of a configuration.
    pub fn configured(host: &Host, text: &str) -> Self {
        need("/usr/lib/frr/bgpd", "frr");
        // zebra wants its user in the group `frrvty`, and only the group 0 exists in these namespaces.
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        let others = groups.lines().filter(|line| !line.starts_with("frrvty:")).map(|line| format!("{line}\n"));
        let file = host.file("group", &others.chain(["frrvty:x:0:root\n".to_owned()]).collect::<String>());
        run("mount", &["--bind", &file, "/etc/group"]);
        let config = host.file("bgpd.conf", text);
        let empty = host.file("zebra.conf", "");
        let folder = host.folder.display().to_string();
        let common = ["-u", "root", "-g", "root", "--vty_socket", &folder];
        let api = format!("{folder}/zserv.api");
        let zebra_pid = format!("{folder}/zebra.pid");
        let mut arguments = vec!["-f", &empty, "-i", &zebra_pid, "-z", &api];
        arguments.extend(common);
        let zebra = host.start("zebra", "/usr/lib/frr/zebra", &arguments);
        until("zebra listens", || std::path::Path::new(&api).exists(), || zebra.log());
        let bgpd_pid = format!("{folder}/bgpd.pid");
        let mut arguments = vec!["-S", "-f", &config, "-i", &bgpd_pid, "-z", &api];
        arguments.extend(common);
        let bgpd = host.start("bgpd", "/usr/lib/frr/bgpd", &arguments);
        let frr = Self { host: host.clone(), bgpd, _zebra: zebra, folder };
        until("bgpd answers", || frr.query("show version").contains("FRRouting"), || frr.bgpd.log());
        frr
    }

    /// What it answers to a command.
    pub fn query(&self, command: &str) -> String {
        let output = self.host.try_run("vtysh", &["--vty_socket", &self.folder, "-d", "bgpd", "-c", command]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn json(&self, command: &str) -> serde_json::Value {
        let text = self.query(command);
        let start = text.find('{').unwrap_or(text.len());
        serde_json::from_str(&text[start..]).unwrap_or_default()
    }
}

impl Peer for Frr {
    fn learned(&self, ipv6: bool) -> BTreeSet<String> {
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        let table = self.json(&format!("show bgp {family} unicast json"));
        let routes = table["routes"].as_object().cloned().unwrap_or_default();
        let from_peer = |paths: &serde_json::Value| {
            paths.as_array().is_some_and(|paths| paths.iter().any(|path| path["peerId"] != "(unspec)"))
        };
        routes.iter().filter(|(_, paths)| from_peer(paths)).map(|(prefix, _)| prefix.clone()).collect()
    }

    fn refresh(&self) -> bool {
        self.query("clear bgp ipv4 unicast * in");
        true
    }

    fn received(&self) -> u64 {
        let neighbors = self.json("show bgp neighbors json");
        let of = |neighbor: &serde_json::Value| neighbor["messageStats"]["updatesRecv"].as_u64().unwrap_or(0);
        neighbors.as_object().cloned().unwrap_or_default().values().map(of).sum()
    }

    fn daemon(&mut self) -> &mut Daemon {
        &mut self.bgpd
    }

    fn state(&self) -> String {
        format!("{}\n{}", self.query("show bgp summary"), self.bgpd.log())
    }
}

/// GoBGP; it has no kernel routes of its own.
pub struct Gobgp {
    host: Host,
    daemon: Daemon,
    remotes: (&'static str, Option<&'static str>),
}

impl Gobgp {
    /// Starts it, waits until it answers, and announces its networks.
    pub fn start(host: &Host, s: &Sessions) -> Self {
        need("/usr/bin/gobgpd", "gobgpd");
        let mut text = format!("[global.config]\nas = {}\nrouter-id = \"{}\"\n", s.local_as, s.router_id);
        let mut session = |family: &str, (local, remote): (&str, &str)| {
            text += &format!(
                "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{remote}\"\npeer-as = {}\n\
                 [neighbors.transport.config]\nlocal-address = \"{local}\"\n\
                 [neighbors.timers.config]\nhold-time = {}\nkeepalive-interval = {}\nconnect-retry = 1\nidle-hold-time-after-reset = 1\n\
                 [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n",
                s.remote_as,
                s.hold,
                (s.hold / 3).max(1)
            );
        };
        session("ipv4-unicast", s.ipv4);
        if let Some(addresses) = s.ipv6 {
            session("ipv6-unicast", addresses);
        }
        let config = host.file("gobgpd.toml", &text);
        let daemon = host.start("gobgpd", "/usr/bin/gobgpd", &["-f", &config, "--pprof-disable"]);
        let gobgp = Self { host: host.clone(), daemon, remotes: (s.ipv4.1, s.ipv6.map(|pair| pair.1)) };
        until("gobgpd answers", || gobgp.query(&["global"]).contains("AS:"), || gobgp.daemon.log());
        for (family, prefixes) in [("ipv4", &s.announce4), ("ipv6", &s.announce6)] {
            for prefix in prefixes {
                gobgp.query(&["global", "rib", "add", prefix, "-a", family]);
            }
        }
        gobgp
    }

    fn query(&self, arguments: &[&str]) -> String {
        shown(&self.host.try_run("gobgp", arguments))
    }
}

impl Peer for Gobgp {
    fn learned(&self, ipv6: bool) -> BTreeSet<String> {
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        let remote = if ipv6 { self.remotes.1.unwrap_or("::") } else { self.remotes.0 };
        let text = self.query(&["neighbor", remote, "adj-in", "-a", family, "-j"]);
        let table: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let routes = table.as_object().cloned().unwrap_or_default();
        routes.keys().filter(|key| key.contains('/')).cloned().collect()
    }

    fn refresh(&self) -> bool {
        // It keeps all it received and applies its policy to that again; it answers requests, and sends none.
        false
    }

    fn received(&self) -> u64 {
        let neighbor: serde_json::Value =
            serde_json::from_str(&self.query(&["neighbor", self.remotes.0, "-j"])).unwrap_or_default();
        let state = if neighbor.is_array() { neighbor[0]["state"].clone() } else { neighbor["state"].clone() };
        state["messages"]["received"]["update"].as_u64().unwrap_or(0)
    }

    fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    fn state(&self) -> String {
        format!("{}\n{}", self.query(&["neighbor"]), self.daemon.log())
    }
}
