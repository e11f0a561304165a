use std::collections::HashMap;

use jid::{BareJid, FullJid};

/// The TURN user names that apps were given, so that what was relayed with them ends with their
/// calls.
#[derive(Debug, Default)]
pub(super) struct Issued {
    /// What each device was given, oldest first; by person, since only her own devices can share a
    /// name.
    people: HashMap<BareJid, HashMap<FullJid, Vec<String>>>,
}

impl Issued {
    /// A device was given a user name; `most` of one device are remembered.
    pub(super) fn remember(&mut self, device: &FullJid, username: String, most: usize) {
        let devices = self.people.entry(device.to_bare()).or_default();
        let usernames = devices.entry(device.clone()).or_default();
        if !usernames.contains(&username) {
            usernames.push(username);
        }
        if usernames.len() > most {
            usernames.remove(0);
        }
    }

    /// Forgets a device, and tells the user names that no other device of the person has: two that
    /// asked within the same second were given the same one.
    pub(super) fn release(&mut self, device: &FullJid) -> Vec<String> {
        let person = device.to_bare();
        let Some(devices) = self.people.get_mut(&person) else {
            return Vec::new();
        };
        let mut usernames = devices.remove(device).unwrap_or_default();
        usernames.retain(|name| !devices.values().any(|others| others.contains(name)));
        if devices.is_empty() {
            self.people.remove(&person);
        }
        usernames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_name_is_released_with_the_last_device() {
        let (page, tab) = (
            FullJid::new("juliet@example.org/page").unwrap(),
            FullJid::new("juliet@example.org/tab").unwrap(),
        );
        let mut issued = Issued::default();
        issued.remember(&page, "1:juliet@example.org".into(), 4);
        issued.remember(&page, "2:juliet@example.org".into(), 4);
        issued.remember(&tab, "2:juliet@example.org".into(), 4);
        assert_eq!(issued.release(&page), ["1:juliet@example.org"]);
        assert_eq!(issued.release(&tab), ["2:juliet@example.org"]);
        assert!(issued.release(&tab).is_empty());
        assert!(issued.people.is_empty());
    }

    #[test]
    fn the_newest_are_remembered() {
        let page = FullJid::new("juliet@example.org/page").unwrap();
        let mut issued = Issued::default();
        for name in ["1", "2", "2", "3"] {
            issued.remember(&page, name.into(), 2);
        }
        assert_eq!(issued.release(&page), ["2", "3"]);
    }
}
