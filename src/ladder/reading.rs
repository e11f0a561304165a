//! A stanza as it is shown: indented, with secrets blotted out and people masked.

use super::mask::{HIDDEN, Mask};
use super::visible;
use crate::xml::{Document, Element, Limits, NS_COMPONENT, escape_attribute, escape_text};

/// What a stanza says.
#[derive(Debug)]
pub(super) struct Reading {
    /// In a few words.
    pub(super) title: String,
    /// All of it, indented.
    pub(super) text: String,
    /// Type, and what tells each candidate from others; only of those that are new to the receiver.
    pub(super) candidates: Vec<(String, String)>,
    /// Who said it, where a device hands in what it received.
    pub(super) carried_from: Option<String>,
}

impl Reading {
    pub(super) fn of(stanza: &str, mask: &mut Mask) -> Self {
        // It was read within limits before; quotes and the like make it longer.
        let limits = Limits {
            stanza_bytes: stanza.len(),
            depth: 64,
            attributes: 256,
        };
        let Ok(document) = Document::parse(stanza.as_bytes(), NS_COMPONENT, &limits) else {
            return Self {
                title: "not readable".to_owned(),
                text: HIDDEN.to_owned(),
                candidates: Vec::new(),
                carried_from: None,
            };
        };
        let root = document.root();
        let mut candidates = Vec::new();
        collect(root, &mut candidates);
        let mut text = String::with_capacity(stanza.len() + stanza.len() / 2);
        write(root, NS_COMPONENT, 0, mask, &mut text);
        Self {
            title: mask.text(&title(root)),
            text,
            candidates,
            carried_from: carried(root).and_then(|inner| inner.attr("from").map(str::to_owned)),
        }
    }
}

/// `iq set jingle session-initiate`.
fn title(root: Element<'_>) -> String {
    let mut words = vec![root.name().to_owned()];
    words.extend(
        root.attr("type")
            .filter(|_| root.name() != "message")
            .map(str::to_owned),
    );
    let payload = root
        .children()
        .find(|child| !PASSED_OVER.contains(&child.name()));
    if let Some(payload) = payload {
        words.extend(within(payload));
    }
    short(&words.join(" "))
}

fn within(payload: Element<'_>) -> Vec<String> {
    let mut words = vec![payload.name().to_owned()];
    let first = payload.children().next();
    match payload.name() {
        "jingle" => {
            words.extend(payload.attr("action").map(str::to_owned));
            let said = payload.children().find(|child| child.name() != "content");
            let said = said.filter(|_| payload.attr("action") == Some("session-info"));
            words.extend(said.map(|said| said.name().to_owned()));
            let reason = payload.children().find(|child| child.name() == "reason");
            let reason = reason.and_then(|reason| reason.children().next());
            words.extend(reason.map(|reason| reason.name().to_owned()));
        }
        "session" => {
            words.extend(first.map(|step| step.name().to_owned()));
            let end = first.filter(|step| step.name() == "end");
            words.extend(end.and_then(|end| end.attr("reason")).map(str::to_owned));
            let info = first.filter(|step| step.name() == "info");
            let info = info.and_then(|info| info.children().next());
            words.extend(info.map(|info| info.name().to_owned()));
        }
        "carried" => words.extend(forwarded(payload).or(first).map(title)),
        "error" => words.extend(first.map(|condition| condition.name().to_owned())),
        _ => {}
    }
    words
}

