use std::borrow::Cow;
use std::fmt::Write;

use crate::xml::is_xml_char;

/// The text with those characters written by number that are not seen, or that turn around or break
/// what stands beside them; line feeds and tabs stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => true,
        c => c.is_control() || !is_xml_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_shown_by_number() {
        for (text, shown) in [
            ("plain\n\t<b>", "plain\n\t<b>"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}"),
            ("\u{0}\r\u{ffff}", "\\u{0}\\u{d}\\u{ffff}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
