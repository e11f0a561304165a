//! Stanzas as such: their errors (RFC 6120 §8.3) and how replies are written.

use crate::xml::{Element, NS_COMPONENT, NS_STANZA_ERROR, Writer, escape_attribute};

/// A stanza error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// RFC 6120 §8.3.2: what the sender may do about it.
    pub kind: ErrorKind,
    /// The defined condition's element name, RFC 6120 §8.3.3.
    pub condition: &'static str,
    /// A condition of the application: element name and namespace, RFC 6120 §8.3.4.
    pub application: Option<(&'static str, &'static str)>,
    /// For people.
    pub text: Option<String>,
    /// What of ours says no, for metrics: the name of a refusal, or the key of a limit. It is not
    /// sent.
    pub cause: Option<&'static str>,
}

/// The error type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Retry after authenticating.
    Auth,
    /// Do not retry.
    Cancel,
    /// Retry with other data.
    Modify,
    /// Retry later.
    Wait,
}

impl StanzaError {
    /// `bad-request`: the sender's stanza is wrong, as the text says.
    #[must_use]
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Modify, "bad-request").with_text(text)
    }

    /// The one answer to whoever may not know whether there is somebody (RFC 6120 §8.3.3.19).
    #[must_use]
    pub fn service_unavailable() -> Self {
        Self::new(ErrorKind::Cancel, "service-unavailable")
    }

    /// `feature-not-implemented`.
    #[must_use]
    pub fn not_implemented() -> Self {
        Self::new(ErrorKind::Cancel, "feature-not-implemented")
    }

    /// An error without text.
    #[must_use]
    pub fn new(kind: ErrorKind, condition: &'static str) -> Self {
        Self {
            kind,
            condition,
            application: None,
            text: None,
            cause: None,
        }
    }

    /// With an application's own condition.
    #[must_use]
    pub fn with_application(mut self, name: &'static str, ns: &'static str) -> Self {
        self.application = Some((name, ns));
        self
    }

    /// Because of this, for metrics.
    #[must_use]
    pub fn because(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// With words for people.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Writes `<error/>` into a stanza on a component's stream.
    pub fn write(&self, writer: &mut Writer) {
        self.write_in(NS_COMPONENT, writer);
    }

    /// Writes `<error/>` into a stanza of this namespace.
    pub fn write_in(&self, ns: &str, writer: &mut Writer) {
        let kind = match self.kind {
            ErrorKind::Auth => "auth",
            ErrorKind::Cancel => "cancel",
            ErrorKind::Modify => "modify",
            ErrorKind::Wait => "wait",
        };
        writer.open("error", ns).attr("type", kind);
        writer.leaf(self.condition, NS_STANZA_ERROR, "");
        if let Some(text) = &self.text {
            writer
                .open("text", NS_STANZA_ERROR)
                .attr("xml:lang", "en")
                .text(text)
                .close();
        }
        if let Some((name, ns)) = self.application {
            writer.leaf(name, ns, "");
        }
        writer.close();
    }
}

/// The defined condition of a received error stanza; `undefined-condition` where it names none.
#[must_use]
pub fn error_condition(stanza: Element<'_>) -> &str {
    stanza
        .children()
        .find(|child| child.name() == "error")
        .and_then(|error| {
            error
                .children()
                .find(|c| c.ns() == NS_STANZA_ERROR && c.name() != "text")
        })
        .map_or("undefined-condition", Element::name)
}

/// Opens a stanza on a component's stream. Without `from` or `to` the attribute is left out.
#[must_use]
pub fn open(name: &str, kind: Option<&str>, from: &str, to: &str, id: Option<&str>) -> Writer {
    let mut writer = Writer::new(NS_COMPONENT);
    writer.open(name, NS_COMPONENT).opt_attr("type", kind);
    writer.attr("from", from).attr("to", to).opt_attr("id", id);
    writer
}

/// One stanza for many receivers.
#[derive(Clone, Debug)]
pub struct Circular {
    /// Up to where `to` belongs.
    head: String,
    tail: String,
}

impl Circular {
    /// A stanza on a component's stream, with what `write` writes in it.
    #[must_use]
    pub fn new(
        name: &str,
        kind: Option<&str>,
        from: &str,
        write: impl FnOnce(&mut Writer),
    ) -> Self {
        let mut writer = Writer::new(NS_COMPONENT);
        writer.open(name, NS_COMPONENT).opt_attr("type", kind);
        writer.attr("from", from);
        let at = writer.len();
        write(&mut writer);
        let mut head = writer.finish();
        let tail = head.split_off(at);
        Self { head, tail }
    }

    /// It, for this receiver.
    #[must_use]
    pub fn to(&self, to: &str) -> String {
        let bytes = self.head.len() + self.tail.len() + to.len() + 16;
        let mut out = String::with_capacity(bytes);
        out.push_str(&self.head);
        out.push_str(" to='");
        escape_attribute(&mut out, to);
        out.push('\'');
        out.push_str(&self.tail);
        out
    }
}

/// The empty result of an IQ.
#[must_use]
pub fn result(from: &str, to: &str, id: &str) -> String {
    open("iq", Some("result"), from, to, Some(id)).finish()
}

/// The error reply to the stanza `name`.
#[must_use]
pub fn error(name: &str, from: &str, to: &str, id: Option<&str>, error: &StanzaError) -> String {
    let mut writer = open(name, Some("error"), from, to, id);
    error.write(&mut writer);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_conditions_in_order() {
        let unknown = StanzaError::new(ErrorKind::Cancel, "item-not-found")
            .with_application("unknown-session", "urn:xmpp:jingle:errors:1");
        assert_eq!(
            error("iq", "a", "b", Some("1"), &unknown),
            "<iq type='error' from='a' to='b' id='1'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error></iq>"
        );
    }
}
