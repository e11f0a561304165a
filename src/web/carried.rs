use super::NS;
use crate::xml::{Element, NS_CLIENT, NS_COMPONENT, NS_FORWARD, Writer};

/// `<carried/>`: a stanza that a device received, handed to the service (XEP-0297, Stanza
/// Forwarding).
#[derive(Clone, Debug)]
pub struct Carried<'a> {
    /// The stanza that somebody said something with.
    pub stanza: Element<'a>,
    /// How the device came by it.
    pub copy: Copy<'a>,
    /// When servers first held it back, as XEP-0203 stamps: of the stanza itself, of its copy, and
    /// of what was forwarded.
    pub delays: Vec<&'a str>,
}

/// How a device came by a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy<'a> {
    /// It was sent to this device.
    Original,
    /// A carbon of what another device of the person sent (XEP-0280), and who says so.
    Sent(Option<&'a str>),
    /// A carbon of what another device of the person received.
    Received(Option<&'a str>),
}

impl<'a> Carried<'a> {
    /// Reads the element; `None` if it does not hold one stanza, or a carbon of one.
    #[must_use]
    pub fn read(carried: Element<'a>) -> Option<Self> {
        let mut delays = Vec::new();
        let outer = forwarded(carried, &mut delays)?;
        let carbon = outer.children().find(|child| child.ns() == NS_CARBONS);
        let (stanza, copy) = match carbon {
            Some(carbon) if outer.name() == "message" => {
                let by = outer.attr("from");
                let copy = match carbon.name() {
                    "sent" => Copy::Sent(by),
                    "received" => Copy::Received(by),
                    _ => return None,
                };
                (forwarded(carbon, &mut delays)?, copy)
            }
            _ => (outer, Copy::Original),
        };
        Some(Self {
            stanza,
            copy,
            delays,
        })
    }

    /// Writes the element around the stanza that `write` writes in [`NS_CLIENT`].
    pub fn write(writer: &mut Writer, write: &dyn Fn(&mut Writer)) {
        writer.open("carried", NS).open("forwarded", NS_FORWARD);
        write(writer);
        writer.close().close();
    }
}

/// The stanza in `<forwarded/>`, and the stamps beside and in it.
fn forwarded<'a>(holder: Element<'a>, delays: &mut Vec<&'a str>) -> Option<Element<'a>> {
    let forwarded = holder.child("forwarded", NS_FORWARD)?;
    let stanza = forwarded.children().find(|child| {
        // A device that names no namespace means its own stream's.
        [NS_CLIENT, NS_COMPONENT, NS_FORWARD].contains(&child.ns())
            && ["iq", "message"].contains(&child.name())
    })?;
    for held in [forwarded, stanza] {
        delays.extend(
            held.children()
                .filter(|child| child.is("delay", NS_DELAY))
                .map(|delay| delay.attr("stamp").unwrap_or_default()),
        );
    }
    Some(stanza)
}

/// XEP-0280 §1.
const NS_CARBONS: &str = "urn:xmpp:carbons:2";
/// XEP-0203 §2.
const NS_DELAY: &str = "urn:xmpp:delay";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn document(inner: &str) -> Document {
        let xml = format!(
            "<carried xmlns='urn:x-campana:sdp:0'><forwarded xmlns='urn:xmpp:forward:0'>{inner}\
             </forwarded></carried>"
        );
        Document::parse(xml.as_bytes(), NS_COMPONENT, &Limits::default()).unwrap()
    }

    #[test]
    fn a_stanza_is_read_with_and_without_its_namespace() {
        for ns in ["", " xmlns='jabber:client'"] {
            let document = document(&format!(
                "<message{ns} from='a@b/c'><x xmlns='y'/></message>"
            ));
            let carried = Carried::read(document.root()).unwrap();
            assert_eq!(carried.copy, Copy::Original);
            assert_eq!(carried.stanza.attr("from"), Some("a@b/c"));
        }
    }

    #[test]
    fn a_carbon_says_who_says_so_and_how_old_it_is() {
        let document = document(
            "<message xmlns='jabber:client' from='j@b'><received xmlns='urn:xmpp:carbons:2'>\
             <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='1'/>\
             <message xmlns='jabber:client' from='a@b/c'><delay xmlns='urn:xmpp:delay' stamp='2'/>\
             </message></forwarded></received></message>",
        );
        let carried = Carried::read(document.root()).unwrap();
        assert_eq!(carried.copy, Copy::Received(Some("j@b")));
        assert_eq!(carried.stanza.attr("from"), Some("a@b/c"));
        assert_eq!(carried.delays, ["1", "2"]);
    }

    #[test]
    fn anything_else_is_nothing() {
        for inner in [
            "",
            "<presence xmlns='jabber:client'/>",
            "<iq xmlns='urn:x'/>",
        ] {
            assert!(Carried::read(document(inner).root()).is_none(), "{inner}");
        }
    }
}
