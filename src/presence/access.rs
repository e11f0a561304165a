use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use jid::{BareJid, Jid};
use serde::Deserialize;

use super::Limits;
use crate::xml::Element;

/// `[access]`: who may see and call whom.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The rule where no domain has one of its own.
    pub mode: Mode,
    /// People whom everybody may call, guests of an anonymous host among them.
    pub guests: Vec<BareJid>,
    /// Who may use the commands for admins (XEP-0133).
    pub admins: Vec<BareJid>,
    /// Seconds for which a yes by a person's roster is good, and what was read of those whom she
    /// has blocked.
    pub roster_age: u64,
    /// Domains of anonymous hosts (XEP-0175): their people are guests, and reach only those whom
    /// everybody may call, and those who sent them their presence.
    pub guest_domains: Vec<String>,
    /// The rule for the people of one domain.
    pub domains: BTreeMap<String, Mode>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            guests: Vec::new(),
            admins: Vec::new(),
            roster_age: 60,
            guest_domains: Vec::new(),
            domains: BTreeMap::new(),
        }
    }
}

impl Config {
    /// For how long what was read of a person at her server is good.
    #[must_use]
    pub fn roster_age(&self) -> Duration {
        Duration::from_secs(self.roster_age)
    }
}

/// Who may call a person.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Those to whom she sends her presence.
    #[default]
    Contacts,
    /// Those and all of her own domain.
    Domain,
    /// Everybody.
    Anyone,
}

/// Whether an asker may see and call a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No; he learns nothing.
    Refused,
    /// Her roster decides, and is not known yet.
    AskRoster,
}

/// Decides who may see and call whom, with rosters where the server lets us read them
/// (XEP-0356).
#[derive(Debug)]
pub struct Access {
    config: Config,
    limits: Limits,
    /// Those who have opened themselves to everybody.
    opened: HashSet<BareJid>,
    rosters: HashMap<BareJid, Roster>,
}

/// Those to whom a person sends her presence: subscription `from` or `both` (RFC 6121 §2.1.2.5).
#[derive(Debug)]
struct Roster {
    subscribers: HashSet<BareJid>,
    read: Instant,
}

impl Access {
    /// Access by this configuration.
    #[must_use]
    pub fn new(config: Config, limits: Limits) -> Self {
        Self {
            config,
            limits,
            opened: HashSet::new(),
            rosters: HashMap::new(),
        }
    }

    /// Whether `asker` may see and call `person`. `is_watcher`: she sends presence to his gateway
    /// address. `rosters_readable`: the server granted us rosters.
    #[must_use]
    pub fn decide(
        &self,
        now: Instant,
        asker: &BareJid,
        person: &BareJid,
        is_watcher: bool,
        rosters_readable: bool,
    ) -> Decision {
        if asker == person || is_watcher || self.is_open(asker, person) {
            return Decision::Allowed;
        }
        self.is_contact(now, asker, person, false, rosters_readable)
    }

    /// Whether a rule opens `person` to `asker`, whatever her roster says.
    #[must_use]
    pub fn is_open(&self, asker: &BareJid, person: &BareJid) -> bool {
        if self.config.guests.contains(person) || self.opened.contains(person) {
            return true;
        }
        if self.is_guest(asker) {
            return false;
        }
        let domain = person.domain().as_str();
        let mode = self.config.domains.get(domain).unwrap_or(&self.config.mode);
        *mode == Mode::Anyone || (*mode == Mode::Domain && asker.domain() == person.domain())
    }

    /// Whether somebody is of a host that lets in everybody without an account.
    #[must_use]
    pub fn is_guest(&self, asker: &BareJid) -> bool {
        let domain = asker.domain().as_str();
        self.config
            .guest_domains
            .iter()
            .any(|named| named == domain)
    }

    /// A person opens herself to everybody. False if she was, or too many are.
    pub fn open(&mut self, person: BareJid) -> bool {
        self.opened.len() < self.limits.opened && self.opened.insert(person)
    }

    /// A person is no longer open to everybody by her own word. False if she was not.
    pub fn close(&mut self, person: &BareJid) -> bool {
        self.opened.remove(person)
    }

    /// Whether a person has opened herself to everybody.
    #[must_use]
    pub fn has_opened(&self, person: &BareJid) -> bool {
        self.opened.contains(person)
    }

    /// Whether `person` already sends her presence to `asker`, whatever else he may.
    #[must_use]
    pub fn is_contact(
        &self,
        now: Instant,
        asker: &BareJid,
        person: &BareJid,
        is_watcher: bool,
        rosters_readable: bool,
    ) -> Decision {
        if is_watcher || asker == person {
            return Decision::Allowed;
        }
        if !rosters_readable {
            return Decision::Refused;
        }
        match self.rosters.get(person) {
            Some(roster) if roster.subscribers.contains(asker) => {
                let age = now.saturating_duration_since(roster.read);
                if age < self.config.roster_age() {
                    Decision::Allowed
                } else {
                    Decision::AskRoster
                }
            }
            // Servers do not tell us when a roster grows, so a no is good only for what waited
            // for it.
            Some(roster) if roster.read == now => Decision::Refused,
            _ => Decision::AskRoster,
        }
    }

