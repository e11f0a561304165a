//! Gateway addresses: `juliet\40example.org@call.example.org` stands for `juliet@example.org`.
//!
//! The localpart is the person's bare JID, escaped as XEP-0106 §4 says. The service's own domain
//! without a localpart is the service.

use jid::{BareJid, Jid};

/// The addresses of one component domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    service: BareJid,
    /// The test call's, which is a person like any other, at our own domain.
    echo: Option<BareJid>,
}

/// What an address of ours names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The service itself.
    Service,
    /// A person, by her gateway address.
    Person(BareJid),
    /// A localpart without `\40`: reserved.
    Reserved,
}

impl Addresses {
    /// The addresses at this domain.
    #[must_use]
    pub fn new(service: BareJid) -> Self {
        Self {
            service,
            echo: None,
        }
    }

    /// The same, and the address of the test call with them.
    #[must_use]
    pub fn with_echo(service: BareJid) -> Self {
        let echo = BareJid::new(&format!("{ECHO}@{}", service.domain())).ok();
        Self { service, echo }
    }

    /// `echo@` the service, where there is a test call.
    #[must_use]
    pub fn echo(&self) -> Option<&BareJid> {
        self.echo.as_ref()
    }

    /// The service's address.
    #[must_use]
    pub fn service(&self) -> &BareJid {
        &self.service
    }

    /// Whether `jid` is at our own domain.
    #[must_use]
    pub fn is_ours(&self, jid: &Jid) -> bool {
        jid.domain() == self.service.domain()
    }

    /// The gateway address of a person, as text. `None` where it would be longer than the 1,023
    /// bytes that RFC 7622 §3.3 allows a localpart.
    #[must_use]
    pub fn of(&self, person: &BareJid) -> Option<String> {
        if Some(person) == self.echo.as_ref() {
            return Some(person.to_string());
        }
        let local = escape(person.as_str());
        (local.len() <= 1023).then(|| format!("{local}@{}", self.service.domain()))
    }

    /// What `to` names. `None` when it is not ours at all.
    #[must_use]
    pub fn named(&self, to: &Jid) -> Option<Named> {
        if !self.is_ours(to) {
            return None;
        }
        let Some(node) = to.node() else {
            return Some(Named::Service);
        };
        if let Some(echo) = &self.echo
            && echo.node() == Some(node)
        {
            return Some(Named::Person(echo.clone()));
        }
        let person = unescape(node.as_str());
        Some(
            match (node.as_str().contains("\\40"), BareJid::new(&person)) {
                // A person at our own domain would make a loop.
                (true, Ok(person))
                    if person.node().is_some() && person.domain() != self.service.domain() =>
                {
                    Named::Person(person)
                }
                _ => Named::Reserved,
            },
        )
    }
}

/// The localpart of the test call.
const ECHO: &str = "echo";

/// XEP-0106 §4.2: the ten characters that a localpart may not hold, and a backslash where what
/// follows would read as an escape.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        match ESCAPES.iter().find(|(_, plain)| *plain == c) {
            Some((code, '\\')) => {
                let rest = text.get(at + 1..).unwrap_or_default();
                out.push('\\');
                if ESCAPES.iter().any(|(code, _)| rest.starts_with(code)) {
                    out.push_str(code);
                }
            }
            Some((code, _)) => {
                out.push('\\');
                out.push_str(code);
            }
            None => out.push(c),
        }
    }
    out
}

/// XEP-0106 §4.3.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let behind = behind.strip_prefix('\\').unwrap_or(behind);
        rest = match ESCAPES.iter().find(|(code, _)| behind.starts_with(code)) {
            Some((code, plain)) => {
                out.push(*plain);
                behind.strip_prefix(code).unwrap_or(behind)
            }
            None => {
                out.push('\\');
                behind
            }
        };
    }
    out.push_str(rest);
    out
}

/// XEP-0106 §4.2 table 1; JIDs are in lower case after preparation (RFC 7622 §3.3).
const ESCAPES: [(&str, char); 10] = [
    ("20", ' '),
    ("22", '"'),
    ("26", '&'),
    ("27", '\''),
    ("2f", '/'),
    ("3a", ':'),
    ("3c", '<'),
    ("3e", '>'),
    ("40", '@'),
    ("5c", '\\'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses() -> Addresses {
        Addresses::new(BareJid::new("call.example.org").unwrap())
    }

    #[test]
    fn a_person_and_her_address() {
        let juliet = BareJid::new("juliet@example.org").unwrap();
        let address = addresses().of(&juliet).unwrap();
        assert_eq!(address, "juliet\\40example.org@call.example.org");
        let named = addresses().named(&Jid::new(&format!("{address}/key")).unwrap());
        assert_eq!(named, Some(Named::Person(juliet)));
    }

    #[test]
    fn what_else_an_address_names() {
        let named = |jid: &str| addresses().named(&Jid::new(jid).unwrap());
        assert_eq!(named("call.example.org"), Some(Named::Service));
        assert_eq!(named("call.example.org/x"), Some(Named::Service));
        assert_eq!(named("echo@call.example.org"), Some(Named::Reserved));
        assert_eq!(named("a@example.org"), None);
        assert_eq!(
            named("a\\40call.example.org@call.example.org"),
            Some(Named::Reserved)
        );
        assert_eq!(
            named("\\40example.org@call.example.org"),
            Some(Named::Reserved)
        );
    }

    #[test]
    fn the_test_call_is_a_person_at_our_own_domain() {
        let addresses = Addresses::with_echo(BareJid::new("call.example.org").unwrap());
        let echo = BareJid::new("echo@call.example.org").unwrap();
        let named = addresses.named(&Jid::new("echo@call.example.org/key").unwrap());
        assert_eq!(named, Some(Named::Person(echo.clone())));
        assert_eq!(addresses.of(&echo).unwrap(), "echo@call.example.org");
        let other = addresses.named(&Jid::new("echoes@call.example.org").unwrap());
        assert_eq!(other, Some(Named::Reserved));
    }

    #[test]
    fn escapes_of_the_xep() {
        // XEP-0106 §5 example 1 and §4.2.
        for (plain, escaped) in [
            ("space cadet", "space\\20cadet"),
            ("call me \"ishmael\"", "call\\20me\\20\\22ishmael\\22"),
            ("c:\\cool stuff", "c\\3a\\cool\\20stuff"),
            ("c:\\5commas", "c\\3a\\5c5commas"),
            ("d'artagnan", "d\\27artagnan"),
        ] {
            assert_eq!(escape(plain), escaped);
            assert_eq!(unescape(escaped), plain);
        }
    }

    proptest! {
        #[test]
        fn unescaping_gives_back_what_was_escaped(text in "[a-f0-9@:/\\\\ <>\"'&]{0,40}") {
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
