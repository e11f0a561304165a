use super::{Media, NS};
use crate::xml::{Element, Writer};

/// `<device media='audio video'/>`: what a browser app says of itself in its directed presence to
/// the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The media it can take.
    pub media: Media,
    /// `bundle='max'`: its `RTCPeerConnection` has the bundle policy `max-bundle`, so a section
    /// outside the first transport is of no use to it.
    pub bundle_max: bool,
    /// `carry='true'`: the device hands in the Jingle stanzas that it receives, and sends ours.
    pub carry: bool,
}

impl Device {
    /// Reads the element; without `media` the device takes both kinds.
    #[must_use]
    pub fn read(element: Element<'_>) -> Option<Self> {
        element.is("device", NS).then(|| Self {
            media: element.attr("media").map_or(Media::BOTH, Media::parse),
            bundle_max: element.attr("bundle") == Some("max"),
            carry: matches!(element.attr("carry"), Some("true" | "1")),
        })
    }

    /// Writes the element.
    pub fn write(&self, writer: &mut Writer) {
        writer
            .open("device", NS)
            .attr("media", self.media.to_string());
        writer
            .opt_attr("bundle", self.bundle_max.then_some("max"))
            .opt_attr("carry", self.carry.then_some("true"))
            .close();
    }
}
