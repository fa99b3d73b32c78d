//! What one session is told to be: plain data, compared by value, checked before use.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use bgp_wire::{AddPath, AfiSafi, FamilySet, GracefulRestart, Role};

/// The whole configuration of one session with one neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Our AS number (RFC 6793); above 65535 the OPEN's two-octet field carries AS_TRANS. Never 0 (RFC 7607).
    pub local_as: u32,
    /// Our BGP Identifier: any non-zero number that is unique within our AS (RFC 6286).
    pub router_id: Ipv4Addr,
    /// Which AS the neighbour must be in.
    pub remote_as: RemoteAs,
    /// Never connect, only accept (PassiveTcpEstablishment, RFC 4271 section 8.1.1).
    pub passive: bool,
    /// The hold time we offer, in whole seconds: 0 (no keepalives) or 3 to 65535. The smaller of both offers counts.
    pub hold_time: Duration,
    /// The longest time between two KEEPALIVEs we send; a third of the negotiated hold time if that is less, or if none is given.
    pub keepalive_time: Option<Duration>,
    /// How long one attempt to connect may take, and the wait between two (ConnectRetryTime); shortened by jitter.
    pub connect_retry: Duration,
    /// The first wait in Idle after a session failed (IdleHoldTime). It doubles with each failure in a row up to
    /// [`Config::MAX_IDLE_HOLD`] (DampPeerOscillations); shortened by jitter.
    pub idle_hold: Duration,
    /// How long to wait for the neighbour's OPEN before sending ours (DelayOpenTime); shortened by jitter.
    pub delay_open: Option<Duration>,
    /// When to give up on a neighbour that no longer takes what we send (RFC 9687).
    pub send_hold: SendHold,
    /// The address families we offer (RFC 4760). The neighbour's without the capability is IPv4 unicast alone.
    pub families: Vec<AfiSafi>,
    /// The other capabilities we offer (RFC 5492).
    pub capabilities: Capabilities,
    /// Seeds the jitter. The same seed and the same inputs give the same outputs. Sessions should differ in it.
    pub seed: u64,
}

impl Config {
    /// The longest wait in Idle to which failures in a row lead, unless [`Config::idle_hold`] itself is longer.
    pub const MAX_IDLE_HOLD: Duration = Duration::from_secs(120);

    /// A configuration with the defaults that the field documentation and RFC 4271 section 10 suggest: hold time 90 s,
    /// ConnectRetry 120 s, IdleHold 1 s, IPv4 unicast, and the capabilities that need no decision.
    pub fn new(local_as: u32, router_id: Ipv4Addr, remote_as: RemoteAs) -> Self {
        Self {
            local_as,
            router_id,
            remote_as,
            passive: false,
            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            connect_retry: Duration::from_secs(120),
            idle_hold: Duration::from_secs(1),
            delay_open: None,
            send_hold: SendHold::Standard,
            families: vec![AfiSafi::IPV4_UNICAST],
            capabilities: Capabilities::default(),
            seed: 0,
        }
    }

    /// Says what a session cannot run with, the first such thing.
    ///
    /// # Errors
    /// One [`ConfigError`] per rule named there.
    pub fn check(&self) -> Result<(), ConfigError> {
        let hold = self.hold_time;
        if self.local_as == 0 {
            Err(ConfigError::LocalAs)
        } else if self.remote_as == RemoteAs::Is(0) {
            Err(ConfigError::RemoteAs)
        } else if self.router_id.is_unspecified() {
            Err(ConfigError::RouterId)
        } else if hold.subsec_nanos() != 0 || matches!(hold.as_secs(), 1 | 2) || hold.as_secs() > 65535 {
            Err(ConfigError::HoldTime(hold))
        } else if self.keepalive_time.is_some_and(|t| t < Duration::from_secs(1)) {
            Err(ConfigError::KeepaliveTime)
        } else if self.connect_retry < Duration::from_secs(1) {
            Err(ConfigError::ConnectRetry)
        } else if self.idle_hold.is_zero() {
            Err(ConfigError::IdleHold)
        } else if self.families.is_empty() {
            Err(ConfigError::NoFamily)
        } else if let Some(family) = self.families.iter().find(|family| !FamilySet::UNICAST.contains(**family)) {
            Err(ConfigError::UnknownFamily(*family))
        } else {
            self.capabilities.check()
        }
    }
}

/// Which AS the neighbour's OPEN must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteAs {
    /// Exactly this one.
    Is(u32),
    /// Any but our own.
    External,
    /// Our own.
    Internal,
}

impl RemoteAs {
    /// Whether a neighbour in `remote` may peer with us in `local`.
    pub const fn admits(self, local: u32, remote: u32) -> bool {
        match self {
            Self::Is(asn) => remote == asn,
            Self::External => remote != local,
            Self::Internal => remote == local,
        }
    }
}

/// The send hold time of RFC 9687. With a negotiated hold time of 0 the timer never runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendHold {
    /// The RFC's default: eight minutes, or twice the negotiated hold time if that is longer.
    #[default]
    Standard,
    /// This long.
    After(Duration),
    /// Never give up.
    Off,
}