    /// The person's roster, `<query xmlns='jabber:iq:roster'/>`, or that it cannot be read: then
    /// it counts as empty until it is asked for again.
    pub fn roster(&mut self, now: Instant, person: &BareJid, query: Option<Element<'_>>) {
        let (most, age) = (self.limits.rosters, self.config.roster_age());
        if self.rosters.len() >= most {
            self.rosters
                .retain(|_, roster| now.saturating_duration_since(roster.read) < age);
            if self.rosters.len() >= most {
                self.rosters.clear();
            }
        }
        let items = query.into_iter().flat_map(Element::children);
        let subscribers = items
            .filter(|item| item.name() == "item")
            .filter(|item| matches!(item.attr("subscription"), Some("from" | "both")))
            .filter_map(|item| Some(Jid::new(item.attr("jid")?).ok()?.to_bare()))
            .collect();
        self.rosters.insert(
            person.clone(),
            Roster {
                subscribers,
                read: now,
            },
        );
    }
}

/// One whom the owner of a roster sees, and what she calls him.
pub type RosterEntry = (BareJid, Option<Box<str>>);

/// Those on a roster whose presence its owner gets: subscription `to` or `both`.
#[must_use]
pub fn roster_entries(query: Element<'_>) -> Vec<RosterEntry> {
    query
        .children()
        .filter(|item| item.name() == "item")
        .filter(|item| matches!(item.attr("subscription"), Some("to" | "both")))
        .filter_map(|item| {
            let jid = Jid::new(item.attr("jid")?).ok()?.to_bare();
            Some((jid, item.attr("name").map(Into::into)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{self, Document};

    #[expect(clippy::disallowed_methods, reason = "any moment serves as the start")]
    fn start() -> Instant {
        Instant::now()
    }

    fn bare(jid: &str) -> BareJid {
        BareJid::new(jid).unwrap()
    }

    #[test]
    fn contacts_are_those_to_whom_presence_is_sent() {
        let now = start();
        let mut access = Access::new(Config::default(), Limits::default());
        let (romeo, juliet, paris) = (bare("romeo@a"), bare("juliet@b"), bare("paris@a"));
        assert_eq!(
            access.decide(now, &romeo, &juliet, false, false),
            Decision::Refused
        );
        assert_eq!(
            access.decide(now, &romeo, &juliet, true, false),
            Decision::Allowed
        );
        assert_eq!(
            access.decide(now, &romeo, &juliet, false, true),
            Decision::AskRoster
        );
        let xml = "<query xmlns='jabber:iq:roster'><item jid='romeo@a' subscription='from'/>\
            <item jid='paris@a' subscription='to'/></query>";
        let roster = Document::parse(xml.as_bytes(), "", &xml::Limits::default()).unwrap();
        access.roster(now, &juliet, Some(roster.root()));
        assert_eq!(
            access.decide(now, &romeo, &juliet, false, true),
            Decision::Allowed
        );
        assert_eq!(
            access.decide(now, &paris, &juliet, false, true),
            Decision::Refused
        );
        let later = now + Duration::from_millis(1);
        assert_eq!(
            access.decide(later, &paris, &juliet, false, true),
            Decision::AskRoster
        );
        let later = now + Config::default().roster_age();
        assert_eq!(
            access.decide(later, &romeo, &juliet, false, true),
            Decision::AskRoster
        );
    }

    #[test]
    fn a_domain_may_have_its_own_rule() {
        let config = Config {
            domains: BTreeMap::from([("b".to_owned(), Mode::Domain)]),
            guests: vec![bare("help@c")],
            ..Config::default()
        };
        let access = Access::new(config, Limits::default());
        let decide = |a: &str, b: &str| access.decide(start(), &bare(a), &bare(b), false, false);
        assert_eq!(decide("x@b", "y@b"), Decision::Allowed);
        assert_eq!(decide("x@a", "y@b"), Decision::Refused);
        assert_eq!(decide("x@a", "help@c"), Decision::Allowed);
        assert_eq!(decide("x@a", "y@a"), Decision::Refused);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits {
            rosters: 2,
            opened: 1,
            ..Limits::default()
        };
        let (now, mut access) = (start(), Access::new(Config::default(), limits));
        assert!(access.open(bare("a@x")) && !access.open(bare("b@x")));
        assert!(access.close(&bare("a@x")) && access.open(bare("b@x")));
        for n in 0..100 {
            access.roster(now, &bare(&format!("{n}@x")), None);
            assert!(access.rosters.len() <= 2);
        }
    }
}
