use data_encoding::BASE64;
use ring::hmac;
use ring::rand::SystemRandom;

use crate::credentials::Secret;

/// The admin token, compared in a time that tells nothing of it.
pub(super) struct Token {
    key: hmac::Key,
    expected: hmac::Tag,
}

impl Token {
    pub(super) fn new(token: &Secret) -> Self {
        // A key that nobody knows makes the time of the comparison useless; should the system give
        // none, the comparison of tags is still of constant time.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, token.expose().as_bytes()));
        let expected = hmac::sign(&key, token.expose().as_bytes());
        Self { key, expected }
    }

    /// Whether this value of an `Authorization` header holds the token.
    pub(super) fn admits(&self, header: &[u8]) -> bool {
        let Some(blank) = header.iter().position(|byte| *byte == b' ') else {
            return false;
        };
        let (scheme, rest) = header.split_at(blank);
        let given = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(given);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(pair) = BASE64.decode(given) else {
            return false;
        };
        let colon = pair.iter().position(|byte| *byte == b':');
        let password = colon.and_then(|colon| pair.get(colon + 1..));
        password.is_some_and(|password| self.is(password))
    }

    fn is(&self, given: &[u8]) -> bool {
        hmac::verify(&self.key, given, self.expected.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::new(&Secret::new("north:by"));
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        for right in [
            "Bearer north:by",
            "bearer  north:by ",
            &basic("admin:north:by"),
            &basic(":north:by"),
        ] {
            assert!(token.admits(right.as_bytes()), "{right}");
        }
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer north:b",
            "Bearer north:byy",
            "north:by",
            "Digest north:by",
            "Basic north:by",
            "Basic ====",
            &basic("north:by"),
            &basic("north"),
            &basic(""),
        ] {
            assert!(!token.admits(wrong.as_bytes()), "{wrong}");
        }
    }
}
