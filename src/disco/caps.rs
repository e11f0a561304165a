use data_encoding::BASE64;
use ring::digest::{self, Algorithm};

use super::NS_INFO;
use crate::xml::Element;

/// What a presence says of the sender's features: a hash of its disco#info.
///
/// Two are equal when the hash is; which software names it does not matter.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Which XEP's hash it is.
    pub scheme: Scheme,
    /// The URI of the software, XEP-0115 §4; none in XEP-0390.
    node: Box<str>,
    /// The hash function, by its name in XEP-0300.
    algorithm: Box<str>,
    /// The hash, in Base64.
    hash: Box<str>,
}

/// How the input of the hash function is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// XEP-0115 §5.1.
    V1,
    /// XEP-0390 §4.1.
    V2,
}

impl PartialEq for Caps {
    fn eq(&self, other: &Self) -> bool {
        (self.scheme, &self.hash, &self.algorithm) == (other.scheme, &other.hash, &other.algorithm)
    }
}

impl Eq for Caps {}

impl std::hash::Hash for Caps {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.scheme.hash(state);
        self.hash.hash(state);
    }
}

impl Caps {
    /// Reads a presence. XEP-0390 is preferred where both are there and its hash function is known.
    ///
    /// XEP-0115's form of before version 1.4, without a hash function, says nothing that can be
    /// verified, but that there is something to ask.
    #[must_use]
    pub fn read(presence: Element<'_>) -> Option<Self> {
        let set = presence.child("c", NS_ECAPS2).into_iter();
        let mut hashes = set.flat_map(Element::children).filter_map(|hash| {
            let algorithm = hash.attr("algo").filter(|_| hash.is("hash", NS_HASHES))?;
            let text = hash.text();
            let value = text.trim();
            (algorithm_of(algorithm).is_some() && is_bounded(value))
                .then(|| Self::new(Scheme::V2, "", algorithm, value))
        });
        hashes.next().or_else(|| {
            let c = presence.child("c", NS_CAPS)?;
            let attr = |name| c.attr(name).filter(|value| is_bounded(value));
            let algorithm = attr("hash").unwrap_or_default();
            Some(Self::new(
                Scheme::V1,
                attr("node")?,
                algorithm,
                attr("ver")?,
            ))
        })
    }

    /// Caps as they stand in a store.
    #[must_use]
    pub fn new(scheme: Scheme, node: &str, algorithm: &str, hash: &str) -> Self {
        Self {
            scheme,
            node: node.into(),
            algorithm: algorithm.into(),
            hash: hash.into(),
        }
    }

    /// The hash function's name.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The hash in Base64, `ver` of XEP-0115.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What names the software (XEP-0115 §4); empty in XEP-0390.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The node at which disco#info tells what stands behind the hash: XEP-0115 §6.2, XEP-0390
    /// §4.3.
    #[must_use]
    pub fn query_node(&self) -> String {
        match self.scheme {
            Scheme::V1 => format!("{}#{}", self.node, self.hash),
            Scheme::V2 => format!("{NS_ECAPS2}#{}.{}", self.algorithm, self.hash),
        }
    }

    /// Whether the hash can be verified at all.
    #[must_use]
    pub fn is_verifiable(&self) -> bool {
        algorithm_of(&self.algorithm).is_some()
    }

    /// Whether this is the hash of an answer. `lang` is the `xml:lang` of the stanza around it.
    ///
    /// Servers stamp the language of a stream on stanzas, and clients hash their answer without
    /// it; XEP-0390 §4.1 wants it heeded. Both are tried: either way the answer is the one that was
    /// hashed.
    #[must_use]
    pub fn is_of(&self, query: Element<'_>, lang: Option<&str>) -> bool {
        let Some(algorithm) = algorithm_of(&self.algorithm) else {
            return false;
        };
        let matches = |lang| {
            let input = match self.scheme {
                Scheme::V1 => input_v1(query, lang),
                Scheme::V2 => input_v2(query, lang),
            };
            input.is_some_and(|input| base64(algorithm, &input) == *self.hash)
        };
        let inherited = query.lang().or(lang);
        matches("") || inherited.is_some_and(matches)
    }

