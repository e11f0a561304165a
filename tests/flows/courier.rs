//! What `web/courier.js` does, for flows: a device that carries calls.
//!
//! It hands in Jingle and XEP-0353 that come for its device, sends what the service asks it to, and
//! gives each reply to whom it belongs.

use std::collections::HashMap;

use campana::web::{self, Carried};
use campana::xml::{Document, Element, Limits, NS_CLIENT, NS_COMPONENT, Writer};

/// The carrying devices of a flow.
#[derive(Default)]
pub(crate) struct Couriers {
    pub(crate) devices: Vec<String>,
    /// Our requests to a peer, by its address and the id: which device, and the service's id.
    asked: HashMap<(String, String), (String, String)>,
    /// Requests handed in, by device and id: who asked, and with which id.
    handed: HashMap<(String, String), (String, String)>,
    /// That messages are on their way.
    sent: Vec<Document>,
    next: u32,
}

impl Couriers {
    /// What arrives at the gateway when a stanza is sent: itself, or what devices make of it.
    pub(crate) fn hand_in(&mut self, stanza: Document, is_reply: bool) -> Vec<Document> {
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default().to_owned();
        let (from, to, id) = (attr("from"), attr("to"), attr("id"));
        let kind = attr("type");
        let receivers: Vec<String> = self
            .devices
            .iter()
            .filter(|device| **device == to || device.split('/').next() == Some(&to))
            .cloned()
            .collect();
        if receivers.is_empty() {
            assert!(
                is_reply || to.ends_with("call.example.org") || to.contains("@call.example.org/"),
                "nobody carries for {to}"
            );
            return vec![stanza];
        }
        if root.name() == "iq" && ["result", "error"].contains(&kind.as_str()) {
            let Some((device, outer)) = self.asked.remove(&(from, id)) else {
                return Vec::new();
            };
            let mut writer = Writer::new(NS_COMPONENT);
            writer.open("iq", NS_COMPONENT).attr("type", &kind);
            writer
                .attr("from", &device)
                .attr("to", SERVICE)
                .attr("id", &outer);
            for error in root.children().filter(|child| child.name() == "error") {
                writer.element(error);
            }
            return vec![parse(&writer.finish())];
        }
        receivers
            .iter()
            .map(|device| {
                let handed = self.wrap(device, &stanza);
                let outer = handed.root().attr("id").unwrap().to_owned();
                let asked = (from.clone(), id.clone());
                self.handed.insert((device.clone(), outer), asked);
                handed
            })
            .collect()
    }

    /// What devices told the service meanwhile.
    pub(crate) fn take_sent(&mut self) -> Vec<Document> {
        std::mem::take(&mut self.sent)
    }

    /// A stanza as a device hands it in.
    pub(crate) fn wrap(&mut self, device: &str, stanza: &Document) -> Document {
        let root = stanza.root();
        self.next += 1;
        let outer = format!("h{}", self.next);
        let mut writer = Writer::new(NS_COMPONENT);
        writer.open("iq", NS_COMPONENT).attr("type", "set");
        writer
            .attr("from", device)
            .attr("to", SERVICE)
            .attr("id", &outer);
        Carried::write(&mut writer, &|writer| {
            writer.element_in(root, NS_COMPONENT, NS_CLIENT);
        });
        parse(&writer.finish())
    }

    /// Whether a device carries for this address.
    pub(crate) fn carry_for(&self, to: &str) -> bool {
        let carries = |device: &String| device == to || device.split('/').next() == Some(to);
        self.devices.iter().any(carries)
    }

    /// What a stanza of the gateway is once its device has done its part: itself, or what the
    /// device sends.
    pub(crate) fn send_on(&mut self, stanza: Document) -> Document {
        let root = stanza.root();
        let attr = |name: &str| root.attr(name).unwrap_or_default().to_owned();
        let (device, id) = (attr("to"), attr("id"));
        if !self.devices.contains(&device) {
            return stanza;
        }
        if let Some((peer, asked)) = self.handed.remove(&(device.clone(), id.clone())) {
            let mut writer = Writer::new(NS_COMPONENT);
            writer.open("iq", NS_COMPONENT).attr("type", attr("type"));
            writer
                .attr("from", &device)
                .attr("to", &peer)
                .attr("id", &asked);
            root.children().for_each(|child| {
                writer.element(child);
            });
            return parse(&writer.finish());
        }
        let Some(inner) = root.child("carried", web::NS).and_then(inner) else {
            return stanza;
        };
        assert_eq!(inner.attr("from"), Some(device.as_str()), "{stanza:?}");
        let mut writer = Writer::new(NS_COMPONENT);
        writer.element_in(inner, NS_CLIENT, NS_COMPONENT);
        let sent = parse(&writer.finish());
        let attr = |name: &str| inner.attr(name).unwrap_or_default().to_owned();
        // A message is on its way at once; the reply to a request is the peer's.
        if inner.name() == "message" {
            let result = format!("<iq type='result' from='{device}' to='{SERVICE}' id='{id}'/>");
            self.sent.push(parse(&result));
        } else {
            self.asked.insert((attr("to"), attr("id")), (device, id));
        }
        sent
    }
}

fn inner(carried: Element<'_>) -> Option<Element<'_>> {
    carried.children().next()?.children().next()
}

fn parse(xml: &str) -> Document {
    Document::parse(xml.as_bytes(), NS_COMPONENT, &Limits::default())
        .unwrap_or_else(|error| panic!("{error}: {xml}"))
}

const SERVICE: &str = "call.example.org";
