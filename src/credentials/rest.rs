//! TURN REST: the user name is `expiry:person`, the password base64(HMAC-SHA1(secret, user name)).
//!
//! Whoever has the secret can mint, so coturn and eturnal can stand beside or instead of our own
//! server. HMAC-SHA1 is what they all use; its weakness against collisions does not matter here.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha1::{Digest as _, Sha1};

/// What a client needs to use TURN.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    /// `expiry:person`
    pub username: String,
    /// For the eyes of that person only.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// Credentials for `person`, good until `expires_unix` (seconds since 1970).
#[must_use]
pub fn mint(secret: &Secret, person: &str, expires_unix: u64) -> Credentials {
    let username = username(person, expires_unix);
    let password = secret.password(&username);
    Credentials { username, password }
}

/// The user name of credentials for `person` that are good until `expires_unix`.
#[must_use]
pub fn username(person: &str, expires_unix: u64) -> String {
    format!("{expires_unix}:{person}")
}

/// A secret shared with somebody: those who mint TURN credentials and those who check them, or an
/// XMPP server and its component. It is never printed.
#[derive(Clone, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "String")]
pub struct Secret(String);

impl Secret {
    /// A secret as it stands in the configuration.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Whether there is nothing in it, so that anybody could mint.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The password that belongs to a user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        // RFC 2104 §2: keys longer than a block are hashed; all are padded with zeros to its size.
        let mut block = [0; 64];
        let secret = self.0.as_bytes();
        let hash = (secret.len() > block.len()).then(|| Sha1::digest(secret));
        let key = hash.as_ref().map_or(secret, |hash| hash.as_slice());
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        let mac = Hmac::<Sha1>::new(&block.into()).chain_update(username);
        BASE64.encode(&mac.finalize().into_bytes())
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret in force and, while clients still hold credentials of it, the one before.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// New credentials are minted with this one.
    pub current: Secret,
    /// Credentials minted with this one are still taken.
    pub previous: Option<Secret>,
}

impl Secrets {
    /// Only one secret.
    #[must_use]
    pub fn new(current: Secret) -> Self {
        Self {
            current,
            previous: None,
        }
    }

    /// Each password that is right for a user name, the current one first.
    pub fn passwords(&self, username: &str) -> impl Iterator<Item = String> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .map(move |secret| secret.password(username))
    }
}

/// A user name that came with a request, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Username<'a> {
    /// Seconds since 1970; at that second it is over.
    pub expires_unix: u64,
    /// What follows the colon.
    pub person: &'a str,
}

impl<'a> Username<'a> {
    /// Takes a user name apart. The expiry is decimal digits and nothing else, at most 2^32.
    ///
    /// # Errors
    ///
    /// [`Refusal::Malformed`] for everything that `mint` does not make, and for what no USERNAME
    /// holds (RFC 8489 §14.3: "fewer than 509 bytes").
    pub fn parse(username: &'a str) -> Result<Self, Refusal> {
        let (expiry, person) = username.split_once(':').ok_or(Refusal::Malformed)?;
        let digits = !expiry.is_empty() && expiry.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || expiry.len() > 10 || (expiry.len() > 1 && expiry.starts_with('0')) {
            return Err(Refusal::Malformed);
        }
        let expires_unix = expiry.parse().map_err(|_| Refusal::Malformed)?;
        if expires_unix > MAX_EXPIRY || person.is_empty() || username.len() > LONGEST {
            return Err(Refusal::Malformed);
        }
        Ok(Self {
            expires_unix,
            person,
        })
    }

    /// Says no when the time is over.
    ///
    /// # Errors
    ///
    /// [`Refusal::Expired`].
    pub fn check(&self, unix: u64) -> Result<(), Refusal> {
        if unix < self.expires_unix {
            Ok(())
        } else {
            Err(Refusal::Expired)
        }
    }
}

/// Why a user name is not taken. The client is told only that it was not.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its time is over.
    #[error("credentials expired")]
    Expired,
    /// Not of the form `expiry:person`.
    #[error("malformed user name")]
    Malformed,
}

const MAX_EXPIRY: u64 = 1 << 32;

/// RFC 8489 §14.3
const LONGEST: usize = 508;

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn the_password_is_that_of_other_servers() {
        let credentials = mint(&Secret::new("north"), "juliet", 1_800_000_000);
        assert_eq!(credentials.username, "1800000000:juliet");
        assert_eq!(credentials.password, "1Xu8h0vYn7nOfUCnIHb4EwWzW9c=");
        let longer_than_a_block = Secret::new("north".repeat(20));
        assert_eq!(
            longer_than_a_block.password("1800000000:juliet"),
            "r0ObK/GWihUr84AGXA+KpHcn6d8="
        );
    }

    #[test]
    fn what_is_minted_is_taken_until_its_last_second() {
        let username = mint(&Secret::new("s"), "juliet@example.org", 1000).username;
        let username = Username::parse(&username).unwrap();
        assert_eq!(username.person, "juliet@example.org");
        assert_eq!(username.check(999), Ok(()));
        assert_eq!(username.check(1000), Err(Refusal::Expired));
    }

    #[test]
    fn malformed_names_are_refused() {
        for name in [
            "",
            "juliet",
            ":juliet",
            "1000:",
            "1000",
            "-1:juliet",
            "+1000:juliet",
            " 1000:juliet",
            "1000 :juliet",
            "01000:juliet",
            "1e9:juliet",
            "0x10:juliet",
            "4294967297:juliet",
            "18446744073709551617:juliet",
            "\u{661}\u{660}:juliet",
        ] {
            assert_eq!(Username::parse(name), Err(Refusal::Malformed), "{name}");
        }
        assert!(Username::parse("4294967296:juliet").is_ok());
        let of = |length: usize| format!("1:{}", "x".repeat(length - 2));
        assert!(Username::parse(&of(508)).is_ok());
        assert_eq!(Username::parse(&of(509)), Err(Refusal::Malformed));
    }

    #[test]
    fn both_secrets_of_a_rotation_have_a_password() {
        let secrets = Secrets {
            current: Secret::new("new"),
            previous: Some(Secret::new("old")),
        };
        let passwords: Vec<_> = secrets.passwords("1:a").collect();
        let expected = [Secret::new("new"), Secret::new("old")].map(|it| it.password("1:a"));
        assert_eq!(passwords, expected);
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = Secret::new("north");
        let credentials = mint(&secret, "juliet", 1);
        let shown = format!(
            "{secret:?} {credentials:?} {:?}",
            Secrets::new(secret.clone())
        );
        assert!(
            !shown.contains("north") && !shown.contains(&credentials.password),
            "{shown}"
        );
    }
}