    /// The caps of an answer of our own.
    pub(super) fn of(scheme: Scheme, node: &str, algorithm: &str, query: Element<'_>) -> Self {
        let input = match scheme {
            Scheme::V1 => input_v1(query, ""),
            Scheme::V2 => input_v2(query, ""),
        };
        let hash = algorithm_of(algorithm)
            .zip(input)
            .map(|(algorithm, input)| base64(algorithm, &input));
        Self::new(scheme, node, algorithm, &hash.unwrap_or_default())
    }
}

/// XEP-0115 §5.1, or `None` where §5.4 calls the answer ill-formed.
///
/// `<` ends each part, so an answer that has one inside a part could pass for another: that is no
/// answer whose hash says anything.
fn input_v1(query: Element<'_>, lang: &str) -> Option<Vec<u8>> {
    let mut out = String::new();
    let mut push = |part: &str| {
        out.push_str(part);
        out.push('<');
        !part.contains('<')
    };
    let mut identities: Vec<String> = children(query, "identity", NS_INFO)
        .map(|i| {
            let attr = |name| i.attr(name).unwrap_or_default();
            let lang = i.lang().unwrap_or(lang);
            format!(
                "{}/{}/{lang}/{}",
                attr("category"),
                attr("type"),
                attr("name")
            )
        })
        .collect();
    let mut features: Vec<&str> = children(query, "feature", NS_INFO)
        .map(|feature| feature.attr("var").unwrap_or_default())
        .collect();
    identities.sort_unstable();
    features.sort_unstable();
    let twice = identities.windows(2).any(|two| two.first() == two.last())
        || features.windows(2).any(|two| two.first() == two.last());
    let mut clean = !twice;
    for part in identities.iter().map(String::as_str).chain(features) {
        clean &= push(part);
    }
    let mut forms = Vec::new();
    for form in children(query, "x", NS_DATA) {
        let Some(kind) = children(form, "field", NS_DATA)
            .find(|f| f.attr("var") == Some(FORM_TYPE) && f.attr("type") == Some("hidden"))
        else {
            // §5.4: such a form is passed over.
            continue;
        };
        let kinds = values(kind);
        let first = kinds.first()?.clone();
        clean &= kinds.iter().all(|kind| *kind == first);
        forms.push((first, form));
    }
    forms.sort_by(|one, other| one.0.cmp(&other.0));
    clean &= forms.windows(2).all(|two| match two {
        [one, other] => one.0 != other.0,
        _ => true,
    });
    for (kind, form) in forms {
        clean &= push(&kind);
        let mut fields: Vec<(&str, Vec<String>)> = children(form, "field", NS_DATA)
            .map(|field| (field.attr("var").unwrap_or_default(), values(field)))
            .filter(|(var, _)| *var != FORM_TYPE)
            .collect();
        fields.sort();
        for (var, values) in fields {
            clean &= push(var);
            for value in values {
                clean &= push(&value);
            }
        }
    }
    clean.then(|| out.into_bytes())
}

