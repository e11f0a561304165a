use jid::BareJid;
use serde::Deserialize;

use crate::credentials::extdisco::Service;
use crate::{call, presence, xml};

/// What the gateway is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The component's own domain, `[component] jid`.
    pub service: BareJid,
    /// `[call]`.
    pub call: call::Config,
    /// `[access]`.
    pub access: presence::Config,
    /// `[limits]`.
    pub limits: Limits,
    /// The STUN and TURN servers that people are told of.
    pub ice: Vec<Service>,
    /// How long TURN credentials are good for, in seconds.
    pub credential_ttl: u64,
    /// Domains whose people get TURN credentials, beside the component's parent domain.
    pub credential_domains: Vec<String>,
    /// Whether the steps of calls are told ([`Gateway::poll_record`](super::Gateway::poll_record)).
    pub journal: bool,
}

/// `[limits]`: a bound for everything that a peer can make grow.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one stanza.
    pub stanza_bytes: usize,
    /// Levels of nesting of one stanza.
    pub xml_depth: usize,
    /// Attributes of one element.
    pub xml_attributes: usize,
    /// Open calls of one person.
    pub calls_per_person: u32,
    /// Open calls in all.
    pub calls: usize,
    /// Calls that one person may begin within a minute.
    pub attempts_per_minute: u32,
    /// Candidates of one leg.
    pub candidates: usize,
    /// Devices of one person.
    pub devices_per_person: usize,
    /// People of whom something is known.
    pub people: usize,
    /// People who may see one person through the gateway.
    pub watchers_per_person: usize,
    /// Rosters held at once, where servers let us read them.
    pub rosters: usize,
    /// Lists of the blocked held at once, where servers let us read them.
    pub blocklists: usize,
    /// People who have opened themselves to everybody.
    pub opened: usize,
    /// Stanzas that wait for a roster or a list of the blocked.
    pub parked_stanzas: usize,
    /// Those of them that wait for what one person's server says.
    pub parked_stanzas_per_person: usize,
    /// Domains whose servers may grant us something (XEP-0356).
    pub privileged_domains: usize,
    /// TURN user names that are remembered of one app, to close its allocations with its last call.
    pub usernames_per_device: usize,
    /// Requests of ours that wait for a reply.
    pub pending_iqs: usize,
    /// Stanzas that wait for the link.
    pub queued_stanzas: usize,
    /// Verified caps of others, kept over a restart.
    pub caps: usize,
    /// People on one list of those who can be called.
    pub peers: usize,
    /// Devices that watch such a list.
    pub watches: usize,
    /// Test calls at a time; with 0 there is no `echo@`.
    pub echo_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (xml, call) = (xml::Limits::default(), call::Limits::default());
        let people = presence::Limits::default();
        Self {
            stanza_bytes: xml.stanza_bytes,
            xml_depth: xml.depth,
            xml_attributes: xml.attributes,
            calls_per_person: call.calls_per_person,
            calls: call.calls,
            attempts_per_minute: call.attempts_per_minute,
            candidates: call.candidates,
            devices_per_person: people.devices_per_person,
            people: people.people,
            watchers_per_person: people.watchers_per_person,
            rosters: people.rosters,
            blocklists: people.blocklists,
            opened: people.opened,
            parked_stanzas: 5_000,
            parked_stanzas_per_person: 100,
            privileged_domains: 1_000,
            usernames_per_device: 4,
            pending_iqs: 100_000,
            queued_stanzas: 100_000,
            caps: 10_000,
            peers: 5_000,
            watches: 100_000,
            echo_calls: 16,
        }
    }
}

impl Limits {
    /// The bounds of one stanza.
    #[must_use]
    pub fn xml(&self) -> xml::Limits {
        xml::Limits {
            stanza_bytes: self.stanza_bytes,
            depth: self.xml_depth,
            attributes: self.xml_attributes,
        }
    }

    /// The bounds of what is remembered of people.
    #[must_use]
    pub fn presence(&self) -> presence::Limits {
        presence::Limits {
            people: self.people,
            watchers_per_person: self.watchers_per_person,
            devices_per_person: self.devices_per_person,
            rosters: self.rosters,
            blocklists: self.blocklists,
            opened: self.opened,
        }
    }

    /// The bounds of calls.
    #[must_use]
    pub fn call(&self) -> call::Limits {
        call::Limits {
            calls_per_person: self.calls_per_person,
            calls: self.calls,
            attempts_per_minute: self.attempts_per_minute,
            candidates: self.candidates,
        }
    }
}

impl Config {
    /// The defaults for a component of this name.
    #[must_use]
    pub fn new(service: BareJid) -> Self {
        Self {
            service,
            call: call::Config::default(),
            access: presence::Config::default(),
            limits: Limits::default(),
            ice: Vec::new(),
            credential_ttl: 43_200,
            credential_domains: Vec::new(),
            journal: false,
        }
    }

    /// Whether people of this domain get TURN credentials: those of the component's parent domain,
    /// and of the domains that are named.
    pub(super) fn grants_credentials(&self, domain: &str) -> bool {
        let parent = self
            .service
            .domain()
            .as_str()
            .split_once('.')
            .map(|(_, parent)| parent);
        parent == Some(domain) || self.credential_domains.iter().any(|named| named == domain)
    }
}
