//! Long-term credentials (RFC 8489 §9.2) with nonces that need no memory.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use data_encoding::BASE64_NOPAD;
use ring::hmac;

use super::counters::AuthFailures;
use crate::{
    credentials::{Refusal, Secrets, Username},
    stun::{Algorithm, Algorithms, Attribute, AttributeType, Key, Message, Writer},
};

/// Lets requests in, or says why not.
#[derive(Debug)]
pub(super) struct Authenticator {
    realm: String,
    secrets: Secrets,
    nonce_key: hmac::Key,
    /// Nonces count their seconds from here.
    epoch: Instant,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    /// The whole user name, which all requests of an allocation share.
    pub(super) username: &'a str,
    /// Whom quotas are for.
    pub(super) person: &'a str,
    /// Signs the replies.
    pub(super) signer: Signer,
}

/// How replies to an authenticated request are protected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signer {
    key: Key,
    integrity: Integrity,
}

/// Which integrity attributes a reply has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Integrity {
    Sha1,
    Sha256,
    Both,
}

impl Signer {
    pub(super) fn sign(&self, reply: &mut Writer<'_>) {
        if self.integrity != Integrity::Sha256 {
            reply.integrity(&self.key);
        }
        if self.integrity != Integrity::Sha1 {
            reply.integrity_sha256(&self.key);
        }
    }
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    BadRequest,
    Challenged,
    Expired,
    StaleNonce,
    UnknownUser,
    WrongPassword,
}

impl Failure {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Challenged | Self::Expired | Self::UnknownUser | Self::WrongPassword => 401,
            Self::StaleNonce => 438,
        }
    }

    pub(super) fn count(self, counters: &mut AuthFailures) {
        let counter = match self {
            Self::BadRequest => &mut counters.bad_request,
            Self::Challenged => &mut counters.challenged,
            Self::Expired => &mut counters.expired,
            Self::StaleNonce => &mut counters.stale_nonce,
            Self::UnknownUser => &mut counters.unknown_user,
            Self::WrongPassword => &mut counters.wrong_password,
        };
        *counter += 1;
    }
}

impl Authenticator {
    pub(super) fn new(realm: String, secrets: Secrets, nonce_key: [u8; 32], now: Instant) -> Self {
        Self {
            realm,
            secrets,
            nonce_key: hmac::Key::new(hmac::HMAC_SHA256, &nonce_key),
            epoch: now,
        }
    }