/// XEP-0390 §4.1; `None` where it says to abort.
fn input_v2(query: Element<'_>, lang: &str) -> Option<Vec<u8>> {
    let known = |c: Element<'_>| {
        c.is("identity", NS_INFO) || c.is("feature", NS_INFO) || c.is("x", NS_DATA)
    };
    if !query.children().all(known) {
        return None;
    }
    let part = |text: &str| [text.as_bytes(), &[0x1f]].concat();
    let attr = |e: Element<'_>, name| part(e.attr(name).unwrap_or_default());
    let features = children(query, "feature", NS_INFO).map(|feature| attr(feature, "var"));
    let identities = children(query, "identity", NS_INFO).map(|i| {
        let lang = part(i.lang().unwrap_or(lang));
        [
            attr(i, "category"),
            attr(i, "type"),
            lang,
            attr(i, "name"),
            vec![0x1e],
        ]
        .concat()
    });
    let forms: Option<Vec<Vec<u8>>> = children(query, "x", NS_DATA)
        .map(|form| {
            let is_typed = children(form, "field", NS_DATA)
                .any(|f| f.attr("var") == Some(FORM_TYPE) && f.attr("type") == Some("hidden"));
            let is_list =
                form.child("reported", NS_DATA).is_some() || form.child("item", NS_DATA).is_some();
            let fields = children(form, "field", NS_DATA).map(|field| {
                let values = values(field);
                let values = joined(values.iter().map(|value| part(value)));
                [attr(field, "var"), values, vec![0x1e]].concat()
            });
            (is_typed && !is_list).then(|| [joined(fields), vec![0x1d]].concat())
        })
        .collect();
    let end = || vec![0x1c];
    Some(
        [
            joined(features),
            end(),
            joined(identities),
            end(),
            joined(forms?),
            end(),
        ]
        .concat(),
    )
}

fn joined(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = parts.into_iter().collect();
    parts.sort_unstable();
    parts.concat()
}

fn children<'a>(
    of: Element<'a>,
    name: &'static str,
    ns: &'static str,
) -> impl Iterator<Item = Element<'a>> {
    of.children().filter(move |child| child.is(name, ns))
}

/// Of a field of a form, in order.
fn values(field: Element<'_>) -> Vec<String> {
    let mut values: Vec<String> = children(field, "value", NS_DATA)
        .map(|value| value.text().into_owned())
        .collect();
    values.sort_unstable();
    values
}

fn base64(algorithm: &'static Algorithm, input: &[u8]) -> String {
    BASE64.encode(digest::digest(algorithm, input).as_ref())
}

/// XEP-0300's names of the hash functions known here.
fn algorithm_of(name: &str) -> Option<&'static Algorithm> {
    Some(match name {
        "sha-1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha-256" => &digest::SHA256,
        "sha-384" => &digest::SHA384,
        "sha-512" => &digest::SHA512,
        _ => return None,
    })
}

fn is_bounded(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_ATTRIBUTE
}

