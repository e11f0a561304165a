use std::collections::HashSet;

use jid::Jid;

use crate::presence::NS_BLOCKING;
use crate::xml::Element;

/// Which servers let us read what of their people.
#[derive(Debug)]
pub struct Grants {
    rosters: HashSet<String>,
    blocklists: HashSet<String>,
    /// Domains of each.
    most: usize,
}

/// What an announcement came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Something else is granted than before.
    pub changed: bool,
    /// Something is not remembered, since too many servers grant it.
    pub is_full: bool,
}

/// What servers let us do for their own people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The domains of those that let us read rosters, in order.
    pub rosters: Vec<String>,
    /// The domains of those that let us read whom people have blocked, in order.
    pub blocklists: Vec<String>,
}

impl Grants {
    /// None yet, and of no more domains than these.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            rosters: HashSet::new(),
            blocklists: HashSet::new(),
            most,
        }
    }

    /// Whether the rosters of the people of this domain can be read.
    #[must_use]
    pub fn reads_rosters(&self, domain: &str) -> bool {
        self.rosters.contains(domain)
    }

    /// Whether it can be read whom the people of this domain have blocked.
    #[must_use]
    pub fn reads_blocklists(&self, domain: &str) -> bool {
        self.blocklists.contains(domain)
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> Privileges {
        let sorted = |domains: &HashSet<String>| {
            let mut domains: Vec<_> = domains.iter().cloned().collect();
            domains.sort_unstable();
            domains
        };
        Privileges {
            rosters: sorted(&self.rosters),
            blocklists: sorted(&self.blocklists),
        }
    }

    /// A message to the service may tell what the sender lets us do (XEP-0356 §4.1). Only a server
    /// can, and only for its own people.
    pub fn announced(&mut self, from: &Jid, message: Element<'_>) -> Announced {
        let mut outcome = Announced::default();
        if from.node().is_some() || from.resource().is_some() {
            return outcome;
        }
        let domain = from.domain().as_str();
        for privilege in NS.iter().filter_map(|ns| message.child("privilege", ns)) {
            for (is_granted, domains) in [
                (reads_rosters(privilege), &mut self.rosters),
                (reads_blocklists(privilege), &mut self.blocklists),
            ] {
                if !is_granted {
                    outcome.changed |= domains.remove(domain);
                } else if domains.len() < self.most {
                    outcome.changed |= domains.insert(domain.to_owned());
                } else {
                    outcome.is_full |= !domains.contains(domain);
                }
            }
        }
        outcome
    }
}

fn reads_rosters(privilege: Element<'_>) -> bool {
    privilege.children().any(|perm| {
        perm.attr("access") == Some("roster") && matches!(perm.attr("type"), Some("get" | "both"))
    })
}

/// §6.2; the first version of the XEP has none.
fn reads_blocklists(privilege: Element<'_>) -> bool {
    let is_it = |granted: Element<'_>| {
        granted.attr("ns") == Some(NS_BLOCKING)
            && matches!(granted.attr("type"), Some("get" | "both"))
    };
    let mut perms = privilege.children();
    perms.any(|perm| perm.attr("access") == Some("iq") && perm.children().any(is_it))
}

/// XEP-0356 in the version of ejabberd 23 and in today's.
const NS: [&str; 2] = ["urn:xmpp:privilege:1", "urn:xmpp:privilege:2"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn announce(grants: &mut Grants, from: &str, ns: &str, perms: &str) -> Announced {
        let message = format!("<message><privilege xmlns='{ns}'>{perms}</privilege></message>");
        let message = Document::parse(message.as_bytes(), "", &Limits::default()).unwrap();
        grants.announced(&Jid::new(from).unwrap(), message.root())
    }

    const ROSTER: &str = "<perm access='roster' type='both'/>";
    const BLOCKS: &str = "<perm access='iq'><namespace ns='urn:xmpp:blocking' type='get'/></perm>";

    #[test]
    fn either_namespace_grants_and_takes_back() {
        for ns in NS {
            let mut grants = Grants::new(10);
            assert!(announce(&mut grants, "a.example", ns, ROSTER).changed);
            assert!(!announce(&mut grants, "a.example", ns, ROSTER).changed);
            assert!(grants.reads_rosters("a.example") && !grants.reads_blocklists("a.example"));
            assert!(!grants.reads_rosters("b.example"));
            assert!(announce(&mut grants, "a.example", ns, BLOCKS).changed);
            assert!(!grants.reads_rosters("a.example") && grants.reads_blocklists("a.example"));
            assert_eq!(grants.list().blocklists, ["a.example"]);
        }
    }

    #[test]
    fn nobody_but_a_server_grants_anything() {
        let mut grants = Grants::new(10);
        for from in ["mallory@a.example", "mallory@a.example/x", "a.example/x"] {
            assert_eq!(
                announce(&mut grants, from, NS[1], ROSTER),
                Announced::default()
            );
        }
        assert_eq!(
            announce(&mut grants, "a.example", "urn:xmpp:privilege:9", ROSTER),
            Announced::default()
        );
        assert_eq!(grants.list(), Privileges::default());
    }

    #[test]
    fn domains_are_bounded() {
        let mut grants = Grants::new(1);
        assert!(announce(&mut grants, "a.example", NS[0], ROSTER).changed);
        assert!(announce(&mut grants, "b.example", NS[0], ROSTER).is_full);
        assert!(!announce(&mut grants, "a.example", NS[0], ROSTER).is_full);
        assert!(!grants.reads_rosters("b.example"));
    }
}