    /// The checks of RFC 8489 §9.2.4, in its order.
    pub(super) fn authenticate<'a>(
        &self,
        now: Instant,
        unix: u64,
        client: SocketAddr,
        message: &Message<'a>,
    ) -> Result<Identity<'a>, Failure> {
        if !message.has_integrity() {
            return Err(Failure::Challenged);
        }
        let hash = message.attribute(AttributeType::USERHASH);
        // Whoever sends both does not make the hash one that we can know.
        let username = message.attribute(AttributeType::USERNAME);
        let username = username.filter(|_| hash.is_none());
        let named = username.is_some() || hash.is_some();
        let realm = message.attribute(AttributeType::REALM);
        let (true, Some(_), Some(nonce)) = (named, realm, message.attribute(AttributeType::NONCE))
        else {
            return Err(Failure::BadRequest);
        };
        let algorithm = self.algorithm(message, nonce)?;

        // All that follows is computed for users that cannot exist, too, so that neither size nor
        // time of a refusal tells them from a wrong password.
        let raw = username.unwrap_or_default();
        let text = std::str::from_utf8(raw).unwrap_or_default();
        let mut signer = None;
        for password in self.secrets.passwords(text) {
            let key = Key::long_term(
                algorithm.unwrap_or(Algorithm::Md5),
                raw,
                self.realm.as_bytes(),
                password.as_bytes(),
            );
            if message.verify(&key) && signer.is_none() {
                // A request "processed as though PASSWORD-ALGORITHM were MD5" is answered with
                // MESSAGE-INTEGRITY, all others with MESSAGE-INTEGRITY-SHA256. There are clients
                // that name MD5 and know nothing but MESSAGE-INTEGRITY: for them it is there, too.
                let integrity = match (algorithm, message.has_integrity_sha256()) {
                    (None, _) => Integrity::Sha1,
                    (Some(_), true) => Integrity::Sha256,
                    (Some(_), false) => Integrity::Both,
                };
                signer = Some(Signer { key, integrity });
            }
        }
        let user = Username::parse(text).map_err(|_| Failure::UnknownUser)?;
        let signer = signer.ok_or(Failure::WrongPassword)?;
        match user.check(unix) {
            Err(Refusal::Expired) => return Err(Failure::Expired),
            Err(_) => return Err(Failure::UnknownUser),
            Ok(()) => {}
        }
        if !self.is_fresh(now, client, nonce) {
            return Err(Failure::StaleNonce);
        }
        Ok(Identity {
            username: text,
            person: user.person,
            signer,
        })
    }

    /// What a client needs for its next try, and nothing that makes the reply larger.
    pub(super) fn challenge(&self, now: Instant, client: SocketAddr, reply: &mut Writer<'_>) {
        let nonce = self.nonce(self.seconds(now), client);
        reply
            .attribute(&Attribute::Realm(&self.realm))
            .attribute(&Attribute::Nonce(&nonce))
            .raw(AttributeType::PASSWORD_ALGORITHMS, ALGORITHMS);
    }

    /// The algorithm a request names; none when it knows of none, which means MD5.
    ///
    /// This is the bid-down protection: a nonce of ours says that we sent PASSWORD-ALGORITHMS, so
    /// whoever took that from our reply, or changed it, is found out here.
    fn algorithm(&self, message: &Message<'_>, nonce: &[u8]) -> Result<Option<Algorithm>, Failure> {
        let list = message.attribute(AttributeType::PASSWORD_ALGORITHMS);
        let chosen = message.attribute(AttributeType::PASSWORD_ALGORITHM);
        if !nonce.starts_with(COOKIE) {
            // Not a nonce of ours: refused as stale, whatever else is right. Still the key has to be
            // that of the algorithm the client took, or it would be told that its password is wrong.
            let chosen = chosen.and_then(Algorithms::new);
            let number = chosen.and_then(|it| it.iter().next()).map(|it| it.0);
            return Ok(number.and_then(Algorithm::from_number));
        }
        match (list, chosen) {
            (None, None) => Ok(None),
            (Some(list), Some(chosen)) if list == ALGORITHMS => {
                let mut entries = Algorithms::new(chosen).ok_or(Failure::BadRequest)?.iter();
                match (entries.next(), entries.next()) {
                    (Some((number, [])), None) => Algorithm::from_number(number)
                        .map(Some)
                        .ok_or(Failure::BadRequest),
                    _ => Err(Failure::BadRequest),
                }
            }
            _ => Err(Failure::BadRequest),
        }
    }

    fn is_fresh(&self, now: Instant, client: SocketAddr, nonce: &[u8]) -> bool {
        let Some(made) = nonce
            .strip_prefix(COOKIE)
            .and_then(|text| BASE64_NOPAD.decode(text).ok())
            .and_then(|bytes| bytes.first_chunk().copied().map(u32::from_be_bytes))
        else {
            return false;
        };
        let expected = self.nonce(made, client);
        let difference = expected
            .iter()
            .zip(nonce)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        let genuine = expected.len() == nonce.len() && std::hint::black_box(difference) == 0;
        let age = self.seconds(now).checked_sub(made);
        genuine && age.is_some_and(|age| u64::from(age) < NONCE_LIFETIME.as_secs())
    }

    /// The cookie of RFC 8489 §9.2, the second it was made, and a MAC over that and the client.
    ///
    /// §9.2.4: "The server MUST NOT choose the same NONCE for two requests unless they have the same
    /// source IP address and port".
    fn nonce(&self, made: u32, client: SocketAddr) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.nonce_key);
        context.update(&made.to_be_bytes());
        match client.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&client.port().to_be_bytes());
        let mut bytes = made.to_be_bytes().to_vec();
        bytes.extend(context.sign().as_ref().iter().take(NONCE_MAC));
        let mut nonce = COOKIE.to_vec();
        nonce.extend(BASE64_NOPAD.encode(&bytes).into_bytes());
        nonce
    }

    fn seconds(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.epoch).as_secs();
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

/// RFC 8489 §9.2: "obMatJos2" and the base64 of the security features, of which bit 0, password
/// algorithms (§18.1), is set and bit 1, username anonymity, is not.
const COOKIE: &[u8] = b"obMatJos2gAAA";

/// PASSWORD-ALGORITHMS: SHA-256, then MD5, both without parameters.
const ALGORITHMS: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];

/// RFC 8656 §5: the server "SHOULD expire the nonce at least once every hour".
const NONCE_LIFETIME: Duration = Duration::from_secs(3600);

/// 80 bits: with them the first reply stays within 96 bytes.
const NONCE_MAC: usize = 10;