/// XEP-0115 §4.
pub(super) const NS_CAPS: &str = "http://jabber.org/protocol/caps";
/// XEP-0390 §4.
pub(super) const NS_ECAPS2: &str = "urn:xmpp:caps";
/// XEP-0300 §3.
pub(super) const NS_HASHES: &str = "urn:xmpp:hashes:2";
/// XEP-0004.
pub(super) const NS_DATA: &str = "jabber:x:data";
/// XEP-0068 §3.
pub(super) const FORM_TYPE: &str = "FORM_TYPE";
/// Bytes of one attribute of `<c/>`, or of a hash.
const MAX_ATTRIBUTE: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    fn parse(xml: &str) -> Document {
        Document::parse(xml.as_bytes(), "", &Limits::default()).unwrap()
    }

    fn is_of(scheme: Scheme, algorithm: &str, hash: &str, xml: &str) -> bool {
        Caps::new(scheme, "n", algorithm, hash).is_of(parse(xml).root(), None)
    }

    fn info(inner: &str) -> String {
        format!("<query xmlns='{NS_INFO}'>{inner}</query>")
    }

    #[test]
    fn vectors_of_xep_0115() {
        // §5.2 and §5.3.
        let simple = info(
            "<identity category='client' name='Exodus 0.9.1' type='pc'/>\
             <feature var='http://jabber.org/protocol/disco#items'/>\
             <feature var='http://jabber.org/protocol/caps'/>\
             <feature var='http://jabber.org/protocol/muc'/>\
             <feature var='http://jabber.org/protocol/disco#info'/>",
        );
        assert!(is_of(
            Scheme::V1,
            "sha-1",
            "QgayPKawpkPSDYmwT/WM94uAlu0=",
            &simple
        ));
        let complex = include_str!("../../tests/caps/xep-0115-complex.xml");
        assert!(is_of(
            Scheme::V1,
            "sha-1",
            "q07IKJEyjvHSyhy//CH0CxmKi8w=",
            complex
        ));
        assert!(!is_of(
            Scheme::V1,
            "sha-1",
            "q07IKJEyjvHSyhy//CH0CxmKi8w=",
            &simple
        ));
        assert!(!is_of(
            Scheme::V2,
            "sha-1",
            "q07IKJEyjvHSyhy//CH0CxmKi8w=",
            complex
        ));
    }

    #[test]
    fn vectors_of_xep_0390() {
        // §4.5.1 and §4.5.2.
        let simple = include_str!("../../tests/caps/xep-0390-simple.xml");
        let complex = include_str!("../../tests/caps/xep-0390-complex.xml");
        let (one, two) = (
            "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=",
            "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=",
        );
        assert!(is_of(Scheme::V2, "sha-256", one, simple));
        assert!(is_of(Scheme::V2, "sha-256", two, complex));
        assert!(!is_of(Scheme::V2, "sha-256", two, simple));
        assert!(
            !is_of(Scheme::V2, "sha3-256", two, complex),
            "not known here"
        );
    }

    #[test]
    fn an_inherited_language_is_tried_too() {
        let with = info("<identity xml:lang='en' category='client' type='pc'/>");
        let without = info("<identity category='client' type='pc'/>");
        let caps = Caps::of(Scheme::V2, "", "sha-256", parse(&with).root());
        assert!(caps.is_of(parse(&without).root(), Some("en")));
        assert!(!caps.is_of(parse(&without).root(), Some("de")));
        let plain = Caps::of(Scheme::V2, "", "sha-256", parse(&without).root());
        assert!(plain.is_of(parse(&without).root(), Some("en")));
    }

    #[test]
    fn what_could_pass_for_another_answer_has_no_hash() {
        let honest =
            info("<identity category='client' type='pc'/><feature var='a'/><feature var='b'/>");
        let caps = Caps::of(Scheme::V1, "", "sha-1", parse(&honest).root());
        assert!(caps.is_of(parse(&honest).root(), None));
        let forged = info("<identity category='client' type='pc'/><feature var='a&lt;b'/>");
        assert!(!caps.is_of(parse(&forged).root(), None));
        // XEP-0115 §5.4.
        for twice in [
            "<feature var='a'/><feature var='a'/>",
            "<identity category='c' type='t'/><identity category='c' type='t'/>",
            "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field></x>",
        ] {
            assert!(
                input_v1(parse(&info(twice)).root(), "").is_none(),
                "{twice}"
            );
        }
        // XEP-0390 §4.1.
        for other in [
            "<other xmlns='urn:x'/>",
            "<x xmlns='jabber:x:data'><field var='a'><value>b</value></field></x>",
            "<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field><reported/></x>",
        ] {
            assert!(
                input_v2(parse(&info(other)).root(), "").is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn the_newer_is_preferred_where_its_hash_is_known() {
        let old = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
        let new = |algorithm| {
            format!(
                "<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='{algorithm}'>h</hash></c>"
            )
        };
        let node = |inner: String| {
            Caps::read(parse(&format!("<presence>{inner}</presence>")).root())
                .unwrap()
                .query_node()
        };
        assert_eq!(
            node(format!("{old}{}", new("sha-256"))),
            "urn:xmpp:caps#sha-256.h"
        );
        assert_eq!(node(format!("{old}{}", new("md5"))), "n#v");
        assert!(
            Caps::read(parse(&format!("<presence>{}</presence>", new("md5"))).root()).is_none()
        );
    }
}
