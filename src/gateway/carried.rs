//! What a device hands in that carries its person's calls, and what its app says of them.
//!
//! The device is trusted with the calls that it carries and with nothing else: whatever it hands in
//! is looked up under its own full JID.

use std::time::{Duration, Instant};

use jid::{BareJid, FullJid, Jid};
use xmpp_parsers::date::DateTime;

use super::iq::full;
use super::{Gateway, Inbound};
use crate::call::{self, Between};
use crate::jingle;
use crate::jingle::message::{Message, Step};
use crate::stanza::StanzaError;
use crate::web::{self, Carried, Copy, Media, Session};
use crate::xml::Element;

impl Gateway {
    /// A stanza that a device received. What the service answers, the device answers to its sender.
    pub(super) fn carried(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        payload: Element<'_>,
    ) -> Result<(), StanzaError> {
        let device = full(inbound)?;
        let carried = Carried::read(payload).ok_or_else(|| {
            StanzaError::bad_request("<carried/> holds one forwarded iq or message")
        })?;
        self.carries(&device)?;
        // A peer who asks twice is answered twice and heard once.
        let key = self
            .recently_carried
            .key_of(device.as_str(), carried.stanza);
        if let Some(answer) = self.recently_carried.get(now, key) {
            return answer.clone();
        }
        let answer = match carried.stanza.name() {
            "iq" => self.carried_iq(&device, &carried),
            _ => {
                self.carried_message(now, &device, &carried);
                Ok(())
            }
        };
        self.recently_carried.put(now, key, answer.clone());
        answer
    }

    /// What the app of a carrying device says of a call that it carries.
    pub(super) fn carried_session(
        &mut self,
        inbound: &Inbound<'_>,
        payload: Element<'_>,
    ) -> Result<(), StanzaError> {
        let device = full(inbound)?;
        let session =
            Session::read(payload).map_err(|e| StanzaError::bad_request(e.to_string()))?;
        let peer = session
            .peer
            .as_deref()
            .and_then(|peer| Jid::new(peer).ok())
            .filter(|peer| peer.node().is_some())
            .ok_or_else(|| StanzaError::bad_request("a call that is carried names its peer"))?;
        let person = peer.to_bare();
        if person == device.to_bare() {
            return Err(StanzaError::bad_request("nobody calls herself"));
        }
        self.carries(&device)?;
        if matches!(session.message, web::Message::Offer(_)) && !self.calls.is_device(&device) {
            self.refuse_new_calls()?;
        }
        let between = Between {
            from: &device,
            to: inbound.to,
            person: &person,
            through: Some(&device),
        };
        let (calls, mut cx) = self.calls();
        calls.handle_web(between, session, &mut cx)
    }

    fn carried_iq(&mut self, device: &FullJid, carried: &Carried<'_>) -> Result<(), StanzaError> {
        let stanza = carried.stanza;
        // No reply is carried, and no server makes copies of an iq.
        if stanza.attr("type") != Some("set") || carried.copy != Copy::Original {
            return Err(StanzaError::bad_request("only requests are carried"));
        }
        let payload = stanza
            .child("jingle", jingle::session::NS)
            .ok_or_else(StanzaError::service_unavailable)?;
        let peer = stranger(stanza, device)
            .and_then(|from| from.try_into_full().ok())
            .filter(|_| is_for(stanza, device))
            .ok_or_else(StanzaError::service_unavailable)?;
        let payload = call::read(payload)?;
        if payload.action == jingle::Action::SessionInitiate && !self.calls.is_device(device) {
            self.refuse_new_calls()?;
        }
        let person = device.to_bare();
        let between = Between {
            from: &peer,
            to: device.as_str(),
            person: &person,
            through: Some(device),
        };
        let (calls, mut cx) = self.calls();
        let result = calls.handle_jingle(between, &payload, &mut cx);
        self.meet(between);
        result
    }

    fn carried_message(&mut self, now: Instant, device: &FullJid, carried: &Carried<'_>) {
        let person = device.to_bare();
        if let Copy::Sent(by) | Copy::Received(by) = carried.copy
            && by.and_then(|by| BareJid::new(by).ok()).as_ref() != Some(&person)
        {
            // XEP-0280 §11: only her own server copies her messages.
            return;
        }
        let stanza = carried.stanza;
        let Some(message) = Message::of(stanza) else {
            return;
        };
        let Some(from) = stanza.attr("from").and_then(|from| Jid::new(from).ok()) else {
            return;
        };
        let is_error = stanza.attr("type") == Some("error");
        if from.to_bare() == person {
            // Whatever her own devices say is never the peer's word.
            if from.as_str() != device.as_str() && !is_error {
                let other = stanza
                    .attr("to")
                    .and_then(|to| BareJid::new(to.split('/').next()?).ok())
                    .filter(|to| *to != person);
                let (calls, mut cx) = self.calls();
                calls.handle_news(device, other.as_ref(), &message, &mut cx);
            }
            return;
        }
        if matches!(carried.copy, Copy::Sent(_)) || !is_for(stanza, device) {
            return;
        }
        if is_error {
            let (calls, mut cx) = self.calls();
            return calls.handle_bounce(&from.to_bare(), &person, Some(device), &message, &mut cx);
        }
        let Ok(peer) = from.try_into_full() else {
            return;
        };
        let held_back = self.held_back(now, &carried.delays);
        if matches!(message.step, Step::Propose(_))
            && (held_back >= self.config.call.ring_timeout() || self.drain_until.is_some())
        {
            return;
        }
        let between = Between {
            from: &peer,
            to: device.as_str(),
            person: &person,
            through: Some(device),
        };
        let (calls, mut cx) = self.calls();
        calls.handle_message(between, &message, held_back, &mut cx);
        self.meet(between);
    }

    /// For how long servers held a stanza back; for ever where a stamp says nothing.
    fn held_back(&self, now: Instant, stamps: &[&str]) -> Duration {
        let now = i64::try_from(self.unix(now)).unwrap_or(i64::MAX);
        stamps
            .iter()
            .map(|stamp| match stamp.trim().parse::<DateTime>() {
                Ok(at) => Duration::from_secs(
                    u64::try_from(now.saturating_sub(at.0.timestamp())).unwrap_or(0),
                ),
                Err(_) => Duration::MAX,
            })
            .max()
            .unwrap_or_default()
    }

    /// Whoever hands stanzas in, or calls by its own address, carries calls, whether or not its
    /// announcement arrived.
    fn carries(&mut self, device: &FullJid) -> Result<(), StanzaError> {
        let known = self.clients.registry.device(device);
        if known.is_some_and(|known| known.carry) {
            return Ok(());
        }
        let mut announced = known.unwrap_or_default();
        if known.is_none() {
            announced.media = Media::BOTH;
        }
        announced.carry = true;
        self.announced(device, announced)
    }
}

/// The sender, who is not the device's own person.
fn stranger(stanza: Element<'_>, device: &FullJid) -> Option<Jid> {
    let from = Jid::new(stanza.attr("from")?).ok()?;
    (from.to_bare() != device.to_bare()).then_some(from)
}

/// Whether a stanza was sent to the device, or to all of its person's.
fn is_for(stanza: Element<'_>, device: &FullJid) -> bool {
    let to = stanza.attr("to").and_then(|to| Jid::new(to).ok());
    to.is_none_or(|to| to == *device || to == device.to_bare())
}
