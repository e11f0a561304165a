//! Whether XML is what `schemas/` says that Campana writes.
//!
//! `xmllint` (Debian: libxml2-utils) does the work; without it the test fails. [`Emitted`] collects
//! what a test makes and checks it in one run.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use campana::xml::{Document, Element, Limits, NS_COMPONENT};

/// XML that was made, each with the name of what made it.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    all: Vec<(String, String)>,
    seen: HashSet<String>,
}

impl Emitted {
    /// Adds a stanza as it goes over a component's stream, or an element that declares its own
    /// namespace.
    pub(crate) fn add(&mut self, label: &str, xml: &str) {
        let xml = declared(xml);
        if self.seen.insert(xml.clone()) {
            self.all.push((label.to_owned(), xml));
        }
    }

    /// How many different ones there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What is wrong with them, one message for each that is not valid.
    pub(crate) fn violations(&self) -> Vec<String> {
        let folder = Folder::new();
        for (index, (_, xml)) in self.all.iter().enumerate() {
            fs::write(folder.0.join(format!("{index}.xml")), xml).unwrap();
        }
        let mut wrong = vec![Vec::new(); self.all.len()];
        // An argument list has room for some thousands.
        let numbers: Vec<usize> = (0..self.all.len()).collect();
        for some in numbers.chunks(2_000) {
            for (index, message) in xmllint(&folder.0, some) {
                wrong[index].push(message);
            }
        }
        for ((_, xml), wrong) in self.all.iter().zip(&mut wrong) {
            let document = Document::parse(xml.as_bytes(), "", &Limits::default());
            match document {
                Ok(document) => wrong.extend(unwritten_rules(document.root())),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        self.all
            .iter()
            .zip(wrong)
            .filter(|(_, wrong)| !wrong.is_empty())
            .map(|((label, xml), wrong)| format!("{label}: {}\n  {xml}", wrong.join("\n    ")))
            .collect()
    }

    /// # Panics
    /// When there is nothing, or something of it is not valid.
    #[track_caller]
    pub(crate) fn assert_valid(&self) {
        assert!(!self.is_empty(), "nothing was made");
        let violations = self.violations();
        let shown = &violations[..violations.len().min(20)];
        assert!(
            violations.is_empty(),
            "{} of {} violate schemas/:\n{}",
            violations.len(),
            self.len(),
            shown.join("\n")
        );
    }
}

/// # Panics
/// When the XML is not valid.
#[track_caller]
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) fn assert_valid(xml: &str) {
    let mut emitted = Emitted::default();
    emitted.add("", xml);
    emitted.assert_valid();
}

/// Where the schemas are.
pub(crate) fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The folder's files that are not valid, and why.
fn xmllint(folder: &Path, numbers: &[usize]) -> Vec<(usize, String)> {
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schemas().join("campana.xsd"))
        .args(numbers.iter().map(|number| format!("{number}.xml")))
        .current_dir(folder)
        .output()
        .expect("xmllint, of the Debian package libxml2-utils");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut wrong = Vec::new();
    let mut judged = 0;
    for line in stderr.lines() {
        let Some((file, message)) = line.split_once(".xml") else {
            continue;
        };
        let Ok(index) = file.parse::<usize>() else {
            continue;
        };
        // The verdict on each file comes behind its errors.
        if message == " validates" || message == " fails to validate" {
            judged += 1;
        } else if !message.contains("No precomputed value available")
            // XEP-0054 and XEP-0153 name theirs so.
            && !message.contains("xmlns: URI vcard-temp")
        {
            let message = message.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit());
            wrong.push((index, message.trim().to_owned()));
        }
    }
    assert_eq!(judged, numbers.len(), "xmllint did not judge all: {stderr}");
    let expected = if wrong.is_empty() { Some(0) } else { Some(3) };
    assert_eq!(output.status.code(), expected, "{stderr}");
    wrong
}

