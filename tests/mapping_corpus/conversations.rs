//! What Conversations throws on, or ends a call over, is never said to it, of any recorded
//! description.

use std::collections::BTreeSet;

use campana::jingle::{Role, Sid, rtp};
use campana::mapping::{self, Dialect};
use campana::xml::{self, Document, Element};

use crate::recording::{Recording, recordings};

#[test]
fn of_recorded_sdp() {
    let mut said = 0;
    let mut faults = Vec::new();
    for own in recordings("sdp") {
        let description = own.sdp();
        for owner in [Role::Initiator, Role::Responder] {
            let sid = Sid::new("a").unwrap();
            let dialect = &Dialect::CONVERSATIONS;
            let mapped = mapping::to_jingle(&description, sid, owner, own.kind(), dialect);
            if let Ok((jingle, _)) = mapped
                && !jingle.contents.is_empty()
            {
                said += 1;
                check(&own, &jingle.to_xml(), &mut faults);
            }
        }
    }
    assert!(said > 80, "only {said} stanzas");
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Notes what Conversations would not take.
fn check(own: &Recording, stanza: &str, faults: &mut Vec<String>) {
    let document = Document::parse(stanza.as_bytes(), "", &xml::Limits::default()).unwrap();
    let jingle = document.root();
    let answer = jingle
        .attr("action")
        .is_some_and(|own| own.ends_with("-accept"));
    let mut demand = |fits: bool, what: &str| {
        if !fits {
            faults.push(format!("{own}: {what}"));
        }
    };
    let mut names = BTreeSet::new();
    let mut setups = BTreeSet::new();
    for content in jingle.children().filter(|own| own.name() == "content") {
        let name = content.attr("name").unwrap_or_default();
        demand(names.insert(name.to_owned()), "a name of two contents");
        demand(!name.is_empty(), "a content without name");
        demand(name.len() <= 16, "a long name");
        demand(!name.contains(char::is_whitespace), "a name with blanks");
        let senders = content.attr("senders").unwrap_or("both");
        demand(
            ["both", "initiator", "responder", "none"].contains(&senders),
            "unknown senders",
        );
        demand(
            content.child("description", rtp::NS).is_some(),
            "an unknown application",
        );
        demand(
            content.children().count() == 2,
            "something beside description and transport",
        );
        let transport = content.child("transport", "urn:xmpp:jingle:transports:ice-udp:1");
        let Some(transport) = transport else {
            demand(false, "an unknown transport");
            continue;
        };
        demand(
            transport
                .children()
                .filter(|own| own.name() == "candidate")
                .all(|own| own.attr("protocol") == Some("udp") && own.attr("id").is_some()),
            "a candidate that it ignores",
        );
        let fingerprint = transport.child("fingerprint", "urn:xmpp:jingle:apps:dtls:0");
        demand(
            transport.attr("ufrag").is_some()
                && transport.attr("pwd").is_some()
                && fingerprint.is_some(),
            "a content without credentials or fingerprint",
        );
        setups.extend(fingerprint.and_then(|own| own.attr("setup")));
    }
    demand(setups.len() <= 1, "two DTLS roles");
    let lawful: &[&str] = if answer {
        &["active", "passive"]
    } else {
        &["actpass"]
    };
    demand(
        setups.iter().all(|own| lawful.contains(own)),
        "a DTLS role that it refuses",
    );
    for payload in all(jingle, "payload-type") {
        let parameters: Vec<_> = payload
            .children()
            .filter(|own| own.name() == "parameter")
            .collect();
        let nameless = parameters.iter().any(|own| own.attr("name") == Some(""));
        demand(
            !nameless || parameters.len() == 1,
            "a nameless parameter beside others",
        );
        demand(
            parameters
                .iter()
                .all(|own| own.attr("name").is_some() && own.attr("value").is_some()),
            "a parameter without name or value",
        );
    }
    for source in all(jingle, "source") {
        demand(
            source
                .children()
                .all(|own| own.attr("value").is_some_and(|value| !value.is_empty())),
            "a source's parameter without value",
        );
    }
}

fn all<'a>(element: Element<'a>, name: &str) -> Vec<Element<'a>> {
    let mut found: Vec<_> = element
        .children()
        .flat_map(|child| all(child, name))
        .collect();
    if element.name() == name {
        found.push(element);
    }
    found
}
