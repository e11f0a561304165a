//! Namespace delegation (XEP-0355): questions that were put to a server and that it hands to us.

use jid::Jid;

use crate::credentials::extdisco;
use crate::disco;
use crate::stanza::StanzaError;
use crate::xml::{Element, NS_CLIENT, NS_FORWARD, Writer};

/// A request of one of a server's own people.
#[derive(Debug)]
pub struct Request<'a> {
    ns: &'static str,
    /// Who asked.
    pub from: Jid,
    to: &'a str,
    id: &'a str,
    /// What for.
    pub payload: Element<'a>,
}

impl<'a> Request<'a> {
    /// Reads `<delegation/>` (§4.3). A server speaks only for its own people: `None` where the
    /// forwarded request is of somebody else.
    #[must_use]
    pub fn read(server: &'a Jid, delegation: Element<'a>) -> Option<Self> {
        let ns = NS.into_iter().find(|ns| *ns == delegation.ns())?;
        let iq = delegation
            .child("forwarded", NS_FORWARD)?
            .child("iq", NS_CLIENT)?;
        let from = Jid::new(iq.attr("from")?).ok()?;
        let is_server = server.node().is_none() && server.resource().is_none();
        (is_server && from.domain() == server.domain() && iq.attr("type") == Some("get")).then_some(
            Self {
                ns,
                from,
                to: iq.attr("to").unwrap_or_else(|| server.domain().as_str()),
                id: iq.attr("id")?,
                payload: iq.children().next()?,
            },
        )
    }

    /// Writes the reply: the payload that `answer` writes, or an error.
    pub fn write_reply(
        &self,
        answer: Result<impl FnOnce(&mut Writer), StanzaError>,
        writer: &mut Writer,
    ) {
        writer
            .open("delegation", self.ns)
            .open("forwarded", NS_FORWARD)
            .open("iq", NS_CLIENT);
        writer.attr("type", if answer.is_ok() { "result" } else { "error" });
        writer
            .attr("from", self.to)
            .attr("to", self.from.as_str())
            .attr("id", self.id);
        match answer {
            Ok(write) => write(writer),
            Err(error) => error.write_in(NS_CLIENT, writer),
        }
        writer.close().close().close();
    }
}

/// Whether disco#info at `node` asks which features the server may call its own (§7.2).
#[must_use]
pub fn is_disco_node(node: &str) -> bool {
    NS.iter().any(|ns| {
        node.strip_prefix(ns)
            .is_some_and(|rest| rest.starts_with("::") || rest.starts_with(":bare:"))
    })
}

/// Writes the answer to that. `ice`: we have servers to tell of.
pub fn write_features(node: &str, ice: bool, writer: &mut Writer) {
    writer.open("query", disco::NS_INFO).attr("node", node);
    // Of the server itself, not of the bare JIDs of its people.
    let asked = node.rsplit_once("::").map(|(_, ns)| ns);
    let served = extdisco::NAMESPACES.into_iter();
    if let Some(ns) = served.filter(|_| ice).find(|ns| asked == Some(ns)) {
        writer
            .open("feature", disco::NS_INFO)
            .attr("var", ns)
            .close();
    }
    writer.close();
}

/// XEP-0355 in the version of ejabberd 23 and in today's.
const NS: [&str; 2] = ["urn:xmpp:delegation:1", "urn:xmpp:delegation:2"];