/// What XSD 1.0 has no words for.
fn unwritten_rules(root: Element<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rule = |holds: bool, words: &str| {
        if !holds {
            wrong.push(words.to_owned());
        }
    };
    if root.ns() == NS_COMPONENT {
        let kind = root.attr("type");
        let error = root.child("error", NS_COMPONENT).is_some();
        rule(
            (kind == Some("error")) == error,
            "an error, and only it, has <error/>",
        );
        if root.name() == "iq" {
            let children = root.children().count();
            match kind {
                Some("get" | "set") => rule(children == 1, "a request holds one payload"),
                Some("result") => rule(children <= 1, "a result holds at most one payload"),
                _ => {}
            }
        }
        if root.name() == "presence" {
            let nick = root.children().any(|child| child.name() == "nick");
            rule(
                !nick || matches!(kind, Some("subscribe" | "subscribed")),
                "a nick is for who is asked, or was granted it",
            );
            let caps = root.children().any(|child| child.name() == "c");
            rule(
                caps == kind.is_none(),
                "presence has caps, and nothing else has",
            );
        }
    }
    if root.name() == "message" {
        let event = root.children().any(|child| child.name() == "event");
        rule(
            event == (root.attr("type") == Some("headline")),
            "news of people are headlines, and nothing else is",
        );
    }
    for iq in find(root, "iq", "jabber:client") {
        let asks = iq.children().any(|child| child.name() == "blocklist");
        rule(
            asks == (iq.attr("type") == Some("get")),
            "lists of the blocked alone are asked for in somebody's name",
        );
    }
    for query in find(root, "query", "http://jabber.org/protocol/disco#info") {
        let delegated = query
            .attr("node")
            .is_some_and(|node| node.starts_with("urn:xmpp:delegation:"));
        let identity = query.children().any(|child| child.name() == "identity");
        let empty = query.children().next().is_none();
        rule(
            empty || identity != delegated,
            "what is there has an identity",
        );
    }
    for jingle in find(root, "jingle", "urn:xmpp:jingle:1") {
        let action = jingle.attr("action").unwrap_or_default();
        // XEP-0166 section 7.1.
        let initiator = jingle.attr("initiator").is_some();
        rule(
            !initiator || action == "session-initiate",
            "an initiator is for session-initiate",
        );
        let responder = jingle.attr("responder").is_some();
        rule(
            !responder || action == "session-accept",
            "a responder is for session-accept",
        );
        let contents: Vec<_> = jingle
            .children()
            .filter(|c| c.name() == "content")
            .collect();
        let without = matches!(action, "session-terminate" | "session-info");
        rule(
            contents.is_empty() == without,
            "contents, but not in terminate and info",
        );
        let reason = jingle.children().any(|child| child.name() == "reason");
        rule(
            action != "session-terminate" || reason,
            "session-terminate has a reason",
        );
        let info = jingle
            .children()
            .any(|c| c.ns() == "urn:xmpp:jingle:apps:rtp:info:1");
        rule(
            !info || action == "session-info",
            "information is for session-info",
        );
        for content in contents {
            let has = |name: &str| content.children().any(|child| child.name() == name);
            if matches!(
                action,
                "session-initiate" | "session-accept" | "content-add" | "content-accept"
            ) {
                rule(
                    has("description") && has("transport"),
                    "a new content has both parts",
                );
            }
            // XEP-0166 section 7.2.3.
            let senders = content.attr("senders").is_some();
            rule(
                action != "content-modify" || senders,
                "content-modify says senders",
            );
        }
        // XEP-0338: of contents that there are.
        if matches!(action, "session-initiate" | "session-accept") {
            for group in jingle.children().filter(|child| child.name() == "group") {
                for member in group.children() {
                    let named = |c: Element<'_>| {
                        c.name() == "content" && c.attr("name") == member.attr("name")
                    };
                    rule(
                        jingle.children().any(named),
                        "a group is of contents that there are",
                    );
                }
            }
        }
        for content in jingle.children() {
            for transport in content
                .children()
                .filter(|child| child.name() == "transport")
            {
                let (ufrag, pwd) = (
                    transport.attr("ufrag").is_some(),
                    transport.attr("pwd").is_some(),
                );
                rule(ufrag == pwd, "ufrag and pwd come together");
                let candidates = transport.children().any(|c| c.name() == "candidate");
                // XEP-0176 section 5.3.
                rule(
                    !candidates || ufrag,
                    "candidates come with their credentials",
                );
                for candidate in transport.children().filter(|c| c.name() == "candidate") {
                    let tcp = candidate.attr("protocol") == Some("tcp");
                    // Conversations writes TCP candidates without it.
                    rule(
                        tcp || candidate.attr("tcptype").is_none(),
                        "tcptype is for tcp",
                    );
                    let related = (
                        candidate.attr("rel-addr").is_some(),
                        candidate.attr("rel-port").is_some(),
                    );
                    rule(
                        related.0 == related.1,
                        "rel-addr and rel-port come together",
                    );
                }
                let setups: HashSet<_> = transport
                    .children()
                    .filter(|child| child.name() == "fingerprint")
                    .map(|fingerprint| fingerprint.attr("setup"))
                    .collect();
                rule(
                    setups.len() <= 1,
                    "fingerprints of a transport have one setup",
                );
            }
        }
    }
    wrong
}

fn find<'a>(element: Element<'a>, name: &str, ns: &str) -> Vec<Element<'a>> {
    if element.is(name, ns) {
        return vec![element];
    }
    element
        .children()
        .flat_map(|child| find(child, name, ns))
        .collect()
}

/// The stanza as it stands by itself: what a component sends relies on its stream's namespace.
fn declared(xml: &str) -> String {
    let end = xml.find([' ', '>', '/']).expect("an element");
    let (name, rest) = xml.split_at(end);
    let tag = rest.split('>').next().unwrap_or_default();
    let stanza = ["<iq", "<message", "<presence", "<error", "<handshake"].contains(&name);
    if stanza && !tag.contains("xmlns=") {
        format!("{name} xmlns='{NS_COMPONENT}'{rest}")
    } else {
        xml.to_owned()
    }
}

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("schemas-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
