use crate::xml::Error;

use super::parser::malformed;

/// The attributes of a start tag as they stand there: name and value, neither checked nor resolved
/// (XML 1.0 §3.1).
#[derive(Clone, Debug)]
pub(super) struct RawAttributes<'a> {
    rest: &'a str,
}

impl<'a> RawAttributes<'a> {
    /// Out of what follows the element's name.
    pub(super) fn new(rest: &'a str) -> Self {
        Self { rest }
    }

    /// Cuts off the first attribute; `text` begins with its name.
    fn cut(&mut self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let end = text.find(|c| c == '=' || is_blank(c))?;
        let (name, text) = text.split_at_checked(end)?;
        let text = skip_blanks(text).strip_prefix('=')?;
        let text = skip_blanks(text);
        let quoted = text.strip_prefix('\'').map(|text| (b'\'', text));
        let (quote, text) = quoted.or_else(|| Some((b'"', text.strip_prefix('"')?)))?;
        let (value, rest) = text.split_at_checked(memchr::memchr(quote, text.as_bytes())?)?;
        self.rest = rest.get(1..)?;
        Some((name, value))
    }
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = Result<(&'a str, &'a str), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = std::mem::take(&mut self.rest);
        let text = skip_blanks(before);
        if text.is_empty() {
            return None;
        }
        if text.len() == before.len() {
            return Some(Err(malformed("no blank before an attribute")));
        }
        let attribute = self.cut(text);
        Some(attribute.ok_or_else(|| malformed("an attribute that is none")))
    }
}

/// Splits a name at its colon. Names are as Namespaces in XML §4 has them, looking no closer than
/// is needed for safe re-writing.
pub(super) fn split_name(name: &str) -> Result<(Option<&str>, &str), Error> {
    let (prefix, local) = match name.bytes().position(|byte| byte == b':') {
        Some(colon) => (name.get(..colon), name.get(colon + 1..).unwrap_or_default()),
        None => (None, name),
    };
    if prefix.is_none_or(is_name) && is_name(local) {
        Ok((prefix, local))
    } else {
        Err(malformed("an illegal name"))
    }
}

fn is_name(part: &str) -> bool {
    let mut chars = part.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{B7}'))
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

/// `S` of XML 1.0 §2.3.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
