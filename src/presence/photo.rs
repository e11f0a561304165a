use crate::xml::{Element, Writer};

/// What a person's presence says of the picture in her vCard (XEP-0153).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Photo {
    /// Nothing.
    #[default]
    Unknown,
    /// She has none.
    None,
    /// The SHA-1 of it.
    Sha1([u8; 20]),
}

impl Photo {
    /// Reads `<x/>` of a presence; [`Self::Unknown`] where its sender is not ready to say (§4.1).
    #[must_use]
    pub fn read(presence: Element<'_>) -> Self {
        let photo = presence
            .child("x", NS)
            .and_then(|update| update.child("photo", NS));
        let Some(photo) = photo else {
            return Self::Unknown;
        };
        let text = photo.text();
        let hash = text.trim();
        if hash.is_empty() {
            return Self::None;
        }
        data_encoding::HEXLOWER_PERMISSIVE
            .decode(hash.as_bytes())
            .ok()
            .and_then(|bytes| <[u8; 20]>::try_from(bytes).ok())
            .map_or(Self::Unknown, Self::Sha1)
    }

    /// Writes `<x/>`, unless nothing is known.
    pub fn write(&self, writer: &mut Writer) {
        let hash = match self {
            Self::Unknown => return,
            Self::None => String::new(),
            Self::Sha1(hash) => data_encoding::HEXLOWER.encode(hash),
        };
        writer.open("x", NS).leaf("photo", NS, hash).close();
    }
}

/// XEP-0153 §8.1.
const NS: &str = "vcard-temp:x:update";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, Limits};

    #[test]
    fn a_hash_and_nothing_else_is_passed_on() {
        const HASH: &str = "01b87fcd030b72895ff8e88db57ec525450f000d";
        let open = "<x xmlns='vcard-temp:x:update'>";
        for (update, passed) in [
            (
                format!("{open}<photo>{HASH}</photo></x>"),
                format!("{open}<photo>{HASH}</photo></x>"),
            ),
            (
                format!("{open}<photo>\n {} </photo></x>", HASH.to_uppercase()),
                format!("{open}<photo>{HASH}</photo></x>"),
            ),
            (format!("{open}<photo/></x>"), format!("{open}<photo/></x>")),
            (format!("{open}</x>"), String::new()),
            (format!("{open}<photo>sha1-evil</photo></x>"), String::new()),
            (format!("{open}<photo>{HASH}00</photo></x>"), String::new()),
            (String::new(), String::new()),
        ] {
            let presence = format!("<presence>{update}</presence>");
            let presence = Document::parse(presence.as_bytes(), "", &Limits::default()).unwrap();
            let mut writer = Writer::new("");
            Photo::read(presence.root()).write(&mut writer);
            assert_eq!(writer.finish(), passed, "{update}");
        }
    }
}