/// The capabilities we offer beside address families and four-octet AS numbers, which are always offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Route refresh (RFC 2918).
    pub route_refresh: bool,
    /// Enhanced route refresh (RFC 7313).
    pub enhanced_route_refresh: bool,
    /// Messages of up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// Families whose destinations may have an IPv6 next hop (RFC 8950); of use for IPv4 families.
    pub extended_next_hop: Vec<AfiSafi>,
    /// Several paths per destination (RFC 7911): in which families we receive, want to send them, or both.
    pub add_path: Vec<AddPath>,
    /// Our role towards an external neighbour (RFC 9234). Not offered to an internal one.
    pub role: Option<Role>,
    /// Our host name (the FQDN capability), at most 64 octets.
    pub hostname: Option<String>,
    /// Graceful restart (RFC 4724). Without families we only help the neighbour's.
    pub graceful_restart: Option<GracefulRestart>,
}

impl Default for Capabilities {
    /// Both route refreshes and extended messages; nothing that changes what routes mean.
    fn default() -> Self {
        Self {
            route_refresh: true,
            enhanced_route_refresh: true,
            extended_message: true,
            extended_next_hop: Vec::new(),
            add_path: Vec::new(),
            role: None,
            hostname: None,
            graceful_restart: None,
        }
    }
}

impl Capabilities {
    fn check(&self) -> Result<(), ConfigError> {
        if self.hostname.as_ref().is_some_and(|name| name.is_empty() || name.len() > 64) {
            return Err(ConfigError::Hostname);
        }
        if self.graceful_restart.as_ref().is_some_and(|gr| gr.restart_time > 4095) {
            return Err(ConfigError::RestartTime);
        }
        Ok(())
    }
}

/// Why [`Config::check`] refused a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The local AS is 0 (RFC 7607).
    LocalAs,
    /// The remote AS is 0 (RFC 7607).
    RemoteAs,
    /// The router id is 0.0.0.0 (RFC 6286).
    RouterId,
    /// The hold time is neither 0 nor 3 to 65535 whole seconds (RFC 4271 section 4.2).
    HoldTime(Duration),
    /// The keepalive time is under a second (RFC 4271 section 4.4).
    KeepaliveTime,
    /// The connect-retry time is under a second.
    ConnectRetry,
    /// The idle-hold time is zero: a neighbour that refuses would be asked again without a pause.
    IdleHold,
    /// No address family is given.
    NoFamily,
    /// Routes of this family cannot be read, so it cannot be offered.
    UnknownFamily(AfiSafi),
    /// The host name is empty or longer than 64 octets.
    Hostname,
    /// The restart time does not fit in 12 bits.
    RestartTime,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LocalAs => f.write_str("the local AS is 0; give the AS number of this speaker"),
            Self::RemoteAs => f.write_str("the remote AS is 0; give the neighbour's AS number"),
            Self::RouterId => f.write_str("the router id is 0.0.0.0; give an address that is unique in this AS"),
            Self::HoldTime(time) => write!(f, "the hold time is {time:?}; give 0 or 3 to 65535 whole seconds"),
            Self::KeepaliveTime => f.write_str("the keepalive time is under one second; give 1 or more"),
            Self::ConnectRetry => f.write_str("the connect-retry time is under one second; give 1 or more"),
            Self::IdleHold => f.write_str("the idle-hold time is zero; give more, such as one second"),
            Self::UnknownFamily(family) => {
                write!(f, "routes of {family} cannot be exchanged; give ipv4-unicast or ipv6-unicast")
            }
            Self::NoFamily => f.write_str("no address family is given; give at least one, such as ipv4-unicast"),
            Self::Hostname => f.write_str("the host name is empty or over 64 octets; shorten it or leave it out"),
            Self::RestartTime => f.write_str("the restart time is over 4095 seconds; give less"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_no_session_can_run_with_is_refused_with_the_rule_it_breaks() {
        let good = Config::new(65001, Ipv4Addr::new(10, 0, 0, 1), RemoteAs::External);
        assert_eq!(good.check(), Ok(()));
        let evpn = AfiSafi::new(25, 70);
        type Break = fn(&mut Config);
        let broken: [(Break, ConfigError); 14] = [
            (|c| c.local_as = 0, ConfigError::LocalAs),
            (|c| c.remote_as = RemoteAs::Is(0), ConfigError::RemoteAs),
            (|c| c.router_id = Ipv4Addr::UNSPECIFIED, ConfigError::RouterId),
            (|c| c.hold_time = Duration::from_secs(2), ConfigError::HoldTime(Duration::from_secs(2))),
            (|c| c.hold_time = Duration::from_millis(9500), ConfigError::HoldTime(Duration::from_millis(9500))),
            (|c| c.hold_time = Duration::from_secs(65536), ConfigError::HoldTime(Duration::from_secs(65536))),
            (|c| c.keepalive_time = Some(Duration::from_millis(999)), ConfigError::KeepaliveTime),
            (|c| c.connect_retry = Duration::ZERO, ConfigError::ConnectRetry),
            (|c| c.idle_hold = Duration::ZERO, ConfigError::IdleHold),
            (|c| c.families.clear(), ConfigError::NoFamily),
            (|c| c.families.push(AfiSafi::new(25, 70)), ConfigError::UnknownFamily(evpn)),
            (|c| c.capabilities.hostname = Some(String::new()), ConfigError::Hostname),
            (|c| c.capabilities.hostname = Some("x".repeat(65)), ConfigError::Hostname),
            (
                |c| {
                    c.capabilities.graceful_restart = Some(GracefulRestart { restart_time: 4096, ..Default::default() })
                },
                ConfigError::RestartTime,
            ),
        ];
        for (breaks, error) in broken {
            let mut config = good.clone();
            breaks(&mut config);
            assert_eq!(config.check(), Err(error));
        }
    }
}
