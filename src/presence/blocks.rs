use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jid::{BareJid, Jid};

use crate::xml::Element;

/// Whom people have blocked (XEP-0191), where the server lets us read it.
#[derive(Debug)]
pub struct Blocks {
    lists: HashMap<BareJid, List>,
    most: usize,
    /// How long a list is good.
    age: Duration,
}

#[derive(Debug)]
struct List {
    blocked: HashSet<String>,
    read: Instant,
}

impl Blocks {
    /// Nothing is known yet; at most so many lists are held at once, and each is good for so long.
    #[must_use]
    pub fn new(most: usize, age: Duration) -> Self {
        Self {
            lists: HashMap::new(),
            most,
            age,
        }
    }

    /// Whether `person` has blocked any of these addresses of one and the same asker, the sender's
    /// own and that which she sees him under. `None` where her list must be asked for.
    #[must_use]
    pub fn blocks(&self, now: Instant, person: &BareJid, asker: &[Jid]) -> Option<bool> {
        let age = now.saturating_duration_since(self.lists.get(person)?.read);
        (age < self.age).then(|| self.blocked_once(person, asker))?
    }

    /// The same, by the list as it was last read.
    #[must_use]
    pub fn blocked_once(&self, person: &BareJid, asker: &[Jid]) -> Option<bool> {
        let list = self.lists.get(person)?;
        // XEP-0191 §3.1: a full JID, a bare JID, a domain with a resource, a domain.
        let matches = |jid: &Jid| {
            let (bare, domain) = (jid.to_bare(), jid.domain().as_str());
            let with_resource =
                |of: &str| jid.resource().map(|resource| format!("{of}/{resource}"));
            [Some(bare.to_string()), Some(domain.to_owned())]
                .into_iter()
                .chain([with_resource(bare.as_str()), with_resource(domain)])
                .flatten()
                .any(|form| list.blocked.contains(&form))
        };
        Some(asker.iter().any(matches))
    }

    /// A person's list, `<blocklist/>`, or that it cannot be read: then it counts as empty until it
    /// is asked for again.
    pub fn list(&mut self, now: Instant, person: &BareJid, blocklist: Option<Element<'_>>) {
        if self.lists.len() >= self.most {
            let age = self.age;
            self.lists
                .retain(|_, list| now.saturating_duration_since(list.read) < age);
            if self.lists.len() >= self.most {
                self.lists.clear();
            }
        }
        let items = blocklist.into_iter().flat_map(Element::children);
        let blocked = items
            .filter(|item| item.is("item", NS_BLOCKING))
            .filter_map(|item| Some(Jid::new(item.attr("jid")?).ok()?.to_string()))
            .collect();
        let list = List { blocked, read: now };
        self.lists.insert(person.clone(), list);
    }
}

/// XEP-0191.
pub const NS_BLOCKING: &str = "urn:xmpp:blocking";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    #[expect(clippy::disallowed_methods, reason = "any moment serves as the start")]
    fn start() -> Instant {
        Instant::now()
    }

    const AGE: Duration = Duration::from_secs(60);

    #[test]
    fn lists_are_bounded() {
        let (now, mut blocks) = (start(), Blocks::new(2, AGE));
        for n in 0..100 {
            blocks.list(now, &BareJid::new(&format!("{n}@x")).unwrap(), None);
            assert!(blocks.lists.len() <= 2);
        }
    }

    #[test]
    fn each_form_of_an_address_can_be_blocked() {
        let (now, mut blocks) = (start(), Blocks::new(10, AGE));
        let juliet = BareJid::new("juliet@example.org").unwrap();
        let xml = "<blocklist xmlns='urn:xmpp:blocking'><item jid='a@x'/><item jid='b@x/1'/>\
                   <item jid='evil.example'/><item jid='y/1'/></blocklist>";
        let list = Document::parse(xml.as_bytes(), "", &Limits::default()).unwrap();
        assert_eq!(blocks.blocks(now, &juliet, &[]), None);
        blocks.list(now, &juliet, Some(list.root()));
        for (asker, blocked) in [
            ("a@x/any", true),
            ("b@x/1", true),
            ("b@x/2", false),
            ("c@evil.example/1", true),
            ("c@y/1", true),
            ("c@y/2", false),
        ] {
            let jid = Jid::new(asker).unwrap();
            assert_eq!(
                blocks.blocks(now, &juliet, &[jid]),
                Some(blocked),
                "{asker}"
            );
        }
        assert_eq!(blocks.blocks(now + AGE, &juliet, &[]), None);
    }
}