/// The stanza that a device received and hands in.
fn carried(root: Element<'_>) -> Option<Element<'_>> {
    root.children()
        .find(|child| child.name() == "carried")
        .and_then(forwarded)
}

fn forwarded(carried: Element<'_>) -> Option<Element<'_>> {
    let mut inside = carried.children().next()?.children();
    inside.find(|child| matches!(child.name(), "iq" | "message"))
}

/// Candidates of Jingle (XEP-0176 §5.3) and of SDP (RFC 8839 §5.1), wherever they stand.
fn collect(element: Element<'_>, found: &mut Vec<(String, String)>) {
    if element.name() == "candidate" && element.attr("ip").is_some() {
        let field = |name| element.attr(name).unwrap_or_default();
        let what = ["component", "protocol", "ip", "port", "type"].map(field);
        found.push((field("type").to_owned(), what.join(" ")));
    } else if matches!(element.name(), "offer" | "answer" | "candidate") {
        for line in element.text().lines() {
            let Some((_, behind)) = line.split_once("candidate:") else {
                continue;
            };
            let fields: Vec<&str> = behind.split_whitespace().collect();
            if let [_, component, protocol, _, ip, port, "typ", kind, ..] = fields.as_slice() {
                let protocol = protocol.to_lowercase();
                let what = [component, protocol.as_str(), ip, port, kind].join(" ");
                found.push(((*kind).to_owned(), what));
            }
        }
    }
    element.children().for_each(|child| collect(child, found));
}

fn write(element: Element<'_>, around: &str, depth: usize, mask: &mut Mask, out: &mut String) {
    let margin = "  ".repeat(depth);
    out.push_str(&margin);
    out.push('<');
    out.push_str(element.name());
    if element.ns() != around {
        attribute("xmlns", element.ns(), out);
    }
    for (name, value) in element.attrs() {
        attribute(name, &attribute_value(name, value, mask), out);
    }
    let text = element.text();
    let has_children = element.children().next().is_some();
    if !has_children && text.trim().is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push('>');
    let inner = format!("{margin}  ");
    let mut lines = 0;
    if !text.trim().is_empty() {
        let shown = content(element.name(), &text, mask);
        lines = shown.lines().count();
        if lines > 1 || has_children {
            out.push('\n');
            for line in shown.lines() {
                out.push_str(&inner);
                escape_text(out, &visible(line));
                out.push('\n');
            }
        } else {
            escape_text(out, &visible(&shown));
        }
    } else {
        out.push('\n');
    }
    for child in element.children() {
        write(child, element.ns(), depth + 1, mask, out);
    }
    if lines != 1 || has_children {
        out.push_str(&margin);
    }
    out.push_str("</");
    out.push_str(element.name());
    out.push_str(">\n");
}

fn attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("='");
    escape_attribute(out, &visible(value));
    out.push('\'');
}

fn attribute_value(name: &str, value: &str, mask: &mut Mask) -> String {
    match name {
        "pwd" | "password" => blot(value),
        "key-params" => key_params(value),
        _ if mask.is_open() => value.to_owned(),
        "from" | "to" | "jid" | "peer" | "initiator" | "responder" | "by" => mask.jid(value),
        "ip" | "rel-addr" | "host" => mask.host(value),
        "name" if value.contains(char::is_whitespace) => HIDDEN.to_owned(),
        _ => mask.text(value),
    }
}

/// The text of an element. What people wrote to each other is none of an operator's business.
fn content(name: &str, text: &str, mask: &mut Mask) -> String {
    match name {
        "offer" | "answer" | "candidate" => {
            let lines = text.lines().map(|line| sdp_line(line, mask));
            lines.collect::<Vec<_>>().join("\n")
        }
        _ if mask.is_open() || matches!(name, "text" | "end" | "fingerprint" | "hash") => {
            mask.text(text)
        }
        _ => HIDDEN.to_owned(),
    }
}

/// RFC 8866 §5, but for what RFC 8839 §5.4 and RFC 4568 §9.1 keep secret.
fn sdp_line(line: &str, mask: &mut Mask) -> String {
    if let Some(password) = line.strip_prefix("a=ice-pwd:") {
        return format!("a=ice-pwd:{}", blot(password));
    }
    if let Some(crypto) = line.strip_prefix("a=crypto:") {
        return format!("a=crypto:{}", key_params(crypto));
    }
    if line.starts_with("k=") {
        return format!("k={HIDDEN}");
    }
    if mask.is_open() {
        return line.to_owned();
    }
    // Names and addresses of people, and what they call their session.
    for kind in ["s=", "i=", "u=", "e=", "p="] {
        if let Some(value) = line.strip_prefix(kind)
            && !matches!(value.trim(), "" | "-")
        {
            return format!("{kind}{HIDDEN}");
        }
    }
    if let Some(origin) = line.strip_prefix("o=") {
        let mut fields: Vec<&str> = origin.split(' ').collect();
        let host = fields.pop().map(|host| mask.host(host)).unwrap_or_default();
        if let Some(user) = fields.first_mut()
            && *user != "-"
        {
            *user = HIDDEN;
        }
        return format!("o={} {host}", mask.text(&fields.join(" ")));
    }
    if line.contains("candidate:") {
        let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        // RFC 8839 §5.1: foundation, component, transport, priority, address.
        if let Some(address) = fields.get_mut(4) {
            *address = mask.host(address);
        }
        let related = fields.iter().position(|field| field == "raddr");
        if let Some(address) = related.and_then(|at| fields.get_mut(at + 1)) {
            *address = mask.host(address);
        }
        return mask.text(&fields.join(" "));
    }
    mask.text(line)
}

/// `1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20`: nothing behind `inline:` is shown.
fn key_params(value: &str) -> String {
    match value.split_once("inline:") {
        Some((before, key)) => format!("{before}inline:{}", blot(key)),
        None => HIDDEN.to_owned(),
    }
}

fn blot(secret: &str) -> String {
    "•".repeat(secret.chars().count().min(64))
}

fn short(text: &str) -> String {
    text.chars().take(120).collect()
}

/// Children of a message or IQ that say nothing of a call.
const PASSED_OVER: [&str; 6] = ["store", "body", "delay", "thread", "origin-id", "no-copy"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stanza: &str, pii: bool) -> Reading {
        let people = [
            "romeo@example.net".to_owned(),
            "juliet@example.org".to_owned(),
        ];
        Reading::of(stanza, &mut Mask::new(pii, "call.example.org", &people))
    }

    #[test]
    fn titles_say_what_a_stanza_is_for() {
        for (stanza, title) in [
            (
                "<iq type='set'><jingle xmlns='urn:xmpp:jingle:1' action='session-info'>\
                 <ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/></jingle></iq>",
                "iq set jingle session-info ringing",
            ),
            (
                "<iq type='set'><jingle xmlns='urn:xmpp:jingle:1' action='session-terminate'>\
                 <reason><busy/></reason></jingle></iq>",
                "iq set jingle session-terminate busy",
            ),
            (
                "<message type='chat'><store xmlns='urn:xmpp:hints'/>\
                 <propose xmlns='urn:xmpp:jingle-message:0' id='1'/></message>",
                "message propose",
            ),
            (
                "<iq type='set'><session xmlns='urn:x-campana:sdp:0' sid='1'>\
                 <end reason='decline'/></session></iq>",
                "iq set session end decline",
            ),
            (
                "<iq type='set'><carried xmlns='urn:x-campana:sdp:0'><forwarded \
                 xmlns='urn:xmpp:forward:0'><iq xmlns='jabber:client' type='set'>\
                 <jingle xmlns='urn:xmpp:jingle:1' action='transport-info'/></iq></forwarded>\
                 </carried></iq>",
                "iq set carried iq set jingle transport-info",
            ),
            (
                "<iq type='error'><error type='cancel'><item-not-found \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                "iq error error item-not-found",
            ),
            ("<iq type='result'/>", "iq result"),
            ("<iq", "not readable"),
        ] {
            assert_eq!(read(stanza, false).title, title);
        }
    }

    #[test]
    fn candidates_of_both_languages_are_found() {
        let jingle = read(
            "<iq><candidate component='1' protocol='udp' ip='192.0.2.1' port='1' type='host'/></iq>",
            false,
        );
        let sdp = read(
            "<iq><offer>v=0&#xD;\na=candidate:1 1 UDP 9 192.0.2.1 1 typ host&#xD;\n</offer></iq>",
            false,
        );
        assert_eq!(jingle.candidates, sdp.candidates);
        assert_eq!(sdp.candidates[0].0, "host");
    }

    #[test]
    fn secrets_never_stand_in_it() {
        let stanza = "<iq><transport ufrag='8hhy' pwd='asd-88&apos;f'/>\
            <crypto key-params='inline:d0Rm-x|2^20'/><offer>a=ice-pwd:asd-88f\r\n\
            a=crypto:1 AES inline:d0Rm-x|2^20\r\nk=base64:d0Rm\r\n</offer></iq>";
        for pii in [true, false] {
            let text = read(stanza, pii).text;
            assert!(!text.contains("asd") && !text.contains("d0R"), "{text}");
            assert!(text.contains("ufrag='8hhy' pwd='••••••••'"), "{text}");
        }
    }

    #[test]
    fn people_are_shown_only_when_allowed() {
        let stanza = "<message from='romeo@example.net/orchard' to='juliet\\40example.org@call.example.org'>\
            <body>my love</body><nick>Romeo M</nick><offer>v=0\n\
            o=romeo 1 2 IN IP4 pc.example.net\ns=Romeo's call\ne=romeo@example.net\n\
            a=candidate:1 1 udp 9 192.0.2.1 1 typ srflx raddr romeos-pc.home rport 9\n</offer></message>";
        let text = read(stanza, false).text;
        for name in ["omeo", "love", "192.0.2", "home", "example"] {
            assert!(!text.contains(name), "{name} in {text}");
        }
        assert!(
            text.contains("from='caller/device-1' to='callee@gateway'"),
            "{text}"
        );
        assert!(
            text.contains("1 udp 9 public-ipv4-1 1 typ srflx raddr host-2 rport 9"),
            "{text}"
        );
        let text = read(stanza, true).text;
        assert!(
            text.contains("my love") && text.contains("romeos-pc.home"),
            "{text}"
        );
    }

    #[test]
    fn markup_and_hidden_characters_are_shown_as_such() {
        let text = read("<iq><text>&lt;b> \u{202e}x\u{200b}</text></iq>", false).text;
        assert_eq!(
            text,
            "<iq>\n  <text>&lt;b&gt; \\u{202e}x\\u{200b}</text>\n</iq>\n"
        );
    }
}
