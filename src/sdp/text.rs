//! Strings that can not break out of the place in SDP they are written to.

use std::fmt;
use std::ops::Deref;

use compact_str::{CompactString, ToCompactString as _};

/// The string does not fit the grammar that its place demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct Unfit(&'static str);

/// Makes a string type whose only constructor checks.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $label:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);

        impl $name {
            /// Checks and keeps the string.
            ///
            /// # Errors
            /// When it does not fit the grammar.
            pub fn new(text: &str) -> Result<Self, Unfit> {
                if $check(text) { Ok(Self(text.into())) } else { Err(Unfit($label)) }
            }

            /// A literal that is known to fit; checked in debug builds only.
            #[allow(dead_code, reason = "not every type is made from literals")]
            pub(crate) fn literal(text: &'static str) -> Self {
                debug_assert!($check(text), "not a {}: {text}", $label);
                Self(CompactString::const_new(text))
            }

            /// The string.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Shows the string in `Debug`: everything but secrets.
macro_rules! plain_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )*};
}

checked_text!(
    /// `token` of RFC 8866 §9.
    Token, "token", is_token
);
checked_text!(
    /// `non-ws-string` of RFC 8866 §9: visible characters, no blank.
    Word, "word without blanks", is_word
);
checked_text!(
    /// `byte-string` of RFC 8866 §9, or nothing: anything but NUL, CR and LF.
    ByteString, "line of text", is_byte_string
);
checked_text!(
    /// `ufrag` of RFC 8839 §5.4, or what stands in its place: see [`Self::is_lawful`].
    IceUfrag, "ufrag of at most 256 visible characters", is_credential
);
checked_text!(
    /// `password` of RFC 8839 §5.4, or what stands in its place: see [`Self::is_lawful`]. `Debug`
    /// does not show it.
    IcePwd, "pwd of at most 256 visible characters", is_credential
);

impl IceUfrag {
    /// Whether browsers begin ICE with it: the 4 to 256 ice-chars of RFC 8839 §5.4, or what else
    /// libwebrtc and Firefox take for them.
    pub fn is_lawful(&self) -> bool {
        self.len() >= 4 && self.bytes().all(is_ice_char)
    }
}

impl IcePwd {
    /// Whether browsers begin ICE with it: the 22 to 256 ice-chars of RFC 8839 §5.4, or what else
    /// libwebrtc and Firefox take for them.
    pub fn is_lawful(&self) -> bool {
        self.len() >= 22 && self.bytes().all(is_ice_char)
    }
}

plain_debug!(Token, Word, ByteString, IceUfrag);

impl fmt::Debug for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePwd(…)")
    }
}

impl From<Token> for Word {
    fn from(token: Token) -> Self {
        Self(token.0)
    }
}

impl From<Word> for ByteString {
    fn from(word: Word) -> Self {
        Self(word.0)
    }
}

impl From<u64> for Word {
    fn from(number: u64) -> Self {
        Self(number.to_compact_string())
    }
}

impl From<u8> for Token {
    fn from(number: u8) -> Self {
        Self(number.to_compact_string())
    }
}

/// `token-char` of RFC 8866 §9.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            matches!(byte,
                0x21 | 0x23..=0x27 | 0x2A..=0x2B | 0x2D..=0x2E | 0x30..=0x39 | 0x41..=0x5A
                | 0x5E..=0x7E)
        })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte > 0x20 && byte != 0x7F)
}

fn is_byte_string(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

fn is_credential(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Base64 for URLs, and with its padding, is no ice-char, and is written all the same.
fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_takes_a_line_break() {
        for text in [
            "a\rb",
            "a\nb",
            "a\0b",
            "\n",
            "abcd\n",
            "aaaaaaaaaaaaaaaaaaaaaa\r",
        ] {
            assert!(Token::new(text).is_err());
            assert!(Word::new(text).is_err());
            assert!(ByteString::new(text).is_err());
            assert!(IceUfrag::new(text).is_err());
            assert!(IcePwd::new(text).is_err());
        }
    }

    #[test]
    fn ice_lengths_are_those_of_rfc_8839() {
        assert!(!IceUfrag::new("abc").unwrap().is_lawful());
        for text in ["abc+", "ab/c", "ab-c", "ab_c", "abc=", "ab#c"] {
            assert!(IceUfrag::new(text).unwrap().is_lawful(), "{text}");
        }
        for text in ["ab%c", "ab:c", "ab!c", "ab\"c"] {
            assert!(!IceUfrag::new(text).unwrap().is_lawful(), "{text}");
        }
        assert!(!IcePwd::new(&"a".repeat(21)).unwrap().is_lawful());
        assert!(IcePwd::new(&"a".repeat(256)).unwrap().is_lawful());
        assert!(IcePwd::new(&"a".repeat(257)).is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        let pwd = IcePwd::new("0123456789012345678901").unwrap();
        assert!(!format!("{pwd:?}").contains("0123"));
    }
}
