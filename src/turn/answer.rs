//! Requests: who may ask, what is answered, and how the answer is protected.

use std::time::Instant;

use super::{
    FiveTuple, Server, Transport,
    allocate::Made,
    auth::{Failure, Identity, Signer},
    requests::Refusal,
    server::REPLY,
};
use crate::stun::{Attribute, AttributeType, Class, Message, Method, TransactionId, Writer};

impl Server {
    /// Answers a request into `space`; nothing when it is to be answered later or never.
    pub(super) fn request(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        method: Method,
        space: &mut [u8; REPLY],
    ) -> Option<usize> {
        let client = five_tuple.client;
        // Nobody connects from an address that is not his.
        let may_be_forged = five_tuple.transport == Transport::Udp;
        if method == Method::BINDING {
            if may_be_forged && !self.shared.common().bindings.admits(now, client.ip()) {
                self.counters.dropped.replies += 1;
                return None;
            }
            let result = understood(message);
            return self.answer(message, None, space, result, |reply| {
                reply.attribute(&Attribute::XorMappedAddress(client));
            });
        }
        self.expire(now);
        let unix = self.unix(now);
        let identity = self.auth.authenticate(now, unix, client, message);
        let identity = match identity {
            Ok(identity) => identity,
            Err(failure) => {
                failure.count(&mut self.counters.auth);
                // A stale nonce is complained of to those alone who have the password: they keep what
                // they have when somebody floods us in the name of their network.
                let is_stranger = may_be_forged && failure != Failure::StaleNonce;
                if is_stranger && !self.shared.common().challenges.admits(now, client.ip()) {
                    self.counters.dropped.replies += 1;
                    return None;
                }
                let mut reply = Writer::new(space, Class::Error, method, message.transaction());
                // The reason phrase is empty: it would make the reply larger than the request needs.
                reply.attribute(&Attribute::ErrorCode {
                    code: failure.code(),
                    reason: "",
                });
                if failure.code() != 400 {
                    self.auth.challenge(now, client, &mut reply);
                }
                return finish(&mut reply, message.has_fingerprint());
            }
        };
        self.authenticated(now, five_tuple, message, &identity, space)
    }

    fn authenticated(
        &mut self,
        now: Instant,
        five_tuple: &FiveTuple,
        message: &Message<'_>,
        identity: &Identity<'_>,
        space: &mut [u8; REPLY],
    ) -> Option<usize> {
        let signer = Some(&identity.signer);
        if let Err(refusal) = understood(message) {
            return self.answer(message, signer, space, Err(refusal), |_| {});
        }
        match message.method() {
            Method::ALLOCATE => match self.allocate(now, five_tuple, message, identity) {
                Ok(None) => None,
                Ok(Some(made)) => self.answer(message, signer, space, Ok(()), |reply| {
                    made.write(reply);
                }),
                Err(refusal) => self.answer(message, signer, space, Err(refusal), |_| {}),
            },
            Method::REFRESH => {
                let result = self.refresh(now, five_tuple, message, identity);
                let lifetime = result.unwrap_or_default();
                self.answer(message, signer, space, result.map(|_| ()), |reply| {
                    reply.attribute(&Attribute::Lifetime(lifetime));
                })
            }
            Method::CREATE_PERMISSION => {
                let result = self.create_permission(now, five_tuple, message, identity);
                self.answer(message, signer, space, result, |_| {})
            }
            _ => {
                let result = self.channel_bind(now, five_tuple, message, identity);
                self.answer(message, signer, space, result, |_| {})
            }
        }
    }

    fn answer(
        &mut self,
        message: &Message<'_>,
        signer: Option<&Signer>,
        space: &mut [u8; REPLY],
        result: Result<(), Refusal>,
        success: impl FnOnce(&mut Writer<'_>),
    ) -> Option<usize> {
        let class = if result.is_ok() {
            Class::Success
        } else {
            Class::Error
        };
        let mut reply = Writer::new(space, class, message.method(), message.transaction());
        match result {
            Ok(()) => {
                self.counters.requests += 1;
                success(&mut reply);
            }
            Err(refusal) => {
                if signer.is_some() {
                    self.counters.requests_refused += 1;
                    refusal.count(&mut self.counters.refused);
                }
                refusal.write(message, signer.is_none(), &mut reply);
            }
        }
        if let Some(signer) = signer {
            signer.sign(&mut reply);
        }
        finish(&mut reply, message.has_fingerprint())
    }

    /// The answer to an Allocate request that had to wait for sockets.
    pub(super) fn late_answer(
        &mut self,
        transaction: TransactionId,
        signer: &Signer,
        fingerprint: bool,
        space: &mut [u8; REPLY],
        result: Result<Made, Refusal>,
    ) -> Option<usize> {
        let class = if result.is_ok() {
            Class::Success
        } else {
            Class::Error
        };
        let mut reply = Writer::new(space, class, Method::ALLOCATE, transaction);
        match result {
            Ok(made) => {
                self.counters.requests += 1;
                made.write(&mut reply);
            }
            Err(refusal) => {
                self.counters.requests_refused += 1;
                refusal.count(&mut self.counters.refused);
                reply.attribute(&refusal.error_code());
            }
        }
        signer.sign(&mut reply);
        finish(&mut reply, fingerprint)
    }
}

/// The first types that have to be understood and are not, each once (RFC 8489 §6.3.1).
///
/// RFC 8656 §7.2 item 4: a server that cannot set DF treats DONT-FRAGMENT as one of them.
pub(super) fn unknown_attributes(message: &Message<'_>, most: usize) -> Vec<AttributeType> {
    let mut types = Vec::new();
    for raw in message.attributes() {
        let kind = raw.kind;
        let is_unknown = kind.is_comprehension_required()
            && (!kind.is_known() || kind == AttributeType::DONT_FRAGMENT);
        if is_unknown && types.len() < most && !types.contains(&kind) {
            types.push(kind);
        }
    }
    types
}

fn understood(message: &Message<'_>) -> Result<(), Refusal> {
    match unknown_attributes(message, 1)[..] {
        [] => Ok(()),
        [..] => Err(Refusal::Unknown),
    }
}

fn finish(reply: &mut Writer<'_>, fingerprint: bool) -> Option<usize> {
    if fingerprint {
        reply.fingerprint();
    }
    reply.finish().ok()
}
